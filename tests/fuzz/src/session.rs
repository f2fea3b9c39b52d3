use bytes::BytesMut;
use porpoise_classic::{CapabilityFlags, Columns, Event, Misuse, Session, SessionSeed};
use porpoise_trace::{NoTrace, Record, TraceSink};
use porpoise_wire::{Cx, Framer, Limits, Lost, Machine, Step};

use crate::paths::Path;
use crate::script::{Script, Wire, acts};

/// The command phase: queries, commands and prepared statements, answered by a server that says anything. What is
/// told depends neither on how the bytes are cut nor on whether anybody listens.
pub fn session(input: &[u8]) -> Vec<u64> {
    let mut script = Script(input);
    let (flags, piece) = (std::array::from_fn(|_| script.byte()), usize::from(script.byte()) + 1);
    let mut record = Record::new();
    let told = run(Script(script.0), flags, usize::MAX, &mut record);
    assert_eq!(told, run(Script(script.0), flags, piece, &mut NoTrace));
    let mut again = Record::new();
    assert_eq!(told, run(Script(script.0), flags, piece, &mut again));
    assert_eq!(record.to_jsonl(), again.to_jsonl(), "it depends on how bytes are cut");
    assert!(record.illegal_edges().is_empty(), "{:?}", record.illegal_edges());
    let mut path = Path::default();
    for entry in record.entries().iter().take(100) {
        path.tells(entry);
    }
    path.tells(&told.last().map(|last| last.split_once(':').map(|(kind, _)| kind.len())));
    path.steps()
}

fn run<T: TraceSink>(mut script: Script<'_>, flags: [u8; 4], piece: usize, trace: &mut T) -> Vec<String> {
    let capabilities =
        CapabilityFlags::from_bits(u32::from_le_bytes(flags)) | CapabilityFlags::CLIENT_PROTOCOL_41;
    let limits = Limits::default().with_max_packet(4096);
    let mut session = Session::resume(SessionSeed::new(Framer::new(limits), capabilities, limits));
    let (mut rx, mut tx, mut told) = (BytesMut::new(), BytesMut::new(), Vec::new());
    let mut wire = Wire::new(piece);
    for _ in 0..20_000 {
        match session.advance(&mut Cx::new(&mut rx, &mut tx, trace)) {
            Ok(Step::Idle) => {
                if wire.has_said() {
                    // What came unasked comes to its end.
                    wire.give(&mut script, &mut rx);
                    continue;
                }
                wire.hear(&mut tx);
                if script.0.is_empty()
                    || command(&mut session, script.byte(), &mut rx, &mut tx, trace).is_err()
                {
                    return told;
                }
            }
            Ok(Step::NeedRead { at_least }) => {
                assert!(at_least > rx.len());
                assert!(tx.len() < 1000, "too much to send");
                wire.hear(&mut tx);
                if !wire.give(&mut script, &mut rx) {
                    told.push(session.lost(Lost::Closed, &mut Cx::new(&mut rx, &mut tx, trace)).to_string());
                    break;
                }
            }
            Ok(Step::Event(event)) => show(&event, &mut told),
            Ok(_) => wire.hear(&mut tx),
            Err(error) => {
                told.push(error.to_string());
                break;
            }
        }
    }
    if let Some(last) = told.last() {
        // An error is final, and told again.
        let again = session.advance(&mut Cx::new(&mut rx, &mut tx, trace));
        assert!(again.is_err_and(|again| again.to_string() == *last), "not the same again: {last}");
    }
    told
}

fn command<T: TraceSink>(
    session: &mut Session,
    choice: u8,
    rx: &mut BytesMut,
    tx: &mut BytesMut,
    trace: &mut T,
) -> Result<(), Misuse> {
    let cx = &mut Cx::new(rx, tx, trace);
    match choice % 16 {
        0..=2 => session.query("select 1", cx),
        3 => session.stmt_prepare("select ?", cx),
        4 => session.statistics(cx),
        5 => session.reset_connection(cx),
        6 => session.stmt_reset(1, cx),
        7 => session.init_db("db", cx),
        8 => session.ping(cx),
        9 => session.stmt_execute(1, 0, b"", cx),
        10 => session.stmt_execute(1, 1, b"", cx),
        11 => session.stmt_fetch(1, 10, &Columns::undefined(usize::from(choice >> 4)), cx),
        12 => session.field_list("t", "%", cx),
        13 => session.set_option(choice >> 4 & 1 == 1, cx),
        14 => session.debug(cx),
        _ => session.stmt_close(1, cx),
    }
}

/// An event, with every cell of its rows read. How rows are put into batches depends on how they came.
fn show(event: &Event, told: &mut Vec<String>) {
    let Event::Rows(batch) = event else { return told.push(format!("{event:?}")) };
    assert_eq!(batch.iter().count(), batch.len());
    for row in batch {
        let mut text = String::from("row");
        for cell in row.iter() {
            match cell {
                Ok(cell) => text.push_str(&format!(" {cell:?}")),
                Err(error) => {
                    text.push_str(&error.to_string());
                    break;
                }
            }
        }
        assert!(row.get(row.len()).is_err());
        told.push(text);
    }
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let modern = 0x19bf_a285_u32.to_le_bytes();
    let old = 0x000f_a285_u32.to_le_bytes();
    let column = b"\x03def\0\0\0\x011\0\x0c\x3f\0\x02\0\0\0\x08\x81\0\0\0\0";
    let reply =
        |head: [u8; 4], command: u8, packets: &[&[u8]]| acts(&[&head[..], &[7, command]].concat(), packets);
    let query = |head: [u8; 4], packets: &[&[u8]]| reply(head, 0, packets);
    vec![
        query(modern, &[b"\x01", column, b"\x011", b"\xfb", b"\xfe\0\0\x02\0\0\0"]),
        query(old, &[b"\x01", column, b"\xfe\0\0\x02\0", b"\x011", b"\xfe\0\0\x02\0"]),
        query(modern, &[b"\xff\x28\x04#42000bad"]),
        query(modern, &[b"\xfb/etc/passwd", b"\0\0\0\x02\0\0\0"]),
        query(modern, &[b"\0\0\0\x0a\0\0\0", b"\0\0\0\x02\0\0\0"]),
        reply(modern, 3, &[b"\0\x01\0\0\0\x01\0\x01\0\0\0\0", column, column]),
        reply(modern, 4, &[b"Uptime: 1"]),
        reply(modern, 9, &[b"\x01", column, b"\0\0\x05", b"\xfe\0\0\x02\0\0\0"]),
        reply(old, 10, &[b"\x01", column, b"\xfe\0\0\x42\0"]),
        reply(modern, 0x1b, &[b"\0\0\x05", b"\xfe\0\0\x82\0\0\0"]),
        reply(old, 12, &[column, b"\xfe\0\0\x02\0"]),
        reply(modern, 14, &[b"\xfe\0\0\x02\0\0\0"]),
    ]
}
