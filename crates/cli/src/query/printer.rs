use std::io::{self, BufWriter, IsTerminal as _, Write};
use std::time::Instant;

use super::progress::Progress;
use crate::args::QueryFormat;
use crate::rows::{Csv, Head, Json, JsonLines, RowWriter, Table};
use crate::text::{self, DIM, GOOD};

/// Shows results, as they come, of whatever protocol.
pub(crate) struct Printer {
    format: QueryFormat,
    writer: Box<dyn RowWriter>,
    out: Box<dyn Write>,
    /// When the result that is shown was asked for.
    begun: Instant,
    /// Its rows so far.
    count: u64,
    progress: Progress,
}

impl Printer {
    pub(crate) fn new(format: QueryFormat, begun: Instant) -> Self {
        let terminal = io::stdout().is_terminal();
        let writer: Box<dyn RowWriter> = match format {
            QueryFormat::Table => Box::new(Table::new(terminal.then(text::width))),
            QueryFormat::Csv => Box::new(Csv::default()),
            QueryFormat::Json => Box::new(Json::default()),
            QueryFormat::Jsonl => Box::new(JsonLines::default()),
        };
        let out: Box<dyn Write> = match format {
            QueryFormat::Table => Box::new(BufWriter::new(anstream::stdout())),
            _ => Box::new(BufWriter::new(io::stdout())),
        };
        Self { format, writer, out, begun, count: 0, progress: Progress::new(begun, !terminal) }
    }

    /// A result with rows begins.
    pub(crate) fn begin(&mut self, head: &Head) -> io::Result<()> {
        self.count = 0;
        self.writer.begin(head, &mut self.out)
    }

    /// Where its rows are written.
    pub(crate) fn rows(&mut self) -> (&mut dyn RowWriter, &mut dyn Write) {
        (&mut *self.writer, &mut *self.out)
    }

    /// So many rows were written, of so many bytes.
    pub(crate) fn came(&mut self, rows: u64, bytes: impl FnOnce() -> u64) -> io::Result<()> {
        self.count += rows;
        self.progress.add(rows, bytes);
        self.out.flush()
    }

    /// It is over; with so many warnings if it is complete.
    pub(crate) fn end(&mut self, warnings: Option<u64>) -> io::Result<()> {
        self.writer.end(&mut self.out)?;
        match warnings {
            Some(warnings) if self.format == QueryFormat::Table => {
                let mut facts = vec![counted(self.count, "row")];
                facts.extend((warnings > 0).then(|| counted(warnings, "warning")));
                self.summary("", &facts)
            }
            _ => Ok(()),
        }
    }

    /// A statement without rows succeeded.
    pub(crate) fn ok(&mut self, facts: &[String]) -> io::Result<()> {
        if self.format == QueryFormat::Table { self.summary("OK, ", facts) } else { Ok(()) }
    }

    /// Another result follows.
    pub(crate) fn next(&mut self) -> io::Result<()> {
        self.begun = Instant::now();
        if self.format == QueryFormat::Table { writeln!(self.out) } else { Ok(()) }
    }

    pub(crate) fn finish(mut self) -> io::Result<()> {
        self.progress.clear();
        self.out.flush()
    }

    fn summary(&mut self, ok: &str, facts: &[String]) -> io::Result<()> {
        let time = text::time(self.begun.elapsed());
        if !ok.is_empty() {
            write!(self.out, "{GOOD}{ok}{GOOD:#}")?;
        }
        writeln!(self.out, "{DIM}{} ({time}){DIM:#}", facts.join(", "))
    }
}

pub(crate) fn counted(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}
