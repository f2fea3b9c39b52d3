//! The server's verdict on a plugin: what it may be, and where it leads.

use bytes::BytesMut;
use porpoise_classic::{CapabilityFlags, ErrPacket, OkPacket};
use porpoise_trace::{ProtocolStage, TraceEvent, TraceSink};
use porpoise_wire::Cx;

use crate::ConnectStage;
use crate::auth_data::AuthData;
use crate::error::ConnectErrorKind;
use crate::flow::{Fault, Run, Wait};
use crate::login::{Login, auth_fault};
use crate::packets::{AuthNextFactor, AuthSwitchRequest};

const OK: u8 = 0x00;
const ERR: u8 = 0xff;
const EXPECTED: &str = "the server's verdict on the authentication";

impl Login {
    /// Whether a packet that comes while a plugin runs is not the plugin's but the server's decision.
    pub(crate) fn overrules(&self, payload: &[u8]) -> bool {
        match payload.first() {
            Some(&(OK | ERR | AuthSwitchRequest::HEADER)) => true,
            Some(&AuthNextFactor::HEADER) => self.has_factors(),
            _ => false,
        }
    }

    fn has_factors(&self) -> bool {
        self.capabilities.contains(CapabilityFlags::MULTI_FACTOR_AUTHENTICATION)
    }

    /// The server decided before the plugin was done. The packet is there, and not read again.
    pub(crate) fn overruled<T: TraceSink>(&mut self, cx: &mut Cx<'_, T>) -> Result<(), Fault> {
        let first = self.framer.payload(cx.rx).first().copied();
        if first == Some(ERR) {
            // The plugin fails by it, so it is the plugin's outcome that is judged.
            self.protocol = ProtocolStage::ReadyForCommand;
            self.enter(self.run.handle_stage(), cx);
            return Err(self.server_error(cx.rx));
        }
        self.enter(self.run.handle_stage(), cx);
        if self.run == Run::First {
            self.enter(ConnectStage::AuthReadChangeUserResult, cx);
        }
        self.decide(cx)
    }

    /// Reads the verdict. `Some` says how many bytes are needed.
    pub(crate) fn verdict<T: TraceSink>(&mut self, cx: &mut Cx<'_, T>) -> Result<Option<usize>, Fault> {
        if let Some(at_least) = self.poll_packet(EXPECTED, cx)? {
            return Ok(Some(at_least));
        }
        self.decide(cx).map(|()| None)
    }

    /// Sorts the verdict by its first byte.
    fn decide<T: TraceSink>(&mut self, cx: &mut Cx<'_, T>) -> Result<(), Fault> {
        let payload = self.framer.payload(cx.rx);
        let (first, len) = (payload.first().copied().unwrap_or(ERR), payload.len());
        if first == ERR {
            // An ERR packet makes a client ready for the next command, even here.
            self.protocol = ProtocolStage::ReadyForCommand;
        }
        if self.run == Run::First {
            self.enter(ConnectStage::AuthHandleChangeUserRequest, cx);
        }
        match first {
            OK => self.accepted(cx),
            ERR => Err(self.server_error(cx.rx)),
            AuthSwitchRequest::HEADER => self.switch(cx),
            AuthNextFactor::HEADER if self.has_factors() => self.factor(cx),
            _ => Err(ConnectErrorKind::Unexpected { expected: EXPECTED, first, len }.into()),
        }
    }

    fn server_error(&self, rx: &BytesMut) -> Fault {
        match ErrPacket::parse(self.framer.payload(rx), self.capabilities) {
            Ok(err) => ConnectErrorKind::Server(err).into(),
            Err(error) => ConnectErrorKind::Wire { expected: "an ERR packet", error }.into(),
        }
    }

    /// OK: AUTH_FINISH_AUTH.
    fn accepted<T: TraceSink>(&mut self, cx: &mut Cx<'_, T>) -> Result<(), Fault> {
        if let Some(mechanism) = self.mechanism.as_ref().filter(|mechanism| !mechanism.accepts_verdict()) {
            // The server still owes a proof that it knows the password.
            return Err(auth_fault(mechanism.name(), porpoise_auth::AuthError::ServerNotProven));
        }
        let ok = OkPacket::parse(self.framer.payload(cx.rx), self.capabilities)
            .map_err(|error| ConnectErrorKind::Wire { expected: "an OK packet", error })?;
        self.status = ok.status();
        self.framer.consume(cx.rx);
        self.enter(ConnectStage::AuthFinishAuth, cx);
        self.emit(cx, || TraceEvent::Authenticated);
        self.wait = Wait::Done;
        Ok(())
    }

    /// AUTH_RUN_SECOND_AUTHENTICATE_USER: the account has another plugin.
    fn switch<T: TraceSink>(&mut self, cx: &mut Cx<'_, T>) -> Result<(), Fault> {
        let request = AuthSwitchRequest::parse(self.framer.payload(cx.rx))
            .map_err(|error| ConnectErrorKind::Wire { expected: "an AuthSwitchRequest", error })?;
        if self.switches >= self.options.max_auth_switches || self.run == Run::Factor {
            return Err(ConnectErrorKind::TooManyAuthSwitches { plugin: request.plugin.into() }.into());
        }
        self.switches += 1;
        // What the request says outlives the packet only until the plugin has started.
        let challenge = AuthData::copy(request.data);
        let made =
            self.options.registry.make(request.plugin).map_err(|error| auth_fault(request.plugin, error));
        self.framer.consume(cx.rx);
        self.enter(ConnectStage::AuthRunSecondAuthenticateUser, cx);
        self.adopt(made?)?;
        self.start(Run::Second, Some(challenge.bytes()), cx)
    }

    /// AUTH_INIT_MULTI_AUTH and AUTH_DO_MULTI_PLUGIN_AUTH: another factor.
    fn factor<T: TraceSink>(&mut self, cx: &mut Cx<'_, T>) -> Result<(), Fault> {
        let request = AuthNextFactor::parse(self.framer.payload(cx.rx))
            .map_err(|error| ConnectErrorKind::Wire { expected: "an AuthNextFactor", error })?;
        let challenge = AuthData::copy(request.data);
        let made =
            self.options.registry.make(request.plugin).map_err(|error| auth_fault(request.plugin, error));
        self.next_factor()?;
        self.framer.consume(cx.rx);
        self.enter(ConnectStage::AuthInitMultiAuth, cx);
        self.adopt(made?)?;
        self.enter(ConnectStage::AuthDoMultiPluginAuth, cx);
        self.start(Run::Factor, Some(challenge.bytes()), cx)
    }
}
