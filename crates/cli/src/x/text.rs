//! The shell's text: rows and results for people.

use std::io::{self, Write};

use porpoise::xproto::messages::notice::warning::Level;
use porpoise::xproto::{Event, NoticeBody};

use super::output::Dir;
use super::reply::{Facts, Failed, Outcome};
use super::text_format::Shown;
use crate::rows::{self, Head, RowWriter as _, Table};
use crate::text::{BAD, DIM, GOOD, WARN};

/// What is to be shown of the result that is being read.
pub(super) struct Text {
    table: Table,
    open: bool,
}

impl Text {
    /// `room`: columns of the terminal, if there is one.
    pub(super) fn new(room: Option<usize>) -> Self {
        Self { table: Table::new(room), open: false }
    }

    pub(super) fn event(&mut self, event: &Event, out: &mut dyn Write) -> io::Result<()> {
        match event {
            Event::Columns(columns) => {
                self.end(out)?;
                self.open = true;
                self.table.begin(&Head::of_x(columns), out)
            }
            Event::Rows(rows) => {
                if !std::mem::replace(&mut self.open, true) {
                    // A cursor goes on.
                    let columns = rows.iter().next().map(|row| Head::of_x(row.columns()));
                    self.table.begin(&columns.unwrap_or_default(), out)?;
                }
                match rows::write_x(&mut self.table, rows, out)? {
                    Ok(()) => Ok(()),
                    Err(error) => writeln!(out, "{BAD}{error}{BAD:#}"),
                }
            }
            Event::Notice(notice) => match &notice.body {
                NoticeBody::Warning(warning) => {
                    self.end(out)?;
                    let level = match warning.level() {
                        Level::Note => "note",
                        Level::Error => "error",
                        _ => "warning",
                    };
                    writeln!(out, "{WARN}{level} {}:{WARN:#} {}", warning.code, warning.msg)
                }
                _ => Ok(()),
            },
            _ => Ok(()),
        }
    }

    fn end(&mut self, out: &mut dyn Write) -> io::Result<()> {
        if std::mem::take(&mut self.open) { self.table.end(out) } else { Ok(()) }
    }

    pub(super) fn message(
        dir: Dir,
        name: &str,
        flight: u32,
        shown: &Shown,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let arrow = match dir {
            Dir::Out => '>',
            Dir::In => '<',
        };
        let name = name.strip_prefix("Mysqlx.").unwrap_or(name);
        write!(out, "{DIM}  {flight:>2} {arrow}{DIM:#} {name}")?;
        let held = shown.payload.as_ref().map(|(name, text)| (name.rsplit('.').next().unwrap_or(name), text));
        match held {
            Some((name, text)) if text.is_empty() => writeln!(out, " {DIM}{name}{DIM:#}"),
            Some((name, text)) => writeln!(out, " {DIM}{name} {{ {text} }}{DIM:#}"),
            None if shown.text.is_empty() => writeln!(out),
            None => writeln!(out, " {DIM}{{ {} }}{DIM:#}", shown.text),
        }
    }

    pub(super) fn state(name: &str, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "{DIM}     {name}{DIM:#}")
    }

    pub(super) fn outcome(&mut self, outcome: &Outcome, out: &mut dyn Write) -> io::Result<()> {
        self.end(out)?;
        let step = outcome.step;
        let facts = facts(&outcome.facts).join(", ");
        match &outcome.failed {
            Some(Failed::Server(error, _)) => {
                let fatal = if error.fatal { "fatal " } else { "" };
                let (code, state, message) = (error.code, &error.sql_state, &error.message);
                writeln!(out, "{BAD}{step}: {fatal}error {code} ({state}):{BAD:#} {message}")
            }
            Some(Failed::Client { code, message, .. }) => {
                writeln!(out, "{BAD}{step}: error {code}:{BAD:#} {message}")
            }
            None if facts.is_empty() => writeln!(out, "{GOOD}{step}: OK{GOOD:#}"),
            None => writeln!(out, "{GOOD}{step}: OK{GOOD:#}{DIM}, {facts}{DIM:#}"),
        }
    }
}

/// What there is to say of a result.
fn facts(facts: &Facts) -> Vec<String> {
    let mut texts = Vec::new();
    texts.extend(facts.resultsets.filter(|count| *count > 1).map(|count| counted(count, "result")));
    texts.extend(facts.rows.map(|rows| counted(rows, "row")));
    let affected = facts.affected.filter(|affected| *affected > 0 || facts.resultsets.is_none());
    texts.extend(affected.map(|affected| format!("{affected} affected")));
    texts.extend(facts.insert_id.map(|id| format!("insert id {id}")));
    texts.extend(facts.generated_ids.map(|count| counted(count, "generated id")));
    texts.extend(facts.warnings.map(|count| counted(count, "warning")));
    texts.extend(facts.info.as_deref().map(str::to_owned));
    texts
}

fn counted(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}
