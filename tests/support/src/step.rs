//! What is done after a connect, and what came of it.

use std::fmt::{self, Write as _};

use porpoise_classic::{ErrPacket, OkReply, ResultEnd};
use porpoise_classic_connect::{ConnectError, ConnectErrorKind};
use serde::Deserialize;
use serde_json::Value;

use crate::Line;

/// A step of a scenario: `name:argument`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(from = "String")]
#[non_exhaustive]
pub struct Step {
    /// What is done.
    pub name: String,
    /// With what; empty if nothing.
    pub argument: String,
}

impl From<String> for Step {
    fn from(text: String) -> Self {
        let (name, argument) = text.split_once(':').unwrap_or((&text, ""));
        Self { name: name.into(), argument: argument.into() }
    }
}

/// What came of a step, or of one of its results.
#[derive(Clone, Debug)]
pub struct Outcome {
    line: Line,
}

impl Outcome {
    /// The step succeeded.
    #[must_use]
    pub fn ok(step: &str) -> Self {
        Self::new(step, 0, "00000")
    }

    /// The step failed.
    #[must_use]
    pub fn failed(step: &str, errno: u16, sqlstate: &str, text: &str) -> Self {
        Self::new(step, errno, sqlstate).with("error", text)
    }

    /// The server said no.
    #[must_use]
    pub fn refused(step: &str, err: &ErrPacket) -> Self {
        Self::failed(step, err.code(), err.sqlstate(), &err.message())
    }

    /// A connect, or a change of user, failed.
    #[must_use]
    pub fn connect(step: &str, error: &ConnectError) -> Self {
        match error.kind() {
            ConnectErrorKind::Server(err) => Self::refused(step, err),
            kind => Self::failed(step, error.code(), error.sqlstate(), &kind.to_string()),
        }
    }

    fn new(step: &str, errno: u16, sqlstate: &str) -> Self {
        let outcome = Self { line: Line::new() }.with("t", "step").with("step", step);
        outcome.with("rc", u16::from(errno != 0)).with("errno", errno).with("sqlstate", sqlstate)
    }

    /// Says more.
    #[must_use]
    pub fn with(mut self, field: &str, value: impl Into<Value>) -> Self {
        self.line.insert(field.to_owned(), value.into());
        self
    }

    /// A result without columns, the `number`th of its step.
    #[must_use]
    pub fn without_rows(step: &str, number: usize, ok: &OkReply) -> Self {
        Self::result(step, number, (0, 0), ok.affected_rows().into(), ok.last_insert_id(), ok.end())
    }

    /// A result with rows, the `number`th of its step. MySQL's library counts rows as affected when it reads them all
    /// at once, as `query` does, and does not know their number when it gives them one by one.
    #[must_use]
    pub fn rows(step: &str, number: usize, columns: usize, rows: usize, end: &ResultEnd) -> Self {
        let affected = if step == "use" { Value::from(-1) } else { rows.into() };
        Self::result(step, number, (columns, rows), affected, 0, end)
    }

    fn result(
        step: &str,
        number: usize,
        (columns, rows): (usize, usize),
        affected: Value,
        insert_id: u64,
        end: &ResultEnd,
    ) -> Self {
        let outcome = Self::ok(step).with("result", number).with("columns", columns).with("rows", rows);
        let outcome = outcome.with("affected", affected).with("insert_id", insert_id);
        let outcome = outcome.with("warnings", end.warnings()).with("status", end.status().bits());
        let outcome = outcome.with("more", end.has_more_results());
        match String::from_utf8_lossy(end.info()) {
            info if info.is_empty() => outcome,
            info => outcome.with("info", info),
        }
    }
}

/// The line of it, in the form of the recordings.
impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, (field, value)) in self.line.iter().enumerate() {
            let before = if i == 0 { "{" } else { ", " };
            write!(f, "{before}{}: {value}", Value::from(field.as_str()))?;
        }
        f.write_char('}')
    }
}
