//! The authentication machine, which a connect and a `COM_CHANGE_USER` share.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::BytesMut;
use porpoise_auth::{Answer, AuthError, AuthStep, Channel, Exchange, Input, Mechanism, Secret};
use porpoise_classic::{CapabilityFlags, ClientError, StatusFlags};
use porpoise_trace::{Payload, ProtocolStage, TraceEvent, TraceSink};
use porpoise_wire::{Cx, Frame, Framer, Lost, WireError};

use crate::auth_data::AuthData;
use crate::charset::Chosen;
use crate::error::ConnectErrorKind;
use crate::flow::{Ask, Envelope, Fault, LoginStep, Misuse, Run, Wait};
use crate::options::{ConnectOptions, MAX_FACTORS};
use crate::server::Server;
use crate::{ConnectError, ConnectStage};

/// The plugin that is assumed when nothing names one.
const DEFAULT_PLUGIN: &str = "caching_sha2_password";
/// The first byte of a packet that holds a plugin's data.
pub(crate) const AUTH_MORE_DATA: u8 = 0x01;
/// The plugin of servers that name none.
const NATIVE_PLUGIN: &str = "mysql_native_password";

pub(crate) struct Login {
    pub(crate) options: Arc<ConnectOptions>,
    pub(crate) stage: ConnectStage,
    pub(crate) protocol: ProtocolStage,
    pub(crate) framer: Framer,
    pub(crate) channel: Channel,
    pub(crate) server: Server,
    pub(crate) capabilities: CapabilityFlags,
    pub(crate) charset: Chosen,
    pub(crate) status: StatusFlags,
    pub(crate) mechanism: Option<Box<dyn Mechanism>>,
    pub(crate) run: Run,
    pub(crate) wait: Wait,
    pub(crate) envelope: Envelope,
    pub(crate) factor: usize,
    pub(crate) switches: u8,
    pub(crate) first_written: bool,
    read_told: bool,
    rounds: u32,
    bytes: usize,
    /// The password that was asked for, of the current factor.
    asked: Option<Secret>,
    /// Stages entered that the owner was not yet told of; absent when he does not want to be.
    pub(crate) watch: Option<VecDeque<ConnectStage>>,
}

impl Login {
    pub(crate) fn new(options: Arc<ConnectOptions>, channel: Channel, framer: Framer) -> Self {
        Self {
            options,
            stage: ConnectStage::NotStarted,
            protocol: ProtocolStage::Connecting,
            framer,
            channel,
            server: Server::default(),
            capabilities: CapabilityFlags::empty(),
            charset: Chosen::default(),
            status: StatusFlags::SERVER_STATUS_AUTOCOMMIT,
            mechanism: None,
            run: Run::First,
            wait: Wait::Begin,
            envelope: Envelope::HandshakeResponse,
            factor: 1,
            switches: 0,
            first_written: false,
            read_told: false,
            rounds: 0,
            bytes: 0,
            asked: None,
            watch: None,
        }
    }

    /// Enters a stage, which the table must allow.
    #[inline]
    pub(crate) fn enter<T: TraceSink>(&mut self, stage: ConnectStage, cx: &mut Cx<'_, T>) {
        debug_assert!(stage.may_follow(self.stage), "{} after {}", stage, self.stage);
        self.stage = stage;
        if let Some(watch) = &mut self.watch {
            watch.push_back(stage);
        }
        cx.enter(|| stage.id());
    }

    #[inline]
    pub(crate) fn emit<'e, T: TraceSink>(&self, cx: &mut Cx<'_, T>, make: impl FnOnce() -> TraceEvent<'e>) {
        cx.emit(self.protocol, make);
    }

    /// Tells a fault to the trace and makes an error of it.
    pub(crate) fn fail<T: TraceSink>(&mut self, fault: Fault, cx: &mut Cx<'_, T>) -> ConnectError {
        let code = fault.kind.code();
        if matches!(fault.kind, ConnectErrorKind::Session(_)) {
            // A session that fails has told all of it.
            return ConnectError::new(self.stage, code, fault.kind);
        }
        let error = ConnectError::new(self.stage, code, fault.kind);
        if fault.unread {
            self.end_reading(cx);
            return error;
        }
        // An ERR packet is the server's word: the reference tells no ERROR for it.
        let of_server = matches!(error.kind(), ConnectErrorKind::Server(err) if err.code() != ClientError::CR_UNKNOWN_ERROR);
        if !fault.told && !of_server {
            self.emit(cx, || TraceEvent::Error { errno: code });
        }
        self.emit(cx, || TraceEvent::Disconnected);
        error
    }

    /// The error of an outside that failed.
    pub(crate) fn lost_error(&self, why: Lost, unix: bool) -> ConnectError {
        let dialing = self.stage < ConnectStage::ReadGreeting;
        let code = match &why {
            Lost::Dial(_) if unix => ClientError::CR_CONNECTION_ERROR,
            Lost::Deadline { .. } if dialing => ClientError::CR_CONN_HOST_ERROR,
            _ if self.stage == ConnectStage::EstablishSsl && !matches!(why, Lost::Tls { .. }) => {
                ClientError::CR_SSL_CONNECTION_ERROR
            }
            _ => ConnectErrorKind::Lost(why.clone()).code(),
        };
        ConnectError::new(self.stage, code, ConnectErrorKind::Lost(why))
    }

    /// The outside failed while bytes were awaited.
    pub(crate) fn lost_reading<T: TraceSink>(&mut self, why: Lost, cx: &mut Cx<'_, T>) -> ConnectError {
        let error = self.lost_error(why, false);
        self.end_reading(cx);
        error
    }

    /// No packet could be read. The reference tells no ERROR then, because it ends the trace first; and it enters
    /// the stage that would have judged what did not come.
    fn end_reading<T: TraceSink>(&mut self, cx: &mut Cx<'_, T>) {
        self.emit(cx, || TraceEvent::Disconnected);
        match self.stage {
            ConnectStage::AuthRunFirstAuthenticateUser
            | ConnectStage::AuthRunSecondAuthenticateUser
            | ConnectStage::AuthDoMultiPluginAuth => self.enter(self.run.handle_stage(), cx),
            ConnectStage::AuthReadChangeUserResult => {
                self.enter(ConnectStage::AuthHandleChangeUserRequest, cx);
            }
            _ => {}
        }
    }

    /// Looks for a packet, tells the trace, and keeps the server within the limits.
    pub(crate) fn poll_packet<T: TraceSink>(
        &mut self,
        expected: &'static str,
        cx: &mut Cx<'_, T>,
    ) -> Result<Option<usize>, Fault> {
        self.tell_read(cx);
        let wire = |error| Fault { unread: true, ..Fault::from(ConnectErrorKind::Wire { expected, error }) };
        if let Frame::Need(at_least) = self.framer.poll(cx.rx).map_err(wire)? {
            return Ok(Some(at_least));
        }
        self.read_told = false;
        let payload = self.framer.payload(cx.rx);
        if payload.is_empty() {
            return Err(wire(WireError::EmptyPacket));
        }
        let len = payload.len();
        if cx.on() {
            self.tell_packet(cx);
        }
        if self.protocol == ProtocolStage::WaitForInitPacket {
            // The greeting is not yet part of the exchange that has these limits.
            return Ok(None);
        }
        self.rounds += 1;
        self.bytes += len;
        let limits = &self.options.limits;
        if self.rounds > limits.max_auth_rounds || self.bytes > limits.max_auth_bytes {
            return Err(ConnectErrorKind::EndlessAuthentication.into());
        }
        Ok(None)
    }

    #[cold]
    fn tell_packet<T: TraceSink>(&self, cx: &mut Cx<'_, T>) {
        let payload = self.framer.payload(cx.rx);
        // The greeting is public; all that follows may be a secret's shadow.
        let greeting = self.protocol == ProtocolStage::WaitForInitPacket;
        let pkt = if greeting { Payload::open(payload) } else { Payload::sensitive(payload) };
        cx.trace.event(self.protocol, &TraceEvent::PacketReceived { pkt });
    }

    #[inline]
    pub(crate) fn tell_read<T: TraceSink>(&mut self, cx: &mut Cx<'_, T>) {
        if cx.on() {
            self.read_begins(cx);
        }
    }

    #[cold]
    fn read_begins<T: TraceSink>(&mut self, cx: &mut Cx<'_, T>) {
        if !self.read_told {
            self.read_told = true;
            self.emit(cx, || TraceEvent::ReadPacket);
        }
    }

    pub(crate) fn read_told(&self) -> bool {
        self.read_told
    }

    /// Runs until the server has decided, or something is needed.
    pub(crate) fn advance<T: TraceSink>(&mut self, cx: &mut Cx<'_, T>) -> Result<LoginStep, Fault> {
        loop {
            let needed = match &self.wait {
                Wait::Begin => self.begin(cx).map(|()| None)?,
                Wait::Packet => self.plugin_packet(cx)?,
                Wait::Verdict => self.verdict(cx)?,
                Wait::PasswordGiven { .. } | Wait::Answered(_) => self.answered(cx).map(|()| None)?,
                Wait::Password { .. } => {
                    let (plugin, user) = (self.plugin().into(), self.options.user.clone());
                    return Ok(LoginStep::Ask(Ask::Password { factor: self.factor, plugin, user }));
                }
                Wait::Plugin(ask) => return Ok(LoginStep::Ask(Ask::Plugin(ask.clone()))),
                Wait::Done => return Ok(LoginStep::Done),
            };
            if let Some(at_least) = needed {
                return Ok(LoginStep::NeedRead(at_least));
            }
        }
    }

    /// AUTH_BEGIN: chooses the plugin, and whether the greeting's scramble is meant for it.
    fn begin<T: TraceSink>(&mut self, cx: &mut Cx<'_, T>) -> Result<(), Fault> {
        self.enter(ConnectStage::AuthBegin, cx);
        let (mechanism, fits) = self.choose(cx)?;
        self.adopt(mechanism)?;
        self.enter(ConnectStage::AuthRunFirstAuthenticateUser, cx);
        let challenge = self.server.challenge;
        let challenge = challenge.get(..self.server.challenge_len).filter(|_| fits);
        self.start(Run::First, challenge, cx)
    }

    /// The plugin to start with, and whether it is the one that the greeting names. One that is not known is told
    /// to the trace as an error, although the login goes on with another.
    fn choose<T: TraceSink>(&self, cx: &mut Cx<'_, T>) -> Result<(Box<dyn Mechanism>, bool), Fault> {
        let registry = &self.options.registry;
        let wanted = self.options.default_auth.as_deref();
        let greeted = match (self.server.plugin.get(), self.envelope) {
            (_, Envelope::ChangeUser) => None,
            (Some(plugin), _) => Some(plugin),
            (None, _) if self.server.capabilities.contains(CapabilityFlags::CLIENT_PLUGIN_AUTH) => None,
            (None, _) => Some(NATIVE_PLUGIN),
        };
        for name in [wanted, greeted].into_iter().flatten() {
            match registry.make(name) {
                Ok(mechanism) => return Ok((mechanism, greeted == Some(name))),
                Err(error) => self.emit(cx, || TraceEvent::Error { errno: error.client_error() }),
            }
        }
        let name = wanted.unwrap_or(DEFAULT_PLUGIN);
        registry.make(name).map(|mechanism| (mechanism, false)).map_err(|error| auth_fault(name, error))
    }

    /// Takes a plugin, if the policy lets it run.
    pub(crate) fn adopt(&mut self, mechanism: Box<dyn Mechanism>) -> Result<(), Fault> {
        let mechanism = self.mechanism.insert(mechanism);
        mechanism.enabled(&self.options.policy).map_err(|error| auth_fault(mechanism.name(), error))
    }

    /// Starts the plugin; asks for its password first, if that is how it is given.
    pub(crate) fn start<T: TraceSink>(
        &mut self,
        run: Run,
        challenge: Option<&[u8]>,
        cx: &mut Cx<'_, T>,
    ) -> Result<(), Fault> {
        self.run = run;
        let asks = self.options.asked.get(self.factor - 1).copied().unwrap_or(false);
        let wants = self.mechanism.as_ref().is_some_and(|mechanism| mechanism.wants_password());
        if asks && wants && self.asked.is_none() {
            self.wait = Wait::Password { challenge: challenge.map(<[u8]>::to_vec) };
            return Ok(());
        }
        self.tell_plugin(cx);
        self.input(Input::Start { challenge }, cx)
    }

    fn tell_plugin<T: TraceSink>(&self, cx: &mut Cx<'_, T>) {
        self.emit(cx, || TraceEvent::AuthPlugin { plugin_name: self.plugin() });
    }

    /// The running plugin's name.
    pub(crate) fn plugin(&self) -> &str {
        name(self.mechanism.as_deref())
    }

    /// Takes the owner's answer.
    pub(crate) fn answer(&mut self, answer: Answer) -> Result<(), Misuse> {
        self.wait = match std::mem::replace(&mut self.wait, Wait::Done) {
            Wait::Password { challenge } => Wait::PasswordGiven { challenge, answer },
            Wait::Plugin(_) => Wait::Answered(answer),
            other => {
                self.wait = other;
                return Err(Misuse::NothingAsked);
            }
        };
        Ok(())
    }

    /// Goes on with the owner's answer.
    fn answered<T: TraceSink>(&mut self, cx: &mut Cx<'_, T>) -> Result<(), Fault> {
        match std::mem::replace(&mut self.wait, Wait::Done) {
            Wait::PasswordGiven { challenge, answer } => {
                self.password_given(challenge.as_deref(), answer, cx)
            }
            Wait::Answered(answer) => self.input(Input::Answer(answer), cx),
            other => {
                self.wait = other;
                Ok(())
            }
        }
    }

    fn password_given<T: TraceSink>(
        &mut self,
        challenge: Option<&[u8]>,
        answer: Answer,
        cx: &mut Cx<'_, T>,
    ) -> Result<(), Fault> {
        let Answer::Secret(password) = answer else {
            return Err(auth_fault(self.plugin(), AuthError::Refused));
        };
        self.asked = Some(password);
        self.tell_plugin(cx);
        self.input(Input::Start { challenge }, cx)
    }

    /// Lets the plugin do one step, and does what it says.
    fn input<T: TraceSink>(&mut self, input: Input<'_>, cx: &mut Cx<'_, T>) -> Result<(), Fault> {
        let start = cx.tx.len();
        let none = Secret::default();
        let exchange = exchange(&self.options, self.asked.as_ref(), self.factor, self.channel, &none);
        let step = step(&mut self.mechanism, input, &exchange, cx.tx);
        self.after_step(step, start, cx)
    }

    fn after_step<T: TraceSink>(
        &mut self,
        step: Result<AuthStep, AuthError>,
        start: usize,
        cx: &mut Cx<'_, T>,
    ) -> Result<(), Fault> {
        let data = AuthData::cut(cx.tx, start);
        match step {
            Ok(AuthStep::Reply { last }) => {
                self.send(data.bytes(), cx)?;
                if last { self.plugin_done(cx) } else { self.wait = Wait::Packet }
            }
            Ok(AuthStep::Wait) => {
                self.provoke(cx)?;
                self.wait = Wait::Packet;
            }
            Ok(AuthStep::Done) => {
                self.provoke(cx)?;
                self.plugin_done(cx);
            }
            Ok(AuthStep::Ask(ask)) => self.wait = Wait::Plugin(ask),
            Ok(_) => return Err(self.plugin_failed(AuthError::Refused, cx)),
            Err(error) => return Err(self.plugin_failed(error, cx)),
        }
        Ok(())
    }

    /// A plugin's own failure is told where it happens when the plugin itself names it, after its stage else.
    fn plugin_failed<T: TraceSink>(&mut self, error: AuthError, cx: &mut Cx<'_, T>) -> Fault {
        let errno = error.client_error();
        let told = errno == ClientError::CR_AUTH_PLUGIN_ERR;
        if told {
            self.emit(cx, || TraceEvent::Error { errno });
        }
        self.enter(self.run.handle_stage(), cx);
        Fault { told, ..auth_fault(self.plugin(), error) }
    }

    /// The plugin needs nothing more: its outcome is judged, and the verdict awaited.
    pub(crate) fn plugin_done<T: TraceSink>(&mut self, cx: &mut Cx<'_, T>) {
        self.enter(self.run.handle_stage(), cx);
        if self.run == Run::First {
            self.enter(ConnectStage::AuthReadChangeUserResult, cx);
        }
        self.wait = Wait::Verdict;
    }

    /// A packet while a plugin runs: its data, or the server overrules it. `Some` says how many bytes are needed.
    fn plugin_packet<T: TraceSink>(&mut self, cx: &mut Cx<'_, T>) -> Result<Option<usize>, Fault> {
        if let Some(at_least) = self.poll_packet("data of the authentication plugin", cx)? {
            return Ok(Some(at_least));
        }
        let payload = self.framer.payload(cx.rx);
        if self.overrules(payload) {
            return self.overruled(cx).map(|()| None);
        }
        let start = cx.tx.len();
        let none = Secret::default();
        let exchange = exchange(&self.options, self.asked.as_ref(), self.factor, self.channel, &none);
        let data = payload.strip_prefix(&[AUTH_MORE_DATA]).unwrap_or(payload);
        let step = step(&mut self.mechanism, Input::Packet(data), &exchange, cx.tx);
        self.framer.consume(cx.rx);
        self.after_step(step, start, cx).map(|()| None)
    }

    /// Begins with the next factor.
    pub(crate) fn next_factor(&mut self) -> Result<(), Fault> {
        self.factor += 1;
        self.asked = None;
        if self.factor > MAX_FACTORS { Err(ConnectErrorKind::TooManyFactors.into()) } else { Ok(()) }
    }
}

/// What a plugin's step is lent.
fn exchange<'a>(
    options: &'a ConnectOptions,
    asked: Option<&'a Secret>,
    factor: usize,
    channel: Channel,
    none: &'a Secret,
) -> Exchange<'a> {
    let password = asked.or_else(|| options.passwords.get(factor - 1)).unwrap_or(none);
    Exchange::new(channel, &options.policy, &options.user, password)
}

/// A mechanism's name, borrowed from it alone.
pub(crate) fn name(mechanism: Option<&dyn Mechanism>) -> &str {
    mechanism.map_or("", |mechanism| mechanism.name())
}

fn step(
    mechanism: &mut Option<Box<dyn Mechanism>>,
    input: Input<'_>,
    exchange: &Exchange<'_>,
    out: &mut BytesMut,
) -> Result<AuthStep, AuthError> {
    match mechanism {
        Some(mechanism) => mechanism.step(input, exchange, out),
        None => Err(AuthError::Refused),
    }
}

pub(crate) fn auth_fault(plugin: &str, error: AuthError) -> Fault {
    ConnectErrorKind::Auth { plugin: plugin.into(), error }.into()
}
