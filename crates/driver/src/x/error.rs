use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use porpoise_transport::TlsError;
use porpoise_value::{ParamError, PlanError};
use porpoise_wire::Lost;
use porpoise_xproto::connect::{ConnectError, ConnectErrorKind};
use porpoise_xproto::crud::CrudError;
use porpoise_xproto::{Misuse, RowError, ServerError, XError, XErrorKind};

use crate::{Operation, Usage};

const CR_UNKNOWN_ERROR: u16 = 2000;
const CR_INVALID_PARAMETER_NO: u16 = 2034;
const CR_SERVER_GONE_ERROR: u16 = 2006;
const CR_SERVER_LOST: u16 = 2013;
const CR_COMMANDS_OUT_OF_SYNC: u16 = 2014;
const ER_QUERY_INTERRUPTED: u16 = 1317;

/// Why a session's call failed.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Error {
    /// The connect failed.
    Connect(ConnectError),
    /// The server refused a message. The session goes on.
    Server(ServerError),
    /// The message was not run, because its expectation block had failed before. The session goes on.
    Expectation(ServerError),
    /// The session broke.
    Session(XError),
    /// The session cannot do this any more.
    Unusable(Operation),
    /// The message cannot be sent as things are. Nothing was written, and the session goes on.
    Misuse(Misuse),
    /// The operation took too long.
    #[non_exhaustive]
    TimedOut {
        /// How long was allowed.
        after: Duration,
        /// Whether the connection had to be closed. Else the operation was cancelled, or was over just then, and the session
        /// goes on.
        closed: bool,
    },
    /// What was built is no message. Nothing was sent, and the session goes on.
    Crud(CrudError),
    /// The parameters are not those of the statement, or MySQL has no form for one. Nothing was sent.
    Params(ParamError),
    /// A row does not become the type that was asked for. The session goes on.
    Row(RowError),
    /// One of many messages failed. What the error means for the session, says the inner one.
    #[non_exhaustive]
    Batch {
        /// Which, from 0.
        index: u64,
        /// Why.
        error: Box<Self>,
    },
    /// The call makes no sense as things are. Nothing was sent, and the session goes on.
    Usage(Usage),
}

impl Error {
    #[cold]
    pub(super) fn of(error: ServerError) -> Self {
        if error.is_expectation_failed() { Self::Expectation(error) } else { Self::Server(error) }
    }

    /// Whether the connection is of no more use.
    #[must_use]
    pub const fn is_fatal(&self) -> bool {
        match self {
            Self::Connect(_) | Self::Session(_) | Self::Unusable(_) => true,
            Self::TimedOut { closed, .. } => *closed,
            Self::Batch { error, .. } => error.is_fatal(),
            Self::Server(_)
            | Self::Expectation(_)
            | Self::Misuse(_)
            | Self::Crud(_)
            | Self::Params(_)
            | Self::Row(_)
            | Self::Usage(_) => false,
        }
    }

    /// What the server said, if this is its word.
    #[must_use]
    pub fn server_error(&self) -> Option<&ServerError> {
        match self {
            Self::Server(error) | Self::Expectation(error) => Some(error),
            Self::Batch { error, .. } => error.server_error(),
            Self::Connect(error) => error.server_error(),
            Self::Session(error) => match error.kind() {
                XErrorKind::Fatal(error) => Some(error),
                _ => None,
            },
            _ => None,
        }
    }

    /// One plain sentence on what to do, if there is anything to say.
    #[must_use]
    pub fn advice(&self) -> Option<&'static str> {
        match self {
            Self::Connect(error) => tls_error(error).map(TlsError::advice).or_else(|| error.advice()),
            Self::Session(error) => error.advice(),
            Self::Server(error) | Self::Expectation(error) => error.advice(),
            Self::Batch { error, .. } => error.advice(),
            _ => None,
        }
    }

    /// The error number: the server's, or the client's own (`CR_*`).
    #[must_use]
    pub fn code(&self) -> u16 {
        match self {
            Self::Connect(error) => error.code(),
            Self::Server(error) | Self::Expectation(error) => error.code,
            Self::Batch { error, .. } => error.code(),
            Self::Params(_) => CR_INVALID_PARAMETER_NO,
            Self::Session(error) => error.code(),
            Self::Crud(_) | Self::Row(_) => CR_UNKNOWN_ERROR,
            Self::Unusable(_) => CR_SERVER_GONE_ERROR,
            Self::TimedOut { closed: true, .. } => CR_SERVER_LOST,
            Self::TimedOut { closed: false, .. } => ER_QUERY_INTERRUPTED,
            Self::Misuse(Misuse::Closed) => CR_SERVER_GONE_ERROR,
            Self::Misuse(_) | Self::Usage(_) => CR_COMMANDS_OUT_OF_SYNC,
        }
    }
}

/// What went wrong with TLS, if that is why the connect failed.
fn tls_error(error: &ConnectError) -> Option<&TlsError> {
    let cause = match error.kind() {
        ConnectErrorKind::TlsSettings(error) => error,
        ConnectErrorKind::Connection(error) => match error.kind() {
            XErrorKind::Lost(Lost::Tls { error, .. }) => error,
            _ => return None,
        },
        _ => return None,
    };
    cause.downcast_ref()
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect(error) => error.fmt(f),
            Self::Server(error) => error.fmt(f),
            Self::Expectation(error) => write!(f, "not run, its expectation block had failed: {error}"),
            Self::Batch { index, error } => write!(f, "message {index} of the batch: {error}"),
            Self::Params(error) => error.fmt(f),
            Self::Row(error) => error.fmt(f),
            Self::Session(error) => error.fmt(f),
            Self::Unusable(why) => why.fmt(f),
            Self::Misuse(misuse) => misuse.fmt(f),
            Self::Crud(error) => error.fmt(f),
            Self::TimedOut { after, closed } => crate::error::timed_out(*after, *closed, f),
            Self::Usage(usage) => usage.fmt(f),
        }
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Connect(error) => Some(error),
            Self::Server(error) | Self::Expectation(error) => Some(error),
            Self::Batch { error, .. } => Some(&**error),
            Self::Params(error) => Some(error),
            Self::Row(error) => Some(error),
            Self::Session(error) => Some(error),
            Self::Misuse(error) => Some(error),
            Self::Crud(error) => Some(error),
            _ => None,
        }
    }
}

impl From<ConnectError> for Error {
    fn from(error: ConnectError) -> Self {
        Self::Connect(error)
    }
}

impl From<CrudError> for Error {
    fn from(error: CrudError) -> Self {
        Self::Crud(error)
    }
}

impl From<RowError> for Error {
    #[cold]
    fn from(error: RowError) -> Self {
        Self::Row(error)
    }
}

impl From<PlanError> for Error {
    #[cold]
    fn from(error: PlanError) -> Self {
        Self::Row(error.into())
    }
}
