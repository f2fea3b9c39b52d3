use std::fmt;
use std::sync::Arc;

use porpoise_auth::{Answer, AuthPath, Channel};
use porpoise_classic::{CapabilityFlags, Session};
use porpoise_trace::{ProtocolStage, TraceEvent, TraceSink};
use porpoise_wire::{Cx, Framer, Lost, Machine, Step, TlsInfo};

use crate::greeting;
use crate::login::{Ask, Fault, Login, LoginStep, Misuse};
use crate::options::ConnectOptions;
use crate::prepare::{Prepare, PrepareStep};
use crate::{ConnectError, ConnectStage};

/// What carries the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Transport {
    /// TCP.
    Tcp,
    /// A Unix socket: counts as safe from listeners, so TLS is used only if required.
    UnixSocket,
}

/// What a [`Connector`] has to say.
#[derive(Debug)]
#[non_exhaustive]
pub enum ConnectEvent {
    /// The login waits for an answer: see [`Connector::answer`].
    Ask(Ask),
    /// The connect is complete.
    Ready(Box<Session>),
}

/// Where the machine is, with what belongs to that place only.
enum State {
    /// NOT_STARTED, or one of the NET_* stages: the owner dials.
    Dialing,
    /// READ_GREETING.
    Greeting,
    /// ESTABLISH_SSL: the owner does the handshake.
    TlsHandshake,
    /// AUTHENTICATE and AUTH_*.
    Login,
    /// PREP_* and SEND_ONE_INIT_COMMAND.
    Prepare(Prepare),
    /// COMPLETE.
    Complete,
    /// Failed for good.
    Failed(ConnectError),
}

/// One classic connect, from NOT_STARTED to COMPLETE.
///
/// Call [`dialing`](Self::dialing) when the dial begins, [`dial_pending`](Self::dial_pending) when it does not
/// succeed at once, [`connected`](Self::connected) when there is a transport, then
/// [`advance`](Machine::advance) until [`ConnectEvent::Ready`]. A caller that has a transport already may begin
/// with `advance`. When the outside fails, [`lost`](Machine::lost) makes the error.
///
/// Invariants: nothing is sent before the greeting; between the SSLRequest and
/// [`tls_ready`](Machine::tls_ready) neither side's bytes are looked at; a password is encoded only when the
/// channel it will travel on exists; an error is final and repeated.
pub struct Connector {
    login: Login,
    transport: Transport,
    state: State,
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector").field("stage", &self.stage()).field("transport", &self.transport).finish()
    }
}

impl Connector {
    /// A connect that has not started.
    #[must_use]
    pub fn new(options: Arc<ConnectOptions>, transport: Transport) -> Self {
        let channel = match transport {
            Transport::Tcp => Channel::Plain,
            Transport::UnixSocket => Channel::UnixSocket,
        };
        let framer = Framer::new(options.limits);
        Self { login: Login::new(options, channel, framer), transport, state: State::Dialing }
    }

    /// NET_BEGIN_CONNECT: the owner looks up names and opens a socket.
    pub fn dialing<T: TraceSink>(&mut self, cx: &mut Cx<'_, T>) {
        if self.login.stage == ConnectStage::NotStarted {
            self.login.enter(ConnectStage::NetBeginConnect, cx);
            self.login.emit(cx, TraceEvent::Connecting);
        }
    }

    /// NET_WAIT_CONNECT: the transport is not connected yet. Entered for every TCP connect, never for a Unix
    /// socket.
    pub fn dial_pending<T: TraceSink>(&mut self, cx: &mut Cx<'_, T>) {
        self.dialing(cx);
        if self.login.stage == ConnectStage::NetBeginConnect && self.transport == Transport::Tcp {
            self.login.enter(ConnectStage::NetWaitConnect, cx);
        }
    }

    /// NET_COMPLETE_CONNECT: the transport is connected.
    pub fn connected<T: TraceSink>(&mut self, cx: &mut Cx<'_, T>) {
        if !matches!(self.state, State::Dialing) {
            return;
        }
        self.dial_pending(cx);
        self.login.enter(ConnectStage::NetCompleteConnect, cx);
        self.login.emit(cx, TraceEvent::Connected);
        self.login.protocol = ProtocolStage::WaitForInitPacket;
        self.login.enter(ConnectStage::ReadGreeting, cx);
        self.state = State::Greeting;
    }

    /// Answers [`ConnectEvent::Ask`].
    ///
    /// # Errors
    /// [`Misuse::NothingAsked`].
    pub fn answer(&mut self, answer: Answer) -> Result<(), Misuse> {
        self.login.answer(answer)
    }

    /// The authentication plugin that ran last; empty before one did.
    #[must_use]
    pub fn auth_plugin(&self) -> &str {
        self.login.plugin()
    }

    /// The way that the plugin took.
    #[must_use]
    pub fn auth_path(&self) -> Option<AuthPath> {
        self.login.mechanism.as_ref().map(|mechanism| mechanism.path())
    }

    /// How many factors the login had.
    #[must_use]
    pub const fn auth_factors(&self) -> usize {
        self.login.factor
    }

    /// The server's version as its greeting gave it; empty before.
    #[must_use]
    pub fn server_version(&self) -> &str {
        match &self.state {
            State::Prepare(prepare) => prepare.session().server_version(),
            _ => &self.login.server.version,
        }
    }

    /// The capabilities agreed on.
    #[must_use]
    pub const fn capabilities(&self) -> CapabilityFlags {
        self.login.capabilities
    }

    /// The channel, as the authentication sees it. A later `COM_CHANGE_USER` needs it.
    #[must_use]
    pub const fn channel(&self) -> Channel {
        self.login.channel
    }

    /// One turn of the machine.
    fn turn<T: TraceSink>(&mut self, cx: &mut Cx<'_, T>) -> Result<Option<Step<ConnectEvent>>, Fault> {
        match &mut self.state {
            State::Dialing => self.connected(cx),
            State::Greeting => return self.greeting(cx),
            State::TlsHandshake => return Ok(Some(Step::StartTls)),
            State::Login => match self.login.advance(cx)? {
                LoginStep::NeedRead(at_least) => return Ok(Some(Step::NeedRead { at_least })),
                LoginStep::Ask(ask) => return Ok(Some(Step::Event(ConnectEvent::Ask(ask)))),
                LoginStep::Done => self.state = State::Prepare(Prepare::start(&mut self.login, cx)),
            },
            State::Prepare(prepare) => match prepare.advance(&mut self.login, cx)? {
                PrepareStep::Step(step) => return Ok(Some(step)),
                PrepareStep::Done => return Ok(self.complete()),
            },
            State::Complete | State::Failed(_) => return Ok(Some(Step::Idle)),
        }
        Ok(None)
    }

    fn greeting<T: TraceSink>(&mut self, cx: &mut Cx<'_, T>) -> Result<Option<Step<ConnectEvent>>, Fault> {
        // Waiting for the first byte is not reading yet: a connect that ends here has read nothing.
        if cx.rx.is_empty() && !self.login.read_told() {
            return Ok(Some(Step::NeedRead { at_least: 1 }));
        }
        if let Some(at_least) = greeting::read(&mut self.login, cx)? {
            return Ok(Some(Step::NeedRead { at_least }));
        }
        if greeting::establish(&mut self.login, self.transport, cx)? {
            self.state = State::TlsHandshake;
        } else {
            self.begin_login(cx);
        }
        Ok(None)
    }

    fn begin_login<T: TraceSink>(&mut self, cx: &mut Cx<'_, T>) {
        self.login.enter(ConnectStage::Authenticate, cx);
        self.state = State::Login;
    }

    fn complete(&mut self) -> Option<Step<ConnectEvent>> {
        match std::mem::replace(&mut self.state, State::Complete) {
            State::Prepare(prepare) => Some(Step::Event(ConnectEvent::Ready(prepare.into_session()))),
            _ => None,
        }
    }

    fn fail<T: TraceSink>(&mut self, fault: Fault, cx: &mut Cx<'_, T>) -> ConnectError {
        let error = self.login.fail(fault, cx);
        self.failed(error)
    }

    fn failed(&mut self, error: ConnectError) -> ConnectError {
        if let State::Prepare(prepare) = std::mem::replace(&mut self.state, State::Failed(error.clone())) {
            self.login.server.version = prepare.into_session().into_seed().server_version;
        }
        error
    }
}

impl Machine for Connector {
    type Event = ConnectEvent;
    type Error = ConnectError;
    type Stage = ConnectStage;

    fn advance<T: TraceSink>(&mut self, cx: &mut Cx<'_, T>) -> Result<Step<ConnectEvent>, ConnectError> {
        if let State::Failed(error) = &self.state {
            return Err(error.clone());
        }
        loop {
            match self.turn(cx) {
                Ok(None) => {}
                Ok(Some(step)) => return Ok(step),
                Err(fault) => return Err(self.fail(fault, cx)),
            }
        }
    }

    fn tls_ready<T: TraceSink>(&mut self, info: &TlsInfo, cx: &mut Cx<'_, T>) {
        if matches!(self.state, State::TlsHandshake) {
            self.login.emit(cx, TraceEvent::SslConnected);
            self.login.protocol = ProtocolStage::Authenticate;
            self.login.channel = Channel::Tls { verified: info.verified };
            self.begin_login(cx);
        }
    }

    fn lost<T: TraceSink>(&mut self, why: Lost, cx: &mut Cx<'_, T>) -> ConnectError {
        if let State::Failed(error) = &self.state {
            return error.clone();
        }
        let deadline = matches!(why, Lost::Deadline { .. });
        let error = match &mut self.state {
            State::Greeting if !deadline || self.login.read_told() => {
                // The end of the stream is what was read.
                self.login.tell_read(cx);
                self.login.lost_reading(why, cx)
            }
            State::Login if deadline || matches!(why, Lost::Closed | Lost::Read(_)) => {
                self.login.lost_reading(why, cx)
            }
            State::Prepare(prepare) => {
                prepare.lost(why.clone(), cx);
                self.login.lost_error(why, false)
            }
            _ => {
                let error = self.login.lost_error(why, self.transport == Transport::UnixSocket);
                self.login.emit(cx, TraceEvent::Error { errno: error.code() });
                self.login.emit(cx, TraceEvent::Disconnected);
                error
            }
        };
        self.failed(error)
    }

    /// The stage that is entered and not yet done; NOT_STARTED before a connect and after a failed one.
    fn stage(&self) -> ConnectStage {
        match self.state {
            State::Failed(_) => ConnectStage::NotStarted,
            _ => self.login.stage,
        }
    }
}
