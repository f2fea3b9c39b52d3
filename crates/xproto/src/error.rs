use std::fmt;
use std::sync::Arc;

use porpoise_wire::{Lost, WireError};

use crate::messages::{self, notice};
use crate::{Algorithm, ClientKind, LifeCycle, ServerKind};

/// `CR_*` numbers of MySQL's own library.
const CR_CONN_HOST_ERROR: u16 = 2003;
const CR_UNKNOWN_HOST: u16 = 2005;
const CR_SERVER_GONE_ERROR: u16 = 2006;
const CR_VERSION_ERROR: u16 = 2007;
const CR_SERVER_LOST: u16 = 2013;
const CR_NET_PACKET_TOO_LARGE: u16 = 2020;
const CR_SSL_CONNECTION_ERROR: u16 = 2026;
const CR_MALFORMED_PACKET: u16 = 2027;
const CR_COMPRESSION_WRONGLY_CONFIGURED: u16 = 2066;

/// What a server refuses: `Mysqlx.Error`.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerError {
    /// MySQL's number, or X Plugin's own (5000 and above).
    pub code: u16,
    /// Five characters.
    pub sql_state: Box<str>,
    /// What went wrong.
    pub message: Box<str>,
    /// It says FATAL.
    pub fatal: bool,
}

/// CapabilitiesSet was not allowed then. It says FATAL and is not.
const ER_X_CAPABILITY_SET_NOT_ALLOWED: u16 = 5009;

impl ServerError {
    pub(crate) fn new(error: messages::Error) -> Self {
        Self {
            code: u16::try_from(error.code).unwrap_or(u16::MAX),
            fatal: error.severity() == messages::error::Severity::Fatal,
            sql_state: error.sql_state.into(),
            message: error.msg.into(),
        }
    }

    /// Whether the connection is over with it: it says FATAL, and means it.
    #[must_use]
    pub const fn ends_connection(&self) -> bool {
        self.fatal && self.code != ER_X_CAPABILITY_SET_NOT_ALLOWED
    }

    /// Whether a message failed only because one before it in its expectation block did.
    #[must_use]
    pub const fn is_expectation_failed(&self) -> bool {
        matches!(self.code, 5159 | 5168)
    }
}

impl fmt::Display for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}): {}", self.code, self.sql_state, self.message)
    }
}

impl fmt::Debug for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fatal = if self.fatal { "fatal " } else { "" };
        write!(f, "ServerError({fatal}{self})")
    }
}

impl std::error::Error for ServerError {}

/// Why a connection is over.
///
/// Errors that the server reports and lives on with are [`Event::Error`](crate::Event::Error); this one is final.
#[derive(Clone, Debug)]
pub struct XError {
    /// One pointer, so that results which are no error stay small.
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    state: LifeCycle,
    kind: XErrorKind,
}

/// What went wrong.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum XErrorKind {
    /// What came is no frame.
    Frame(WireError),
    /// What came is no message of its type.
    #[non_exhaustive]
    Message {
        /// The message that it should be.
        kind: ServerKind,
        /// What is wrong with it.
        error: WireError,
    },
    /// A message came that has no place here.
    #[non_exhaustive]
    Unexpected {
        /// What was expected.
        expected: &'static str,
        /// What came.
        got: ServerKind,
    },
    /// The first bytes are a greeting of the classic protocol: this is the wrong port.
    ClassicGreeting,
    /// Bytes came in clear behind the Ok that TLS begins after. Somebody may have planted them.
    BytesBeforeTls {
        /// How many.
        len: usize,
    },
    /// Compression was agreed on that this build has not.
    NotBuilt(Algorithm),
    /// The server ended the connection by a fatal error.
    Fatal(ServerError),
    /// The server ended the connection, and said why before.
    Goodbye(notice::Warning),
    /// The connection is gone.
    Lost(Lost),
}

impl XError {
    #[cold]
    pub(crate) fn new(state: LifeCycle, kind: XErrorKind) -> Self {
        Self { inner: Arc::new(Inner { state, kind }) }
    }

    /// The state in which it happened.
    #[must_use]
    pub fn state(&self) -> LifeCycle {
        self.inner.state
    }

    /// What went wrong.
    #[must_use]
    pub fn kind(&self) -> &XErrorKind {
        &self.inner.kind
    }

    /// The server's number, or one of the client's range (`CR_*`).
    #[must_use]
    pub fn code(&self) -> u16 {
        match self.kind() {
            XErrorKind::Fatal(error) => error.code,
            XErrorKind::Goodbye(warning) => u16::try_from(warning.code).unwrap_or(u16::MAX),
            XErrorKind::Frame(WireError::PacketTooLarge { .. }) => CR_NET_PACKET_TOO_LARGE,
            XErrorKind::Frame(_) | XErrorKind::Message { .. } | XErrorKind::Unexpected { .. } => {
                CR_MALFORMED_PACKET
            }
            XErrorKind::ClassicGreeting => CR_VERSION_ERROR,
            XErrorKind::NotBuilt(_) => CR_COMPRESSION_WRONGLY_CONFIGURED,
            XErrorKind::BytesBeforeTls { .. } | XErrorKind::Lost(Lost::Tls { .. }) => CR_SSL_CONNECTION_ERROR,
            XErrorKind::Lost(Lost::Resolve(_)) => CR_UNKNOWN_HOST,
            XErrorKind::Lost(Lost::Dial(_)) => CR_CONN_HOST_ERROR,
            XErrorKind::Lost(Lost::Write(_)) => CR_SERVER_GONE_ERROR,
            XErrorKind::Lost(_) => CR_SERVER_LOST,
        }
    }

    /// One plain sentence on what to do, if there is anything to say.
    #[must_use]
    pub fn advice(&self) -> Option<&'static str> {
        match self.kind() {
            XErrorKind::ClassicGreeting => Some(
                "This port speaks the classic protocol: use the X port (33060 by default), or a mysql:// URL.",
            ),
            XErrorKind::BytesBeforeTls { .. } => {
                Some("Do not trust this network: somebody may be in the middle.")
            }
            XErrorKind::Lost(Lost::Closed | Lost::Read(_) | Lost::Write(_)) => Some(
                "The server closes without a word when a message is larger than mysqlx_max_allowed_packet, when \
                 mysqlx_max_connections is reached, and when a login takes longer than mysqlx_connect_timeout.",
            ),
            _ => None,
        }
    }
}

impl fmt::Display for XError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind() {
            // There was none yet.
            XErrorKind::Lost(Lost::Resolve(_) | Lost::Dial(_)) => {}
            _ => write!(f, "connection lost in {}: ", self.state())?,
        }
        match self.kind() {
            XErrorKind::Frame(error) => write!(f, "{error}"),
            XErrorKind::Message { kind, error } => write!(f, "a broken {kind} came: {error}"),
            XErrorKind::Unexpected { expected, got } => write!(f, "{expected} expected, {got} came"),
            XErrorKind::ClassicGreeting => f.write_str("the server speaks the classic protocol on this port"),
            XErrorKind::BytesBeforeTls { len } => {
                write!(f, "{len} bytes came in clear where the TLS handshake begins")
            }
            XErrorKind::NotBuilt(algorithm) => write!(f, "{algorithm} is left out of this build"),
            XErrorKind::Fatal(error) => write!(f, "{error}"),
            XErrorKind::Goodbye(warning) => write!(f, "the server said {}: {}", warning.code, warning.msg),
            XErrorKind::Lost(lost) => write!(f, "{lost}"),
        }
    }
}

impl std::error::Error for XError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self.kind() {
            XErrorKind::Frame(error) | XErrorKind::Message { error, .. } => Some(error),
            XErrorKind::Fatal(error) => Some(error),
            XErrorKind::Lost(Lost::Resolve(e) | Lost::Dial(e) | Lost::Read(e) | Lost::Write(e)) => Some(&**e),
            XErrorKind::Lost(Lost::Tls { error, .. }) => Some(&**error),
            _ => None,
        }
    }
}

/// A message that cannot be sent as things are. Nothing was written. Never caused by what the network sends, but by a
/// connection that is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Misuse {
    /// The connection is over, or about to be.
    Closed,
    /// The server would not take the message then: not even if all that was sent before it succeeds.
    #[non_exhaustive]
    NotThen {
        /// The message.
        message: ClientKind,
        /// The state in which it would reach the server.
        state: LifeCycle,
    },
    /// Behind a request for TLS nothing may be sent before its answer came.
    BehindTls,
    /// Behind a mechanism that answers a challenge nothing may be sent before the challenge came.
    BehindChallenge,
    /// The message is larger than this side's limit for messages.
    #[non_exhaustive]
    TooLarge {
        /// Its size in bytes, with its type byte.
        size: usize,
        /// The limit.
        limit: usize,
    },
}

impl Misuse {
    /// [`TooLarge`](Self::TooLarge).
    #[must_use]
    pub const fn too_large(size: usize, limit: usize) -> Self {
        Self::TooLarge { size, limit }
    }
}

impl fmt::Display for Misuse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("the connection is over"),
            Self::NotThen { message, state } => write!(f, "{message} cannot be sent in the state {state}"),
            Self::BehindTls => f.write_str("nothing may be sent behind a request for TLS"),
            Self::BehindChallenge => {
                f.write_str("nothing may be sent behind a login that awaits a challenge")
            }
            Self::TooLarge { size, limit } => {
                write!(f, "a message of {size} bytes is larger than the limit of {limit}")
            }
        }
    }
}

impl std::error::Error for Misuse {}
