//! Rows as streams.

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures::Stream;
use porpoise_value::{FromRow, Plan, PlanError};

/// Rows that were received together, of either protocol.
pub trait Batch {
    /// Why a row cannot be read.
    type RowError: From<PlanError>;

    /// Finds the columns that rows of type `T` need, and checks their kinds.
    ///
    /// # Errors
    /// [`PlanError`].
    fn plan<'r, T: FromRow<'r>>(&self) -> Result<Plan, PlanError>;

    /// Reads rows into `rows`, up to the first that does not fit.
    ///
    /// # Errors
    /// Why that does not fit.
    fn read<T: for<'r> FromRow<'r>>(&self, plan: &Plan, rows: &mut VecDeque<T>)
    -> Result<(), Self::RowError>;
}

macro_rules! batches {
    ($batch:ty, $error:ty) => {
        impl Batch for $batch {
            type RowError = $error;

            fn plan<'r, T: FromRow<'r>>(&self) -> Result<Plan, PlanError> {
                T::plan(self.columns())
            }

            #[inline]
            fn read<T: for<'r> FromRow<'r>>(
                &self,
                plan: &Plan,
                rows: &mut VecDeque<T>,
            ) -> Result<(), $error> {
                rows.reserve(self.len());
                for row in self.typed::<T>(plan) {
                    rows.push_back(row?);
                }
                Ok(())
            }
        }
    };
}

batches!(porpoise_classic::RowBatch, porpoise_classic::RowError);
#[cfg(feature = "xproto")]
batches!(porpoise_xproto::RowBatch, porpoise_xproto::RowError);

/// Where batches of rows come from: results or a cursor of either protocol, or a borrow of one.
pub trait BatchSource {
    /// Rows that were received together.
    type Batch: Batch;
    /// Why there are no more.
    type Error: From<<Self::Batch as Batch>::RowError>;

    /// The next rows; `None` at the end.
    ///
    /// # Errors
    /// The statement failed in the middle; the connection is broken.
    fn poll_batch(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Self::Batch>, Self::Error>>;
}

impl<S: BatchSource> BatchSource for &mut S {
    type Batch = S::Batch;
    type Error = S::Error;

    fn poll_batch(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<S::Batch>, S::Error>> {
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
    type Item = Result<S::Batch, S::Error>;

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
/// For rows that borrow, or to spare the copy, take the batches: [`RowBatch::typed`](porpoise_classic::RowBatch::typed).
pub struct RowStream<S: BatchSource, T> {
    source: S,
    plan: Option<Plan>,
    rows: VecDeque<T>,
    failed: Option<<S::Batch as Batch>::RowError>,
    over: bool,
}

impl<S: BatchSource, T> RowStream<S, T> {
    pub(crate) const fn new(source: S) -> Self {
        Self { source, plan: None, rows: VecDeque::new(), failed: None, over: false }
    }
}

impl<S: BatchSource, T> fmt::Debug for RowStream<S, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RowStream")
            .field("read", &self.rows.len())
            .field("over", &self.over)
            .finish_non_exhaustive()
    }
}

impl<S: BatchSource, T: for<'r> FromRow<'r>> RowStream<S, T> {
    /// Reads a batch, up to the first row that does not fit.
    fn read(&mut self, batch: &S::Batch) {
        let plan = match &mut self.plan {
            Some(plan) => plan,
            None => match batch.plan::<T>() {
                Ok(plan) => self.plan.insert(plan),
                Err(error) => {
                    self.failed = Some(error.into());
                    return;
                }
            },
        };
        self.failed = batch.read(plan, &mut self.rows).err();
    }
}

// Nothing in it is pinned: rows are given out by value.
impl<S: BatchSource + Unpin, T> Unpin for RowStream<S, T> {}

impl<S: BatchSource + Unpin, T: for<'r> FromRow<'r>> Stream for RowStream<S, T> {
    type Item = Result<T, S::Error>;

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
