use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

use porpoise_auth::AuthError;

use crate::{Algorithm, LifeCycle, Misuse, ServerError, XError};

const CR_SSL_CONNECTION_ERROR: u16 = 2026;
const CR_UNKNOWN_ERROR: u16 = 2000;
const CR_COMPRESSION_WRONGLY_CONFIGURED: u16 = 2066;

const ER_ACCESS_DENIED_ERROR: u16 = 1045;
const ER_NOT_SUPPORTED_AUTH_MODE: u16 = 1251;
const ER_MUST_CHANGE_PASSWORD_LOGIN: u16 = 1862;
const ER_ACCOUNT_HAS_BEEN_LOCKED: u16 = 3118;
const ER_SECURE_TRANSPORT_REQUIRED: u16 = 3159;

/// Why a connect failed. The connection is of no more use.
#[derive(Clone, Debug)]
pub struct ConnectError {
    state: LifeCycle,
    mechanism: Option<Box<str>>,
    kind: Arc<ConnectErrorKind>,
}

/// What went wrong.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ConnectErrorKind {
    /// The server refused the login, or a capability that is needed.
    Refused(ServerError),
    /// The server has no TLS, and TLS is required.
    NoTls(ServerError),
    /// TLS cannot be used with these options. Nothing was sent.
    TlsSettings(Arc<dyn StdError + Send + Sync>),
    /// The mechanism cannot go on, or must not.
    Auth(AuthError),
    /// Compression is required, and none of the algorithms is permitted.
    NoCompression(ServerError),
    /// Compression is wanted by an algorithm that this build has not. Nothing was sent.
    NotBuilt(Algorithm),
    /// A message could not be sent: an option holds more than a message may.
    Misuse(Misuse),
    /// The connection broke.
    Connection(XError),
}

impl ConnectError {
    /// What went wrong, where, and with which mechanism.
    #[cold]
    #[must_use]
    pub fn new(state: LifeCycle, mechanism: Option<&str>, kind: ConnectErrorKind) -> Self {
        Self { state, mechanism: mechanism.map(Into::into), kind: Arc::new(kind) }
    }

    /// The state in which it happened.
    #[must_use]
    pub const fn state(&self) -> LifeCycle {
        self.state
    }

    /// The mechanism that ran.
    #[must_use]
    pub fn mechanism(&self) -> Option<&str> {
        self.mechanism.as_deref()
    }

    /// What went wrong.
    #[must_use]
    pub fn kind(&self) -> &ConnectErrorKind {
        &self.kind
    }

    /// What the server said, if it refused something.
    #[must_use]
    pub fn server_error(&self) -> Option<&ServerError> {
        match self.kind() {
            ConnectErrorKind::Refused(error)
            | ConnectErrorKind::NoTls(error)
            | ConnectErrorKind::NoCompression(error) => Some(error),
            ConnectErrorKind::Connection(error) => match error.kind() {
                crate::XErrorKind::Fatal(error) => Some(error),
                _ => None,
            },
            _ => None,
        }
    }

    /// The server's number, or one of the client's range (`CR_*`).
    #[must_use]
    pub fn code(&self) -> u16 {
        match self.kind() {
            ConnectErrorKind::Refused(error) => error.code,
            ConnectErrorKind::NoTls(_) | ConnectErrorKind::TlsSettings(_) => CR_SSL_CONNECTION_ERROR,
            ConnectErrorKind::Auth(error) => error.client_error(),
            ConnectErrorKind::NoCompression(_) | ConnectErrorKind::NotBuilt(_) => {
                CR_COMPRESSION_WRONGLY_CONFIGURED
            }
            ConnectErrorKind::Misuse(_) => CR_UNKNOWN_ERROR,
            ConnectErrorKind::Connection(error) => error.code(),
        }
    }

    /// One plain sentence on what to do, if there is anything to say.
    #[must_use]
    pub fn advice(&self) -> Option<&'static str> {
        match self.kind() {
            ConnectErrorKind::Auth(error) => error.advice(),
            ConnectErrorKind::Connection(error) => match error.kind() {
                crate::XErrorKind::Fatal(error) => self.server_advice(error.code),
                _ => error.advice(),
            },
            ConnectErrorKind::NoTls(_) => {
                Some("The server has no TLS on this port: ssl-mode=DISABLED does without.")
            }
            ConnectErrorKind::NoCompression(_) => {
                Some("See mysqlx_compression_algorithms on the server, or set compression=PREFERRED.")
            }
            ConnectErrorKind::NotBuilt(_) => Some("Turn the feature of that algorithm on."),
            ConnectErrorKind::Refused(error) => self.server_advice(error.code),
            ConnectErrorKind::TlsSettings(_) | ConnectErrorKind::Misuse(_) => None,
        }
    }

    fn server_advice(&self, code: u16) -> Option<&'static str> {
        Some(match code {
            ER_ACCESS_DENIED_ERROR => match self.mechanism() {
                Some("SHA256_MEMORY" | "MYSQL41") => {
                    "Check user and password, or the server has no cached password: connect once over TLS or its Unix \
                     socket."
                }
                _ => "Check user and password, and whether the account requires TLS or a certificate.",
            },
            ER_NOT_SUPPORTED_AUTH_MODE => {
                "The server does not take this mechanism as the connection is: see authentication.mechanisms, or use TLS."
            }
            ER_MUST_CHANGE_PASSWORD_LOGIN => {
                "Set connect-expired-password=true, name no schema, and then a new password."
            }
            ER_ACCOUNT_HAS_BEEN_LOCKED => {
                "Somebody has to unlock the account: ALTER USER ... ACCOUNT UNLOCK."
            }
            ER_SECURE_TRANSPORT_REQUIRED => "Set ssl-mode=REQUIRED.",
            _ => return None,
        })
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !matches!(self.kind(), ConnectErrorKind::Connection(_)) {
            write!(f, "connecting failed in {}: ", self.state)?;
        }
        match self.kind() {
            ConnectErrorKind::Refused(error) => write!(f, "{error}"),
            ConnectErrorKind::NoTls(error) => write!(f, "the server refuses TLS: {error}"),
            ConnectErrorKind::TlsSettings(error) => write!(f, "{error}"),
            ConnectErrorKind::Auth(error) => {
                write!(f, "{}: {error}", self.mechanism().unwrap_or("authentication"))
            }
            ConnectErrorKind::NoCompression(error) => write!(f, "the server refuses compression: {error}"),
            ConnectErrorKind::NotBuilt(algorithm) => write!(f, "{algorithm} is left out of this build"),
            ConnectErrorKind::Misuse(misuse) => write!(f, "{misuse}"),
            // It names the state itself.
            ConnectErrorKind::Connection(error) => write!(f, "{error}"),
        }
    }
}

impl StdError for ConnectError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self.kind() {
            ConnectErrorKind::Refused(error)
            | ConnectErrorKind::NoTls(error)
            | ConnectErrorKind::NoCompression(error) => Some(error),
            ConnectErrorKind::TlsSettings(error) => Some(&**error),
            ConnectErrorKind::Auth(error) => Some(error),
            ConnectErrorKind::Misuse(misuse) => Some(misuse),
            ConnectErrorKind::Connection(error) => Some(error),
            ConnectErrorKind::NotBuilt(_) => None,
        }
    }
}
