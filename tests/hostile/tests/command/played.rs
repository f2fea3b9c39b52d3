//! A talk that is played, and what must hold whatever the server said in it.

use std::sync::Arc;

use porpoise_classic::{ClassicErrorKind, Event};
use porpoise_driver::{Client, Error, Operation, Options};
use porpoise_hostile_tests::answers::{cells, login};
use porpoise_hostile_tests::talks::Talk;
use porpoise_hostile_tests::{Act, Peer, watch};
use porpoise_wire::{Limits, Lost};

/// The largest packet of a client here: small, so that memory is held against a tight bound.
pub(crate) const LIMIT: usize = 16 << 10;

/// The options of a talk's client. They are the same for all its variants.
pub(crate) fn options(talk: &Talk) -> Arc<Options> {
    talk.dialect.options(Limits::default().with_max_packet(LIMIT))
}

/// What became of a talk.
#[derive(Debug)]
pub(crate) enum Ending {
    Done,
    Failed(Error),
    /// It waits for more than the server says.
    Waits,
}

/// Plays a talk with another script, and holds what comes of it against what must always hold.
pub(crate) fn play(talk: &Talk, options: &Arc<Options>, peer: &Peer, at: &str) -> Ending {
    let mut client = login(peer, Arc::clone(options));
    let (ending, info) = watch::measure(|| match watch::settle(talk.run(&mut client, drop)) {
        Some(Ok(())) => Ending::Done,
        Some(Err(error)) => Ending::Failed(error),
        None => Ending::Waits,
    });
    let most = (2 * LIMIT + (64 << 10)) as u64;
    assert!(info.bytes_max <= most, "{at}: {} bytes at a time, {most} are allowed", info.bytes_max);
    match &ending {
        Ending::Failed(error) => {
            is_clear(error, at);
            assert!(!client.is_usable(), "{at}: usable after {error}");
            assert!(!peer.is_linked(), "{at}: the connection is not closed after {error}");
            closed(&mut client, at);
        }
        Ending::Done => next_is_its_own(&mut client, at),
        Ending::Waits => assert!(client.is_usable(), "{at}: waits, and is unusable"),
    }
    ending
}

/// The error of a session that is over says what happened where.
pub(crate) fn is_clear(error: &Error, at: &str) {
    assert!(error.is_fatal(), "{at}: {error:?}");
    let session = match error {
        Error::Session(session) => session,
        // An ERR came unasked, was told, and no command is sent any more.
        Error::Unusable(Operation::Closed) => return,
        _ => panic!("{at}: {error:?}"),
    };
    assert!(error.to_string().contains(session.stage().name()), "{at}: {error}");
    let code = error.code();
    match session.kind() {
        ClassicErrorKind::Lost(Lost::Closed | Lost::Read(_)) => {
            assert!(matches!(code, 2006 | 2013), "{at}: {code}: {error}");
        }
        ClassicErrorKind::Packet { .. } | ClassicErrorKind::Unexpected { .. } => {
            assert!(session.expected().is_some_and(|expected| error.to_string().contains(expected)));
            // CR_SERVER_LOST, CR_NET_PACKET_TOO_LARGE, CR_MALFORMED_PACKET
            assert!(matches!(code, 2013 | 2020 | 2027), "{at}: {code}: {error}");
        }
        kind => panic!("{at}: {kind:?}"),
    }
}

pub(crate) fn closed(client: &mut Client, at: &str) {
    let error = watch::run(client.ping()).expect_err("a closed session");
    assert!(matches!(error, Error::Unusable(Operation::Closed)), "{at}: {error:?}");
}

/// A statement behind the talk gets its own rows, or none: a server that waits for another packet may take it for
/// that one.
fn next_is_its_own(client: &mut Client, at: &str) {
    match watch::settle(cells(client, "rows second 2")) {
        Some(Ok(cells)) => assert!(cells.is_empty() || cells == ["second", "second"], "{at}: {cells:?}"),
        Some(Err(Error::Server(_) | Error::InfileRefused(_))) | None => {}
        // What was left over is no reply.
        Some(Err(Error::Session(_) | Error::Unusable(_))) => {
            assert!(!client.is_usable(), "{at}: usable after what was left over");
        }
        Some(Err(error)) => panic!("{at}: {error:?}"),
    }
}

/// The talk's script with one act replaced by others.
pub(crate) fn replaced(talk: &Talk, place: usize, by: impl IntoIterator<Item = Act>) -> Vec<Act> {
    let (before, rest) = talk.script.split_at(place);
    before.iter().cloned().chain(by).chain(rest.iter().skip(1).cloned()).collect()
}

/// The server of a script.
pub(crate) fn server(talk: &Talk, script: &[Act]) -> Peer {
    Peer::new(&talk.whole(script))
}

/// What is said: its place in the script, and the payload.
pub(crate) fn said(talk: &Talk) -> impl Iterator<Item = (usize, &[u8])> {
    talk.script.iter().enumerate().filter_map(|(place, act)| match act {
        Act::Say(payload) => Some((place, payload.as_slice())),
        _ => None,
    })
}

/// What a talk tells, with rows taken out of their batches.
pub(crate) fn tell(told: &mut Vec<String>, event: &Event) {
    let Event::Rows(batch) = event else { return told.push(format!("{event:?}")) };
    for row in batch {
        let cells: Vec<_> = row.iter().map(|cell| format!("{cell:?}")).collect();
        told.push(cells.join(" "));
    }
}
