//! Results that stay on the server, and are fetched as they are wanted.

use std::fmt;
use std::future::poll_fn;
use std::task::{Context, Poll, ready};

use porpoise_value::Params;
use porpoise_xproto::messages::cursor::open::one_of_message::Type;
use porpoise_xproto::messages::cursor::{Fetch, Open, open::OneOfMessage};
use porpoise_xproto::messages::prepare::Execute;
use porpoise_xproto::{Columns, Event, Fetched, RowBatch};

use super::{Error, Outcome, Session, Statement};
use crate::stream::{BatchSource, BatchStream, RowStream};

/// A result that stays on the server, of which so many rows are fetched at a time.
///
/// Dropped: drained; the cursor is closed in the same write as the next operation's message.
pub struct Cursor<'a> {
    session: &'a mut Session,
    /// The server closes the cursor with it.
    statement: Statement,
    id: u32,
    columns: Option<Columns>,
    outcome: Outcome,
    fetch: u64,
    state: State,
    /// There are more rows.
    suspended: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// A reply is owed.
    Reading,
    /// There is more to fetch.
    Fetch,
    Done,
}

impl fmt::Debug for Cursor<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cursor").field("id", &self.id).field("state", &self.state).finish_non_exhaustive()
    }
}

impl Session {
    /// Executes a prepared statement with a cursor, and fetches `rows` rows at a time, at least one.
    ///
    /// A statement that a cursor is of no use for, such as a call, sends all rows, which the [`Cursor`] then gives as they come.
    ///
    /// Dropped: drained; the statement may or may not run, and its cursor is closed.
    ///
    /// # Errors
    /// As [`exec`](Self::exec).
    pub async fn cursor(
        &mut self,
        statement: &Statement,
        params: impl Params,
        rows: u64,
    ) -> Result<Cursor<'_>, Error> {
        self.check_statement(statement)?;
        let execute = statement.execute(&params)?;
        self.start().await?;
        self.open_cursor(statement.clone(), execute, rows, 0).await
    }

    /// The same by a statement's text: when that is not in the cache it is prepared, executed and fetched from in one flight.
    ///
    /// Dropped: as [`cursor`](Self::cursor).
    ///
    /// # Errors
    /// As [`cursor`](Self::cursor).
    pub async fn cursor_sql(
        &mut self,
        sql: &str,
        params: impl Params,
        rows: u64,
    ) -> Result<Cursor<'_>, Error> {
        self.start().await?;
        let (statement, fresh) = match self.cached(sql) {
            Some(statement) => (statement, 0),
            None => (self.write_prepare(sql)?, 1),
        };
        let execute = statement.execute(&params)?;
        let cursor = self.open_cursor(statement, execute, rows, fresh).await?;
        if fresh > 0 {
            cursor.session.keep(sql, &cursor.statement);
        }
        Ok(cursor)
    }

    /// Opens a cursor. `before`: replies to messages that it needs, written already.
    async fn open_cursor(
        &mut self,
        statement: Statement,
        execute: Execute,
        rows: u64,
        before: usize,
    ) -> Result<Cursor<'_>, Error> {
        let id = self.care.get_or_insert_default().next_id();
        let stmt = OneOfMessage { r#type: Type::PrepareExecute.into(), prepare_execute: Some(execute) };
        let fetch = rows.max(1);
        let open = Open { cursor_id: id, stmt, fetch_rows: Some(fetch) };
        self.encode(|connection, cx| connection.send(&open, cx))?;
        let mut cursor = Cursor {
            session: self,
            statement,
            id,
            columns: None,
            outcome: Outcome::default(),
            fetch,
            state: State::Reading,
            suspended: false,
        };
        let mut prepared = Ok(());
        for _ in 0..before {
            prepared = cursor.statement.prepared(cursor.session.finish_message().await);
        }
        let opened = cursor.read_columns().await;
        prepared?;
        opened?;
        Ok(cursor)
    }
}

impl Cursor<'_> {
    async fn read_columns(&mut self) -> Result<(), Error> {
        while self.columns.is_none() && self.state == State::Reading {
            let event = poll_fn(|cx| self.session.poll_next(cx)).await?;
            self.take(event)?;
        }
        Ok(())
    }

    /// The columns of the result, if it has any.
    #[must_use]
    pub const fn columns(&self) -> Option<&Columns> {
        self.columns.as_ref()
    }

    /// What the statement did, as far as it was told.
    #[must_use]
    pub const fn outcome(&self) -> &Outcome {
        &self.outcome
    }

    /// The next rows; `None` at the end. Fetches when those that came before were given.
    ///
    /// Dropped: nothing is lost.
    ///
    /// # Errors
    /// [`Error::Server`] when a fetch fails.
    pub async fn next_batch(&mut self) -> Result<Option<RowBatch>, Error> {
        poll_fn(|cx| self.poll_batch(cx)).await
    }

    /// The rows in batches, as a [`Stream`](futures::Stream).
    ///
    /// Dropped: nothing is lost.
    pub const fn batches(&mut self) -> BatchStream<&mut Self> {
        BatchStream::new(self)
    }

    /// The rows as values, as a [`Stream`](futures::Stream).
    ///
    /// Dropped: the rows that were received with the last one that it gave are lost.
    pub const fn rows<T>(&mut self) -> RowStream<&mut Self, T> {
        RowStream::new(self)
    }

    fn take(&mut self, event: Option<Event>) -> Result<(), Error> {
        match event {
            Some(Event::Columns(columns)) => self.columns = Some(columns),
            Some(Event::Notice(notice)) => self.outcome.observe(notice),
            Some(Event::Fetched(fetched)) => self.suspended = fetched == Fetched::Suspended,
            Some(Event::Error(error)) => {
                self.done();
                return Err(Error::of(error));
            }
            Some(Event::StmtExecuteOk) if std::mem::take(&mut self.suspended) => self.state = State::Fetch,
            Some(Event::StmtExecuteOk) | None => self.done(),
            Some(_) => {}
        }
        Ok(())
    }

    fn done(&mut self) {
        self.state = State::Done;
        self.session.over();
    }
}

impl BatchSource for Cursor<'_> {
    type Batch = RowBatch;
    type Error = Error;

    fn poll_batch(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<RowBatch>, Error>> {
        loop {
            match self.state {
                State::Done => return Poll::Ready(Ok(None)),
                State::Fetch => {
                    let fetch = Fetch { cursor_id: self.id, fetch_rows: Some(self.fetch) };
                    let columns = self.columns.clone().unwrap_or_default();
                    self.session.encode(|connection, cx| {
                        // They come without.
                        connection.expect_columns(columns);
                        connection.send(&fetch, cx)
                    })?;
                    self.state = State::Reading;
                }
                State::Reading => match ready!(self.session.poll_next(cx)) {
                    Ok(Some(Event::Rows(batch))) => return Poll::Ready(Ok(Some(batch))),
                    Ok(event) => self.take(event)?,
                    Err(error) => {
                        self.state = State::Done;
                        return Poll::Ready(Err(error));
                    }
                },
            }
        }
    }
}

impl Drop for Cursor<'_> {
    fn drop(&mut self) {
        if let Some(care) = &mut self.session.care {
            care.cursors.push(self.id);
        }
    }
}
