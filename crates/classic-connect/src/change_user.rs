use std::fmt;
use std::sync::Arc;

use porpoise_auth::{Answer, Channel};
use porpoise_classic::{CapabilityFlags, Session};
use porpoise_trace::{ProtocolStage, TraceSink};
use porpoise_wire::{Cx, Lost, Machine, Step, TlsInfo};

use crate::flow::{Ask, Envelope, Fault, LoginStep, Misuse};
use crate::login::Login;
use crate::options::{Charset, ConnectOptions};
use crate::prepare::session_seed;
use crate::server::Server;
use crate::{ConnectError, ConnectStage};

/// What a [`ChangeUser`] has to say.
#[derive(Debug)]
#[non_exhaustive]
pub enum ChangeUserEvent {
    /// The login waits for an answer: see [`ChangeUser::answer`].
    Ask(Ask),
    /// The session has its new user.
    Ready(Box<Session>),
}

/// `COM_CHANGE_USER`: the authentication stages once more, on a session that exists.
///
/// Runs AUTH_BEGIN to AUTH_FINISH_AUTH. The greeting's scramble is not used again: the first packet normally has
/// no authentication data, and the server answers with an AuthSwitchRequest. A server that refuses closes the
/// connection, so an error ends the session.
///
/// Follows "MySQL Source Code Documentation: COM_CHANGE_USER".
pub struct ChangeUser {
    login: Login,
    session: Option<SessionFacts>,
    state: State,
}

struct SessionFacts {
    version: Box<str>,
    connection_id: u32,
}

enum State {
    Login,
    Done,
    Failed(ConnectError),
}

impl fmt::Debug for ChangeUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChangeUser").field("stage", &self.stage()).finish_non_exhaustive()
    }
}

impl ChangeUser {
    /// Takes a session that is idle. `options` names user, passwords, database, character set and policy; TLS,
    /// capabilities and init commands in it are the connect's, and not looked at.
    ///
    /// # Errors
    /// The session itself, when it is in the middle of a command.
    pub fn new(
        session: Box<Session>,
        options: Arc<ConnectOptions>,
        channel: Channel,
    ) -> Result<Self, Box<Session>> {
        if !session.is_idle() {
            return Err(session);
        }
        let seed = session.into_seed();
        let collation = match &options.charset {
            Charset::Id(id) => *id,
            Charset::Default => seed.charset,
            Charset::Name(name) => porpoise_classic::Collation::default_of(name)
                .or_else(|| porpoise_classic::Collation::by_name(name))
                .map_or(seed.charset, |collation| collation.id),
        };
        let mut login = Login::new(options, channel, seed.framer);
        login.stage = ConnectStage::Complete;
        login.protocol = ProtocolStage::ReadyForCommand;
        login.envelope = Envelope::ChangeUser;
        login.capabilities = seed.capabilities;
        login.status = seed.status;
        login.charset.id = collation;
        login.server = Server { capabilities: seed.capabilities, ..Server::default() };
        login.framer.set_max_packet(login.options.limits.max_handshake_packet);
        // Compression goes on, but no password may stay in what a codec remembers.
        login.framer.store_only(true);
        let session = SessionFacts { version: seed.server_version, connection_id: seed.connection_id };
        Ok(Self { login, session: Some(session), state: State::Login })
    }

    /// Answers [`ChangeUserEvent::Ask`].
    ///
    /// # Errors
    /// [`Misuse::NothingAsked`].
    pub fn answer(&mut self, answer: Answer) -> Result<(), Misuse> {
        self.login.answer(answer)
    }

    /// The capabilities of the session.
    #[must_use]
    pub const fn capabilities(&self) -> CapabilityFlags {
        self.login.capabilities
    }

    fn done(&mut self) -> Step<ChangeUserEvent> {
        self.state = State::Done;
        let Some(facts) = self.session.take() else { return Step::Idle };
        self.login.protocol = ProtocolStage::ReadyForCommand;
        self.login.stage = ConnectStage::Complete;
        let seed = session_seed(&mut self.login, facts.version, facts.connection_id);
        Step::Event(ChangeUserEvent::Ready(Box::new(Session::resume(seed))))
    }

    fn fail<T: TraceSink>(&mut self, fault: Fault, cx: &mut Cx<'_, T>) -> ConnectError {
        let error = self.login.fail(fault, cx);
        self.state = State::Failed(error.clone());
        error
    }
}

impl Machine for ChangeUser {
    type Event = ChangeUserEvent;
    type Error = ConnectError;
    type Stage = ConnectStage;

    fn advance<T: TraceSink>(&mut self, cx: &mut Cx<'_, T>) -> Result<Step<ChangeUserEvent>, ConnectError> {
        match &self.state {
            State::Failed(error) => return Err(error.clone()),
            State::Done => return Ok(Step::Idle),
            State::Login => {}
        }
        match self.login.advance(cx) {
            Ok(LoginStep::NeedRead(at_least)) => Ok(Step::NeedRead { at_least }),
            Ok(LoginStep::Ask(ask)) => Ok(Step::Event(ChangeUserEvent::Ask(ask))),
            Ok(LoginStep::Done) => Ok(self.done()),
            Err(fault) => Err(self.fail(fault, cx)),
        }
    }

    /// TLS never starts in the middle of a session.
    fn tls_ready<T: TraceSink>(&mut self, _: &TlsInfo, _: &mut Cx<'_, T>) {}

    fn lost<T: TraceSink>(&mut self, why: Lost, cx: &mut Cx<'_, T>) -> ConnectError {
        if let State::Failed(error) = &self.state {
            return error.clone();
        }
        let error = self.login.lost_reading(why, cx);
        self.state = State::Failed(error.clone());
        error
    }

    fn stage(&self) -> ConnectStage {
        match self.state {
            State::Failed(_) => ConnectStage::NotStarted,
            _ => self.login.stage,
        }
    }
}
