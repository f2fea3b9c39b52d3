//! Rows with values that are too large to be held.

use std::fmt;
use std::future::poll_fn;
use std::task::{Context, Poll, ready};

use porpoise_classic::{Columns, Encoding, Event, RowBatch, RowPiece, RowReader};
use porpoise_value::Params;

use crate::exec::NO_ATTRIBUTES;
use crate::statement::{Style, Use};
use crate::{Client, Error, Results, StatementRef};

/// Results whose large rows come in pieces. Whatever their size, little more than what was received in one go is held.
///
/// ```no_run
/// # use porpoise_driver::{BigPiece, Client, Error};
/// # use porpoise_classic::RowPiece;
/// # async fn f(client: &mut Client, mut write: impl FnMut(&[u8])) -> Result<(), Error> {
/// let mut rows = client.query_big("SELECT film FROM films WHERE id = 7", 1 << 20).await?;
/// while let Some(piece) = rows.next().await? {
///     match piece {
///         BigPiece::Rows(batch) => batch.iter().for_each(|row| write(row.get(0).unwrap().unwrap_or_default())),
///         BigPiece::Row(RowPiece::Bytes(bytes)) => write(&bytes),
///         _ => {}
///     }
/// }
/// # Ok(())
/// # }
/// ```
///
/// Dropped: drained, which for large values commonly is more than [the budget](crate::OptionsBuilder::drain_budget), and then
/// closed.
pub struct BigRows<'a> {
    results: Results<'a>,
    encoding: Encoding,
    /// The large row that is being read.
    reader: Option<RowReader>,
}

/// What [`BigRows`] give.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum BigPiece {
    /// Rows that are not large, as they were received.
    Rows(RowBatch),
    /// A piece of a large row: the beginning of a cell, bytes of it, a NULL, or the end of the row.
    Row(RowPiece),
}

impl fmt::Debug for BigRows<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BigRows").field("results", &self.results).finish_non_exhaustive()
    }
}

/// Values of any size.
impl Client {
    /// Runs a statement, and gives rows of more than `over` bytes in pieces.
    ///
    /// Dropped: drained; the statement may or may not run.
    ///
    /// # Errors
    /// As [`query`](Self::query).
    pub async fn query_big(&mut self, sql: &str, over: usize) -> Result<BigRows<'_>, Error> {
        self.start().await?;
        self.stream_rows(over);
        self.encode(|session, cx| session.query(sql, cx))?;
        let results = Results::start(self).await?;
        Ok(BigRows { results, encoding: Encoding::Text, reader: None })
    }

    /// Executes a statement, and gives rows of more than `over` bytes in pieces.
    ///
    /// Dropped: drained; the statement may or may not run.
    ///
    /// # Errors
    /// As [`exec`](Self::exec).
    pub async fn exec_big<'s>(
        &mut self,
        statement: impl Into<StatementRef<'s>>,
        params: impl Params,
        over: usize,
    ) -> Result<BigRows<'_>, Error> {
        self.start().await?;
        let prepared;
        let statement = match statement.into() {
            StatementRef::Prepared(statement) => statement,
            StatementRef::Sql(sql) => {
                prepared = self.prepare_started(sql, Style::of(&params), Use::Plain).await?;
                &prepared
            }
        };
        self.stream_rows(over);
        self.encode_execute(statement, &params, NO_ATTRIBUTES, false)?;
        let results = Results::start(self).await?;
        Ok(BigRows { results, encoding: Encoding::Binary, reader: None })
    }
}

impl<'a> BigRows<'a> {
    /// The columns of the current result, if it has any.
    #[must_use]
    pub const fn columns(&self) -> Option<&Columns> {
        self.results.columns()
    }

    /// The next piece of the current result; `None` at its end.
    ///
    /// Dropped: nothing is lost, and another call goes on where this one was.
    ///
    /// # Errors
    /// [`Error::Server`] when the statement fails in the middle; [`Error::Row`] for a row that does not hold what it says.
    pub async fn next(&mut self) -> Result<Option<BigPiece>, Error> {
        poll_fn(|cx| self.poll_piece(cx)).await
    }

    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<BigPiece>, Error>> {
        loop {
            if let Some(reader) = &mut self.reader
                && let Some(piece) = reader.next_piece()?
            {
                if piece == RowPiece::End {
                    self.reader = None;
                }
                return Poll::Ready(Ok(Some(BigPiece::Row(piece))));
            }
            match ready!(self.results.poll_event(cx))? {
                Some(Event::Rows(batch)) => return Poll::Ready(Ok(Some(BigPiece::Rows(batch)))),
                Some(Event::RowPart(part)) => {
                    let columns = self.results.columns();
                    let new = || RowReader::new(columns.cloned().unwrap_or_default(), self.encoding);
                    let reader = match &mut self.reader {
                        Some(reader) if !part.first => reader,
                        reader => reader.insert(new()),
                    };
                    reader.push(part.bytes, part.last);
                }
                Some(_) => {}
                None => return Poll::Ready(Ok(None)),
            }
        }
    }

    /// The results themselves, for what is not in rows. Large rows that are left of the current result are skipped.
    pub const fn results(&mut self) -> &mut Results<'a> {
        &mut self.results
    }
}
