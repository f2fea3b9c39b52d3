//! The bus: one sink that tells any number of subscribers.

use std::fmt;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::{MachineKind, ProtocolStage, StageId, TraceEvent, TraceEventKind, TraceSink, XEvent};

/// Whether a subscriber wants to hear more of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Flow {
    /// Go on.
    Continue,
    /// Stop: [`Tracing::tracing_stop`] follows, and then nothing until the next connect.
    Stop,
}

/// Somebody who wants to trace connections.
pub trait Subscriber: Send + Sync {
    /// A connect begins. Gives what will be told about this connection, or `None` to leave it out.
    ///
    /// `connection` is a running number of connects in this process; the stage is always CONNECTING.
    /// Called once for a connect. A connection that is still traced when it connects again is not asked anew.
    fn tracing_start(&self, connection: u64, stage: ProtocolStage) -> Option<Box<dyn Tracing>>;
}

/// One traced connection: what `plugin_trace.h` calls per-connection data is this value.
pub trait Tracing: Send {
    /// A machine enters a stage.
    fn connect_stage(&mut self, stage: StageId) -> Flow {
        let _ = stage;
        Flow::Continue
    }

    /// An event happens in a protocol stage.
    fn trace_event(&mut self, stage: ProtocolStage, event: &TraceEvent<'_>) -> Flow;

    /// An event of the X Protocol happens in a state of its life cycle.
    fn x_event(&mut self, state: StageId, event: &XEvent<'_>) -> Flow {
        let _ = (state, event);
        Flow::Continue
    }

    /// The trace ends: after a [`Flow::Stop`], after the event DISCONNECTED, or because the bus is dropped.
    ///
    /// Called exactly once, and nothing after it.
    fn tracing_stop(&mut self) {}
}

/// A [`TraceSink`] that tells every subscriber of one connection, and of all connections.
///
/// A trace starts when a connect begins: at the connect stage NET_BEGIN_CONNECT or the event CONNECTING,
/// whichever is told first. Subscribers that come later hear of the next connect. The trace ends for each
/// subscriber by itself when it answers [`Flow::Stop`], and for all of them after the event DISCONNECTED or
/// when the bus is dropped. The X Protocol's trace starts and ends with its own events CONNECTING and DISCONNECTED.
///
/// Without subscribers [`on`](TraceSink::on) is false, and no event is built.
#[derive(Default)]
pub struct Bus {
    slots: Vec<Slot>,
    /// A connect was begun by its first stage; the event CONNECTING that follows belongs to it.
    begun: bool,
}

struct Slot {
    subscriber: Arc<dyn Subscriber>,
    /// The id of a subscription to all connections; absent if this one was subscribed to this bus.
    global: Option<u64>,
    tracing: Option<Box<dyn Tracing>>,
}

impl Bus {
    /// A bus without subscribers of its own.
    #[must_use]
    pub const fn new() -> Self {
        Self { slots: Vec::new(), begun: false }
    }

    /// Subscribes to the connects of this bus, from the next one on.
    pub fn subscribe(&mut self, subscriber: Arc<dyn Subscriber>) {
        self.slots.push(Slot { subscriber, global: None, tracing: None });
    }

    /// Subscribes to the connects of every bus in this process, from the next one on.
    ///
    /// Dropping the answer ends the subscription: no more connects are told, those being traced go on.
    pub fn subscribe_global(subscriber: Arc<dyn Subscriber>) -> GlobalSubscription {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        let mut all = globals();
        all.push((id, subscriber));
        GLOBAL_COUNT.store(all.len(), Ordering::Release);
        GlobalSubscription { id }
    }

    /// A connect begins: whoever does not trace this connection yet is asked.
    fn begin(&mut self) {
        static CONNECTION: AtomicU64 = AtomicU64::new(1);
        let connection = CONNECTION.fetch_add(1, Ordering::Relaxed);
        // The lock is not held while subscribers run: they may subscribe and unsubscribe themselves.
        let all: Vec<_> = globals().clone();
        self.slots.retain(|slot| match slot.global {
            Some(id) => slot.tracing.is_some() || all.iter().any(|(known, _)| *known == id),
            None => true,
        });
        for (id, subscriber) in all {
            if !self.slots.iter().any(|slot| slot.global == Some(id)) {
                self.slots.push(Slot { subscriber, global: Some(id), tracing: None });
            }
        }
        for slot in &mut self.slots {
            if slot.tracing.is_none() {
                slot.tracing = slot.subscriber.tracing_start(connection, ProtocolStage::Connecting);
            }
        }
    }

    fn tell(&mut self, mut tell: impl FnMut(&mut dyn Tracing) -> Flow) {
        for slot in &mut self.slots {
            if let Some(tracing) = &mut slot.tracing
                && tell(tracing.as_mut()) == Flow::Stop
            {
                slot.stop();
            }
        }
    }

    fn stop(&mut self) {
        self.begun = false;
        for slot in &mut self.slots {
            slot.stop();
        }
    }
}

impl Slot {
    /// Taking the data out first makes a second stop impossible, even if the first one panics.
    fn stop(&mut self) {
        if let Some(mut tracing) = self.tracing.take() {
            tracing.tracing_stop();
        }
    }
}

impl TraceSink for Bus {
    #[inline]
    fn on(&self) -> bool {
        !self.slots.is_empty() || GLOBAL_COUNT.load(Ordering::Relaxed) != 0
    }

    fn enter(&mut self, stage: StageId) {
        if stage.machine == MachineKind::Connect && stage.number == NET_BEGIN_CONNECT {
            self.begin();
            self.begun = true;
        }
        self.tell(|tracing| tracing.connect_stage(stage));
    }

    fn event(&mut self, stage: ProtocolStage, event: &TraceEvent<'_>) {
        let kind = event.kind();
        if kind == TraceEventKind::Connecting && !self.begun {
            self.begin();
        }
        self.begun = false;
        self.tell(|tracing| tracing.trace_event(stage, event));
        if kind == TraceEventKind::Disconnected || stage == ProtocolStage::Disconnected {
            self.stop();
        }
    }

    fn x_event(&mut self, state: StageId, event: &XEvent<'_>) {
        if matches!(event, XEvent::Connecting) {
            self.begin();
        }
        self.tell(|tracing| tracing.x_event(state, event));
        if matches!(event, XEvent::Disconnected) {
            self.stop();
        }
    }
}

impl Drop for Bus {
    fn drop(&mut self) {
        self.stop();
    }
}

impl fmt::Debug for Bus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tracing = self.slots.iter().filter(|slot| slot.tracing.is_some()).count();
        f.debug_struct("Bus").field("subscribers", &self.slots.len()).field("tracing", &tracing).finish()
    }
}

/// A subscription to all connections; it ends when this is dropped.
#[derive(Debug)]
#[must_use = "dropping it ends the subscription"]
pub struct GlobalSubscription {
    id: u64,
}

impl GlobalSubscription {
    /// Keeps the subscription for the life of the process.
    pub fn keep(self) {
        std::mem::forget(self);
    }
}

impl Drop for GlobalSubscription {
    fn drop(&mut self) {
        let mut all = globals();
        let place = all.iter().position(|(id, _)| *id == self.id);
        let ended = place.map(|place| all.swap_remove(place));
        GLOBAL_COUNT.store(all.len(), Ordering::Release);
        drop(all);
        // The subscriber may unsubscribe others when it is dropped: not under the lock.
        drop(ended);
    }
}

/// The number of the first connect stage; this crate knows no more of that machine.
const NET_BEGIN_CONNECT: u8 = 2;

type Globals = Vec<(u64, Arc<dyn Subscriber>)>;

static GLOBALS: Mutex<Globals> = Mutex::new(Vec::new());

/// How many global subscribers there are, so that `on` needs no lock.
static GLOBAL_COUNT: AtomicUsize = AtomicUsize::new(0);

fn globals() -> MutexGuard<'static, Globals> {
    GLOBALS.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::{Bus, Flow, Subscriber, Tracing};
    use crate::{MachineKind, ProtocolStage, StageId, TraceEvent, TraceSink, XEvent};

    const BEGIN: StageId = StageId::new(MachineKind::Connect, 2, "NET_BEGIN_CONNECT");
    const GREETING: StageId = StageId::new(MachineKind::Connect, 5, "READ_GREETING");

    /// Writes down every call, and stops where it is told to.
    #[derive(Clone, Default)]
    struct Diary {
        lines: Arc<Mutex<Vec<String>>>,
        stop_at: Option<&'static str>,
        refuse: bool,
    }

    /// Per-connection data: the running number, and how many calls there were.
    struct Page {
        diary: Diary,
        connection: u64,
        calls: usize,
    }

    impl Diary {
        fn stopping_at(name: &'static str) -> Self {
            Self { stop_at: Some(name), ..Self::default() }
        }

        fn write(&self, line: impl Into<String>) {
            self.lines.lock().unwrap().push(line.into());
        }

        fn lines(&self) -> Vec<String> {
            std::mem::take(&mut *self.lines.lock().unwrap())
        }
    }

    impl Page {
        fn told(&mut self, name: &str) -> Flow {
            self.calls += 1;
            self.diary.write(name);
            if self.diary.stop_at == Some(name) { Flow::Stop } else { Flow::Continue }
        }
    }

    impl Subscriber for Diary {
        fn tracing_start(&self, connection: u64, stage: ProtocolStage) -> Option<Box<dyn Tracing>> {
            self.write(format!("start in {stage}"));
            (!self.refuse).then(|| {
                let page: Box<dyn Tracing> = Box::new(Page { diary: self.clone(), connection, calls: 0 });
                page
            })
        }
    }

    impl Tracing for Page {
        fn connect_stage(&mut self, stage: StageId) -> Flow {
            self.told(stage.name)
        }

        fn trace_event(&mut self, stage: ProtocolStage, event: &TraceEvent<'_>) -> Flow {
            assert!(self.connection > 0);
            self.told(&format!("{} in {stage}", event.kind()))
        }

        fn x_event(&mut self, state: StageId, event: &XEvent<'_>) -> Flow {
            self.told(&format!("{} in {}", event.name(), state.name))
        }

        fn tracing_stop(&mut self) {
            self.diary.write(format!("stop after {}", self.calls));
        }
    }

    #[test]
    fn a_trace_of_the_x_protocol_starts_and_ends_with_its_connection() {
        let diary = Diary::stopping_at("AUTHENTICATED in SESSION");
        let mut bus = bus(&diary);
        let state = |name| StageId::new(MachineKind::X, 0, name);
        for _ in 0..2 {
            bus.x_event(state("CLOSED"), &XEvent::Connecting);
            bus.enter(state("CONNECTED"));
            bus.x_event(state("SESSION"), &XEvent::Authenticated);
            bus.x_event(state("SESSION"), &XEvent::Disconnected);
        }
        let told = [
            "start in CONNECTING",
            "CONNECTING in CLOSED",
            "CONNECTED",
            "AUTHENTICATED in SESSION",
            "stop after 3",
        ];
        assert_eq!(diary.lines(), [told, told].concat());
        let all = Diary::default();
        bus.subscribe(Arc::new(all.clone()));
        bus.x_event(state("CLOSED"), &XEvent::Connecting);
        bus.x_event(state("SESSION"), &XEvent::Disconnected);
        bus.x_event(state("SESSION"), &XEvent::Authenticated);
        let told = ["start in CONNECTING", "CONNECTING in CLOSED", "DISCONNECTED in SESSION", "stop after 2"];
        assert_eq!(all.lines(), told);
    }

    fn bus(diary: &Diary) -> Bus {
        let mut bus = Bus::new();
        bus.subscribe(Arc::new(diary.clone()));
        bus
    }

    fn connect(bus: &mut Bus) {
        bus.enter(BEGIN);
        bus.event(ProtocolStage::Connecting, &TraceEvent::Connecting);
        bus.event(ProtocolStage::Connecting, &TraceEvent::Connected);
    }

    const BEGUN: [&str; 4] =
        ["start in CONNECTING", "NET_BEGIN_CONNECT", "CONNECTING in CONNECTING", "CONNECTED in CONNECTING"];

    #[test]
    fn starts_once_when_the_first_stage_is_told_before_connecting() {
        let diary = Diary::default();
        let mut bus = bus(&diary);
        connect(&mut bus);
        assert_eq!(diary.lines(), BEGUN);
    }

    #[test]
    fn starts_once_when_connecting_comes_without_a_stage() {
        let diary = Diary::default();
        let mut bus = bus(&diary);
        bus.event(ProtocolStage::Connecting, &TraceEvent::Connecting);
        bus.enter(GREETING);
        assert_eq!(diary.lines(), ["start in CONNECTING", "CONNECTING in CONNECTING", "READ_GREETING"]);
    }

    #[test]
    fn nothing_is_told_before_a_connect_begins() {
        let diary = Diary::default();
        let mut bus = bus(&diary);
        bus.enter(GREETING);
        bus.enter(StageId::new(MachineKind::X, 2, "not a classic connect"));
        bus.event(ProtocolStage::ReadyForCommand, &TraceEvent::ReadPacket);
        drop(bus);
        assert!(diary.lines().is_empty());
    }

    #[test]
    fn stops_once_after_stop_and_tells_nothing_until_the_next_connect() {
        let diary = Diary::stopping_at("READ_GREETING");
        let mut bus = bus(&diary);
        connect(&mut bus);
        bus.enter(GREETING);
        assert_eq!(diary.lines()[4..], ["READ_GREETING", "stop after 4"]);
        bus.event(ProtocolStage::WaitForInitPacket, &TraceEvent::ReadPacket);
        bus.event(ProtocolStage::WaitForInitPacket, &TraceEvent::Disconnected);
        assert!(diary.lines().is_empty());
        connect(&mut bus);
        assert_eq!(diary.lines(), BEGUN);
    }

    #[test]
    fn a_stop_at_the_first_stage_is_not_undone_by_the_event_connecting() {
        let diary = Diary::stopping_at("NET_BEGIN_CONNECT");
        let mut bus = bus(&diary);
        connect(&mut bus);
        assert_eq!(diary.lines(), ["start in CONNECTING", "NET_BEGIN_CONNECT", "stop after 1"]);
    }

    #[test]
    fn stops_once_after_disconnected_which_is_told() {
        let diary = Diary::default();
        let mut bus = bus(&diary);
        connect(&mut bus);
        bus.event(ProtocolStage::ReadyForCommand, &TraceEvent::Disconnected);
        bus.event(ProtocolStage::ReadyForCommand, &TraceEvent::Disconnected);
        bus.enter(GREETING);
        drop(bus);
        assert_eq!(diary.lines()[4..], ["DISCONNECTED in READY_FOR_COMMAND", "stop after 4"]);
    }

    #[test]
    fn stops_once_when_disconnected_is_answered_with_stop() {
        let diary = Diary::stopping_at("DISCONNECTED in READY_FOR_COMMAND");
        let mut bus = bus(&diary);
        connect(&mut bus);
        bus.event(ProtocolStage::ReadyForCommand, &TraceEvent::Disconnected);
        assert_eq!(diary.lines()[4..], ["DISCONNECTED in READY_FOR_COMMAND", "stop after 4"]);
    }

    #[test]
    fn stops_after_any_event_in_the_stage_disconnected() {
        let diary = Diary::default();
        let mut bus = bus(&diary);
        connect(&mut bus);
        bus.event(ProtocolStage::Disconnected, &TraceEvent::Error { errno: 2013 });
        assert_eq!(diary.lines()[4..], ["ERROR in DISCONNECTED", "stop after 4"]);
    }

    #[test]
    fn stops_once_on_drop() {
        let diary = Diary::default();
        let mut bus = bus(&diary);
        connect(&mut bus);
        drop(bus);
        assert_eq!(diary.lines()[4..], ["stop after 3"]);
    }

    #[test]
    fn a_connection_still_traced_is_not_started_again() {
        let diary = Diary::default();
        let mut bus = bus(&diary);
        connect(&mut bus);
        connect(&mut bus);
        drop(bus);
        let lines = diary.lines();
        assert_eq!(lines.iter().filter(|line| line.starts_with("start")).count(), 1);
        assert_eq!(lines.last().map(String::as_str), Some("stop after 6"));
    }

    #[test]
    fn a_refused_start_is_not_stopped_and_is_asked_at_the_next_connect() {
        let diary = Diary { refuse: true, ..Diary::default() };
        let mut bus = bus(&diary);
        connect(&mut bus);
        bus.event(ProtocolStage::Connecting, &TraceEvent::Disconnected);
        connect(&mut bus);
        drop(bus);
        assert_eq!(diary.lines(), ["start in CONNECTING", "start in CONNECTING"]);
    }

    #[test]
    fn subscribers_do_not_affect_each_other() {
        let diaries = [Diary::stopping_at("READ_GREETING"), Diary::default(), Diary::default()];
        let mut bus = Bus::new();
        for diary in &diaries {
            bus.subscribe(Arc::new(diary.clone()));
        }
        connect(&mut bus);
        bus.enter(GREETING);
        bus.event(ProtocolStage::WaitForInitPacket, &TraceEvent::ReadPacket);
        let [stopped, second, third] = diaries.map(|diary| diary.lines());
        assert_eq!(stopped[4..], ["READ_GREETING", "stop after 4"]);
        assert_eq!(second[4..], ["READ_GREETING", "READ_PACKET in WAIT_FOR_INIT_PACKET"]);
        assert_eq!(second, third);
    }

    #[test]
    fn each_connection_has_its_own_data_and_number() {
        struct Numbers(Arc<Mutex<Vec<u64>>>);
        impl Subscriber for Numbers {
            fn tracing_start(&self, connection: u64, _: ProtocolStage) -> Option<Box<dyn Tracing>> {
                self.0.lock().unwrap().push(connection);
                None
            }
        }
        let numbers = Arc::new(Mutex::new(Vec::new()));
        let shared = Arc::new(Numbers(numbers.clone()));
        let diary = Diary::default();
        let mut buses = [Bus::new(), Bus::new()];
        for bus in &mut buses {
            bus.subscribe(shared.clone());
            bus.subscribe(Arc::new(diary.clone()));
            connect(bus);
        }
        let [mut first, second] = buses;
        first.enter(GREETING);
        assert_eq!(diary.lines().last().map(String::as_str), Some("READ_GREETING"));
        drop(second);
        drop(first);
        assert_eq!(diary.lines(), ["stop after 3", "stop after 4"]);
        let numbers = numbers.lock().unwrap();
        assert_eq!(numbers.len(), 2);
        assert_ne!(numbers[0], numbers[1]);
    }

    #[test]
    fn a_subscriber_that_comes_later_hears_of_the_next_connect() {
        let (early, late) = (Diary::default(), Diary::default());
        let mut bus = bus(&early);
        connect(&mut bus);
        bus.subscribe(Arc::new(late.clone()));
        bus.enter(GREETING);
        bus.event(ProtocolStage::WaitForInitPacket, &TraceEvent::Disconnected);
        assert!(late.lines().is_empty());
        connect(&mut bus);
        assert_eq!(late.lines(), BEGUN);
    }

    #[test]
    fn a_bus_without_subscribers_is_off_and_can_move_between_threads() {
        fn movable<T: Send>(value: &T) -> &T {
            value
        }
        let mut bus = Bus::default();
        assert!(!movable(&bus).on());
        bus.subscribe(Arc::new(Diary::default()));
        assert!(bus.on());
        assert_eq!(format!("{bus:?}"), "Bus { subscribers: 1, tracing: 0 }");
    }
}
