use std::fmt;

use crate::expr::ExprError;

/// Why no message was made.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CrudError {
    /// A text does not parse.
    #[non_exhaustive]
    Expr {
        /// What it was given as: "condition", "fields", ...
        clause: &'static str,
        /// What is wrong with it.
        error: ExprError,
    },
    /// A placeholder has no value.
    Unbound(Box<str>),
    /// A value was bound to a name that no placeholder has, or to one position more than there are.
    NoSuchPlaceholder(Box<str>),
    /// An update or a delete has no condition. `true` is one.
    NoCondition,
    /// An expression is nested deeper than servers read; they would end the connection.
    TooDeep,
    /// There is nothing to insert or to change.
    Empty,
}

impl fmt::Display for CrudError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Expr { clause, error } => write!(f, "{clause}: {error}"),
            Self::Unbound(name) => write!(f, "the placeholder {name:?} has no value"),
            Self::NoSuchPlaceholder(name) => write!(f, "there is no placeholder {name:?}"),
            Self::NoCondition => f.write_str("there is no condition (true, if all are meant)"),
            Self::TooDeep => f.write_str("an expression is nested too deeply"),
            Self::Empty => f.write_str("there is nothing to write"),
        }
    }
}

impl std::error::Error for CrudError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Expr { error, .. } => Some(error),
            _ => None,
        }
    }
}
