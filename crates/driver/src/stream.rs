//! Rows as streams.

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures::Stream;
use porpoise_classic::{Columns, RowBatch, RowError};
use porpoise_value::{FromRow, Plan};

use crate::Error;

/// Where batches of rows come from: [`Results`](crate::Results) or a [`Cursor`](crate::Cursor), or a borrow of one.
pub trait BatchSource {
    /// The columns of the rows, if there are any.
    fn columns(&self) -> Option<&Columns>;

    /// The next rows; `None` at the end.
    ///
    /// # Errors
    /// [`Error::Server`] when the statement fails in the middle; the connection is broken.
    fn poll_batch(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<RowBatch>, Error>>;
}

impl<S: BatchSource> BatchSource for &mut S {
    fn columns(&self) -> Option<&Columns> {
        (**self).columns()
    }

    fn poll_batch(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<RowBatch>, Error>> {
        (**self).poll_batch(cx)
    }
}

/// The rows of one result in batches, as they are received: a [`Stream`]. Nothing is copied.
pub struct BatchStream<S> {
    source: S,
}

impl<S> BatchStream<S> {
    pub(crate) const fn new(source: S) -> Self {
        Self { source }
    }
}

impl<S> fmt::Debug for BatchStream<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BatchStream").finish_non_exhaustive()
    }
}

impl<S: BatchSource + Unpin> Stream for BatchStream<S> {
    type Item = Result<RowBatch, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.source.poll_batch(cx).map(Result::transpose)
    }
}

/// The rows of one result as values of a type: a [`Stream`].
///
/// The columns are checked before the first row. All rows that were received together are read together; a stream that is
/// dropped loses those of them that it has not given yet. After an error it is over; rows behind it are left to
/// [`Results::next_result`](crate::Results::next_result) or to the next call of the client.
///
/// For rows that borrow, or to spare the copy, take the batches: [`RowBatch::typed`].
pub struct RowStream<S, T> {
    source: S,
    plan: Option<Plan>,
    rows: VecDeque<T>,
    failed: Option<RowError>,
    over: bool,
}

impl<S, T> RowStream<S, T> {
    pub(crate) const fn new(source: S) -> Self {
        Self { source, plan: None, rows: VecDeque::new(), failed: None, over: false }
    }
}

impl<S, T> fmt::Debug for RowStream<S, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RowStream")
            .field("read", &self.rows.len())
            .field("over", &self.over)
            .finish_non_exhaustive()
    }
}

impl<S: BatchSource, T: for<'r> FromRow<'r>> RowStream<S, T> {
    /// Reads a batch, up to the first row that does not fit.
    fn read(&mut self, batch: &RowBatch) {
        let plan = match &mut self.plan {
            Some(plan) => plan,
            None => match T::plan(batch.columns()) {
                Ok(plan) => self.plan.insert(plan),
                Err(error) => {
                    self.failed = Some(error.into());
                    return;
                }
            },
        };
        self.rows.reserve(batch.len());
        for row in batch.typed::<T>(plan) {
            match row {
                Ok(row) => self.rows.push_back(row),
                Err(error) => {
                    self.failed = Some(error);
                    return;
                }
            }
        }
    }
}

// Nothing in it is pinned: rows are given out by value.
impl<S: Unpin, T> Unpin for RowStream<S, T> {}

impl<S: BatchSource + Unpin, T: for<'r> FromRow<'r>> Stream for RowStream<S, T> {
    type Item = Result<T, Error>;

    #[inline]
    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        loop {
            if let Some(row) = this.rows.pop_front() {
                return Poll::Ready(Some(Ok(row)));
            }
            if let Some(error) = this.failed.take() {
                this.over = true;
                return Poll::Ready(Some(Err(error.into())));
            }
            if this.over {
                return Poll::Ready(None);
            }
            match ready!(this.source.poll_batch(cx)) {
                Ok(Some(batch)) => this.read(&batch),
                Ok(None) => this.over = true,
                Err(error) => {
                    this.over = true;
                    return Poll::Ready(Some(Err(error)));
                }
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.rows.len(), None)
    }
}
