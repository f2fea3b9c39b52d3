//! What only `Update` has, and `Delete`, which has nothing of its own.

use super::error::CrudError;
use super::statement::Statement;
use super::statement::private::{Conditions, Content};
use super::value::Value;
use crate::expr::{self, Model};
use crate::messages::crud::update_operation::UpdateType;
use crate::messages::crud::{Delete, Update, UpdateOperation};
use crate::messages::expr::{ColumnIdentifier, Expr};

/// Changes are made in the order in which they are given.
impl Statement<Update> {
    /// Sets a member, made if it is not there, or a column.
    pub fn set(mut self, target: &str, value: impl Into<Value>) -> Self {
        let Some(target) = self.target(target) else { return self };
        let column = self.scope.model == Model::Table && target.document_path.is_empty();
        let kind = if column { UpdateType::Set } else { UpdateType::ItemSet };
        self.change(target, kind, Some(value.into()))
    }

    /// Removes a member.
    pub fn unset(mut self, path: &str) -> Self {
        let Some(target) = self.target(path) else { return self };
        self.change(target, UpdateType::ItemRemove, None)
    }

    /// Replaces a member, if it is there.
    pub fn replace(mut self, path: &str, value: impl Into<Value>) -> Self {
        let Some(target) = self.target(path) else { return self };
        self.change(target, UpdateType::ItemReplace, Some(value.into()))
    }

    /// Inserts into an array, before the element that the path ends with.
    pub fn array_insert(mut self, path: &str, value: impl Into<Value>) -> Self {
        let Some(target) = self.target(path) else { return self };
        self.change(target, UpdateType::ArrayInsert, Some(value.into()))
    }

    /// Appends to an array.
    pub fn array_append(mut self, path: &str, value: impl Into<Value>) -> Self {
        let Some(target) = self.target(path) else { return self };
        self.change(target, UpdateType::ArrayAppend, Some(value.into()))
    }

    /// Merges an object into the document as RFC 7396 has it: a null removes a member.
    pub fn patch(self, document: impl Into<Value>) -> Self {
        self.change(ColumnIdentifier::default(), UpdateType::MergePatch, Some(document.into()))
    }

    /// Merges an object into the document: of what both have, an array is made of both values.
    pub fn merge(self, document: impl Into<Value>) -> Self {
        self.change(ColumnIdentifier::default(), UpdateType::ItemMerge, Some(document.into()))
    }

    /// Merges an object into a table's column of JSON, as RFC 7396 has it.
    pub fn patch_column(mut self, column: &str, document: impl Into<Value>) -> Self {
        let Some(target) = self.target(column) else { return self };
        self.change(target, UpdateType::MergePatch, Some(document.into()))
    }

    fn target(&mut self, text: &str) -> Option<ColumnIdentifier> {
        let parsed = match self.scope.model {
            Model::Document => expr::parse_path(text),
            Model::Table => expr::parse_column(text),
        };
        self.scope.check("target", parsed)
    }

    fn change(mut self, source: ColumnIdentifier, kind: UpdateType, value: Option<Value>) -> Self {
        let value = value.and_then(|value| value.into_expr("value", &mut self.scope));
        self.message.operation.push(UpdateOperation { source, operation: kind.into(), value });
        self
    }
}

impl Content for Update {
    fn check(&self) -> Result<(), CrudError> {
        if self.operation.is_empty() { Err(CrudError::Empty) } else { condition(self.criteria.as_ref()) }
    }

    fn each(&mut self, visit: &mut dyn FnMut(&mut Expr)) {
        self.operation.iter_mut().filter_map(|change| change.value.as_mut()).for_each(&mut *visit);
        self.each_condition(visit);
    }
}

impl Content for Delete {
    fn check(&self) -> Result<(), CrudError> {
        condition(self.criteria.as_ref())
    }

    fn each(&mut self, visit: &mut dyn FnMut(&mut Expr)) {
        self.each_condition(visit);
    }
}

/// Servers take all where there is no condition.
const fn condition(criteria: Option<&Expr>) -> Result<(), CrudError> {
    if criteria.is_none() { Err(CrudError::NoCondition) } else { Ok(()) }
}
