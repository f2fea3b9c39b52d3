use crate::{ProtocolStage, TraceEvent, XEvent};

/// Which machine a [`StageId`] belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MachineKind {
    /// MySQL's `enum connect_stage`: the classic connect.
    Connect,
    /// The life cycle of the X Protocol.
    X,
}

/// A stage of some machine, as a plain value: the bus carries connect stages although it knows no protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct StageId {
    /// The machine that entered the stage.
    pub machine: MachineKind,
    /// The stage's number, as in MySQL's headers.
    pub number: u8,
    /// The stage's name without its prefix: `READ_GREETING`.
    pub name: &'static str,
}

impl StageId {
    /// A stage id.
    #[must_use]
    pub const fn new(machine: MachineKind, number: u8, name: &'static str) -> Self {
        Self { machine, number, name }
    }
}

/// Where a machine tells what happens. Lent for one call; a machine keeps none.
///
/// A machine asks [`on`](TraceSink::on) before it builds the arguments of an event, so a sink that is off costs a
/// branch, and [`NoTrace`] costs nothing.
pub trait TraceSink {
    /// Whether anybody listens. Must be cheap.
    fn on(&self) -> bool;

    /// Whether a sink of this type can be on at all: asked first, of the type alone, so that for one that cannot
    /// the compiler need not even hand the sink around.
    #[inline(always)]
    fn can_be_on() -> bool
    where
        Self: Sized,
    {
        true
    }

    /// A machine enters a stage.
    fn enter(&mut self, stage: StageId);

    /// A protocol event happens in a protocol stage.
    fn event(&mut self, stage: ProtocolStage, event: &TraceEvent<'_>);

    /// An event of the X Protocol happens in a state of its life cycle.
    fn x_event(&mut self, state: StageId, event: &XEvent<'_>) {
        let _ = (state, event);
    }
}

/// The sink that is never on. The compiler drops every emission to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NoTrace;

impl TraceSink for NoTrace {
    #[inline(always)]
    fn on(&self) -> bool {
        false
    }

    #[inline(always)]
    fn can_be_on() -> bool {
        false
    }

    #[inline(always)]
    fn enter(&mut self, _: StageId) {}

    #[inline(always)]
    fn event(&mut self, _: ProtocolStage, _: &TraceEvent<'_>) {}

    #[inline(always)]
    fn x_event(&mut self, _: StageId, _: &XEvent<'_>) {}
}

impl<T: TraceSink + ?Sized> TraceSink for &mut T {
    #[inline]
    fn on(&self) -> bool {
        (**self).on()
    }

    #[inline]
    fn enter(&mut self, stage: StageId) {
        (**self).enter(stage);
    }

    #[inline]
    fn event(&mut self, stage: ProtocolStage, event: &TraceEvent<'_>) {
        (**self).event(stage, event);
    }

    #[inline]
    fn x_event(&mut self, state: StageId, event: &XEvent<'_>) {
        (**self).x_event(state, event);
    }
}

#[cfg(test)]
mod tests {
    use super::{MachineKind, NoTrace, StageId, TraceSink};
    use crate::{ProtocolStage, Record, TraceEvent};

    fn tell(mut sink: impl TraceSink) -> bool {
        sink.enter(StageId::new(MachineKind::Connect, 5, "READ_GREETING"));
        sink.event(ProtocolStage::WaitForInitPacket, &TraceEvent::ReadPacket);
        sink.on()
    }

    #[test]
    fn a_borrowed_sink_hears_what_it_is_told() {
        let mut record = Record::new();
        assert!(tell(&mut record));
        assert_eq!(record.entries().len(), 2);
    }

    #[test]
    fn no_trace_is_off() {
        assert!(!tell(NoTrace));
        assert!(!tell(&mut NoTrace));
    }
}
