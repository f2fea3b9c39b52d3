//! What a login waits for, asks and fails with.

use std::fmt;

use porpoise_auth::Answer;

use crate::ConnectStage;
use crate::error::ConnectErrorKind;

/// A question that stops the login until the owner answers.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Ask {
    /// A factor's password.
    Password {
        /// The factor, 1 to 3.
        factor: usize,
        /// The plugin that wants it.
        plugin: Box<str>,
        /// The user who logs in.
        user: Box<str>,
    },
    /// What a plugin of the user's own asks.
    Plugin(porpoise_auth::Ask),
}

/// A call that has no place. The caller's fault, never the peer's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Misuse {
    /// Nothing was asked.
    NothingAsked,
}

impl fmt::Display for Misuse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NothingAsked => f.write_str("an answer was given, but nothing was asked"),
        }
    }
}

impl std::error::Error for Misuse {}

/// Why a machine stops, with what the trace must still be told.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) kind: ConnectErrorKind,
    /// The ERROR event was told where it happened, or is not to be told.
    pub(crate) told: bool,
    /// What came could not be read as a packet.
    pub(crate) unread: bool,
}

impl From<ConnectErrorKind> for Fault {
    fn from(kind: ConnectErrorKind) -> Self {
        Self { kind, told: false, unread: false }
    }
}

/// What the login says when it cannot go on by itself.
pub(crate) enum LoginStep {
    NeedRead(usize),
    Ask(Ask),
    Done,
}

/// Which plugin runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Run {
    First,
    Second,
    Factor,
}

impl Run {
    /// The stage that judges the plugin's outcome.
    pub(crate) const fn handle_stage(self) -> ConnectStage {
        match self {
            Self::First => ConnectStage::AuthHandleFirstAuthenticateUser,
            Self::Second => ConnectStage::AuthHandleSecondAuthenticateUser,
            Self::Factor => ConnectStage::AuthHandleMultiAuthResponse,
        }
    }
}

/// What the login waits for.
#[derive(Debug)]
pub(crate) enum Wait {
    /// It has not begun.
    Begin,
    /// The owner's answer; the challenge is what the plugin will start with.
    Password { challenge: Option<Vec<u8>> },
    /// Nothing any more: the password is there.
    PasswordGiven { challenge: Option<Vec<u8>>, answer: Answer },
    /// The owner's answer to the plugin.
    Plugin(porpoise_auth::Ask),
    /// Nothing any more: the plugin's question is answered.
    Answered(Answer),
    /// A packet for the plugin.
    Packet,
    /// The server's verdict on the plugin.
    Verdict,
    /// It is over.
    Done,
}

/// What the plugin's first write travels in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Envelope {
    HandshakeResponse,
    ChangeUser,
}
