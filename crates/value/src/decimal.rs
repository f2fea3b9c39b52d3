use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;

use crate::ConvertError;

/// A DECIMAL as its digits: `[-]digits[.digits]`, borrowed.
///
/// Nothing is computed with it, so no digit is lost: that is left to crates which do (features `rust_decimal`,
/// `bigdecimal`). Equality is that of the text: `1.0` is not `1.00`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct DecimalRef<'a>(&'a str);

/// Most significant digits of which all survive the way to `f64` and back.
const DOUBLE_DIGITS: usize = 15;

impl<'a> DecimalRef<'a> {
    /// Checks the text. A sign in front is taken, an exponent is not.
    ///
    /// # Errors
    /// [`ConvertError::Malformed`].
    pub fn parse(text: &'a [u8]) -> Result<Self, ConvertError> {
        let (mut digits, mut points) = (0_usize, 0_usize);
        for byte in unsigned(text) {
            match byte {
                b'0'..=b'9' => digits += 1,
                b'.' => points += 1,
                _ => return Err(ConvertError::Malformed),
            }
        }
        if digits == 0 || points > 1 {
            return Err(ConvertError::Malformed);
        }
        std::str::from_utf8(text).map(Self).map_err(|_| ConvertError::Malformed)
    }

    /// Digits that were made here.
    pub(crate) fn of_digits(text: &'a [u8]) -> Self {
        Self(std::str::from_utf8(text).unwrap_or_default())
    }

    /// The text.
    #[must_use]
    pub const fn as_str(self) -> &'a str {
        self.0
    }

    /// The integer it is, if what is behind the point is zero.
    ///
    /// # Errors
    /// [`ConvertError::Inexact`] or [`ConvertError::OutOfRange`].
    pub fn to_i128(self) -> Result<i128, ConvertError> {
        let (whole, fraction) = self.0.split_once('.').unwrap_or((self.0, ""));
        if fraction.bytes().any(|digit| digit != b'0') {
            return Err(ConvertError::Inexact);
        }
        // `.0` and `-.0` have no digits before the point.
        if unsigned(whole.as_bytes()).is_empty() {
            return Ok(0);
        }
        whole.parse().map_err(|_| ConvertError::OutOfRange)
    }

    /// The `f64` it is: of no more than 15 significant digits, because those survive the way there and back.
    ///
    /// # Errors
    /// [`ConvertError::Inexact`].
    pub fn to_f64(self) -> Result<f64, ConvertError> {
        let (mut digits, mut significant) = (0_usize, 0_usize);
        for digit in unsigned(self.0.as_bytes()).iter().filter(|byte| **byte != b'.') {
            if digits > 0 || *digit != b'0' {
                digits += 1;
            }
            if *digit != b'0' {
                significant = digits;
            }
        }
        if significant > DOUBLE_DIGITS {
            return Err(ConvertError::Inexact);
        }
        self.0.parse().map_err(|_| ConvertError::Malformed)
    }
}

fn unsigned(text: &[u8]) -> &[u8] {
    match text {
        [b'-' | b'+', digits @ ..] => digits,
        digits => digits,
    }
}

impl fmt::Display for DecimalRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.0)
    }
}

impl fmt::Debug for DecimalRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// A DECIMAL as its digits, owned. See [`DecimalRef`].
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Decimal(Box<str>);

impl Decimal {
    /// The digits, borrowed.
    #[must_use]
    pub const fn borrow(&self) -> DecimalRef<'_> {
        DecimalRef(&self.0)
    }

    /// The text.
    #[must_use]
    pub const fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<DecimalRef<'_>> for Decimal {
    fn from(decimal: DecimalRef<'_>) -> Self {
        Self(decimal.0.into())
    }
}

impl FromStr for Decimal {
    type Err = ConvertError;

    fn from_str(text: &str) -> Result<Self, ConvertError> {
        DecimalRef::parse(text.as_bytes()).map(Self::from)
    }
}

impl TryFrom<String> for Decimal {
    type Error = ConvertError;

    fn try_from(text: String) -> Result<Self, ConvertError> {
        DecimalRef::parse(text.as_bytes())?;
        Ok(Self(text.into()))
    }
}

impl From<i64> for Decimal {
    fn from(n: i64) -> Self {
        Self(n.to_string().into())
    }
}

impl From<u64> for Decimal {
    fn from(n: u64) -> Self {
        Self(n.to_string().into())
    }
}

impl Borrow<str> for Decimal {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop_assert_eq, proptest};

    use super::*;

    #[test]
    fn what_is_a_decimal() {
        for text in
            ["0", "-0.00", "1.50", "99999999999999999999999999999999999.999999999999999999999999999999"]
        {
            assert_eq!(text.parse::<Decimal>().unwrap().to_string(), text);
        }
        for text in ["", "-", ".", "1e5", "1.2.3", " 1", "1_0", "--1", "1-", "\u{661}"] {
            assert_eq!(text.parse::<Decimal>(), Err(ConvertError::Malformed), "{text}");
        }
    }

    #[test]
    fn integers_without_fraction() {
        let int = |text: &str| text.parse::<Decimal>().unwrap().borrow().to_i128();
        assert_eq!((int("42.000"), int("-7"), int(".0"), int("-.0")), (Ok(42), Ok(-7), Ok(0), Ok(0)));
        assert_eq!((int("+5"), int("007")), (Ok(5), Ok(7)));
        assert_eq!(int("42.001"), Err(ConvertError::Inexact));
        assert_eq!(int(&"9".repeat(65)), Err(ConvertError::OutOfRange));
    }

    #[test]
    fn floats_of_fifteen_digits() {
        let float = |text: &str| text.parse::<Decimal>().unwrap().borrow().to_f64();
        assert_eq!(float("-0.1"), Ok(-0.1));
        assert_eq!(float("0.000123456789012345"), Ok(0.000_123_456_789_012_345));
        assert_eq!(float("123456789012345.000"), Ok(123_456_789_012_345.0));
        assert_eq!(float("1234567890123456"), Err(ConvertError::Inexact));
        assert_eq!(float("1000000000000000000000.00"), Ok(1e21));
        assert_eq!((float("0.00"), float("-0")), (Ok(0.0), Ok(0.0)));
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in any::<String>()) {
            if let Ok(decimal) = text.parse::<Decimal>() {
                let _ = (decimal.borrow().to_i128(), decimal.borrow().to_f64());
            }
        }

        #[test]
        fn integers_and_fifteen_digits_come_back(n in any::<i64>(), digits in 0u64..1_000_000_000_000_000, scale in 0usize..15) {
            prop_assert_eq!(Decimal::from(n).borrow().to_i128(), Ok(n.into()));
            let text = format!("{digits:016}");
            let (whole, fraction) = text.split_at(text.len() - scale);
            let decimal: Decimal = format!("{whole}.{fraction}").parse().unwrap();
            let double = decimal.borrow().to_f64().unwrap();
            let (shown, trim) = (format!("{double:.scale$}"), |text: &str| {
                text.trim_start_matches('0').trim_end_matches('.').to_owned()
            });
            prop_assert_eq!(trim(&shown), trim(decimal.as_str()));
        }
    }
}
