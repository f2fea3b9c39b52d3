//! What the unit tests share: a client whose steps come out as text.

use std::fmt::Write;

use bytes::BytesMut;

use crate::{AuthPath, AuthStep, Channel, Exchange, Input, Mechanism, Policy, Secret};

/// `01 02 .. 14`
pub(crate) const NONCE: [u8; 20] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20];
/// The nonce as servers send it.
pub(crate) const CHALLENGE: [u8; 21] =
    [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 0];
pub(crate) const TLS: Channel = Channel::Tls { verified: true };

pub(crate) struct Client {
    mechanism: Box<dyn Mechanism>,
    password: Secret,
    schema: &'static str,
    pub(crate) channel: Channel,
    pub(crate) policy: Policy,
    /// What the last step appended.
    pub(crate) sent: Vec<u8>,
}

impl Client {
    pub(crate) fn new(mechanism: impl Mechanism + 'static, password: &str) -> Self {
        Self {
            mechanism: Box::new(mechanism),
            password: password.into(),
            schema: "",
            channel: Channel::Plain,
            policy: Policy::default(),
            sent: Vec::new(),
        }
    }

    pub(crate) fn on(mut self, channel: Channel) -> Self {
        self.channel = channel;
        self
    }

    pub(crate) fn schema(mut self, schema: &'static str) -> Self {
        self.schema = schema;
        self
    }

    pub(crate) fn policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    pub(crate) fn path(&self) -> AuthPath {
        self.mechanism.path()
    }

    /// Starts with the challenge of this module.
    pub(crate) fn start(&mut self) -> String {
        self.step(Input::Start { challenge: Some(&CHALLENGE) })
    }

    pub(crate) fn packet(&mut self, packet: &[u8]) -> String {
        self.step(Input::Packet(packet))
    }

    pub(crate) fn step(&mut self, input: Input<'_>) -> String {
        let exchange = Exchange::new(self.channel, &self.policy, "user", &self.password).schema(self.schema);
        let mut out = BytesMut::from(&b"before"[..]);
        let step = self.mechanism.step(input, &exchange, &mut out);
        self.sent = out.strip_prefix(b"before").unwrap().to_vec();
        if !matches!(step, Ok(AuthStep::Reply { .. })) {
            assert!(self.sent.is_empty(), "sent {:?} with {step:?}", self.sent);
        }
        match step {
            Ok(AuthStep::Reply { last }) => {
                format!("send {}{}", hex(&self.sent), if last { ", last" } else { "" })
            }
            Ok(AuthStep::Wait) => "wait".into(),
            Ok(AuthStep::Done) => "done".into(),
            Ok(AuthStep::Ask(_)) => "ask".into(),
            Err(error) => format!("error {}: {error}", error.client_error()),
        }
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}
