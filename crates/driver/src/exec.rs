//! Prepared statements are executed.

use porpoise_classic::{CapabilityFlags, Execute};
use porpoise_value::{FromRow, Params, Placeholders, ToValue};

use crate::statement::{Style, Use};
use crate::{Client, Error, Results, Statement};

/// A statement to execute: one that is prepared, or the text of one that is prepared if it is not in the cache.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum StatementRef<'s> {
    /// It is prepared.
    Prepared(&'s Statement),
    /// Its text.
    Sql(&'s str),
}

impl<'s> From<&'s Statement> for StatementRef<'s> {
    fn from(statement: &'s Statement) -> Self {
        Self::Prepared(statement)
    }
}

impl<'s> From<&'s str> for StatementRef<'s> {
    fn from(sql: &'s str) -> Self {
        Self::Sql(sql)
    }
}

impl<'s> From<&'s String> for StatementRef<'s> {
    fn from(sql: &'s String) -> Self {
        Self::Sql(sql)
    }
}

/// Query attributes of no type in particular: none.
pub(crate) const NO_ATTRIBUTES: &[(&str, &str)] = &[];

/// Prepared statements.
impl Client {
    /// Executes a statement. Given its text, it is prepared before, unless it is [in the cache](Self::prepare).
    ///
    /// Parameters are tuples, slices and such for `?`, or [`Named`](porpoise_value::Named) for `:name`.
    ///
    /// Dropped: drained; the statement may or may not run.
    ///
    /// # Errors
    /// [`Error::Server`]; [`Error::Params`] when the parameters do not fit, in which case nothing was executed.
    #[inline]
    pub async fn exec<'s>(
        &mut self,
        statement: impl Into<StatementRef<'s>>,
        params: impl Params,
    ) -> Result<Results<'_>, Error> {
        self.exec_with(statement, params, NO_ATTRIBUTES).await
    }

    /// The same with query attributes: see [`query_with`](Self::query_with).
    ///
    /// Dropped: as [`exec`](Self::exec).
    ///
    /// # Errors
    /// As [`exec`](Self::exec).
    #[inline]
    pub async fn exec_with<'s, N: AsRef<str>, V: ToValue>(
        &mut self,
        statement: impl Into<StatementRef<'s>>,
        params: impl Params,
        attributes: &[(N, V)],
    ) -> Result<Results<'_>, Error> {
        self.start().await?;
        let prepared;
        let statement = match statement.into() {
            StatementRef::Prepared(statement) => statement,
            StatementRef::Sql(sql) => {
                prepared = self.prepare_started(sql, Style::of(&params), Use::Plain).await?;
                &prepared
            }
        };
        self.encode_execute(statement, &params, attributes, false)?;
        Results::start(self).await
    }

    /// Encodes COM_STMT_EXECUTE.
    #[inline]
    pub(crate) fn encode_execute<P: Params + ?Sized, N: AsRef<str>, V: ToValue>(
        &mut self,
        statement: &Statement,
        params: &P,
        attributes: &[(N, V)],
        cursor: bool,
    ) -> Result<(), Error> {
        self.check_statement(statement)?;
        let execute = Execute::new(statement.id(), statement.placeholders(), params);
        let mut execute = execute.attributes(attributes).cursor(cursor);
        if self.capabilities().contains(CapabilityFlags::CLIENT_OPTIONAL_RESULTSET_METADATA) {
            execute = execute.columns(statement.columns());
        }
        self.encode(|session, cx| session.stmt_execute_with(&execute, cx))
    }

    /// Executes a statement whose results are of no interest.
    ///
    /// Dropped: as [`exec`](Self::exec).
    ///
    /// # Errors
    /// As [`exec`](Self::exec).
    pub async fn exec_drop<'s>(
        &mut self,
        statement: impl Into<StatementRef<'s>>,
        params: impl Params,
    ) -> Result<(), Error> {
        self.exec(statement, params).await?.finish().await
    }

    /// Executes a statement, and gives the first row, if there is one. All of the rest is read, too.
    ///
    /// Dropped: as [`exec`](Self::exec).
    ///
    /// # Errors
    /// As [`exec`](Self::exec), and [`Error::Row`] when the row does not fit.
    pub async fn exec_first<'s, T: for<'r> FromRow<'r>>(
        &mut self,
        statement: impl Into<StatementRef<'s>>,
        params: impl Params,
    ) -> Result<Option<T>, Error> {
        self.start().await?;
        let prepared;
        let statement = match statement.into() {
            StatementRef::Prepared(statement) => statement,
            StatementRef::Sql(sql) => {
                prepared = self.prepare_started(sql, Style::of(&params), Use::Plain).await?;
                &prepared
            }
        };
        self.encode_execute(statement, &params, NO_ATTRIBUTES, false)?;
        self.first_row().await
    }

    /// Executes a statement, and gives all rows of its first result. What comes behind that is read, too.
    ///
    /// Dropped: as [`exec`](Self::exec).
    ///
    /// # Errors
    /// As [`exec`](Self::exec), and [`Error::Row`] when a row does not fit.
    pub async fn exec_all<'s, T: for<'r> FromRow<'r>>(
        &mut self,
        statement: impl Into<StatementRef<'s>>,
        params: impl Params,
    ) -> Result<Vec<T>, Error> {
        let mut results = self.exec(statement, params).await?;
        let all = results.all().await?;
        results.finish().await?;
        Ok(all)
    }
}

impl Statement {
    /// What its parameters are.
    pub(crate) fn placeholders(&self) -> Placeholders<'_> {
        match self.names() {
            [] => Placeholders::positional(self.params().len()),
            names => Placeholders::named(names),
        }
    }
}
