use std::error::Error as StdError;
use std::fmt;

use porpoise_classic::{ClassicError, ClientError, ErrPacket, InfileRefused, Misuse};
use porpoise_classic_connect::{ConnectError, ConnectErrorKind};
use porpoise_transport::TlsError;
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
}

impl Error {
    /// Whether the connection is of no more use.
    #[must_use]
    pub const fn is_fatal(&self) -> bool {
        !matches!(self, Self::Server(_) | Self::InfileRefused(_) | Self::Misuse(_))
    }

    /// One plain sentence on what to do, if there is anything to say.
    #[must_use]
    pub fn advice(&self) -> Option<&'static str> {
        let Self::Connect(error) = self else { return None };
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
            Self::Session(error) => error.client_error(),
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
            Self::InfileRefused(_) => f.write_str("the server asked for a local file, which was refused"),
            Self::Unusable(Operation::Closed) => f.write_str("the session is closed"),
            Self::Unusable(Operation::ChangeUserDropped) => {
                f.write_str("a change of user was not seen to its end")
            }
            Self::Unusable(Operation::TooMuchToDrain) => {
                f.write_str("a dropped result had more rows than are read for nothing")
            }
        }
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Connect(error) => Some(error),
            Self::Session(error) => Some(error),
            _ => None,
        }
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
