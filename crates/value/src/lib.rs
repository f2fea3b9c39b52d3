//! MySQL's values as plain Rust types: conversions, typed rows, parameters.
//!
//! Knows no protocol: whoever reads rows tells each cell as a [`ValueRef`], and each column's [`Kind`]; whoever writes
//! parameters takes [`ParamRef`]s.
//!
//! ```
//! use porpoise_value::{Date, ValueRef, ValueRow};
//!
//! let names = ["name", "born"];
//! let born = "2019-04-01".parse::<Date>()?;
//! let values = [ValueRef::Text(b"orca"), ValueRef::Date(born)];
//! let row = ValueRow::new(&names, &values);
//! assert_eq!(row.read::<(&str, Option<Date>)>()?, ("orca", Some(born)));
//!
//! let error = row.read::<(&str, u32)>().unwrap_err();
//! assert_eq!(error.to_string(), "column 1 `born` (DATE) never fits u32");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Conversions
//!
//! A value becomes a type whole or not at all: nothing is rounded, cut, or wrapped around. What does not fit is an
//! error that names column, kind, type and reason, and never the value.
//!
//! | Rust type | takes | refuses |
//! |---|---|---|
//! | `i8` to `i64`, `u8` to `u64`, `isize`, `usize` | integers, YEAR, BIT, DECIMAL | what is out of range; a DECIMAL with a fraction |
//! | `bool` | integers, BIT | all but 0 and 1 |
//! | `f64` | DOUBLE, FLOAT, integers, DECIMAL | integers beyond 2^53; a DECIMAL of more than 15 significant digits |
//! | `f32` | FLOAT, integers | integers beyond 2^24 |
//! | [`Decimal`] | DECIMAL | |
//! | [`DecimalRef`] | DECIMAL of the classic protocol | |
//! | [`PackedDecimal`], [`SetMembers`] | DECIMAL and SET of the X Protocol | |
//! | `String`, `Cow<str>`, `Box<str>`, `Rc<str>`, `Arc<str>` | text, ENUM, SET, JSON, DECIMAL, bytes | what is not UTF-8 |
//! | `&str` | the same, but for what the X Protocol does not send as text: DECIMAL, SET | what is not UTF-8 |
//! | `Vec<u8>`, `&[u8]`, `Cow<[u8]>`, `Box<[u8]>`, `Arc<[u8]>`, `Bytes` | the same, text in other character sets, geometries, VECTOR | |
//! | [`Date`] | DATE | |
//! | [`DateTime`] | DATETIME, TIMESTAMP | |
//! | [`Time`] | TIME | |
//! | `std::time::Duration` | TIME | what is negative |
//! | `Vec<f32>`, [`VectorRef`] | VECTOR, bytes (MariaDB's VECTOR) | bytes that are no whole numbers |
//! | [`Geometry`], [`GeometryRef`] | geometries | |
//! | `Option<T>` | what `T` takes, and NULL | |
//! | [`Value`] | everything | text that is not UTF-8 |
//! | [`ValueRef`] | everything | |
//!
//! | feature | Rust type | takes | refuses |
//! |---|---|---|---|
//! | `jiff` | `civil::Date`, `civil::DateTime`, `civil::Time`, `SignedDuration` | DATE; DATETIME and TIMESTAMP; TIME; TIME | dates that the calendar does not have; times that are none of a day |
//! | `time` | `Date`, `PrimitiveDateTime`, `Time`, `Duration` | as for `jiff` | as for `jiff` |
//! | `chrono` | `NaiveDate`, `NaiveDateTime`, `NaiveTime`, `TimeDelta` | as for `jiff` | as for `jiff` |
//! | `rust_decimal` | `Decimal` | DECIMAL, integers | more digits than it has |
//! | `bigdecimal` | `BigDecimal` | DECIMAL, integers | |
//! | `uuid` | `Uuid`, `fmt::Hyphenated` | 16 bytes, or text | what is none |
//! | `serde_json` | `Value`, `Json<T>` of any `T` | JSON, text (MariaDB's JSON) | other shapes |
//!
//! There is no type with a time zone among them: a TIMESTAMP is sent in the time zone of the session, which only who has
//! set it knows.
//!
//! All of these can be parameters, too, and `str`, `[u8]`, `[f32]`, arrays of the last two, and references and smart
//! pointers to any. Floats that are not finite, years beyond 9999, parts of a microsecond and spans longer than a TIME are
//! refused.
//!
//! Text is sent and read as UTF-8, so the connection's character set must be `utf8mb4`.
//!
//! In text rows a server writes FLOAT with six digits: that is all there is to read. Binary rows have all of it.

mod convert;
mod date;
mod decimal;
mod digits;
mod error;
mod kind;
mod named;
mod numbers;
mod packed;
mod params;
mod plain;
mod plan;
mod raw;
#[macro_use]
mod row;
mod time;
mod value;
mod with;

pub use convert::{FromValue, ToValue};
pub use date::{Date, DateTime};
pub use decimal::{Decimal, DecimalRef};
pub use error::{CellError, ConvertError, ParamError, PlanError};
pub use kind::Kind;
pub use named::NamedSql;
pub use packed::{PackedDecimal, SetMembers, UnpackedDecimal};
pub use params::{LongData, Named, ParamSink, Params, Placeholders};
pub use plan::{ColumnSource, Field, Plan, PlanStep};
pub use raw::{Geometry, GeometryRef, VectorRef};
pub use row::{CellSource, FromRow, ReadError, RowSource, ValueCells, ValueRow};
pub use time::Time;
pub use value::{ParamRef, Value, ValueRef};
#[cfg(feature = "serde_json")]
pub use with::Json;
