//! Conversations whose bytes are kept: they go as they should, and with `PORPOISE_RECORD=1` are written anew.

use std::{env, fs};

use anyhow::{Context as _, Result};
use porpoise_test_support::{Transcript, XTalk, lock};
use porpoise_xproto::connect;

use super::{connected, live, options, works};
use crate::golden::RECORD;
use crate::suite::{Cell, Context, MYSQL, Runner, Suite, Transport};

pub(super) fn add(suite: &mut Suite) {
    for talk in XTalk::all() {
        let over = match talk.transport {
            connect::Transport::Unix => Transport::Unix,
            _ if talk.options().tls == connect::Use::Disabled => Transport::Tcp,
            _ => Transport::Tls,
        };
        let cell = Cell::new(Runner::Blocking, over, MYSQL);
        suite.add(format!("x_machine::transcript::{}", talk.name), cell, |context| have(context, talk));
    }
}

fn have(context: &Context, talk: &XTalk) -> Result<()> {
    let (server, unix) = (context.server()?, Transport::Unix);
    let _lock = lock()?;
    if !talk.before.is_empty() {
        server.run(talk.before)?;
    }
    if talk.warm {
        connected(server, unix, options("sha2all", unix)?, works)?;
    }
    let mut wire = live(server, context.cell.transport)?;
    let lines = talk.have(&mut wire)?;
    if env::var_os(RECORD).is_some_and(|value| value == "1") {
        let transcript = Transcript::new(wire.into_entries(), &lines, None, None);
        let path = Transcript::path(&format!("x/{}", talk.name));
        let text = transcript.to_text(&format!("{}: {}", talk.name, talk.what));
        fs::write(&path, text).with_context(|| path.display().to_string())?;
    }
    Ok(())
}
