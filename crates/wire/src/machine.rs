use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use porpoise_trace::{ProtocolStage, StageId, TraceEvent, TraceSink, XEvent};

/// What a machine is lent for one call. It keeps none of it.
pub struct Cx<'a, T> {
    /// Received plaintext, oldest byte first. The machine takes what it understands and leaves the rest.
    pub rx: &'a mut BytesMut,
    /// Plaintext to send; the machine appends.
    pub tx: &'a mut BytesMut,
    /// Where the machine tells what happens.
    pub trace: &'a mut T,
}

impl<'a, T: TraceSink> Cx<'a, T> {
    /// A context of the three things.
    pub fn new(rx: &'a mut BytesMut, tx: &'a mut BytesMut, trace: &'a mut T) -> Self {
        Self { rx, tx, trace }
    }

    /// Whether anybody listens.
    #[inline(always)]
    #[must_use]
    pub fn on(&self) -> bool {
        T::can_be_on() && self.trace.on()
    }

    /// Tells an event. Its arguments are not even built when nobody listens.
    #[inline]
    pub fn emit<'e>(&mut self, stage: ProtocolStage, make: impl FnOnce() -> TraceEvent<'e>) {
        if self.on() {
            self.tell(|trace| trace.event(stage, &make()));
        }
    }

    /// Tells an event of the X Protocol.
    #[inline]
    pub fn emit_x<'e>(&mut self, state: StageId, make: impl FnOnce() -> XEvent<'e>) {
        if self.on() {
            self.tell(|trace| trace.x_event(state, &make()));
        }
    }

    /// Tells that a stage is entered.
    #[inline]
    pub fn enter(&mut self, stage: impl FnOnce() -> StageId) {
        if self.on() {
            self.tell(|trace| trace.enter(stage()));
        }
    }

    /// Out of line: a sink that is asked at run time, and off, costs its callers the question and nothing else.
    #[cold]
    fn tell(&mut self, tell: impl FnOnce(&mut T)) {
        tell(self.trace);
    }
}

/// What a machine answers when it cannot go on by itself, or has something to say.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Step<E> {
    /// Something happened; call again.
    Event(E),
    /// More received bytes are needed: write what `tx` holds, then read. Never an event's promise: bytes beyond
    /// `at_least` may be read too.
    NeedRead {
        /// How many bytes `rx` must hold in all before another call can help.
        at_least: usize,
    },
    /// What is in `tx` must leave before the machine goes on.
    NeedWrite,
    /// Write what is in `tx`, then do the TLS handshake, then call [`Machine::tls_ready`]. `rx` is empty.
    StartTls,
    /// No reply is owed: write what is in `tx`.
    Idle,
}

/// What a machine must know of a TLS handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TlsInfo {
    /// Whether the server's certificate chain was checked against a CA.
    pub verified: bool,
}

impl TlsInfo {
    /// What a machine must know of a TLS handshake.
    #[must_use]
    pub const fn new(verified: bool) -> Self {
        Self { verified }
    }
}

/// Why the outside ends a machine.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Lost {
    /// The host name could not be resolved.
    Resolve(Arc<io::Error>),
    /// No address could be connected to.
    Dial(Arc<io::Error>),
    /// Reading failed.
    Read(Arc<io::Error>),
    /// Writing failed.
    Write(Arc<io::Error>),
    /// The peer closed the connection.
    Closed,
    /// A deadline passed.
    Deadline {
        /// How long was allowed.
        after: Duration,
        /// Whether it was the deadline of one stage, not that of the whole.
        stage: bool,
    },
    /// TLS failed.
    Tls {
        /// Why.
        error: Arc<dyn StdError + Send + Sync>,
        /// Whether the server does not know the name that was asked for (SNI).
        unrecognized_name: bool,
    },
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Resolve(e) => write!(f, "the host name cannot be resolved: {e}"),
            Self::Dial(e) => write!(f, "cannot connect: {e}"),
            Self::Read(e) => write!(f, "reading failed: {e}"),
            Self::Write(e) => write!(f, "writing failed: {e}"),
            Self::Closed => f.write_str("the server closed the connection"),
            Self::Deadline { after, stage: true } => write!(f, "the stage's deadline of {after:?} passed"),
            Self::Deadline { after, stage: false } => write!(f, "the deadline of {after:?} passed"),
            Self::Tls { error, .. } => write!(f, "{error}"),
        }
    }
}

/// A protocol machine: a plain value that owns no socket, no buffer, no clock, no thread and no TLS.
///
/// Call [`advance`](Machine::advance) and do what the [`Step`] says, until the machine has given what it is for.
/// When the outside fails, call [`lost`](Machine::lost) and report the error it makes of it.
pub trait Machine {
    /// What the machine has to say.
    type Event;
    /// How it fails.
    type Error;
    /// What a deadline is set for, and what an error names.
    type Stage: Copy;

    /// Runs until it has an event or cannot go on.
    ///
    /// # Errors
    /// An error is final: every later call returns the same.
    fn advance<T: TraceSink>(&mut self, cx: &mut Cx<'_, T>) -> Result<Step<Self::Event>, Self::Error>;

    /// The TLS handshake that [`Step::StartTls`] asked for is done.
    fn tls_ready<T: TraceSink>(&mut self, info: &TlsInfo, cx: &mut Cx<'_, T>);

    /// The outside failed. Tells the trace, and makes an error that names the stage.
    fn lost<T: TraceSink>(&mut self, why: Lost, cx: &mut Cx<'_, T>) -> Self::Error;

    /// Where the machine is.
    fn stage(&self) -> Self::Stage;
}
