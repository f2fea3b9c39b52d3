mod again;

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use bytes::BytesMut;
use porpoise_auth::{
    Answer, Ask, AuthError, AuthPath, AuthStep, Channel, Exchange, Input, Mechanism, SaslMysql41, SaslPlain,
    SaslSha256Memory,
};
use porpoise_trace::TraceSink;
use porpoise_wire::{Cx, Lost, Machine, Step, TlsInfo};
use zeroize::Zeroize;

use super::flight::{Compress, settings, with_attributes};
use super::{ConnectError, ConnectErrorKind, ConnectOptions, Transport, Use};
use crate::messages::connection::{Capabilities, CapabilitiesGet};
use crate::messages::sql::StmtExecute;
use crate::{Connection, Event, LifeCycle, Misuse, Notice, NoticeBody, ServerError};

const ER_ACCESS_DENIED_ERROR: u16 = 1045;
const ER_X_CAPABILITIES_PREPARE_FAILED: u16 = 5001;
const ER_X_CAPABILITY_NOT_FOUND: u16 = 5002;
const ER_X_CAPABILITY_COMPRESSION_INVALID_ALGORITHM: u16 = 5175;

/// So many global notices are kept: a server has one hello, and anybody can pretend to be one.
const MAX_NOTICES: usize = 8;

/// What a connect has to say.
#[derive(Debug)]
#[non_exhaustive]
pub enum ConnectEvent {
    /// A mechanism asks what only its owner can know; to be [answered](Connector::answer).
    Ask(Ask),
    /// The session is there.
    Ready(Box<Connection>),
}

/// A connect over an open transport.
///
/// | path | flights |
/// |---|---|
/// | Unix socket, PLAIN | 1: \[CapabilitiesSet\] AuthenticateStart |
/// | TLS, PLAIN | 2: CapabilitiesSet with `tls`; \[CapabilitiesSet\] AuthenticateStart |
/// | clear, SHA256_MEMORY | 2: \[CapabilitiesSet\] CapabilitiesGet AuthenticateStart; AuthenticateContinue |
/// | TLS refused, and only preferred | 1 more |
/// | compression that is required, or by one of several algorithms, without TLS | 1 more |
/// | each algorithm that is refused | 1 more |
///
/// Capabilities are set without being asked for: what the server has not it refuses. CapabilitiesGet is sent only where its
/// answer decides something, on a clear channel, and shares a flight with the login. The server's hello is never waited
/// for.
///
/// Made with [`new`](Self::new), told that the transport is [open](Self::connected), then run as any [`Machine`]. When the
/// server wants TLS the [`Step`] says so.
pub struct Connector {
    options: Arc<ConnectOptions>,
    /// Absent once it is given away.
    connection: Option<Box<Connection>>,
    channel: Channel,
    compress: Compress,
    phase: Phase,
    mechanism: Option<Box<dyn Mechanism>>,
    listed_mysql41: bool,
    capabilities: Option<Capabilities>,
    client_id: Option<u64>,
    expired: bool,
    /// Global notices, such as the server's hello.
    notices: Vec<Notice>,
    /// What is sent with the login.
    first: Option<StmtExecute>,
    failed: Option<ConnectError>,
}

#[derive(Debug)]
enum Phase {
    /// The transport is not open.
    Closed,
    /// The server's answer decides how the connect goes on.
    Negotiating {
        tls: bool,
    },
    /// The TLS handshake runs.
    Handshake,
    /// Replies of the login's flight, the oldest first.
    Login(VecDeque<Reply>),
    /// The mechanism waits for its owner.
    Asking,
    Over,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reply {
    Reset,
    Set,
    Get,
    Authentication,
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector")
            .field("options", &self.options)
            .field("phase", &self.phase)
            .finish_non_exhaustive()
    }
}

type Failure = (ConnectErrorKind, Option<&'static str>);

impl Connector {
    /// A connect that has not begun.
    #[must_use]
    pub fn new(options: Arc<ConnectOptions>, transport: Transport) -> Self {
        let mut connection = Connection::new(options.limits);
        connection.set_compression_threshold(options.compression_threshold);
        Self {
            connection: Some(Box::new(connection)),
            channel: match transport {
                Transport::Tcp => Channel::Plain,
                Transport::Unix => Channel::UnixSocket,
            },
            compress: Compress::first(&options),
            options,
            phase: Phase::Closed,
            mechanism: None,
            listed_mysql41: false,
            capabilities: None,
            client_id: None,
            expired: false,
            notices: Vec::new(),
            first: None,
            failed: None,
        }
    }

    /// The channel as it is now.
    #[must_use]
    pub const fn channel(&self) -> Channel {
        self.channel
    }

    /// The connect begins: no socket exists.
    pub fn dialing<T: TraceSink>(&mut self, cx: &mut Cx<'_, T>) {
        if let Some(connection) = &mut self.connection {
            connection.dialing(cx);
        }
    }

    /// The transport is open.
    pub fn connected<T: TraceSink>(&mut self, cx: &mut Cx<'_, T>) {
        if let Some(connection) = &mut self.connection {
            connection.connected(cx);
            let tls = match self.options.tls {
                Use::Disabled => false,
                Use::Preferred => self.channel == Channel::Plain,
                Use::Required => true,
            };
            let begun = self.begin(tls, cx);
            self.keep(begun, cx);
        }
    }

    /// The capabilities that the server listed, if they were asked for.
    #[must_use]
    pub const fn capabilities(&self) -> Option<&Capabilities> {
        self.capabilities.as_ref()
    }

    /// The mechanism that ran last.
    #[must_use]
    pub fn mechanism(&self) -> Option<&str> {
        self.mechanism.as_deref().map(Mechanism::name)
    }

    /// The way that it took.
    #[must_use]
    pub fn auth_path(&self) -> AuthPath {
        self.mechanism.as_deref().map_or(AuthPath::Unknown, Mechanism::path)
    }

    /// The server's number of the connection.
    #[must_use]
    pub const fn client_id(&self) -> Option<u64> {
        self.client_id
    }

    /// Whether the password has expired: all that the session can do is set a new one.
    #[must_use]
    pub const fn is_expired(&self) -> bool {
        self.expired
    }

    /// The global notices that came until now, the first few: the server's hello is one.
    pub fn take_notices(&mut self) -> Vec<Notice> {
        std::mem::take(&mut self.notices)
    }

    /// Answers a [`ConnectEvent::Ask`]. Nothing happens if nothing was asked.
    pub fn answer<T: TraceSink>(&mut self, answer: Answer, cx: &mut Cx<'_, T>) {
        if matches!(self.phase, Phase::Asking) {
            let stepped = self.step(Input::Answer(answer), false, cx);
            if let Ok(Some(_)) = stepped {
                // A second question has no one who could hear it here.
                let refused = Err((ConnectErrorKind::Auth(AuthError::Refused), None));
                self.keep(refused, cx);
            } else {
                self.keep(stepped.map(|_| ()), cx);
            }
        }
    }

    /// The first flight.
    fn begin<T: TraceSink>(&mut self, tls: bool, cx: &mut Cx<'_, T>) -> Result<(), Failure> {
        if let Some(algorithm) = self.options.compression_algorithms.iter().find(|known| !known.is_built())
            && self.options.compression != Use::Disabled
        {
            return Err((ConnectErrorKind::NotBuilt(*algorithm), None));
        }
        if tls && let Some(fault) = &self.options.tls_fault {
            return Err((ConnectErrorKind::TlsSettings(Arc::clone(fault)), None));
        }
        if !tls && !self.compress.is_asked_first(&self.options) {
            return self.login(false, cx);
        }
        if !tls {
            self.may_login()?;
        }
        let set = settings(&self.options, self.compress);
        // Servers set them in their order, and what is refused must not come behind TLS.
        let set = if tls { set.with("tls", true) } else { set };
        self.phase = Phase::Negotiating { tls };
        self.send(|connection, cx| connection.send(&set, cx), cx)
    }

    /// Whether there is a mechanism that may be used on this channel; asked before anything of a login is sent.
    fn may_login(&self) -> Result<(), Failure> {
        if self.channel == Channel::Plain && self.options.auth.name() == Some(SaslPlain::NAME) {
            let error = AuthError::RequiresSecureConnection;
            return Err((ConnectErrorKind::Auth(error), Some(SaslPlain::NAME)));
        }
        Ok(())
    }

    /// The login's flight. `settled`: capabilities were set before, but for the connection attributes.
    fn login<T: TraceSink>(&mut self, settled: bool, cx: &mut Cx<'_, T>) -> Result<(), Failure> {
        self.may_login()?;
        let set = if settled { Default::default() } else { settings(&self.options, self.compress) };
        let set = with_attributes(set, &self.options);
        let mut replies = VecDeque::new();
        if !set.is_empty() {
            self.send(|connection, cx| connection.send(&set, cx), cx)?;
            replies.push_back(Reply::Set);
        }
        let auto = self.options.auth.name().is_none();
        if auto && self.channel == Channel::Plain {
            // Whether there is anything to try after SHA256_MEMORY.
            self.send(|connection, cx| connection.send(&CapabilitiesGet {}, cx), cx)?;
            replies.push_back(Reply::Get);
        }
        self.phase = Phase::Login(replies);
        self.first_mechanism(cx)
    }

    fn first_mechanism<T: TraceSink>(&mut self, cx: &mut Cx<'_, T>) -> Result<(), Failure> {
        let options = Arc::clone(&self.options);
        let name = options.auth.name().unwrap_or(match self.channel {
            Channel::Plain => SaslSha256Memory::NAME,
            _ => SaslPlain::NAME,
        });
        self.authenticate(name, cx)
    }

    fn authenticate<T: TraceSink>(&mut self, name: &str, cx: &mut Cx<'_, T>) -> Result<(), Failure> {
        let mechanism = self.options.registry.make(name).map_err(auth)?;
        mechanism.enabled(&self.options.policy).map_err(auth)?;
        self.mechanism = Some(mechanism);
        // Its first word cannot be a question: there is nobody yet to ask one.
        match self.step(Input::Start { challenge: None }, true, cx)? {
            None => Ok(()),
            Some(_) => Err(auth(AuthError::Refused)),
        }
    }

    /// Lets the mechanism go one step on, and sends what it has to say. Gives its question, if it has one.
    fn step<T: TraceSink>(
        &mut self,
        input: Input<'_>,
        first: bool,
        cx: &mut Cx<'_, T>,
    ) -> Result<Option<Ask>, Failure> {
        let options = Arc::clone(&self.options);
        let exchange = Exchange::new(self.channel, &options.policy, &options.user, &options.password)
            .schema(&options.schema);
        let mut out = BytesMut::new();
        let Some(mechanism) = &mut self.mechanism else { return Err(auth(AuthError::OutOfTurn)) };
        let name = mechanism.name().to_owned();
        let step = mechanism.step(input, &exchange, &mut out).map_err(auth)?;
        let sent = match step {
            AuthStep::Reply { last } if first => {
                self.send(|connection, cx| connection.authenticate_start(&name, Some(&out), !last, cx), cx)
            }
            AuthStep::Wait | AuthStep::Done if first => {
                self.send(|connection, cx| connection.authenticate_start(&name, None, true, cx), cx)
            }
            AuthStep::Reply { .. } => {
                self.send(|connection, cx| connection.authenticate_continue(&out, cx), cx)
            }
            AuthStep::Wait | AuthStep::Done => {
                self.send(|connection, cx| connection.authenticate_continue(&[], cx), cx)
            }
            AuthStep::Ask(ask) => {
                self.phase = Phase::Asking;
                return Ok(Some(ask));
            }
            _ => Err(auth(AuthError::OutOfTurn)),
        };
        out.zeroize();
        sent?;
        match &mut self.phase {
            Phase::Login(replies) => replies.push_back(Reply::Authentication),
            phase => *phase = Phase::Login(VecDeque::from([Reply::Authentication])),
        }
        if first && matches!(step, AuthStep::Reply { last: true }) {
            self.send_first(cx)?;
        }
        Ok(None)
    }

    fn send<T: TraceSink>(
        &mut self,
        send: impl FnOnce(&mut Connection, &mut Cx<'_, T>) -> Result<(), Misuse>,
        cx: &mut Cx<'_, T>,
    ) -> Result<(), Failure> {
        match &mut self.connection {
            Some(connection) => {
                send(connection, cx).map_err(|misuse| (ConnectErrorKind::Misuse(misuse), None))
            }
            None => Err((ConnectErrorKind::Misuse(Misuse::Closed), None)),
        }
    }

    /// What an event means for the connect.
    fn event<T: TraceSink>(
        &mut self,
        event: Event,
        cx: &mut Cx<'_, T>,
    ) -> Result<Option<ConnectEvent>, Failure> {
        match event {
            Event::Notice(notice) => {
                match &notice.body {
                    NoticeBody::ClientIdAssigned(id) => self.client_id = Some(*id),
                    NoticeBody::AccountExpired => self.expired = true,
                    _ if !notice.local && self.notices.len() < MAX_NOTICES => self.notices.push(notice),
                    _ => {}
                }
                Ok(None)
            }
            Event::Ok(_) => match &mut self.phase {
                Phase::Negotiating { tls: true } => {
                    self.phase = Phase::Handshake;
                    Ok(None)
                }
                Phase::Negotiating { tls: false } => self.login(true, cx).map(|()| None),
                Phase::Login(replies) => {
                    replies.pop_front();
                    Ok(None)
                }
                _ => Ok(None),
            },
            Event::Capabilities(capabilities) => {
                if let Phase::Login(replies) = &mut self.phase {
                    replies.pop_front();
                }
                self.listed_mysql41 = capabilities.mechanisms().any(|name| name == SaslMysql41::NAME);
                self.capabilities = Some(capabilities);
                Ok(None)
            }
            Event::AuthenticateContinue(challenge) => {
                if let Phase::Login(replies) = &mut self.phase {
                    replies.pop_front();
                }
                Ok(self.step(Input::Packet(&challenge), false, cx)?.map(ConnectEvent::Ask))
            }
            Event::AuthenticateOk(data) => {
                self.send_first(cx)?;
                self.authenticated(&data).map(Some)
            }
            Event::Error(error) => self.refused(error, cx).map(|()| None),
            _ => Ok(None),
        }
    }

    fn authenticated(&mut self, data: &[u8]) -> Result<ConnectEvent, Failure> {
        let options = Arc::clone(&self.options);
        let exchange = Exchange::new(self.channel, &options.policy, &options.user, &options.password)
            .schema(&options.schema);
        if let Some(mechanism) = &mut self.mechanism {
            if !data.is_empty() && !mechanism.accepts_verdict() {
                // What comes along with success may be the proof that is owed.
                let step = mechanism.step(Input::Packet(data), &exchange, &mut BytesMut::new());
                let _ = step.map_err(auth)?;
            }
            if !mechanism.accepts_verdict() {
                return Err(auth(AuthError::ServerNotProven));
            }
        }
        self.phase = Phase::Over;
        match self.connection.take() {
            Some(connection) => Ok(ConnectEvent::Ready(connection)),
            None => Err(auth(AuthError::OutOfTurn)),
        }
    }

    /// The server refused something, and the connection lives.
    fn refused<T: TraceSink>(&mut self, error: ServerError, cx: &mut Cx<'_, T>) -> Result<(), Failure> {
        match &mut self.phase {
            Phase::Negotiating { tls } => {
                let tls = *tls;
                self.negotiation_refused(tls, error, cx)
            }
            Phase::Login(replies) => match replies.pop_front() {
                // It rode along; the login goes on without.
                Some(Reply::Set | Reply::Get) => Ok(()),
                Some(Reply::Reset) => Err((ConnectErrorKind::Refused(error), None)),
                _ => self.login_refused(error, cx),
            },
            _ => Err((ConnectErrorKind::Refused(error), None)),
        }
    }

    fn negotiation_refused<T: TraceSink>(
        &mut self,
        tls: bool,
        error: ServerError,
        cx: &mut Cx<'_, T>,
    ) -> Result<(), Failure> {
        match error.code {
            ER_X_CAPABILITY_COMPRESSION_INVALID_ALGORITHM => match self.compress.next(&self.options) {
                Some(next) => {
                    self.compress = next;
                    self.begin(tls, cx)
                }
                None => Err((ConnectErrorKind::NoCompression(error), None)),
            },
            // A server that knows no compression at all.
            ER_X_CAPABILITY_NOT_FOUND
                if self.compress != Compress::No && self.options.compression == Use::Preferred =>
            {
                self.compress = Compress::No;
                self.begin(tls, cx)
            }
            ER_X_CAPABILITIES_PREPARE_FAILED if tls && self.options.tls == Use::Preferred => {
                self.begin(false, cx)
            }
            ER_X_CAPABILITIES_PREPARE_FAILED if tls => Err((ConnectErrorKind::NoTls(error), None)),
            _ => Err((ConnectErrorKind::Refused(error), None)),
        }
    }

    fn login_refused<T: TraceSink>(&mut self, error: ServerError, cx: &mut Cx<'_, T>) -> Result<(), Failure> {
        let again = error.code == ER_ACCESS_DENIED_ERROR
            && self.listed_mysql41
            && self.options.auth.name().is_none()
            && self.mechanism() == Some(SaslSha256Memory::NAME);
        if again {
            self.authenticate(SaslMysql41::NAME, cx)
        } else {
            Err((ConnectErrorKind::Refused(error), None))
        }
    }

    /// Keeps a failure, and ends the connection with it.
    fn keep<T: TraceSink>(&mut self, result: Result<(), Failure>, cx: &mut Cx<'_, T>) {
        let Err((kind, name)) = result else { return };
        let state = match &kind {
            ConnectErrorKind::Connection(error) => error.state(),
            _ => self.stage(),
        };
        let error = ConnectError::new(state, name.or_else(|| self.mechanism()), kind);
        if let Some(connection) = &mut self.connection {
            connection.closed(cx);
        }
        self.phase = Phase::Over;
        self.failed = Some(error);
    }
}

fn auth(error: AuthError) -> Failure {
    (ConnectErrorKind::Auth(error), None)
}

impl Machine for Connector {
    type Event = ConnectEvent;
    type Error = ConnectError;
    type Stage = LifeCycle;

    fn advance<T: TraceSink>(&mut self, cx: &mut Cx<'_, T>) -> Result<Step<ConnectEvent>, ConnectError> {
        loop {
            if let Some(error) = &self.failed {
                return Err(error.clone());
            }
            let (Some(connection), false) = (&mut self.connection, matches!(self.phase, Phase::Asking))
            else {
                return Ok(Step::Idle);
            };
            let event = match connection.advance(cx) {
                Ok(Step::Event(event)) => event,
                Ok(Step::NeedRead { at_least }) => return Ok(Step::NeedRead { at_least }),
                Ok(Step::StartTls) => return Ok(Step::StartTls),
                Ok(_) => return Ok(Step::Idle),
                Err(error) => {
                    self.keep(Err((ConnectErrorKind::Connection(error), None)), cx);
                    continue;
                }
            };
            match self.event(event, cx) {
                Ok(Some(event)) => return Ok(Step::Event(event)),
                Ok(None) => {}
                Err(failure) => self.keep(Err(failure), cx),
            }
        }
    }

    fn tls_ready<T: TraceSink>(&mut self, info: &TlsInfo, cx: &mut Cx<'_, T>) {
        if let Some(connection) = &mut self.connection {
            connection.tls_ready(info, cx);
        }
        self.channel = Channel::Tls { verified: info.verified };
        let sent = self.login(true, cx);
        self.keep(sent, cx);
    }

    fn lost<T: TraceSink>(&mut self, why: Lost, cx: &mut Cx<'_, T>) -> ConnectError {
        if let Some(error) = &self.failed {
            return error.clone();
        }
        let state = self.stage();
        let kind = match &mut self.connection {
            Some(connection) => ConnectErrorKind::Connection(connection.lost(why, cx)),
            None => ConnectErrorKind::Misuse(Misuse::Closed),
        };
        let error = ConnectError::new(state, self.mechanism(), kind);
        self.phase = Phase::Over;
        self.failed = Some(error.clone());
        error
    }

    fn stage(&self) -> LifeCycle {
        self.connection.as_deref().map_or(LifeCycle::Session, Connection::state)
    }
}
