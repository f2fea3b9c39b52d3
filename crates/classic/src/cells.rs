use std::iter::FusedIterator;

use porpoise_wire::{Reader, WireError};

use crate::row::{Encoding, RowError};
use crate::{ColumnType, Columns};

/// The cells of a row; `None` is NULL.
///
/// | encoding | row | a cell's bytes |
/// |---|---|---|
/// | text | for each column 0xFB for NULL, or `string<lenenc>` | the text |
/// | binary | 0x00, a bitmap of NULLs, then each value that is not NULL | integers and floats: 1, 2, 4 or 8 bytes, least significant first; dates and times: what follows their length byte; all else: the string |
///
/// The bitmap of a binary row has `(columns + 7 + 2) / 8` bytes; the bit of column `i` is `i + 2`. Follows "MySQL
/// Source Code Documentation: Text Resultset Row" and "Binary Protocol Resultset Row".
///
/// Gives exactly one item a column, and one more, an error, if bytes are left then. Nothing follows an error.
#[derive(Clone, Debug)]
pub struct Cells<'a> {
    r: Reader<'a>,
    columns: &'a Columns,
    next: usize,
    layout: Layout<'a>,
}

#[derive(Clone, Copy, Debug)]
enum Layout<'a> {
    Text,
    Binary {
        nulls: &'a [u8],
    },
    /// What the first item will be.
    Broken(RowError),
    Done,
}

/// Columns before the first in the bitmap of a binary row.
const BITMAP_OFFSET: usize = 2;

impl<'a> Cells<'a> {
    #[inline]
    pub(crate) fn new(payload: &'a [u8], columns: &'a Columns, encoding: Encoding) -> Self {
        let mut r = Reader::new(payload);
        let layout = match encoding {
            Encoding::Text => Layout::Text,
            Encoding::Binary => match bitmap(&mut r, columns) {
                Ok(nulls) => Layout::Binary { nulls },
                Err(error) => Layout::Broken(error),
            },
        };
        Self { r, columns, next: 0, layout }
    }

    #[inline]
    fn cell(&mut self, index: usize) -> Result<Option<&'a [u8]>, RowError> {
        match self.layout {
            Layout::Text => Ok(self.r.nullable_bytes("cell")?),
            Layout::Binary { nulls } => {
                let bit = index + BITMAP_OFFSET;
                if nulls.get(bit / 8).is_none_or(|byte| byte & (1 << (bit % 8)) != 0) {
                    return Ok(None);
                }
                let format = self.columns.format(index).ok_or(RowError::NoDefinitions)?;
                Ok(binary_value(&mut self.r, format.column_type)?)
            }
            Layout::Broken(error) => Err(error),
            Layout::Done => Ok(None),
        }
    }
}

fn bitmap<'a>(r: &mut Reader<'a>, columns: &Columns) -> Result<&'a [u8], RowError> {
    if !columns.is_defined() {
        return Err(RowError::NoDefinitions);
    }
    let field = "binary row header";
    match r.u8(field)? {
        0x00 => Ok(r.bytes("null_bitmap", (columns.len() + 7 + BITMAP_OFFSET) / 8)?),
        other => Err(WireError::BadValue { field, value: other.into() }.into()),
    }
}

fn binary_value<'a>(r: &mut Reader<'a>, column_type: ColumnType) -> Result<Option<&'a [u8]>, WireError> {
    let field = "binary value";
    let len = match column_type {
        ColumnType::Null => return Ok(None),
        ColumnType::Tiny => 1,
        ColumnType::Short | ColumnType::Year => 2,
        // INT24 has three bytes in its name only.
        ColumnType::Long | ColumnType::Int24 | ColumnType::Float => 4,
        ColumnType::LongLong | ColumnType::Double => 8,
        ColumnType::Date | ColumnType::Time | ColumnType::DateTime | ColumnType::Timestamp => {
            r.u8(field)?.into()
        }
        // Everything that is not listed, types of the future included, is a string.
        _ => return r.lenenc_bytes(field).map(Some),
    };
    r.bytes(field, len).map(Some)
}

impl<'a> Iterator for Cells<'a> {
    type Item = Result<Option<&'a [u8]>, RowError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if matches!(self.layout, Layout::Done) {
            return None;
        }
        let item = if self.next < self.columns.len() {
            self.cell(self.next)
        } else {
            match self.r.finish() {
                Ok(()) => {
                    self.layout = Layout::Done;
                    return None;
                }
                Err(error) => Err(error.into()),
            }
        };
        self.next += 1;
        if item.is_err() {
            self.layout = Layout::Done;
        }
        Some(item)
    }
}

impl FusedIterator for Cells<'_> {}
