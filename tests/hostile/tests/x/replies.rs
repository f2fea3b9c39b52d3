//! Replies that lie: about what they are, about their rows, about whose reply they are.

use std::collections::BTreeSet;

use libtest_mimic::Trial;
use porpoise_driver::x::Error;
use porpoise_hostile_tests::x::{
    authenticated, bye, challenge, column, compressed, done, error, executed, fatal, header, hello, limited,
    mechanisms, more, ok, read, rest, row, session_then, session_with, statement, unix, warning,
};
use porpoise_hostile_tests::{Act, watch};
use porpoise_xproto::messages::expect;
use porpoise_xproto::{LifeCycle, ServerKind, XErrorKind};

use crate::trial;

const MALFORMED: u16 = 2027;

pub(crate) fn trials() -> Vec<Trial> {
    let lies: Vec<(&str, Vec<Act>, u16)> = vec![
        ("a column that is none", vec![Act::Say(vec![12, 0xff]), Act::Say(done())], MALFORMED),
        ("a column without a type", vec![Act::Say(vec![12]), Act::Say(done())], MALFORMED),
        (
            "a column longer than its frame",
            vec![Act::Say(vec![12, 8, 1, 0x12, 0x7f, b'x']), Act::Say(done())],
            MALFORMED,
        ),
        ("a row above the limit", vec![Act::Say(column("c")), Act::Raw(header((1 << 20) + 1, 13))], 2020),
        ("a row of 4 GiB", vec![Act::Say(column("c")), Act::Raw(header(u32::MAX, 13))], 2020),
        ("a frame without a type", vec![Act::Say(column("c")), Act::Raw(vec![0; 4])], MALFORMED),
        ("a reply that stops", vec![Act::Say(column("c")), Act::Close], 2013),
        (
            "a row that stops",
            vec![Act::Say(column("c")), Act::Raw(vec![9, 0, 0, 0, 13, 0x0a]), Act::Close],
            2013,
        ),
        ("a reply that breaks off", vec![Act::Reset], 2013),
        (
            "a fatal error among rows",
            vec![Act::Say(column("c")), Act::Say(row(&[b"x\0"])), Act::Say(fatal(1317))],
            1317,
        ),
        ("Compression that nobody agreed on", vec![Act::Say(compressed(None, b"x"))], MALFORMED),
        ("a type that nobody knows", vec![Act::Say(vec![99])], MALFORMED),
    ];
    let lies = lies.into_iter().map(|(name, acts, code)| {
        trial(format!("reply: {name}"), move || {
            let acts = [&[Act::Hear][..], &acts].concat();
            let (mut session, _peer) = session_with(limited(unix(), 1 << 20), &acts);
            let (told, error) = watch::run(read(&mut session, 1));
            let error = error.unwrap_or_else(|| panic!("{told:?}"));
            assert_eq!(error.code(), code, "{error:?}");
            assert!(matches!(error, Error::Session(_)) && !session.is_usable());
            let again = watch::run(session.next_event()).expect_err("the session is over");
            assert!(matches!(again, Error::Unusable(_)), "{again:?}");
        })
    });
    lies.chain([
        trial("reply: every message in place of every other", in_place),
        trial("reply: cells that reach out of their row", cells),
        trial("reply: rows of more or fewer cells than columns", crooked),
        trial("reply: to nothing", unasked),
        trial("reply: more than were asked for", surplus),
        trial("reply: fewer than were asked for", fewer),
        trial("reply: the end of a session that nobody closed", closed),
    ])
    .collect()
}

/// One message of each type, as small as it can be.
fn each() -> Vec<Vec<u8>> {
    vec![
        ok(),
        error(1064),
        mechanisms(&[]),
        challenge(b"x"),
        authenticated(),
        hello(),
        column("c"),
        row(&[b"x\0"]),
        done(),
        vec![15],
        more(),
        executed(),
        vec![18],
        compressed(None, b"x"),
        vec![99],
    ]
}

/// In place of Ok, in place of a result, and when nothing is owed: only what may come there is taken.
fn in_place() {
    let kinds: BTreeSet<u8> = each().iter().filter_map(|message| message.first().copied()).collect();
    assert_eq!(kinds.len(), ServerKind::ALL.len() + 1);
    let result = [1, 11, 12, 13, 14, 15, 16, 17, 18];
    for said in each() {
        let kind = said.first().copied().unwrap_or_default();
        for (what, taken) in [("ok", &[0, 1, 11][..]), ("a result", &result), ("nothing", &[11])] {
            let asks = what != "nothing";
            let hear = if asks { vec![Act::Hear] } else { vec![] };
            let script = [&hear[..], &[Act::Say(said.clone()), Act::Close]].concat();
            let (mut session, _peer) = session_then(&script);
            let sent = session.message_now(|connection, cx| match what {
                "ok" => connection.send(&expect::Close {}, cx),
                "a result" => connection.send(&statement("x"), cx),
                _ => Ok(()),
            });
            sent.expect("it may be sent");
            let mut told = Vec::new();
            let error = if asks {
                watch::run(rest(&mut session, &mut told))
            } else {
                watch::run(session.recv())
                    .map(|event| porpoise_hostile_tests::x::show(&event, &mut told))
                    .err()
            };
            let unexpected = matches!(&error, Some(Error::Session(error))
                if matches!(error.kind(), XErrorKind::Unexpected { .. }));
            assert_eq!(unexpected, !taken.contains(&kind), "{kind} in place of {what}: {told:?} {error:?}");
        }
    }
}

fn cells() {
    // The first cell | a cell that has 100 bytes, of which 2 are there
    let broken = b"\x0d\x0a\x02x\0\x0a\x64ab".to_vec();
    let script = [column("c"), broken, row(&[b"y\0"]), done(), executed()].map(Act::Say);
    let (mut session, _peer) = session_then(&[&[Act::Hear][..], &script].concat());
    let (told, error) = watch::run(read(&mut session, 1));
    // The row says so; what is behind it is not touched.
    let [_, broken, behind @ ..] = &told[..] else { panic!("{told:?} {error:?}") };
    assert!(error.is_none() && broken.starts_with("row x\\x00 | ") && broken.contains("100"), "{told:?}");
    assert_eq!(behind, ["row y\\x00", "Fetched(Done)", "StmtExecuteOk"]);
}

fn crooked() {
    let messages =
        [column("a"), column("b"), row(&[]), row(&[b"x\0"]), row(&[&b"x\0"[..]; 3]), done(), executed()];
    let (mut session, _peer) = session_then(&[&[Act::Hear][..], &messages.map(Act::Say)].concat());
    session.message_now(|connection, cx| connection.send(&statement("x"), cx)).expect("it may be sent");
    let mut rows = Vec::new();
    while let Some(event) = watch::run(session.next_event()).expect("a reply") {
        if let porpoise_xproto::Event::Rows(batch) = event {
            for row in &batch {
                // What is not there is an error, and what is too much is not looked at.
                rows.push((row.value(0).is_ok(), row.value(1).is_ok(), row.value(2).is_ok()));
            }
        }
    }
    assert_eq!(rows, [(false, false, false), (true, false, false), (true, true, false)]);
}

fn unasked() {
    for said in [ok(), error(1064), row(&[b"x\0"]), executed(), authenticated(), mechanisms(&[])] {
        let (mut session, _peer) = session_then(&[Act::Say(said.clone())]);
        let error = watch::run(session.recv()).expect_err("nobody asked for it");
        assert_eq!(error.code(), MALFORMED, "{said:?}: {error:?}");
        assert!(!session.is_usable());
    }
}

fn surplus() {
    let replies = [executed(), executed(), executed()].map(Act::Say);
    let (mut session, _peer) = session_then(&[&[Act::Hear, Act::Hear][..], &replies].concat());
    let (told, error) = watch::run(read(&mut session, 2));
    assert_eq!(told, ["StmtExecuteOk", "StmtExecuteOk"]);
    let error = match error {
        Some(error) => error,
        None => watch::run(session.recv()).expect_err("nobody asked for it"),
    };
    assert_eq!(error.code(), MALFORMED, "{error:?}");
}

fn fewer() {
    let (mut session, _peer) = session_then(&[Act::Hear, Act::Hear, Act::Say(executed()), Act::Close]);
    let (told, error) = watch::run(read(&mut session, 2));
    assert_eq!(told, ["StmtExecuteOk"]);
    assert_eq!(error.map(|error| error.code()), Some(2013));
}

/// A server that ends a session says why, if it can; and that is the error.
fn closed() {
    for (said, code) in [
        (vec![Act::Say(warning(3, false, 3169)), Act::Close], 3169),
        (vec![Act::Say(warning(3, false, 1810)), Act::Reset], 1810),
        (vec![Act::Say(warning(2, false, 3169)), Act::Close], 2013),
        (vec![Act::Say(warning(3, true, 3169)), Act::Close], 2013),
        (vec![Act::Say(fatal(1317)), Act::Close], 1317),
        (vec![Act::Close], 2013),
    ] {
        let (mut session, _peer) = session_then(&said);
        let error = loop {
            if let Err(error) = watch::run(session.recv()) {
                break error;
            }
        };
        assert_eq!(error.code(), code, "{error:?}");
    }
    // Asked for, it is none.
    for reply in [vec![Act::Say(bye()), Act::Close], vec![Act::Close], vec![Act::Say(bye()), Act::Reset]] {
        let (session, peer) = session_then(&[&[Act::Hear][..], &reply].concat());
        assert_eq!(session.state(), LifeCycle::Session);
        let closed = watch::run(session.close());
        assert!(closed.is_ok(), "{closed:?}");
        assert!(!peer.is_linked());
    }
}
