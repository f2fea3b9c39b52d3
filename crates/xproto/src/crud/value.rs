use bytes::Bytes;

use super::scope::Scope;
use crate::expr::build;
use crate::messages::datatypes::Scalar;
use crate::messages::expr::Expr;

/// A value to write: itself, JSON, or what an expression yields.
///
/// ```
/// use porpoise_xproto::crud::Value;
///
/// let values = [Value::from(5), Value::from("text"), Value::null(), Value::expr("age + :years"), Value::json("[1, 2]")];
/// # drop(values);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Value(Kind);

#[derive(Clone, Debug, PartialEq)]
enum Kind {
    Expr(Box<Expr>),
    Text(Box<str>),
}

impl Value {
    /// What an expression yields. It may hold placeholders.
    #[must_use]
    pub fn expr(text: impl Into<Box<str>>) -> Self {
        Self(Kind::Text(text.into()))
    }

    /// JSON, as text that the server parses.
    #[must_use]
    pub fn json(text: impl Into<Bytes>) -> Self {
        Self::from(Scalar::json(text))
    }

    /// NULL.
    #[must_use]
    pub fn null() -> Self {
        Self::from(Scalar::null())
    }

    /// As a node of the message.
    pub(super) fn into_expr(self, clause: &'static str, scope: &mut Scope) -> Option<Expr> {
        match self.0 {
            Kind::Expr(expr) => Some(*expr),
            Kind::Text(text) => scope.expr(clause, &text),
        }
    }
}

impl<S: Into<Scalar>> From<S> for Value {
    fn from(value: S) -> Self {
        Self(Kind::Expr(Box::new(build::literal(value))))
    }
}

impl From<Expr> for Value {
    fn from(expr: Expr) -> Self {
        Self(Kind::Expr(Box::new(expr)))
    }
}
