use std::collections::VecDeque;

use bytes::{BufMut, BytesMut};
use porpoise_trace::{Payload, TraceSink, XEvent, XMessage};
use porpoise_wire::{Cx, Limits, Lost, Machine, Step, TlsInfo, XFramer};

use crate::columns::Collector;
use crate::error::XErrorKind;
use crate::messages::{connection, notice, session};
use crate::owed::{Asked, Expect, Owed, Then, encode_masked, encoded};
use crate::packing::Packing;
use crate::{ClientKind, ClientMessage, Columns, Event, LifeCycle, Misuse, Reaction, XError};

/// What the trace shows in place of authentication data that is not empty.
const MASK: &[u8] = b"***";

/// A connection of the X Protocol: its life cycle, what is sent on it, and the replies in their order.
///
/// ```text
///  CONNECTED --> NEGOTIATING --> TLS            SESSION_CLOSED <--+
///      |             |            |                    |          |
///      +-------------+------------+--> AUTHENTICATING <+          | Session.Close, Reset
///                                        |    ^   |               |
///                     AUTHENTICATION_FAILED --+   +--> SESSION ---+
///                                                         |
///  from everywhere: ERROR, CLOSED                      CLOSING --> CLOSED
/// ```
///
/// Messages only append to [`Cx::tx`], as many at once as the caller likes; the replies come from
/// [`advance`](Machine::advance) in the same order, event by event. [`replies_owed`](Self::replies_owed) goes down by one
/// when a reply is over, which tells whose events are whose. What the server could not take in one flight is refused as
/// [`Misuse`] before a byte of it is written: anything behind a request for TLS or behind a login that awaits a challenge,
/// and whatever has no place in the [life cycle](LifeCycle::reaction).
///
/// An Error message is an event. It is followed by an error only if it ends the connection.
///
/// The owner calls [`connected`](Self::connected) when the transport is open, does what each [`Step`] says, keeps on
/// reading while it writes, and lets idle connections read, too: notices come at any time.
#[derive(Debug)]
pub struct Connection {
    pub(crate) framer: XFramer,
    pub(crate) limits: Limits,
    pub(crate) state: LifeCycle,
    /// Requests whose replies are owed, the oldest first.
    pub(crate) owed: VecDeque<Owed>,
    /// The oldest one's turn has come: its state is entered.
    pub(crate) begun: bool,
    /// Where the server will be if all that is owed succeeds.
    ahead: LifeCycle,
    pub(crate) tls: Tls,
    pub(crate) collector: Collector,
    /// The columns of the last result.
    pub(crate) columns: Columns,
    /// A frame came, so the server does speak this protocol.
    pub(crate) greeted: bool,
    pub(crate) one_by_one: bool,
    pub(crate) let_through: bool,
    pub(crate) packing: Packing,
    pub(crate) goodbye: Option<notice::Warning>,
    pub(crate) failed: Option<XError>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tls {
    Off,
    /// The server said Ok: the handshake is next.
    Due,
    /// That was told.
    Begun,
    On,
}

impl Default for Connection {
    fn default() -> Self {
        Self::new(Limits::default())
    }
}

impl Connection {
    /// A connection whose transport is not open yet. [`Limits::max_packet`] bounds frames of both directions.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            framer: XFramer::new(limits.max_packet),
            limits,
            state: LifeCycle::Closed,
            owed: VecDeque::new(),
            begun: false,
            ahead: LifeCycle::Connected,
            tls: Tls::Off,
            collector: Collector::default(),
            columns: Columns::default(),
            greeted: false,
            one_by_one: false,
            let_through: false,
            packing: Packing::default(),
            goodbye: None,
            failed: None,
        }
    }

    /// Rows come one in a batch, and each column's definition is told, for those who want to count messages: every message
    /// but Compression is one event then. [`Event::Columns`] is none. Off at first.
    pub const fn one_by_one(&mut self, on: bool) {
        self.one_by_one = on;
    }

    /// Messages that nobody waits for are told, and a connection that the server ended is read to its end: for tools that
    /// send what they please. Off at first: such a message is an error.
    pub const fn let_through(&mut self, on: bool) {
        self.let_through = on;
    }

    /// Where the connection is in its life.
    #[must_use]
    pub const fn state(&self) -> LifeCycle {
        self.state
    }

    /// How many requests have no whole reply yet.
    #[must_use]
    pub fn replies_owed(&self) -> usize {
        self.owed.len()
    }

    /// Whether TLS is on.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        self.tls == Tls::On
    }

    /// Why the server is about to end the connection, if it said so.
    #[must_use]
    pub const fn goodbye(&self) -> Option<&notice::Warning> {
        self.goodbye.as_ref()
    }

    /// The rows that a cursor is about to give have these columns: they come without.
    pub fn expect_columns(&mut self, columns: Columns) {
        self.columns = columns;
    }

    /// A connect begins.
    pub fn dialing<T: TraceSink>(&mut self, cx: &mut Cx<'_, T>) {
        cx.emit_x(LifeCycle::Closed.id(), || XEvent::Connecting);
    }

    /// The transport is open.
    pub fn connected<T: TraceSink>(&mut self, cx: &mut Cx<'_, T>) {
        self.enter(LifeCycle::Connected, cx);
        self.emit(cx, || XEvent::Connected);
    }

    /// Sends a message.
    ///
    /// # Errors
    /// [`Misuse`] for what the server would not take; nothing is written then.
    pub fn send<M: ClientMessage, T: TraceSink>(
        &mut self,
        message: &M,
        cx: &mut Cx<'_, T>,
    ) -> Result<(), Misuse> {
        self.check(M::KIND)?;
        self.put(message, Then::of(message), cx)
    }

    /// Sends a message whether or not the server will take it. Its reply is read as the server is known to give it.
    ///
    /// # Errors
    /// [`Misuse::TooLarge`], [`Misuse::Closed`].
    pub fn send_unchecked<M: ClientMessage, T: TraceSink>(
        &mut self,
        message: &M,
        cx: &mut Cx<'_, T>,
    ) -> Result<(), Misuse> {
        self.open()?;
        self.put(message, Then::of(message), cx)
    }

    /// Sends a message that is encoded already, whether or not the server will take it: what its payload lacks stays lacking.
    /// Its reply is read as the server is known to give it. A trace shows a mask in place of authentication data.
    ///
    /// # Errors
    /// [`Misuse::TooLarge`], [`Misuse::Closed`].
    pub fn send_encoded<T: TraceSink>(
        &mut self,
        kind: ClientKind,
        payload: &[u8],
        cx: &mut Cx<'_, T>,
    ) -> Result<(), Misuse> {
        self.open()?;
        let (then, compression) = encoded(kind, payload);
        if matches!(kind, ClientKind::SESS_AUTHENTICATE_START | ClientKind::SESS_AUTHENTICATE_CONTINUE) {
            let write = |tx: &mut BytesMut| tx.put_slice(payload);
            let shown = |tx: &mut BytesMut| encode_masked(kind, payload, tx);
            return self.put_secret(kind, payload.len(), then, (write, shown), cx);
        }
        self.fits(payload.len())?;
        let start = cx.tx.len();
        let written = XFramer::write(cx.tx, kind.number(), |tx| tx.put_slice(payload));
        self.put_frame(start, kind, written, (then, compression), cx)
    }

    /// Sends bytes that may be no message. No reply is expected: see [`let_through`](Self::let_through).
    ///
    /// # Errors
    /// [`Misuse::Closed`].
    pub fn send_bytes<T: TraceSink>(&mut self, bytes: &[u8], cx: &mut Cx<'_, T>) -> Result<(), Misuse> {
        self.open()?;
        self.pack(cx);
        cx.tx.put_slice(bytes);
        let kind = bytes.get(4).copied().unwrap_or_default();
        self.emit(cx, || XEvent::MessageSent(XMessage::new(kind, "", Payload::open(bytes))));
        Ok(())
    }

    /// Connection.CapabilitiesGet. The reply is [`Event::Capabilities`] or [`Event::Error`].
    ///
    /// # Errors
    /// [`Misuse`].
    pub fn capabilities_get<T: TraceSink>(&mut self, cx: &mut Cx<'_, T>) -> Result<(), Misuse> {
        self.send(&connection::CapabilitiesGet {}, cx)
    }

    /// Session.AuthenticateStart. `data` goes into `auth_data`, or into `initial_response` for EXTERNAL. A mechanism that
    /// answers a `challenge` lets nothing follow before the challenge came.
    ///
    /// # Errors
    /// [`Misuse`].
    pub fn authenticate_start<T: TraceSink>(
        &mut self,
        mechanism: &str,
        data: Option<&[u8]>,
        challenge: bool,
        cx: &mut Cx<'_, T>,
    ) -> Result<(), Misuse> {
        self.check(ClientKind::SESS_AUTHENTICATE_START)?;
        self.emit(cx, || XEvent::Mechanism { name: mechanism });
        let field = if mechanism == porpoise_auth::SaslExternal::NAME { 3 } else { 2 };
        let put = |tx: &mut BytesMut, data: Option<&[u8]>| {
            prost::encoding::string::encode(1, &mechanism.to_owned(), tx);
            if let Some(data) = data {
                put_bytes(field, data, tx);
            }
        };
        let write = (|tx: &mut BytesMut| put(tx, data), |tx: &mut BytesMut| put(tx, data.map(mask)));
        let (kind, len) = (ClientKind::SESS_AUTHENTICATE_START, data.map_or(0, <[u8]>::len));
        self.put_secret(kind, len, Then::Login { challenge }, write, cx)
    }

    /// Session.AuthenticateContinue: the answer to a challenge.
    ///
    /// # Errors
    /// [`Misuse`].
    pub fn authenticate_continue<T: TraceSink>(
        &mut self,
        data: &[u8],
        cx: &mut Cx<'_, T>,
    ) -> Result<(), Misuse> {
        self.check(ClientKind::SESS_AUTHENTICATE_CONTINUE)?;
        let write = |tx: &mut BytesMut| put_bytes(1, data, tx);
        let shown = |tx: &mut BytesMut| put_bytes(1, mask(data), tx);
        let then = Then::Login { challenge: false };
        self.put_secret(ClientKind::SESS_AUTHENTICATE_CONTINUE, data.len(), then, (write, shown), cx)
    }

    /// Session.Reset: puts the session back to its beginning. Unless it is kept open, a login must follow. The reply is
    /// [`Event::Ok`] or [`Event::Error`].
    ///
    /// # Errors
    /// [`Misuse`].
    pub fn session_reset<T: TraceSink>(&mut self, keep_open: bool, cx: &mut Cx<'_, T>) -> Result<(), Misuse> {
        self.send(&session::Reset { keep_open: keep_open.then_some(true) }, cx)
    }

    /// Session.Close: ends the session, not the connection. The reply is [`Event::Ok`] or [`Event::Error`].
    ///
    /// # Errors
    /// [`Misuse`].
    pub fn session_close<T: TraceSink>(&mut self, cx: &mut Cx<'_, T>) -> Result<(), Misuse> {
        self.send(&session::Close {}, cx)
    }

    /// Connection.Close. The reply is [`Event::Ok`], then the server closes the transport.
    ///
    /// # Errors
    /// [`Misuse`].
    pub fn close<T: TraceSink>(&mut self, cx: &mut Cx<'_, T>) -> Result<(), Misuse> {
        self.send(&connection::Close {}, cx)
    }

    /// The transport was closed by this side.
    pub fn closed<T: TraceSink>(&mut self, cx: &mut Cx<'_, T>) {
        if self.state != LifeCycle::Closed {
            self.enter(LifeCycle::Closed, cx);
            self.emit(cx, || XEvent::Disconnected);
        }
    }

    const fn open(&self) -> Result<(), Misuse> {
        match self.state {
            LifeCycle::Closed | LifeCycle::Error => Err(Misuse::Closed),
            _ => Ok(()),
        }
    }

    /// Whether the server would take a message of this kind behind all that was sent.
    fn check(&self, kind: ClientKind) -> Result<(), Misuse> {
        self.open()?;
        match self.owed.back().map(|owed| owed.then) {
            Some(Then::Tls) => return Err(Misuse::BehindTls),
            Some(Then::Login { challenge: true }) => return Err(Misuse::BehindChallenge),
            _ if matches!(self.tls, Tls::Due | Tls::Begun) => return Err(Misuse::BehindTls),
            _ => {}
        }
        match self.ahead.reaction(kind) {
            Reaction::Reply | Reaction::Attributes | Reaction::Compressed => Ok(()),
            _ if self.ahead == LifeCycle::Closing => Err(Misuse::Closed),
            _ => Err(Misuse::NotThen { message: kind, state: self.ahead }),
        }
    }

    fn put<M: ClientMessage, T: TraceSink>(
        &mut self,
        message: &M,
        then: Then,
        cx: &mut Cx<'_, T>,
    ) -> Result<(), Misuse> {
        self.fits(message.encoded_len())?;
        let start = cx.tx.len();
        let written = XFramer::write(cx.tx, M::KIND.number(), |tx| message.encode_raw(tx));
        self.put_frame(start, M::KIND, written, (then, Asked::of(message)), cx)
    }

    /// A frame was written at `start`.
    fn put_frame<T: TraceSink>(
        &mut self,
        start: usize,
        kind: ClientKind,
        written: Result<usize, porpoise_wire::WireError>,
        (then, compression): (Then, Option<Asked>),
        cx: &mut Cx<'_, T>,
    ) -> Result<(), Misuse> {
        self.sent(kind, written, then, compression)?;
        self.packed_later(start, cx);
        if self.let_through {
            // Who sends what he pleases may not read for long.
            self.turn(cx);
        }
        Ok(())
    }

    /// Writes a message that holds a secret of that length straight into `tx`. The trace is told what `shown` writes.
    fn put_secret<T: TraceSink>(
        &mut self,
        kind: ClientKind,
        secret: usize,
        then: Then,
        (write, shown): (impl FnOnce(&mut BytesMut), impl FnOnce(&mut BytesMut)),
        cx: &mut Cx<'_, T>,
    ) -> Result<(), Misuse> {
        // A secret is not compressed: its size would tell of it.
        self.pack(cx);
        /// More than the header, the tags, the lengths and the longest mechanism's name take.
        const AROUND: usize = 128;
        let size = secret + AROUND;
        self.fits(size)?;
        // At once: a buffer that grows under a secret leaves a copy of it behind.
        cx.tx.reserve(size);
        let written = XFramer::write(cx.tx, kind.number(), write);
        self.sent(kind, written, then, None)?;
        self.emit_masked(kind, shown, cx);
        if self.let_through {
            self.turn(cx);
        }
        Ok(())
    }

    #[cold]
    fn emit_masked<T: TraceSink>(
        &self,
        kind: ClientKind,
        write: impl FnOnce(&mut BytesMut),
        cx: &mut Cx<'_, T>,
    ) {
        if cx.on() {
            let mut shown = BytesMut::new();
            write(&mut shown);
            let message =
                XMessage::new(kind.number(), kind.name().unwrap_or_default(), Payload::open(&shown));
            cx.trace.x_event(self.state.id(), &XEvent::MessageSent(message));
        }
    }

    fn fits(&self, payload: usize) -> Result<(), Misuse> {
        let (size, limit) = (payload + 1, self.framer.max_frame());
        if size > limit { Err(Misuse::TooLarge { size, limit }) } else { Ok(()) }
    }

    /// A message is in `tx`: its reply is owed.
    fn sent(
        &mut self,
        kind: ClientKind,
        written: Result<usize, porpoise_wire::WireError>,
        then: Then,
        compression: Option<Asked>,
    ) -> Result<(), Misuse> {
        let limit = self.framer.max_frame();
        written.map_err(|_| Misuse::TooLarge { size: usize::MAX, limit })?;
        self.owed.push_back(Owed { kind, expect: Expect::of(kind), then, compression });
        self.ahead = then.after(kind, self.ahead);
        Ok(())
    }

    /// A reply is over. If it was the last one, the server is where this side is.
    pub(crate) fn settle(&mut self) {
        self.owed.pop_front();
        self.begun = false;
        if self.owed.is_empty() {
            self.ahead = self.state;
        }
    }

    pub(crate) fn enter<T: TraceSink>(&mut self, state: LifeCycle, cx: &mut Cx<'_, T>) {
        if self.state != state {
            self.state = state;
            if self.owed.is_empty() {
                self.ahead = state;
            }
            cx.enter(|| state.id());
        }
    }

    #[inline]
    pub(crate) fn emit<'e, T: TraceSink>(&self, cx: &mut Cx<'_, T>, make: impl FnOnce() -> XEvent<'e>) {
        cx.emit_x(self.state.id(), make);
    }

    /// Ends the connection. What is owed will not come any more.
    #[cold]
    fn fail<T: TraceSink>(&mut self, error: &XError, cx: &mut Cx<'_, T>) {
        if !matches!(error.kind(), XErrorKind::Fatal(_)) {
            self.emit(cx, || XEvent::Error { errno: error.code() });
        }
        self.owed.clear();
        self.enter(LifeCycle::Error, cx);
        self.closed(cx);
        self.failed = Some(error.clone());
    }
}

/// What is shown of authentication data: whether there is any.
pub(crate) const fn mask(data: &[u8]) -> &[u8] {
    if data.is_empty() { data } else { MASK }
}

/// A field of bytes that are not copied into an owned message first.
fn put_bytes(number: u32, bytes: &[u8], tx: &mut BytesMut) {
    prost::encoding::encode_key(number, prost::encoding::WireType::LengthDelimited, tx);
    prost::encoding::encode_varint(bytes.len() as u64, tx);
    tx.put_slice(bytes);
}

impl Machine for Connection {
    type Event = Event;
    type Error = XError;
    type Stage = LifeCycle;

    fn advance<T: TraceSink>(&mut self, cx: &mut Cx<'_, T>) -> Result<Step<Event>, XError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        self.pack(cx);
        let step = self.run(cx);
        if let Err(error) = &step {
            self.fail(error, cx);
        }
        step
    }

    fn tls_ready<T: TraceSink>(&mut self, _: &TlsInfo, cx: &mut Cx<'_, T>) {
        self.tls = Tls::On;
        self.enter(LifeCycle::Tls, cx);
        self.emit(cx, || XEvent::TlsConnected);
    }

    fn lost<T: TraceSink>(&mut self, why: Lost, cx: &mut Cx<'_, T>) -> XError {
        if let Some(error) = &self.failed {
            return error.clone();
        }
        // Servers leave TLS without a close_notify. Behind their goodbye nothing can be cut off any more.
        let whole = self.owed.is_empty() && matches!(why, Lost::Tls { .. });
        let asked =
            self.state == LifeCycle::Closing && (whole || matches!(why, Lost::Closed | Lost::Read(_)));
        let kind = match self.goodbye.take() {
            Some(warning) => XErrorKind::Goodbye(warning),
            None => XErrorKind::Lost(why),
        };
        let error = XError::new(self.state, kind);
        if asked || self.state == LifeCycle::Closed {
            // The end that was asked for is no error, whoever finds it.
            self.owed.clear();
            self.closed(cx);
            self.failed = Some(error.clone());
        } else {
            self.fail(&error, cx);
        }
        error
    }

    fn stage(&self) -> LifeCycle {
        self.state
    }
}
