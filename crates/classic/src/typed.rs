use std::fmt;
use std::iter::FusedIterator;
use std::marker::PhantomData;

use porpoise_value::{CellError, CellSource, FromRow, FromValue, Kind, Plan, PlanError, RowSource, ValueRef};
use porpoise_wire::{Reader, WireError};

use crate::cells;
use crate::columns::Entry;
use crate::decode::{Fault, binary, quick, text};
use crate::row::Rows;
use crate::{Columns, Encoding, RowBatch, RowError, RowRef};

impl RowBatch {
    /// Finds the columns that rows of type `T` need, and checks their kinds. Do it once for a result set.
    ///
    /// # Errors
    /// [`PlanError`].
    pub fn plan<'a, T: FromRow<'a>>(&self) -> Result<Plan, PlanError> {
        T::plan(self.columns())
    }

    /// The rows as values of type `T`, read straight from the batch's bytes.
    #[must_use]
    pub fn typed<'a, T: FromRow<'a>>(&'a self, plan: &'a Plan) -> Typed<'a, T> {
        Typed { rows: self.iter(), plan, target: PhantomData }
    }
}

impl<'a> RowRef<'a> {
    /// One cell as a value. Walks over those before it: [`typed`](RowBatch::typed) reads whole rows faster.
    ///
    /// # Errors
    /// [`RowError`].
    pub fn value(&self, index: usize) -> Result<ValueRef<'a>, RowError> {
        self.get_as(index)
    }

    /// One cell as a `T`, by position or by name. Walks over those before it.
    ///
    /// # Errors
    /// [`RowError`]: there is no such column, or its value does not fit.
    pub fn get_as<T: FromValue<'a>>(&self, column: impl ColumnIndex) -> Result<T, RowError> {
        let index = column.find(self.columns())?;
        let mut cells = TypedCells::new(*self)?;
        cells.skip(index)?;
        cells.take()
    }

    /// The row as a `T`. A [plan](RowBatch::plan) made once serves many rows.
    ///
    /// # Errors
    /// [`RowError`].
    pub fn read<T: FromRow<'a>>(&self, plan: &Plan) -> Result<T, RowError> {
        T::from_row(plan, *self)
    }
}

/// A column's position, from 0, or its name.
pub trait ColumnIndex {
    /// The position.
    ///
    /// # Errors
    /// There is no such column, or several have the name.
    fn find(&self, columns: &Columns) -> Result<usize, RowError>;
}

impl ColumnIndex for usize {
    fn find(&self, columns: &Columns) -> Result<usize, RowError> {
        if *self < columns.len() {
            return Ok(*self);
        }
        Err(RowError::no_such_column(*self, columns.len()))
    }
}

impl ColumnIndex for &str {
    fn find(&self, columns: &Columns) -> Result<usize, RowError> {
        Ok(columns.position(self)?)
    }
}

impl<'a> RowSource<'a> for RowRef<'a> {
    type Error = RowError;
    type Cells = TypedCells<'a>;

    #[inline(always)]
    fn cells(self, plan: &Plan) -> Result<TypedCells<'a>, RowError> {
        if plan.columns() != self.len() {
            return Err(PlanError::Foreign.into());
        }
        TypedCells::new(self)
    }
}

/// The cells of a row, each to become a type of the caller's choice.
#[derive(Clone, Debug)]
pub struct TypedCells<'a> {
    left: &'a [u8],
    /// The definitions from the next column on; none if there are none at all.
    entries: &'a [Entry],
    layout: Layout<'a>,
    columns: &'a Columns,
    /// Cells taken of columns without definitions.
    undefined: usize,
}

#[derive(Clone, Copy, Debug)]
enum Layout<'a> {
    Text,
    /// Without any NULL.
    Full,
    Nulls(&'a [u8]),
}

impl<'a> TypedCells<'a> {
    #[inline(always)]
    fn new(row: RowRef<'a>) -> Result<Self, RowError> {
        let (columns, payload) = (row.columns(), row.payload());
        let cells =
            Self { left: payload, entries: columns.entries(), layout: Layout::Text, columns, undefined: 0 };
        if row.encoding() == Encoding::Text { Ok(cells) } else { cells.binary() }
    }

    /// For a binary row.
    #[inline]
    fn binary(mut self) -> Result<Self, RowError> {
        let mut r = Reader::new(self.left);
        let nulls = cells::bitmap(&mut r, self.columns)?;
        self.layout = if nulls.iter().all(|byte| *byte == 0) { Layout::Full } else { Layout::Nulls(nulls) };
        self.left = r.rest();
        Ok(self)
    }

    /// The next column.
    #[inline]
    fn index(&self) -> usize {
        self.undefined + if self.columns.is_defined() { self.columns.len() - self.entries.len() } else { 0 }
    }

    /// The next cell, if it is a usual one and fits. Nothing is taken if not.
    #[inline(always)]
    fn quick<T: FromValue<'a>>(&mut self) -> Option<T> {
        let (entry, entries) = self.entries.split_first()?;
        let value = match self.layout {
            Layout::Text => quick::text(entry.shape, &mut self.left)?,
            Layout::Nulls(nulls) if cells::is_null(nulls, self.index()) => {
                T::from_value(ValueRef::Null).ok()?
            }
            _ => quick::binary(entry.shape, &mut self.left)?,
        };
        self.entries = entries;
        Some(value)
    }

    /// Any cell.
    #[cold]
    #[inline(never)]
    fn slow<T: FromValue<'a>>(&mut self) -> Result<T, RowError> {
        let (index, kind) = (self.index(), self.kind()?);
        let value = self.value(kind, index).and_then(|value| Ok(T::from_value(value)?));
        let value = value.map_err(|fault| error(self.columns, index, kind, T::target(), fault))?;
        self.advance();
        Ok(value)
    }

    /// The next column's kind. Without definitions, in a text row, it is text.
    fn kind(&self) -> Result<Kind, RowError> {
        match self.entries.first() {
            Some(entry) => Ok(entry.kind),
            None if self.index() < self.columns.len() => Ok(Kind::Text),
            None => Err(RowError::no_such_column(self.index(), self.columns.len())),
        }
    }

    fn value(&mut self, kind: Kind, index: usize) -> Result<ValueRef<'a>, Fault> {
        let mut r = Reader::new(self.left);
        let value = match self.layout {
            Layout::Text => match r.nullable_bytes("cell")? {
                Some(bytes) => text::decode(kind, bytes)?,
                None => ValueRef::Null,
            },
            Layout::Nulls(nulls) if cells::is_null(nulls, index) => ValueRef::Null,
            _ => binary::decode(kind, &mut r)?,
        };
        self.left = r.rest();
        Ok(value)
    }

    fn advance(&mut self) {
        match self.entries.split_first() {
            Some((_, entries)) => self.entries = entries,
            None => self.undefined += 1,
        }
    }
}

/// What is told of a cell that could not be had.
#[cold]
fn error(columns: &Columns, index: usize, kind: Kind, target: &'static str, fault: Fault) -> RowError {
    match fault {
        Fault::Wire(error) => error.into(),
        Fault::Cell(reason) => {
            let name = columns.get(index).map(|column| column.name());
            CellError::new(index, name, kind, target, reason).into()
        }
    }
}

impl<'a> CellSource<'a> for TypedCells<'a> {
    type Error = RowError;

    #[inline(always)]
    fn take<T: FromValue<'a>>(&mut self) -> Result<T, RowError> {
        match self.quick() {
            Some(value) => Ok(value),
            None => self.slow(),
        }
    }

    #[inline(always)]
    fn skip(&mut self, cells: usize) -> Result<(), RowError> {
        match self.skip_quick(cells) {
            Some(()) => Ok(()),
            None => self.skip_slow(cells),
        }
    }

    #[inline]
    fn finish(self) -> Result<(), RowError> {
        if self.left.is_empty() {
            Ok(())
        } else {
            Err(WireError::TrailingBytes { left: self.left.len() }.into())
        }
    }
}

impl TypedCells<'_> {
    /// Passes over usual cells. Nothing is taken if one of them is none.
    #[inline(always)]
    fn skip_quick(&mut self, cells: usize) -> Option<()> {
        let (skipped, entries) = self.entries.split_at_checked(cells)?;
        let mut left = self.left;
        match self.layout {
            Layout::Text => {
                for _ in skipped {
                    left = quick::behind_text(left)?;
                }
            }
            Layout::Full => {
                for entry in skipped {
                    left = quick::behind_binary(entry.width, left)?;
                }
            }
            Layout::Nulls(nulls) => {
                for (index, entry) in (self.index()..).zip(skipped) {
                    if !cells::is_null(nulls, index) {
                        left = quick::behind_binary(entry.width, left)?;
                    }
                }
            }
        }
        (self.left, self.entries) = (left, entries);
        Some(())
    }

    #[cold]
    fn skip_slow(&mut self, cells: usize) -> Result<(), RowError> {
        (0..cells).try_for_each(|_| self.skip_any())
    }

    fn skip_any(&mut self) -> Result<(), RowError> {
        self.kind()?;
        let mut r = Reader::new(self.left);
        let index = self.index();
        match self.layout {
            Layout::Text => r.nullable_bytes("cell")?,
            Layout::Full => cells::binary(&mut r, self.columns, None, index)?,
            Layout::Nulls(nulls) => cells::binary(&mut r, self.columns, Some(nulls), index)?,
        };
        self.left = r.rest();
        self.advance();
        Ok(())
    }
}

/// The rows of a batch as values of a type.
pub struct Typed<'a, T> {
    rows: Rows<'a>,
    plan: &'a Plan,
    target: PhantomData<fn() -> T>,
}

impl<T> Clone for Typed<'_, T> {
    fn clone(&self) -> Self {
        Self { rows: self.rows.clone(), plan: self.plan, target: PhantomData }
    }
}

impl<T> fmt::Debug for Typed<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Typed").field("rows", &self.rows.len()).field("plan", self.plan).finish()
    }
}

impl<'a, T: FromRow<'a>> Iterator for Typed<'a, T> {
    type Item = Result<T, RowError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        self.rows.next().map(|row| T::from_row(self.plan, row))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.rows.size_hint()
    }
}

impl<'a, T: FromRow<'a>> ExactSizeIterator for Typed<'a, T> {}
impl<'a, T: FromRow<'a>> FusedIterator for Typed<'a, T> {}

#[cfg(test)]
mod tests {
    use bytes::{Bytes, BytesMut};
    use porpoise_value::{Date, Value};
    use porpoise_wire::{Put, Run};
    use proptest::prelude::{any, prop, prop_assert, prop_assert_eq, proptest};

    use super::*;
    use crate::arbitrary::{self, column, columns};
    use crate::param::encode_params;

    fn batch(payload: Vec<u8>, columns: Columns, encoding: Encoding) -> RowBatch {
        RowBatch::new(Run::Joined(payload.into()), 1, columns, encoding)
    }

    fn frames(rows: &[&[u8]], columns: Columns) -> RowBatch {
        let mut bytes = BytesMut::new();
        for row in rows {
            bytes.put_u24_le(row.len().try_into().unwrap());
            bytes.extend_from_slice(&[&[0], *row].concat());
        }
        RowBatch::new(Run::Frames(Bytes::from(bytes)), rows.len(), columns, Encoding::Text)
    }

    /// `id` INT, `name` VARCHAR, `born` DATE
    fn fish() -> Columns {
        columns(&[column(b"id", 3, 0, 63), column(b"name", 253, 0, 255), column(b"born", 10, 0, 63)])
    }

    #[test]
    fn rows_by_position_and_by_name() {
        let batch = frames(&[b"\x017\x04orca\x0a2019-04-01", b"\x018\x04tuna\xfb"], fish());
        let plan = batch.plan::<(u8, &str, Option<Date>)>().unwrap();
        let rows: Result<Vec<_>, _> = batch.typed::<(u8, &str, Option<Date>)>(&plan).collect();
        assert_eq!(rows.unwrap(), [(7, "orca", Some("2019-04-01".parse().unwrap())), (8, "tuna", None)]);
        let row = batch.iter().next().unwrap();
        assert_eq!(row.get_as::<&[u8]>("NAME"), Ok(&b"orca"[..]));
        assert_eq!(row.value(0), Ok(ValueRef::Int(7)));
        assert_eq!(row.value(3), Err(RowError::NoSuchColumn { index: 3, columns: 3 }));
        assert_eq!(
            row.get_as::<u8>("size").unwrap_err().to_string(),
            "the row needs a column `size`, and there is none"
        );
    }

    #[test]
    fn errors_name_the_column() {
        let error = |row: &'static [u8], index: usize| {
            let batch = frames(&[row], fish());
            let row = batch.iter().next().unwrap();
            let error = match index {
                0 => row.get_as::<u8>(0).unwrap_err(),
                1 => row.get_as::<&str>(1).unwrap_err(),
                _ => row.get_as::<Date>(2).unwrap_err(),
            };
            error.to_string()
        };
        assert_eq!(error(b"\x03300\xfb\xfb", 0), "column 0 `id` (INT) does not fit u8: out of range");
        assert_eq!(
            error(b"\x013\xfb\xfb", 2),
            "column 2 `born` (DATE) does not fit porpoise_value::date::Date: it is NULL"
        );
        assert_eq!(error(b"\x013\x01\xe9\xfb", 1), "column 1 `name` (text) does not fit &str: not UTF-8");
        assert_eq!(
            error(b"\x01x\xfb\xfb", 0),
            "column 0 `id` (INT) does not fit u8: not what the server promised"
        );
        assert!(error(b"\x0a3", 0).starts_with("malformed row"));
    }

    #[test]
    fn a_plan_checks_kinds_and_counts_once() {
        let batch = frames(&[b"\x013\xfb\xfb"], fish());
        let error = batch.plan::<(u8, &str)>().unwrap_err();
        assert_eq!(error.to_string(), "(u8, &str) takes 2 columns, and there are 3");
        let error = batch.plan::<(&str, &str, Date)>().unwrap_err();
        assert_eq!(error.to_string(), "column 0 `id` (INT) never fits &str");
        // A plan of other columns.
        let other = frames(&[b"\x013"], columns(&[column(b"id", 3, 0, 63)]));
        let plan = other.plan::<(u8,)>().unwrap();
        let error = batch.typed::<(u8,)>(&plan).next().unwrap().unwrap_err();
        assert_eq!(error, PlanError::Foreign.into());
    }

    #[test]
    fn bytes_behind_the_last_cell_are_an_error() {
        let batch = frames(&[b"\x013\x01x"], columns(&[column(b"id", 3, 0, 63)]));
        let plan = batch.plan::<u8>().unwrap();
        let error = batch.typed::<u8>(&plan).next().unwrap().unwrap_err();
        assert_eq!(error, porpoise_wire::WireError::TrailingBytes { left: 2 }.into());
    }

    #[test]
    fn text_without_definitions_is_text() {
        let batch = frames(&[b"\x013\x01x"], Columns::undefined(2));
        let plan = batch.plan::<(&[u8], &str)>().unwrap();
        assert_eq!(batch.typed::<(&[u8], &str)>(&plan).next(), Some(Ok((&b"3"[..], "x"))));
        let plan = batch.plan::<(u8, &str)>().unwrap();
        let error = batch.typed::<(u8, &str)>(&plan).next().unwrap().unwrap_err();
        assert_eq!(error.to_string(), "column 0 (text) does not fit u8: values of this kind are not taken");
    }

    proptest! {
        /// What is encoded as parameters is decoded as a binary row; and its text is decoded to the same.
        #[test]
        fn parameters_binary_and_text_agree(values in prop::collection::vec(arbitrary::value(), 1..12)) {
            let columns = columns(&values.iter().map(arbitrary::column_of).collect::<Vec<_>>());
            let mut block = BytesMut::new();
            let placeholders = porpoise_value::Placeholders::positional(values.len());
            encode_params(&mut block, &values, placeholders, &[(); 0].map(|()| ("", 0)), false).unwrap();
            // A row's bitmap begins at bit 2, that of parameters at bit 0; no types stand between.
            let bitmap = values.len().div_ceil(8);
            let mut row = vec![0; 1 + (values.len() + 9) / 8];
            for (index, _) in values.iter().enumerate().filter(|(_, value)| value.is_null()) {
                row[1 + (index + 2) / 8] |= 1 << ((index + 2) % 8);
                prop_assert!(block[index / 8] & (1 << (index % 8)) != 0);
            }
            row.extend_from_slice(&block[bitmap + 1 + 2 * values.len()..]);
            let binary = batch(row, columns.clone(), Encoding::Binary);
            let plan = binary.plan::<Vec<Value>>().unwrap();
            let read = binary.typed::<Vec<Value>>(&plan).next().unwrap().unwrap();
            prop_assert_eq!(&read, &values);

            let mut row = BytesMut::new();
            for value in &values {
                match arbitrary::text_of(value) {
                    Some(text) => row.put_lenenc_bytes(&text),
                    None => row.extend_from_slice(&[0xfb]),
                }
            }
            let text = batch(row.to_vec(), columns, Encoding::Text);
            for (index, value) in values.iter().enumerate() {
                let (text, binary) = (text.iter().next().unwrap(), binary.iter().next().unwrap());
                prop_assert_eq!(text.value(index).unwrap(), binary.value(index).unwrap());
                prop_assert_eq!(text.get_as::<Value>(index), Ok(value.clone()));
            }
        }

        #[test]
        fn no_bytes_make_it_panic(
            types in prop::collection::vec((any::<u8>(), any::<u16>(), any::<u16>()), 0..12),
            row in any::<Vec<u8>>(),
            binary in any::<bool>(),
        ) {
            let columns = columns(&types.iter().map(|(t, flags, collation)| column(b"c", *t, *flags, *collation)).collect::<Vec<_>>());
            let encoding = if binary { Encoding::Binary } else { Encoding::Text };
            let batch = batch(row, columns, encoding);
            for row in &batch {
                for index in 0..=types.len() {
                    let _ = row.value(index);
                }
            }
            if let Ok(plan) = batch.plan::<Vec<Value>>() {
                let _ = batch.typed::<Vec<Value>>(&plan).next();
            }
            if let Ok(plan) = batch.plan::<(Option<i8>, Option<String>)>() {
                let _ = batch.typed::<(Option<i8>, Option<String>)>(&plan).next();
            }
        }
    }
}
