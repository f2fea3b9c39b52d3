//! Nodes of the tree, as messages.

use crate::messages::datatypes::Scalar;
use crate::messages::expr::{ColumnIdentifier, Expr, FunctionCall, Identifier, Operator, expr};

pub(crate) fn literal(scalar: impl Into<Scalar>) -> Expr {
    Expr { r#type: expr::Type::Literal.into(), literal: Some(scalar.into()), ..Expr::default() }
}

/// A literal that the server wants as plain octets: a unit, a type.
pub(super) fn octets(text: &str) -> Expr {
    literal(Scalar::octets(text.to_owned(), None))
}

pub(super) fn operator(name: &str, param: Vec<Expr>) -> Expr {
    let operator = Some(Operator { name: name.to_owned(), param });
    Expr { r#type: expr::Type::Operator.into(), operator, ..Expr::default() }
}

pub(super) fn column(identifier: ColumnIdentifier) -> Expr {
    Expr { r#type: expr::Type::Ident.into(), identifier: Some(identifier), ..Expr::default() }
}

pub(super) fn call(schema: Option<String>, name: String, param: Vec<Expr>) -> Expr {
    let function_call = Some(FunctionCall { name: Identifier { name, schema_name: schema }, param });
    Expr { r#type: expr::Type::FuncCall.into(), function_call, ..Expr::default() }
}

pub(super) fn placeholder(position: u32) -> Expr {
    Expr { r#type: expr::Type::Placeholder.into(), position: Some(position), ..Expr::default() }
}
