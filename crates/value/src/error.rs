use std::fmt;

use crate::Kind;

/// Why a value does not fit a type.
///
/// Says nothing of the value itself, which may be a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConvertError {
    /// NULL, and the type has no place for it: `Option` has.
    Null,
    /// The type does not take values of this kind at all.
    Kind,
    /// A number below or above what the type can hold.
    OutOfRange,
    /// A number that the type could only hold rounded.
    Inexact,
    /// A number or a TIME below zero.
    Negative,
    /// Bytes that are not text in UTF-8. They can be had as bytes.
    NotUtf8,
    /// A zero date, a date without month or day, or one that the calendar does not have.
    NoSuchDate,
    /// A TIME that is no time of a day: negative, or 24 hours or more.
    NoTimeOfDay,
    /// The wrong number of bytes.
    Length,
    /// Not what the kind's values look like. The server is at fault.
    Malformed,
    /// Any other reason, as of a type from another crate.
    Other(Box<str>),
}

impl ConvertError {
    /// A reason in words.
    #[must_use]
    pub fn other(reason: impl fmt::Display) -> Self {
        Self::Other(reason.to_string().into())
    }
}

impl fmt::Display for ConvertError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Null => "it is NULL",
            Self::Kind => "values of this kind are not taken",
            Self::OutOfRange => "out of range",
            Self::Inexact => "it would be rounded",
            Self::Negative => "negative",
            Self::NotUtf8 => "not UTF-8",
            Self::NoSuchDate => "the calendar has no such date",
            Self::NoTimeOfDay => "not a time of day",
            Self::Length => "the wrong number of bytes",
            Self::Malformed => "not what the server promised",
            Self::Other(reason) => reason,
        })
    }
}

impl std::error::Error for ConvertError {}

/// A cell that does not fit the type it was asked for as.
#[derive(Clone, PartialEq, Eq)]
pub struct CellError(Box<CellErrorParts>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct CellErrorParts {
    index: usize,
    column: Option<Box<str>>,
    kind: Kind,
    target: &'static str,
    reason: ConvertError,
}

impl CellError {
    /// For a cell of column `index`, from 0; `column` is its name, if the server told one.
    #[must_use]
    #[cold]
    pub fn new(
        index: usize,
        column: Option<&[u8]>,
        kind: Kind,
        target: &'static str,
        reason: ConvertError,
    ) -> Self {
        let column = column.map(|name| String::from_utf8_lossy(name).into());
        Self(Box::new(CellErrorParts { index, column, kind, target, reason }))
    }

    /// The column, from 0.
    #[must_use]
    pub const fn index(&self) -> usize {
        self.0.index
    }

    /// The column's name.
    #[must_use]
    pub fn column(&self) -> Option<&str> {
        self.0.column.as_deref()
    }

    /// What the column's values are.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.0.kind
    }

    /// The type asked for.
    #[must_use]
    pub const fn target(&self) -> &'static str {
        self.0.target
    }

    /// Why it does not fit.
    #[must_use]
    pub const fn reason(&self) -> &ConvertError {
        &self.0.reason
    }
}

impl fmt::Debug for CellError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let CellErrorParts { index, column, kind, target, reason } = &*self.0;
        f.debug_struct("CellError")
            .field("index", index)
            .field("column", column)
            .field("kind", kind)
            .field("target", target)
            .field("reason", reason)
            .finish()
    }
}

impl fmt::Display for CellError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let CellErrorParts { index, column, kind, target, reason } = &*self.0;
        write!(f, "column {index}")?;
        if let Some(column) = column {
            write!(f, " `{column}`")?;
        }
        write!(f, " ({kind}) does not fit {target}: {reason}")
    }
}

impl std::error::Error for CellError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0.reason)
    }
}

/// Why rows of a result set cannot become values of a type.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PlanError {
    /// A field's column is not there.
    #[non_exhaustive]
    Missing {
        /// The name that the column should have.
        column: Box<str>,
        /// The type that the rows should become.
        row: &'static str,
    },
    /// Two columns or more have the name of a field.
    #[non_exhaustive]
    Ambiguous {
        /// The name.
        column: Box<str>,
        /// The type that the rows should become.
        row: &'static str,
    },
    /// The columns are too few or too many for a type that takes them by position.
    #[non_exhaustive]
    Count {
        /// How many the type takes.
        wanted: usize,
        /// How many there are.
        columns: usize,
        /// The type that the rows should become.
        row: &'static str,
    },
    /// A column's values never fit its field.
    #[non_exhaustive]
    Type {
        /// The column, from 0.
        index: usize,
        /// Its name.
        column: Box<str>,
        /// What its values are.
        kind: Kind,
        /// The field's type.
        target: &'static str,
    },
    /// Columns are wanted by name, and the server sent no definitions.
    Nameless,
    /// The plan was made for other columns, or for another type.
    Foreign,
}

impl PlanError {
    /// [`Missing`](Self::Missing).
    #[must_use]
    pub fn missing(column: &str, row: &'static str) -> Self {
        Self::Missing { column: column.into(), row }
    }

    /// [`Ambiguous`](Self::Ambiguous).
    #[must_use]
    pub fn ambiguous(column: &str, row: &'static str) -> Self {
        Self::Ambiguous { column: column.into(), row }
    }
}

impl fmt::Display for PlanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { column, row } => write!(f, "{row} needs a column `{column}`, and there is none"),
            Self::Ambiguous { column, row } => {
                write!(f, "{row} needs one column `{column}`, and there are several")
            }
            Self::Count { wanted, columns, row } => {
                write!(f, "{row} takes {wanted} columns, and there are {columns}")
            }
            Self::Type { index, column, kind, target } => {
                write!(f, "column {index} `{column}` ({kind}) never fits {target}")
            }
            Self::Nameless => f.write_str("columns are wanted by name, and the server sent no names"),
            Self::Foreign => f.write_str("the plan was made for other columns or another type"),
        }
    }
}

impl std::error::Error for PlanError {}

/// Why parameters cannot be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ParamError {
    /// Too few or too many.
    #[non_exhaustive]
    Count {
        /// How many the statement has.
        wanted: usize,
        /// How many were given.
        given: usize,
    },
    /// The statement has a parameter of a name that was not given.
    Missing(Box<str>),
    /// A name was given that the statement does not have.
    Unknown(Box<str>),
    /// Named parameters were given for a statement that has none, or the other way round.
    #[non_exhaustive]
    Style {
        /// Whether the statement names its parameters.
        named: bool,
    },
    /// A value that MySQL has no place for.
    #[non_exhaustive]
    Value {
        /// The parameter, from 0.
        index: usize,
        /// Why.
        reason: ConvertError,
    },
}

impl ParamError {
    /// [`Count`](Self::Count).
    #[must_use]
    pub const fn count(wanted: usize, given: usize) -> Self {
        Self::Count { wanted, given }
    }

    /// [`Value`](Self::Value).
    #[must_use]
    pub const fn value(index: usize, reason: ConvertError) -> Self {
        Self::Value { index, reason }
    }
}

impl fmt::Display for ParamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count { wanted, given } => {
                write!(f, "the statement takes {wanted} parameters, and {given} were given")
            }
            Self::Missing(name) => write!(f, "parameter :{name} was not given"),
            Self::Unknown(name) => write!(f, "the statement has no parameter :{name}"),
            Self::Style { named: true } => {
                f.write_str("the statement has named parameters, and they were given by position")
            }
            Self::Style { named: false } => {
                f.write_str("the statement has parameters by position, and they were given by name")
            }
            Self::Value { index, reason } => write!(f, "parameter {index} cannot be sent: {reason}"),
        }
    }
}

impl std::error::Error for ParamError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Value { reason, .. } => Some(reason),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_column_kind_target_and_reason() {
        let kind = Kind::Int { bits: 64, unsigned: false };
        let error = CellError::new(2, Some(b"age"), kind, "u8", ConvertError::OutOfRange);
        assert_eq!(error.to_string(), "column 2 `age` (BIGINT) does not fit u8: out of range");
        assert_eq!((error.index(), error.column(), error.target()), (2, Some("age"), "u8"));
        let error = CellError::new(0, None, Kind::Date, "i8", ConvertError::Kind);
        assert_eq!(error.to_string(), "column 0 (DATE) does not fit i8: values of this kind are not taken");
        assert_eq!(size_of::<CellError>(), size_of::<usize>());
    }
}
