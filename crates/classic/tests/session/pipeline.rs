//! Commands that are sent while replies are owed.

use bytes::BytesMut;
use porpoise_classic::{CapabilityFlags, ClassicErrorKind, Columns, Event, Misuse, Session};
use porpoise_trace::NoTrace;
use porpoise_wire::{Cx, Machine as _, Step};
use proptest::prelude::{prop_assert, prop_assert_eq, proptest};

use crate::random::{capabilities, script};
use crate::support::{
    Act, Exchange, Feed, LONG, MODERN, Reply, Told, WITH_EOF, column, play, session, t1, tell,
};

/// All commands at once, then all replies; each event with the number of the command it belongs to.
fn pipelined(
    capabilities: CapabilityFlags,
    script: &[Exchange],
    chunk: usize,
) -> (Vec<(usize, Told)>, Vec<u8>) {
    let mut session = session(capabilities);
    session.set_pipelining(true);
    let (mut rx, mut tx, mut trace) = (BytesMut::new(), BytesMut::new(), NoTrace);
    let mut cx = Cx::new(&mut rx, &mut tx, &mut trace);
    let columns = Columns::default();
    for (act, _) in script {
        // A dump is never sent behind another command, nor another behind a dump.
        if let Err(misuse) = act.send(&mut session, &columns, &mut cx) {
            assert!(matches!(misuse, Misuse::Busy | Misuse::OutOfStep));
        }
    }
    let sent = cx.tx.split().to_vec();
    let replies: Vec<u8> = script.iter().flat_map(|(_, reply)| reply.bytes().to_vec()).collect();
    let mut replies = replies.chunks(chunk);
    let with_reply: Vec<_> = (0..script.len()).filter(|index| has_reply(&script[*index].0)).collect();
    let (mut told, mut last) = (Vec::new(), Columns::default());
    loop {
        let owed = session.replies_owed();
        let mut events = Vec::new();
        match session.advance(&mut cx) {
            Ok(Step::Event(event)) => tell(event, &mut last, &mut events),
            Ok(step @ (Step::Idle | Step::NeedRead { .. })) => match replies.next() {
                Some(piece) => cx.rx.extend_from_slice(piece),
                None => events.push(if step == Step::Idle { Told::Idle } else { Told::Waits }),
            },
            Ok(step) => panic!("{step:?}"),
            Err(error) => events.push(Told::Failed(error.to_string())),
        }
        let over = matches!(events[..], [Told::Idle | Told::Waits | Told::Failed(_)]);
        let number = if owed == 0 { script.len() } else { with_reply[with_reply.len() - owed] };
        told.extend(events.into_iter().map(|event| (number, event)));
        if over {
            return (told, sent);
        }
    }
}

fn has_reply(act: &Act) -> bool {
    !matches!(act, Act::StmtClose | Act::LongData(_))
}

/// The same one by one.
fn one_by_one(capabilities: CapabilityFlags, script: &[Exchange]) -> (Vec<(usize, Told)>, Vec<u8>) {
    let outcome = play(capabilities, script, Feed::Whole);
    let (mut told, mut number) = (Vec::new(), 0);
    for event in outcome.told {
        match event {
            Told::Idle => number += 1,
            event => told.push((number, event)),
        }
    }
    told.push((script.len(), Told::Idle));
    (told, outcome.sent)
}

fn busy_script() -> Vec<Exchange> {
    let [a, b] = t1();
    let columns = || Reply::new().columns(&[&a, &b]);
    let prepared = |columns, params| Reply::new().packet([0x00, 1, 0, 0, 0, columns, 0, params, 0, 0, 0, 0]);
    let long_error = Reply::new().err(1064, "42000", &"x".repeat(300));
    vec![
        (Act::Query("select 1; select 2"), columns().row(&[Some("1"), None]).end(10).columns(&[&a]).end(2)),
        (Act::Ping, Reply::new().ok(2)),
        (Act::Query("selec"), long_error),
        (Act::Prepare("x"), prepared(2, 1).packet(column("", "", "?", LONG)).packet(&a).packet(&b)),
        (Act::StmtClose, Reply::none()),
        (Act::Execute(0, Vec::new()), columns().packet(b"\x00\x00\x01\x00\x00\x00\x03one").end(2)),
        (Act::LongData("hello"), Reply::none()),
        (Act::Query("select 1"), columns().row(&[Some("1"), Some("one")]).row(&[None, None]).end(2)),
        (Act::Statistics, Reply::new().packet("Uptime: 1")),
        (Act::FieldList("t1"), Reply::new().packet(&a).packet(&b).end(2)),
        (Act::SetOption(true), Reply::new().end(2)),
        (Act::StmtClose, Reply::none()),
    ]
}

#[test]
fn a_pipeline_tells_what_the_commands_tell_one_by_one() {
    let script = busy_script();
    let (told, sent) = one_by_one(MODERN, &script);
    assert_eq!(told.len(), 20);
    for chunk in [1, 2, 3, 5, 7, 11, 64, 1 << 20] {
        let (piped, piped_sent) = pipelined(MODERN, &script, chunk);
        assert_eq!(piped, told);
        assert_eq!(piped_sent, sent);
    }
}

#[test]
fn a_fetch_has_its_columns_when_its_turn_comes() {
    let script = [
        (Act::Query("select 1"), Reply::new().columns(&[&t1()[1]]).eof(2).row(&[Some("x")]).eof(2)),
        (Act::Fetch(1), Reply::new().packet([0, 0, 7, 0, 0, 0]).eof(0x82)),
    ];
    let mut session = session(WITH_EOF);
    session.set_pipelining(true);
    let (mut rx, mut tx, mut trace) = (BytesMut::new(), BytesMut::new(), NoTrace);
    let mut cx = Cx::new(&mut rx, &mut tx, &mut trace);
    let fetched = Columns::undefined(3);
    for (act, reply) in &script {
        act.send(&mut session, &fetched, &mut cx).unwrap();
        cx.rx.extend_from_slice(reply.bytes());
    }
    let mut lengths = Vec::new();
    while let Step::Event(event) = session.advance(&mut cx).unwrap() {
        if let Event::Rows(batch) = event {
            lengths.push(batch.columns().len());
        }
    }
    assert_eq!(lengths, [1, 3]);
}

#[test]
fn commands_can_be_sent_in_the_middle_of_replies() {
    let [a, b] = t1();
    let reply = Reply::new().columns(&[&a, &b]).row(&[Some("1"), None]).row(&[Some("2"), None]).end(2);
    let mut session = session(MODERN);
    session.set_pipelining(true);
    let (mut rx, mut tx, mut trace) = (BytesMut::new(), BytesMut::new(), NoTrace);
    let mut cx = Cx::new(&mut rx, &mut tx, &mut trace);
    session.query("x", &mut cx).unwrap();
    let (mut pings, mut oks) = (0, 0);
    for byte in reply.bytes() {
        session.ping(&mut cx).unwrap();
        session.stmt_close(7, &mut cx).unwrap();
        pings += 1;
        cx.rx.extend_from_slice(&[*byte]);
        while matches!(session.advance(&mut cx).unwrap(), Step::Event(_)) {}
    }
    assert_eq!(session.replies_owed(), pings);
    assert_eq!(session.field_list("a\0", "", &mut cx), Err(Misuse::NulInName));
    while session.replies_owed() > 0 {
        cx.rx.extend_from_slice(Reply::new().ok(2).bytes());
        assert!(matches!(session.advance(&mut cx), Ok(Step::Event(Event::Ok(_)))));
        oks += 1;
    }
    assert_eq!(oks, pings);
    assert!(session.is_idle() && session.advance(&mut cx).unwrap() == Step::Idle);
}

/// Two pings, and what the server sends.
fn two_pings(replies: &Reply) -> (Session, BytesMut) {
    let mut session = session(MODERN);
    session.set_pipelining(true);
    let (mut rx, mut tx, mut trace) = (BytesMut::from(replies.bytes()), BytesMut::new(), NoTrace);
    let mut cx = Cx::new(&mut rx, &mut tx, &mut trace);
    session.ping(&mut cx).unwrap();
    session.ping(&mut cx).unwrap();
    (session, rx)
}

#[test]
fn a_wrong_sequence_id_has_its_own_error() {
    // A middlebox that answers as if both commands were one: ids 1 and 2.
    let (mut session, mut rx) = two_pings(&Reply::new().ok(2).ok(2));
    let (mut tx, mut trace) = (BytesMut::new(), NoTrace);
    let mut cx = Cx::new(&mut rx, &mut tx, &mut trace);
    assert!(matches!(session.advance(&mut cx), Ok(Step::Event(Event::Ok(_)))));
    let error = session.advance(&mut cx).unwrap_err();
    let wrong = porpoise_wire::WireError::OutOfOrder { expected: 1, got: 2 };
    assert!(matches!(error.kind(), ClassicErrorKind::Packet { error, .. } if *error == wrong), "{error}");
}

#[test]
fn behind_an_err_out_of_step_no_reply_is_believed() {
    let gone = Reply::new().id(0).err(4031, "HY000", "idle for too long").id(1).ok(2);
    let (mut session, mut rx) = two_pings(&gone);
    let (mut tx, mut trace) = (BytesMut::new(), NoTrace);
    let mut cx = Cx::new(&mut rx, &mut tx, &mut trace);
    assert!(matches!(session.advance(&mut cx), Ok(Step::Event(Event::Err(_)))));
    assert_eq!(session.ping(&mut cx), Err(Misuse::OutOfStep));
    assert_eq!(session.replies_owed(), 1);
    let error = session.advance(&mut cx).unwrap_err();
    assert!(matches!(error.kind(), ClassicErrorKind::OutOfStep { owed: 1, .. }), "{error}");
    assert_eq!(error.client_error(), 2013);
    assert_eq!(session.advance(&mut cx).unwrap_err().to_string(), error.to_string());
    // In step, an ERR is the reply to its command and no more.
    let (mut session, mut rx) = two_pings(&Reply::new().err(1820, "HY000", "no").id(1).ok(2));
    let mut cx = Cx::new(&mut rx, &mut tx, &mut trace);
    assert!(matches!(session.advance(&mut cx), Ok(Step::Event(Event::Err(_)))));
    assert!(matches!(session.advance(&mut cx), Ok(Step::Event(Event::Ok(_)))));
}

#[test]
fn it_can_be_switched_off_while_replies_are_owed() {
    let (mut session, mut rx) = two_pings(&Reply::new().ok(2).id(1).ok(2));
    let (mut tx, mut trace) = (BytesMut::new(), NoTrace);
    let mut cx = Cx::new(&mut rx, &mut tx, &mut trace);
    session.set_pipelining(false);
    assert!(!session.is_pipelining());
    assert_eq!((session.ping(&mut cx), session.replies_owed()), (Err(Misuse::Busy), 2));
    for owed in [1, 0] {
        assert!(matches!(session.advance(&mut cx), Ok(Step::Event(Event::Ok(_)))));
        assert_eq!(session.replies_owed(), owed);
    }
    session.ping(&mut cx).unwrap();
}

#[test]
fn quit_gives_up_what_is_queued() {
    let (mut session, mut rx) = two_pings(&Reply::new().ok(2));
    let (mut tx, mut trace) = (BytesMut::new(), NoTrace);
    let mut cx = Cx::new(&mut rx, &mut tx, &mut trace);
    session.quit(&mut cx).unwrap();
    assert_eq!((session.replies_owed(), &cx.tx[..]), (0, &[1, 0, 0, 0, 1][..]));
    assert_eq!(session.advance(&mut cx).unwrap(), Step::NeedWrite);
    cx.tx.clear();
    assert_eq!(session.advance(&mut cx).unwrap(), Step::Idle);
}

proptest! {
    #[test]
    fn random_servers(capabilities in capabilities(), script in script(), chunk in 1usize..40) {
        let (told, sent) = pipelined(capabilities, &script, 1 << 20);
        let (cut, cut_sent) = pipelined(capabilities, &script, chunk);
        // Replies come after all commands, so a request for a file that has commands behind it ends the session.
        prop_assert_eq!(&told, &cut);
        prop_assert_eq!(sent, cut_sent);
        let numbers: Vec<_> = told.iter().map(|(number, _)| *number).collect();
        prop_assert!(numbers.is_sorted());
    }
}
