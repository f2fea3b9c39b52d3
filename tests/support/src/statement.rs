//! A prepared statement of a scenario.

use anyhow::{Context as _, Result, bail};
use bytes::{BufMut as _, BytesMut};
use porpoise_classic::{ColumnType, Columns, Prepared};
use porpoise_wire::Put as _;

/// `PARAMETER_COUNT_AVAILABLE` of `enum_cursor_type`: a parameter count is sent even if there are none.
const PARAMETER_COUNT_AVAILABLE: u8 = 8;
/// `CURSOR_TYPE_READ_ONLY`
const CURSOR_TYPE_READ_ONLY: u8 = 1;

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

#[derive(Clone, Debug)]
enum Param {
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

    /// Flags and parameters of COM_STMT_EXECUTE, with query attributes agreed on.
    pub(crate) fn execution(&self) -> (u8, BytesMut) {
        let flags = PARAMETER_COUNT_AVAILABLE | self.cursor.map_or(0, |_| CURSOR_TYPE_READ_ONLY);
        let mut block = BytesMut::new();
        block.put_lenenc_int(self.bound.len() as u64);
        if self.bound.is_empty() {
            return (flags, block);
        }
        let mut nulls = vec![0_u8; self.bound.len().div_ceil(8)];
        for (i, param) in self.bound.iter().enumerate() {
            if let (Param::Null, Some(byte)) = (param, nulls.get_mut(i / 8)) {
                *byte |= 1 << (i % 8);
            }
        }
        block.put_slice(&nulls);
        // New types follow, each with an empty name.
        block.put_u8(1);
        for param in &self.bound {
            let kind = match param {
                Param::Integer(_) => ColumnType::LongLong,
                Param::Text(_) | Param::Null => ColumnType::VarString,
                Param::Long => ColumnType::Blob,
            };
            block.put_slice(&[kind.byte(), 0, 0]);
        }
        for param in &self.bound {
            match param {
                Param::Integer(value) => block.put_i64_le(*value),
                Param::Text(text) => block.put_lenenc_bytes(text.as_bytes()),
                Param::Null | Param::Long => {}
            }
        }
        (flags, block)
    }
}
