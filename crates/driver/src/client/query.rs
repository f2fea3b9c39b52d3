//! Statements as text.

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
}
