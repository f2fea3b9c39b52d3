//! Requests with one answer.

use std::fmt;
use std::marker::PhantomData;

use porpoise_value::FromRow;
use porpoise_xproto::RowBatch;
use porpoise_xproto::crud::{CreateView, CrudError, Delete, DropView, Insert, ModifyView, Request, Update};
use porpoise_xproto::messages::sql::StmtExecute;

use super::{Error, Outcome, Session};

/// A request with one answer, which [`Session::execute`] gives: what a statement did, a number, a document.
pub trait Ask: Request {
    /// What makes the answer.
    type Reader: Read;

    /// It.
    fn reader(&self) -> Self::Reader;
}

/// Makes an answer of all that a server said.
pub trait Read {
    /// The answer.
    type Output;

    /// Makes it.
    ///
    /// # Errors
    /// [`Error::Row`]: the rows are not of the kind that was asked for.
    fn read(self, said: Said) -> Result<Self::Output, Error>;
}

/// All that a server said to a request.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Said {
    /// The rows.
    pub rows: Vec<RowBatch>,
    /// What the statement did.
    pub outcome: Outcome,
}

impl Said {
    /// All rows.
    ///
    /// # Errors
    /// [`Error::Row`].
    pub fn all<T: for<'r> FromRow<'r>>(&self) -> Result<Vec<T>, Error> {
        let mut all = Vec::new();
        for batch in &self.rows {
            let plan = batch.plan::<T>()?;
            for row in batch.typed::<T>(&plan) {
                all.push(row?);
            }
        }
        Ok(all)
    }

    /// The first row, if there is one.
    ///
    /// # Errors
    /// [`Error::Row`].
    pub fn first<T: for<'r> FromRow<'r>>(&self) -> Result<Option<T>, Error> {
        let Some(batch) = self.rows.first() else { return Ok(None) };
        let plan = batch.plan::<T>()?;
        Ok(batch.typed::<T>(&plan).next().transpose()?)
    }
}

/// The answer is what the statement did: an [`Outcome`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Did;

impl Read for Did {
    type Output = Outcome;

    fn read(self, said: Said) -> Result<Outcome, Error> {
        Ok(said.outcome)
    }
}

/// The answer is the first row, if there is one.
pub struct First<T>(PhantomData<fn() -> T>);

impl<T> First<T> {
    pub(super) const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<T> Clone for First<T> {
    fn clone(&self) -> Self {
        Self::new()
    }
}

impl<T> fmt::Debug for First<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("First")
    }
}

impl<T: for<'r> FromRow<'r>> Read for First<T> {
    type Output = Option<T>;

    fn read(self, said: Said) -> Result<Option<T>, Error> {
        said.first()
    }
}

/// The answer is a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Number;

impl Read for Number {
    type Output = u64;

    fn read(self, said: Said) -> Result<u64, Error> {
        Ok(said.first()?.unwrap_or_default())
    }
}

/// The answer is the names in the first column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Names;

impl Read for Names {
    type Output = Vec<String>;

    fn read(self, said: Said) -> Result<Vec<String>, Error> {
        said.all()
    }
}

/// The answer is the names of those objects that are of certain kinds: of rows of names and kinds, as `list_objects` gives
/// them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NamesOf(pub(super) &'static [&'static str]);

impl Read for NamesOf {
    type Output = Vec<String>;

    fn read(self, said: Said) -> Result<Vec<String>, Error> {
        let objects: Vec<(String, String)> = said.all()?;
        Ok(objects.into_iter().filter(|(_, kind)| self.0.contains(&&**kind)).map(|(name, _)| name).collect())
    }
}

/// The answer is whether there is an object of a name and of certain kinds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exists {
    pub(super) name: String,
    pub(super) kinds: &'static [&'static str],
}

impl Read for Exists {
    type Output = bool;

    fn read(self, said: Said) -> Result<bool, Error> {
        Ok(NamesOf(self.kinds).read(said)?.contains(&self.name))
    }
}

/// A request, and what makes an answer of what the server says to it.
#[derive(Clone, Debug)]
#[must_use = "it is to be executed"]
pub struct Asking<Q, R> {
    request: Q,
    reader: R,
}

impl<Q, R> Asking<Q, R> {
    pub(super) const fn new(request: Q, reader: R) -> Self {
        Self { request, reader }
    }
}

impl<Q: Request, R> Request for Asking<Q, R> {
    type Message = Q::Message;

    fn into_message(self) -> Result<Q::Message, CrudError> {
        self.request.into_message()
    }
}

impl<Q: Request, R: Read + Clone> Ask for Asking<Q, R> {
    type Reader = R;

    fn reader(&self) -> R {
        self.reader.clone()
    }
}

impl Session {
    /// Carries out a request, and gives its answer. All rows are held until the last one has come.
    ///
    /// Dropped: drained.
    ///
    /// # Errors
    /// [`Error::Server`] when the server refuses it; [`Error::Crud`] when it was not built well; [`Error::Row`]; the connection
    /// is broken.
    pub async fn execute<A: Ask>(&mut self, ask: A) -> Result<<A::Reader as Read>::Output, Error> {
        let reader = ask.reader();
        // Boxed: messages are large, and this is a future.
        let message = Box::new(ask.into_message()?);
        let mut results = self.send(&*message).await?;
        drop(message);
        let mut rows = Vec::new();
        while let Some(batch) = results.next_batch().await? {
            rows.push(batch);
        }
        let outcome = results.finish().await?;
        reader.read(Said { rows, outcome })
    }
}

macro_rules! did {
    ($($request:ty),*) => {
        $(impl Ask for $request {
            type Reader = Did;

            fn reader(&self) -> Did {
                Did
            }
        })*
    };
}

did!(Insert, Update, Delete, CreateView, ModifyView, DropView, StmtExecute);
