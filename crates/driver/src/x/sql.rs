//! Statements as text.

use porpoise_value::{FromRow, Params};
use porpoise_xproto::ClientMessage;
use porpoise_xproto::crud::Request;
use porpoise_xproto::messages::sql::StmtExecute;

use super::args::bind;
use super::{Error, Outcome, Results, Session};

/// A statement on its way: `Mysqlx.Sql.StmtExecute`.
///
/// Nothing is sent before one of its calls is awaited.
///
/// ```no_run
/// # async fn f(session: &mut porpoise_driver::x::Session) -> Result<(), porpoise_driver::x::Error> {
/// let deep: Vec<(String, u32)> =
///     session.sql("SELECT name, depth FROM dolphins WHERE depth > ?").args((200,)).all().await?;
/// let done = session.sql("DELETE FROM dolphins WHERE depth > ?").args((900,)).run().await?;
/// println!("{deep:?}, {:?} rows, {:?}", done.affected, done.warnings);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "nothing is sent before it is run"]
pub struct Sql<'a, 'q, P = ()> {
    session: &'a mut Session,
    sql: &'q str,
    args: P,
    compact: bool,
}

impl Session {
    /// A statement, to be [given arguments](Sql::args) and [run](Sql::run).
    pub const fn sql<'a, 'q>(&'a mut self, sql: &'q str) -> Sql<'a, 'q> {
        Sql { session: self, sql, args: (), compact: false }
    }

    /// Carries out a request whose results are read as the caller asks for them: a find, a command, SQL. For one answer that is
    /// held whole: [`execute`](Self::execute).
    ///
    /// Dropped: drained; the request may or may not be carried out.
    ///
    /// # Errors
    /// [`Error::Server`]; [`Error::Crud`] when it was not built well.
    #[inline]
    pub async fn results(&mut self, request: impl Request) -> Result<Results<'_>, Error> {
        // Boxed: messages are large, and this is a future.
        let message = Box::new(request.into_message()?);
        self.send(&*message).await
    }

    /// The results of the statement that was sent [with the login](super::Connecting::with_statement); none if there was none,
    /// or another call came before this one.
    ///
    /// Dropped: drained; the statement may or may not run.
    ///
    /// # Errors
    /// [`Error::Server`] if it fails.
    pub async fn first_results(&mut self) -> Result<Results<'_>, Error> {
        Results::start(self).await
    }

    /// Sends a message that is the operation.
    #[inline]
    pub(super) async fn send<M: ClientMessage>(&mut self, message: &M) -> Result<Results<'_>, Error> {
        self.start().await?;
        self.encode(|connection, cx| connection.send(message, cx))?;
        if !self.is_compressed() {
            // Else the machine has to be asked before: it compresses what leaves.
            self.io.expect_reply();
        }
        Results::start(self).await
    }
}

impl<'a, 'q, P: Params> Sql<'a, 'q, P> {
    /// Arguments for its placeholders: tuples, slices and such for `?`, [`Named`](porpoise_value::Named) for `:name`.
    ///
    /// The server puts them into the text as literals, quoted. Bytes become character strings by that: for BLOBs
    /// [`prepare`](Session::prepare). A number of arguments that does not fit is the server's error.
    pub fn args<Q: Params>(self, args: Q) -> Sql<'a, 'q, Q> {
        Sql { session: self.session, sql: self.sql, args, compact: self.compact }
    }

    /// Whether the columns come without their names, which saves bytes.
    pub const fn compact_metadata(mut self, on: bool) -> Self {
        self.compact = on;
        self
    }

    /// Runs it. The results are read as the caller asks for them.
    ///
    /// Dropped: drained; the statement may or may not run.
    ///
    /// # Errors
    /// [`Error::Server`] if it fails; [`Error::Params`] when the arguments do not fit, in which case nothing was sent.
    #[inline]
    pub async fn execute(self) -> Result<Results<'a>, Error> {
        let Self { session, sql, args, compact } = self;
        let message = statement(sql, &args, compact)?;
        session.send(&message).await
    }

    /// Runs it, and gives what it did. Rows are thrown away.
    ///
    /// Dropped: as [`execute`](Self::execute).
    ///
    /// # Errors
    /// As [`execute`](Self::execute).
    pub async fn run(self) -> Result<Outcome, Error> {
        self.execute().await?.finish().await
    }

    /// Runs it, and gives the first row, if there is one. All of the rest is read, too.
    ///
    /// Dropped: as [`execute`](Self::execute).
    ///
    /// # Errors
    /// As [`execute`](Self::execute), and [`Error::Row`] when the row does not fit.
    pub async fn first<T: for<'r> FromRow<'r>>(self) -> Result<Option<T>, Error> {
        let mut results = self.execute().await?;
        let first = results.first().await?;
        results.finish().await?;
        Ok(first)
    }

    /// Runs it, and gives all rows of its first result. What comes behind that is read, too.
    ///
    /// Dropped: as [`execute`](Self::execute).
    ///
    /// # Errors
    /// As [`execute`](Self::execute), and [`Error::Row`] when a row does not fit.
    pub async fn all<T: for<'r> FromRow<'r>>(self) -> Result<Vec<T>, Error> {
        let mut results = self.execute().await?;
        let all = results.all().await?;
        results.finish().await?;
        Ok(all)
    }
}

/// The message of a statement.
pub(super) fn statement(
    sql: &str,
    args: &(impl Params + ?Sized),
    compact: bool,
) -> Result<StmtExecute, Error> {
    let (stmt, args) = bind(sql, args).map_err(Error::Params)?;
    Ok(StmtExecute { stmt, args, namespace: None, compact_metadata: compact.then_some(true) })
}
