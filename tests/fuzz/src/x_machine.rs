//! X Protocol: a connection and a connect against a server that says anything.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use porpoise_trace::{MachineKind, NoTrace, Record, RecordEntry, TraceSink};
use porpoise_wire::{Cx, Limits, Lost, Machine, Step, TlsInfo};
use porpoise_xproto::connect::{Auth, ConnectEvent, ConnectOptions, Connector, Transport, Use};
use porpoise_xproto::messages::{connection, crud, cursor, expect, prepare, session, sql};
use porpoise_xproto::{Algorithm, Connection, Event, LifeCycle, Misuse};

use crate::mechanisms::PASSWORD;
use crate::paths::Path;
use crate::script::{Script, Wire, acts};

const TURNS: usize = 20_000;
/// What a connect can come to; all else is runaway output.
const MUCH: usize = 8 << 10;

fn bit(choice: u8, n: u8) -> bool {
    choice >> n & 1 == 1
}

/// A connection: messages in any order, as many ahead as the input likes, answered by a server that says anything. What is
/// told depends neither on how the bytes are cut nor on whether anybody listens.
pub fn x_connection(input: &[u8]) -> Vec<u64> {
    let mut script = Script(input);
    let (choice, piece) = (script.byte(), usize::from(script.byte()) + 1);
    let mut record = Record::new();
    let whole = run(Script(script.0), choice, usize::MAX, &mut record);
    let unheard = run(Script(script.0), choice, piece, &mut NoTrace);
    let mut again = Record::new();
    let cut = run(Script(script.0), choice, piece, &mut again);
    // What comes together with the Ok to TLS is a man in the middle's, unless it comes too late to be seen.
    if !whole.torn && !cut.torn {
        assert_eq!(whole.told, unheard.told);
        assert_eq!(whole.told, cut.told);
        assert_eq!(record.to_jsonl(), again.to_jsonl(), "it depends on how bytes are cut");
    }
    let mut path = passed(&record);
    path.tells(&whole.told.last().map(|last| last.split_once(':').map(|(kind, _)| kind.len())));
    path.steps()
}

/// States follow each other as the table says.
fn passed(record: &Record) -> Path {
    let (mut path, mut state) = (Path::default(), None);
    for entry in record.entries().iter().take(200) {
        if let RecordEntry::Stage { machine: MachineKind::X, number, .. } = entry {
            let next = LifeCycle::from_number(*number).expect("a known state");
            let last: LifeCycle = state.replace(next).unwrap_or(LifeCycle::Connected);
            assert!(last == next || last.next().contains(&next), "{next} after {last}");
            path.passes(number);
        }
        if let RecordEntry::X { state, event, name, .. } = entry {
            path.passes(&(state, event, name));
        }
    }
    assert!(!record.to_jsonl().contains(PASSWORD));
    path
}

struct Run {
    told: Vec<String>,
    torn: bool,
}

fn run<T: TraceSink>(mut script: Script<'_>, choice: u8, piece: usize, trace: &mut T) -> Run {
    let mut connection = Connection::new(Limits::default().with_max_packet(4096));
    connection.let_through(bit(choice, 0));
    connection.one_by_one(bit(choice, 1));
    connection.set_compression_threshold(if bit(choice, 2) { 1 } else { 1000 });
    let (mut rx, mut tx, mut wire) = (BytesMut::new(), BytesMut::new(), Wire::x(piece));
    let mut run = Run { told: Vec::new(), torn: false };
    connection.connected(&mut Cx::new(&mut rx, &mut tx, trace));
    let mut failed = None;
    for _ in 0..TURNS {
        match connection.advance(&mut Cx::new(&mut rx, &mut tx, trace)) {
            Ok(Step::Idle) => {
                if wire.has_said() {
                    // What came unasked comes to its end.
                    wire.give(&mut script, &mut rx);
                    continue;
                }
                wire.hear(&mut tx);
                if script.0.is_empty() {
                    return run;
                }
                // As many at once as the low bits of the first say.
                let first = script.byte();
                let mut next = first >> 2;
                for _ in 0..=first & 3 {
                    let cx = &mut Cx::new(&mut rx, &mut tx, trace);
                    if let Err(misuse) = send(&mut connection, next, cx) {
                        run.told.push(misuse.to_string());
                    }
                    next = script.byte() >> 2;
                }
            }
            Ok(Step::NeedRead { at_least }) => {
                assert!(at_least > rx.len());
                assert!(tx.len() < 2000, "too much to send");
                wire.hear(&mut tx);
                if !wire.give(&mut script, &mut rx) {
                    failed = Some(connection.lost(Lost::Closed, &mut Cx::new(&mut rx, &mut tx, trace)));
                }
            }
            Ok(Step::StartTls) => {
                assert!(rx.is_empty());
                run.torn |= wire.has_said();
                connection.tls_ready(&TlsInfo::new(true), &mut Cx::new(&mut rx, &mut tx, trace));
            }
            Ok(Step::Event(event)) => show(&event, &mut run.told),
            Ok(_) => wire.hear(&mut tx),
            Err(error) => failed = Some(error),
        }
        if let Some(error) = failed {
            // It is final, and told again.
            let again = connection.advance(&mut Cx::new(&mut rx, &mut tx, trace));
            assert!(
                again.is_err_and(|again| again.to_string() == error.to_string()),
                "not the same: {error}"
            );
            assert_eq!(connection.state(), LifeCycle::Closed);
            assert_eq!(connection.replies_owed(), 0);
            run.told.push(error.to_string());
            break;
        }
    }
    run
}

fn send<T: TraceSink>(to: &mut Connection, choice: u8, cx: &mut Cx<'_, T>) -> Result<(), Misuse> {
    let set = connection::CapabilitiesSet::default;
    match choice % 24 {
        0 => to.authenticate_start("PLAIN", Some(PASSWORD.as_bytes()), false, cx),
        1 => to.send(&statement(), cx),
        2 => to.send(&crud::Find::default(), cx),
        3 => to.send(&prepare::Prepare::default(), cx),
        4 => to.send(&prepare::Execute::default(), cx),
        5 => to.send(&cursor::Open::default(), cx),
        6 => to.send(&cursor::Fetch::default(), cx),
        7 => to.send(&expect::Open::default(), cx),
        8 => to.send(&expect::Close::default(), cx),
        9 => to.session_reset(true, cx),
        10 => to.session_reset(false, cx),
        11 => to.session_close(cx),
        12 => to.close(cx),
        13 => to.capabilities_get(cx),
        14 => to.send(&set().with("tls", true), cx),
        15 => to.send(&set().with("client.interactive", true), cx),
        16 => to.authenticate_start("SHA256_MEMORY", None, true, cx),
        17 => to.authenticate_continue(PASSWORD.as_bytes(), cx),
        18 => to.send(&set().with_compression(Algorithm::ZstdStream, None), cx),
        19 => to.send(&set().with_compression(Algorithm::Lz4Message, None), cx),
        20 => to.send(&set().with_compression(Algorithm::DeflateStream, None), cx),
        21 => to.send_unchecked(&statement(), cx),
        22 => to.send_unchecked(&session::Reset::default(), cx),
        _ => to.send_unchecked(&connection::CapabilitiesGet {}, cx),
    }
}

fn statement() -> sql::StmtExecute {
    sql::StmtExecute { stmt: Bytes::from_static(b"select 1"), ..Default::default() }
}

/// An event, with every cell of its rows read. How rows are put into batches depends on how they came.
fn show(event: &Event, told: &mut Vec<String>) {
    let Event::Rows(batch) = event else { return told.push(format!("{event:?}")) };
    assert_eq!(batch.iter().count(), batch.len());
    for row in batch {
        told.push(format!("row {:?} of {}", row.iter().collect::<Vec<_>>(), row.columns().len()));
    }
}

/// Messages of a server, as acts.
const OK: &[u8] = b"\x00";
const AUTH_OK: &[u8] = b"\x04\x0a\x00";
const CLIENT_ID: &[u8] = b"\x0b\x08\x03\x10\x02\x1a\x08\x08\x0b\x12\x04\x08\x02\x18\x07";
const COLUMN: &[u8] = b"\x0c\x08\x01\x12\x011";
const ROW: &[u8] = b"\x0d\x0a\x01\x02";
const DONE: &[u8] = b"\x0e";
const SUSPENDED: &[u8] = b"\x0f";
const MORE: &[u8] = b"\x10";
const OUT: &[u8] = b"\x12";
const EXECUTED: &[u8] = b"\x11";
const ERROR: &[u8] = b"\x01\x10\x28\x1a\x05HY000\x22\x02no";
const FATAL: &[u8] = b"\x01\x08\x01\x10\x88\x27\x1a\x05HY000\x22\x02no";
const HELLO: &[u8] = b"\x0b\x08\x05\x1a\x00";
const CHALLENGE: &[u8] = b"\x03\x0a\x1412345678901234567890";
const CAPABILITIES: &[u8] = b"\x02";
const MECHANISMS: &[u8] = b"\x02\x0a\x30\x0a\x19authentication.mechanisms\x12\x13\x08\x03\x22\x0f\x0a\x0d\x08\x01\x12\x09\x08\x08\x4a\x05\x0a\x03ANY";

pub(crate) fn connection_seeds() -> Vec<Vec<u8>> {
    // Messages are sent in fours, threes, twos or one by one: the low bits.
    let script = |choice: u8, sends: &[u8], replies: &[&[u8]]| {
        let count = u8::try_from(sends.len() - 1).expect("four at most");
        let mut head = vec![choice, 9];
        head.extend(sends.iter().map(|send| send << 2));
        head[2] |= count;
        // One byte more is read than is used.
        head.push(0);
        acts(&head, replies)
    };
    let rows = [HELLO, CLIENT_ID, AUTH_OK, COLUMN, ROW, ROW, MORE, COLUMN, COLUMN, ROW, MORE, DONE, EXECUTED];
    vec![
        script(0, &[0, 1, 12], &[&rows[..], &[OK]].concat()),
        script(2, &[0, 1, 9, 1], &[&rows[..], &[ERROR, OK, FATAL]].concat()),
        script(0, &[16], &[CHALLENGE, ERROR]),
        script(0, &[14], &[HELLO, OK]),
        script(0, &[14], &[ERROR]),
        script(1, &[13, 15], &[CAPABILITIES, OK, COLUMN, FATAL, OK]),
        script(4, &[18, 0, 1], &[OK, AUTH_OK, COLUMN, ROW, SUSPENDED, EXECUTED]),
        script(0, &[0, 11, 15, 0], &[AUTH_OK, OK, ERROR, AUTH_OK]),
        script(1, &[22, 23, 21], &[CAPABILITIES, FATAL, FATAL]),
        script(0, &[0, 3, 5, 6], &[AUTH_OK, OK, COLUMN, SUSPENDED, EXECUTED, ROW, OUT, COLUMN, ROW, DONE]),
    ]
}

fn options(choice: u8, more: u8) -> ConnectOptions {
    let uses = [Use::Disabled, Use::Preferred, Use::Required, Use::Preferred];
    let chosen = |place: u8| uses[usize::from(place & 3)];
    let mut options = ConnectOptions::new("u", PASSWORD);
    options.auth = match choice & 7 {
        1 => Auth::Plain,
        2 => Auth::Mysql41,
        3 => Auth::Sha256Memory,
        4 => Auth::External,
        5 => Auth::Other("ANY".into()),
        _ => Auth::Auto,
    };
    options.tls = chosen(choice >> 3);
    options.compression = chosen(choice >> 5);
    let algorithms = if bit(more, 0) { 3 } else { 1 };
    options.compression_algorithms.truncate(algorithms);
    options.interactive = bit(more, 1);
    options.expired_password_ok = bit(more, 2);
    if bit(more, 3) {
        options.attributes = vec![("a".into(), "b".into())];
    }
    options.limits = Limits::default().with_max_packet(4096);
    options
}

/// What became of a connect.
struct Connect {
    record: Record,
    end: Result<bool, (String, u16)>,
    torn: bool,
}

/// A connect against a server that says anything, in pieces of any size. The password leaves only where nobody reads it.
pub fn x_connector(input: &[u8]) -> Vec<u64> {
    let mut script = Script(input);
    let (choice, more, piece) = (script.byte(), script.byte(), script.byte());
    let whole = connect(Script(script.0), choice, more, usize::MAX);
    let cut = connect(Script(script.0), choice, more, usize::from(piece) + 1);
    if !whole.torn && !cut.torn {
        assert_eq!(whole.record.to_jsonl(), cut.record.to_jsonl(), "it depends on how bytes are cut");
        assert_eq!(whole.end, cut.end);
    }
    passed(&cut.record);
    let mut path = passed(&whole.record);
    // What was asked for, and what ended it.
    path.passes(&(choice & 0x7f, whole.end.map_err(|(_, code)| code)));
    path.steps()
}

fn connect(mut script: Script<'_>, choice: u8, more: u8, piece: usize) -> Connect {
    let transport = if bit(choice, 7) { Transport::Unix } else { Transport::Tcp };
    let mut secure = transport == Transport::Unix;
    let mut connector = Connector::new(Arc::new(options(choice, more)), transport);
    let (mut rx, mut tx, mut record) = (BytesMut::new(), BytesMut::new(), Record::new());
    let (mut wire, mut torn, mut total, mut failed) = (Wire::x(piece), false, 0, None);
    connector.connected(&mut Cx::new(&mut rx, &mut tx, &mut record));
    for _ in 0..TURNS {
        let step = connector.advance(&mut Cx::new(&mut rx, &mut tx, &mut record));
        total += tx.len();
        assert!(total <= MUCH, "too much to send");
        let clear = tx.windows(PASSWORD.len()).any(|window| window == PASSWORD.as_bytes());
        assert!(!clear || secure, "the password in clear");
        wire.hear(&mut tx);
        match step {
            Ok(Step::NeedRead { at_least }) => {
                assert!(at_least > rx.len());
                if !wire.give(&mut script, &mut rx) {
                    failed = Some(connector.lost(Lost::Closed, &mut Cx::new(&mut rx, &mut tx, &mut record)));
                }
            }
            Ok(Step::StartTls) => {
                assert!(rx.is_empty());
                (torn, secure) = (torn || wire.has_said(), true);
                connector.tls_ready(&TlsInfo::new(true), &mut Cx::new(&mut rx, &mut tx, &mut record));
            }
            Ok(Step::Event(ConnectEvent::Ready(connection))) => {
                assert_eq!((connection.state(), connection.replies_owed()), (LifeCycle::Session, 0));
                return Connect { record, end: Ok(connection.is_compressed()), torn };
            }
            Ok(_) => panic!("a connect that has no end"),
            Err(error) => failed = Some(error),
        }
        if let Some(error) = failed {
            let shown = format!("{error} {error:?}");
            assert!(!shown.contains(PASSWORD));
            assert_eq!(connector.stage(), LifeCycle::Closed);
            let again = connector.advance(&mut Cx::new(&mut rx, &mut tx, &mut record));
            assert_eq!(again.err().map(|again| format!("{again} {again:?}")), Some(shown.clone()));
            let code = if error.server_error().is_some() { 0 } else { error.code() };
            return Connect { record, end: Err((shown, code)), torn };
        }
    }
    panic!("a connect without end");
}

pub(crate) fn connector_seeds() -> Vec<Vec<u8>> {
    let choice =
        |auth: u8, tls: u8, compression: u8, unix: u8| auth | tls << 3 | compression << 5 | unix << 7;
    let none = b"\x01\x10\x89\x27\x1a\x05HY000\x22\x02no";
    let algorithm = b"\x01\x10\xb7\x28\x1a\x05HY000\x22\x02no";
    let denied = b"\x01\x10\x95\x08\x1a\x05HY000\x22\x02no";
    vec![
        acts(&[choice(0, 0, 0, 1), 0, 3], &[HELLO, CLIENT_ID, AUTH_OK]),
        acts(&[choice(0, 1, 0, 0), 14, 3], &[HELLO, OK]),
        acts(&[choice(0, 1, 0, 0), 0, 3], &[none, MECHANISMS, CHALLENGE, AUTH_OK]),
        acts(&[choice(0, 2, 0, 0), 0, 3], &[none]),
        acts(&[choice(0, 0, 0, 0), 0, 3], &[CAPABILITIES, CHALLENGE, denied]),
        acts(&[choice(3, 0, 1, 1), 1, 3], &[algorithm, algorithm, ERROR, CHALLENGE, AUTH_OK]),
        acts(&[choice(1, 0, 2, 1), 2, 3], &[OK, CLIENT_ID, AUTH_OK]),
        acts(&[choice(4, 0, 0, 1), 0, 3], &[FATAL]),
        acts(&[choice(2, 0, 0, 0), 0, 3], &[CHALLENGE, denied]),
        acts(&[choice(5, 0, 1, 1), 1, 3], &[none]),
    ]
}
