//! Statements as text.

use porpoise_value::{FromRow, ToValue};

use super::Client;
use crate::{Error, Results};

impl Client {
    /// Runs one statement, or several if `CLIENT_MULTI_STATEMENTS` was asked for. The results are read as the
    /// caller asks for them.
    ///
    /// Dropped: drained; the statement may or may not run.
    ///
    /// # Errors
    /// [`Error::Server`] if the first statement fails.
    #[inline]
    pub async fn query(&mut self, sql: &str) -> Result<Results<'_>, Error> {
        self.command(|session, cx| session.query(sql, cx)).await?;
        Results::start(self).await
    }

    /// Runs statements whose results are of no interest.
    ///
    /// Dropped: drained; the statements may or may not run.
    ///
    /// # Errors
    /// As [`query`](Self::query); also when a later statement fails.
    pub async fn query_drop(&mut self, sql: &str) -> Result<(), Error> {
        self.command(|session, cx| session.query(sql, cx)).await?;
        self.finish().await
    }

    /// [`query`](Self::query) with query attributes: named values that components of the server can read while the statement
    /// runs, as `mysql_query_attribute_string('name')` does. A server that knows none gets the bare statement.
    ///
    /// Dropped: as [`query`](Self::query).
    ///
    /// # Errors
    /// As [`query`](Self::query); [`Error::Params`] when MySQL has no form for a value.
    pub async fn query_with<N: AsRef<str>, V: ToValue>(
        &mut self,
        sql: &str,
        attributes: &[(N, V)],
    ) -> Result<Results<'_>, Error> {
        self.command(|session, cx| session.query_with(sql, attributes, cx)).await?;
        Results::start(self).await
    }

    /// Runs a statement, and gives the first row, if there is one. All of the rest is read, too.
    ///
    /// Dropped: as [`query`](Self::query).
    ///
    /// # Errors
    /// As [`query`](Self::query), and [`Error::Row`] when the row does not fit.
    pub async fn query_first<T: for<'r> FromRow<'r>>(&mut self, sql: &str) -> Result<Option<T>, Error> {
        self.command(|session, cx| session.query(sql, cx)).await?;
        self.first_row().await
    }

    /// Runs a statement, and gives all rows of its first result. What comes behind that is read, too.
    ///
    /// Dropped: as [`query`](Self::query).
    ///
    /// # Errors
    /// As [`query`](Self::query), and [`Error::Row`] when a row does not fit.
    pub async fn query_all<T: for<'r> FromRow<'r>>(&mut self, sql: &str) -> Result<Vec<T>, Error> {
        let mut results = self.query(sql).await?;
        let all = results.all().await?;
        results.finish().await?;
        Ok(all)
    }
}
