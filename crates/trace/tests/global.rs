//! Subscriptions to all connections. In a process of its own, because they are seen by every bus.

use std::sync::{Arc, Mutex, PoisonError};

use porpoise_trace::{Bus, ProtocolStage, Record, Subscriber, TraceEvent, TraceSink, Tracing};

/// These tests see each other's subscriptions: one at a time.
static ALONE: Mutex<()> = Mutex::new(());

fn connect(bus: &mut Bus) {
    bus.event(ProtocolStage::Connecting, &TraceEvent::Connecting);
}

fn read(bus: &mut Bus) {
    bus.event(ProtocolStage::WaitForInitPacket, &TraceEvent::ReadPacket);
}

fn disconnect(bus: &mut Bus) {
    bus.event(ProtocolStage::WaitForInitPacket, &TraceEvent::Disconnected);
}

#[test]
fn every_bus_tells_a_global_subscriber() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let (all, one) = (Record::new(), Record::new());
    let (mut first, mut second) = (Bus::new(), Bus::new());
    first.subscribe(Arc::new(one.clone()));
    assert!(!second.on());

    let subscription = Bus::subscribe_global(Arc::new(all.clone()));
    assert!(second.on());
    connect(&mut first);
    connect(&mut second);
    read(&mut second);
    assert_eq!(all.take().len(), 3);
    assert_eq!(one.take().len(), 1);

    drop(subscription);
    read(&mut second);
    connect(&mut second);
    assert_eq!(all.take().len(), 2, "a connection that is traced goes on, even when it connects again");
    disconnect(&mut first);
    disconnect(&mut second);
    assert_eq!(all.take().len(), 2);
    connect(&mut second);
    assert!(all.take().is_empty(), "no connect is told any more");
    assert!(!second.on());
}

#[test]
fn a_global_subscriber_that_comes_during_a_connection_hears_of_the_next() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let mut bus = Bus::new();
    connect(&mut bus);
    let all = Record::new();
    let _subscription = Bus::subscribe_global(Arc::new(all.clone()));
    read(&mut bus);
    assert!(all.take().is_empty());
    disconnect(&mut bus);
    connect(&mut bus);
    assert_eq!(all.take().len(), 1);
}

#[test]
fn subscribers_may_subscribe_while_they_are_asked() {
    struct Curious(Mutex<Vec<porpoise_trace::GlobalSubscription>>);
    impl Subscriber for Curious {
        fn tracing_start(&self, _: u64, _: ProtocolStage) -> Option<Box<dyn Tracing>> {
            let more = Bus::subscribe_global(Arc::new(Record::new()));
            self.0.lock().unwrap().push(more);
            None
        }
    }
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let curious = Arc::new(Curious(Mutex::default()));
    let subscription = Bus::subscribe_global(curious.clone());
    connect(&mut Bus::new());
    assert_eq!(curious.0.lock().unwrap().len(), 1);
    drop(subscription);
    curious.0.lock().unwrap().clear();
    assert!(!Bus::new().on());
}
