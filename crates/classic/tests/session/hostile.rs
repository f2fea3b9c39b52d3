//! Servers that break the rules, and callers that do.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use porpoise_classic::{
    CapabilityFlags, ClassicError, ClassicErrorKind, Columns, Event, Misuse, RowError, Session, SessionSeed,
};
use porpoise_trace::{NoTrace, Record};
use porpoise_wire::{Cx, Framer, Limits, Lost, Machine, Step, WireError};

use crate::support::{
    Act, Feed, LONG, MODERN, Reply, Told, WITH_EOF, column, play, play_every_way, session, t1,
};

/// The stage and name of each traced event.
fn events(record: &Record) -> Vec<String> {
    let name =
        |line: &str| format!("{} {}", line.split('"').nth(7).unwrap(), line.split('"').nth(11).unwrap());
    record.to_jsonl().lines().map(name).collect()
}

/// Sends a command, feeds a reply, and gives the error that must come of it, with the last two traced events.
fn fails(
    capabilities: CapabilityFlags,
    limits: Limits,
    act: &Act,
    reply: &Reply,
) -> (ClassicError, Vec<String>) {
    let seed = SessionSeed::new(Framer::new(limits), capabilities, limits);
    let mut session = Session::resume(seed);
    let mut record = Record::new();
    let (mut rx, mut tx) = (BytesMut::from(reply.bytes()), BytesMut::new());
    let mut cx = Cx::new(&mut rx, &mut tx, &mut record);
    act.send(&mut session, &Columns::default(), &mut cx).unwrap();
    loop {
        match session.advance(&mut cx) {
            Ok(Step::Event(_)) => {}
            Ok(step) => panic!("{step:?}"),
            Err(error) => {
                let events = events(&record);
                return (error, events[events.len() - 2..].to_vec());
            }
        }
    }
}

#[test]
fn packets_that_have_no_place() {
    let a = t1()[0].clone();
    let columns = || Reply::new().columns(&[&a]);
    let query = Act::Query("x");
    let cases = [
        (MODERN, Act::Ping, Reply::new().packet([0x01]), "WAIT_FOR_RESULT", 0x01),
        (MODERN, Act::Ping, Reply::new().packet(b"\xfbfile"), "WAIT_FOR_RESULT", 0xfb),
        (
            MODERN,
            query.clone(),
            Reply::new().packet(b"\xfbfile").client_packet().packet(b"\xfbfile"),
            "WAIT_FOR_RESULT",
            0xfb,
        ),
        (MODERN, query.clone(), Reply::new().packet([2]).packet(&a).eof(2), "WAIT_FOR_FIELD_DEF", 0xfe),
        (WITH_EOF, query, columns().row(&[Some("1")]), "WAIT_FOR_FIELD_DEF", 0x01),
        (MODERN, Act::Execute(0, vec![]), columns().packet([0x01]), "WAIT_FOR_ROW", 0x01),
        (MODERN, Act::Fetch(1), Reply::new().packet([0xfb]), "WAIT_FOR_ROW", 0xfb),
        (MODERN, Act::Prepare("x"), Reply::new().packet([0xfe; 12]), "WAIT_FOR_PS_DESCRIPTION", 0xfe),
        (
            MODERN,
            Act::Prepare("x"),
            Reply::new().packet([0, 1, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0]).eof(2),
            "WAIT_FOR_PARAM_DEF",
            0xfe,
        ),
        (
            WITH_EOF,
            Act::Prepare("x"),
            Reply::new().packet([0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0]).packet(&a).packet(&a),
            "WAIT_FOR_FIELD_DEF",
            0x03,
        ),
        (MODERN, Act::StmtClose, Reply::new().id(1).ok(2), "READY_FOR_COMMAND", 0x00),
    ];
    for (capabilities, act, reply, stage, got) in cases {
        let (error, trace) = fails(capabilities, Limits::default(), &act, &reply);
        assert!(
            matches!(error.kind(), ClassicErrorKind::Unexpected { first, .. } if *first == got),
            "{error}"
        );
        assert_eq!((error.stage().name(), error.client_error()), (stage, 2027), "{error}");
        assert!(error.is_fatal() && error.expected().is_some());
        assert_eq!(trace, [format!("{stage} ERROR"), format!("{stage} DISCONNECTED")]);
        play_every_way(capabilities, &[(act, reply)]);
    }
}

#[test]
fn packets_whose_fields_lie() {
    let query = Act::Query("x");
    let header = |payload: &[u8]| Reply::new().packet(payload);
    let cases = [
        (query.clone(), header(&[0x00, 0x00])),
        (query.clone(), header(&[0xfd, 0xff, 0xff, 0xff])),
        (query.clone(), header(&[0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff])),
        (query.clone(), header(&[0x01, 0x01])),
        (query.clone(), header(&[0xfe])),
        (query.clone(), Reply::new().columns(&[b"\x03def\xfe\xff\xff\xff\xff\xff\xff\xff\xff"])),
        (query.clone(), Reply::new().columns(&[&t1()[0]]).packet([0xfe, 0xff])),
        (Act::Prepare("x"), header(&[0x00; 11])),
        (Act::Prepare("x"), header(&[0x00; 13])),
        (Act::Prepare("x"), header(&[0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0]).packet([0x00])),
        (Act::FieldList("x"), header(&[0x00]).end(2)),
        (Act::Debug, header(&[0xfe, 0xff])),
    ];
    for (act, reply) in cases {
        let (error, trace) = fails(MODERN, Limits::default(), &act, &reply);
        assert!(matches!(error.kind(), ClassicErrorKind::Packet { .. }), "{error}");
        assert_eq!(error.client_error(), 2027, "{error}");
        assert!(trace[0].ends_with(" ERROR") && trace[1].ends_with(" DISCONNECTED"));
        play_every_way(MODERN, &[(act, reply)]);
    }
}

#[test]
fn a_reader_that_cannot_go_on_tells_no_error() {
    let cases = [
        // a wrong sequence id | a packet without payload
        (Reply::new().id(7).ok(2), 2013),
        (Reply::new().packet([]), 2013),
        (Reply::new().columns(&[&t1()[0]]).packet([]), 2013),
        (Reply::new().columns(&[&t1()[0]]).row(&[Some("1")]).id(0).row(&[Some("1")]), 2013),
    ];
    for (reply, code) in cases {
        let act = Act::Query("x");
        let (error, trace) = fails(MODERN, Limits::default(), &act, &reply);
        assert_eq!(error.client_error(), code, "{error}");
        assert!(trace[0].ends_with(" READ_PACKET") && trace[1].ends_with(" DISCONNECTED"), "{trace:?}");
        play_every_way(MODERN, &[(act, reply)]);
    }
}

#[test]
fn limits_hold_before_anything_is_kept() {
    let limits = Limits::default().with_max_packet(100);
    let query = Act::Query("x");
    // Only the header is there.
    let (error, _) = fails(MODERN, limits, &query, &Reply::new().raw(&[101, 0, 0, 1]));
    assert_eq!(error.client_error(), 2020, "{error}");
    // Each definition is small, all together are not.
    let long = column("odb", "t1", &"x".repeat(100), LONG);
    let definitions = vec![&long[..]; 200];
    let limits = Limits::default().with_max_packet(4000);
    let (error, _) = fails(MODERN, limits, &query, &Reply::new().columns(&definitions));
    assert_eq!(error.client_error(), 2020, "{error}");
    let statistics = Reply::new().packet(vec![b'x'; (64 << 10) + 1]);
    let (error, _) = fails(MODERN, Limits::default(), &Act::Statistics, &statistics);
    assert_eq!(error.client_error(), 2020, "{error}");
    let mut limits = Limits::default();
    limits.max_columns = 2;
    let a = t1()[0].clone();
    let cases = [
        (query, Reply::new().packet([3])),
        (Act::Prepare("x"), Reply::new().packet([0, 1, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0])),
        (Act::FieldList("x"), Reply::new().packet(&a).packet(&a).packet(&a)),
    ];
    for (act, reply) in cases {
        let (error, _) = fails(MODERN, limits, &act, &reply);
        let bad = matches!(
            error.kind(),
            ClassicErrorKind::Packet { error: WireError::BadValue { value: 3, .. }, .. }
        );
        assert!(bad, "{error}");
    }
}

#[test]
fn what_just_keeps_to_the_limits_is_taken() {
    let a = t1()[0].clone();
    let mut limits = Limits::default();
    limits.max_columns = 2;
    let cases = [
        (Act::Query("x"), Reply::new().columns(&[&a, &a]).end(2), 2),
        (
            Act::Prepare("x"),
            Reply::new().packet([0, 1, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0]).packet(&a).packet(&a),
            1,
        ),
        (Act::FieldList("x"), Reply::new().packet(&a).packet(&a).end(2), 2),
        (Act::Statistics, Reply::new().packet(vec![b'x'; 64 << 10]), 1),
    ];
    for (act, reply, expected) in cases {
        let mut session = Session::resume(SessionSeed::new(Framer::new(limits), MODERN, limits));
        let (mut rx, mut tx, mut trace) = (BytesMut::from(reply.bytes()), BytesMut::new(), NoTrace);
        let mut cx = Cx::new(&mut rx, &mut tx, &mut trace);
        act.send(&mut session, &Columns::default(), &mut cx).unwrap();
        for _ in 0..expected {
            assert!(matches!(session.advance(&mut cx), Ok(Step::Event(_))), "{act:?}");
        }
        assert!(matches!(session.advance(&mut cx), Ok(Step::Idle)));
    }
}

#[test]
fn a_row_that_lies_is_an_error_of_its_cell_alone() {
    let [a, b] = t1();
    let rows = Reply::new()
        .columns(&[&a, &b])
        .packet([0x01, b'1', 0x09, b'x']) // the second cell promises 9 bytes
        .packet([0x01, b'1']) // no second cell
        .packet([0xfb, 0x00, 0x00]) // one byte too many
        .row(&[Some("1"), None])
        .end(2);
    let outcome = play_every_way(MODERN, &[(Act::Query("x"), rows)]);
    let truncated = |needed, left| Err(RowError::from(WireError::Truncated { field: "cell", needed, left }));
    let one = Ok(Some(b"1".to_vec()));
    let expected = [
        vec![one.clone(), truncated(9, 1)],
        vec![one.clone(), truncated(1, 0)],
        vec![Ok(None), Ok(Some(vec![])), Err(RowError::from(WireError::TrailingBytes { left: 1 }))],
        vec![one, Ok(None)],
    ];
    for (told, expected) in outcome.told[1..].iter().zip(expected) {
        let Told::Row(_, cells) = told else { panic!("{told:?}") };
        assert_eq!(*cells, expected);
    }
    assert_eq!(outcome.told.len(), 1 + 4 + 2);
}

#[test]
fn an_err_that_comes_unasked_ends_commands() {
    // The server gave up the idle session just before the command came: id 0.
    let gone = Reply::new().id(0).err(4031, "HY000", "disconnected because of inactivity");
    // It gives it up right after a reply; the id may happen to fit.
    let after = |id| Reply::new().ok(2).id(id).err(1053, "08S01", "shutdown");
    for (reply, code, events) in [(gone, 4031, 1), (after(0), 1053, 2), (after(2), 1053, 2)] {
        let script = [(Act::Ping, reply), (Act::Ping, Reply::none()), (Act::Quit, Reply::none())];
        let told = play_every_way(MODERN, &script).told;
        let Told::Event(Event::Err(err)) = &told[events - 1] else { panic!("{told:?}") };
        assert_eq!(err.code(), code);
        let rest = [Told::Idle, Told::Misuse(Misuse::OutOfStep), Told::Idle, Told::Idle];
        assert_eq!(told[events..], rest, "no command but COM_QUIT");
    }
}

#[test]
fn half_a_packet_while_idle_is_not_waited_for() {
    let told = play(MODERN, &[(Act::Ping, Reply::new().ok(2).raw(&[7, 0, 0]))], Feed::Whole).told;
    assert_eq!(told[1..], [Told::Idle]);
}

#[test]
fn a_command_meanwhile_is_refused_and_changes_nothing() {
    let mut session = session(MODERN);
    let (mut rx, mut tx) = (BytesMut::new(), BytesMut::new());
    let mut trace = NoTrace;
    let mut cx = Cx::new(&mut rx, &mut tx, &mut trace);
    session.ping(&mut cx).unwrap();
    let sent = cx.tx.clone();
    assert_eq!(session.query("select 1", &mut cx), Err(Misuse::Busy));
    assert_eq!(*cx.tx, sent);
    assert!(!session.is_idle());
    assert_eq!(Misuse::Busy.client_error(), 2014);
    cx.rx.extend_from_slice(Reply::new().ok(2).bytes());
    assert!(matches!(session.advance(&mut cx), Ok(Step::Event(Event::Ok(_)))));
    assert!(session.is_idle());
    assert_eq!(session.field_list("a\0b", "", &mut cx), Err(Misuse::NulInName));
    assert_eq!(session.advance(&mut cx).unwrap(), Step::Idle);
}

#[test]
fn quit_gives_up_what_is_owed() {
    let mut record = Record::new();
    let mut session = session(MODERN);
    let (mut rx, mut tx) = (BytesMut::new(), BytesMut::new());
    let mut cx = Cx::new(&mut rx, &mut tx, &mut record);
    session.query("select sleep(9)", &mut cx).unwrap();
    assert!(matches!(session.advance(&mut cx), Ok(Step::NeedRead { .. })));
    cx.tx.clear();
    session.quit(&mut cx).unwrap();
    assert_eq!(**cx.tx, [1, 0, 0, 0, 1]);
    assert_eq!(session.advance(&mut cx).unwrap(), Step::NeedWrite);
    cx.tx.clear();
    cx.rx.extend_from_slice(b"whatever");
    assert_eq!(session.advance(&mut cx).unwrap(), Step::Idle);
    assert_eq!(session.quit(&mut cx), Err(Misuse::Closed));
    session.closed(&mut cx);
    session.closed(&mut cx);
    let events = events(&record);
    assert_eq!(
        events[events.len() - 3..],
        ["READY_FOR_COMMAND SEND_COMMAND", "READY_FOR_COMMAND PACKET_SENT", "READY_FOR_COMMAND DISCONNECTED"]
    );
}

/// The number, stage and traced events of a loss while a reply is owed, and while none is.
fn lose(why: Lost, busy: bool, quit: bool) -> (u16, Vec<String>) {
    let mut record = Record::new();
    let mut session = session(MODERN);
    let (mut rx, mut tx) = (BytesMut::new(), BytesMut::new());
    let mut cx = Cx::new(&mut rx, &mut tx, &mut record);
    if busy {
        session.query("x", &mut cx).unwrap();
        assert!(matches!(session.advance(&mut cx), Ok(Step::NeedRead { .. })));
    }
    if quit {
        session.quit(&mut cx).unwrap();
    }
    let _ = record.take();
    let mut cx = Cx::new(&mut rx, &mut tx, &mut record);
    let error = session.lost(why.clone(), &mut cx);
    let again = session.lost(why, &mut cx);
    assert_eq!(error.to_string(), again.to_string());
    assert!(session.advance(&mut cx).is_err());
    (error.client_error(), events(&record))
}

#[test]
fn what_is_lost_outside() {
    let io = || Arc::new(io::Error::from(io::ErrorKind::ConnectionReset));
    let late = || Lost::Deadline { after: Duration::from_secs(1), stage: false };
    let told = |events: &[&str]| events.iter().map(|event| (*event).to_owned()).collect::<Vec<_>>();
    let waiting = told(&["WAIT_FOR_RESULT DISCONNECTED"]);
    assert_eq!(lose(Lost::Closed, true, false), (2013, waiting.clone()));
    assert_eq!(lose(Lost::Read(io()), true, false), (2013, waiting));
    let error = told(&["WAIT_FOR_RESULT ERROR", "WAIT_FOR_RESULT DISCONNECTED"]);
    assert_eq!(lose(Lost::Write(io()), true, false), (2006, error.clone()));
    assert_eq!(lose(late(), true, false), (2013, error));
    let idle = told(&["READY_FOR_COMMAND DISCONNECTED"]);
    assert_eq!(lose(Lost::Closed, false, false), (2006, idle.clone()));
    assert_eq!(lose(Lost::Write(io()), true, true), (2006, idle));
}

#[test]
fn the_error_names_stage_expectation_and_what_came() {
    let reply = Reply::new().columns(&[&column("", "", "1", LONG)]).packet([0x05]);
    let (error, _) = fails(MODERN, Limits::default(), &Act::Execute(0, Vec::new()), &reply);
    assert_eq!(
        error.to_string(),
        "session lost in WAIT_FOR_ROW: a binary row or the end of rows expected, a packet of 1 bytes came that \
         starts with 0x05"
    );
}
