//! A prepared statement of a scenario.

use anyhow::{Context as _, Result, bail};
use porpoise_classic::{Columns, Execute, Prepared};
use porpoise_value::{ConvertError, ParamRef, Placeholders, ToValue, ValueRef};

/// A statement, and what is set for its next execution.
#[derive(Clone, Debug)]
pub(crate) struct Statement {
    pub(crate) id: u32,
    pub(crate) params: usize,
    pub(crate) columns: Columns,
    /// Rows a fetch, if a cursor is wanted.
    pub(crate) cursor: Option<u32>,
    bound: Vec<Param>,
}

/// A parameter.
#[derive(Clone, Debug)]
pub(crate) enum Param {
    Integer(i64),
    Text(String),
    Null,
    /// Sent ahead, piece by piece.
    Long,
}

impl Statement {
    pub(crate) fn new(prepared: &Prepared) -> Self {
        let (id, params, columns) = (prepared.statement_id, prepared.params.len(), prepared.columns.clone());
        Self { id, params, columns, cursor: None, bound: Vec::new() }
    }

    /// `i1|stext|n|Lx`
    pub(crate) fn bind(&mut self, argument: &str) -> Result<()> {
        let param = |text: &str| {
            let value = text.get(1..).context("no kind")?;
            Ok(match text.as_bytes().first() {
                Some(b'i') => Param::Integer(value.parse()?),
                Some(b's') => Param::Text(value.into()),
                Some(b'n') => Param::Null,
                Some(b'L') => Param::Long,
                _ => bail!("no parameter: {text}"),
            })
        };
        self.bound = argument.split('|').map(param).collect::<Result<_>>()?;
        Ok(())
    }

    /// What COM_STMT_EXECUTE carries.
    pub(crate) fn execution(&self) -> Execute<'_, [Param]> {
        Execute::new(self.id, Placeholders::positional(self.params), &self.bound[..])
            .cursor(self.cursor.is_some())
    }
}

impl ToValue for Param {
    fn to_value(&self) -> Result<ParamRef<'_>, ConvertError> {
        Ok(match self {
            Self::Integer(value) => ParamRef::Value(ValueRef::Int(*value)),
            Self::Text(text) => ParamRef::Value(ValueRef::Text(text.as_bytes())),
            Self::Null => ParamRef::Value(ValueRef::Null),
            Self::Long => ParamRef::LongData,
        })
    }
}
