use crate::{
    CellError, ColumnSource, ConvertError, Date, DateTime, Decimal, Field, FromValue, Geometry, Kind, Plan,
    PlanError, Time, Value, ValueRef,
};

/// A row of any protocol, to be read cell by cell.
pub trait RowSource<'r>: Copy {
    /// What can go wrong.
    type Error: From<CellError> + From<PlanError>;
    /// Its cells.
    type Cells: CellSource<'r, Error = Self::Error>;

    /// The cells, from the first one.
    ///
    /// # Errors
    /// The row does not have as many columns as the plan, or is malformed.
    fn cells(self, plan: &Plan) -> Result<Self::Cells, Self::Error>;
}

/// The cells of a row, one after another.
pub trait CellSource<'r> {
    /// What can go wrong.
    type Error;

    /// The next cell as a `T`.
    ///
    /// # Errors
    /// It does not fit, or the row is malformed, or there is none.
    fn take<T: FromValue<'r>>(&mut self) -> Result<T, Self::Error>;

    /// Passes over so many cells.
    ///
    /// # Errors
    /// The row is malformed, or there are fewer.
    fn skip(&mut self, cells: usize) -> Result<(), Self::Error>;

    /// Ends the row.
    ///
    /// # Errors
    /// The row is malformed: bytes are left.
    fn finish(self) -> Result<(), Self::Error>;
}

/// A type that a row can become.
///
/// | type | columns |
/// |---|---|
/// | tuples of up to 16 fields | one for each field, by position |
/// | a number, `bool`, text, bytes, [`Date`], ... , an `Option` of a [`FromValue`] type | one |
/// | `Vec<Value>` | any |
/// | a struct with `#[derive(FromRow)]` | by name, in any order |
///
/// A plan is made once for a result set; rows then are read straight from the bytes. `'r` is the life of these: a
/// type may borrow from them.
#[diagnostic::on_unimplemented(
    message = "rows cannot become `{Self}`",
    note = "derive `FromRow` for a struct; a tuple's fields must be `FromValue`; for one column of a type of one's own, use the tuple `({Self},)`"
)]
pub trait FromRow<'r>: Sized {
    /// Finds the columns, and checks their kinds.
    ///
    /// # Errors
    /// [`PlanError`].
    fn plan<C: ColumnSource + ?Sized>(columns: &C) -> Result<Plan, PlanError>;

    /// Reads a row.
    ///
    /// # Errors
    /// A cell does not fit; the row is malformed.
    fn from_row<R: RowSource<'r>>(plan: &Plan, row: R) -> Result<Self, R::Error>;
}

macro_rules! tuples {
    ($(($($t:ident)+);)+) => {$(
        impl<'r, $($t: FromValue<'r>),+> FromRow<'r> for ($($t,)+) {
            fn plan<Columns: ColumnSource + ?Sized>(columns: &Columns) -> Result<Plan, PlanError> {
                Plan::by_position(columns, std::any::type_name::<Self>(), &[$(Field::new::<$t>("")),+])
            }

            #[inline]
            fn from_row<Row: RowSource<'r>>(plan: &Plan, row: Row) -> Result<Self, Row::Error> {
                let mut cells = row.cells(plan)?;
                let fields = ($(cells.take::<$t>()?,)+);
                cells.finish()?;
                Ok(fields)
            }
        }
    )+};
}

tuples! {
    (A);
    (A B);
    (A B C);
    (A B C D);
    (A B C D E);
    (A B C D E F);
    (A B C D E F G);
    (A B C D E F G H);
    (A B C D E F G H I);
    (A B C D E F G H I J);
    (A B C D E F G H I J K);
    (A B C D E F G H I J K L);
    (A B C D E F G H I J K L M);
    (A B C D E F G H I J K L M N);
    (A B C D E F G H I J K L M N O);
    (A B C D E F G H I J K L M N O P);
}

/// Makes types rows of one column.
macro_rules! single {
    ($([$($generic:tt)*] $target:ty;)+) => {$(
        impl<'r, $($generic)*> $crate::FromRow<'r> for $target {
            fn plan<C: $crate::ColumnSource + ?Sized>(columns: &C) -> Result<$crate::Plan, $crate::PlanError> {
                let field = $crate::Field::new::<Self>("");
                $crate::Plan::by_position(columns, <Self as $crate::FromValue<'r>>::target(), &[field])
            }

            #[inline]
            fn from_row<R: $crate::RowSource<'r>>(plan: &$crate::Plan, row: R) -> Result<Self, R::Error> {
                use $crate::CellSource as _;
                let mut cells = row.cells(plan)?;
                let value = cells.take::<Self>()?;
                cells.finish()?;
                Ok(value)
            }
        }
    )+};
}

single! {
    [] i8;
    [] i16;
    [] i32;
    [] i64;
    [] isize;
    [] u8;
    [] u16;
    [] u32;
    [] u64;
    [] usize;
    [] f32;
    [] f64;
    [] bool;
    [] String;
    [] &'r str;
    [] Vec<u8>;
    [] &'r [u8];
    [] Vec<f32>;
    [] Date;
    [] DateTime;
    [] Time;
    [] Decimal;
    [] Geometry;
    [] Value;
    [] ValueRef<'r>;
    [T: FromValue<'r>] Option<T>;
}

/// Any columns.
impl<'r> FromRow<'r> for Vec<Value> {
    fn plan<C: ColumnSource + ?Sized>(columns: &C) -> Result<Plan, PlanError> {
        Plan::of_all(columns, Field::new::<Value>(""))
    }

    fn from_row<R: RowSource<'r>>(plan: &Plan, row: R) -> Result<Self, R::Error> {
        let mut cells = row.cells(plan)?;
        let values = (0..plan.columns()).map(|_| cells.take::<Value>()).collect::<Result<_, _>>()?;
        cells.finish()?;
        Ok(values)
    }
}

/// Rows of values that are there already, for tests and for what was kept.
#[derive(Clone, Copy, Debug)]
pub struct ValueRow<'r> {
    names: &'r [&'r str],
    values: &'r [ValueRef<'r>],
}

impl<'r> ValueRow<'r> {
    /// A row of columns of these names. A name too few is none, one too many is not used.
    #[must_use]
    pub const fn new(names: &'r [&'r str], values: &'r [ValueRef<'r>]) -> Self {
        Self { names, values }
    }

    /// Makes a plan for this row alone, and reads it.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn read<T: FromRow<'r>>(self) -> Result<T, ReadError> {
        T::from_row(&T::plan(&self)?, self)
    }
}

/// The kind of a column is that of its value here; integers count as 64 bits wide, and NULL's is not known.
impl ColumnSource for ValueRow<'_> {
    fn len(&self) -> usize {
        self.values.len()
    }

    fn name(&self, index: usize) -> Option<&[u8]> {
        self.names.get(index).map(|name| name.as_bytes())
    }

    fn kind(&self, index: usize) -> Option<Kind> {
        self.values.get(index).and_then(kind)
    }
}

const fn kind(value: &ValueRef<'_>) -> Option<Kind> {
    Some(match value {
        ValueRef::Null => return None,
        ValueRef::Int(_) => Kind::Int { bits: 64, unsigned: false },
        ValueRef::UInt(_) => Kind::Int { bits: 64, unsigned: true },
        ValueRef::Float(_) => Kind::Float,
        ValueRef::Double(_) => Kind::Double,
        ValueRef::Decimal(_) => Kind::Decimal,
        ValueRef::PackedDecimal(_) => Kind::PackedDecimal,
        ValueRef::SetMembers(_) => Kind::SetMembers,
        ValueRef::Text(_) => Kind::Text,
        ValueRef::Bytes(_) => Kind::Bytes,
        ValueRef::Date(_) => Kind::Date,
        ValueRef::DateTime(_) => Kind::DateTime,
        ValueRef::Time(_) => Kind::Time,
        ValueRef::Bit(_) => Kind::Bit,
        ValueRef::Json(_) => Kind::Json,
        ValueRef::Geometry(_) => Kind::Geometry,
        ValueRef::Vector(_) => Kind::Vector,
    })
}

impl<'r> RowSource<'r> for ValueRow<'r> {
    type Error = ReadError;
    type Cells = ValueCells<'r>;

    fn cells(self, plan: &Plan) -> Result<ValueCells<'r>, ReadError> {
        if plan.columns() != self.values.len() {
            return Err(PlanError::Foreign.into());
        }
        Ok(ValueCells { row: self, next: 0 })
    }
}

/// The cells of a [`ValueRow`].
#[derive(Clone, Debug)]
pub struct ValueCells<'r> {
    row: ValueRow<'r>,
    next: usize,
}

impl<'r> CellSource<'r> for ValueCells<'r> {
    type Error = ReadError;

    fn take<T: FromValue<'r>>(&mut self) -> Result<T, ReadError> {
        let index = self.next;
        let value = self.row.values.get(index).ok_or(PlanError::Foreign)?;
        self.next += 1;
        T::from_value(*value).map_err(|reason: ConvertError| {
            let kind = kind(value).unwrap_or(Kind::Null);
            CellError::new(index, self.row.name(index), kind, T::target(), reason).into()
        })
    }

    fn skip(&mut self, cells: usize) -> Result<(), ReadError> {
        self.next += cells;
        Ok(())
    }

    fn finish(self) -> Result<(), ReadError> {
        Ok(())
    }
}

/// Why a [`ValueRow`] cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReadError {
    /// A cell does not fit.
    Cell(CellError),
    /// The columns are not those that the type wants.
    Plan(PlanError),
}

impl From<CellError> for ReadError {
    fn from(error: CellError) -> Self {
        Self::Cell(error)
    }
}

impl From<PlanError> for ReadError {
    fn from(error: PlanError) -> Self {
        Self::Plan(error)
    }
}

impl std::fmt::Display for ReadError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Cell(error) => error.fmt(f),
            Self::Plan(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ReadError {}

#[cfg(test)]
mod tests {
    use super::*;

    const ROW: ValueRow<'_> = ValueRow::new(&["id", "name"], &[ValueRef::Int(7), ValueRef::Text(b"orca")]);

    #[test]
    fn rows_become_tuples_and_values() {
        assert_eq!(ROW.read::<(u8, &str)>(), Ok((7, "orca")));
        assert_eq!(ROW.read::<Vec<Value>>(), Ok(vec![Value::Int(7), Value::Text("orca".into())]));
        let one = ValueRow::new(&["n"], &[ValueRef::Null]);
        assert_eq!(one.read::<Option<i64>>(), Ok(None));
        assert_eq!(one.read::<Value>(), Ok(Value::Null));
        let error = one.read::<i64>().unwrap_err();
        assert_eq!(error.to_string(), "column 0 `n` (NULL) does not fit i64: it is NULL");
    }

    #[test]
    fn a_plan_for_other_columns_is_an_error() {
        let plan = <(u8, &str)>::plan(&ROW).unwrap();
        let other = ValueRow::new(&["id"], &[ValueRef::Int(7)]);
        assert_eq!(<(u8, &str)>::from_row(&plan, other), Err(PlanError::Foreign.into()));
        let error = ROW.read::<(u8,)>().unwrap_err();
        assert_eq!(error.to_string(), "(u8,) takes 1 columns, and there are 2");
    }
}
