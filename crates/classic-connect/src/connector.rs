use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use porpoise_auth::{Answer, AuthPath, Channel};
use porpoise_classic::{CapabilityFlags, Session};
use porpoise_trace::{ProtocolStage, TraceEvent, TraceSink};
use porpoise_wire::{Cx, Framer, Lost, Machine, Step, TlsInfo};

use crate::flow::{Ask, Fault, LoginStep, Misuse};
use crate::greeting;
use crate::login::Login;
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
    /// A stage is entered: only told after [`Connector::tell_stages`]. Until the next call of `advance`,
    /// [`stage`](Machine::stage) gives this one.
    Stage(ConnectStage),
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
    /// For a caller who is told each stage: the last one told, and the answer that waits until all are.
    told: Option<ConnectStage>,
    held: Option<Result<Step<ConnectEvent>, ConnectError>>,
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
        let login = Login::new(options, channel, framer);
        Self { login, transport, state: State::Dialing, told: None, held: None }
    }

    /// From now on [`advance`](Machine::advance) answers [`ConnectEvent::Stage`] for each stage that is entered,
    /// before it answers anything else: so `stage()` shows all of them, also those that run through in one call.
    /// What the machine sends and how it decides is not changed by it.
    pub fn tell_stages(&mut self) {
        self.login.watch.get_or_insert_default();
    }

    /// NET_BEGIN_CONNECT: the owner looks up names and opens a socket.
    pub fn dialing<T: TraceSink>(&mut self, cx: &mut Cx<'_, T>) {
        if self.login.stage == ConnectStage::NotStarted {
            self.login.enter(ConnectStage::NetBeginConnect, cx);
            self.login.emit(cx, || TraceEvent::Connecting);
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
        self.login.emit(cx, || TraceEvent::Connected);
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

    /// The next stage that the caller is to be told of.
    fn next_told(&mut self) -> Option<ConnectStage> {
        self.told = self.login.watch.as_mut().and_then(VecDeque::pop_front);
        self.told
    }

    /// Runs until there is something to say.
    fn run<T: TraceSink>(&mut self, cx: &mut Cx<'_, T>) -> Result<Step<ConnectEvent>, ConnectError> {
        if let State::Failed(error) = &self.state {
            return Err(error.clone());
        }
        self.turn(cx).map_err(|fault| self.fail(fault, cx))
    }

    /// Turns from state to state until there is something to say.
    fn turn<T: TraceSink>(&mut self, cx: &mut Cx<'_, T>) -> Result<Step<ConnectEvent>, Fault> {
        loop {
            match &mut self.state {
                State::Dialing => self.connected(cx),
                State::Greeting => {
                    if let Some(at_least) = self.greeting(cx)? {
                        return Ok(Step::NeedRead { at_least });
                    }
                }
                State::TlsHandshake => return Ok(Step::StartTls),
                State::Login => match self.login.advance(cx)? {
                    LoginStep::NeedRead(at_least) => return Ok(Step::NeedRead { at_least }),
                    LoginStep::Ask(ask) => return Ok(Step::Event(ConnectEvent::Ask(ask))),
                    LoginStep::Done => self.state = State::Prepare(Prepare::start(&mut self.login, cx)),
                },
                State::Prepare(prepare) => match prepare.advance(&mut self.login, cx)? {
                    PrepareStep::Step(step) => return Ok(step),
                    PrepareStep::Done => {
                        if let State::Prepare(prepare) = std::mem::replace(&mut self.state, State::Complete) {
                            return Ok(Step::Event(ConnectEvent::Ready(prepare.into_session())));
                        }
                    }
                },
                State::Complete | State::Failed(_) => return Ok(Step::Idle),
            }
        }
    }

    /// The greeting, and what it leads to. `Some` says how many bytes are needed.
    fn greeting<T: TraceSink>(&mut self, cx: &mut Cx<'_, T>) -> Result<Option<usize>, Fault> {
        // Waiting for the first byte is not reading yet: a connect that ends here has read nothing.
        if cx.rx.is_empty() && !self.login.read_told() {
            return Ok(Some(1));
        }
        if let Some(at_least) = greeting::read(&mut self.login, cx)? {
            return Ok(Some(at_least));
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
        if self.login.watch.is_none() {
            return self.run(cx);
        }
        if let Some(stage) = self.next_told() {
            return Ok(Step::Event(ConnectEvent::Stage(stage)));
        }
        let answer = self.held.take().unwrap_or_else(|| self.run(cx));
        match self.next_told() {
            Some(stage) => {
                self.held = Some(answer);
                Ok(Step::Event(ConnectEvent::Stage(stage)))
            }
            None => answer,
        }
    }

    fn tls_ready<T: TraceSink>(&mut self, info: &TlsInfo, cx: &mut Cx<'_, T>) {
        if matches!(self.state, State::TlsHandshake) {
            self.login.emit(cx, || TraceEvent::SslConnected);
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
                self.login.emit(cx, || TraceEvent::Error { errno: error.code() });
                self.login.emit(cx, || TraceEvent::Disconnected);
                error
            }
        };
        self.failed(error)
    }

    /// The stage that is entered and not yet done; NOT_STARTED before a connect and after a failed one.
    fn stage(&self) -> ConnectStage {
        match (self.told, &self.state) {
            (Some(told), _) => told,
            (None, State::Failed(_)) => ConnectStage::NotStarted,
            (None, _) => self.login.stage,
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;
    use porpoise_trace::{Record, RecordEntry};

    use super::*;
    use crate::TlsUse;

    /// A greeting of MySQL 9.7 without TLS, the OK of a login without password, the OK of an init command.
    const SERVER: [&[u8]; 3] = [
        b"\x49\0\0\x00\x0a9.7.4\0\x08\0\0\0ABCDEFGH\0\xff\xf7\xff\x02\0\xff\xdf\x15\0\0\0\0\0\0\0\0\0\0IJKLMNOPQRST\0caching_sha2_password\0",
        b"\x07\0\0\x02\0\0\0\x02\0\0\0",
        b"\x07\0\0\x01\0\0\0\x02\0\0\0",
    ];

    #[test]
    fn every_stage_can_be_seen_from_outside() {
        let options = ConnectOptions::builder().user("u").tls(TlsUse::Disabled).init_command("set @a = 1");
        let mut connector = Connector::new(Arc::new(options.build().unwrap()), Transport::Tcp);
        connector.tell_stages();
        let (mut rx, mut tx, mut record) = (BytesMut::new(), BytesMut::new(), Record::new());
        let mut server = SERVER.iter();
        let mut seen = Vec::new();
        loop {
            match connector.advance(&mut Cx::new(&mut rx, &mut tx, &mut record)).unwrap() {
                Step::Event(ConnectEvent::Stage(stage)) => {
                    assert_eq!(connector.stage(), stage);
                    seen.push(stage.name());
                }
                Step::NeedRead { .. } => rx.extend_from_slice(server.next().unwrap()),
                Step::Event(ConnectEvent::Ready(_)) => break,
                step => panic!("{step:?}"),
            }
        }
        assert_eq!(connector.stage(), ConnectStage::Complete);
        let entries = record.entries();
        let traced = entries.iter().filter_map(|entry| match entry {
            RecordEntry::Stage { name, .. } => Some(*name),
            _ => None,
        });
        assert_eq!(seen, traced.collect::<Vec<_>>());
        assert_eq!((seen.len(), seen[0], seen[1]), (17, "NET_BEGIN_CONNECT", "NET_WAIT_CONNECT"));
    }

    #[test]
    fn the_stages_of_a_failure_come_before_its_error() {
        let options = ConnectOptions::builder().user("u").tls(TlsUse::Required);
        let mut connector = Connector::new(Arc::new(options.build().unwrap()), Transport::Tcp);
        connector.tell_stages();
        let (mut rx, mut tx, mut trace) =
            (BytesMut::from(SERVER[0]), BytesMut::new(), porpoise_trace::NoTrace);
        let mut last = ConnectStage::NotStarted;
        let error = loop {
            match connector.advance(&mut Cx::new(&mut rx, &mut tx, &mut trace)) {
                Ok(Step::Event(ConnectEvent::Stage(stage))) => last = stage,
                Ok(step) => panic!("{step:?}"),
                Err(error) => break error,
            }
        };
        assert_eq!((last, error.stage()), (ConnectStage::EstablishSsl, ConnectStage::EstablishSsl));
        assert_eq!(connector.stage(), ConnectStage::NotStarted);
        assert!(connector.advance(&mut Cx::new(&mut rx, &mut tx, &mut trace)).is_err());
    }
}
