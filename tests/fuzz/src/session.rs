use bytes::BytesMut;
use porpoise_classic::{CapabilityFlags, Event, Session, SessionSeed};
use porpoise_trace::{NoTrace, Record};
use porpoise_wire::{Cx, Framer, Limits, Lost, Machine, Step};

use crate::script::{Act, Script, acts, framed};

/// The command phase: queries, commands and prepared statements, answered by a server that says anything. What is
/// told does not depend on whether anybody listens.
pub fn session(input: &[u8]) {
    let told = run(input, &mut Record::new());
    assert_eq!(told, run(input, &mut NoTrace));
}

fn run<T: porpoise_trace::TraceSink>(input: &[u8], trace: &mut T) -> Vec<String> {
    let mut script = Script(input);
    let flags: [u8; 4] = std::array::from_fn(|_| script.byte());
    let capabilities =
        CapabilityFlags::from_bits(u32::from_le_bytes(flags)) | CapabilityFlags::CLIENT_PROTOCOL_41;
    let limits = Limits::default().with_max_packet(4096);
    let mut session = Session::resume(SessionSeed::new(Framer::new(limits), capabilities, limits));
    let (mut rx, mut tx, mut told) = (BytesMut::new(), BytesMut::new(), Vec::new());
    let mut ids = 0_u8;
    for _ in 0..2_000 {
        match session.advance(&mut Cx::new(&mut rx, &mut tx, trace)) {
            Ok(Step::Idle) => {
                tx.clear();
                ids = 1;
                if script.0.is_empty()
                    || command(&mut session, script.byte(), &mut rx, &mut tx, trace).is_none()
                {
                    return told;
                }
            }
            Ok(Step::NeedRead { at_least }) => {
                assert!(at_least > rx.len());
                tx.clear();
                let Some(act) = script.next() else {
                    session.lost(Lost::Closed, &mut Cx::new(&mut rx, &mut tx, trace));
                    return told;
                };
                match act {
                    Act::Packet(payload) => {
                        rx.extend_from_slice(&framed(payload, ids));
                        ids = ids.wrapping_add(1);
                    }
                    Act::Raw(bytes) => rx.extend_from_slice(bytes),
                }
            }
            Ok(Step::Event(event)) => told.push(show(&event)),
            Ok(_) => tx.clear(),
            Err(error) => {
                assert!(session.advance(&mut Cx::new(&mut rx, &mut tx, trace)).is_err());
                told.push(error.to_string());
                return told;
            }
        }
    }
    told
}

fn command<T: porpoise_trace::TraceSink>(
    session: &mut Session,
    choice: u8,
    rx: &mut BytesMut,
    tx: &mut BytesMut,
    trace: &mut T,
) -> Option<()> {
    let cx = &mut Cx::new(rx, tx, trace);
    match choice % 8 {
        0 | 1 => session.query("select 1", cx),
        2 => session.ping(cx),
        3 => session.stmt_prepare("select ?", cx),
        4 => session.statistics(cx),
        5 => session.reset_connection(cx),
        6 => session.stmt_reset(1, cx),
        _ => session.init_db("db", cx),
    }
    .ok()
}

/// An event, with every cell of its rows read.
fn show(event: &Event) -> String {
    let Event::Rows(batch) = event else { return format!("{event:?}") };
    let mut text = String::new();
    for row in batch {
        for cell in row.iter() {
            match cell {
                Ok(cell) => text.push_str(&format!("{cell:?},")),
                Err(error) => {
                    text.push_str(&error.to_string());
                    break;
                }
            }
        }
        text.push(';');
    }
    text
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let modern = 0x19bf_a285_u32.to_le_bytes();
    let old = 0x000f_a285_u32.to_le_bytes();
    let column = b"\x03def\0\0\0\x011\0\x0c\x3f\0\x02\0\0\0\x08\x81\0\0\0\0";
    let query = |head: [u8; 4], packets: &[&[u8]]| acts(&[&head[..], &[0]].concat(), packets);
    vec![
        query(modern, &[b"\x01", column, b"\x011", b"\xfb", b"\xfe\0\0\x02\0\0\0"]),
        query(old, &[b"\x01", column, b"\xfe\0\0\x02\0", b"\x011", b"\xfe\0\0\x02\0"]),
        query(modern, &[b"\xff\x28\x04#42000bad"]),
        query(modern, &[b"\xfb/etc/passwd", b"\0\0\0\x02\0\0\0"]),
        query(modern, &[b"\0\0\0\x0a\0\0\0", b"\0\0\0\x02\0\0\0"]),
        acts(&[&modern[..], &[3]].concat(), &[b"\0\x01\0\0\0\x01\0\x01\0\0\0\0", column, column]),
        acts(&[&modern[..], &[4]].concat(), &[b"Uptime: 1"]),
    ]
}
