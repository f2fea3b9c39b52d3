//! Where the trace and the results go, in the order in which things happen.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use porpoise::classic::{Columns, RowBatch};
use porpoise::trace::{ProtocolStage, Record, StageId, TraceEvent, TraceSink};

use super::outcome::Outcome;
use super::text;
use crate::args::RunFormat;

/// A sink and a printer in one, so that what the shell finds itself is told among what the connection does.
#[derive(Clone)]
pub(super) struct Output(Arc<Mutex<Inner>>);

struct Inner {
    record: Record,
    out: Box<dyn Write + Send>,
    format: RunFormat,
    /// Events are shown.
    traced: bool,
    /// The connection was closed: a trace tells nothing after that.
    closed: bool,
    /// What could not be written.
    error: Option<io::Error>,
    text: text::Text,
}

impl Output {
    /// `room`: columns of the terminal, if it goes to one.
    pub(super) fn new(
        out: Box<dyn Write + Send>,
        format: RunFormat,
        trace: bool,
        room: Option<usize>,
    ) -> Self {
        Self(Arc::new(Mutex::new(Inner {
            record: Record::new(),
            out,
            format,
            traced: trace || format == RunFormat::Jsonl,
            closed: false,
            error: None,
            text: text::Text::new(room),
        })))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells what the connection does not: an error that MySQL's own library finds before it sends anything.
    pub(super) fn tell(&self, stage: ProtocolStage, event: &TraceEvent<'_>) {
        self.lock().event(stage, event);
    }

    /// A result with columns begins.
    pub(super) fn begin(&self, columns: &Columns) {
        let mut inner = self.lock();
        if inner.format == RunFormat::Text {
            inner.write(|inner| inner.text.begin(columns, &mut inner.out));
        }
    }

    /// The columns of a table.
    pub(super) fn columns(&self, columns: &Columns) {
        let mut inner = self.lock();
        if inner.format == RunFormat::Text {
            inner.write(|inner| text::columns(columns, &mut inner.out));
        }
    }

    /// Rows of a result.
    pub(super) fn rows(&self, rows: &RowBatch) {
        let mut inner = self.lock();
        if inner.format == RunFormat::Text {
            inner.write(|inner| inner.text.rows(rows, &mut inner.out));
        }
    }

    /// A text that a command gave.
    pub(super) fn text(&self, text: &str) {
        let mut inner = self.lock();
        if inner.format == RunFormat::Text {
            inner.write(|inner| writeln!(inner.out, "{text}"));
        }
    }

    /// The end of a command, or of one of its results.
    pub(super) fn outcome(&self, outcome: &Outcome) {
        let mut inner = self.lock();
        inner.write(|inner| match inner.format {
            RunFormat::Jsonl => outcome.write_jsonl(&mut inner.out),
            RunFormat::Text => inner.text.outcome(outcome, &mut inner.out),
        });
    }

    /// What could not be written, if anything.
    pub(super) fn finish(&self) -> io::Result<()> {
        let mut inner = self.lock();
        match inner.error.take() {
            Some(error) => Err(error),
            None => inner.out.flush(),
        }
    }
}

impl Inner {
    fn write(&mut self, write: impl FnOnce(&mut Self) -> io::Result<()>) {
        if let Err(error) = write(self).and_then(|()| self.out.flush()) {
            self.error.get_or_insert(error);
        }
    }

    fn event(&mut self, stage: ProtocolStage, event: &TraceEvent<'_>) {
        if self.closed {
            return;
        }
        self.closed = matches!(event, TraceEvent::Disconnected);
        self.record.event(stage, event);
        self.entries();
    }

    fn entries(&mut self) {
        let entries = self.record.take();
        if !self.traced {
            return;
        }
        self.write(|inner| {
            entries.iter().try_for_each(|entry| match inner.format {
                RunFormat::Jsonl => writeln!(inner.out, "{entry}"),
                RunFormat::Text => text::event(entry, &mut inner.out),
            })
        });
    }
}

impl TraceSink for Output {
    fn on(&self) -> bool {
        true
    }

    fn enter(&mut self, stage: StageId) {
        let mut inner = self.lock();
        inner.record.enter(stage);
        inner.entries();
    }

    fn event(&mut self, stage: ProtocolStage, event: &TraceEvent<'_>) {
        self.lock().event(stage, event);
    }
}
