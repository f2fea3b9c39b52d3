//! What only `Insert` has.

use bytes::Bytes;

use super::error::CrudError;
use super::statement::Statement;
use super::statement::private::Content;
use super::value::Value;
use crate::expr::build;
use crate::messages::crud::insert::TypedRow;
use crate::messages::crud::{Column, Insert};
use crate::messages::datatypes::Scalar;
use crate::messages::expr::Expr;

impl Statement<Insert> {
    /// Adds a document: JSON text, which the server parses.
    pub fn document(mut self, json: impl Into<Bytes>) -> Self {
        // Straight to its place: there may be very many.
        self.message.row.push(TypedRow { field: vec![build::literal(Scalar::json(json))] });
        self
    }

    /// Adds documents.
    pub fn documents<B: Into<Bytes>>(self, json: impl IntoIterator<Item = B>) -> Self {
        json.into_iter().fold(self, Self::document)
    }

    /// The columns that rows have values for; all of the table if never said.
    pub fn columns<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        let column = |name: S| Column { name: Some(name.into()), ..Column::default() };
        self.message.projection.extend(names.into_iter().map(column));
        self
    }

    /// Adds a row: a value for each column, or a document as the only value.
    pub fn row<V: Into<Value>>(mut self, values: impl IntoIterator<Item = V>) -> Self {
        let field = values.into_iter().filter_map(|value| value.into().into_expr("value", &mut self.scope));
        self.message.row.push(TypedRow { field: field.collect() });
        self
    }

    /// Documents whose `_id` is there already replace what has it.
    pub fn upsert(mut self) -> Self {
        self.message.upsert = Some(true);
        self
    }
}

impl Content for Insert {
    fn check(&self) -> Result<(), CrudError> {
        if self.row.is_empty() { Err(CrudError::Empty) } else { Ok(()) }
    }

    fn each(&mut self, visit: &mut dyn FnMut(&mut Expr)) {
        self.row.iter_mut().flat_map(|row| &mut row.field).for_each(visit);
    }
}
