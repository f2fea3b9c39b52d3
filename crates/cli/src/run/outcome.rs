//! What a command came to, as one line.

use std::io::{self, Write};

use porpoise::Error;
use porpoise::classic::{ClientError, ErrPacket};
use serde::Serialize;
use serde_json::ser::Serializer;

use crate::exit::Exit;
use crate::jsonl::Spaced;
use crate::report::Fault;

/// Why a command failed: the server's ERR, or what MySQL's own library finds itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failed {
    pub(super) errno: u16,
    pub(super) sqlstate: String,
    pub(super) message: String,
    pub(super) exit: Exit,
}

impl Failed {
    /// An error of the client.
    pub(super) fn client(errno: u16, message: impl Into<String>) -> Self {
        Self { errno, sqlstate: "HY000".to_owned(), message: message.into(), exit: Exit::Refused }
    }

    pub(super) fn out_of_sync() -> Self {
        Self::client(
            ClientError::CR_COMMANDS_OUT_OF_SYNC,
            "commands out of sync: a result is still to be read",
        )
    }

    pub(super) fn lost() -> Self {
        let exit = Exit::Network;
        Self { exit, ..Self::client(ClientError::CR_SERVER_LOST, "the connection is lost") }
    }
}

impl From<&Error> for Failed {
    fn from(error: &Error) -> Self {
        if let Error::Unusable(_) = error {
            return Self { message: error.to_string(), ..Self::lost() };
        }
        let Fault { errno, sqlstate, message, .. } = Fault::new(error);
        Self { errno, sqlstate, message, exit: Exit::of(error) }
    }
}

impl From<ErrPacket> for Failed {
    fn from(err: ErrPacket) -> Self {
        Self::from(&Error::Server(err))
    }
}

/// What there is to say of one result, beyond whether it failed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Facts {
    /// Which result of the command, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) result: Option<u64>,
    /// Parameters of the statement.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) params: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) columns: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) rows: Option<u64>,
    /// -1 when nobody knows yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) affected: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) insert_id: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) warnings: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) more: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) info: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) tls: Option<bool>,
}

/// The line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Outcome {
    pub(super) step: &'static str,
    /// Whether the call failed.
    pub(super) rc: bool,
    /// The error that the handle holds: of this call, or one that no call has cleared since.
    pub(super) error: Option<Failed>,
    /// A step of the connection, not of a statement: its line has the SQLSTATE of success, too.
    pub(super) has_sqlstate: bool,
    pub(super) facts: Facts,
}

#[derive(Serialize)]
struct Line<'a> {
    t: &'static str,
    step: &'static str,
    rc: u8,
    errno: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    sqlstate: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
    #[serde(flatten)]
    facts: &'a Facts,
}

impl Outcome {
    /// A step of the connection.
    pub(super) fn of(step: &'static str, result: Result<Facts, Failed>) -> Self {
        let (error, facts) = match result {
            Ok(facts) => (None, facts),
            Err(failed) => (Some(failed), Facts::default()),
        };
        Self { step, rc: error.is_some(), error, has_sqlstate: true, facts }
    }

    pub(super) fn exit(&self) -> Exit {
        match &self.error {
            Some(failed) if self.rc => failed.exit,
            _ if self.rc => Exit::Refused,
            _ => Exit::Connected,
        }
    }

    pub(super) fn write_jsonl(&self, out: &mut impl Write) -> io::Result<()> {
        let error = self.error.as_ref();
        let line = Line {
            t: "step",
            step: self.step,
            rc: u8::from(self.rc),
            errno: error.map_or(0, |error| error.errno),
            sqlstate: match error {
                Some(error) => Some(&error.sqlstate),
                None => self.has_sqlstate.then_some("00000"),
            },
            error: error.map(|error| &*error.message),
            facts: &self.facts,
        };
        line.serialize(&mut Serializer::with_formatter(&mut *out, Spaced))?;
        writeln!(out)
    }
}
