use crate::Payload;

/// What happens on a connection of the X Protocol, told in the state of its life cycle.
///
/// MySQL's trace plugins know the classic protocol only; these are porpoise's own. A change of state is told by
/// [`TraceSink::enter`](crate::TraceSink::enter).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum XEvent<'a> {
    /// A connect begins; no socket exists.
    Connecting,
    /// The transport is connected.
    Connected,
    /// The TLS handshake is about to start.
    TlsConnect,
    /// The TLS handshake and the identity check succeeded.
    TlsConnected,
    /// An authentication mechanism is about to run.
    Mechanism {
        /// Its name.
        name: &'a str,
    },
    /// A message was handed over to be sent.
    MessageSent(XMessage<'a>),
    /// A message was received, before it is interpreted.
    MessageReceived(XMessage<'a>),
    /// Authentication succeeded.
    Authenticated,
    /// The client found an error. Not told for Error messages of the server.
    Error {
        /// The client error number, `CR_*`.
        errno: u16,
    },
    /// The transport is gone.
    Disconnected,
}

/// A message as an event shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct XMessage<'a> {
    /// The frame's type byte.
    pub kind: u8,
    /// The message's full name, such as `Mysqlx.Session.Reset`; empty for a type that has none.
    pub name: &'static str,
    /// The frame's payload; sensitive while authenticating.
    pub payload: Payload<'a>,
    /// It travels inside a Compression message.
    pub inner: bool,
    /// The flight that it belongs to, from 1; 0 if nothing was sent yet, or nobody counts. A message that is sent belongs
    /// to a new flight if its client has waited for input since it sent the last one.
    pub flight: u32,
}

impl<'a> XMessage<'a> {
    /// A message in a frame of its own.
    #[must_use]
    pub const fn new(kind: u8, name: &'static str, payload: Payload<'a>) -> Self {
        Self { kind, name, payload, inner: false, flight: 0 }
    }

    /// Sets [`inner`](Self::inner).
    #[must_use]
    pub const fn inner(mut self, inner: bool) -> Self {
        self.inner = inner;
        self
    }

    /// Sets [`flight`](Self::flight).
    #[must_use]
    pub const fn flight(mut self, flight: u32) -> Self {
        self.flight = flight;
        self
    }
}

impl XEvent<'_> {
    /// The event's name: `MESSAGE_SENT`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Connecting => "CONNECTING",
            Self::Connected => "CONNECTED",
            Self::TlsConnect => "TLS_CONNECT",
            Self::TlsConnected => "TLS_CONNECTED",
            Self::Mechanism { .. } => "MECHANISM",
            Self::MessageSent(_) => "MESSAGE_SENT",
            Self::MessageReceived(_) => "MESSAGE_RECEIVED",
            Self::Authenticated => "AUTHENTICATED",
            Self::Error { .. } => "ERROR",
            Self::Disconnected => "DISCONNECTED",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_never_shows_payload_bytes() {
        for payload in [Payload::open(b"hunter2"), Payload::sensitive(b"hunter2")] {
            let message = XMessage::new(4, "Mysqlx.Session.AuthenticateStart", payload).inner(true);
            for event in [XEvent::MessageSent(message), XEvent::MessageReceived(message)] {
                let shown = format!("{event:?} {event:#?}");
                assert!(!shown.contains("hunter2") && !shown.contains("104"), "{shown}");
                assert!(shown.contains("7 bytes") && shown.contains("inner: true"), "{shown}");
            }
        }
    }
}
