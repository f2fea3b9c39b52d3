//! Conversions of text, bytes, and of the types of this crate.

use std::borrow::Cow;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::convert::unfit;
use crate::value::{text, utf8};
use crate::{
    ConvertError, Date, DateTime, Decimal, DecimalRef, FromValue, Geometry, GeometryRef, Kind, PackedDecimal,
    ParamRef, SetMembers, Time, ToValue, Value, ValueRef, VectorRef,
};

impl<'a> FromValue<'a> for &'a str {
    fn accepts(kind: Kind) -> bool {
        kind.is_text() || matches!(kind, Kind::Bytes | Kind::Decimal)
    }

    #[inline(always)]
    fn from_value(value: ValueRef<'a>) -> Result<Self, ConvertError> {
        match value {
            ValueRef::Text(bytes) | ValueRef::Bytes(bytes) | ValueRef::Json(bytes) => utf8(bytes),
            ValueRef::Decimal(decimal) => Ok(decimal.as_str()),
            other => Err(unfit(other)),
        }
    }
}

impl<'a> FromValue<'a> for &'a [u8] {
    fn accepts(kind: Kind) -> bool {
        <&str>::accepts(kind) || matches!(kind, Kind::OtherText | Kind::Geometry | Kind::Vector)
    }

    #[inline]
    fn from_value(value: ValueRef<'a>) -> Result<Self, ConvertError> {
        value.as_bytes().ok_or_else(|| unfit(value))
    }
}

/// Types that are made of a borrowed one, or else of what `$made` gives.
macro_rules! owned {
    ($($owned:ty, from $borrowed:ty, $made:ident;)+) => {$(
        impl<'a> FromValue<'a> for $owned {
            fn accepts(kind: Kind) -> bool {
                <$borrowed>::accepts(kind) || matches!(kind, Kind::PackedDecimal | Kind::SetMembers)
            }

            #[inline]
            fn from_value(value: ValueRef<'a>) -> Result<Self, ConvertError> {
                match value {
                    ValueRef::PackedDecimal(_) | ValueRef::SetMembers(_) => $made(value).map(Self::from),
                    value => <$borrowed>::from_value(value).map(Self::from),
                }
            }
        }
    )+};
}

/// What cannot be borrowed as text, as bytes.
#[cold]
fn made_bytes(value: ValueRef<'_>) -> Result<Vec<u8>, ConvertError> {
    match value {
        ValueRef::PackedDecimal(decimal) => Ok(decimal.to_string().into_bytes()),
        ValueRef::SetMembers(set) => Ok(set.join()),
        other => Err(unfit(other)),
    }
}

/// The same as text.
#[cold]
fn made_text(value: ValueRef<'_>) -> Result<String, ConvertError> {
    text(made_bytes(value)?)
}

owned! {
    String, from &'a str, made_text;
    Box<str>, from &'a str, made_text;
    Arc<str>, from &'a str, made_text;
    Rc<str>, from &'a str, made_text;
    Cow<'a, str>, from &'a str, made_text;
    Vec<u8>, from &'a [u8], made_bytes;
    Box<[u8]>, from &'a [u8], made_bytes;
    Arc<[u8]>, from &'a [u8], made_bytes;
    Cow<'a, [u8]>, from &'a [u8], made_bytes;
}

impl FromValue<'_> for Decimal {
    fn accepts(kind: Kind) -> bool {
        kind.is_decimal()
    }

    fn from_value(value: ValueRef<'_>) -> Result<Self, ConvertError> {
        match value {
            ValueRef::Decimal(decimal) => Ok(decimal.into()),
            ValueRef::PackedDecimal(decimal) => Ok(decimal.into()),
            other => Err(unfit(other)),
        }
    }
}

impl FromValue<'_> for Geometry {
    fn accepts(kind: Kind) -> bool {
        GeometryRef::accepts(kind)
    }

    fn from_value(value: ValueRef<'_>) -> Result<Self, ConvertError> {
        GeometryRef::from_value(value).map(Self::from)
    }
}

/// A copy: a value knows nothing of the buffer that it lies in.
impl<'a> FromValue<'a> for Bytes {
    fn accepts(kind: Kind) -> bool {
        Vec::<u8>::accepts(kind)
    }

    fn from_value(value: ValueRef<'a>) -> Result<Self, ConvertError> {
        Vec::<u8>::from_value(value).map(Self::from)
    }
}

/// Types of which there is a variant.
macro_rules! variants {
    ($($target:ty: $variant:ident, $($kind:ident)|+;)+) => {$(
        impl<'a> FromValue<'a> for $target {
            fn accepts(kind: Kind) -> bool {
                matches!(kind, $(Kind::$kind)|+)
            }

            #[inline]
            fn from_value(value: ValueRef<'a>) -> Result<Self, ConvertError> {
                match value {
                    ValueRef::$variant(value) => Ok(value),
                    other => Err(unfit(other)),
                }
            }
        }

        impl<'a> ToValue for $target {
            #[inline]
            fn to_value(&self) -> Result<ParamRef<'_>, ConvertError> {
                Ok(ParamRef::Value(ValueRef::$variant(*self)))
            }
        }
    )+};
}

variants! {
    Date: Date, Date;
    DateTime: DateTime, DateTime | Timestamp;
    Time: Time, Time;
    DecimalRef<'a>: Decimal, Decimal;
}

/// Types that only the X Protocol gives.
macro_rules! packed {
    ($($target:ident)+) => {$(
        impl<'a> FromValue<'a> for $target<'a> {
            fn accepts(kind: Kind) -> bool {
                kind == Kind::$target
            }

            #[inline]
            fn from_value(value: ValueRef<'a>) -> Result<Self, ConvertError> {
                match value {
                    ValueRef::$target(value) => Ok(value),
                    other => Err(unfit(other)),
                }
            }
        }
    )+};
}

packed! { PackedDecimal SetMembers }

impl FromValue<'_> for Duration {
    fn accepts(kind: Kind) -> bool {
        Time::accepts(kind)
    }

    fn from_value(value: ValueRef<'_>) -> Result<Self, ConvertError> {
        Time::from_value(value)?.try_into()
    }
}

impl ToValue for Duration {
    fn to_value(&self) -> Result<ParamRef<'_>, ConvertError> {
        Time::try_from(*self).map(|time| ParamRef::Value(ValueRef::Time(time)))
    }
}

impl<'a> FromValue<'a> for GeometryRef<'a> {
    fn accepts(kind: Kind) -> bool {
        kind == Kind::Geometry
    }

    fn from_value(value: ValueRef<'a>) -> Result<Self, ConvertError> {
        match value {
            ValueRef::Geometry(geometry) => Ok(geometry),
            other => Err(unfit(other)),
        }
    }
}

/// MariaDB sends its VECTOR as bytes.
impl<'a> FromValue<'a> for VectorRef<'a> {
    fn accepts(kind: Kind) -> bool {
        matches!(kind, Kind::Vector | Kind::Bytes)
    }

    fn from_value(value: ValueRef<'a>) -> Result<Self, ConvertError> {
        match value {
            ValueRef::Vector(vector) => Ok(vector),
            ValueRef::Bytes(bytes) => Self::parse(bytes),
            other => Err(unfit(other)),
        }
    }
}

impl<'a> FromValue<'a> for Vec<f32> {
    fn accepts(kind: Kind) -> bool {
        VectorRef::accepts(kind)
    }

    fn from_value(value: ValueRef<'a>) -> Result<Self, ConvertError> {
        VectorRef::from_value(value).map(|vector| vector.iter().collect())
    }
}

/// Every kind; text in another character set fails.
impl<'a> FromValue<'a> for Value {
    fn accepts(kind: Kind) -> bool {
        kind != Kind::OtherText
    }

    fn from_value(value: ValueRef<'a>) -> Result<Self, ConvertError> {
        value.to_owned()
    }
}

/// Every kind.
impl<'a> FromValue<'a> for ValueRef<'a> {
    fn accepts(_: Kind) -> bool {
        true
    }

    #[inline]
    fn from_value(value: Self) -> Result<Self, ConvertError> {
        Ok(value)
    }
}

macro_rules! params {
    ($([$($generic:tt)*] $target:ty, $this:ident => $value:expr;)+) => {$(
        impl<$($generic)*> ToValue for $target {
            #[inline]
            fn to_value(&self) -> Result<ParamRef<'_>, ConvertError> {
                let $this = self;
                Ok($value)
            }
        }
    )+};
}

params! {
    [] str, text => ValueRef::Text(text.as_bytes()).into();
    [] String, text => ValueRef::Text(text.as_bytes()).into();
    [] Cow<'_, str>, text => ValueRef::Text(text.as_bytes()).into();
    [] [u8], bytes => ValueRef::Bytes(bytes).into();
    [] Vec<u8>, bytes => ValueRef::Bytes(bytes).into();
    [] Cow<'_, [u8]>, bytes => ValueRef::Bytes(bytes).into();
    [] Bytes, bytes => ValueRef::Bytes(bytes).into();
    [const N: usize] [u8; N], bytes => ValueRef::Bytes(bytes).into();
    [] [f32], numbers => ParamRef::Vector(numbers);
    [] Vec<f32>, numbers => ParamRef::Vector(numbers);
    [const N: usize] [f32; N], numbers => ParamRef::Vector(numbers);
    [] VectorRef<'_>, vector => ValueRef::Vector(*vector).into();
    [] GeometryRef<'_>, geometry => ValueRef::Geometry(*geometry).into();
    [] Geometry, geometry => ValueRef::Geometry(geometry.borrow()).into();
    [] Decimal, decimal => ValueRef::Decimal(decimal.borrow()).into();
}

impl ToValue for Value {
    fn to_value(&self) -> Result<ParamRef<'_>, ConvertError> {
        match self {
            Self::Null => Ok(ValueRef::Null.into()),
            Self::Int(n) => n.to_value(),
            Self::UInt(n) => n.to_value(),
            Self::Float(n) => n.to_value(),
            Self::Double(n) => n.to_value(),
            Self::Decimal(decimal) => decimal.to_value(),
            Self::Text(text) => text.to_value(),
            Self::Bytes(bytes) => bytes.to_value(),
            Self::Date(date) => date.to_value(),
            Self::DateTime(moment) => moment.to_value(),
            Self::Time(time) => time.to_value(),
            Self::Bit(bits) => Ok(ValueRef::Bit(*bits).into()),
            Self::Json(text) => Ok(ValueRef::Json(text.as_bytes()).into()),
            Self::Geometry(geometry) => geometry.to_value(),
            Self::Vector(numbers) => numbers.to_value(),
        }
    }
}

macro_rules! values {
    ($($from:ty: $variant:ident;)+) => {$(
        impl From<$from> for Value {
            fn from(value: $from) -> Self {
                Self::$variant(value.into())
            }
        }
    )+};
}

values! {
    bool: Int;
    i8: Int;
    i16: Int;
    i32: Int;
    i64: Int;
    u8: UInt;
    u16: UInt;
    u32: UInt;
    u64: UInt;
    f32: Float;
    f64: Double;
    Decimal: Decimal;
    &str: Text;
    String: Text;
    &[u8]: Bytes;
    Vec<u8>: Bytes;
    Date: Date;
    DateTime: DateTime;
    Time: Time;
    Geometry: Geometry;
    &[f32]: Vector;
    Vec<f32>: Vector;
}

impl<T: Into<Self>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_bytes() {
        assert_eq!(<&str>::from_value(ValueRef::Text("é".as_bytes())), Ok("é"));
        assert_eq!(<&str>::from_value(ValueRef::Text(b"\xe9")), Err(ConvertError::NotUtf8));
        assert_eq!(<&[u8]>::from_value(ValueRef::Text(b"\xe9")), Ok(&b"\xe9"[..]));
        assert_eq!(String::from_value(ValueRef::Bytes(b"SHOW")), Ok("SHOW".to_owned()));
        assert_eq!(String::from_value(ValueRef::Int(1)), Err(ConvertError::Kind));
        assert_eq!(String::from_value(ValueRef::Null), Err(ConvertError::Null));
        assert!(!<&str>::accepts(Kind::OtherText) && <&[u8]>::accepts(Kind::OtherText));
    }

    #[test]
    fn spans_and_vectors() {
        let time = ValueRef::Time("-00:00:01".parse().unwrap());
        assert_eq!(Duration::from_value(time), Err(ConvertError::Negative));
        assert_eq!(Vec::<f32>::from_value(ValueRef::Bytes(&[0, 0, 0x80, 0x3f])), Ok(vec![1.0]));
        assert_eq!(Vec::<f32>::from_value(ValueRef::Bytes(&[0; 3])), Err(ConvertError::Length));
    }

    #[test]
    fn a_value_is_the_parameter_that_it_was_made_of() {
        for value in [
            Value::Null,
            Value::from(-1_i8),
            Value::from(u64::MAX),
            Value::from(0.5_f32),
            Value::from("text"),
            Value::from(vec![1_u8]),
            Value::from(Time::MIN),
            Value::from(DateTime::ZERO),
            Value::from(Geometry::new(0, &[1])),
            Value::Json("{}".into()),
            Value::Bit(5),
            Value::from("1.50".parse::<Decimal>().unwrap()),
        ] {
            let ParamRef::Value(param) = value.to_value().unwrap() else { panic!("{value}") };
            assert_eq!(param.to_owned(), Ok(value.clone()));
            assert!(value.is_null() || Value::accepts(value.kind()));
        }
        assert_eq!(Value::from(None::<&str>), Value::Null);
        assert_eq!(Value::from(vec![1.0_f32]).to_value(), Ok(ParamRef::Vector(&[1.0])));
    }
}
