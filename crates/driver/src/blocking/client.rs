//! The client's calls, blocking.

use std::borrow::BorrowMut;
use std::io::{self, Read};
use std::sync::Arc;
use std::time::Duration;

use futures::io::AllowStdIo;
use futures::{Stream, StreamExt};
use porpoise_classic::RowBatch;
use porpoise_classic_connect::ConnectOptions;
use porpoise_value::{FromRow, Params, ToValue};

use super::{BLOCKING, block_on};
use crate::{
    BatchDone, BigPiece, BigRows, CancelHandle, Client, Cursor, Error, Options, Pipeline, Replies, Results,
    Statement, StatementRef, Transaction, TxOptions,
};

/// Connects on this thread.
///
/// # Errors
/// As [`Client::connect`].
pub fn connect(options: Arc<Options>) -> Result<BlockingClient, Error> {
    block_on(Client::connect(BLOCKING, options)).map(|client| BlockingCalls { client })
}

/// See [`CancelHandle::cancel`]; for a handle of a blocking client, from another thread.
///
/// # Errors
/// As there.
pub fn cancel(handle: &CancelHandle) -> Result<bool, Error> {
    block_on(handle.cancel())
}

/// See [`Pipeline::send`].
///
/// # Errors
/// As there.
pub fn send<'a, 'p>(pipeline: Pipeline<'a, 'p>) -> Result<BlockingReplies<'a, 'p>, Error> {
    block_on(pipeline.send()).map(|replies| BlockingReplies { replies })
}

/// A [`Client`] whose calls block.
pub type BlockingClient = BlockingCalls<Client>;

/// A [`Transaction`] whose calls block.
pub type BlockingTransaction<'a> = BlockingCalls<Transaction<'a>>;

/// The calls of a client, or of a transaction, blocking. Those that do not wait anyway are the client's own: see
/// [`client`](Self::client).
#[derive(Debug)]
pub struct BlockingCalls<C> {
    client: C,
}

impl BlockingCalls<Client> {
    /// See [`Client::close`].
    ///
    /// # Errors
    /// As there.
    pub fn close(self) -> Result<(), Error> {
        block_on(self.client.close())
    }
}

impl BlockingCalls<Transaction<'_>> {
    /// See [`Transaction::commit`].
    ///
    /// # Errors
    /// As there.
    pub fn commit(self) -> Result<(), Error> {
        block_on(self.client.commit())
    }

    /// See [`Transaction::rollback`].
    ///
    /// # Errors
    /// As there.
    pub fn rollback(self) -> Result<(), Error> {
        block_on(self.client.rollback())
    }
}

impl<C: BorrowMut<Client>> BlockingCalls<C> {
    /// The client itself; its futures must be driven by [`block_on`].
    pub fn client(&mut self) -> &mut Client {
        self.client.borrow_mut()
    }

    /// See [`Client::query`].
    ///
    /// # Errors
    /// As there.
    pub fn query(&mut self, sql: &str) -> Result<BlockingResults<'_>, Error> {
        block_on(self.client().query(sql)).map(BlockingResults::new)
    }

    /// See [`Client::query_with`].
    ///
    /// # Errors
    /// As there.
    pub fn query_with<N: AsRef<str>, V: ToValue>(
        &mut self,
        sql: &str,
        attributes: &[(N, V)],
    ) -> Result<BlockingResults<'_>, Error> {
        block_on(self.client().query_with(sql, attributes)).map(BlockingResults::new)
    }

    /// See [`Client::query_drop`].
    ///
    /// # Errors
    /// As there.
    pub fn query_drop(&mut self, sql: &str) -> Result<(), Error> {
        block_on(self.client().query_drop(sql))
    }

    /// See [`Client::query_first`].
    ///
    /// # Errors
    /// As there.
    pub fn query_first<T: for<'r> FromRow<'r>>(&mut self, sql: &str) -> Result<Option<T>, Error> {
        block_on(self.client().query_first(sql))
    }

    /// See [`Client::query_all`].
    ///
    /// # Errors
    /// As there.
    pub fn query_all<T: for<'r> FromRow<'r>>(&mut self, sql: &str) -> Result<Vec<T>, Error> {
        block_on(self.client().query_all(sql))
    }

    /// See [`Client::query_big`].
    ///
    /// # Errors
    /// As there.
    pub fn query_big(&mut self, sql: &str, over: usize) -> Result<BlockingBigRows<'_>, Error> {
        block_on(self.client().query_big(sql, over)).map(|rows| BlockingBigRows { rows })
    }

    /// See [`Client::prepare`].
    ///
    /// # Errors
    /// As there.
    pub fn prepare(&mut self, sql: &str) -> Result<Statement, Error> {
        block_on(self.client().prepare(sql))
    }

    /// See [`Client::prepare_named`].
    ///
    /// # Errors
    /// As there.
    pub fn prepare_named(&mut self, sql: &str) -> Result<Statement, Error> {
        block_on(self.client().prepare_named(sql))
    }

    /// See [`Client::exec`].
    ///
    /// # Errors
    /// As there.
    pub fn exec<'s>(
        &mut self,
        statement: impl Into<StatementRef<'s>>,
        params: impl Params,
    ) -> Result<BlockingResults<'_>, Error> {
        block_on(self.client().exec(statement, params)).map(BlockingResults::new)
    }

    /// See [`Client::exec_with`].
    ///
    /// # Errors
    /// As there.
    pub fn exec_with<'s, N: AsRef<str>, V: ToValue>(
        &mut self,
        statement: impl Into<StatementRef<'s>>,
        params: impl Params,
        attributes: &[(N, V)],
    ) -> Result<BlockingResults<'_>, Error> {
        block_on(self.client().exec_with(statement, params, attributes)).map(BlockingResults::new)
    }

    /// See [`Client::exec_drop`].
    ///
    /// # Errors
    /// As there.
    pub fn exec_drop<'s>(
        &mut self,
        statement: impl Into<StatementRef<'s>>,
        params: impl Params,
    ) -> Result<(), Error> {
        block_on(self.client().exec_drop(statement, params))
    }

    /// See [`Client::exec_first`].
    ///
    /// # Errors
    /// As there.
    pub fn exec_first<'s, T: for<'r> FromRow<'r>>(
        &mut self,
        statement: impl Into<StatementRef<'s>>,
        params: impl Params,
    ) -> Result<Option<T>, Error> {
        block_on(self.client().exec_first(statement, params))
    }

    /// See [`Client::exec_all`].
    ///
    /// # Errors
    /// As there.
    pub fn exec_all<'s, T: for<'r> FromRow<'r>>(
        &mut self,
        statement: impl Into<StatementRef<'s>>,
        params: impl Params,
    ) -> Result<Vec<T>, Error> {
        block_on(self.client().exec_all(statement, params))
    }

    /// See [`Client::exec_batch`].
    ///
    /// # Errors
    /// As there.
    pub fn exec_batch<'s, P: Params>(
        &mut self,
        statement: impl Into<StatementRef<'s>>,
        batch: impl IntoIterator<Item = P>,
    ) -> Result<BatchDone, Error> {
        block_on(self.client().exec_batch(statement, batch))
    }

    /// See [`Client::exec_cursor`].
    ///
    /// # Errors
    /// As there.
    pub fn exec_cursor<'s>(
        &mut self,
        statement: impl Into<StatementRef<'s>>,
        params: impl Params,
        rows: u32,
    ) -> Result<BlockingCursor<'_>, Error> {
        block_on(self.client().exec_cursor(statement, params, rows)).map(|cursor| BlockingCursor { cursor })
    }

    /// See [`Client::exec_big`].
    ///
    /// # Errors
    /// As there.
    pub fn exec_big<'s>(
        &mut self,
        statement: impl Into<StatementRef<'s>>,
        params: impl Params,
        over: usize,
    ) -> Result<BlockingBigRows<'_>, Error> {
        block_on(self.client().exec_big(statement, params, over)).map(|rows| BlockingBigRows { rows })
    }

    /// See [`Client::send_long_data`].
    ///
    /// # Errors
    /// As there.
    pub fn send_long_data(
        &mut self,
        statement: &Statement,
        param: u16,
        reader: impl Read + Unpin,
    ) -> Result<(), Error> {
        block_on(self.client().send_long_data(statement, param, AllowStdIo::new(reader)))
    }

    /// See [`Client::query_infile`].
    ///
    /// # Errors
    /// As there.
    pub fn query_infile<R: Read + Unpin>(
        &mut self,
        sql: &str,
        open: impl FnOnce(&[u8]) -> io::Result<R>,
    ) -> Result<BlockingResults<'_>, Error> {
        let open = |name: &[u8]| open(name).map(AllowStdIo::new);
        block_on(self.client().query_infile(sql, open)).map(BlockingResults::new)
    }

    /// See [`Client::begin`].
    ///
    /// # Errors
    /// As there.
    pub fn begin(&mut self, options: TxOptions) -> Result<BlockingTransaction<'_>, Error> {
        let tx = block_on(self.client().begin(options))?;
        Ok(BlockingCalls { client: tx })
    }

    /// See [`Client::ping`].
    ///
    /// # Errors
    /// As there.
    pub fn ping(&mut self) -> Result<(), Error> {
        block_on(self.client().ping())
    }

    /// See [`Client::init_db`].
    ///
    /// # Errors
    /// As there.
    pub fn init_db(&mut self, database: &str) -> Result<(), Error> {
        block_on(self.client().init_db(database))
    }

    /// See [`Client::statistics`].
    ///
    /// # Errors
    /// As there.
    pub fn statistics(&mut self) -> Result<String, Error> {
        block_on(self.client().statistics())
    }

    /// See [`Client::kill`].
    ///
    /// # Errors
    /// As there.
    pub fn kill(&mut self, connection_id: u32) -> Result<(), Error> {
        block_on(self.client().kill(connection_id))
    }

    /// See [`Client::kill_query`].
    ///
    /// # Errors
    /// As there.
    pub fn kill_query(&mut self, connection_id: u32) -> Result<(), Error> {
        block_on(self.client().kill_query(connection_id))
    }

    /// See [`Client::wait_for_gtid`].
    ///
    /// # Errors
    /// As there.
    pub fn wait_for_gtid(&mut self, set: &str, timeout: Duration) -> Result<bool, Error> {
        block_on(self.client().wait_for_gtid(set, timeout))
    }

    /// See [`Client::reset_connection`].
    ///
    /// # Errors
    /// As there.
    pub fn reset_connection(&mut self) -> Result<(), Error> {
        block_on(self.client().reset_connection())
    }

    /// See [`Client::reset`].
    ///
    /// # Errors
    /// As there.
    pub fn reset(&mut self) -> Result<(), Error> {
        block_on(self.client().reset())
    }

    /// See [`Client::change_user`].
    ///
    /// # Errors
    /// As there.
    pub fn change_user(&mut self, options: Arc<ConnectOptions>) -> Result<(), Error> {
        block_on(self.client().change_user(options))
    }

    /// See [`Client::pipeline`]; it is sent by [`send`].
    pub fn pipeline<'p>(&mut self) -> Pipeline<'_, 'p> {
        self.client().pipeline()
    }

    /// See [`Client::cancel_handle`], and [`cancel`].
    pub fn cancel_handle(&mut self) -> CancelHandle {
        self.client().cancel_handle()
    }
}

/// [`Results`] whose calls block.
#[derive(Debug)]
pub struct BlockingResults<'a> {
    results: Results<'a>,
}

impl<'a> BlockingResults<'a> {
    const fn new(results: Results<'a>) -> Self {
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
    pub fn finish(self) -> Result<(), Error> {
        block_on(self.results.finish())
    }
}

/// A stream as an iterator that blocks.
#[derive(Debug)]
pub struct BlockingIter<S> {
    pub(super) stream: S,
}

impl<S: Stream + Unpin> Iterator for BlockingIter<S> {
    type Item = S::Item;

    fn next(&mut self) -> Option<S::Item> {
        block_on(self.stream.next())
    }
}

/// A [`Cursor`] whose calls block.
#[derive(Debug)]
pub struct BlockingCursor<'a> {
    cursor: Cursor<'a>,
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
    pub fn rows<T: for<'r> FromRow<'r>>(
        &mut self,
    ) -> BlockingIter<impl Stream<Item = Result<T, Error>> + Unpin> {
        BlockingIter { stream: self.cursor.rows::<T>() }
    }
}

/// [`BigRows`] whose calls block.
#[derive(Debug)]
pub struct BlockingBigRows<'a> {
    rows: BigRows<'a>,
}

impl<'a> BlockingBigRows<'a> {
    /// The rows; their futures must be driven by [`block_on`].
    pub const fn rows(&mut self) -> &mut BigRows<'a> {
        &mut self.rows
    }

    /// See [`BigRows::next`].
    ///
    /// # Errors
    /// As there.
    #[expect(clippy::should_implement_trait, reason = "an iterator's errors would come inside of its items")]
    pub fn next(&mut self) -> Result<Option<BigPiece>, Error> {
        block_on(self.rows.next())
    }
}

/// [`Replies`] whose calls block.
#[derive(Debug)]
pub struct BlockingReplies<'a, 'p> {
    replies: Replies<'a, 'p>,
}

impl BlockingReplies<'_, '_> {
    /// See [`Replies::next`].
    ///
    /// # Errors
    /// As there.
    #[expect(clippy::should_implement_trait, reason = "each reply borrows from these")]
    pub fn next(&mut self) -> Result<Option<BlockingResults<'_>>, Error> {
        Ok(block_on(self.replies.next())?.map(BlockingResults::new))
    }

    /// See [`Replies::finish`].
    ///
    /// # Errors
    /// As there.
    pub fn finish(self) -> Result<(), Error> {
        block_on(self.replies.finish())
    }
}
