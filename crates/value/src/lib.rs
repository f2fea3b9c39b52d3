//! MySQL's values as plain Rust types: conversions, typed rows, parameters.

mod convert;
mod date;
mod decimal;
mod digits;
mod error;
mod kind;
mod named;
mod numbers;
mod params;
mod plain;
mod plan;
mod raw;
mod row;
mod time;
mod value;

pub use convert::{FromValue, ToValue};
pub use date::{Date, DateTime};
pub use decimal::{Decimal, DecimalRef};
pub use error::{CellError, ConvertError, ParamError, PlanError};
pub use kind::Kind;
pub use named::NamedSql;
pub use params::{LongData, Named, ParamSink, Params, Placeholders};
pub use plan::{ColumnSource, Field, Plan};
pub use raw::{Geometry, GeometryRef, VectorRef};
pub use row::{CellSource, FromRow, ReadError, RowSource, ValueCells, ValueRow};
pub use time::Time;
pub use value::{ParamRef, Value, ValueRef};
