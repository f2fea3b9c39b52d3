//! Prepared statements: handles, the cache, executions.

use std::fmt;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use lru::LruCache;
use porpoise_value::{FromRow, NamedSql, Params, Placeholders};
use porpoise_xproto::ServerError;
use porpoise_xproto::crud::{self, Crud};
use porpoise_xproto::messages::prepare::prepare::OneOfMessage;
use porpoise_xproto::messages::prepare::prepare::one_of_message::Type;
use porpoise_xproto::messages::prepare::{Execute, Prepare};
use porpoise_xproto::messages::sql::StmtExecute;

use super::args::arguments;
use super::sql::statement;
use super::{Error, Outcome, Results, Session};
use crate::Usage;
use crate::statement::Closes;

/// The server has as many prepared statements as it wants.
const ER_MAX_PREPARED_STMT_COUNT_REACHED: u16 = 1461;

/// A prepared statement of one session.
///
/// Clones share it. When the last one is gone, the cache's own included, the statement is deallocated by the next operation of
/// its session, in the same write as that operation's message: it costs no round trip. After a [`reset`](Session::reset) or
/// [another login](Session::authenticate) it is of no more use.
#[derive(Clone)]
pub struct Statement {
    inner: Arc<Inner>,
}

struct Inner {
    id: u32,
    /// The name of each parameter, if it was written with names.
    names: Box<[Box<str>]>,
    /// Whose session it is, and who deallocates it.
    closes: Arc<Closes>,
    /// The server did not prepare it.
    void: AtomicBool,
}

impl Drop for Inner {
    fn drop(&mut self) {
        if !*self.void.get_mut() {
            self.closes.give(self.id);
        }
    }
}

impl fmt::Debug for Statement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Statement").field("id", &self.inner.id).field("names", &self.inner.names).finish()
    }
}

impl Statement {
    /// Its id, which this side gave it.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.inner.id
    }

    /// The name of each parameter; none if it was written with `?`, or is none of SQL.
    #[must_use]
    pub fn names(&self) -> &[Box<str>] {
        &self.inner.names
    }

    /// What came of preparing it: where the server refused, there is nothing to deallocate.
    pub(super) fn prepared(&self, result: Result<(), Error>) -> Result<(), Error> {
        if matches!(result, Err(Error::Server(_))) {
            self.inner.void.store(true, Ordering::Relaxed);
        }
        result
    }

    /// The message that executes it.
    pub(super) fn execute(&self, params: &(impl Params + ?Sized)) -> Result<Execute, Error> {
        let names = self.names();
        let placeholders = if names.is_empty() { Placeholders::any() } else { Placeholders::named(names) };
        let args = arguments(params, placeholders).map_err(Error::Params)?;
        Ok(Execute { stmt_id: self.id(), args, compact_metadata: None })
    }
}

/// Prepared statements.
impl Session {
    /// Prepares a statement, with `?` or `:name` for parameters, or finds it in the cache.
    ///
    /// The cache holds as many as [the options](super::OptionsBuilder::statement_cache) say.
    ///
    /// Dropped: drained; what was prepared is deallocated.
    ///
    /// # Errors
    /// [`Error::Server`] if the server cannot prepare it.
    pub async fn prepare(&mut self, sql: &str) -> Result<Statement, Error> {
        self.start().await?;
        if let Some(statement) = self.cached(sql) {
            self.over();
            return Ok(statement);
        }
        let statement = self.write_prepare(sql)?;
        statement.prepared(self.finish().await)?;
        self.keep(sql, &statement);
        Ok(statement)
    }

    /// Prepares any message that can be: a find, an insert, an update, a delete. Placeholders beyond its own `args` become
    /// parameters, numbered from 0. It is not kept in the cache.
    ///
    /// Dropped: as [`prepare`](Self::prepare).
    ///
    /// # Errors
    /// As [`prepare`](Self::prepare).
    pub async fn prepare_message(&mut self, message: OneOfMessage) -> Result<Statement, Error> {
        self.prepare_one(message, &[]).await
    }

    /// Prepares a statement on a collection or a table. What is bound is part of it, every other placeholder is a parameter.
    /// It is not kept in the cache.
    ///
    /// Dropped: as [`prepare`](Self::prepare).
    ///
    /// # Errors
    /// As [`prepare`](Self::prepare); [`Error::Crud`] when it was not built well.
    pub async fn prepare_crud<M: Crud>(&mut self, statement: crud::Statement<M>) -> Result<Statement, Error> {
        // Which number it gets is not known yet.
        let prepared = statement.prepare(0)?;
        let names: Vec<Box<str>> =
            prepared.parameters.into_iter().filter(|_| prepared.named).map(Into::into).collect();
        self.prepare_one(prepared.message.stmt, &names).await
    }

    async fn prepare_one(&mut self, message: OneOfMessage, names: &[Box<str>]) -> Result<Statement, Error> {
        self.start().await?;
        let (statement, message) = self.new_prepared(message, names);
        self.encode(|connection, cx| connection.send(&message, cx))?;
        statement.prepared(self.finish().await)?;
        Ok(statement)
    }

    /// Executes a prepared statement. Parameters are tuples, slices and such for `?`, or
    /// [`Named`](porpoise_value::Named) for `:name`.
    ///
    /// Dropped: drained; the statement may or may not run.
    ///
    /// # Errors
    /// [`Error::Server`]; [`Error::Params`] when the parameters do not fit, in which case nothing was executed.
    pub async fn exec(&mut self, statement: &Statement, params: impl Params) -> Result<Results<'_>, Error> {
        self.check_statement(statement)?;
        let execute = statement.execute(&params)?;
        self.send(&execute).await
    }

    /// Executes a statement by its text, prepared: when it is not in the cache, it is prepared and executed in one flight.
    ///
    /// Where the server wants no more prepared statements (its error 1461) the statement is run with its arguments
    /// [as literals](super::Sql::args).
    ///
    /// Dropped: as [`exec`](Self::exec).
    ///
    /// # Errors
    /// As [`exec`](Self::exec).
    pub async fn exec_sql(&mut self, sql: &str, params: impl Params) -> Result<Results<'_>, Error> {
        self.start().await?;
        if let Some(statement) = self.cached(sql) {
            let execute = statement.execute(&params)?;
            self.encode(|connection, cx| connection.send(&execute, cx))?;
            return Results::start(self).await;
        }
        let direct = statement(sql, &params, false)?;
        let prepared = self.write_prepare(sql)?;
        let execute = prepared.execute(&params)?;
        self.encode(|connection, cx| connection.send(&execute, cx))?;
        match prepared.prepared(self.finish_message().await) {
            Ok(()) => {
                self.keep(sql, &prepared);
                Results::start(self).await
            }
            Err(Error::Server(ServerError { code: ER_MAX_PREPARED_STMT_COUNT_REACHED, .. })) => {
                // There is nothing to execute, either.
                let _ = self.finish_message().await;
                self.encode(|connection, cx| connection.send(&direct, cx))?;
                Results::start(self).await
            }
            Err(error) => {
                if !error.is_fatal() {
                    // The execution found no statement, and says so.
                    let _ = self.finish().await;
                }
                Err(error)
            }
        }
    }

    /// [`exec_sql`](Self::exec_sql), for what it does.
    ///
    /// Dropped: as [`exec`](Self::exec).
    ///
    /// # Errors
    /// As [`exec`](Self::exec).
    pub async fn exec_run(&mut self, sql: &str, params: impl Params) -> Result<Outcome, Error> {
        self.exec_sql(sql, params).await?.finish().await
    }

    /// [`exec_sql`](Self::exec_sql), for all rows of its first result. What comes behind that is read, too.
    ///
    /// Dropped: as [`exec`](Self::exec).
    ///
    /// # Errors
    /// As [`exec`](Self::exec), and [`Error::Row`] when a row does not fit.
    pub async fn exec_all<T: for<'r> FromRow<'r>>(
        &mut self,
        sql: &str,
        params: impl Params,
    ) -> Result<Vec<T>, Error> {
        let mut results = self.exec_sql(sql, params).await?;
        let all = results.all().await?;
        results.finish().await?;
        Ok(all)
    }

    /// A statement must be of this session: another one has other statements of the same ids.
    pub(super) fn check_statement(&self, statement: &Statement) -> Result<(), Error> {
        let closes = self.care.as_ref().and_then(|care| care.closes.as_ref());
        if closes.is_some_and(|closes| Arc::ptr_eq(closes, &statement.inner.closes)) {
            return Ok(());
        }
        Err(Error::Usage(Usage::ForeignStatement))
    }

    pub(super) fn cached(&mut self, sql: &str) -> Option<Statement> {
        self.care.as_mut()?.cache.as_mut()?.get(sql).cloned()
    }

    /// Keeps a statement in the cache.
    pub(super) fn keep(&mut self, sql: &str, statement: &Statement) {
        let size = self.options.endpoint.session.statement_cache;
        let Some(size) = NonZeroUsize::new(size) else { return };
        let cache = self.care.get_or_insert_default().cache.get_or_insert_with(LruCache::unbounded);
        cache.put(sql.into(), statement.clone());
        while cache.len() > size.get() {
            cache.pop_lru();
        }
    }

    /// Writes a Prepare. The statement is deallocated if nobody keeps it.
    pub(super) fn write_prepare(&mut self, sql: &str) -> Result<Statement, Error> {
        let (statement, message) = self.new_statement(sql);
        self.encode(|connection, cx| connection.send(&message, cx))?;
        Ok(statement)
    }

    /// A statement, and the message that prepares it.
    pub(super) fn new_statement(&mut self, sql: &str) -> (Statement, Prepare) {
        let named = NamedSql::parse(sql);
        let stmt = bytes::Bytes::copy_from_slice(named.sql().as_bytes());
        let execute = StmtExecute { stmt, ..Default::default() };
        let message =
            OneOfMessage { r#type: Type::Stmt.into(), stmt_execute: Some(execute), ..Default::default() };
        self.new_prepared(message, named.names())
    }

    fn new_prepared(&mut self, message: OneOfMessage, names: &[Box<str>]) -> (Statement, Prepare) {
        let care = self.care.get_or_insert_default();
        let (id, closes) = (care.next_id(), Arc::clone(care.closes()));
        let statement =
            Statement { inner: Arc::new(Inner { id, names: names.into(), closes, void: false.into() }) };
        (statement, Prepare { stmt_id: id, stmt: message })
    }
}
