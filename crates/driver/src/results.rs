use std::fmt;
use std::future::poll_fn;
use std::task::{Context, Poll, ready};

use porpoise_classic::{Columns, Event, OkReply, ResultEnd, RowBatch};

use crate::{CancelHandle, Client, Error};

/// The results of a query, read as they are asked for.
///
/// A query has one result, or several; each has columns and rows, or is just an OK. Rows come in batches, as they
/// were received; cells are borrowed from the batch. Dropping this leaves the rest to the next call.
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
    pub fn poll_batch(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<RowBatch>, Error>> {
        loop {
            if self.state != State::Rows {
                return Poll::Ready(Ok(None));
            }
            let event = match ready!(self.client.poll_next(cx)) {
                Ok(event) => event,
                Err(error) => {
                    self.state = State::Done;
                    return Poll::Ready(Err(error));
                }
            };
            if let Some(Event::Rows(batch)) = event {
                return Poll::Ready(Ok(Some(batch)));
            }
            self.take(event)?;
        }
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
