//! PREP_SELECT_DATABASE, PREP_INIT_COMMANDS and SEND_ONE_INIT_COMMAND.

use porpoise_classic::{CapabilityFlags, Collation, Event, Session, SessionSeed};
use porpoise_trace::{ProtocolStage, TraceSink};
use porpoise_wire::{Cx, Lost, Machine, Step};

use crate::ConnectStage;
use crate::connector::ConnectEvent;
use crate::error::ConnectErrorKind;
use crate::flow::Fault;
use crate::login::Login;

pub(crate) enum PrepareStep {
    Step(Step<ConnectEvent>),
    Done,
}

/// What runs between the login and COMPLETE.
pub(crate) struct Prepare {
    session: Box<Session>,
    /// A command's results are still awaited.
    busy: bool,
    /// `SET NAMES`, for a collation that the handshake cannot name.
    set_names: Option<&'static Collation>,
    next: usize,
}

impl Prepare {
    /// PREP_SELECT_DATABASE: switches compression on, and hands the connection over to the command phase.
    pub(crate) fn start<T: TraceSink>(login: &mut Login, cx: &mut Cx<'_, T>) -> Self {
        login.enter(ConnectStage::PrepSelectDatabase, cx);
        login.protocol = ProtocolStage::ReadyForCommand;
        let server = std::mem::take(&mut login.server);
        if let Some(compression) = login.options.compression.agreed(login.capabilities) {
            login.framer.compress(compression);
        }
        let mut session =
            Box::new(Session::resume(session_seed(login, server.version, server.connection_id)));
        // Nobody but ancient and odd servers leaves the database for COM_INIT_DB.
        let database = &login.options.database;
        let busy =
            !database.is_empty() && !login.capabilities.contains(CapabilityFlags::CLIENT_CONNECT_WITH_DB);
        let busy = busy && session.init_db(database.as_bytes(), cx).is_ok();
        Self { session, busy, set_names: login.charset.set_names, next: 0 }
    }

    pub(crate) fn session(&self) -> &Session {
        &self.session
    }

    pub(crate) fn into_session(self) -> Box<Session> {
        self.session
    }

    pub(crate) fn lost<T: TraceSink>(&mut self, why: Lost, cx: &mut Cx<'_, T>) {
        self.session.lost(why, cx);
    }

    pub(crate) fn advance<T: TraceSink>(
        &mut self,
        login: &mut Login,
        cx: &mut Cx<'_, T>,
    ) -> Result<PrepareStep, Fault> {
        loop {
            if self.busy {
                match self.session.advance(cx) {
                    Ok(Step::Event(Event::Err(err))) => return Err(ConnectErrorKind::Server(err).into()),
                    Ok(Step::Event(Event::InfileRefused(refused))) => {
                        // The session has told the trace.
                        return Err(Fault { told: true, ..ConnectErrorKind::InfileRefused(refused).into() });
                    }
                    Ok(Step::Event(_)) => {}
                    Ok(Step::Idle) => self.busy = false,
                    Ok(Step::NeedRead { at_least }) => {
                        return Ok(PrepareStep::Step(Step::NeedRead { at_least }));
                    }
                    Ok(_) => return Ok(PrepareStep::Step(Step::NeedWrite)),
                    Err(error) => return Err(ConnectErrorKind::Session(error).into()),
                }
                continue;
            }
            if login.stage == ConnectStage::PrepSelectDatabase {
                login.enter(ConnectStage::PrepInitCommands, cx);
            }
            if !self.next_command(login, cx) {
                login.enter(ConnectStage::Complete, cx);
                return Ok(PrepareStep::Done);
            }
        }
    }

    /// SEND_ONE_INIT_COMMAND, if there is one left.
    fn next_command<T: TraceSink>(&mut self, login: &mut Login, cx: &mut Cx<'_, T>) -> bool {
        let options = std::sync::Arc::clone(&login.options);
        if let Some(collation) = self.set_names.take() {
            login.enter(ConnectStage::SendOneInitCommand, cx);
            let sql = format!("SET NAMES {} COLLATE {}", collation.charset, collation.name);
            self.busy = self.session.query(sql.as_bytes(), cx).is_ok();
            return true;
        }
        let Some(sql) = options.init_commands.get(self.next) else { return false };
        self.next += 1;
        login.enter(ConnectStage::SendOneInitCommand, cx);
        self.busy = self.session.query(sql.as_bytes(), cx).is_ok();
        true
    }
}

/// What the command phase goes on with after a login.
pub(crate) fn session_seed(login: &mut Login, version: Box<str>, connection_id: u32) -> SessionSeed {
    let limits = login.options.limits;
    let mut framer = std::mem::replace(&mut login.framer, porpoise_wire::Framer::new(limits));
    framer.set_max_packet(limits.max_packet);
    framer.store_only(false);
    let mut seed = SessionSeed::new(framer, login.capabilities, limits);
    seed.status = login.status;
    seed.charset = login.charset.id;
    seed.connection_id = connection_id;
    seed.server_version = version;
    seed
}
