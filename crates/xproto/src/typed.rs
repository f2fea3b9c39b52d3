use std::fmt;
use std::iter::FusedIterator;
use std::marker::PhantomData;

use porpoise_value::{
    CellError, CellSource, ColumnSource, FromRow, FromValue, Kind, Plan, PlanError, RowSource, ValueRef,
};
use porpoise_wire::WireError;

use crate::columns::Entry;
use crate::decode::{decode, quick};
use crate::row::{Cells, Rows};
use crate::{Columns, RowBatch, RowRef};

impl RowBatch {
    /// Finds the columns that rows of type `T` need, and checks their kinds. Do it once for a result.
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
        let mut cells = TypedCells::new(*self);
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
        if *self < columns.len() { Ok(*self) } else { Err(RowError::no_such_column(*self, columns)) }
    }
}

impl ColumnIndex for &str {
    fn find(&self, columns: &Columns) -> Result<usize, RowError> {
        Ok(columns.position(self)?)
    }
}

/// A column is nameless where the metadata is compact, and its kind is not told where only the values can tell it.
impl ColumnSource for Columns {
    fn len(&self) -> usize {
        self.len()
    }

    fn name(&self, index: usize) -> Option<&[u8]> {
        self.name(index)
    }

    fn kind(&self, index: usize) -> Option<Kind> {
        self.entries().get(index).filter(|entry| !entry.format.is_vague()).map(|entry| entry.kind)
    }
}

impl<'a> RowSource<'a> for RowRef<'a> {
    type Error = RowError;
    type Cells = TypedCells<'a>;

    #[inline(always)]
    fn cells(self, plan: &Plan) -> Result<TypedCells<'a>, RowError> {
        if plan.columns() != self.columns().len() {
            return Err(PlanError::Foreign.into());
        }
        Ok(TypedCells::new(self))
    }
}

/// The cells of a row, each to become a type of the caller's choice.
#[derive(Clone, Debug)]
pub struct TypedCells<'a> {
    cells: Cells<'a>,
    /// The columns from the next one on.
    entries: &'a [Entry],
    columns: &'a Columns,
}

impl<'a> TypedCells<'a> {
    #[inline(always)]
    fn new(row: RowRef<'a>) -> Self {
        Self { cells: row.iter(), entries: row.columns().entries(), columns: row.columns() }
    }

    /// The next cell, if it is a usual one and fits. Nothing is taken if not.
    #[inline(always)]
    fn quick<T: FromValue<'a>>(&mut self) -> Option<T> {
        let (entry, entries) = self.entries.split_first()?;
        let mut cells = self.cells.clone();
        let value = match cells.quick()? {
            [] => ValueRef::Null,
            bytes => quick(entry.shape, bytes)?,
        };
        let value = T::from_value(value).ok()?;
        (self.cells, self.entries) = (cells, entries);
        Some(value)
    }

    /// Any cell.
    #[cold]
    #[inline(never)]
    fn slow<T: FromValue<'a>>(&mut self) -> Result<T, RowError> {
        let index = self.columns.len() - self.entries.len();
        let (entry, cell) = self.next_cell()?;
        let value = match cell {
            Some(bytes) => decode(entry.kind, bytes),
            None => Ok(ValueRef::Null),
        };
        let value = value.and_then(T::from_value);
        value.map_err(|reason| {
            CellError::new(index, self.columns.name(index), entry.kind, T::target(), reason).into()
        })
    }

    fn next_cell(&mut self) -> Result<(&'a Entry, Option<&'a [u8]>), RowError> {
        let none = |this: &Self| RowError::no_such_column(this.columns.len(), this.columns);
        let (entry, entries) = self.entries.split_first().ok_or_else(|| none(self))?;
        let missing = WireError::Truncated { field: "Row.field", needed: 1, left: 0 };
        let cell = self.cells.next().ok_or(missing)??;
        self.entries = entries;
        Ok((entry, cell))
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

    #[inline]
    fn skip(&mut self, cells: usize) -> Result<(), RowError> {
        (0..cells).try_for_each(|_| self.next_cell().map(drop))
    }

    #[inline]
    fn finish(mut self) -> Result<(), RowError> {
        match self.cells.next() {
            None => Ok(()),
            Some(more) => {
                more?;
                Err(WireError::TrailingBytes { left: self.cells.left() }.into())
            }
        }
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

/// Why a cell cannot be read.
///
/// No larger than two words: it is a part of what every cell is read into.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RowError {
    /// There are fewer columns.
    #[non_exhaustive]
    NoSuchColumn {
        /// The column asked for, from 0.
        index: u32,
        /// How many there are.
        columns: u32,
    },
    /// The message does not hold what it says. The server is at fault.
    Malformed(Box<WireError>),
    /// A cell does not fit the type that it was asked for as.
    Cell(CellError),
    /// The columns are not those that the type needs, or that its plan was made for.
    Plan(Box<PlanError>),
}

impl RowError {
    #[cold]
    fn no_such_column(index: usize, columns: &Columns) -> Self {
        let small = |n| u32::try_from(n).unwrap_or(u32::MAX);
        Self::NoSuchColumn { index: small(index), columns: small(columns.len()) }
    }
}

impl From<CellError> for RowError {
    fn from(error: CellError) -> Self {
        Self::Cell(error)
    }
}

impl From<PlanError> for RowError {
    #[cold]
    fn from(error: PlanError) -> Self {
        Self::Plan(Box::new(error))
    }
}

impl From<WireError> for RowError {
    #[cold]
    #[inline(never)]
    fn from(error: WireError) -> Self {
        Self::Malformed(Box::new(error))
    }
}

impl fmt::Display for RowError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSuchColumn { index, columns } => write!(f, "no column {index}: the row has {columns}"),
            Self::Malformed(error) => write!(f, "malformed row: {error}"),
            Self::Cell(error) => error.fmt(f),
            Self::Plan(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for RowError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Malformed(error) => Some(error),
            Self::Cell(error) => error.source(),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use porpoise_value::Value;

    use super::*;
    use crate::columns::columns_of;

    /// `id` SINT, `name` BYTES of collation 255, `price` DECIMAL
    fn fish() -> Columns {
        // type | name | collation
        columns_of(&[
            b"\x08\x01\x12\x02id\x50\x0b",
            b"\x08\x07\x12\x04name\x40\xff\x01",
            b"\x08\x12\x12\x05price",
        ])
    }

    fn read<'a, T: FromRow<'a>>(payload: &'a [u8], columns: &'a Columns) -> Result<T, RowError> {
        RowRef::new(payload, columns).read(&T::plan(columns)?)
    }

    #[test]
    fn rows_become_tuples_and_values() {
        let columns = fish();
        // 7, "orca", 1.5
        let row = b"\x0a\x01\x0e\x0a\x05orca\0\x0a\x03\x01\x15\xc0";
        assert_eq!(read::<(u8, &str, f64)>(row, &columns), Ok((7, "orca", 1.5)));
        let values = vec![Value::Int(7), Value::Text("orca".into()), Value::Decimal("1.5".parse().unwrap())];
        assert_eq!(read::<Vec<Value>>(row, &columns), Ok(values));
        let nulls = b"\x0a\x01\x0e\x0a\0\x0a\0";
        assert_eq!(read::<(i64, Option<String>, Option<f64>)>(nulls, &columns), Ok((7, None, None)));
        let row = RowRef::new(row, &columns);
        assert_eq!(row.get_as::<&[u8]>("NAME"), Ok(&b"orca"[..]));
        assert_eq!(row.value(3), Err(RowError::NoSuchColumn { index: 3, columns: 3 }));
    }

    #[test]
    fn errors_name_the_column() {
        let columns = fish();
        let text = |payload: &[u8]| read::<(u8, &str, u8)>(payload, &columns).unwrap_err().to_string();
        assert_eq!(
            text(b"\x0a\x02\x80\x08\x0a\0\x0a\0"),
            "column 0 `id` (INT) does not fit u8: out of range"
        );
        assert_eq!(text(b"\x0a\x01\x0e\x0a\0\x0a\0"), "column 1 `name` (text) does not fit &str: it is NULL");
        assert_eq!(
            text(b"\x0a\x01\x80\x0a\0\x0a\0"),
            "column 0 `id` (INT) does not fit u8: not what the server promised"
        );
        assert_eq!(
            text(b"\x0a\x01\x0e\x0a\x02x\0\x0a\x03\x01\x15\xc0"),
            "column 2 `price` (DECIMAL) does not fit u8: it would be rounded"
        );
        let error = read::<(u8, &str, &str)>(b"", &columns).unwrap_err();
        assert_eq!(error.to_string(), "column 2 `price` (DECIMAL) never fits &str");
        for broken in [&b"\x0a\x01\x0e"[..], b"\x0a\x09x", b"\x0a\x01\x0e\x0a\x02x\0\x0a\x02\0\x1c\x0a\0"] {
            assert!(text(broken).starts_with("malformed row"), "{broken:x?}");
        }
    }

    #[test]
    fn what_the_server_does_not_tell_is_seen_value_by_value() {
        // BYTES without a collation: the literal NULL, or text of the server's own
        let columns = columns_of(&[b"\x08\x07\x12\x04NULL"]);
        assert_eq!(read::<Option<i64>>(b"\x0a\0", &columns), Ok(None));
        assert_eq!(read::<String>(b"\x0a\x02x\0", &columns), Ok("x".to_owned()));
        assert!(read::<i64>(b"\x0a\x02x\0", &columns).is_err());
        // Compact metadata has no names.
        let columns = columns_of(&[b"\x08\x01"]);
        assert_eq!(
            RowRef::new(b"\x0a\x01\x02", &columns).get_as::<i64>("id"),
            Err(PlanError::Nameless.into())
        );
    }
}
