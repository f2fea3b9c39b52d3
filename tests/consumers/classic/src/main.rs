//! Runs a query with `porpoise-classic` and no I/O: the server's bytes stand here.

use std::error::Error;

use bytes::BytesMut;
use porpoise_classic::{CapabilityFlags, Event, Session, SessionSeed};
use porpoise_trace::NoTrace;
use porpoise_wire::{Cx, Framer, Limits, Machine, Step};

/// The reply to `SELECT a FROM t1`: one column, three rows, an OK packet for the end.
const REPLY: &[&[u8]] = &[
    b"\x01\0\0\x01\x01",
    b"\x1f\0\0\x02\x03def\x03odb\x02t1\x02t1\x01a\x01a\x0c\xff\0\x80\0\0\0\xfd\0\0\0\0\0",
    b"\x04\0\0\x03\x03one\x01\0\0\x04\xfb\x04\0\0\x05\x03two",
    b"\x07\0\0\x06\xfe\0\0\x02\0\0\0",
];

fn main() -> Result<(), Box<dyn Error>> {
    let capabilities = CapabilityFlags::CLIENT_PROTOCOL_41 | CapabilityFlags::CLIENT_DEPRECATE_EOF;
    let limits = Limits::default();
    let mut session = Session::resume(SessionSeed::new(Framer::new(limits), capabilities, limits));
    let (mut rx, mut tx) = (BytesMut::new(), BytesMut::new());

    session.query("SELECT a FROM t1", &mut Cx::new(&mut rx, &mut tx, &mut NoTrace))?;
    assert_eq!(tx, "\x11\0\0\0\x03SELECT a FROM t1");

    let mut received = REPLY.iter();
    let mut values = Vec::new();
    loop {
        match session.advance(&mut Cx::new(&mut rx, &mut tx, &mut NoTrace))? {
            Step::NeedRead { .. } => rx.extend_from_slice(received.next().ok_or("the reply ends too early")?),
            Step::Event(Event::Columns(columns)) => {
                for column in columns.iter() {
                    println!("{}", String::from_utf8_lossy(column.name()));
                }
            }
            Step::Event(Event::Rows(batch)) => {
                for row in &batch {
                    values.push(row.get(0)?.map(|text| String::from_utf8_lossy(text).into_owned()));
                }
            }
            Step::Event(Event::End(end)) => assert!(!end.has_more_results()),
            Step::Idle => break,
            other => return Err(format!("unexpected: {other:?}").into()),
        }
    }
    println!("{values:?}");
    assert_eq!(values, [Some("one".to_owned()), None, Some("two".to_owned())]);
    Ok(())
}
