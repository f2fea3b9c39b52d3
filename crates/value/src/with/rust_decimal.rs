//! Up to 28 or 29 digits; a DECIMAL may have 65.

use rust_decimal::Decimal;

use crate::convert::unfit;
use crate::{ConvertError, FromValue, Kind, ParamRef, ToValue, Value, ValueRef};

impl FromValue<'_> for Decimal {
    fn accepts(kind: Kind) -> bool {
        kind.is_int() || kind.is_decimal()
    }

    /// Zeros at the end are kept: 1.50 is 1.50.
    fn from_value(value: ValueRef<'_>) -> Result<Self, ConvertError> {
        match value {
            ValueRef::Int(n) => Ok(n.into()),
            ValueRef::UInt(n) => Ok(n.into()),
            ValueRef::Decimal(decimal) => exact(decimal.as_str()),
            ValueRef::PackedDecimal(decimal) => exact(decimal.unpack().borrow().as_str()),
            other => Err(unfit(other)),
        }
    }
}

fn exact(text: &str) -> Result<Decimal, ConvertError> {
    Decimal::from_str_exact(text).map_err(|error| match error {
        rust_decimal::Error::Underflow => ConvertError::Inexact,
        _ => ConvertError::OutOfRange,
    })
}

impl ToValue for Decimal {
    fn to_value(&self) -> Result<ParamRef<'_>, ConvertError> {
        Ok(ParamRef::Owned(Value::Decimal(self.to_string().try_into()?)))
    }
}

single! { [] Decimal; }

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DecimalRef;

    fn read(text: &str) -> Result<Decimal, ConvertError> {
        Decimal::from_value(ValueRef::Decimal(DecimalRef::parse(text.as_bytes()).unwrap()))
    }

    #[test]
    fn what_fits_comes_back() {
        for text in ["0", "1.50", "-0.01", "79228162514264337593543950335", "0.0000000000000000000000000001"]
        {
            let ParamRef::Owned(value) = read(text).unwrap().to_value().unwrap() else { panic!("borrowed") };
            assert_eq!(value.to_string(), text);
        }
        assert_eq!(Decimal::from_value(ValueRef::UInt(u64::MAX)), Ok(Decimal::from(u64::MAX)));
    }

    #[test]
    fn what_does_not_fit_is_not_rounded() {
        assert_eq!(read("79228162514264337593543950336"), Err(ConvertError::OutOfRange));
        for text in ["0.00000000000000000000000000001", "1.2345678901234567890123456789012"] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
