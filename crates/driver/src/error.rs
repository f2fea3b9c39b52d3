use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use porpoise_classic::{
    ClassicError, ClientError, ColumnsChanged, ErrPacket, InfileRefused, Misuse, RowError, ServerError,
};
use porpoise_classic_connect::{ConnectError, ConnectErrorKind};
use porpoise_transport::TlsError;
use porpoise_value::{ParamError, PlanError};
use porpoise_wire::Lost;

/// What a client was asked to do when it could not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Operation {
    /// The session is closed, by this side or by an earlier error.
    Closed,
    /// A change of user was dropped in the middle; the connection is of no more use.
    ChangeUserDropped,
    /// The rest of a dropped result was more than is read for nothing.
    TooMuchToDrain,
    /// The rest of a dropped result came slower than is waited for nothing.
    TooSlowToDrain,
    /// An operation took too long, and could not be cancelled.
    TimedOut,
    /// A cancel was on its way that might have hit the next statement.
    CancelLost,
    /// A file was being sent to the server, and dropped in the middle.
    InfileDropped,
    /// A transaction that was dropped could not be rolled back.
    RollbackFailed,
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Closed => "the session is closed",
            Self::ChangeUserDropped => "a change of user was not seen to its end",
            Self::TooMuchToDrain => "a dropped result had more rows than are read for nothing",
            Self::TooSlowToDrain => "a dropped result came slower than is waited for nothing",
            Self::TimedOut => "an operation took too long",
            Self::CancelLost => "a cancel was on its way that might have hit the next statement",
            Self::InfileDropped => "a file was not sent to its end",
            Self::RollbackFailed => "a transaction that was dropped could not be rolled back",
        })
    }
}

/// Why a client's call failed.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Error {
    /// The connect, or a change of user, failed.
    Connect(ConnectError),
    /// The server refused a statement. The session goes on.
    Server(ErrPacket),
    /// The server asked for a file, which was not sent. The session goes on.
    InfileRefused(Box<InfileRefused>),
    /// The session broke.
    Session(ClassicError),
    /// The client cannot do this any more.
    Unusable(Operation),
    /// The session does not take this command as things are. It goes on.
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
    /// Replies to pipelined commands came out of order. The session broke, and pipelining is off from now on for all
    /// connections made from the same options.
    Pipelined(ClassicError),
    /// The caller's reader failed. The session goes on.
    Source(Arc<io::Error>),
    /// The parameters are not those of the statement, or MySQL has no form for one. The statement was not executed.
    Params(ParamError),
    /// A row does not become the type that was asked for. The session goes on.
    Row(RowError),
    /// A result has not the columns that were known of its statement, and was skipped. The session goes on.
    ColumnsChanged(ColumnsChanged),
    /// One of many executions failed. What the error means for the session, says the inner one.
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

/// A call that makes no sense as things are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Usage {
    /// The statement was prepared by another session, or this one was reset since.
    ForeignStatement,
    /// A transaction is open, and MySQL has none inside of another.
    InTransaction,
    /// The reply was given before, or skipped.
    ReplyGone,
}

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ForeignStatement => "the statement was prepared by another session, or before a reset",
            Self::ReplyGone => "the reply was given before, or skipped",
            Self::InTransaction => "a transaction is open already",
        })
    }
}

impl Error {
    /// Whether the connection is of no more use.
    #[must_use]
    pub const fn is_fatal(&self) -> bool {
        match self {
            Self::Connect(_) | Self::Session(_) | Self::Unusable(_) | Self::Pipelined(_) => true,
            Self::TimedOut { closed, .. } => *closed,
            Self::Batch { error, .. } => error.is_fatal(),
            Self::Server(_)
            | Self::InfileRefused(_)
            | Self::Misuse(_)
            | Self::Source(_)
            | Self::Params(_)
            | Self::Row(_)
            | Self::ColumnsChanged(_)
            | Self::Usage(_) => false,
        }
    }

    /// One plain sentence on what to do, if there is anything to say.
    #[must_use]
    pub fn advice(&self) -> Option<&'static str> {
        let error = match self {
            Self::Connect(error) => error,
            Self::Pipelined(_) => {
                return Some(
                    "Something between here and the server does not keep replies in order; switch pipelining off.",
                );
            }
            _ => return None,
        };
        match error.kind() {
            ConnectErrorKind::Lost(Lost::Tls { error: tls, .. }) | ConnectErrorKind::TlsSettings(tls) => {
                tls.downcast_ref::<TlsError>().map(TlsError::advice).or_else(|| error.advice())
            }
            _ => error.advice(),
        }
    }

    /// The error number: the server's, or the client's own (`CR_*`).
    #[must_use]
    pub fn code(&self) -> u16 {
        match self {
            Self::Connect(error) => error.code(),
            Self::Server(err) => err.code(),
            Self::Session(error) | Self::Pipelined(error) => error.client_error(),
            Self::TimedOut { closed: true, .. } => ClientError::CR_SERVER_LOST,
            Self::TimedOut { closed: false, .. } => ServerError::ER_QUERY_INTERRUPTED,
            Self::Source(_) | Self::Row(_) => ClientError::CR_UNKNOWN_ERROR,
            Self::Params(_) => ClientError::CR_INVALID_PARAMETER_NO,
            Self::ColumnsChanged(_) => ClientError::CR_NEW_STMT_METADATA,
            Self::Batch { error, .. } => error.code(),
            Self::Usage(_) => ClientError::CR_COMMANDS_OUT_OF_SYNC,
            Self::InfileRefused(_) => ClientError::CR_LOAD_DATA_LOCAL_INFILE_REJECTED,
            Self::Unusable(_) => ClientError::CR_SERVER_GONE_ERROR,
            Self::Misuse(misuse) => misuse.client_error(),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect(error) => error.fmt(f),
            Self::Server(err) => err.fmt(f),
            Self::Session(error) => error.fmt(f),
            Self::Misuse(misuse) => misuse.fmt(f),
            Self::Usage(usage) => usage.fmt(f),
            Self::Params(error) => error.fmt(f),
            Self::Row(error) => error.fmt(f),
            Self::ColumnsChanged(changed) => changed.fmt(f),
            Self::Batch { index, error } => write!(f, "execution {index} of the batch: {error}"),
            Self::Source(error) => write!(f, "what was to be sent cannot be read: {error}"),
            Self::TimedOut { after, closed } => timed_out(*after, *closed, f),
            Self::Pipelined(error) => write!(f, "replies to pipelined commands are out of order: {error}"),
            Self::InfileRefused(_) => f.write_str("the server asked for a local file, which was refused"),
            Self::Unusable(why) => why.fmt(f),
        }
    }
}

/// An operation took too long.
pub(crate) fn timed_out(after: Duration, closed: bool, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match closed {
        false => write!(f, "not done after {after:?}, and cancelled"),
        true => write!(f, "not done after {after:?}, and not to be cancelled: the session is closed"),
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Connect(error) => Some(error),
            Self::Session(error) | Self::Pipelined(error) => Some(error),
            Self::Source(error) => Some(&**error),
            Self::Params(error) => Some(error),
            Self::Row(error) => Some(error),
            Self::Batch { error, .. } => Some(&**error),
            _ => None,
        }
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

impl From<ConnectError> for Error {
    fn from(error: ConnectError) -> Self {
        Self::Connect(error)
    }
}

impl From<ClassicError> for Error {
    fn from(error: ClassicError) -> Self {
        Self::Session(error)
    }
}
