//! Statements to prepare.

use super::error::CrudError;
use super::statement::{Crud, Statement, Template};
use crate::messages::prepare::Prepare;

/// A statement to prepare, and what its execution is to be given.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Prepared {
    /// The message; it is large.
    pub message: Box<Prepare>,
    /// The placeholders without values, in the order of the arguments of `Execute`.
    pub parameters: Vec<String>,
    /// Whether they were written as `:name`; `?` has a number for a name.
    pub named: bool,
}

impl<M: Crud> Statement<M> {
    /// Prepares it as statement `id`. What is bound is part of it; every other placeholder is a parameter.
    ///
    /// # Errors
    /// As [`build`](Self::build), but for unbound placeholders.
    pub fn prepare(self, id: u32) -> Result<Prepared, CrudError> {
        let Template { message, parameters, named } = self.template()?;
        let message = Box::new(Prepare { stmt_id: id, stmt: message.into_one_of() });
        Ok(Prepared { message, parameters, named })
    }
}
