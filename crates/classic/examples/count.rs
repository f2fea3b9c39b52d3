//! Not committed.
use bytes::BytesMut;
use porpoise_classic::{CapabilityFlags, Session, SessionSeed};
use porpoise_trace::NoTrace;
use porpoise_wire::{Cx, Framer, Limits, Machine as _, Step};
fn main() {
    let n: usize = std::env::args().nth(1).unwrap().parse().unwrap();
    let what = std::env::args().nth(2).unwrap();
    let limits = Limits::default();
    let caps = CapabilityFlags::CLIENT_PROTOCOL_41
        | CapabilityFlags::CLIENT_DEPRECATE_EOF
        | CapabilityFlags::CLIENT_QUERY_ATTRIBUTES
        | CapabilityFlags::CLIENT_SESSION_TRACK;
    let mut session = Session::resume(SessionSeed::new(Framer::new(limits), caps, limits));
    let (mut rx, mut tx) = (BytesMut::with_capacity(65536), BytesMut::with_capacity(4096));
    let ok: &[u8] = b"\x07\x00\x00\x01\x00\x00\x00\x02\x00\x00\x00";
    let mut sel = b"\x01\x00\x00\x01\x01\x17\x00\x00\x02\x03def\x00\x00\x00\x011\x00\x0c\x3f\x00\x02\x00\x00\x00\x08\x81\x00\x00\x00\x00".to_vec();
    let nrows = if what == "rows" { 100 } else { 1 };
    let mut id = 3u8;
    for _ in 0..nrows {
        sel.extend_from_slice(&[2, 0, 0, id, 1, b'1']);
        id += 1;
    }
    sel.extend_from_slice(&[7, 0, 0, id, 0xfe, 0, 0, 2, 0, 0, 0]);
    let mut cells = 0;
    for _ in 0..n {
        let mut t = NoTrace;
        tx.clear();
        rx.reserve(sel.len());
        let cx = &mut Cx::new(&mut rx, &mut tx, &mut t);
        if what == "ping" {
            session.ping(cx).unwrap();
            cx.rx.extend_from_slice(ok);
        } else {
            session.query("SELECT 1", cx).unwrap();
            cx.rx.extend_from_slice(&sel);
        }
        loop {
            match session.advance(cx).unwrap() {
                Step::Idle => break,
                Step::Event(porpoise_classic::Event::Rows(b)) => cells += b.len(),
                Step::Event(_) => {}
                _ => panic!(),
            }
        }
    }
    println!("{cells}");
}
