//! Views on collections and tables.

use super::error::CrudError;
use super::statement::Find;
use crate::messages::crud::{self, Collection, ViewAlgorithm, ViewCheckOption, ViewSqlSecurity};

/// A view to make.
///
/// ```
/// use porpoise_xproto::crud::{CreateView, Find};
///
/// let adults = Find::collection("shop", "people").filter("age >= 18").fields("name, age");
/// let view = CreateView::new("shop", "adults", adults).replace_existing().build()?;
/// # drop(view);
/// # Ok::<(), porpoise_xproto::crud::CrudError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "nothing is sent by building it"]
pub struct CreateView {
    message: crud::CreateView,
    find: Find,
}

/// A view to change. What is not said loses its former value.
#[derive(Clone, Debug)]
#[must_use = "nothing is sent by building it"]
pub struct ModifyView {
    message: crud::ModifyView,
    find: Find,
}

macro_rules! view_options {
    () => {
        /// Who is said to have made it: `user@host`.
        pub fn definer(mut self, account: impl Into<String>) -> Self {
            self.message.definer = Some(account.into());
            self
        }

        /// How it is carried out.
        pub fn algorithm(mut self, algorithm: ViewAlgorithm) -> Self {
            self.message.algorithm = Some(algorithm.into());
            self
        }

        /// Whose rights it has.
        pub fn security(mut self, security: ViewSqlSecurity) -> Self {
            self.message.security = Some(security.into());
            self
        }

        /// Which rows it lets in.
        pub fn check(mut self, check: ViewCheckOption) -> Self {
            self.message.check = Some(check.into());
            self
        }

        /// The names of its columns.
        pub fn columns<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
            self.message.column.extend(names.into_iter().map(Into::into));
            self
        }
    };
}

impl CreateView {
    /// A view of what is found.
    pub fn new(schema: impl Into<String>, name: impl Into<String>, find: Find) -> Self {
        let collection = Collection { name: name.into(), schema: Some(schema.into()) };
        Self { message: crud::CreateView { collection, ..crud::CreateView::default() }, find }
    }

    view_options!();

    /// A view of that name that is there already is replaced.
    pub fn replace_existing(mut self) -> Self {
        self.message.replace_existing = Some(true);
        self
    }

    /// The message.
    ///
    /// # Errors
    /// As [`Find`]'s.
    pub fn build(self) -> Result<crud::CreateView, CrudError> {
        Ok(crud::CreateView { stmt: self.find.build()?, ..self.message })
    }
}

impl ModifyView {
    /// A view that is to show what is found.
    pub fn new(schema: impl Into<String>, name: impl Into<String>, find: Find) -> Self {
        let collection = Collection { name: name.into(), schema: Some(schema.into()) };
        Self { message: crud::ModifyView { collection, ..crud::ModifyView::default() }, find }
    }

    view_options!();

    /// The message.
    ///
    /// # Errors
    /// As [`Find`]'s.
    pub fn build(self) -> Result<crud::ModifyView, CrudError> {
        Ok(crud::ModifyView { stmt: Some(self.find.build()?), ..self.message })
    }
}

/// A view to drop.
#[derive(Clone, Debug)]
#[must_use = "nothing is sent by building it"]
pub struct DropView(crud::DropView);

impl DropView {
    /// A view.
    pub fn new(schema: impl Into<String>, name: impl Into<String>) -> Self {
        let collection = Collection { name: name.into(), schema: Some(schema.into()) };
        Self(crud::DropView { collection, if_exists: None })
    }

    /// It is no error if there is none.
    pub fn if_exists(mut self) -> Self {
        self.0.if_exists = Some(true);
        self
    }

    /// The message.
    #[must_use]
    pub fn build(self) -> crud::DropView {
        self.0
    }
}
