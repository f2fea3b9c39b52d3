use std::iter::FusedIterator;

use porpoise_wire::{Reader, WireError};

use crate::decode::quick;
use crate::row::{Encoding, RowError};
use crate::width::{self, Width};
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
    left: &'a [u8],
    columns: &'a Columns,
    next: usize,
    layout: Layout<'a>,
}

#[derive(Clone, Debug)]
enum Layout<'a> {
    Text,
    Binary {
        nulls: &'a [u8],
    },
    /// What the first item will be.
    Broken(RowError),
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
        Self { left: r.rest(), columns, next: 0, layout }
    }

    /// The next cell, if it is a usual one. Nothing is taken if not.
    #[inline(always)]
    fn quick(&mut self) -> Option<Option<&'a [u8]>> {
        let nulls = match &self.layout {
            Layout::Text => return quick::string(&mut self.left).map(Some),
            Layout::Binary { nulls } => nulls,
            Layout::Broken(_) => return None,
        };
        if is_null(nulls, self.next) {
            return Some(None);
        }
        let entry = self.columns.entries().get(self.next)?;
        match entry.width {
            Width::Fixed(len) => {
                let (cell, left) = self.left.split_at_checked(len.into())?;
                self.left = left;
                Some(Some(cell))
            }
            Width::Lenenc => quick::string(&mut self.left).map(Some),
            _ => None,
        }
    }

    /// Any cell.
    #[inline(never)]
    fn slow(&mut self) -> Result<Option<&'a [u8]>, RowError> {
        let mut r = Reader::new(self.left);
        let cell = match &self.layout {
            Layout::Text => r.nullable_bytes("cell").map_err(RowError::from),
            Layout::Binary { nulls } => binary(&mut r, self.columns, Some(nulls), self.next),
            Layout::Broken(error) => Err(error.clone()),
        };
        self.left = r.rest();
        if cell.is_err() {
            self.stop();
        } else {
            self.next += 1;
        }
        cell
    }

    /// Behind the last cell there is nothing.
    #[inline]
    fn end(&mut self) -> Option<Result<Option<&'a [u8]>, RowError>> {
        if self.left.is_empty() {
            return None;
        }
        let left = self.left.len();
        self.stop();
        Some(Err(WireError::TrailingBytes { left }.into()))
    }

    #[cold]
    fn stop(&mut self) {
        self.next = self.columns.len();
        self.left = &[];
    }
}

/// The header and the bitmap of a binary row.
#[inline]
pub(crate) fn bitmap<'a>(r: &mut Reader<'a>, columns: &Columns) -> Result<&'a [u8], RowError> {
    if !columns.is_defined() {
        return Err(RowError::NoDefinitions);
    }
    let field = "binary row header";
    match r.u8(field)? {
        0x00 => Ok(r.bytes("null_bitmap", (columns.len() + 7 + BITMAP_OFFSET) / 8)?),
        other => Err(WireError::BadValue { field, value: other.into() }.into()),
    }
}

/// Whether a binary row's bitmap says that a cell is NULL.
#[inline]
pub(crate) fn is_null(nulls: &[u8], index: usize) -> bool {
    let bit = index + BITMAP_OFFSET;
    nulls.get(bit / 8).is_none_or(|byte| byte & (1 << (bit % 8)) != 0)
}

/// A cell of a binary row; no `nulls` if there are none among its cells.
#[inline]
pub(crate) fn binary<'a>(
    r: &mut Reader<'a>,
    columns: &Columns,
    nulls: Option<&[u8]>,
    index: usize,
) -> Result<Option<&'a [u8]>, RowError> {
    if nulls.is_some_and(|nulls| is_null(nulls, index)) {
        return Ok(None);
    }
    let format = columns.format(index).ok_or(RowError::NoDefinitions)?;
    Ok(binary_value(r, format.column_type)?)
}

#[inline]
fn binary_value<'a>(r: &mut Reader<'a>, column_type: ColumnType) -> Result<Option<&'a [u8]>, WireError> {
    let field = "binary value";
    let len = match width::of(column_type) {
        Width::None => return Ok(None),
        Width::Fixed(len) => len.into(),
        Width::Short => r.u8(field)?.into(),
        Width::Lenenc => return r.lenenc_bytes(field).map(Some),
    };
    r.bytes(field, len).map(Some)
}

impl<'a> Iterator for Cells<'a> {
    type Item = Result<Option<&'a [u8]>, RowError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.next >= self.columns.len() {
            return self.end();
        }
        if let Some(cell) = self.quick() {
            self.next += 1;
            return Some(Ok(cell));
        }
        Some(self.slow())
    }
}

impl FusedIterator for Cells<'_> {}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop, prop_assert, proptest};

    use super::*;
    use crate::columns::Collector;

    fn columns(types: &[u8]) -> Columns {
        let mut collector = Collector::default();
        for column_type in types {
            // def and five empty names | 12 | collation | length | type | flags | decimals | reserved
            let head = b"\x03def\x00\x00\x00\x00\x00\x0c\x3f\x00\x0b\x00\x00\x00";
            collector.keep(&[&head[..], &[*column_type, 0, 0, 0, 0, 0]].concat());
        }
        collector.finish(&mut Columns::default()).unwrap()
    }

    #[test]
    fn binary_values_of_every_width() {
        // TINY SHORT LONG INT24 LONGLONG FLOAT DOUBLE YEAR | DATETIME(4) TIME(0) | NEWDECIMAL BIT unknown
        let columns = columns(&[1, 2, 3, 9, 8, 4, 5, 13, 12, 11, 246, 16, 100]);
        let mut row = vec![0x00, 0, 0];
        row.extend_from_slice(&[0xff, 1, 2, 1, 2, 3, 4, 1, 2, 3, 4]); // TINY, SHORT, LONG, INT24
        row.extend_from_slice(&[8; 8]); // LONGLONG
        row.extend_from_slice(&[4; 4]); // FLOAT
        row.extend_from_slice(&[5; 8]); // DOUBLE
        row.extend_from_slice(&[0xe8, 0x07]); // YEAR
        row.extend_from_slice(&[4, 0xe8, 0x07, 1, 2]); // DATETIME without time
        row.extend_from_slice(&[0]); // TIME zero
        row.extend_from_slice(b"\x041.50\x01\x03\x02xy");
        let cells: Result<Vec<_>, _> = Cells::new(&row, &columns, Encoding::Binary).collect();
        let lengths: Vec<_> = cells.unwrap().into_iter().map(|cell| cell.unwrap().len()).collect();
        assert_eq!(lengths, [1, 2, 4, 4, 8, 4, 8, 2, 4, 0, 4, 1, 2]);
    }

    #[test]
    fn the_bitmap_has_an_offset_of_two() {
        // Seven columns: bits 2 to 8, two bytes. NULL are the first (bit 2), the sixth (7) and the seventh (8).
        let columns = columns(&[1; 7]);
        let row = [0x00, 0b1000_0100, 0b1, 11, 12, 13, 14];
        let cells: Result<Vec<_>, _> = Cells::new(&row, &columns, Encoding::Binary).collect();
        let expected = [None, Some(&[11][..]), Some(&[12]), Some(&[13]), Some(&[14]), None, None];
        assert_eq!(cells.unwrap(), expected);
        // A column of type NULL has no bytes, whatever its bit says.
        let columns = self::columns(&[6, 1]);
        let cells: Result<Vec<_>, _> = Cells::new(&[0, 0, 7], &columns, Encoding::Binary).collect();
        assert_eq!(cells.unwrap(), [None, Some(&[7][..])]);
    }

    #[test]
    fn what_is_wrong_with_a_binary_row() {
        let columns = columns(&[8, 253]);
        let first = |row: &'static [u8]| Cells::new(row, &columns, Encoding::Binary).next();
        let truncated = |field, needed, left| Some(Err(WireError::Truncated { field, needed, left }.into()));
        assert_eq!(first(&[]), truncated("binary row header", 1, 0));
        assert_eq!(first(&[0x00]), truncated("null_bitmap", 1, 0));
        assert_eq!(first(&[0x00, 0, 1, 2, 3]), truncated("binary value", 8, 3));
        let header = WireError::BadValue { field: "binary row header", value: 1 };
        assert_eq!(first(&[0x01, 0]), Some(Err(header.into())));
        let mut cells = Cells::new(&[0x00, 0b1100, 9], &columns, Encoding::Binary);
        assert_eq!((cells.next(), cells.next()), (Some(Ok(None)), Some(Ok(None))));
        assert_eq!(cells.next(), Some(Err(WireError::TrailingBytes { left: 1 }.into())));
        assert_eq!(cells.next(), None);
        let undefined = Columns::undefined(1);
        let mut cells = Cells::new(&[0x00, 0, 1], &undefined, Encoding::Binary);
        assert_eq!((cells.next(), cells.next()), (Some(Err(RowError::NoDefinitions)), None));
    }

    proptest! {
        #[test]
        fn any_row_gives_an_item_a_column_and_one_more_at_most(
            types in prop::collection::vec(any::<u8>(), 0..20),
            row in any::<Vec<u8>>(),
            binary in any::<bool>(),
        ) {
            let columns = columns(&types);
            let encoding = if binary { Encoding::Binary } else { Encoding::Text };
            let cells: Vec<_> = Cells::new(&row, &columns, encoding).collect();
            prop_assert!(cells.len() <= types.len() + 1);
            prop_assert!(cells.iter().rev().skip(1).all(Result::is_ok), "nothing follows an error");
            let bytes: usize = cells.iter().flatten().flatten().map(|cell| cell.len()).sum();
            prop_assert!(bytes <= row.len());
        }
    }
}
