//! LOCAL INFILE: who may ask for a file, and how it is sent.

use bytes::BytesMut;
use porpoise_classic::{ClassicErrorKind, Event, Misuse, Session};
use porpoise_trace::NoTrace;
use porpoise_wire::{Cx, Machine as _, Step};

use crate::support::{Act, MODERN, Reply, Told, WITH_EOF, play_every_way, session, t1};

const REQUEST: &[u8] = b"\xfb/etc/passwd";

#[test]
fn a_file_that_is_allowed_is_sent() {
    let script = [
        (
            Act::Load("x", &[b"1,a\n", b"", b"2,b\n"]),
            Reply::new().packet(REQUEST).id(5).ok_info(2, 0, "Records: 2"),
        ),
        (Act::Ping, Reply::new().ok(2)),
    ];
    for capabilities in [MODERN, WITH_EOF] {
        let outcome = play_every_way(capabilities, &script);
        let Told::Event(Event::LocalInfile(name)) = &outcome.told[0] else { panic!("{:?}", outcome.told) };
        assert_eq!(&**name, b"/etc/passwd");
        let Told::Event(Event::Ok(ok)) = &outcome.told[1] else { panic!("{:?}", outcome.told) };
        assert_eq!((ok.affected_rows(), ok.info()), (2, &b"Records: 2"[..]));
        assert!(matches!(outcome.told[2..], [Told::Idle, Told::Event(Event::Ok(_)), Told::Idle]));
        // COM_QUERY | two blocks, ids 2 and 3; the empty one in between is none | the end | COM_PING
        let sent = b"\x04\0\0\0\x03\0\x01x\x04\0\0\x021,a\n\x04\0\0\x032,b\n\0\0\0\x04\x01\0\0\0\x0e";
        assert_eq!(outcome.sent, sent);
        assert_eq!(outcome.illegal, 0);
    }
}

#[test]
fn a_verdict_that_is_an_error_or_has_more_results() {
    let asked = || Reply::new().packet(REQUEST).client_packet().client_packet();
    let load = Act::Load("x", &[b"x"]);
    let told = play_every_way(MODERN, &[(load.clone(), asked().err(1146, "42S02", "no"))]).told;
    assert!(matches!(&told[1..], [Told::Event(Event::Err(err)), Told::Idle] if err.code() == 1146));
    // Several statements: the second one asks, too.
    let reply = asked().ok(10).packet(REQUEST).client_packet().client_packet().ok(10).columns(&[&t1()[0]]);
    let told = play_every_way(MODERN, &[(load.clone(), reply.row(&[Some("1")]).end(2))]).told;
    let names: Vec<_> =
        told.iter().filter(|told| matches!(told, Told::Event(Event::LocalInfile(_)))).collect();
    assert_eq!((names.len(), told.len()), (2, 8), "{told:?}");
    // What is no verdict.
    let told = play_every_way(MODERN, &[(load, asked().packet([2]))]).told;
    let error = "session lost in WAIT_FOR_RESULT: OK or ERR after a LOCAL INFILE request expected, \
                 a packet of 1 bytes came that starts with 0x02";
    assert_eq!(told[1..], [Told::Failed(error.to_owned())]);
}

/// Sends a command that is asked for a file; gives what is told of it.
fn asked(session: &mut Session, send: impl FnOnce(&mut Session, &mut Cx<'_, NoTrace>)) -> Event {
    let (mut rx, mut tx, mut trace) = (BytesMut::new(), BytesMut::new(), NoTrace);
    let mut cx = Cx::new(&mut rx, &mut tx, &mut trace);
    send(session, &mut cx);
    cx.rx.extend_from_slice(Reply::new().packet(REQUEST).client_packet().ok(2).bytes());
    let Ok(Step::Event(event)) = session.advance(&mut cx) else { panic!() };
    event
}

#[test]
fn one_command_alone_is_allowed() {
    let query = |session: &mut Session, cx: &mut Cx<'_, NoTrace>| session.query("x", cx).unwrap();
    let ping = |session: &mut Session| {
        let (mut rx, mut tx, mut trace) = (BytesMut::new(), BytesMut::new(), NoTrace);
        rx.extend_from_slice(Reply::new().ok(2).bytes());
        let mut cx = Cx::new(&mut rx, &mut tx, &mut trace);
        session.ping(&mut cx).unwrap();
        assert!(matches!(session.advance(&mut cx), Ok(Step::Event(Event::Ok(_)))));
    };
    let mut session = session(MODERN);
    assert!(matches!(asked(&mut session, query), Event::InfileRefused(_)), "nobody allowed it");
    session.allow_infile(true);
    ping(&mut session);
    assert!(matches!(asked(&mut session, query), Event::InfileRefused(_)), "it was the next command");
    session.allow_infile(true);
    session.allow_infile(false);
    assert!(matches!(asked(&mut session, query), Event::InfileRefused(_)), "it was taken back");
    session.allow_infile(true);
    let execute =
        |session: &mut Session, cx: &mut Cx<'_, NoTrace>| session.stmt_execute(1, 0, &[], cx).unwrap();
    assert!(
        matches!(asked(&mut session, execute), Event::InfileRefused(_)),
        "no prepared statement loads a file"
    );
    session.allow_infile(true);
    assert!(matches!(asked(&mut session, query), Event::LocalInfile(_)));
}

#[test]
fn a_file_is_cut_into_blocks() {
    let mut session = session(MODERN);
    session.allow_infile(true);
    let (mut rx, mut tx, mut trace) = (BytesMut::new(), BytesMut::new(), NoTrace);
    let mut cx = Cx::new(&mut rx, &mut tx, &mut trace);
    session.query("x", &mut cx).unwrap();
    assert_eq!(session.send_file(b"early", &mut cx), Err(Misuse::NoFileRequest));
    assert_eq!(session.end_file(&mut cx), Err(Misuse::NoFileRequest));
    cx.rx.extend_from_slice(Reply::new().packet(REQUEST).bytes());
    assert!(matches!(session.advance(&mut cx), Ok(Step::Event(Event::LocalInfile(_)))));
    cx.tx.clear();
    session.send_file(&[7; (16 << 10) + 1], &mut cx).unwrap();
    assert_eq!(cx.tx[..4], [0x00, 0x40, 0, 2]);
    assert_eq!(cx.tx[(16 << 10) + 4..], [1, 0, 0, 3, 7]);
    assert_eq!(session.advance(&mut cx).unwrap(), Step::NeedWrite);
    cx.tx.clear();
    // Nothing is read before the file is there: the owner is asked for more of it.
    cx.rx.extend_from_slice(b"whatever");
    assert_eq!(session.advance(&mut cx).unwrap(), Step::Idle);
    assert!(session.wants_file() && session.replies_owed() == 1);
    assert_eq!(cx.rx[..], b"whatever"[..]);
}

#[test]
fn a_request_in_a_pipeline_ends_the_session() {
    let no_reply: fn(&mut Session, &mut Cx<'_, NoTrace>) = |session, cx| session.stmt_close(1, cx).unwrap();
    let with_reply: fn(&mut Session, &mut Cx<'_, NoTrace>) = |session, cx| session.ping(cx).unwrap();
    for allowed in [false, true] {
        for next in [no_reply, with_reply] {
            let mut session = session(MODERN);
            session.set_pipelining(true);
            let (mut rx, mut tx, mut trace) = (BytesMut::new(), BytesMut::new(), NoTrace);
            let mut cx = Cx::new(&mut rx, &mut tx, &mut trace);
            session.allow_infile(allowed);
            session.query("x", &mut cx).unwrap();
            next(&mut session, &mut cx);
            let sent = cx.tx.clone();
            cx.rx.extend_from_slice(Reply::new().packet(REQUEST).bytes());
            let error = session.advance(&mut cx).unwrap_err();
            let kind = error.kind();
            assert!(matches!(kind, ClassicErrorKind::InfileInPipeline { behind: 1, .. }), "{error}");
            assert_eq!((error.client_error(), &*cx.tx), (2068, &sent), "not even the refusal is sent");
        }
    }
    // What went before does not matter, and the last one may ask.
    let mut session = session(MODERN);
    session.set_pipelining(true);
    let (mut rx, mut tx, mut trace) = (BytesMut::new(), BytesMut::new(), NoTrace);
    let mut cx = Cx::new(&mut rx, &mut tx, &mut trace);
    session.ping(&mut cx).unwrap();
    session.allow_infile(true);
    session.query("x", &mut cx).unwrap();
    cx.rx.extend_from_slice(Reply::new().ok(2).bytes());
    cx.rx.extend_from_slice(Reply::new().packet(REQUEST).bytes());
    assert!(matches!(session.advance(&mut cx), Ok(Step::Event(Event::Ok(_)))));
    assert!(matches!(session.advance(&mut cx), Ok(Step::Event(Event::LocalInfile(_)))));
    assert_eq!(session.ping(&mut cx), Err(Misuse::Busy), "it would be taken for the file");
}
