use std::fmt;

/// Why a text is no expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExprError {
    at: usize,
    fault: ExprFault,
}

/// What is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExprFault {
    /// A character that begins nothing.
    Character(char),
    /// A text in quotes, or a name in backquotes, without its end.
    Unterminated(char),
    /// A number that is none, or that no type holds.
    Number,
    /// Something else is expected here.
    #[non_exhaustive]
    Expected {
        /// What.
        expected: &'static str,
        /// What is here, if there is anything.
        found: Option<Box<str>>,
    },
    /// A type that CAST does not know.
    CastType(Box<str>),
    /// It is nested deeper than servers read.
    TooDeep,
    /// `?` and `:name` are both used.
    MixedPlaceholders,
}

impl ExprError {
    pub(super) const fn new(at: usize, fault: ExprFault) -> Self {
        Self { at, fault }
    }

    pub(super) fn expected(at: usize, expected: &'static str, found: Option<&str>) -> Self {
        Self::new(at, ExprFault::Expected { expected, found: found.map(Into::into) })
    }

    /// Where, in bytes from the beginning.
    #[must_use]
    pub const fn at(&self) -> usize {
        self.at
    }

    /// What is wrong.
    #[must_use]
    pub const fn fault(&self) -> &ExprFault {
        &self.fault
    }
}

impl fmt::Display for ExprError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.fault {
            ExprFault::Character(found) => write!(f, "{found:?} begins nothing"),
            ExprFault::Unterminated(quote) => write!(f, "{quote} has no end"),
            ExprFault::Number => f.write_str("not a number, or one that is too large"),
            ExprFault::Expected { expected, found: Some(found) } => {
                write!(f, "{expected} expected, not {found:?}")
            }
            ExprFault::Expected { expected, found: None } => {
                write!(f, "{expected} expected, but nothing is left")
            }
            ExprFault::CastType(name) => write!(f, "nothing can be cast to {name:?}"),
            ExprFault::TooDeep => f.write_str("nested too deeply"),
            ExprFault::MixedPlaceholders => f.write_str("placeholders are either all ? or all :name"),
        }?;
        write!(f, " (at byte {})", self.at)
    }
}

impl std::error::Error for ExprError {}
