//! Transactions that are rolled back unless they were committed.

use std::borrow::{Borrow, BorrowMut};
use std::fmt;
use std::ops::{Deref, DerefMut};

use crate::care::Chore;
use crate::{Client, Error, Usage};

/// How far a transaction sees what others do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Isolation {
    /// `READ UNCOMMITTED`
    ReadUncommitted,
    /// `READ COMMITTED`
    ReadCommitted,
    /// `REPEATABLE READ`
    RepeatableRead,
    /// `SERIALIZABLE`
    Serializable,
}

impl Isolation {
    const fn statement(self) -> &'static str {
        match self {
            Self::ReadUncommitted => "SET TRANSACTION ISOLATION LEVEL READ UNCOMMITTED",
            Self::ReadCommitted => "SET TRANSACTION ISOLATION LEVEL READ COMMITTED",
            Self::RepeatableRead => "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ",
            Self::Serializable => "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE",
        }
    }
}

/// How a transaction begins. Nothing set is `START TRANSACTION` with the session's own characteristics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TxOptions {
    isolation: Option<Isolation>,
    consistent_snapshot: bool,
    read_only: Option<bool>,
}

impl TxOptions {
    /// Nothing set.
    #[must_use]
    pub const fn new() -> Self {
        Self { isolation: None, consistent_snapshot: false, read_only: None }
    }

    /// The isolation level of this transaction. Costs a round trip of its own.
    #[must_use]
    pub const fn isolation(mut self, level: Isolation) -> Self {
        self.isolation = Some(level);
        self
    }

    /// `WITH CONSISTENT SNAPSHOT`: what it sees is of the moment when it begins, not of its first read.
    #[must_use]
    pub const fn consistent_snapshot(mut self, on: bool) -> Self {
        self.consistent_snapshot = on;
        self
    }

    /// `READ ONLY` or `READ WRITE`.
    #[must_use]
    pub const fn read_only(mut self, on: bool) -> Self {
        self.read_only = Some(on);
        self
    }

    /// The statement that comes before it.
    #[cfg(feature = "xproto")]
    pub(crate) fn level_statement(&self) -> Option<&'static str> {
        self.isolation.map(Isolation::statement)
    }

    /// The statement that begins it.
    pub(crate) const fn statement(&self) -> &'static str {
        match (self.consistent_snapshot, self.read_only) {
            (false, None) => "START TRANSACTION",
            (false, Some(true)) => "START TRANSACTION READ ONLY",
            (false, Some(false)) => "START TRANSACTION READ WRITE",
            (true, None) => "START TRANSACTION WITH CONSISTENT SNAPSHOT",
            (true, Some(true)) => "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
            (true, Some(false)) => "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ WRITE",
        }
    }
}

/// A transaction. All calls of the [`Client`] go through it.
///
/// Dropped without [`commit`](Self::commit), it is rolled back: `ROLLBACK` is sent before the client's next operation, and a
/// connection on which that fails is closed. [`rollback`](Self::rollback) does it at once.
///
/// Statements that commit by themselves, as most that change tables do, end the transaction on the server; what is run after
/// them is outside of it, as with any client.
pub struct Transaction<'a> {
    client: &'a mut Client,
    over: bool,
}

impl fmt::Debug for Transaction<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transaction").field("client", &self.client).finish()
    }
}

impl Deref for Transaction<'_> {
    type Target = Client;

    fn deref(&self) -> &Client {
        self.client
    }
}

impl DerefMut for Transaction<'_> {
    fn deref_mut(&mut self) -> &mut Client {
        self.client
    }
}

impl Borrow<Client> for Transaction<'_> {
    fn borrow(&self) -> &Client {
        self.client
    }
}

impl BorrowMut<Client> for Transaction<'_> {
    fn borrow_mut(&mut self) -> &mut Client {
        self.client
    }
}

impl Client {
    /// Begins a transaction.
    ///
    /// Dropped: drained, and what had begun is rolled back.
    ///
    /// # Errors
    /// [`Usage::InTransaction`] inside of another; [`Error::Server`] if the server refuses.
    pub async fn begin(&mut self, options: TxOptions) -> Result<Transaction<'_>, Error> {
        if self.care.as_ref().is_some_and(|care| care.in_transaction) {
            return Err(Error::Usage(Usage::InTransaction));
        }
        self.start().await?;
        // If this future is dropped, so is what it began.
        let mut beginning = Transaction { client: self, over: true };
        if let Some(level) = options.isolation {
            let unused = Unused(&mut *beginning.client);
            unused.0.encode(|session, cx| session.query(level.statement(), cx))?;
            let set = unused.0.finish_command().await;
            if matches!(set, Ok(()) | Err(Error::Server(_))) {
                // It goes on, or there is no level to be used up.
                std::mem::forget(unused);
            }
            set?;
        }
        beginning.client.encode(|session, cx| session.query(options.statement(), cx))?;
        beginning.over = false;
        beginning.client.care.get_or_insert_default().in_transaction = true;
        if let Err(error) = beginning.client.finish().await {
            // Only a refusal is sure to have begun nothing.
            if matches!(error, Error::Server(_)) {
                beginning.end();
            }
            return Err(error);
        }
        Ok(beginning)
    }
}

/// A client for which an isolation level is being set. If this is dropped, the level is used up by an empty transaction.
struct Unused<'a>(&'a mut Client);

impl Drop for Unused<'_> {
    fn drop(&mut self) {
        self.0.care.get_or_insert_default().owed.extend([Chore::Begin, Chore::Rollback]);
    }
}

impl Transaction<'_> {
    /// Commits.
    ///
    /// Dropped: drained. If it was polled, the transaction may or may not be committed; else it is rolled back.
    ///
    /// # Errors
    /// [`Error::Server`]: it is not committed, and is rolled back. With any other error nobody knows whether it is.
    pub async fn commit(mut self) -> Result<(), Error> {
        self.client.query_drop("COMMIT").await?;
        self.end();
        Ok(())
    }

    /// Rolls back.
    ///
    /// Dropped: drained; it is rolled back before the next operation.
    ///
    /// # Errors
    /// The connection is broken, and with it the transaction.
    pub async fn rollback(mut self) -> Result<(), Error> {
        self.client.query_drop("ROLLBACK").await?;
        self.end();
        Ok(())
    }

    /// Nothing is left to be rolled back.
    fn end(&mut self) {
        self.over = true;
        if let Some(care) = &mut self.client.care {
            care.in_transaction = false;
        }
    }
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        if self.over {
            return;
        }
        if let Some(care) = &mut self.client.care {
            care.in_transaction = false;
            care.owed.push_back(Chore::Rollback);
        }
    }
}
