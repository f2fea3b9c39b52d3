use std::fmt;
use std::future::poll_fn;
use std::task::{Context, Poll, ready};

use porpoise_value::FromRow;
use porpoise_xproto::{Columns, Event, Fetched, RowBatch};

use super::{CancelHandle, Error, Outcome, Session};
use crate::stream::{BatchSource, BatchStream, RowStream};

/// The results of a statement, read as they are asked for.
///
/// A statement has one result, several, or none; each has columns and rows. Rows come in batches, as they were received; cells
/// are borrowed from the batch. What the statement did is known at its end: see [`outcome`](Self::outcome).
///
/// Dropped: the rest is drained. The same holds for its calls; what else a dropped call loses, it says.
pub struct Results<'a> {
    session: &'a mut Session,
    columns: Option<Columns>,
    out_params: bool,
    /// The next columns are those of OUT parameters.
    next_is_out: bool,
    outcome: Outcome,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The next event opens a result, or there is none.
    Before,
    /// Rows are to come.
    Rows,
    /// The result has ended, and another may follow.
    After,
    /// All has come.
    Done,
}

impl fmt::Debug for Results<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Results")
            .field("state", &self.state)
            .field("outcome", &self.outcome)
            .finish_non_exhaustive()
    }
}

impl<'a> Results<'a> {
    /// Reads up to the first result's columns, or to the end.
    pub(super) async fn start(session: &'a mut Session) -> Result<Self, Error> {
        let mut results = Self {
            session,
            columns: None,
            out_params: false,
            next_is_out: false,
            outcome: Outcome::default(),
            state: State::Before,
        };
        results.open().await?;
        Ok(results)
    }

    /// The columns of the current result, if there is one.
    #[must_use]
    pub const fn columns(&self) -> Option<&Columns> {
        self.columns.as_ref()
    }

    /// What the statement did, as far as it was told. All of it once the rows were read and there is no other result.
    #[must_use]
    pub const fn outcome(&self) -> &Outcome {
        &self.outcome
    }

    /// Whether the current result is one row of a procedure's OUT and INOUT parameters.
    #[must_use]
    pub const fn is_out_params(&self) -> bool {
        self.out_params
    }

    /// A handle that cancels this operation. See [`CancelHandle`].
    pub fn cancel_handle(&mut self) -> CancelHandle {
        self.session.running_cancel_handle()
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
        while self.state == State::Rows {
            match ready!(self.session.poll_next(cx)) {
                Ok(Some(Event::Rows(batch))) => return Poll::Ready(Ok(Some(batch))),
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
        self.columns = None;
        self.open().await?;
        Ok(self.columns.is_some())
    }

    /// Reads everything that is left, and gives what the statement did.
    ///
    /// # Errors
    /// [`Error::Server`] when a statement fails.
    pub async fn finish(mut self) -> Result<Outcome, Error> {
        while self.next_result().await? {}
        Ok(self.outcome)
    }

    #[inline]
    async fn open(&mut self) -> Result<(), Error> {
        while self.state == State::Before {
            let event = poll_fn(|cx| self.session.poll_next(cx)).await?;
            self.take(event)?;
        }
        Ok(())
    }

    #[inline]
    fn take(&mut self, event: Option<Event>) -> Result<(), Error> {
        match event {
            Some(Event::Columns(columns)) => {
                self.columns = Some(columns);
                self.out_params = std::mem::take(&mut self.next_is_out);
                self.state = State::Rows;
            }
            Some(Event::Notice(notice)) => self.outcome.observe(notice),
            Some(Event::Fetched(fetched)) => {
                self.next_is_out = fetched == Fetched::MoreOutParams;
                if matches!(fetched, Fetched::MoreResultsets | Fetched::MoreOutParams) {
                    // Of a call without results its OUT parameters are the first.
                    self.state = if self.columns.is_some() { State::After } else { State::Before };
                }
            }
            Some(Event::Error(error)) => {
                self.done();
                return Err(Error::of(error));
            }
            Some(Event::StmtExecuteOk | Event::Ok(_)) | None => self.done(),
            Some(_) => {}
        }
        Ok(())
    }

    fn done(&mut self) {
        self.state = State::Done;
        self.session.over();
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
