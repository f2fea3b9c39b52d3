//! What porpoise's tests share.
//!
//! | | |
//! |---|---|
//! | [`Servers`] | real servers that are up, the account root, and a lock on what tests change there |
//! | [`FakeServer`] | a server on a socket that does as its script says |
//! | [`ClearingProxy`] | a man in the middle who clears a capability bit on both sides |
//! | [`Authority`] | certificates for TLS servers of tests |
//! | [`Scenario`] | what MySQL's own client did, as it was recorded (`tests/golden`) |
//! | [`compare`] | when a run equals a recording: the one place of that rule |
//! | [`Settings`] | a scenario's options, as porpoise's |
//! | [`Player`] | runs a scenario on the machines alone, over a [`Wire`] |
//! | [`Instance`] | a server of a test's own, with other options |
//! | [`XScenario`], [`x_compare`] | conversations of the X Protocol (`tests/golden-x`), and when one equals another |
//! | [`XClient`] | X Protocol on the machines alone, over a [`Wire`] |
//! | [`XTalk`] | conversations of that kind whose bytes are kept |
//! | [`Transcript`] | the bytes of such a run (`tests/transcripts`), to be played again without a server |

mod accounts;
mod authority;
mod compare;
mod extra;
mod fake;
mod golden;
pub mod hex;
mod instance;
mod live;
mod packet;
mod player;
mod proxy;
mod reach;
mod replay;
mod servers;
mod settings;
mod statement;
mod step;
mod transcript;
mod x;
mod x_compare;
mod x_golden;
mod x_talk;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

pub use accounts::Account;
pub use authority::Authority;
pub use compare::compare;
pub use fake::{Act, FakeServer};
pub use golden::{Line, Scenario, Special};
pub use instance::Instance;
pub use live::{Killer, Live, Place};
pub use packet::{packet, read_packet};
pub use player::{Player, Wire, changed_user};
pub use proxy::ClearingProxy;
pub use reach::{Level, Reach, reach};
pub use replay::{Cut, Replay};
pub use servers::{ADVICE, Lock, Program, Server, Servers, lock, unwanted};
pub use settings::Settings;
pub use step::{Outcome, Step};
pub use transcript::{End, Entry, Transcript};
pub use x::{XClient, XReply, statement};
pub use x_compare::x_compare;
pub use x_golden::XScenario;
pub use x_talk::XTalk;

/// The workspace's folder.
#[must_use]
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).map(Path::to_owned).unwrap_or_default()
}

/// A text file of the workspace.
///
/// # Errors
/// It cannot be read.
pub fn read(path: &str) -> Result<String> {
    fs::read_to_string(root().join(path)).with_context(|| path.to_owned())
}
