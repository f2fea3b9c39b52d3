//! Transactions and savepoints that are rolled back unless they were kept.

use std::borrow::{Borrow, BorrowMut};
use std::fmt;
use std::ops::{Deref, DerefMut};

use bytes::Bytes;
use porpoise_xproto::crud::Expect;
use porpoise_xproto::messages::{expect, sql};

use super::care::Chore;
use super::{Error, Session};
use crate::{TxOptions, Usage};

/// A transaction. All calls of the [`Session`] go through it.
///
/// Dropped without [`commit`](Self::commit), it is rolled back: `ROLLBACK` is sent before the session's next operation, and a
/// connection on which that fails is closed. [`rollback`](Self::rollback) does it at once.
///
/// Statements that commit by themselves, as most that change tables do, end the transaction on the server; what is run after
/// them is outside of it, as with any client.
pub struct Transaction<'a> {
    session: &'a mut Session,
    over: bool,
}

/// A savepoint inside of a transaction. All calls of the [`Session`] go through it.
///
/// Dropped without [`release`](Self::release), what was done since is undone: `ROLLBACK TO SAVEPOINT` is sent before the
/// session's next operation. [`rollback`](Self::rollback) does it at once.
pub struct Savepoint<'a> {
    session: &'a mut Session,
    number: u32,
    over: bool,
}

macro_rules! guard {
    ($guard:ident) => {
        impl fmt::Debug for $guard<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($guard)).field("session", &self.session).finish_non_exhaustive()
            }
        }

        impl Deref for $guard<'_> {
            type Target = Session;

            fn deref(&self) -> &Session {
                self.session
            }
        }

        impl DerefMut for $guard<'_> {
            fn deref_mut(&mut self) -> &mut Session {
                self.session
            }
        }

        impl Borrow<Session> for $guard<'_> {
            fn borrow(&self) -> &Session {
                self.session
            }
        }

        impl BorrowMut<Session> for $guard<'_> {
            fn borrow_mut(&mut self) -> &mut Session {
                self.session
            }
        }

        impl $guard<'_> {
            /// Sets a savepoint.
            ///
            /// Dropped: drained; the savepoint may or may not be set, and nothing was done since.
            ///
            /// # Errors
            /// [`Error::Server`].
            pub async fn savepoint(&mut self) -> Result<Savepoint<'_>, Error> {
                Savepoint::set(self.session).await
            }
        }
    };
}

guard!(Transaction);
guard!(Savepoint);

impl Session {
    /// Begins a transaction, in one flight whatever the options are.
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
        let execute = |sql: &'static str| sql::StmtExecute {
            stmt: Bytes::from_static(sql.as_bytes()),
            ..Default::default()
        };
        let (level, begin) = (options.level_statement(), execute(options.statement()));
        self.encode(|connection, cx| match level {
            None => connection.send(&begin, cx),
            // A level that cannot be had must not begin a transaction of another.
            Some(level) => {
                connection.send(&Expect::new().no_error().build(), cx)?;
                connection.send(&execute(level), cx)?;
                connection.send(&begin, cx)?;
                connection.send(&expect::Close {}, cx)
            }
        })?;
        self.care.get_or_insert_default().in_transaction = true;
        // If this future is dropped, so is what it began.
        let mut beginning = Transaction { session: self, over: false };
        let begun = match level {
            None => beginning.session.finish_message().await,
            Some(_) => beginning.session.finish_guarded().await,
        };
        if let Err(error) = begun {
            // Only a refusal is sure to have begun nothing.
            if matches!(error, Error::Server(_)) {
                beginning.end();
            }
            return Err(error);
        }
        beginning.session.over();
        Ok(beginning)
    }

    /// Reads the replies to an expectation block with two messages, and gives the first error.
    async fn finish_guarded(&mut self) -> Result<(), Error> {
        let mut first = Ok(());
        for _ in 0..4 {
            match self.finish_message().await {
                Err(error) if error.is_fatal() => return Err(error),
                Err(error) if first.is_ok() => first = Err(error),
                _ => {}
            }
        }
        first
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
        self.session.sql("COMMIT").run().await?;
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
        self.session.sql("ROLLBACK").run().await?;
        self.end();
        Ok(())
    }

    /// Nothing is left to be rolled back.
    fn end(&mut self) {
        self.over = true;
        if let Some(care) = &mut self.session.care {
            care.in_transaction = false;
        }
    }
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        if self.over {
            return;
        }
        if let Some(care) = &mut self.session.care {
            care.in_transaction = false;
            care.owed.push_back(Chore::Rollback);
        }
    }
}

impl<'a> Savepoint<'a> {
    async fn set(session: &'a mut Session) -> Result<Self, Error> {
        session.start().await?;
        let care = session.care.get_or_insert_default();
        let number = care.next_id();
        let stmt = format!("SAVEPOINT porpoise_{number}").into();
        let message = sql::StmtExecute { stmt, ..Default::default() };
        session.encode(|connection, cx| connection.send(&message, cx))?;
        session.finish().await?;
        Ok(Self { session, number, over: false })
    }

    /// Keeps what was done since, as a part of what is around it.
    ///
    /// Dropped: drained. If it was polled, the savepoint may or may not be released; either way what was done since is kept.
    ///
    /// # Errors
    /// [`Error::Server`] if the savepoint is gone, as after a statement that commits by itself.
    pub async fn release(mut self) -> Result<(), Error> {
        self.session.start().await?;
        self.over = true;
        let sql = format!("RELEASE SAVEPOINT porpoise_{}", self.number);
        self.session.sql(&sql).run().await.map(|_| ())
    }

    /// Undoes what was done since.
    ///
    /// Dropped: drained; it is undone before the next operation.
    ///
    /// # Errors
    /// [`Error::Server`] if the savepoint is gone.
    pub async fn rollback(mut self) -> Result<(), Error> {
        let sql = format!("ROLLBACK TO SAVEPOINT porpoise_{}", self.number);
        self.session.sql(&sql).run().await?;
        self.over = true;
        Ok(())
    }
}

impl Drop for Savepoint<'_> {
    fn drop(&mut self) {
        if self.over {
            return;
        }
        if let Some(care) = &mut self.session.care {
            care.owed.push_back(Chore::RollbackTo(self.number));
        }
    }
}
