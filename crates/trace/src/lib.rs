//! MySQL's client protocol trace: protocol stages, events, sinks and a bus of subscribers.
//!
//! This crate knows no packets and depends on nothing. A protocol machine is lent a [`TraceSink`] for each
//! call and tells it what happens; [`NoTrace`] makes all of that disappear at compile time.

mod bus;
mod event;
mod generated;
mod payload;
mod record;
mod sink;

pub use bus::{Bus, Flow, GlobalSubscription, Subscriber, Tracing};
pub use event::TraceEvent;
pub use generated::event_kind::TraceEventKind;
pub use generated::protocol_stage::ProtocolStage;
pub use payload::Payload;
pub use record::{Record, RecordEntry};
pub use sink::{MachineKind, NoTrace, StageId, TraceSink};
