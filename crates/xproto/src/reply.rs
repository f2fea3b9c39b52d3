//! Replies: one message, or one run of rows, at a time.

use bytes::{Bytes, BytesMut};
use porpoise_trace::{Payload, TraceSink, XEvent, XMessage};
use porpoise_wire::{Cx, Frame, Step, WireError};
use prost::Message as _;

use crate::columns::Bounds;
use crate::compress::Compression;
use crate::connection::{Connection, Tls, mask};
use crate::error::XErrorKind;
use crate::messages::{self, connection, session};
use crate::owed::{Expect, Then};
use crate::{
    ClientKind, Event, Fetched, LifeCycle, Notice, Reaction, RowBatch, ServerError, ServerKind, XError,
};

/// Nothing: look again.
type Read = Result<Option<Step<Event>>, XError>;

/// The type byte that a greeting of the classic protocol has in this protocol's eyes: its version.
const CLASSIC_GREETING: u8 = 10;

/// Definitions of columns may take this much whatever the limit of a frame is.
const MIN_DEFINITIONS: usize = 16 << 10;

impl Connection {
    pub(crate) fn run<T: TraceSink>(&mut self, cx: &mut Cx<'_, T>) -> Result<Step<Event>, XError> {
        loop {
            if matches!(self.tls, Tls::Due | Tls::Begun) {
                return self.start_tls(cx);
            }
            self.turn(cx);
            let idle = self.owed.is_empty() && !(self.let_through && self.state == LifeCycle::Error);
            let framer = self.framer;
            match framer.poll(self.source(cx)).map_err(|error| self.frame_error(error))? {
                Frame::Ready => {}
                // When nothing is owed, nothing is waited for.
                _ if idle => return Ok(Step::Idle),
                Frame::Need(at_least) => return Ok(Step::NeedRead { at_least }),
                _ => return Ok(Step::NeedRead { at_least: cx.rx.len() + 1 }),
            }
            if let Some(step) = self.message(cx)? {
                return Ok(step);
            }
        }
    }

    /// Where the next message is: inflated ones come before those behind them.
    fn source<'a, T>(&'a mut self, cx: &'a mut Cx<'_, T>) -> &'a mut BytesMut {
        match &mut self.packing.on {
            Some(compression) if !compression.inner.is_empty() => &mut compression.inner,
            _ => cx.rx,
        }
    }

    /// Whether the next message travelled inside another.
    fn is_inner(&self) -> bool {
        self.packing.on.as_ref().is_some_and(|compression| !compression.inner.is_empty())
    }

    /// Brings the oldest request to its turn: a message changes the state when the server comes to it.
    pub(crate) fn turn<T: TraceSink>(&mut self, cx: &mut Cx<'_, T>) {
        while !self.begun
            && let Some(owed) = self.owed.front()
        {
            let (kind, reaction) = (owed.kind, self.state.reaction(owed.kind));
            if reaction == Reaction::Ignored {
                // The server says nothing to it.
                self.settle();
                continue;
            }
            self.begun = true;
            let next = match (kind, self.state) {
                (
                    ClientKind::CON_CAPABILITIES_GET | ClientKind::CON_CAPABILITIES_SET,
                    LifeCycle::Connected | LifeCycle::Tls,
                ) => LifeCycle::Negotiating,
                (ClientKind::SESS_AUTHENTICATE_START, _) if reaction == Reaction::Reply => {
                    LifeCycle::Authenticating
                }
                (ClientKind::CON_CLOSE, _) if reaction == Reaction::Reply => LifeCycle::Closing,
                (_, same) => same,
            };
            self.enter(next, cx);
        }
    }

    /// The handshake begins with the next byte, so none may be here already.
    fn start_tls<T: TraceSink>(&mut self, cx: &mut Cx<'_, T>) -> Result<Step<Event>, XError> {
        match cx.rx.len() {
            0 => {
                if std::mem::replace(&mut self.tls, Tls::Begun) == Tls::Due {
                    self.emit(cx, || XEvent::TlsConnect);
                }
                Ok(Step::StartTls)
            }
            len => Err(self.error(XErrorKind::BytesBeforeTls { len })),
        }
    }

    /// Reads the message that is ready.
    fn message<T: TraceSink>(&mut self, cx: &mut Cx<'_, T>) -> Read {
        let framer = self.framer;
        let Some((number, _)) = framer.message(self.source(cx)) else { return Ok(None) };
        let kind = ServerKind::new(number);
        if !std::mem::replace(&mut self.greeted, true) && number == CLASSIC_GREETING {
            return Err(self.error(XErrorKind::ClassicGreeting));
        }
        if kind == ServerKind::RESULTSET_ROW && self.expects() == Some(Expect::Results) {
            return self.rows(cx);
        }
        if !self.collector.is_empty()
            && !matches!(
                kind,
                ServerKind::RESULTSET_COLUMN_META_DATA
                    | ServerKind::NOTICE
                    | ServerKind::ERROR
                    // More of them may be in it.
                    | ServerKind::COMPRESSION
            )
        {
            return self.columns_end();
        }
        let inner = self.is_inner();
        let Some((_, payload)) = framer.take(self.source(cx)) else { return Ok(None) };
        self.tell(kind, &payload, inner, cx);
        match kind {
            ServerKind::NOTICE => self.notice(&payload),
            ServerKind::ERROR => self.server_error(&payload, cx),
            ServerKind::COMPRESSION if self.is_compressed() => self.inflate(&payload),
            _ => match self.expects() {
                Some(Expect::Ok) if kind == ServerKind::OK => self.ok(&payload, cx),
                Some(Expect::Capabilities) if kind == ServerKind::CONN_CAPABILITIES => {
                    let capabilities: connection::Capabilities = self.decode(kind, payload)?;
                    self.settle();
                    event(Event::Capabilities(capabilities))
                }
                Some(Expect::Authentication) => self.authentication(kind, payload, cx),
                Some(Expect::Results) => self.result(kind, payload),
                _ => self.unasked(kind, payload),
            },
        }
    }

    /// What the oldest request's reply is made of.
    fn expects(&self) -> Option<Expect> {
        self.owed.front().map(|owed| owed.expect)
    }

    /// Tells a received message. Of authentication data only whether there is any.
    fn tell<T: TraceSink>(&self, kind: ServerKind, payload: &Bytes, inner: bool, cx: &mut Cx<'_, T>) {
        if !cx.on() {
            return;
        }
        let name = kind.name().unwrap_or_default();
        let mut tell = |payload| {
            let message = XMessage::new(kind.number(), name, payload).inner(inner);
            cx.trace.x_event(self.state.id(), &XEvent::MessageReceived(message));
        };
        match kind {
            // The compressed bytes are what it holds, and told as such.
            ServerKind::COMPRESSION => {
                let mut shown = BytesMut::new();
                if let Ok(mut message) = connection::Compression::decode(payload.clone()) {
                    message.payload = Bytes::new();
                    message.encode_raw(&mut shown);
                }
                tell(Payload::open(&shown));
            }
            ServerKind::SESS_AUTHENTICATE_CONTINUE | ServerKind::SESS_AUTHENTICATE_OK => {
                let mut shown = BytesMut::new();
                // Both messages are one field of bytes, of the same number.
                match session::AuthenticateOk::decode(payload.clone()) {
                    Ok(mut message) => {
                        message.auth_data = message.auth_data.map(|data| Bytes::copy_from_slice(mask(&data)));
                        message.encode_raw(&mut shown);
                        tell(Payload::open(&shown));
                    }
                    Err(_) => tell(Payload::sensitive(payload)),
                }
            }
            _ => tell(Payload::open(payload)),
        }
    }

    fn inflate(&mut self, payload: &Bytes) -> Read {
        let framer = self.framer;
        let inflated = self.packing.on.as_mut().map(|compression| compression.inflate(payload, framer));
        match inflated {
            Some(Err(error)) => Err(self.broken(ServerKind::COMPRESSION, error)),
            _ => Ok(None),
        }
    }

    fn notice(&mut self, payload: &Bytes) -> Read {
        let notice = Notice::parse(payload).map_err(|error| self.broken(ServerKind::NOTICE, error))?;
        if let Some(warning) = notice.goodbye() {
            self.goodbye = Some(warning.clone());
        }
        event(Event::Notice(notice))
    }

    fn server_error<T: TraceSink>(&mut self, payload: &Bytes, cx: &mut Cx<'_, T>) -> Read {
        let message: messages::Error = self.decode(ServerKind::ERROR, payload.clone())?;
        let error = ServerError::new(message);
        self.collector.clear();
        if error.ends_connection() {
            let state = self.state;
            self.owed.clear();
            self.enter(LifeCycle::Error, cx);
            if self.let_through {
                return event(Event::Error(error));
            }
            return Err(XError::new(state, XErrorKind::Fatal(error)));
        }
        if self.owed.is_empty() && !self.let_through {
            return Err(self.unexpected(ServerKind::ERROR));
        }
        let authenticating = self.expects() == Some(Expect::Authentication);
        self.settle();
        if authenticating && self.state == LifeCycle::Authenticating {
            self.enter(LifeCycle::AuthenticationFailed, cx);
        }
        event(Event::Error(error))
    }

    fn ok<T: TraceSink>(&mut self, payload: &Bytes, cx: &mut Cx<'_, T>) -> Read {
        let message: messages::Ok = self.decode(ServerKind::OK, payload.clone())?;
        let (then, compression) =
            self.owed.front().map_or((None, None), |owed| (Some(owed.then), owed.compression));
        let has_place = match then {
            Some(Then::Tls) => self.state == LifeCycle::Negotiating && self.tls == Tls::Off,
            Some(Then::SessionClosed) => self.state == LifeCycle::Session,
            _ => true,
        };
        if !has_place {
            self.refuse_success(ServerKind::OK)?;
        }
        self.settle();
        if compression.is_some() {
            self.packing.agreed = compression;
        }
        match then {
            _ if !has_place => {}
            Some(Then::Tls) => self.tls = Tls::Due,
            Some(Then::SessionClosed) => self.enter(LifeCycle::SessionClosed, cx),
            _ => {}
        }
        event(Event::Ok(message.msg.map(String::into_boxed_str)))
    }

    fn authentication<T: TraceSink>(&mut self, kind: ServerKind, payload: Bytes, cx: &mut Cx<'_, T>) -> Read {
        match kind {
            ServerKind::SESS_AUTHENTICATE_CONTINUE => {
                let message: session::AuthenticateContinue = self.decode(kind, payload)?;
                self.settle();
                event(Event::AuthenticateContinue(message.auth_data))
            }
            ServerKind::SESS_AUTHENTICATE_OK => {
                let message: session::AuthenticateOk = self.decode(kind, payload)?;
                if self.state != LifeCycle::Authenticating {
                    self.refuse_success(kind)?;
                    self.settle();
                    return event(Event::AuthenticateOk(message.auth_data.unwrap_or_default()));
                }
                self.settle();
                self.enter(LifeCycle::Session, cx);
                self.emit(cx, || XEvent::Authenticated);
                self.start_compression()?;
                event(Event::AuthenticateOk(message.auth_data.unwrap_or_default()))
            }
            _ => self.unasked(kind, payload),
        }
    }

    /// Compression starts with the first session, and stays.
    fn start_compression(&mut self) -> Result<(), XError> {
        if let (None, Some(asked)) = (&self.packing.on, self.packing.agreed) {
            let compression = Compression::new(asked.algorithm, asked.level, self.framer.max_frame());
            let compression = compression.ok_or_else(|| self.error(XErrorKind::NotBuilt(asked.algorithm)))?;
            self.packing.on = Some(Box::new(compression));
        }
        Ok(())
    }

    /// A message of a result that is no row.
    fn result(&mut self, kind: ServerKind, payload: Bytes) -> Read {
        let fetched = match kind {
            ServerKind::RESULTSET_COLUMN_META_DATA => {
                let bounds = Bounds {
                    columns: self.limits.max_columns,
                    bytes: (self.limits.max_packet / 4).max(MIN_DEFINITIONS),
                };
                let kept = self.collector.push(&payload, bounds);
                kept.map_err(|error| self.broken(kind, error))?;
                return if self.one_by_one { event(Event::Column) } else { Ok(None) };
            }
            ServerKind::RESULTSET_FETCH_DONE => Fetched::Done,
            ServerKind::RESULTSET_FETCH_SUSPENDED => Fetched::Suspended,
            ServerKind::RESULTSET_FETCH_DONE_MORE_RESULTSETS => Fetched::MoreResultsets,
            ServerKind::RESULTSET_FETCH_DONE_MORE_OUT_PARAMS => Fetched::MoreOutParams,
            ServerKind::SQL_STMT_EXECUTE_OK => {
                self.settle();
                return event(Event::StmtExecuteOk);
            }
            _ => return self.unasked(kind, payload),
        };
        event(Event::Fetched(fetched))
    }

    /// All columns of a result came: something else is here, and stays where it is.
    fn columns_end(&mut self) -> Read {
        let columns = self.collector.finish(&mut self.columns);
        let columns = columns.map_err(|error| self.broken(ServerKind::RESULTSET_COLUMN_META_DATA, error))?;
        event(Event::Columns(columns))
    }

    /// Takes all rows that are there.
    fn rows<T: TraceSink>(&mut self, cx: &mut Cx<'_, T>) -> Read {
        if !self.collector.is_empty() {
            return self.columns_end();
        }
        let (state, most) = (self.state.id(), if self.one_by_one { 1 } else { usize::MAX });
        let (inner, framer) = (self.is_inner(), self.framer);
        let (on, mut len) = (cx.on(), 0);
        let Cx { rx, trace, .. } = cx;
        let rx = match &mut self.packing.on {
            Some(compression) if inner => &mut compression.inner,
            _ => rx,
        };
        let run = framer.take_run(rx, |kind, payload| {
            let belongs = kind == ServerKind::RESULTSET_ROW.number() && len < most;
            if on && belongs {
                let message =
                    XMessage::new(kind, "Mysqlx.Resultset.Row", Payload::open(payload)).inner(inner);
                trace.x_event(state, &XEvent::MessageReceived(message));
            }
            len += usize::from(belongs);
            belongs
        });
        match run {
            Some(run) => event(Event::Rows(RowBatch::new(run, len, self.columns.clone()))),
            None => Ok(None),
        }
    }

    fn unasked(&self, kind: ServerKind, payload: Bytes) -> Read {
        if self.let_through { event(Event::Unasked(kind, payload)) } else { Err(self.unexpected(kind)) }
    }

    /// The server says yes to what it cannot take here. Its word would lead where the life cycle does not.
    fn refuse_success(&self, got: ServerKind) -> Result<(), XError> {
        if self.let_through {
            return Ok(());
        }
        Err(self.error(XErrorKind::Unexpected { expected: "Error", got }))
    }

    fn decode<M: prost::Message + Default>(&self, kind: ServerKind, payload: Bytes) -> Result<M, XError> {
        // prost says more than a client can use; what it says is not stable either.
        M::decode(payload).map_err(|_| self.broken(kind, WireError::BadValue { field: "message", value: 0 }))
    }

    #[cold]
    fn frame_error(&self, error: WireError) -> XError {
        self.error(XErrorKind::Frame(error))
    }

    #[cold]
    fn broken(&self, kind: ServerKind, error: WireError) -> XError {
        self.error(XErrorKind::Message { kind, error })
    }

    #[cold]
    fn unexpected(&self, got: ServerKind) -> XError {
        let expected = self.expects().map_or("nothing but notices", Expect::name);
        self.error(XErrorKind::Unexpected { expected, got })
    }

    fn error(&self, kind: XErrorKind) -> XError {
        XError::new(self.state, kind)
    }
}

#[expect(clippy::unnecessary_wraps, reason = "it ends functions that can fail")]
const fn event(event: Event) -> Read {
    Ok(Some(Step::Event(event)))
}
