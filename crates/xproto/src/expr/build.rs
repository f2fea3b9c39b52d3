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

pub(crate) fn operator(name: &str, param: Vec<Expr>) -> Expr {
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

/// Servers read so many messages in each other; one more ends the connection. Three are for what an expression is in, at the
/// most: a projection of a find that is prepared.
const READ: usize = 100 - 3;

/// Whether servers read an expression wherever it stands.
pub(crate) fn is_readable(expr: &Expr) -> bool {
    messages(expr) <= READ
}

/// How many messages are in each other.
fn messages(expr: &Expr) -> usize {
    // A text within a scalar, an item of a path, the name of a function.
    let own = if expr.literal.is_some() || expr.identifier.is_some() { 3 } else { 1 };
    let within = |list: &[Expr], between: usize| 1 + between + list.iter().map(messages).max().unwrap_or(1);
    let operator = expr.operator.as_ref().map_or(0, |operator| within(&operator.param, 1));
    let call = expr.function_call.as_ref().map_or(0, |call| within(&call.param, 1));
    let array = expr.array.as_ref().map_or(0, |array| within(&array.value, 1));
    let fields =
        expr.object.iter().flat_map(|object| &object.fld).map(|field| 3 + messages(&field.value)).max();
    [own, operator, call, array, fields.unwrap_or_default()].into_iter().max().unwrap_or_default()
}
