//! The shell's text: rows and results for people.

use std::io::{self, Write};

use porpoise::classic::{Columns, RowBatch};
use porpoise::trace::RecordEntry;

use super::outcome::Outcome;
use crate::text::{BAD, DIM, GOOD};

/// What is to be shown of the result that is being read.
#[derive(Default)]
pub(super) struct Text {
    rows: Vec<Vec<String>>,
}

impl Text {
    pub(super) fn begin(&mut self, columns: &Columns) {
        self.rows.clear();
        let names = columns.iter().map(|column| String::from_utf8_lossy(column.name()).into_owned());
        self.rows.push(names.collect());
    }

    pub(super) fn rows(&mut self, rows: &RowBatch) {
        for row in rows {
            let cells = row.iter().map(|cell| match cell {
                Ok(Some(bytes)) => String::from_utf8_lossy(bytes).into_owned(),
                Ok(None) => "NULL".to_owned(),
                Err(error) => error.to_string(),
            });
            self.rows.push(cells.collect());
        }
    }

    pub(super) fn outcome(&mut self, outcome: &Outcome, out: &mut impl Write) -> io::Result<()> {
        for row in std::mem::take(&mut self.rows) {
            writeln!(out, "{}", row.join(" | "))?;
        }
        match &outcome.error {
            Some(error) if outcome.rc => writeln!(
                out,
                "{BAD}{}: error {} ({}): {}{BAD:#}",
                outcome.step, error.errno, error.sqlstate, error.message
            ),
            _ => writeln!(out, "{GOOD}{}: ok{GOOD:#}", outcome.step),
        }
    }
}

/// One line of the trace.
pub(super) fn event(entry: &RecordEntry, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "{DIM}{entry}{DIM:#}")
}
