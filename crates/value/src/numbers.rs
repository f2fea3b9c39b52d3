//! Conversions of Rust's numbers.

use crate::convert::unfit;
use crate::{ConvertError, FromValue, Kind, ParamRef, ToValue, ValueRef};

/// Largest integers of which `f32` and `f64` hold all smaller ones, too.
const EXACT_F32: u64 = 1 << 24;
const EXACT_F64: u64 = 1 << 53;

macro_rules! integers {
    ($($int:ty: $wide:ty, $variant:ident;)+) => {$(
        impl FromValue<'_> for $int {
            fn accepts(kind: Kind) -> bool {
                kind.is_int() || kind.is_decimal() || kind == Kind::Bit
            }

            #[inline]
            fn from_value(value: ValueRef<'_>) -> Result<Self, ConvertError> {
                match value {
                    ValueRef::Int(n) => Self::try_from(n).map_err(|_| ConvertError::OutOfRange),
                    ValueRef::UInt(n) | ValueRef::Bit(n) => Self::try_from(n).map_err(|_| ConvertError::OutOfRange),
                    other => Self::try_from(whole(other)?).map_err(|_| ConvertError::OutOfRange),
                }
            }
        }

        impl ToValue for $int {
            #[inline]
            fn to_value(&self) -> Result<ParamRef<'_>, ConvertError> {
                let wide = <$wide>::try_from(*self).map_err(|_| ConvertError::OutOfRange)?;
                Ok(ParamRef::Value(ValueRef::$variant(wide)))
            }
        }
    )+};
}

integers! {
    i8: i64, Int;
    i16: i64, Int;
    i32: i64, Int;
    i64: i64, Int;
    isize: i64, Int;
    u8: u64, UInt;
    u16: u64, UInt;
    u32: u64, UInt;
    u64: u64, UInt;
    usize: u64, UInt;
}

/// A DECIMAL without fraction.
#[cold]
fn whole(value: ValueRef<'_>) -> Result<i128, ConvertError> {
    match value {
        ValueRef::Decimal(decimal) => decimal.to_i128(),
        ValueRef::PackedDecimal(decimal) => decimal.unpack().borrow().to_i128(),
        other => Err(unfit(other)),
    }
}

impl FromValue<'_> for bool {
    fn accepts(kind: Kind) -> bool {
        matches!(kind, Kind::Int { .. } | Kind::Bit)
    }

    #[inline]
    fn from_value(value: ValueRef<'_>) -> Result<Self, ConvertError> {
        match value {
            ValueRef::Int(0) | ValueRef::UInt(0) | ValueRef::Bit(0) => Ok(false),
            ValueRef::Int(1) | ValueRef::UInt(1) | ValueRef::Bit(1) => Ok(true),
            ValueRef::Int(_) | ValueRef::UInt(_) | ValueRef::Bit(_) => Err(ConvertError::OutOfRange),
            other => Err(unfit(other)),
        }
    }
}

impl ToValue for bool {
    #[inline]
    fn to_value(&self) -> Result<ParamRef<'_>, ConvertError> {
        Ok(ParamRef::Value(ValueRef::Int((*self).into())))
    }
}

/// An integer as it is written, if the float holds all integers up to it.
#[expect(clippy::cast_precision_loss, reason = "held against the limit of exact integers first")]
fn exact(value: ValueRef<'_>, limit: u64) -> Result<f64, ConvertError> {
    match value {
        ValueRef::Int(n) if n.unsigned_abs() <= limit => Ok(n as f64),
        ValueRef::UInt(n) if n <= limit => Ok(n as f64),
        ValueRef::Int(_) | ValueRef::UInt(_) => Err(ConvertError::Inexact),
        other => Err(unfit(other)),
    }
}

impl FromValue<'_> for f64 {
    fn accepts(kind: Kind) -> bool {
        kind.is_int() || kind.is_decimal() || matches!(kind, Kind::Float | Kind::Double)
    }

    #[inline]
    fn from_value(value: ValueRef<'_>) -> Result<Self, ConvertError> {
        match value {
            ValueRef::Double(n) => Ok(n),
            ValueRef::Float(n) => Ok(n.into()),
            ValueRef::Decimal(decimal) => decimal.to_f64(),
            ValueRef::PackedDecimal(decimal) => decimal.unpack().borrow().to_f64(),
            other => exact(other, EXACT_F64),
        }
    }
}

impl FromValue<'_> for f32 {
    fn accepts(kind: Kind) -> bool {
        kind.is_int() || kind == Kind::Float
    }

    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "an integer that f32 holds exactly")]
    fn from_value(value: ValueRef<'_>) -> Result<Self, ConvertError> {
        match value {
            ValueRef::Float(n) => Ok(n),
            other => exact(other, EXACT_F32).map(|n| n as Self),
        }
    }
}

impl ToValue for f64 {
    #[inline]
    fn to_value(&self) -> Result<ParamRef<'_>, ConvertError> {
        finite(self.is_finite()).map(|()| ParamRef::Value(ValueRef::Double(*self)))
    }
}

impl ToValue for f32 {
    #[inline]
    fn to_value(&self) -> Result<ParamRef<'_>, ConvertError> {
        finite(self.is_finite()).map(|()| ParamRef::Value(ValueRef::Float(*self)))
    }
}

/// MySQL has neither infinities nor NaN, and stores something else for them.
const fn finite(finite: bool) -> Result<(), ConvertError> {
    if finite { Ok(()) } else { Err(ConvertError::OutOfRange) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DecimalRef;

    fn decimal(text: &str) -> ValueRef<'_> {
        ValueRef::Decimal(DecimalRef::parse(text.as_bytes()).unwrap())
    }

    #[test]
    fn integers_that_do_not_fit() {
        assert_eq!(u8::from_value(ValueRef::Int(255)), Ok(255));
        assert_eq!(u8::from_value(ValueRef::Int(256)), Err(ConvertError::OutOfRange));
        assert_eq!(u8::from_value(ValueRef::Int(-1)), Err(ConvertError::OutOfRange));
        assert_eq!(i64::from_value(ValueRef::UInt(u64::MAX)), Err(ConvertError::OutOfRange));
        assert_eq!(u64::from_value(ValueRef::UInt(u64::MAX)), Ok(u64::MAX));
        assert_eq!(i8::from_value(ValueRef::Null), Err(ConvertError::Null));
        assert_eq!(Option::<i8>::from_value(ValueRef::Null), Ok(None));
        assert_eq!(i8::from_value(ValueRef::Text(b"1")), Err(ConvertError::Kind));
        assert_eq!(i64::from_value(decimal("12.000")), Ok(12));
        assert_eq!(i64::from_value(decimal("12.5")), Err(ConvertError::Inexact));
        assert_eq!(u8::from_value(decimal("300")), Err(ConvertError::OutOfRange));
    }

    #[test]
    fn booleans_are_zero_and_one() {
        assert_eq!(bool::from_value(ValueRef::Int(1)), Ok(true));
        assert_eq!(bool::from_value(ValueRef::Bit(0)), Ok(false));
        assert_eq!(bool::from_value(ValueRef::Int(2)), Err(ConvertError::OutOfRange));
    }

    #[test]
    fn floats_hold_integers_only_exactly() {
        assert_eq!(f64::from_value(ValueRef::Int(-(1 << 53))), Ok(-9_007_199_254_740_992.0));
        assert_eq!(f64::from_value(ValueRef::UInt((1 << 53) + 1)), Err(ConvertError::Inexact));
        assert_eq!(f32::from_value(ValueRef::Int(1 << 24)), Ok(16_777_216.0));
        assert_eq!(f32::from_value(ValueRef::Int((1 << 24) + 1)), Err(ConvertError::Inexact));
        assert_eq!(f32::from_value(ValueRef::Double(0.5)), Err(ConvertError::Kind));
        assert_eq!(f64::from_value(decimal("0.1")), Ok(0.1));
        assert_eq!(f64::from_value(ValueRef::Int(i64::MIN)), Err(ConvertError::Inexact));
    }

    #[test]
    fn floats_without_a_place_are_refused() {
        for n in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert_eq!(n.to_value(), Err(ConvertError::OutOfRange));
        }
        assert_eq!(f32::MAX.to_value(), Ok(ParamRef::Value(ValueRef::Float(f32::MAX))));
    }
}
