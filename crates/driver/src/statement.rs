//! Prepared statements: handles, the cache, and closing.

use std::fmt;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use lru::LruCache;
use porpoise_classic::{Columns, Event, Prepared};
use porpoise_value::{NamedSql, Params};

use crate::{Client, Error, Usage};

/// A prepared statement of one session.
///
/// Clones share it. When the last one is gone, the cache's own included, the statement is closed by the next operation of
/// its client, in the same write as that operation's command: closing costs no round trip. After a
/// [`reset`](Client::reset_connection) or a [change of user](Client::change_user) it is of no more use, as with any other
/// session.
#[derive(Clone)]
pub struct Statement {
    inner: Arc<Inner>,
}

struct Inner {
    id: u32,
    sql: Box<str>,
    params: Columns,
    columns: Columns,
    /// The name of each parameter, if it was written with names.
    names: Box<[Box<str>]>,
    /// Whose session it is, and who closes it.
    closes: Arc<Closes>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.closes.give(self.id);
    }
}

impl fmt::Debug for Statement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Statement")
            .field("id", &self.inner.id)
            .field("params", &self.inner.params.len())
            .field("columns", &self.inner.columns)
            .finish()
    }
}

impl Statement {
    fn new(sql: &str, prepared: Prepared, names: &[Box<str>], closes: Arc<Closes>) -> Self {
        let Prepared { statement_id: id, params, columns, .. } = prepared;
        let (sql, names) = (sql.into(), names.into());
        Self { inner: Arc::new(Inner { id, sql, params, columns, names, closes }) }
    }

    /// Its id in its session.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.inner.id
    }

    /// Its text, as it was given.
    #[must_use]
    pub fn sql(&self) -> &str {
        &self.inner.sql
    }

    /// Its parameters, as far as the server can tell what they are.
    #[must_use]
    pub fn params(&self) -> &Columns {
        &self.inner.params
    }

    /// The name of each parameter; none if it was written with `?`.
    #[must_use]
    pub fn names(&self) -> &[Box<str>] {
        &self.inner.names
    }

    /// The columns of its result as they were when it was prepared; each execution tells them anew.
    #[must_use]
    pub fn columns(&self) -> &Columns {
        &self.inner.columns
    }
}

/// How a statement's text writes its parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    /// `?`
    Positional,
    /// `:name`
    Named,
}

impl Style {
    /// What these parameters are for.
    pub(crate) fn of(params: &impl Params) -> Self {
        if params.is_named() { Self::Named } else { Self::Positional }
    }
}

/// What a statement is executed for. MySQL 9.7 keeps executing a statement as for a cursor once it had one, and without a cursor
/// then sends a result that is none: nothing is prepared for both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    Plain,
    Cursor,
}

/// Ids of statements that nobody uses any more. One for each session: it also tells whose a statement is.
#[derive(Default)]
pub(crate) struct Closes {
    /// Whether there are any: asked before each operation.
    any: AtomicBool,
    ids: Mutex<Vec<u32>>,
}

impl Closes {
    pub(crate) fn give(&self, id: u32) {
        self.ids.lock().unwrap_or_else(PoisonError::into_inner).push(id);
        self.any.store(true, Ordering::Release);
    }

    /// Whether there are any.
    #[inline]
    pub(crate) fn any(&self) -> bool {
        self.any.load(Ordering::Acquire)
    }

    pub(crate) fn take(&self) -> Option<u32> {
        if !self.any() {
            return None;
        }
        let mut ids = self.ids.lock().unwrap_or_else(PoisonError::into_inner);
        let id = ids.pop();
        if ids.is_empty() {
            self.any.store(false, Ordering::Release);
        }
        id
    }
}

/// The statements used last, by their text.
#[derive(Default)]
pub(crate) struct StatementCache {
    /// Made when it is first used.
    statements: Option<LruCache<Box<str>, Statement>>,
}

impl StatementCache {
    fn get(&mut self, sql: &str) -> Option<Statement> {
        self.statements.as_mut()?.get(sql).cloned()
    }

    fn put(&mut self, sql: &str, statement: &Statement, size: usize) {
        let Some(size) = NonZeroUsize::new(size) else { return };
        self.statements.get_or_insert_with(LruCache::unbounded).put(sql.into(), statement.clone());
        while self.statements.as_ref().is_some_and(|statements| statements.len() > size.get()) {
            self.statements.as_mut().and_then(LruCache::pop_lru);
        }
    }

    pub(crate) fn clear(&mut self) {
        self.statements = None;
    }
}

impl Client {
    /// Prepares a statement, or finds it in the cache.
    ///
    /// The cache holds as many as [the options](crate::OptionsBuilder::statement_cache) say. A statement that has left it is
    /// closed with the next operation, unless the caller still has it.
    ///
    /// Dropped: drained; what was prepared is closed.
    ///
    /// # Errors
    /// [`Error::Server`] if the server cannot prepare it.
    pub async fn prepare(&mut self, sql: &str) -> Result<Statement, Error> {
        self.start().await?;
        let statement = self.prepare_started(sql, Style::Positional, Use::Plain).await?;
        self.over();
        Ok(statement)
    }

    /// [`prepare`](Self::prepare) for a statement with [`:name`](porpoise_value::NamedSql) in place of `?`; it is executed with
    /// [`Named`](porpoise_value::Named) parameters.
    ///
    /// Dropped: as [`prepare`](Self::prepare).
    ///
    /// # Errors
    /// As [`prepare`](Self::prepare).
    pub async fn prepare_named(&mut self, sql: &str) -> Result<Statement, Error> {
        self.start().await?;
        let statement = self.prepare_started(sql, Style::Named, Use::Plain).await?;
        self.over();
        Ok(statement)
    }

    /// A statement must be of this session: another one has other statements of the same ids.
    #[inline]
    pub(crate) fn check_statement(&self, statement: &Statement) -> Result<(), Error> {
        let closes = self.care.as_ref().and_then(|care| care.closes.as_ref());
        if closes.is_some_and(|closes| Arc::ptr_eq(closes, &statement.inner.closes)) {
            return Ok(());
        }
        Err(Error::Usage(Usage::ForeignStatement))
    }

    /// Prepares inside of an operation.
    pub(crate) async fn prepare_started(
        &mut self,
        sql: &str,
        style: Style,
        use_: Use,
    ) -> Result<Statement, Error> {
        if let Some(statement) = self.care.as_mut().and_then(|care| care.cache(use_).get(sql)) {
            return Ok(statement);
        }
        let parsed = (style == Style::Named).then(|| NamedSql::parse(sql));
        let plain = parsed.as_ref().map_or(sql, NamedSql::sql);
        self.encode(|session, cx| session.stmt_prepare(plain, cx))?;
        let mut prepared = None;
        while let Some(event) = self.next_event().await? {
            match event {
                Event::Prepared(found) => prepared = Some(found),
                Event::Err(err) => {
                    self.over();
                    return Err(Error::Server(err));
                }
                _ => {}
            }
        }
        // The session gives no other event.
        let Some(prepared) = prepared else { return Err(self.unusable()) };
        let names = parsed.as_ref().map_or(&[][..], NamedSql::names);
        let size = self.options().endpoint.session.statement_cache;
        let care = self.care.get_or_insert_default();
        let statement = Statement::new(sql, *prepared, names, Arc::clone(care.closes()));
        care.cache(use_).put(sql, &statement, size);
        Ok(statement)
    }
}
