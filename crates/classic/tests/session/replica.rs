//! What a replica sends, and the binary log that it gets.

use bytes::BytesMut;
use porpoise_classic::{BinlogDump, Command, Event, GtidSet, Misuse, RegisterReplica, Session};
use porpoise_trace::{Record, TraceSink};
use porpoise_wire::{Cx, Machine as _, Step};

use crate::support::{MODERN, Reply, WITH_EOF, session};

const DUMP: BinlogDump<'_> = BinlogDump::new(9).from(b"log.2", 157).flags(BinlogDump::NON_BLOCK);

/// Sends a command and gives its bytes.
fn sent<T: TraceSink>(
    session: &mut Session,
    trace: &mut T,
    send: impl FnOnce(&mut Session, &mut Cx<'_, T>) -> Result<(), Misuse>,
) -> Vec<u8> {
    let (mut rx, mut tx) = (BytesMut::new(), BytesMut::new());
    send(session, &mut Cx::new(&mut rx, &mut tx, trace)).unwrap();
    tx.to_vec()
}

/// All events of a reply that comes in pieces, and how it ends.
fn events(
    session: &mut Session,
    reply: &Reply,
    chunk: usize,
    record: &mut Record,
) -> Result<Vec<Event>, String> {
    let (mut rx, mut tx) = (BytesMut::new(), BytesMut::new());
    let mut cx = Cx::new(&mut rx, &mut tx, record);
    let (mut pieces, mut events) = (reply.bytes().chunks(chunk), Vec::new());
    loop {
        match session.advance(&mut cx).map_err(|error| error.to_string())? {
            Step::Event(event) => events.push(event),
            Step::NeedRead { .. } => match pieces.next() {
                Some(piece) => cx.rx.extend_from_slice(piece),
                None => return Ok(events),
            },
            Step::Idle => return Ok(events),
            step => panic!("{step:?}"),
        }
    }
}

fn lines(record: &Record) -> Vec<String> {
    record.to_jsonl().lines().map(str::to_owned).collect()
}

#[test]
fn a_replica_registers() {
    let (mut session, mut record) = (session(MODERN), Record::new());
    let replica = RegisterReplica {
        server_id: 0x0102,
        host: b"h",
        user: b"us",
        password: b"pw-x",
        port: 0x0304,
        rank: 0,
        source_id: 5,
    };
    let bytes = sent(&mut session, &mut record, |session, cx| session.register_replica(&replica, cx));
    // server id | host | user | password | port | rank | source
    assert_eq!(bytes, *b"\x19\0\0\0\x15\x02\x01\0\0\x01h\x02us\x04pw-x\x04\x03\0\0\0\0\x05\0\0\0");
    assert!(!session.is_idle() && session.replies_owed() == 1);
    let told = events(&mut session, &Reply::new().ok(2), 1, &mut record).unwrap();
    assert!(matches!(told[..], [Event::Ok(_)]) && session.is_idle());
    let line =
        |event: &str| format!("{{\"t\": \"event\", \"stage\": \"READY_FOR_COMMAND\", \"event\": \"{event}\"");
    let expected = ["SEND_COMMAND", "PACKET_SENT", "READ_PACKET", "PACKET_RECEIVED"].map(line);
    let told = lines(&record);
    assert!(told.iter().zip(&expected).all(|(told, expected)| told.starts_with(expected)), "{told:?}");
    assert!(told.len() == 4 && told[0].contains("\"cmd\": 21") && !told[0].contains("pkt_len"), "{told:?}");
    let long = [0; 256];
    let replica = RegisterReplica { host: &long, ..replica };
    let (mut rx, mut tx) = (BytesMut::new(), BytesMut::new());
    let mut cx = Cx::new(&mut rx, &mut tx, &mut record);
    assert_eq!(session.register_replica(&replica, &mut cx), Err(Misuse::NameTooLong));
    assert!(tx.is_empty() && !format!("{replica:?}").contains("pw-x"));
}

#[test]
fn a_dump_by_position_and_by_gtids() {
    let dump = |session: &mut Session, cx: &mut Cx<'_, Record>| session.binlog_dump(&DUMP, cx);
    let bytes = sent(&mut session(MODERN), &mut Record::new(), dump);
    // position | flags | server id | file
    assert_eq!(bytes, *b"\x10\0\0\0\x12\x9d\0\0\0\x01\0\x09\0\0\0log.2");
    let set: GtidSet = "01010101-0101-0101-0101-010101010101:1-2".parse().unwrap();
    let bytes = sent(&mut session(MODERN), &mut Record::new(), |session, cx| {
        session.binlog_dump_gtid(&BinlogDump::new(9), &set, cx)
    });
    // flags | server id | no file | position 4 | length of the set, set
    let expected = [
        &b"\x47\0\0\0\x1e\0\0\x09\0\0\0\0\0\0\0\x04\0\0\0\0\0\0\0\x30\0\0\0\x01\0\0\0\0\0\0\0"[..],
        &[1; 16],
        b"\x01\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x03\0\0\0\0\0\0\0",
    ];
    assert_eq!(bytes, expected.concat());
}

#[test]
fn events_of_the_binary_log_come_one_by_one() {
    for (capabilities, end) in [(MODERN, true), (MODERN, false), (WITH_EOF, false)] {
        let reply = Reply::new().packet(b"\x00first").packet(b"\x00\xffsecond").packet([0x00]);
        let reply = if end { reply.end(2) } else { reply.eof(2) };
        for chunk in [1, 2, 7, 1000] {
            let (mut session, mut record) = (session(capabilities), Record::new());
            sent(&mut session, &mut record, |session, cx| session.binlog_dump(&DUMP, cx));
            let told = events(&mut session, &reply, chunk, &mut record).unwrap();
            let [Event::Binlog(one), Event::Binlog(two), Event::Binlog(empty), Event::End(_)] = &told[..]
            else {
                panic!("{told:?}")
            };
            assert_eq!((&one[..], &two[..], &empty[..]), (&b"first"[..], &b"\xffsecond"[..], &b""[..]));
            // The server serves nothing else, and what comes after DISCONNECTED is told to no trace.
            assert!(session.is_idle());
            let (mut rx, mut tx) = (BytesMut::new(), BytesMut::new());
            let mut cx = Cx::new(&mut rx, &mut tx, &mut record);
            assert_eq!(session.ping(&mut cx), Err(Misuse::OutOfStep));
            session.quit(&mut cx).unwrap();
            session.closed(&mut cx);
            let told = lines(&record);
            assert_eq!(told.len(), 3, "{told:?}");
            let disconnected = r#"{"t": "event", "stage": "READY_FOR_COMMAND", "event": "DISCONNECTED"}"#;
            assert_eq!(told[2], disconnected);
        }
    }
}

#[test]
fn an_event_of_several_frames() {
    let payload = [vec![0x00], vec![7; 0xff_ffff]].concat();
    let reply = Reply::new().packet_in_frames(&payload).packet(b"\x00x");
    let mut session = session(MODERN);
    sent(&mut session, &mut Record::new(), |session, cx| session.binlog_dump(&DUMP, cx));
    let told = events(&mut session, &reply, 1 << 20, &mut Record::new()).unwrap();
    let [Event::Binlog(large), Event::Binlog(small)] = &told[..] else { panic!("{} events", told.len()) };
    assert!(large[..] == payload[1..] && small[..] == b"x"[..]);
    assert_eq!(session.replies_owed(), 1, "more may come");
}

#[test]
fn what_ends_a_dump() {
    let start = || {
        let mut session = session(MODERN);
        sent(&mut session, &mut Record::new(), |session, cx| session.binlog_dump(&DUMP, cx));
        session
    };
    let mut session = start();
    let reply = Reply::new().packet(b"\x00x").err(1236, "HY000", "Could not find first log file name");
    let told = events(&mut session, &reply, 3, &mut Record::new()).unwrap();
    assert!(matches!(&told[..], [Event::Binlog(_), Event::Err(err)] if err.code() == 1236));
    let mut record = Record::new();
    let error = events(&mut start(), &Reply::new().packet(b"\x01x"), 3, &mut record).unwrap_err();
    assert_eq!(
        error,
        "session lost in WAIT_FOR_PACKET: an event of the binary log or the end of them expected, a packet of 2 bytes \
         came that starts with 0x01"
    );
    assert!(record.to_jsonl().is_empty(), "the trace has ended before");
}

#[test]
fn a_dump_needs_an_idle_session() {
    let mut session = session(MODERN);
    session.set_pipelining(true);
    let (mut rx, mut tx, mut record) = (BytesMut::new(), BytesMut::new(), Record::new());
    let mut cx = Cx::new(&mut rx, &mut tx, &mut record);
    session.ping(&mut cx).unwrap();
    assert_eq!(session.binlog_dump(&DUMP, &mut cx), Err(Misuse::Busy));
    assert_eq!(session.binlog_dump_gtid(&DUMP, &GtidSet::new(), &mut cx), Err(Misuse::Busy));
    cx.rx.extend_from_slice(Reply::new().ok(2).bytes());
    assert!(matches!(session.advance(&mut cx), Ok(Step::Event(Event::Ok(_)))));
    session.binlog_dump(&DUMP, &mut cx).unwrap();
    assert_eq!(session.ping(&mut cx), Err(Misuse::OutOfStep), "the server serves nothing else");
}

#[test]
fn commands_without_a_call_of_their_own() {
    let refused = || Reply::new().err(1047, "08S01", "Unknown command");
    for command in [Command::Sleep, Command::Refresh, Command::Shutdown, Command::Daemon, Command::Time] {
        let mut session = session(MODERN);
        let bytes =
            sent(&mut session, &mut Record::new(), |session, cx| session.simple_command(command, &[4], cx));
        assert_eq!(bytes, [2, 0, 0, 0, command.byte(), 4]);
        let told = events(&mut session, &refused(), 3, &mut Record::new()).unwrap();
        assert!(matches!(&told[..], [Event::Err(err)] if err.code() == 1047) && session.is_idle());
    }
    let mut session = session(MODERN);
    let (mut rx, mut tx, mut record) = (BytesMut::new(), BytesMut::new(), Record::new());
    let mut cx = Cx::new(&mut rx, &mut tx, &mut record);
    for command in
        [Command::Query, Command::Quit, Command::StmtClose, Command::ChangeUser, Command::BinlogDump]
    {
        assert_eq!(session.simple_command(command, &[], &mut cx), Err(Misuse::NotSimple));
    }
    assert!(cx.tx.is_empty() && session.is_idle());
    session.process_info(&mut cx).unwrap();
    assert_eq!(cx.tx[..], [1, 0, 0, 0, 0x0a]);
    let told = events(
        &mut session,
        &Reply::new().packet([1]).packet(crate::support::t1()[0].clone()).end(2),
        9,
        &mut Record::new(),
    );
    assert!(matches!(told.unwrap()[..], [Event::Columns(_), Event::End(_)]));
}
