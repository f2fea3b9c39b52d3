//! MySQL's client protocol trace: protocol stages, events, sinks, and a bus of subscribers.
//!
//! It depends on nothing and knows no packets. Protocol machines tell it what happens; whoever is interested
//! listens. It follows MySQL's trace plugins (`plugin_trace.h`; "MySQL Reference Manual: Writing Protocol Trace
//! Plugins"): the same 13 [`ProtocolStage`]s, the same 17 [events](TraceEventKind), the same names and numbers.
//! Where MySQL's documentation and its client differ, this crate follows the client and keeps both graphs
//! ([`ProtocolStage::documented_next`], [`ProtocolStage::observed_next`]).
//!
//! | to do this | use |
//! |---|---|
//! | tell what happens, from a protocol machine | a [`TraceSink`], lent for each call |
//! | have no trace, at no cost | [`NoTrace`] |
//! | listen to one connection | [`Bus::subscribe`] |
//! | listen to all connections | [`Bus::subscribe_global`] |
//! | keep what was told, compare it, write it as JSON lines | [`Record`] |
//!
//! # Life of a trace
//!
//! [`Subscriber::tracing_start`] is called once when a connect begins, and gives a [`Tracing`]: the data of that
//! connection. It hears of every stage and event until it answers [`Flow::Stop`], or the event DISCONNECTED
//! was told, or the bus is dropped; then [`Tracing::tracing_stop`] is called, exactly once. After that it hears
//! nothing until the next connect begins. Subscribers do not affect each other.
//!
//! # Secrets
//!
//! Events lend the bytes of packets as [`Payload`]. Packets that may hold a secret tell their length only, and
//! `Debug` shows the bytes of none.
//!
//! # Example
//!
//! A subscriber that notes the plugins of each connection and then has heard enough:
//!
//! ```
//! use std::sync::{Arc, Mutex};
//!
//! use porpoise_trace::{Bus, Flow, ProtocolStage, Subscriber, TraceEvent, TraceSink, Tracing};
//!
//! #[derive(Clone, Default)]
//! struct Plugins(Arc<Mutex<Vec<String>>>);
//!
//! /// What is kept of one connection.
//! struct Connection {
//!     number: u64,
//!     notes: Plugins,
//! }
//!
//! impl Subscriber for Plugins {
//!     fn tracing_start(&self, connection: u64, _: ProtocolStage) -> Option<Box<dyn Tracing>> {
//!         Some(Box::new(Connection { number: connection, notes: self.clone() }))
//!     }
//! }
//!
//! impl Tracing for Connection {
//!     fn trace_event(&mut self, _: ProtocolStage, event: &TraceEvent<'_>) -> Flow {
//!         match event {
//!             TraceEvent::AuthPlugin { plugin_name } => {
//!                 let note = format!("connection {}: {plugin_name}", self.number);
//!                 self.notes.0.lock().unwrap().push(note);
//!                 Flow::Continue
//!             }
//!             TraceEvent::Authenticated => Flow::Stop,
//!             _ => Flow::Continue,
//!         }
//!     }
//! }
//!
//! let notes = Plugins::default();
//! let mut bus = Bus::new();
//! bus.subscribe(Arc::new(notes.clone()));
//!
//! // A protocol machine tells the bus what it does; here a hand does it.
//! let plugin = TraceEvent::AuthPlugin { plugin_name: "caching_sha2_password" };
//! bus.event(ProtocolStage::Connecting, &TraceEvent::Connecting);
//! bus.event(ProtocolStage::Authenticate, &plugin);
//! bus.event(ProtocolStage::Authenticate, &TraceEvent::Authenticated);
//! bus.event(ProtocolStage::ReadyForCommand, &plugin); // not heard any more
//!
//! assert_eq!(*notes.0.lock().unwrap(), ["connection 1: caching_sha2_password"]);
//! ```

mod bus;
mod event;
mod generated;
mod payload;
mod record;
mod sink;
mod x;

pub use bus::{Bus, Flow, GlobalSubscription, Subscriber, Tracing};
pub use event::TraceEvent;
pub use generated::event_kind::TraceEventKind;
pub use generated::protocol_stage::ProtocolStage;
pub use payload::Payload;
pub use record::{Record, RecordEntry};
pub use sink::{MachineKind, NoTrace, StageId, TraceSink};
pub use x::{XEvent, XMessage};
