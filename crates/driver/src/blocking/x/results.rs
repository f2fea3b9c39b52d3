//! What a blocking session's calls give.

use futures::Stream;
use porpoise_value::{FromRow, Params};
use porpoise_xproto::RowBatch;

use super::super::{BlockingIter, block_on};
use crate::x::{Cursor, Error, Outcome, Read, Replies, Results, Sql, Ticket};

/// A [`Sql`] whose calls block.
#[derive(Debug)]
#[must_use = "nothing is sent before it is run"]
pub struct BlockingSql<'a, 'q, P = ()> {
    pub(super) sql: Sql<'a, 'q, P>,
}

impl<'a, 'q, P: Params> BlockingSql<'a, 'q, P> {
    /// See [`Sql::args`].
    pub fn args<Q: Params>(self, args: Q) -> BlockingSql<'a, 'q, Q> {
        BlockingSql { sql: self.sql.args(args) }
    }

    /// See [`Sql::compact_metadata`].
    pub fn compact_metadata(self, on: bool) -> Self {
        Self { sql: self.sql.compact_metadata(on) }
    }

    /// See [`Sql::execute`].
    ///
    /// # Errors
    /// As there.
    pub fn execute(self) -> Result<BlockingResults<'a>, Error> {
        block_on(self.sql.execute()).map(BlockingResults::new)
    }

    /// See [`Sql::run`].
    ///
    /// # Errors
    /// As there.
    pub fn run(self) -> Result<Outcome, Error> {
        block_on(self.sql.run())
    }

    /// See [`Sql::first`].
    ///
    /// # Errors
    /// As there.
    pub fn first<T: for<'r> FromRow<'r>>(self) -> Result<Option<T>, Error> {
        block_on(self.sql.first())
    }

    /// See [`Sql::all`].
    ///
    /// # Errors
    /// As there.
    pub fn all<T: for<'r> FromRow<'r>>(self) -> Result<Vec<T>, Error> {
        block_on(self.sql.all())
    }
}

/// [`Results`] whose calls block.
#[derive(Debug)]
pub struct BlockingResults<'a> {
    results: Results<'a>,
}

impl<'a> BlockingResults<'a> {
    pub(super) const fn new(results: Results<'a>) -> Self {
        Self { results }
    }

    /// The results; their futures must be driven by [`block_on`].
    pub const fn results(&mut self) -> &mut Results<'a> {
        &mut self.results
    }

    /// See [`Results::next_batch`].
    ///
    /// # Errors
    /// As there.
    pub fn next_batch(&mut self) -> Result<Option<RowBatch>, Error> {
        block_on(self.results.next_batch())
    }

    /// See [`Results::rows`].
    pub const fn rows<T: for<'r> FromRow<'r>>(
        &mut self,
    ) -> BlockingIter<impl Stream<Item = Result<T, Error>> + Unpin> {
        BlockingIter { stream: self.results.rows::<T>() }
    }

    /// See [`Results::into_rows`].
    pub fn into_rows<T: for<'r> FromRow<'r>>(
        self,
    ) -> BlockingIter<impl Stream<Item = Result<T, Error>> + Unpin> {
        BlockingIter { stream: self.results.into_rows::<T>() }
    }

    /// See [`Results::first`].
    ///
    /// # Errors
    /// As there.
    pub fn first<T: for<'r> FromRow<'r>>(&mut self) -> Result<Option<T>, Error> {
        block_on(self.results.first())
    }

    /// See [`Results::all`].
    ///
    /// # Errors
    /// As there.
    pub fn all<T: for<'r> FromRow<'r>>(&mut self) -> Result<Vec<T>, Error> {
        block_on(self.results.all())
    }

    /// See [`Results::next_result`].
    ///
    /// # Errors
    /// As there.
    pub fn next_result(&mut self) -> Result<bool, Error> {
        block_on(self.results.next_result())
    }

    /// See [`Results::finish`].
    ///
    /// # Errors
    /// As there.
    pub fn finish(self) -> Result<Outcome, Error> {
        block_on(self.results.finish())
    }
}

/// A [`Cursor`] whose calls block.
#[derive(Debug)]
pub struct BlockingCursor<'a> {
    pub(super) cursor: Cursor<'a>,
}

impl BlockingCursor<'_> {
    /// See [`Cursor::next_batch`].
    ///
    /// # Errors
    /// As there.
    pub fn next_batch(&mut self) -> Result<Option<RowBatch>, Error> {
        block_on(self.cursor.next_batch())
    }

    /// See [`Cursor::rows`].
    pub const fn rows<T: for<'r> FromRow<'r>>(
        &mut self,
    ) -> BlockingIter<impl Stream<Item = Result<T, Error>> + Unpin> {
        BlockingIter { stream: self.cursor.rows::<T>() }
    }
}

/// [`Replies`] whose calls block.
#[derive(Debug)]
pub struct BlockingReplies<'a> {
    pub(super) replies: Replies<'a>,
}

impl BlockingReplies<'_> {
    /// See [`Replies::next`].
    ///
    /// # Errors
    /// As there.
    #[expect(clippy::should_implement_trait, reason = "each reply borrows from these")]
    pub fn next(&mut self) -> Result<Option<BlockingResults<'_>>, Error> {
        Ok(block_on(self.replies.next())?.map(BlockingResults::new))
    }

    /// See [`Replies::answer`].
    ///
    /// # Errors
    /// As there.
    pub fn answer<R: Read>(&mut self, ticket: Ticket<R>) -> Result<R::Output, Error> {
        block_on(self.replies.answer(ticket))
    }

    /// See [`Replies::finish`].
    ///
    /// # Errors
    /// As there.
    pub fn finish(self) -> Result<(), Error> {
        block_on(self.replies.finish())
    }
}
