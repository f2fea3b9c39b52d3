//! Counts what each connection sends and receives, with `porpoise-trace` alone: a subscriber for all connections.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use porpoise_trace::{Bus, Flow, Payload, ProtocolStage, Record, Subscriber, TraceEvent, TraceSink, Tracing};

/// Bytes of each connection, by its number.
#[derive(Clone, Default)]
struct Traffic(Arc<Mutex<BTreeMap<u64, usize>>>);

/// What is kept of one connection while it lives.
struct Meter {
    connection: u64,
    bytes: usize,
    traffic: Traffic,
}

impl Subscriber for Traffic {
    fn tracing_start(&self, connection: u64, _: ProtocolStage) -> Option<Box<dyn Tracing>> {
        Some(Box::new(Meter { connection, bytes: 0, traffic: self.clone() }))
    }
}

impl Tracing for Meter {
    fn trace_event(&mut self, _: ProtocolStage, event: &TraceEvent<'_>) -> Flow {
        if let TraceEvent::PacketReceived { pkt } = event {
            self.bytes += pkt.len();
        }
        Flow::Continue
    }

    fn tracing_stop(&mut self) {
        self.traffic.0.lock().unwrap().insert(self.connection, self.bytes);
    }
}

/// Stands for a connection: tells a bus what a protocol machine would.
fn connection(bus: &mut Bus, packets: &[&[u8]]) {
    bus.event(ProtocolStage::Connecting, &TraceEvent::Connecting);
    for packet in packets {
        let pkt = Payload::open(packet);
        bus.event(ProtocolStage::WaitForResult, &TraceEvent::PacketReceived { pkt });
    }
    bus.event(ProtocolStage::Disconnected, &TraceEvent::Disconnected);
}

fn main() {
    let (traffic, record) = (Traffic::default(), Record::new());
    let mut bus = Bus::new();
    bus.subscribe(Arc::new(traffic.clone()));
    bus.subscribe(Arc::new(record.clone()));
    connection(&mut bus, &[b"\0\0\0\x02\0\0\0", b"\x01"]);
    connection(&mut bus, &[]);

    let traffic: Vec<usize> = traffic.0.lock().unwrap().values().copied().collect();
    assert_eq!(traffic, [8, 0]);
    println!("bytes received by connection: {traffic:?}");
    print!("{}", record.to_jsonl());
}
