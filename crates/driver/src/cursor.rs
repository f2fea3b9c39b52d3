//! Results that stay on the server, and are fetched as they are wanted.

use std::fmt;
use std::future::poll_fn;
use std::task::{Context, Poll, ready};

use porpoise_classic::{Columns, Event, ResultEnd, RowBatch, StatusFlags};
use porpoise_value::Params;

use crate::care::Chore;
use crate::exec::NO_ATTRIBUTES;
use crate::statement::{Style, Use};
use crate::stream::{BatchSource, RowStream};
use crate::{Client, Error, Statement, StatementRef};

/// A result that stays on the server, of which so many rows are fetched at a time.
///
/// Dropped: drained; the cursor is closed before the next operation.
pub struct Cursor<'a> {
    client: &'a mut Client,
    statement: Statement,
    columns: Option<Columns>,
    fetch: u32,
    state: State,
    /// The server has the cursor.
    open: bool,
    end: Option<ResultEnd>,
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
        f.debug_struct("Cursor")
            .field("statement", &self.statement)
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

impl Client {
    /// Executes a statement with a cursor, and fetches `rows` rows at a time, at least one. The rows between two fetches are kept
    /// by the server, which commonly makes a temporary table of them.
    ///
    /// For cursors, statements are prepared and cached apart from others: MySQL cannot execute one without a cursor that once had
    /// one.
    ///
    /// A server that opens no cursor, as for statements other than queries, sends all rows, which the [`Cursor`] then gives as they
    /// come.
    ///
    /// Dropped: drained; the statement may or may not run, and its cursor is closed.
    ///
    /// # Errors
    /// As [`exec`](Self::exec).
    pub async fn exec_cursor<'s>(
        &mut self,
        statement: impl Into<StatementRef<'s>>,
        params: impl Params,
        rows: u32,
    ) -> Result<Cursor<'_>, Error> {
        self.start().await?;
        let (sql, style) = match statement.into() {
            StatementRef::Prepared(statement) => {
                self.check_statement(statement)?;
                (statement.sql(), if statement.names().is_empty() { Style::Positional } else { Style::Named })
            }
            StatementRef::Sql(sql) => (sql, Style::of(&params)),
        };
        let statement = self.prepare_started(sql, style, Use::Cursor).await?;
        self.encode_execute(&statement, &params, NO_ATTRIBUTES, true)?;
        let (columns, end) = (None, None);
        let fetch = rows.max(1);
        let mut cursor =
            Cursor { client: self, statement, columns, fetch, state: State::Reading, open: true, end };
        while cursor.columns.is_none() && cursor.state == State::Reading {
            let event = cursor.client.next_event().await?;
            cursor.take(event)?;
        }
        Ok(cursor)
    }
}

impl Cursor<'_> {
    /// The columns of the result, if it has any.
    #[must_use]
    pub const fn columns(&self) -> Option<&Columns> {
        self.columns.as_ref()
    }

    /// What the server said at the end, once it is reached.
    #[must_use]
    pub const fn end(&self) -> Option<&ResultEnd> {
        self.end.as_ref()
    }

    /// The next rows; `None` at the end.
    ///
    /// Dropped: nothing is lost, and another call goes on where this one was.
    ///
    /// # Errors
    /// [`Error::Server`] when the statement fails in the middle.
    pub async fn next_batch(&mut self) -> Result<Option<RowBatch>, Error> {
        poll_fn(|cx| self.poll_batch(cx)).await
    }

    /// The rows as a [`Stream`](futures::Stream) of values.
    pub fn rows<T>(&mut self) -> RowStream<&mut Self, T> {
        RowStream::new(self)
    }

    fn take(&mut self, event: Option<Event>) -> Result<(), Error> {
        let end = match event {
            Some(Event::Columns(columns)) => {
                self.columns = Some(columns);
                return Ok(());
            }
            Some(Event::End(end)) => end,
            Some(Event::Ok(ok)) => ok.end().clone(),
            Some(Event::Err(err)) => {
                // There is no cursor, or none any more: a fetch that fails closes it.
                self.open = false;
                self.done();
                return Err(Error::Server(err));
            }
            Some(Event::InfileRefused(file)) => {
                self.open = false;
                self.done();
                return Err(Error::InfileRefused(file));
            }
            Some(Event::ColumnsChanged(changed)) => {
                self.done();
                return Err(Error::ColumnsChanged(changed));
            }
            Some(_) => return Ok(()),
            None => {
                self.done();
                return Ok(());
            }
        };
        let status = end.status();
        self.open = status.contains(StatusFlags::SERVER_STATUS_CURSOR_EXISTS)
            && !status.contains(StatusFlags::SERVER_STATUS_LAST_ROW_SENT);
        self.end = Some(end);
        if self.open {
            self.state = State::Fetch;
        } else {
            self.done();
        }
        Ok(())
    }

    fn done(&mut self) {
        self.state = State::Done;
        self.client.over();
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
                    let (id, rows) = (self.statement.id(), self.fetch);
                    let columns = self.columns.clone().unwrap_or_default();
                    self.client.encode(|session, cx| session.stmt_fetch(id, rows, &columns, cx))?;
                    self.state = State::Reading;
                }
                State::Reading => match ready!(self.client.poll_next(cx)) {
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
        if self.open && self.client.is_usable() {
            let chore = Chore::ResetStatement(self.statement.id());
            self.client.care.get_or_insert_default().owed.push_back(chore);
        }
    }
}
