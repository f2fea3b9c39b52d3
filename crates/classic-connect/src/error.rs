use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

use porpoise_auth::AuthError;
use porpoise_classic::{CapabilityFlags, ClassicError, ClientError, ErrPacket, InfileRefused, ServerError};
use porpoise_wire::{Lost, WireError};

use crate::{ConnectStage, advice};

/// Why a connect failed, and where.
#[derive(Clone, Debug)]
pub struct ConnectError {
    stage: ConnectStage,
    code: u16,
    kind: Arc<ConnectErrorKind>,
}

/// What went wrong.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ConnectErrorKind {
    /// The server said no: an ERR packet.
    Server(ErrPacket),
    /// What came is not a legal packet.
    Wire {
        /// The packet that was expected.
        expected: &'static str,
        /// What is wrong with what came.
        error: WireError,
    },
    /// A legal packet came, but one that has no place here.
    Unexpected {
        /// What was expected.
        expected: &'static str,
        /// The first byte of what came.
        first: u8,
        /// Its length in bytes.
        len: usize,
    },
    /// What answers is not a MySQL server, or another port of one.
    NotClassic(Stranger),
    /// The server lacks capabilities without which porpoise does not connect.
    ServerTooOld {
        /// What is missing.
        missing: CapabilityFlags,
    },
    /// Neither a character set nor a collation has this name.
    UnknownCharset(Box<str>),
    /// The server knows none of the compression algorithms that the options allow.
    NoCompression,
    /// TLS is required, the server does not offer it.
    TlsNotOffered,
    /// TLS cannot work with the settings given.
    TlsSettings(Arc<dyn StdError + Send + Sync>),
    /// Bytes came in clear behind the greeting, where only TLS may follow.
    PlaintextInjected,
    /// The client's side of the authentication failed.
    Auth {
        /// The plugin.
        plugin: Box<str>,
        /// Why.
        error: AuthError,
    },
    /// An AuthSwitchRequest more than allowed.
    TooManyAuthSwitches {
        /// The plugin it names.
        plugin: Box<str>,
    },
    /// An AuthNextFactor more than there are factors.
    TooManyFactors,
    /// The server goes on asking: the limit of packets or bytes in one authentication is reached.
    EndlessAuthentication,
    /// The command phase failed: an init command, `SET NAMES` or the initial database.
    Session(ClassicError),
    /// An init command had the server ask for a file, which it did not get.
    InfileRefused(Box<InfileRefused>),
    /// The outside failed.
    Lost(Lost),
}

/// What answered in place of a classic MySQL server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stranger {
    /// The X Protocol: another port of a MySQL server.
    XProtocol,
    /// Text, as a web, mail or SSH server sends it.
    Text,
    /// TLS from the first byte.
    Tls,
}

impl ConnectError {
    pub(crate) fn new(stage: ConnectStage, code: u16, kind: ConnectErrorKind) -> Self {
        Self { stage, code, kind: Arc::new(kind) }
    }

    /// The stage in which the connect died.
    #[must_use]
    pub const fn stage(&self) -> ConnectStage {
        self.stage
    }

    /// What went wrong.
    #[must_use]
    pub fn kind(&self) -> &ConnectErrorKind {
        &self.kind
    }

    /// The error number: the server's, or the client's (`CR_*`) for what this side found.
    #[must_use]
    pub const fn code(&self) -> u16 {
        self.code
    }

    /// The number's name: `ER_ACCESS_DENIED_ERROR`, `CR_SERVER_LOST`.
    #[must_use]
    pub fn code_name(&self) -> Option<&'static str> {
        match &*self.kind {
            ConnectErrorKind::Server(err) => {
                let known = ServerError::by_code(err.code()).map(|known| known.name);
                // An ERR packet without a number stands for CR_UNKNOWN_ERROR.
                known.or_else(|| ClientError::name(err.code()))
            }
            _ => ClientError::name(self.code()),
        }
    }

    /// The SQLSTATE: the server's, or `HY000`.
    #[must_use]
    pub fn sqlstate(&self) -> &str {
        match &*self.kind {
            ConnectErrorKind::Server(err) => err.sqlstate(),
            _ => "HY000",
        }
    }

    /// What was expected in that stage.
    #[must_use]
    pub fn expected(&self) -> &'static str {
        match &*self.kind {
            ConnectErrorKind::Wire { expected, .. } | ConnectErrorKind::Unexpected { expected, .. } => {
                expected
            }
            ConnectErrorKind::UnknownCharset(_) => "the name of a character set or collation",
            ConnectErrorKind::NoCompression => "a compression algorithm that both sides know",
            ConnectErrorKind::ServerTooOld { .. } => "a server since MySQL 4.1",
            _ => advice::expected(self.stage),
        }
    }

    /// What came instead.
    #[must_use]
    pub fn got(&self) -> String {
        match &*self.kind {
            ConnectErrorKind::Server(err) => {
                format!("ERR {} ({}): {}", err.code(), err.sqlstate(), err.message())
            }
            ConnectErrorKind::Wire { error, .. } => error.to_string(),
            ConnectErrorKind::Unexpected { first, len, .. } => {
                format!("a packet of {len} bytes that starts with 0x{first:02x}")
            }
            kind => kind.to_string(),
        }
    }

    /// One plain sentence on what to do.
    #[must_use]
    pub fn advice(&self) -> Option<&'static str> {
        advice::advice(self.stage, &self.kind)
    }
}

impl ConnectErrorKind {
    /// See [`ConnectError::code`].
    pub(crate) fn code(&self) -> u16 {
        match self {
            Self::Server(err) => err.code(),
            Self::Wire { error: WireError::BadValue { field: "protocol_version", .. }, .. } => {
                ClientError::CR_VERSION_ERROR
            }
            Self::Wire { error, .. } => error.client_error(),
            Self::Unexpected { .. } | Self::TooManyAuthSwitches { .. } | Self::EndlessAuthentication => {
                ClientError::CR_MALFORMED_PACKET
            }
            Self::TooManyFactors => ClientError::CR_MALFORMED_PACKET,
            Self::NotClassic(_) | Self::ServerTooOld { .. } => ClientError::CR_VERSION_ERROR,
            Self::UnknownCharset(_) => ClientError::CR_CANT_READ_CHARSET,
            Self::NoCompression => ClientError::CR_COMPRESSION_WRONGLY_CONFIGURED,
            Self::TlsNotOffered | Self::TlsSettings(_) | Self::PlaintextInjected => {
                ClientError::CR_SSL_CONNECTION_ERROR
            }
            Self::Auth { error, .. } => error.client_error(),
            Self::Session(error) => error.client_error(),
            Self::InfileRefused(refused) => refused.client_error(),
            Self::Lost(Lost::Resolve(_)) => ClientError::CR_UNKNOWN_HOST,
            Self::Lost(Lost::Dial(_)) => ClientError::CR_CONN_HOST_ERROR,
            Self::Lost(Lost::Tls { unrecognized_name: true, .. }) => ClientError::CR_TLS_SERVER_NOT_FOUND,
            Self::Lost(Lost::Tls { .. }) => ClientError::CR_SSL_CONNECTION_ERROR,
            Self::Lost(_) => ClientError::CR_SERVER_LOST,
        }
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "connect failed in {}: {}", self.stage, self.kind)
    }
}

impl StdError for ConnectError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match &*self.kind {
            ConnectErrorKind::Wire { error, .. } => Some(error),
            ConnectErrorKind::Auth { error, .. } => Some(error),
            ConnectErrorKind::Session(error) => Some(error),
            ConnectErrorKind::TlsSettings(error) | ConnectErrorKind::Lost(Lost::Tls { error, .. }) => {
                Some(&**error)
            }
            ConnectErrorKind::Lost(
                Lost::Resolve(error) | Lost::Dial(error) | Lost::Read(error) | Lost::Write(error),
            ) => Some(&**error),
            _ => None,
        }
    }
}

impl fmt::Display for ConnectErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Server(err) => write!(f, "{err}"),
            Self::Wire { expected, error } => write!(f, "{expected} expected, but {error}"),
            Self::Unexpected { expected, first, len } => {
                write!(f, "{expected} expected, a packet of {len} bytes came that starts with 0x{first:02x}")
            }
            Self::NotClassic(stranger) => write!(f, "{stranger}"),
            Self::ServerTooOld { missing } => write!(f, "the server lacks {missing:?}"),
            Self::UnknownCharset(name) => write!(f, "no character set or collation has the name {name}"),
            Self::NoCompression => f.write_str("the server knows none of the compression algorithms allowed"),
            Self::TlsNotOffered => f.write_str("TLS is required but the server does not offer it"),
            Self::TlsSettings(error) => write!(f, "TLS cannot work with these settings: {error}"),
            Self::PlaintextInjected => f.write_str("bytes came in clear where only TLS may follow"),
            Self::Auth { plugin, error } => write!(f, "authentication by {plugin}: {error}"),
            Self::TooManyAuthSwitches { plugin } => {
                write!(f, "the server switches the authentication plugin once more than allowed, to {plugin}")
            }
            Self::TooManyFactors => f.write_str("the server asks for more than three authentication factors"),
            Self::EndlessAuthentication => f.write_str("the server's authentication data does not end"),
            Self::Session(error) => write!(f, "{error}"),
            Self::InfileRefused(refused) => write!(f, "{refused}"),
            Self::Lost(lost) => write!(f, "{lost}"),
        }
    }
}

impl fmt::Display for Stranger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::XProtocol => "what answers speaks the X Protocol, not the classic one",
            Self::Text => "what answers sends text, it is not a MySQL server",
            Self::Tls => "what answers speaks TLS from the first byte, MySQL starts in clear",
        })
    }
}
