use std::fmt;

use porpoise_trace::{Bus, ProtocolStage, StageId, TraceEvent, TraceSink, XEvent};

use crate::record::Recorder;

/// The sink of a connection: a bus, a sink of the caller's own, the flight record. Off unless one is there; then
/// it costs a test of one pointer.
#[derive(Default)]
pub struct Tap {
    inner: Option<Box<Inner>>,
}

#[derive(Default)]
struct Inner {
    bus: Bus,
    sink: Option<Box<dyn TraceSink + Send>>,
    recorder: Option<Recorder>,
    flights: Flights,
}

/// Counts flights. A write belongs to a new one if input was waited for since the last write.
#[derive(Default)]
struct Flights {
    last: u32,
    waited: bool,
}

impl Flights {
    fn sent(&mut self) -> u32 {
        // To wait before anything was sent begins no second flight.
        let waited = std::mem::take(&mut self.waited);
        self.last += u32::from(waited || self.last == 0);
        self.last
    }
}

impl fmt::Debug for Tap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tap").field("on", &self.on()).finish()
    }
}

impl Tap {
    fn inner(&mut self) -> &mut Inner {
        self.inner.get_or_insert_default()
    }

    pub(crate) fn bus(&mut self) -> &mut Bus {
        &mut self.inner().bus
    }

    pub(crate) fn set_sink(&mut self, sink: Box<dyn TraceSink + Send>) {
        self.inner().sink = Some(sink);
    }

    pub(crate) fn record(&mut self) {
        self.inner().recorder = Some(Recorder::new());
    }

    /// Input is waited for.
    #[inline]
    pub(crate) fn waited(&mut self) {
        if let Some(inner) = &mut self.inner {
            inner.flights.waited = true;
        }
    }

    pub(crate) fn recorder(&mut self) -> Option<&mut Recorder> {
        self.inner.as_mut().and_then(|inner| inner.recorder.as_mut())
    }
}

impl TraceSink for Tap {
    #[inline]
    fn on(&self) -> bool {
        self.inner.is_some()
    }

    #[cold]
    fn enter(&mut self, stage: StageId) {
        let Some(inner) = &mut self.inner else { return };
        if let Some(recorder) = &mut inner.recorder {
            recorder.enter(stage);
        }
        if let Some(sink) = inner.sink.as_mut().filter(|sink| sink.on()) {
            sink.enter(stage);
        }
        if inner.bus.on() {
            inner.bus.enter(stage);
        }
    }

    #[cold]
    fn event(&mut self, stage: ProtocolStage, event: &TraceEvent<'_>) {
        let Some(inner) = &mut self.inner else { return };
        if let Some(sink) = inner.sink.as_mut().filter(|sink| sink.on()) {
            sink.event(stage, event);
        }
        if inner.bus.on() {
            inner.bus.event(stage, event);
        }
    }

    #[cold]
    fn x_event(&mut self, state: StageId, event: &XEvent<'_>) {
        let Some(inner) = &mut self.inner else { return };
        let event = &match *event {
            XEvent::MessageSent(message) => XEvent::MessageSent(message.flight(inner.flights.sent())),
            XEvent::MessageReceived(message) => XEvent::MessageReceived(message.flight(inner.flights.last)),
            other => other,
        };
        if let Some(recorder) = &mut inner.recorder {
            recorder.x_event(event);
        }
        if let Some(sink) = inner.sink.as_mut().filter(|sink| sink.on()) {
            sink.x_event(state, event);
        }
        if inner.bus.on() {
            inner.bus.x_event(state, event);
        }
    }
}
