//! Every first byte of a packet in every state: taken, or an error that names the stage and what was expected.

use bytes::BytesMut;
use porpoise_classic::{CapabilityFlags, ClassicErrorKind, Columns, Event, Execute, Session};
use porpoise_trace::NoTrace;
use porpoise_value::Placeholders;
use porpoise_wire::{Cx, Machine as _, Step};

use crate::support::{Act, LONG, MODERN, Reply, VAR_STRING, WITH_EOF, column, session, t1};

/// A state: how it is reached, and which first bytes have no place in it.
struct Place {
    name: &'static str,
    stage: &'static str,
    capabilities: CapabilityFlags,
    reach: Vec<(Act, Reply)>,
    misplaced: fn(u8) -> bool,
}

const OPTIONAL: CapabilityFlags = MODERN.union(CapabilityFlags::CLIENT_OPTIONAL_RESULTSET_METADATA);

fn places() -> Vec<Place> {
    let a = t1()[0].clone();
    let columns = || Reply::new().columns(&[&a]);
    let prepared = |columns, params| Reply::new().packet([0x00, 1, 0, 0, 0, columns, 0, params, 0, 0, 0, 0]);
    let place = |name, stage, capabilities, act, reply, misplaced| Place {
        name,
        stage,
        capabilities,
        reach: vec![(act, reply)],
        misplaced,
    };
    let execute = || Act::Execute(0, vec![0]);
    let (result, defs, row) = ("WAIT_FOR_RESULT", "WAIT_FOR_FIELD_DEF", "WAIT_FOR_ROW");
    // ERR has a place everywhere.
    let none = |_| false;
    let no_end = |first| first == 0xfe;
    let not_ok = |first| !matches!(first, 0x00 | 0xff);
    let not_ok_or_end = |first| !matches!(first, 0x00 | 0xfe | 0xff);
    let not_end = |first| !matches!(first, 0xfe | 0xff);
    let binary_row = [0x00, 0x00, 7, 0, 0, 0];
    vec![
        place("idle", "READY_FOR_COMMAND", MODERN, Act::Ping, Reply::new().ok(2), |first| first != 0xff),
        place("acknowledgement", result, MODERN, Act::Ping, Reply::new(), not_ok_or_end),
        place("registration", "READY_FOR_COMMAND", MODERN, Act::Register, Reply::new(), not_ok_or_end),
        place("result", result, MODERN, Act::Query("x"), Reply::new(), none),
        place("second result", result, MODERN, Act::Query("x"), Reply::new().ok(10), none),
        place(
            "verdict on a refused file",
            result,
            MODERN,
            Act::Query("x"),
            Reply::new().packet(b"\xfbx").client_packet(),
            not_ok,
        ),
        place(
            "verdict on a file",
            result,
            MODERN,
            Act::Load("x", &[]),
            Reply::new().packet(b"\xfbx").client_packet(),
            not_ok,
        ),
        place("definition", defs, MODERN, Act::Query("x"), Reply::new().packet([1]), no_end),
        place("EOF of definitions", defs, WITH_EOF, Act::Query("x"), columns(), not_end),
        place("text row", row, MODERN, Act::Query("x"), columns(), none),
        place("next text row", row, MODERN, Act::Query("x"), columns().row(&[Some("1")]), none),
        place("binary row", row, MODERN, execute(), columns(), not_ok_or_end),
        place("next binary row", row, MODERN, execute(), columns().packet(binary_row), not_ok_or_end),
        place("binary row behind EOF", row, WITH_EOF, execute(), columns().eof(2), not_ok_or_end),
        place("fetched row", row, MODERN, Act::Fetch(2), Reply::new(), not_ok_or_end),
        place(
            "row without definitions",
            row,
            OPTIONAL,
            execute(),
            Reply::new().packet([1, 0]),
            not_ok_or_end,
        ),
        place("statistics", "WAIT_FOR_PACKET", MODERN, Act::Statistics, Reply::new(), none),
        place("description", "WAIT_FOR_PS_DESCRIPTION", MODERN, Act::Prepare("x"), Reply::new(), not_ok),
        place("parameter", "WAIT_FOR_PARAM_DEF", MODERN, Act::Prepare("x"), prepared(1, 1), no_end),
        place(
            "EOF of parameters",
            "WAIT_FOR_PARAM_DEF",
            WITH_EOF,
            Act::Prepare("x"),
            prepared(1, 1).packet(&a),
            not_end,
        ),
        place("column", defs, MODERN, Act::Prepare("x"), prepared(1, 0), no_end),
        place("EOF of columns", defs, WITH_EOF, Act::Prepare("x"), prepared(1, 0).packet(&a), not_end),
        place("field list", defs, MODERN, Act::FieldList("x"), Reply::new(), none),
        place("next of a field list", defs, MODERN, Act::FieldList("x"), Reply::new().packet(&a), none),
        place("binary log", "WAIT_FOR_PACKET", MODERN, Act::Dump, Reply::new(), not_ok_or_end),
        place("next of it", "WAIT_FOR_PACKET", MODERN, Act::Dump, Reply::new().packet([0, 7]), not_ok_or_end),
    ]
}

/// Brings a session to where all that is there was read.
fn reach(place: &Place, cx: &mut Cx<'_, NoTrace>) -> Session {
    let mut session = session(place.capabilities);
    for (act, reply) in &place.reach {
        act.send(&mut session, &Columns::undefined(1), cx).unwrap();
        cx.rx.extend_from_slice(reply.bytes());
        while let Step::Event(event) = session.advance(cx).unwrap() {
            if let Event::LocalInfile(_) = event {
                session.end_file(cx).unwrap();
            }
        }
    }
    assert!(cx.rx.is_empty(), "{}", place.name);
    assert_eq!(session.protocol_stage().name(), place.stage, "{}", place.name);
    session
}

/// Gives a session one more packet; its sequence id is the next, whatever that is.
fn judge(session: &mut Session, place: &Place, payload: &[u8], cx: &mut Cx<'_, NoTrace>) {
    let mut id = place.reach.iter().map(|(_, reply)| reply.next_id()).next_back().unwrap();
    if place.name == "idle" {
        id = 2;
    }
    let len = u8::try_from(payload.len()).unwrap();
    cx.rx.extend_from_slice(&[len, 0, 0, id]);
    cx.rx.extend_from_slice(payload);
    let (first, context) = (payload[0], format!("{}: 0x{:02x}, {len} bytes", place.name, payload[0]));
    let outcome = loop {
        match session.advance(cx) {
            Ok(Step::Event(_)) => {}
            Ok(_) => break None,
            Err(error) => break Some(error),
        }
    };
    // An EOF packet is short.
    let long_end = first == 0xfe && payload.len() >= 9 && place.capabilities == WITH_EOF;
    let misplaced = (place.misplaced)(first) || long_end;
    let Some(error) = outcome else {
        assert!(!misplaced, "{context}");
        return;
    };
    assert_eq!(error.stage().name(), place.stage, "{context}: {error}");
    let expected = error.expected().unwrap();
    assert!(error.to_string().contains(expected) && !expected.is_empty(), "{context}: {error}");
    match error.kind() {
        ClassicErrorKind::Unexpected { first: told, len: told_len, .. } => {
            assert!(misplaced, "{context}: {error}");
            assert_eq!((*told, *told_len), (first, payload.len()), "{context}");
        }
        ClassicErrorKind::Packet { .. } => assert!(!misplaced, "{context}: {error}"),
        kind => panic!("{context}: {kind:?}"),
    }
}

#[test]
fn every_first_byte_in_every_state() {
    let mut judged = 0;
    for place in places() {
        for first in 0..=255 {
            for tail in [&[][..], &[0, 0, 2, 0, 0, 0], &[0; 11]] {
                let (mut rx, mut tx, mut trace) = (BytesMut::new(), BytesMut::new(), NoTrace);
                let mut cx = Cx::new(&mut rx, &mut tx, &mut trace);
                let mut session = reach(&place, &mut cx);
                judge(&mut session, &place, &[&[first], tail].concat(), &mut cx);
                judged += 1;
            }
        }
    }
    assert_eq!(judged, 26 * 256 * 3);
}

/// Rows that are skipped obey the same rules as rows that are not.
#[test]
fn every_first_byte_among_rows_that_are_skipped() {
    let reply = Reply::new().packet([0x00, 1, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0]);
    let reply = reply.packet(column("", "", "a", LONG)).packet(column("", "", "b", VAR_STRING));
    for first in 0..=255 {
        let (mut rx, mut tx, mut trace) = (BytesMut::from(reply.bytes()), BytesMut::new(), NoTrace);
        let mut cx = Cx::new(&mut rx, &mut tx, &mut trace);
        let mut preparing = session(MODERN);
        preparing.stmt_prepare("x", &mut cx).unwrap();
        let Ok(Step::Event(Event::Prepared(prepared))) = preparing.advance(&mut cx) else { panic!() };
        let mut session = session(OPTIONAL);
        let execute = Execute::new(1, Placeholders::positional(0), &()).columns(&prepared.columns);
        session.stmt_execute_with(&execute, &mut cx).unwrap();
        cx.rx.extend_from_slice(Reply::new().packet([3, 0]).packet([first, 0, 0, 2, 0, 0, 0]).bytes());
        assert!(matches!(session.advance(&mut cx), Ok(Step::Event(Event::ColumnsChanged(_)))));
        match (first, session.advance(&mut cx)) {
            (0x00, Ok(Step::NeedRead { .. }))
            | (0xfe, Ok(Step::Event(Event::End(_))))
            | (0xff, Ok(Step::Event(Event::Err(_)))) => {}
            (0x00 | 0xfe | 0xff, step) => panic!("0x{first:02x}: {step:?}"),
            (_, Err(error)) => assert_eq!(error.stage().name(), "WAIT_FOR_ROW"),
            (_, Ok(step)) => panic!("0x{first:02x}: {step:?}"),
        }
    }
}
