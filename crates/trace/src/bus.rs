//! The bus: one sink that tells any number of subscribers.

use std::fmt;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::{MachineKind, ProtocolStage, StageId, TraceEvent, TraceEventKind, TraceSink};

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
/// when the bus is dropped.
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
