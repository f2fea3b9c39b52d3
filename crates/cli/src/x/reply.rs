//! What a command came to.

use porpoise::x::Error;
use porpoise::xproto::{Event, Misuse, Notice, NoticeBody, ServerError, XErrorKind};
use serde::Serialize;

use super::exit;
use crate::exit::Exit;

const CR_UNKNOWN_ERROR: u16 = 2000;
const CR_SERVER_GONE_ERROR: u16 = 2006;
const CR_SERVER_LOST: u16 = 2013;

/// What the results of a command come to, all together.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Facts {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) rows: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) resultsets: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) affected: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) insert_id: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) warnings: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) generated_ids: Option<u64>,
    /// Columns came, and there may be more of them.
    #[serde(skip)]
    begun: bool,
    /// What the server says for people.
    #[serde(skip)]
    pub(crate) info: Option<Box<str>>,
}

impl Facts {
    /// Takes note of a part of the reply.
    pub(crate) fn note(&mut self, event: &Event) {
        match event {
            Event::Column => self.columns(true),
            Event::Columns(_) => self.columns(false),
            Event::Rows(rows) => *self.rows.get_or_insert(0) += rows.len() as u64,
            // Of a cursor that goes on.
            Event::Fetched(_) => {
                self.rows.get_or_insert(0);
            }
            Event::Notice(notice) if notice.local => self.notice(notice),
            _ => {}
        }
    }

    /// A result begins with its first column, which may be all that comes of it.
    fn columns(&mut self, more: bool) {
        if !std::mem::replace(&mut self.begun, more) {
            *self.resultsets.get_or_insert(0) += 1;
            self.rows.get_or_insert(0);
        }
    }

    fn notice(&mut self, notice: &Notice) {
        match &notice.body {
            NoticeBody::Warning(_) => *self.warnings.get_or_insert(0) += 1,
            NoticeBody::RowsAffected(count) => self.affected = Some(*count),
            NoticeBody::GeneratedInsertId(id) => self.insert_id = Some(*id),
            NoticeBody::GeneratedDocumentIds(ids) => {
                *self.generated_ids.get_or_insert(0) += ids.len() as u64;
            }
            NoticeBody::ProducedMessage(info) => self.info = Some(info.clone()),
            _ => {}
        }
    }
}

/// Why a command failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Failed {
    /// The server said so.
    Server(ServerError, Exit),
    /// This side found it.
    Client { code: u16, message: String, exit: Exit },
}

impl Failed {
    pub(crate) const fn server(error: ServerError) -> Self {
        Self::Server(error, Exit::Refused)
    }

    /// A command that cannot be used.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::Client { code: CR_UNKNOWN_ERROR, message: message.into(), exit: Exit::Usage }
    }

    pub(crate) fn not_connected() -> Self {
        let message = "the connection is closed".to_owned();
        Self::Client { code: CR_SERVER_GONE_ERROR, message, exit: Exit::Network }
    }

    /// The server said something else, and now nothing more.
    pub(crate) fn lost() -> Self {
        let message = "the connection was lost before".to_owned();
        Self::Client { code: CR_SERVER_LOST, message, exit: Exit::Network }
    }

    pub(crate) fn no_reply(seconds: u64) -> Self {
        let message = format!("no message came in {seconds} s");
        Self::Client { code: CR_SERVER_LOST, message, exit: Exit::Network }
    }

    pub(crate) const fn exit(&self) -> Exit {
        match self {
            Self::Server(_, exit) | Self::Client { exit, .. } => *exit,
        }
    }
}

impl From<&Error> for Failed {
    fn from(error: &Error) -> Self {
        let exit = exit::of(error);
        if let Some(server) = error.server_error() {
            return Self::Server(server.clone(), exit);
        }
        let code = match error {
            Error::Session(session) => match session.kind() {
                // The server's number is that of its notice, not of an Error.
                XErrorKind::Goodbye(_) => CR_SERVER_LOST,
                _ => error.code(),
            },
            Error::Misuse(Misuse::Closed) | Error::Unusable(_) => return Self::not_connected(),
            _ => error.code(),
        };
        Self::Client { code, message: error.to_string(), exit }
    }
}

impl From<String> for Failed {
    fn from(fault: String) -> Self {
        Self::usage(fault)
    }
}

/// A command with what it came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) step: &'static str,
    pub(crate) facts: Facts,
    pub(crate) failed: Option<Failed>,
}

/// The line.
#[derive(Serialize)]
pub(crate) struct Line<'a> {
    t: &'static str,
    step: &'static str,
    rc: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sqlstate: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    severity: Option<&'static str>,
    #[serde(flatten)]
    facts: &'a Facts,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
}

impl Outcome {
    pub(crate) fn of(step: &'static str, result: Result<Facts, Failed>) -> Self {
        match result {
            Ok(facts) => Self { step, facts, failed: None },
            Err(failed) => Self { step, facts: Facts::default(), failed: Some(failed) },
        }
    }

    pub(crate) fn exit(&self) -> Exit {
        self.failed.as_ref().map_or(Exit::Connected, Failed::exit)
    }

    pub(crate) fn line(&self) -> Line<'_> {
        let (server, client) = match &self.failed {
            Some(Failed::Server(error, _)) => (Some(error), None),
            Some(Failed::Client { code, message, .. }) => (None, Some((*code, message.as_str()))),
            None => (None, None),
        };
        Line {
            t: "step",
            step: self.step,
            rc: self.failed.is_some().into(),
            code: server.map(|error| error.code).or_else(|| client.map(|(code, _)| code)),
            sqlstate: server.map(|error| &*error.sql_state),
            severity: server.map(|error| if error.fatal { "FATAL" } else { "ERROR" }),
            facts: &self.facts,
            error: client.map(|(_, message)| message),
        }
    }
}
