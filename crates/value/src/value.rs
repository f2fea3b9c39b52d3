use std::fmt;
use std::str::Utf8Error;

use crate::{
    ConvertError, Date, DateTime, Decimal, DecimalRef, Geometry, GeometryRef, Kind, PackedDecimal,
    SetMembers, Time, VectorRef,
};

/// A value, borrowed from the bytes that it was sent in.
///
/// The text and the binary encoding of a value give the same one. DECIMAL and SET have other forms in the X Protocol, of which
/// no text can be borrowed; owned values are the same.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum ValueRef<'a> {
    /// NULL.
    Null,
    /// An integer of a signed type.
    Int(i64),
    /// An integer of an unsigned type, or a YEAR.
    UInt(u64),
    /// FLOAT.
    Float(f32),
    /// DOUBLE.
    Double(f64),
    /// DECIMAL.
    Decimal(DecimalRef<'a>),
    /// DECIMAL, as the X Protocol sends it.
    PackedDecimal(PackedDecimal<'a>),
    /// Text, ENUM or SET, not yet checked to be UTF-8: see [`as_str`](Self::as_str).
    Text(&'a [u8]),
    /// Bytes.
    Bytes(&'a [u8]),
    /// SET, as the X Protocol sends it.
    SetMembers(SetMembers<'a>),
    /// DATE.
    Date(Date),
    /// DATETIME or TIMESTAMP.
    DateTime(DateTime),
    /// TIME.
    Time(Time),
    /// BIT: the bits as a number.
    Bit(u64),
    /// JSON, not yet checked to be UTF-8.
    Json(&'a [u8]),
    /// A geometry.
    Geometry(GeometryRef<'a>),
    /// VECTOR.
    Vector(VectorRef<'a>),
}

impl<'a> ValueRef<'a> {
    /// Whether it is NULL.
    #[must_use]
    pub const fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// The bytes of text, bytes, JSON, a DECIMAL, a geometry or a vector.
    #[must_use]
    pub const fn as_bytes(&self) -> Option<&'a [u8]> {
        match self {
            Self::Text(bytes) | Self::Bytes(bytes) | Self::Json(bytes) => Some(bytes),
            Self::Decimal(decimal) => Some(decimal.as_str().as_bytes()),
            Self::Geometry(geometry) => Some(geometry.as_bytes()),
            Self::Vector(vector) => Some(vector.as_bytes()),
            _ => None,
        }
    }

    /// Text, bytes, JSON or a DECIMAL as a `str`.
    ///
    /// # Errors
    /// The bytes are no UTF-8; [`as_bytes`](Self::as_bytes) has them.
    pub fn as_str(&self) -> Option<Result<&'a str, Utf8Error>> {
        match self {
            Self::Text(bytes) | Self::Bytes(bytes) | Self::Json(bytes) => Some(std::str::from_utf8(bytes)),
            Self::Decimal(decimal) => Some(Ok(decimal.as_str())),
            _ => None,
        }
    }

    /// An owned copy.
    ///
    /// # Errors
    /// [`ConvertError::NotUtf8`] for text that is not.
    pub fn to_owned(&self) -> Result<Value, ConvertError> {
        Ok(match *self {
            Self::Null => Value::Null,
            Self::Int(n) => Value::Int(n),
            Self::UInt(n) => Value::UInt(n),
            Self::Float(n) => Value::Float(n),
            Self::Double(n) => Value::Double(n),
            Self::Decimal(decimal) => Value::Decimal(decimal.into()),
            Self::PackedDecimal(decimal) => Value::Decimal(decimal.into()),
            Self::SetMembers(set) => Value::Text(text(set.join())?),
            Self::Text(text) => Value::Text(utf8(text)?.into()),
            Self::Bytes(bytes) => Value::Bytes(bytes.into()),
            Self::Date(date) => Value::Date(date),
            Self::DateTime(moment) => Value::DateTime(moment),
            Self::Time(time) => Value::Time(time),
            Self::Bit(bits) => Value::Bit(bits),
            Self::Json(text) => Value::Json(utf8(text)?.into()),
            Self::Geometry(geometry) => Value::Geometry(geometry.into()),
            Self::Vector(vector) => Value::Vector(vector.iter().collect()),
        })
    }
}

/// Checks text once.
#[inline]
pub(crate) fn utf8(text: &[u8]) -> Result<&str, ConvertError> {
    std::str::from_utf8(text).map_err(|_| ConvertError::NotUtf8)
}

/// Bytes that were put together are text.
pub(crate) fn text(bytes: Vec<u8>) -> Result<String, ConvertError> {
    String::from_utf8(bytes).map_err(|_| ConvertError::NotUtf8)
}

/// A value that owns its bytes: of a row whose columns are not known before, or a parameter.
#[derive(Clone, Default, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// NULL.
    #[default]
    Null,
    /// An integer of a signed type.
    Int(i64),
    /// An integer of an unsigned type, or a YEAR.
    UInt(u64),
    /// FLOAT.
    Float(f32),
    /// DOUBLE.
    Double(f64),
    /// DECIMAL.
    Decimal(Decimal),
    /// Text, ENUM or SET.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
    /// DATE.
    Date(Date),
    /// DATETIME or TIMESTAMP.
    DateTime(DateTime),
    /// TIME.
    Time(Time),
    /// BIT: the bits as a number.
    Bit(u64),
    /// JSON.
    Json(String),
    /// A geometry.
    Geometry(Geometry),
    /// VECTOR.
    Vector(Vec<f32>),
}

impl Value {
    /// Whether it is NULL.
    #[must_use]
    pub const fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// What the value is. Integers count as 64 bits wide.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Null => Kind::Null,
            Self::Int(_) => Kind::Int { bits: 64, unsigned: false },
            Self::UInt(_) => Kind::Int { bits: 64, unsigned: true },
            Self::Float(_) => Kind::Float,
            Self::Double(_) => Kind::Double,
            Self::Decimal(_) => Kind::Decimal,
            Self::Text(_) => Kind::Text,
            Self::Bytes(_) => Kind::Bytes,
            Self::Date(_) => Kind::Date,
            Self::DateTime(_) => Kind::DateTime,
            Self::Time(_) => Kind::Time,
            Self::Bit(_) => Kind::Bit,
            Self::Json(_) => Kind::Json,
            Self::Geometry(_) => Kind::Geometry,
            Self::Vector(_) => Kind::Vector,
        }
    }
}

/// As SQL would write it; bytes in hexadecimal.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("NULL"),
            Self::Int(n) => n.fmt(f),
            Self::UInt(n) | Self::Bit(n) => n.fmt(f),
            Self::Float(n) => n.fmt(f),
            Self::Double(n) => n.fmt(f),
            Self::Decimal(decimal) => decimal.fmt(f),
            Self::Text(text) | Self::Json(text) => text.fmt(f),
            Self::Bytes(bytes) => hex(f, bytes),
            Self::Date(date) => date.fmt(f),
            Self::DateTime(moment) => moment.fmt(f),
            Self::Time(time) => time.fmt(f),
            Self::Geometry(geometry) => hex(f, geometry.borrow().as_bytes()),
            Self::Vector(numbers) => write!(f, "{numbers:?}"),
        }
    }
}

fn hex(f: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    f.write_str("0x")?;
    bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
}

/// Text in quotes, so that `NULL` and `"NULL"` differ.
impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) | Self::Json(text) => fmt::Debug::fmt(text, f),
            other => fmt::Display::fmt(other, f),
        }
    }
}

/// A parameter on its way into a buffer.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ParamRef<'a> {
    /// A value that is borrowed.
    Value(ValueRef<'a>),
    /// A value that had to be made, as of a type of another crate that does not hold MySQL's form of it.
    Owned(Value),
    /// A VECTOR.
    Vector(&'a [f32]),
    /// No value here: it was sent before, by `COM_STMT_SEND_LONG_DATA`.
    LongData,
}

impl<'a> From<ValueRef<'a>> for ParamRef<'a> {
    fn from(value: ValueRef<'a>) -> Self {
        Self::Value(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_that_is_not_utf8_can_be_had_as_bytes() {
        let value = ValueRef::Text(b"caf\xe9");
        assert_eq!(value.as_bytes(), Some(&b"caf\xe9"[..]));
        assert!(value.as_str().unwrap().is_err());
        assert_eq!(value.to_owned(), Err(ConvertError::NotUtf8));
        assert_eq!(ValueRef::Bytes(b"\xe9").to_owned(), Ok(Value::Bytes(vec![0xe9])));
    }

    #[test]
    fn how_values_look() {
        let shown = |value: Value| (value.to_string(), format!("{value:?}"));
        assert_eq!(shown(Value::Text("NULL".into())), ("NULL".into(), "\"NULL\"".into()));
        assert_eq!(shown(Value::Null), ("NULL".into(), "NULL".into()));
        assert_eq!(shown(Value::Bytes(vec![0, 0xff])), ("0x00ff".into(), "0x00ff".into()));
        assert_eq!(shown(Value::Vector(vec![1.0, -0.5])).0, "[1.0, -0.5]");
    }

    #[test]
    fn a_borrowed_value_is_small() {
        assert!(size_of::<ValueRef<'_>>() <= 32, "{}", size_of::<ValueRef<'_>>());
    }
}
