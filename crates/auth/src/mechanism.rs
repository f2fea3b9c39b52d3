use std::fmt;

use bytes::BytesMut;

use crate::{AuthError, Channel, Policy, Secret};

/// The client's side of one authentication plugin, or SASL mechanism, for one exchange.
///
/// It takes what the server says and appends what is to be answered; it knows neither packets nor sockets, nor
/// which protocol calls it. Its owner
///
/// 1. makes one for each exchange, also for a plugin that ran before (a nonce is never used twice),
/// 2. asks [`enabled`](Self::enabled) before it lets anyone know that the plugin runs,
/// 3. fetches the password if [`wants_password`](Self::wants_password),
/// 4. calls [`step`](Self::step) with [`Input::Start`], and then as the returned [`AuthStep`] says,
/// 5. takes the server's acceptance only if [`accepts_verdict`](Self::accepts_verdict).
///
/// After an error a mechanism is spent: each further step is [`AuthError::OutOfTurn`].
///
/// ```text
///            Start                  Packet                     verdict
/// owner  ───────────►  mechanism  ◄────────── ... Reply{last} ─────────►  accepts_verdict()?
///                       │    ▲
///                   Ask ▼    │ Answer
///                       owner's device, token, prompt
/// ```
pub trait Mechanism: Send {
    /// The name by which servers ask for it.
    fn name(&self) -> &str;

    /// Whether the policy lets it run at all. Nothing has been written yet.
    ///
    /// # Errors
    /// [`AuthError::NotEnabled`].
    fn enabled(&self, policy: &Policy) -> Result<(), AuthError> {
        let _ = policy;
        Ok(())
    }

    /// Whether the password must be there before the first step. `false` spares the owner from asking for one.
    fn wants_password(&self) -> bool {
        true
    }

    /// Goes one step on. Bytes to send are appended to `out`, which may hold other bytes already; nothing is
    /// appended unless the answer is [`AuthStep::Reply`].
    ///
    /// Write secrets to `out` only after a single [`BytesMut::reserve`] for all of it: a buffer that grows leaves
    /// a copy behind that nobody wipes. The owner wipes `out`.
    ///
    /// # Errors
    /// When the exchange cannot go on, or must not.
    fn step(
        &mut self,
        input: Input<'_>,
        exchange: &Exchange<'_>,
        out: &mut BytesMut,
    ) -> Result<AuthStep, AuthError>;

    /// Whether the server may accept the login now. `false` while the server still owes a proof that it knows the
    /// password: an acceptance is [`AuthError::ServerNotProven`] then.
    fn accepts_verdict(&self) -> bool {
        true
    }

    /// The way that was taken so far, for reports.
    fn path(&self) -> AuthPath {
        AuthPath::Unknown
    }
}

/// What a step is lent.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Exchange<'a> {
    /// What the bytes travel through.
    pub channel: Channel,
    /// What may be sent there.
    pub policy: &'a Policy,
    /// Who logs in.
    pub user: &'a str,
    /// The password of the factor that runs; empty for none.
    pub password: &'a Secret,
    /// The default schema, which X Protocol's mechanisms carry where SASL has the authorization identity. Empty
    /// for none.
    pub schema: &'a str,
}

impl<'a> Exchange<'a> {
    /// An exchange without default schema.
    #[must_use]
    pub const fn new(channel: Channel, policy: &'a Policy, user: &'a str, password: &'a Secret) -> Self {
        Self { channel, policy, user, password, schema: "" }
    }

    /// Sets [`schema`](Self::schema).
    #[must_use]
    pub const fn schema(mut self, schema: &'a str) -> Self {
        self.schema = schema;
        self
    }
}

/// What a step is called with.
#[derive(Debug)]
#[non_exhaustive]
pub enum Input<'a> {
    /// The first call.
    Start {
        /// The nonce, or whatever else the server gave the plugin to begin with; it may be empty. `None` when
        /// nothing was given *for this plugin*: the greeting's nonce belongs to another one, or there was no
        /// greeting (`COM_CHANGE_USER`, X Protocol).
        challenge: Option<&'a [u8]>,
    },
    /// The plugin's bytes in the server's next packet, without AuthMoreData's leading 0x01. Also the data that
    /// comes along with an acceptance (SASL's additional data with success), before the acceptance is judged.
    Packet(&'a [u8]),
    /// The answer to an [`AuthStep::Ask`].
    Answer(Answer),
}

/// What is to be done after a step.
#[derive(Debug)]
#[must_use]
#[non_exhaustive]
pub enum AuthStep {
    /// Send what was appended, be it nothing (an empty packet).
    Reply {
        /// The mechanism needs nothing more: what comes next is the server's verdict.
        last: bool,
    },
    /// Send nothing and step again with the next packet. Before anything was sent: make the server talk by an
    /// empty response.
    Wait,
    /// Send nothing: what comes next is the server's verdict.
    Done,
    /// Stop until the owner has the answer, then step with [`Input::Answer`].
    Ask(Ask),
}

/// What a mechanism cannot know by itself: it asks its owner, who may take any time, on any thread.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Ask {
    /// A question that a mechanism and its owner agreed on: touch a device, fetch a token, show a prompt.
    Custom {
        /// Who asks.
        plugin: String,
        /// What. Where it comes from the server it is as hostile as the server.
        prompt: Vec<u8>,
    },
}

/// The answer to an [`Ask`].
#[derive(Clone)]
#[non_exhaustive]
pub enum Answer {
    /// A password or token.
    Secret(Secret),
    /// Bytes that are no secret: a signature, a public key. `Debug` shows their length only.
    Bytes(Vec<u8>),
    /// There is none; the mechanism fails with [`AuthError::Refused`].
    Refused,
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Secret(secret) => f.debug_tuple("Secret").field(secret).finish(),
            Self::Bytes(bytes) => write!(f, "Bytes({} bytes)", bytes.len()),
            Self::Refused => f.write_str("Refused"),
        }
    }
}

/// The way an exchange took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum AuthPath {
    /// Nothing was sent yet, or the mechanism does not tell.
    #[default]
    Unknown,
    /// There is no password, and none was sent.
    Empty,
    /// A hash of password and nonce was sent.
    Scramble,
    /// The hash was enough for `caching_sha2_password`: the server had the account in its cache.
    Fast,
    /// The password was sent inside TLS.
    FullTls,
    /// The password was sent over a Unix socket.
    FullSocket,
    /// The password was sent, encrypted with an RSA key known beforehand.
    FullRsaPinned,
    /// The password was sent, encrypted with the RSA key that the server sent.
    FullRsaFetched,
    /// The password was sent by a plugin that knows nothing else.
    Clear,
    /// The nonce was signed.
    Signature,
    /// Nothing was sent: the server asks the operating system who is at the other end.
    Peer,
    /// Another, which a mechanism of the user's own names.
    Other(&'static str),
}

impl AuthPath {
    /// Its name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Empty => "empty password",
            Self::Scramble => "scramble",
            Self::Fast => "fast",
            Self::FullTls => "full by TLS",
            Self::FullSocket => "full by socket",
            Self::FullRsaPinned => "full by RSA, key pinned",
            Self::FullRsaFetched => "full by RSA, key fetched",
            Self::Clear => "clear",
            Self::Signature => "signature",
            Self::Peer => "peer credentials",
            Self::Other(name) => name,
        }
    }
}

impl fmt::Display for AuthPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_of_what_holds_a_password_does_not_show_it() {
        let (policy, password) = (Policy::default(), Secret::from("hunter2"));
        let exchange = Exchange::new(Channel::Plain, &policy, "root", &password);
        let all = format!(
            "{exchange:?} {:?} {:?} {:?}",
            Answer::Secret(password.clone()),
            Answer::Bytes(b"hunter2".to_vec()),
            Input::Answer(Answer::Secret(password.clone())),
        );
        assert!(all.contains("root") && all.contains("Secret(..)") && all.contains("7 bytes"), "{all}");
        assert!(!all.contains("hunter2") && !all.contains("104, 117"), "{all}");
    }
}
