use std::fmt;
use std::future::poll_fn;
use std::task::{Context, Poll, ready};

use porpoise_classic::{Columns, Event, OkReply, ResultEnd, RowBatch, StatusFlags};
use porpoise_value::FromRow;

use crate::stream::{BatchSource, BatchStream, RowStream};
use crate::{CancelHandle, Client, Error};

/// The results of a statement, read as they are asked for.
///
/// A statement has one result, or several; each has columns and rows, or is just an OK. Rows come in batches, as they
/// were received; cells are borrowed from the batch.
///
/// Dropped: the rest is drained. The same holds for its calls; what else a dropped call loses, it says.
pub struct Results<'a> {
    client: &'a mut Client,
    columns: Option<Columns>,
    ok: Option<OkReply>,
    end: Option<ResultEnd>,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The next event opens a result.
    Before,
    /// Rows are to come.
    Rows,
    /// The result has ended, and another follows.
    After,
    /// All results have ended.
    Done,
}

impl fmt::Debug for Results<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Results").field("state", &self.state).field("end", &self.end).finish_non_exhaustive()
    }
}

impl<'a> Results<'a> {
    pub(crate) async fn start(client: &'a mut Client) -> Result<Self, Error> {
        let mut results = Self { client, columns: None, ok: None, end: None, state: State::Before };
        results.open().await?;
        Ok(results)
    }

    /// The same when the reply's first event was read.
    pub(crate) async fn resume(client: &'a mut Client, first: Option<Event>) -> Result<Self, Error> {
        let mut results = Self { client, columns: None, ok: None, end: None, state: State::Before };
        results.take(first)?;
        results.open().await?;
        Ok(results)
    }

    /// The columns of the current result, if it has any.
    #[must_use]
    pub const fn columns(&self) -> Option<&Columns> {
        self.columns.as_ref()
    }

    /// What the server said of the current result, if that has no columns.
    #[must_use]
    pub const fn ok(&self) -> Option<&OkReply> {
        self.ok.as_ref()
    }

    /// What the server said at the current result's end, once it is reached.
    #[must_use]
    pub fn end(&self) -> Option<&ResultEnd> {
        self.end.as_ref().or_else(|| self.ok.as_ref().map(OkReply::end))
    }

    /// A handle that cancels this operation. See [`CancelHandle`].
    pub fn cancel_handle(&mut self) -> CancelHandle {
        self.client.running_cancel_handle()
    }

    /// The next rows of the current result; `None` at its end.
    ///
    /// # Errors
    /// [`Error::Server`] when the statement fails in the middle.
    pub async fn next_batch(&mut self) -> Result<Option<RowBatch>, Error> {
        poll_fn(|cx| self.poll_batch(cx)).await
    }

    /// [`next_batch`](Self::next_batch) as a poll.
    ///
    /// # Errors
    /// As there.
    #[inline]
    pub fn poll_batch(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<RowBatch>, Error>> {
        loop {
            match ready!(self.poll_event(cx))? {
                Some(Event::Rows(batch)) => return Poll::Ready(Ok(Some(batch))),
                // Who wants no pieces of large rows passes over them.
                Some(_) => {}
                None => return Poll::Ready(Ok(None)),
            }
        }
    }

    /// The next rows, or part of a row, of the current result; `None` at its end.
    #[inline]
    pub(crate) fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Event>, Error>> {
        while self.state == State::Rows {
            match ready!(self.client.poll_next(cx)) {
                Ok(event @ Some(Event::Rows(_) | Event::RowPart(_))) => return Poll::Ready(Ok(event)),
                Ok(event) => self.take(event)?,
                Err(error) => {
                    self.state = State::Done;
                    return Poll::Ready(Err(error));
                }
            }
        }
        Poll::Ready(Ok(None))
    }

    /// The rows of the current result in batches, as a [`Stream`](futures::Stream).
    ///
    /// Dropped: nothing is lost.
    pub const fn batches(&mut self) -> BatchStream<&mut Self> {
        BatchStream::new(self)
    }

    /// The rows of the current result as values, as a [`Stream`](futures::Stream).
    ///
    /// Dropped: the rows that were received with the last one that it gave are lost.
    pub const fn rows<T>(&mut self) -> RowStream<&mut Self, T> {
        RowStream::new(self)
    }

    /// The same as [`rows`](Self::rows), for a stream that needs nothing else. Results behind the current one are left.
    pub const fn into_rows<T>(self) -> RowStream<Self, T> {
        RowStream::new(self)
    }

    /// The first row of what is left of the current result, if there is one. The rows that were received with it are lost.
    ///
    /// Dropped: nothing is lost.
    ///
    /// # Errors
    /// [`Error::Row`] when it does not fit.
    pub async fn first<T: for<'r> FromRow<'r>>(&mut self) -> Result<Option<T>, Error> {
        let Some(batch) = self.next_batch().await? else { return Ok(None) };
        let plan = batch.plan::<T>()?;
        Ok(batch.typed::<T>(&plan).next().transpose()?)
    }

    /// All rows that are left of the current result.
    ///
    /// Dropped: what was read is lost.
    ///
    /// # Errors
    /// [`Error::Row`] when one does not fit. The rows behind it are still there.
    pub async fn all<T: for<'r> FromRow<'r>>(&mut self) -> Result<Vec<T>, Error> {
        let Some(columns) = &self.columns else { return Ok(Vec::new()) };
        let plan = T::plan(columns)?;
        let mut all = Vec::new();
        while let Some(batch) = self.next_batch().await? {
            all.reserve(batch.len());
            for row in batch.typed::<T>(&plan) {
                all.push(row?);
            }
        }
        Ok(all)
    }

    /// Whether the current result is one row of a procedure's OUT and INOUT parameters. Known when its rows were read.
    #[must_use]
    pub fn is_out_params(&self) -> bool {
        self.end().is_some_and(|end| end.status().contains(StatusFlags::SERVER_PS_OUT_PARAMS))
    }

    /// Goes on to the next result, past what is left of this one. `false` when there is none.
    ///
    /// # Errors
    /// [`Error::Server`] when a statement fails.
    pub async fn next_result(&mut self) -> Result<bool, Error> {
        while self.next_batch().await?.is_some() {}
        if self.state != State::After {
            return Ok(false);
        }
        self.state = State::Before;
        (self.columns, self.ok, self.end) = (None, None, None);
        self.open().await?;
        Ok(true)
    }

    /// Reads everything that is left.
    ///
    /// # Errors
    /// [`Error::Server`] when a statement fails.
    pub async fn finish(mut self) -> Result<(), Error> {
        while self.next_result().await? {}
        Ok(())
    }

    #[inline]
    async fn open(&mut self) -> Result<(), Error> {
        while self.state == State::Before {
            let event = poll_fn(|cx| self.client.poll_next(cx)).await?;
            self.take(event)?;
        }
        Ok(())
    }

    #[inline]
    fn take(&mut self, event: Option<Event>) -> Result<(), Error> {
        match event {
            Some(Event::Columns(columns)) => {
                self.columns = Some(columns);
                self.state = State::Rows;
            }
            Some(Event::Ok(ok)) => {
                self.ended(ok.has_more_results());
                self.ok = Some(ok);
            }
            Some(Event::End(end)) => {
                self.ended(end.has_more_results());
                self.end = Some(end);
            }
            Some(Event::InfileRefused(refused)) => {
                self.ended(false);
                return Err(Error::InfileRefused(refused));
            }
            Some(Event::Err(err)) => {
                self.ended(false);
                return Err(Error::Server(err));
            }
            Some(Event::ColumnsChanged(changed)) => {
                self.state = State::Done;
                return Err(Error::ColumnsChanged(changed));
            }
            Some(_) => {}
            None => self.ended(false),
        }
        Ok(())
    }

    #[inline]
    fn ended(&mut self, more: bool) {
        if more {
            self.state = State::After;
        } else {
            self.state = State::Done;
            self.client.over();
        }
    }
}

impl BatchSource for Results<'_> {
    type Batch = RowBatch;
    type Error = Error;

    #[inline]
    fn poll_batch(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<RowBatch>, Error>> {
        Results::poll_batch(self, cx)
    }
}
