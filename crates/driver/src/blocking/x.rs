//! The X Protocol's session, blocking.
//!
//! ```no_run
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use std::sync::Arc;
//!
//! use porpoise_driver::blocking::x::{BlockingSession, connect};
//! use porpoise_driver::x::{Collection, Options};
//!
//! let options = Arc::new(Options::from_url("mysqlx://user:password@db.example/shop")?);
//! let mut session: BlockingSession = connect(options)?;
//! let people = Collection::new("shop", "people");
//! session.execute(people.add([r#"{"name": "Ann", "age": 31}"#]))?;
//! for name in session.results(people.find("age > 30").fields("name"))?.rows::<String>() {
//!     println!("{}", name?);
//! }
//! session.close()?;
//! # Ok(())
//! # }
//! ```

mod results;

use std::borrow::BorrowMut;
use std::sync::Arc;

use porpoise_value::{FromRow, Params};
use porpoise_xproto::Notice;
use porpoise_xproto::connect::ConnectOptions;
use porpoise_xproto::crud::{self, Crud, Request};
use porpoise_xproto::messages::prepare::prepare::OneOfMessage;

pub use self::results::{BlockingCursor, BlockingReplies, BlockingResults, BlockingSql};
use super::{BLOCKING, block_on};
use crate::TxOptions;
use crate::x::{
    Ask, BatchDone, CancelHandle, ClientInfo, Connecting, Error, Options, Outcome, Pipeline, Read, Savepoint,
    Session, Statement, Transaction,
};

/// Connects on this thread.
///
/// # Errors
/// As [`Session::connect`].
pub fn connect(options: Arc<Options>) -> Result<BlockingSession, Error> {
    finish(Connecting::new(BLOCKING, options))
}

/// Finishes a connect of the [`BLOCKING`] runtime.
///
/// # Errors
/// As [`Session::connect`].
pub fn finish(connecting: Connecting) -> Result<BlockingSession, Error> {
    block_on(connecting).map(|session| BlockingXCalls { session })
}

/// See [`CancelHandle::cancel`]; for a handle of a blocking session, from another thread.
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
pub fn send(pipeline: Pipeline<'_>) -> Result<BlockingReplies<'_>, Error> {
    block_on(pipeline.send()).map(|replies| BlockingReplies { replies })
}

/// A [`Session`] whose calls block.
pub type BlockingSession = BlockingXCalls<Session>;

/// A [`Transaction`] whose calls block.
pub type BlockingTransaction<'a> = BlockingXCalls<Transaction<'a>>;

/// A [`Savepoint`] whose calls block.
pub type BlockingSavepoint<'a> = BlockingXCalls<Savepoint<'a>>;

/// The calls of a session, of a transaction or of a savepoint, blocking. Those that do not wait anyway are the session's own:
/// see [`session`](Self::session).
#[derive(Debug)]
pub struct BlockingXCalls<S> {
    session: S,
}

impl BlockingXCalls<Session> {
    /// See [`Session::close`].
    ///
    /// # Errors
    /// As there.
    pub fn close(self) -> Result<(), Error> {
        block_on(self.session.close())
    }
}

impl BlockingXCalls<Transaction<'_>> {
    /// See [`Transaction::savepoint`].
    ///
    /// # Errors
    /// As there.
    pub fn savepoint(&mut self) -> Result<BlockingSavepoint<'_>, Error> {
        block_on(self.session.savepoint()).map(|session| BlockingXCalls { session })
    }

    /// See [`Transaction::commit`].
    ///
    /// # Errors
    /// As there.
    pub fn commit(self) -> Result<(), Error> {
        block_on(self.session.commit())
    }

    /// See [`Transaction::rollback`].
    ///
    /// # Errors
    /// As there.
    pub fn rollback(self) -> Result<(), Error> {
        block_on(self.session.rollback())
    }
}

impl BlockingXCalls<Savepoint<'_>> {
    /// See [`Savepoint::savepoint`].
    ///
    /// # Errors
    /// As there.
    pub fn savepoint(&mut self) -> Result<BlockingSavepoint<'_>, Error> {
        block_on(self.session.savepoint()).map(|session| BlockingXCalls { session })
    }

    /// See [`Savepoint::release`].
    ///
    /// # Errors
    /// As there.
    pub fn release(self) -> Result<(), Error> {
        block_on(self.session.release())
    }

    /// See [`Savepoint::rollback`].
    ///
    /// # Errors
    /// As there.
    pub fn rollback(self) -> Result<(), Error> {
        block_on(self.session.rollback())
    }
}

impl<S: BorrowMut<Session>> BlockingXCalls<S> {
    /// The session itself; its futures must be driven by [`block_on`].
    pub fn session(&mut self) -> &mut Session {
        self.session.borrow_mut()
    }

    /// See [`Session::sql`].
    pub fn sql<'q>(&mut self, sql: &'q str) -> BlockingSql<'_, 'q> {
        BlockingSql { sql: self.session().sql(sql) }
    }

    /// See [`Session::results`].
    ///
    /// # Errors
    /// As there.
    pub fn results(&mut self, request: impl Request) -> Result<BlockingResults<'_>, Error> {
        block_on(self.session().results(request)).map(BlockingResults::new)
    }

    /// See [`Session::execute`].
    ///
    /// # Errors
    /// As there.
    pub fn execute<A: Ask>(&mut self, ask: A) -> Result<<A::Reader as Read>::Output, Error> {
        block_on(self.session().execute(ask))
    }

    /// See [`Session::first_results`].
    ///
    /// # Errors
    /// As there.
    pub fn first_results(&mut self) -> Result<BlockingResults<'_>, Error> {
        block_on(self.session().first_results()).map(BlockingResults::new)
    }

    /// See [`Session::execute_batch`].
    ///
    /// # Errors
    /// As there.
    pub fn execute_batch<R: Request>(
        &mut self,
        batch: impl IntoIterator<Item = R>,
    ) -> Result<BatchDone, Error> {
        block_on(self.session().execute_batch(batch))
    }

    /// See [`Session::prepare`].
    ///
    /// # Errors
    /// As there.
    pub fn prepare(&mut self, sql: &str) -> Result<Statement, Error> {
        block_on(self.session().prepare(sql))
    }

    /// See [`Session::prepare_message`].
    ///
    /// # Errors
    /// As there.
    pub fn prepare_message(&mut self, message: OneOfMessage) -> Result<Statement, Error> {
        block_on(self.session().prepare_message(message))
    }

    /// See [`Session::prepare_crud`].
    ///
    /// # Errors
    /// As there.
    pub fn prepare_crud<M: Crud>(&mut self, statement: crud::Statement<M>) -> Result<Statement, Error> {
        block_on(self.session().prepare_crud(statement))
    }

    /// See [`Session::exec`].
    ///
    /// # Errors
    /// As there.
    pub fn exec(&mut self, statement: &Statement, params: impl Params) -> Result<BlockingResults<'_>, Error> {
        block_on(self.session().exec(statement, params)).map(BlockingResults::new)
    }

    /// See [`Session::exec_sql`].
    ///
    /// # Errors
    /// As there.
    pub fn exec_sql(&mut self, sql: &str, params: impl Params) -> Result<BlockingResults<'_>, Error> {
        block_on(self.session().exec_sql(sql, params)).map(BlockingResults::new)
    }

    /// See [`Session::exec_run`].
    ///
    /// # Errors
    /// As there.
    pub fn exec_run(&mut self, sql: &str, params: impl Params) -> Result<Outcome, Error> {
        block_on(self.session().exec_run(sql, params))
    }

    /// See [`Session::exec_all`].
    ///
    /// # Errors
    /// As there.
    pub fn exec_all<T: for<'r> FromRow<'r>>(
        &mut self,
        sql: &str,
        params: impl Params,
    ) -> Result<Vec<T>, Error> {
        block_on(self.session().exec_all(sql, params))
    }

    /// See [`Session::exec_batch`].
    ///
    /// # Errors
    /// As there.
    pub fn exec_batch<P: Params>(
        &mut self,
        statement: &Statement,
        batch: impl IntoIterator<Item = P>,
    ) -> Result<BatchDone, Error> {
        block_on(self.session().exec_batch(statement, batch))
    }

    /// See [`Session::cursor`].
    ///
    /// # Errors
    /// As there.
    pub fn cursor(
        &mut self,
        statement: &Statement,
        params: impl Params,
        rows: u64,
    ) -> Result<BlockingCursor<'_>, Error> {
        block_on(self.session().cursor(statement, params, rows)).map(|cursor| BlockingCursor { cursor })
    }

    /// See [`Session::cursor_sql`].
    ///
    /// # Errors
    /// As there.
    pub fn cursor_sql(
        &mut self,
        sql: &str,
        params: impl Params,
        rows: u64,
    ) -> Result<BlockingCursor<'_>, Error> {
        block_on(self.session().cursor_sql(sql, params, rows)).map(|cursor| BlockingCursor { cursor })
    }

    /// See [`Session::begin`].
    ///
    /// # Errors
    /// As there.
    pub fn begin(&mut self, options: TxOptions) -> Result<BlockingTransaction<'_>, Error> {
        block_on(self.session().begin(options)).map(|session| BlockingXCalls { session })
    }

    /// See [`Session::ping`].
    ///
    /// # Errors
    /// As there.
    pub fn ping(&mut self) -> Result<(), Error> {
        block_on(self.session().ping())
    }

    /// See [`Session::list_clients`].
    ///
    /// # Errors
    /// As there.
    pub fn list_clients(&mut self) -> Result<Vec<ClientInfo>, Error> {
        block_on(self.session().list_clients())
    }

    /// See [`Session::kill_client`].
    ///
    /// # Errors
    /// As there.
    pub fn kill_client(&mut self, client_id: u64) -> Result<(), Error> {
        block_on(self.session().kill_client(client_id))
    }

    /// See [`Session::kill_query`].
    ///
    /// # Errors
    /// As there.
    pub fn kill_query(&mut self, sql_session: u64) -> Result<(), Error> {
        block_on(self.session().kill_query(sql_session))
    }

    /// See [`Session::enable_notices`].
    ///
    /// # Errors
    /// As there.
    pub fn enable_notices(&mut self, names: &[&str]) -> Result<(), Error> {
        block_on(self.session().enable_notices(names))
    }

    /// See [`Session::disable_notices`].
    ///
    /// # Errors
    /// As there.
    pub fn disable_notices(&mut self, names: &[&str]) -> Result<(), Error> {
        block_on(self.session().disable_notices(names))
    }

    /// See [`Session::next_notice`].
    ///
    /// # Errors
    /// As there.
    pub fn next_notice(&mut self) -> Result<Notice, Error> {
        block_on(self.session().next_notice())
    }

    /// See [`Session::reset`].
    ///
    /// # Errors
    /// As there.
    pub fn reset(&mut self) -> Result<(), Error> {
        block_on(self.session().reset())
    }

    /// See [`Session::authenticate`].
    ///
    /// # Errors
    /// As there.
    pub fn authenticate(&mut self, options: Arc<ConnectOptions>) -> Result<(), Error> {
        block_on(self.session().authenticate(options))
    }

    /// See [`Session::pipeline`], and [`send`].
    pub fn pipeline(&mut self) -> Pipeline<'_> {
        self.session().pipeline()
    }

    /// See [`Session::cancel_handle`], and [`cancel`].
    pub fn cancel_handle(&mut self) -> CancelHandle {
        self.session().cancel_handle()
    }
}
