//! What the parts cost, in time. For information: nothing is judged by it.

use std::hint::black_box;

use bytes::BytesMut;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use inproc::{GREETING, Machine, Memory, connect_driver, rows};
use porpoise_classic::{CapabilityFlags, Event, RowBatch, Session, SessionSeed};
use porpoise_classic_connect::HandshakeV10;
use porpoise_driver::Tap;
use porpoise_trace::NoTrace;
use porpoise_wire::{Cx, Frame, Framer, HEADER_LEN, Limits, Machine as _, Step};

const ROWS: usize = 1000;
const PACKETS: usize = 100;
const PACKET: &[u8] = &[7; 100];

fn greeting(c: &mut Criterion) {
    c.bench_function("greeting", |b| b.iter(|| HandshakeV10::parse(black_box(&GREETING[HEADER_LEN..]))));
}

fn connect(c: &mut Criterion) {
    let mut machine = Machine::new().unwrap();
    let options = Memory::options().unwrap();
    let mut group = c.benchmark_group("connect");
    group.bench_function("machine, NoTrace", |b| b.iter(|| machine.connect(&mut NoTrace).unwrap()));
    group.bench_function("machine, tap off", |b| {
        b.iter(|| machine.connect(black_box(&mut Tap::default())).unwrap());
    });
    group.bench_function("driver", |b| b.iter(|| connect_driver(&options).unwrap()));
}

fn framing(c: &mut Criterion) {
    let mut group = c.benchmark_group("framing, 100 packets of 100 bytes");
    group.throughput(Throughput::Elements(PACKETS as u64));
    let mut wire = BytesMut::new();
    group.bench_function("write", |b| {
        b.iter(|| {
            wire.clear();
            let mut framer = Framer::new(Limits::default());
            for _ in 0..PACKETS {
                framer.write(&mut wire, |payload| payload.extend_from_slice(black_box(PACKET)));
            }
        });
    });
    let mut rx = BytesMut::with_capacity(2 * wire.len());
    group.bench_function("read", |b| {
        b.iter(|| {
            rx.clear();
            rx.reserve(wire.len());
            rx.extend_from_slice(&wire);
            let mut framer = Framer::new(Limits::default());
            let mut sum = 0;
            while framer.poll(&mut rx) == Ok(Frame::Ready) {
                sum += framer.payload(&rx).len();
                framer.consume(&mut rx);
            }
            assert_eq!(black_box(sum), PACKETS * PACKET.len());
        });
    });
}

fn query(wire: &BytesMut) -> Option<RowBatch> {
    let limits = Limits::default();
    let capabilities = CapabilityFlags::CLIENT_PROTOCOL_41 | CapabilityFlags::CLIENT_DEPRECATE_EOF;
    let mut session = Session::resume(SessionSeed::new(Framer::new(limits), capabilities, limits));
    let (mut rx, mut tx) = (wire.clone(), BytesMut::new());
    let mut sink = NoTrace;
    let cx = &mut Cx::new(&mut rx, &mut tx, &mut sink);
    session.query("SELECT a, b, c, s", cx).unwrap();
    loop {
        match session.advance(cx).unwrap() {
            Step::Event(Event::Rows(batch)) => return Some(batch),
            Step::Event(Event::Columns(_)) => {}
            _ => return None,
        }
    }
}

fn text_rows(c: &mut Criterion) {
    let wire = rows(ROWS);
    let batch = query(&wire).unwrap();
    assert_eq!(batch.len(), ROWS);
    let mut group = c.benchmark_group("1000 text rows of 4 cells");
    group.throughput(Throughput::Elements(ROWS as u64));
    group.bench_function("received as a batch", |b| b.iter(|| query(&wire).unwrap()));
    group.bench_function("walked", |b| {
        b.iter(|| {
            let mut sum = 0;
            for row in &batch {
                for cell in row {
                    sum += cell.unwrap().map_or(0, <[u8]>::len);
                }
            }
            black_box(sum)
        });
    });
}

criterion_group!(benches, greeting, connect, framing, text_rows);
criterion_main!(benches);
