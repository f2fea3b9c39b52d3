//! As many digits as there are.

use bigdecimal::BigDecimal;

use crate::convert::unfit;
use crate::{ConvertError, FromValue, Kind, ParamRef, ToValue, Value, ValueRef};

/// The most digits that a DECIMAL has.
const DIGITS: u64 = 65;

impl FromValue<'_> for BigDecimal {
    fn accepts(kind: Kind) -> bool {
        kind.is_int() || kind.is_decimal()
    }

    /// Zeros at the end are kept: 1.50 is 1.50.
    fn from_value(value: ValueRef<'_>) -> Result<Self, ConvertError> {
        match value {
            ValueRef::Int(n) => Ok(n.into()),
            ValueRef::UInt(n) => Ok(n.into()),
            ValueRef::Decimal(decimal) => decimal.as_str().parse().map_err(ConvertError::other),
            ValueRef::PackedDecimal(decimal) => {
                decimal.unpack().borrow().as_str().parse().map_err(ConvertError::other)
            }
            other => Err(unfit(other)),
        }
    }
}

impl ToValue for BigDecimal {
    /// Refuses what no DECIMAL holds: an exponent could stand for gigabytes of zeros.
    fn to_value(&self) -> Result<ParamRef<'_>, ConvertError> {
        let (_, scale) = self.as_bigint_and_exponent();
        let whole = i128::from(self.digits()) - i128::from(scale);
        let digits = whole.max(0).saturating_add(i128::from(scale.max(0)));
        if digits > i128::from(DIGITS) {
            return Err(ConvertError::OutOfRange);
        }
        Ok(ParamRef::Owned(Value::Decimal(self.to_plain_string().try_into()?)))
    }
}

single! { [] BigDecimal; }

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DecimalRef;

    #[test]
    fn what_fits_comes_back() {
        let nines = "9".repeat(65);
        let fraction = format!("-{}.{}", "9".repeat(35), "9".repeat(30));
        for text in ["0", "1.50", "-0.01", &nines, &fraction] {
            let decimal = ValueRef::Decimal(DecimalRef::parse(text.as_bytes()).unwrap());
            let read = BigDecimal::from_value(decimal).unwrap();
            let ParamRef::Owned(value) = read.to_value().unwrap() else { panic!("borrowed") };
            assert_eq!(value.to_string(), text);
        }
    }

    #[test]
    fn what_no_decimal_holds_is_refused() {
        for text in ["1e65", "1e9999999999", "1e-66", "1e-9999999999"] {
            let number: BigDecimal = text.parse().unwrap();
            assert_eq!(number.to_value(), Err(ConvertError::OutOfRange), "{text}");
        }
        assert!("1e64".parse::<BigDecimal>().unwrap().to_value().is_ok());
    }
}
