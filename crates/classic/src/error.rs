use std::fmt;
use std::sync::Arc;

use porpoise_trace::ProtocolStage;
use porpoise_wire::{Lost, WireError};

use crate::ClientError;

/// Why a session is over.
///
/// Errors that the server reports are [`Event::Err`](crate::Event::Err), and the session lives on; this one is
/// final.
#[derive(Clone, Debug)]
pub struct ClassicError {
    /// One pointer, so that results which are no error stay small.
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    stage: ProtocolStage,
    kind: ClassicErrorKind,
    told: bool,
}

/// What went wrong.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ClassicErrorKind {
    /// What came is no legal packet.
    #[non_exhaustive]
    Packet {
        /// The packet that was expected.
        expected: &'static str,
        /// What is wrong with what came.
        error: WireError,
    },
    /// A packet came that has no place here.
    #[non_exhaustive]
    Unexpected {
        /// The packet that was expected.
        expected: &'static str,
        /// The first byte of the one that came.
        first: u8,
        /// Its length in bytes.
        len: usize,
    },
    /// The server asked for a file, and commands are on their way behind the statement: it takes them for the file.
    #[non_exhaustive]
    InfileInPipeline {
        /// How many commands they are.
        behind: u32,
    },
    /// An ERR came out of step, so nobody can tell which command it and the replies behind it belong to.
    #[non_exhaustive]
    OutOfStep {
        /// How many replies are still owed.
        owed: usize,
    },
    /// The connection is gone.
    Lost(Lost),
}

impl ClassicError {
    /// `told`: whether a trace tells it as ERROR.
    #[cold]
    pub(crate) fn new(stage: ProtocolStage, kind: ClassicErrorKind, told: bool) -> Self {
        Self { inner: Arc::new(Inner { stage, kind, told }) }
    }

    /// Whether a trace tells it as ERROR, not only as DISCONNECTED.
    pub(crate) fn is_told(&self) -> bool {
        self.inner.told
    }

    /// The protocol stage in which it happened.
    #[must_use]
    pub fn stage(&self) -> ProtocolStage {
        self.inner.stage
    }

    /// What went wrong.
    #[must_use]
    pub fn kind(&self) -> &ClassicErrorKind {
        &self.inner.kind
    }

    /// What was expected.
    #[must_use]
    pub fn expected(&self) -> Option<&'static str> {
        match self.kind() {
            ClassicErrorKind::Packet { expected, .. } | ClassicErrorKind::Unexpected { expected, .. } => {
                Some(expected)
            }
            _ => None,
        }
    }

    /// The number that MySQL's own library gives (`CR_*`).
    #[must_use]
    pub fn client_error(&self) -> u16 {
        match self.kind() {
            ClassicErrorKind::Packet { error, .. } => error.client_error(),
            ClassicErrorKind::Unexpected { .. } => ClientError::CR_MALFORMED_PACKET,
            ClassicErrorKind::InfileInPipeline { .. } => ClientError::CR_LOAD_DATA_LOCAL_INFILE_REJECTED,
            ClassicErrorKind::OutOfStep { .. } => ClientError::CR_SERVER_LOST,
            // A command that could not be written was not run.
            ClassicErrorKind::Lost(Lost::Write(_)) => ClientError::CR_SERVER_GONE_ERROR,
            ClassicErrorKind::Lost(_) => match self.stage() {
                ProtocolStage::ReadyForCommand => ClientError::CR_SERVER_GONE_ERROR,
                _ => ClientError::CR_SERVER_LOST,
            },
        }
    }

    /// Whether the connection cannot be used any more: always.
    #[must_use]
    pub const fn is_fatal(&self) -> bool {
        true
    }
}

impl fmt::Display for ClassicError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "session lost in {}: ", self.stage())?;
        match self.kind() {
            ClassicErrorKind::Packet { expected, error } => write!(f, "{expected} expected, but {error}"),
            ClassicErrorKind::Unexpected { expected, first, len } => {
                write!(f, "{expected} expected, a packet of {len} bytes came that starts with 0x{first:02x}")
            }
            ClassicErrorKind::InfileInPipeline { behind } => {
                write!(f, "the server asked for a file, which it would take {behind} more commands for")
            }
            ClassicErrorKind::OutOfStep { owed } => {
                write!(f, "an ERR came out of step, and {owed} replies behind it cannot be told apart")
            }
            ClassicErrorKind::Lost(lost) => write!(f, "{lost}"),
        }
    }
}

impl std::error::Error for ClassicError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self.kind() {
            ClassicErrorKind::Packet { error, .. } => Some(error),
            ClassicErrorKind::Lost(Lost::Resolve(e) | Lost::Dial(e) | Lost::Read(e) | Lost::Write(e)) => {
                Some(&**e)
            }
            ClassicErrorKind::Lost(Lost::Tls { error, .. }) => Some(&**error),
            _ => None,
        }
    }
}

/// A command that cannot be sent as things are. Never caused by what the network sends, but for
/// [`OutOfStep`](Misuse::OutOfStep).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Misuse {
    /// The reply to the command before is not read to its end, or a file is being sent.
    Busy,
    /// The server is about to close the connection: it sent an ERR unasked, or has dumped its binary log.
    OutOfStep,
    /// The session is over: by COM_QUIT, by an error, or because its transport is gone.
    Closed,
    /// A name that is sent up to its 0x00 holds a 0x00.
    NulInName,
    /// A name does not fit the field that holds its length.
    NameTooLong,
    /// The server has not asked for a file.
    NoFileRequest,
    /// The reply to the command is not a mere OK or ERR.
    NotSimple,
}

impl Misuse {
    /// The number that MySQL's own library gives (`CR_*`).
    #[must_use]
    pub const fn client_error(&self) -> u16 {
        match self {
            Self::Busy => ClientError::CR_COMMANDS_OUT_OF_SYNC,
            Self::OutOfStep | Self::Closed => ClientError::CR_SERVER_GONE_ERROR,
            Self::NoFileRequest => ClientError::CR_COMMANDS_OUT_OF_SYNC,
            Self::NulInName | Self::NameTooLong | Self::NotSimple => ClientError::CR_UNKNOWN_ERROR,
        }
    }
}

impl fmt::Display for Misuse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Busy => "the reply to the command before is not read to its end",
            Self::OutOfStep => {
                "the server is about to close the connection, as it does after an error unasked or a dump"
            }
            Self::Closed => "the session is over",
            Self::NulInName => "a name holds a 0x00",
            Self::NameTooLong => "a name is too long",
            Self::NotSimple => "the command has a reply of another kind",
            Self::NoFileRequest => "the server has not asked for a file",
        })
    }
}

impl std::error::Error for Misuse {}
