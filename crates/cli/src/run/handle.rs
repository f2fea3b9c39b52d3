//! A connection as MySQL's own library keeps one: what is owed, what the last command said, and which command is
//! refused before anything is sent.

use std::sync::Arc;

use porpoise::classic::{BinlogDump, Columns, Event, ExecuteError, Misuse, OkReply, ResultEnd, Session};
use porpoise::driver::Tap;
use porpoise::trace::{ProtocolStage, TraceEvent};
use porpoise::wire::Cx;
use porpoise::{Client, Error, Options};

use super::infile;
use super::outcome::{Facts, Failed, Outcome};
use super::output::Output;
use crate::exit::Failure;
use crate::infile::is_load_local;
use crate::interrupt::Interrupt;

/// The server id by which the binary log is asked for: none that anybody is likely to have.
const REPLICA: u32 = 0x7F00_0001;
/// Where the first event of a file is.
const FIRST_EVENT: u32 = 4;

/// What is still to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owed {
    Nothing,
    /// Rows of a result.
    Rows,
    /// Further results; the last one was read to its end.
    Results,
}

/// The beginning of a result.
pub(super) enum Opened {
    /// It is all there is of it.
    Ok,
    Columns(Columns),
}

pub(super) struct Handle {
    /// None once the connection is lost.
    client: Option<Client>,
    pub(super) options: Arc<Options>,
    pub(super) output: Output,
    /// Ends a command by Ctrl-C, when somebody types.
    interrupt: Option<Interrupt>,
    pub(super) owed: Owed,
    affected: i64,
    insert_id: u64,
    warnings: u16,
    status: u16,
    info: String,
    /// Rows of a statement were read one by one to their end. MySQL's own library then takes the connection for ready,
    /// even while results are owed.
    fetched: bool,
    /// The statement that may be asked for a file.
    infile: Option<String>,
}

impl Handle {
    pub(super) fn new(client: Client, options: Arc<Options>, output: Output) -> Self {
        let status = client.status().bits();
        Self {
            client: Some(client),
            options,
            output,
            interrupt: None,
            owed: Owed::Nothing,
            affected: 0,
            insert_id: 0,
            warnings: 0,
            status,
            info: String::new(),
            fetched: false,
            infile: None,
        }
    }

    /// From here on Ctrl-C ends a command, not the shell.
    pub(super) fn interruptible(&mut self) -> Result<(), Failure> {
        self.interrupt = Some(Interrupt::new()?);
        Ok(())
    }

    pub(super) const fn client(&self) -> Option<&Client> {
        self.client.as_ref()
    }

    pub(super) const fn status(&self) -> u16 {
        self.status
    }

    /// Takes the client away to do what a command of the session cannot.
    pub(super) const fn lend_client(&mut self) -> &mut Option<Client> {
        &mut self.client
    }

    /// Tells an error that is found before anything is sent.
    pub(super) fn tell(&self, errno: u16) {
        self.output.tell(self.stage(), &TraceEvent::Error { errno });
    }

    /// The protocol stage between commands.
    const fn stage(&self) -> ProtocolStage {
        match self.owed {
            Owed::Rows => ProtocolStage::WaitForRow,
            Owed::Results if !self.fetched => ProtocolStage::WaitForResult,
            _ => ProtocolStage::ReadyForCommand,
        }
    }

    /// A statement's rows were read one by one to their end.
    pub(super) const fn fetched(&mut self) {
        self.fetched = true;
    }

    /// Tells that the next result was asked for before the rows of this one were read.
    pub(super) fn tell_unread(&self, errno: u16) {
        self.output.tell(ProtocolStage::WaitForResult, &TraceEvent::Error { errno });
    }

    /// The user was changed, or not, and then the connection is gone.
    pub(super) fn changed(&mut self, error: Option<&Error>) {
        if error.is_some_and(Error::is_fatal) {
            self.client = None;
        }
        if let Some(client) = &self.client {
            self.status = client.status().bits();
        }
    }

    /// Whether a command can be sent.
    pub(super) fn ready(&self) -> Result<(), Failed> {
        if self.client.is_none() {
            return Err(Failed::lost());
        }
        if self.owed != Owed::Nothing {
            let failed = Failed::out_of_sync();
            self.tell(failed.errno);
            return Err(failed);
        }
        Ok(())
    }

    /// Sends a command.
    pub(super) async fn send(
        &mut self,
        command: impl FnOnce(&mut Session, &mut Cx<'_, Tap>) -> Result<(), Misuse>,
    ) -> Result<(), Failed> {
        self.ready()?;
        let Some(client) = &mut self.client else { return Err(Failed::lost()) };
        self.info.clear();
        self.affected = -1;
        if let Some(interrupt) = &self.interrupt {
            interrupt.watch(client.cancel_handle(), Arc::clone(&self.options));
        }
        let sent = client.command(|session, cx| {
            session.set_row_by_row(true);
            command(session, cx)
        });
        let sent = sent.await;
        sent.map_err(|error| self.failed(&error))
    }

    fn failed(&mut self, error: &Error) -> Failed {
        if error.is_fatal() {
            self.client = None;
            self.owed = Owed::Nothing;
        }
        Failed::from(error)
    }

    /// The next event of the reply; `None` when it is over.
    pub(super) async fn next(&mut self) -> Result<Option<Event>, Failed> {
        loop {
            let Some(client) = &mut self.client else { return Err(Failed::lost()) };
            let event = client.next_event().await;
            if let Some(client) = &self.client {
                self.status = client.status().bits();
            }
            match event.map_err(|error| self.failed(&error))? {
                Some(Event::Err(err)) => {
                    self.owed = Owed::Nothing;
                    return Err(err.into());
                }
                Some(Event::InfileRefused(refused)) => {
                    self.owed = Owed::Nothing;
                    return Err(Failed::from(&Error::InfileRefused(refused)));
                }
                Some(Event::LocalInfile(name)) => {
                    let allowed = self.infile.take();
                    let Some(client) = &mut self.client else { return Err(Failed::lost()) };
                    let sent = infile::send(client, &self.output, &name, &allowed.unwrap_or_default()).await;
                    let refused = sent.map_err(|error| self.failed(&error))?;
                    if let Err(failed) = refused {
                        // The server's verdict on what it got is of no interest.
                        return self.finish().await.and(Err(failed));
                    }
                }
                event => return Ok(event),
            }
        }
    }

    /// Reads a reply to its end.
    async fn finish(&mut self) -> Result<(), Failed> {
        let Some(client) = &mut self.client else { return Ok(()) };
        loop {
            match client.next_event().await {
                Ok(Some(_)) => {}
                Ok(None) => break,
                Err(error) => return Err(self.failed(&error)),
            }
        }
        self.owed = Owed::Nothing;
        Ok(())
    }

    /// A command that has OK for an answer, or an EOF, or none.
    pub(super) async fn simple(
        &mut self,
        command: impl FnOnce(&mut Session, &mut Cx<'_, Tap>) -> Result<(), Misuse>,
    ) -> Result<Facts, Failed> {
        self.send(command).await?;
        while let Some(event) = self.next().await? {
            match event {
                Event::Ok(ok) => self.ok(&ok),
                Event::Statistics(text) => self.output.text(&String::from_utf8_lossy(&text)),
                Event::Columns(columns) => self.output.columns(&columns),
                _ => {}
            }
        }
        Ok(Facts::default())
    }

    /// COM_BINLOG_DUMP: reads all events that there are.
    pub(super) async fn binlog_dump(&mut self, file: &str) -> Result<Facts, Failed> {
        let dump = BinlogDump::new(REPLICA).from(file.as_bytes(), FIRST_EVENT).flags(BinlogDump::NON_BLOCK);
        self.send(|session, cx| session.binlog_dump(&dump, cx)).await?;
        let (mut events, mut bytes) = (0_u64, 0_u64);
        while let Some(event) = self.next().await? {
            if let Event::Binlog(event) = event {
                events += 1;
                bytes += event.len() as u64;
            }
        }
        self.output.text(&format!("{events} events, {bytes} bytes"));
        Ok(Facts::default())
    }

    fn ok(&mut self, ok: &OkReply) {
        self.affected = ok.affected_rows().cast_signed();
        self.insert_id = ok.last_insert_id();
        self.end(ok.end());
    }

    fn end(&mut self, end: &ResultEnd) {
        self.warnings = end.warnings();
        self.info = String::from_utf8_lossy(end.info()).into_owned();
        self.owed = if end.has_more_results() { Owed::Results } else { Owed::Nothing };
    }

    /// Reads the beginning of a result.
    pub(super) async fn open(&mut self) -> Result<Opened, Failed> {
        self.affected = -1;
        self.warnings = 0;
        self.fetched = false;
        match self.next().await? {
            Some(Event::Ok(ok)) => {
                self.ok(&ok);
                Ok(Opened::Ok)
            }
            Some(Event::Columns(columns)) => {
                self.owed = Owed::Rows;
                Ok(Opened::Columns(columns))
            }
            _ => Ok(Opened::Ok),
        }
    }

    /// Reads the next row; false at the end of the result.
    pub(super) async fn row(&mut self, show: bool) -> Result<bool, Failed> {
        while self.owed == Owed::Rows {
            match self.next().await? {
                Some(Event::Rows(rows)) => {
                    if show {
                        self.output.rows(&rows);
                    }
                    return Ok(true);
                }
                Some(Event::End(end)) => self.end(&end),
                Some(_) => {}
                None => self.owed = Owed::Nothing,
            }
        }
        Ok(false)
    }

    /// Reads rows to the end of the result and counts them, even if it fails in the middle.
    pub(super) async fn rows(&mut self) -> (u64, Result<(), Failed>) {
        let mut count = 0;
        loop {
            match self.row(true).await {
                Ok(true) => count += 1,
                Ok(false) => return (count, Ok(())),
                Err(failed) => return (count, Err(failed)),
            }
        }
    }

    /// All rows were kept, so their number is known.
    pub(super) const fn stored(&mut self, rows: u64) {
        self.affected = rows.cast_signed();
    }

    /// Reads what is left of a result and drops it.
    pub(super) async fn flush_rows(&mut self) -> Result<(), Failed> {
        while self.row(false).await? {}
        Ok(())
    }

    /// Reads what is left of all results and drops it.
    pub(super) async fn flush(&mut self) -> Result<(), Failed> {
        self.flush_rows().await?;
        while self.owed == Owed::Results {
            self.open().await?;
            self.flush_rows().await?;
        }
        Ok(())
    }

    fn facts(&self, result: u64, columns: usize, rows: u64) -> Facts {
        Facts {
            result: Some(result),
            columns: Some(columns),
            rows: Some(rows),
            affected: Some(self.affected),
            insert_id: Some(self.insert_id),
            warnings: Some(self.warnings),
            status: Some(self.status),
            more: Some(self.owed == Owed::Results),
            info: (!self.info.is_empty()).then(|| self.info.clone()),
            ..Facts::default()
        }
    }

    /// COM_QUERY, and all its results: one line for each. `store`: rows are counted as they are when all are kept.
    pub(super) async fn query(&mut self, step: &'static str, sql: &str, store: bool) -> Outcome {
        let allow = self.options.local_infile() && is_load_local(sql);
        self.infile = allow.then(|| sql.to_owned());
        let sent = self.send(|session, cx| {
            session.allow_infile(allow);
            session.query(sql, cx)
        });
        let sent = sent.await;
        self.results(step, sent, store).await
    }

    /// The results of a query that was sent. The last line is given back, those before are told.
    pub(super) async fn results(
        &mut self,
        step: &'static str,
        sent: Result<(), Failed>,
        store: bool,
    ) -> Outcome {
        if let Err(failed) = sent {
            return Outcome::of(step, Err(failed));
        }
        let mut result = 0;
        loop {
            result += 1;
            let opened = match self.open().await {
                Ok(opened) => opened,
                Err(failed) => return Outcome::of(step, Err(failed)),
            };
            let (mut columns, mut rows, mut ended) = (0, 0, Ok(()));
            if let Opened::Columns(defined) = opened {
                columns = defined.len();
                self.output.begin(&defined);
                (rows, ended) = self.rows().await;
                match (&ended, store) {
                    (Ok(()), true) => self.stored(rows),
                    // A result that could not be kept whole is not kept.
                    (Err(_), true) => (columns, rows) = (0, 0),
                    (_, false) => {}
                }
            }
            let facts = self.facts(result, columns, rows);
            let failed = ended.is_err();
            let outcome = Outcome { facts, ..Outcome::of(step, ended.map(|()| Facts::default())) };
            if failed || self.owed == Owed::Nothing {
                return outcome;
            }
            self.output.outcome(&outcome);
        }
    }

    /// COM_QUIT, if it can be sent, and the end of the connection.
    pub(super) async fn close(&mut self) {
        let Some(client) = self.client.take() else { return };
        if self.owed == Owed::Results {
            self.tell(Failed::out_of_sync().errno);
            self.output.tell(self.stage(), &TraceEvent::Disconnected);
            return;
        }
        // Rows that are owed are not read for this. A server that is gone already is no fault of the shell.
        let _ = client.quit().await;
    }
}

/// A command that carries values, as one that carries none. All values that the shell takes can be sent.
pub(super) fn misuse(sent: Result<(), ExecuteError>) -> Result<(), Misuse> {
    sent.map_err(|error| match error {
        ExecuteError::Misuse(misuse) => misuse,
        _ => Misuse::NameTooLong,
    })
}
