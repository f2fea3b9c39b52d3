use std::fmt;
use std::str::FromStr;

use crate::ConvertError;
use crate::digits::{clock, number, split, write_micros};

/// A DATE.
///
/// MySQL's dates know more than the calendar: the zero date `0000-00-00`, dates without month or day as
/// `2024-00-00`, and under `ALLOW_INVALID_DATES` any day up to 31 in every month. All of them can be held here;
/// [`is_in_calendar`](Self::is_in_calendar) tells which ones a calendar has.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date {
    year: u16,
    month: u8,
    day: u8,
}

impl Date {
    /// `0000-00-00`.
    pub const ZERO: Self = Self { year: 0, month: 0, day: 0 };

    /// A date. None if the year is above 9999, the month above 12 or the day above 31.
    #[must_use]
    pub const fn new(year: u16, month: u8, day: u8) -> Option<Self> {
        if year > 9999 || month > 12 || day > 31 { None } else { Some(Self { year, month, day }) }
    }

    /// 0 to 9999.
    #[must_use]
    pub const fn year(self) -> u16 {
        self.year
    }

    /// 1 to 12; 0 if there is none.
    #[must_use]
    pub const fn month(self) -> u8 {
        self.month
    }

    /// 1 to 31; 0 if there is none.
    #[must_use]
    pub const fn day(self) -> u8 {
        self.day
    }

    /// Whether it is `0000-00-00`.
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.year == 0 && self.month == 0 && self.day == 0
    }

    /// Whether the Gregorian calendar has it, reckoned back to year 0.
    #[must_use]
    pub const fn is_in_calendar(self) -> bool {
        let leap =
            self.year.is_multiple_of(4) && (!self.year.is_multiple_of(100) || self.year.is_multiple_of(400));
        let days = match self.month {
            0 => return false,
            2 if leap => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        };
        self.day != 0 && self.day <= days
    }

    /// Reads `YYYY-MM-DD`, as MySQL writes it.
    ///
    /// # Errors
    /// [`ConvertError::Malformed`].
    pub fn parse(text: &[u8]) -> Result<Self, ConvertError> {
        Self::read(text).ok_or(ConvertError::Malformed)
    }

    fn read(text: &[u8]) -> Option<Self> {
        let [y0, y1, y2, y3, b'-', m0, m1, b'-', d0, d1] = *text else { return None };
        let year = u16::try_from(number(&[y0, y1, y2, y3])?).ok()?;
        let month = u8::try_from(number(&[m0, m1])?).ok()?;
        Self::new(year, month, u8::try_from(number(&[d0, d1])?).ok()?)
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

impl fmt::Debug for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Date {
    type Err = ConvertError;

    fn from_str(text: &str) -> Result<Self, ConvertError> {
        Self::parse(text.as_bytes())
    }
}

/// A DATETIME or a TIMESTAMP: a [`Date`] and a time of day, to the microsecond.
///
/// It has no time zone. A TIMESTAMP column is sent in that of the session (`@@time_zone`).
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DateTime {
    date: Date,
    hour: u8,
    minute: u8,
    second: u8,
    micro: u32,
}

impl DateTime {
    /// `0000-00-00 00:00:00`.
    pub const ZERO: Self = Self::midnight(Date::ZERO);

    /// A date and a time of day. None if there is no such time of day.
    #[must_use]
    pub const fn new(date: Date, hour: u8, minute: u8, second: u8, micro: u32) -> Option<Self> {
        if hour > 23 || minute > 59 || second > 59 || micro > 999_999 {
            return None;
        }
        Some(Self { date, hour, minute, second, micro })
    }

    /// The first moment of a date.
    #[must_use]
    pub const fn midnight(date: Date) -> Self {
        Self { date, hour: 0, minute: 0, second: 0, micro: 0 }
    }

    /// The date.
    #[must_use]
    pub const fn date(self) -> Date {
        self.date
    }

    /// 0 to 23.
    #[must_use]
    pub const fn hour(self) -> u8 {
        self.hour
    }

    /// 0 to 59.
    #[must_use]
    pub const fn minute(self) -> u8 {
        self.minute
    }

    /// 0 to 59.
    #[must_use]
    pub const fn second(self) -> u8 {
        self.second
    }

    /// Microseconds of the second: 0 to 999,999.
    #[must_use]
    pub const fn micro(self) -> u32 {
        self.micro
    }

    /// Whether it is `0000-00-00 00:00:00`.
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.date.is_zero() && self.hour == 0 && self.minute == 0 && self.second == 0 && self.micro == 0
    }

    /// Reads `YYYY-MM-DD hh:mm:ss[.f]`, as MySQL writes it.
    ///
    /// # Errors
    /// [`ConvertError::Malformed`].
    pub fn parse(text: &[u8]) -> Result<Self, ConvertError> {
        Self::read(text).ok_or(ConvertError::Malformed)
    }

    fn read(text: &[u8]) -> Option<Self> {
        let (date, time) = split(text, b' ')?;
        let (hour, minute, second, micro) = clock(time)?;
        Self::new(Date::read(date)?, u8::try_from(hour).ok()?, minute, second, micro)
    }
}

impl fmt::Display for DateTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:02}:{:02}:{:02}", self.date, self.hour, self.minute, self.second)?;
        write_micros(f, self.micro)
    }
}

impl fmt::Debug for DateTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for DateTime {
    type Err = ConvertError;

    fn from_str(text: &str) -> Result<Self, ConvertError> {
        Self::parse(text.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop_assert_eq, proptest};

    use super::*;

    #[test]
    fn which_dates_the_calendar_has() {
        let date = |text: &str| text.parse::<Date>().unwrap();
        for text in ["2024-02-29", "2000-02-29", "9999-12-31", "0000-01-01", "0001-04-30"] {
            assert!(date(text).is_in_calendar(), "{text}");
            assert_eq!(date(text).to_string(), text);
        }
        for text in ["2023-02-29", "1900-02-29", "2024-04-31", "2024-00-15", "2024-01-00", "0000-00-00"] {
            assert!(!date(text).is_in_calendar(), "{text}");
            assert_eq!(date(text).to_string(), text);
        }
        assert!(Date::ZERO.is_zero() && !date("2024-00-00").is_zero());
        assert_eq!(
            (Date::new(2024, 13, 1), Date::new(2024, 1, 32), Date::new(10_000, 1, 1)),
            (None, None, None)
        );
    }

    #[test]
    fn text_that_is_no_date() {
        for text in ["", "2024-1-01", "2024-01-01 ", "2024/01/01", "-024-01-01", "2024-13-01", "20x4-01-01"] {
            assert_eq!(text.parse::<Date>(), Err(ConvertError::Malformed), "{text}");
        }
        for text in [
            "2024-01-01",
            "2024-01-01 24:00:00",
            "2024-01-01 00:60:00",
            "2024-01-01 00:00:00.",
            "2024-01-01 00:00:00.1234567",
            "2024-01-01 00:00",
            "2024-01-01 0:0:0",
            "2024-01-01 00:00:+1",
        ] {
            assert_eq!(text.parse::<DateTime>(), Err(ConvertError::Malformed), "{text}");
        }
    }

    #[test]
    fn fractions_count_from_the_point() {
        let micro = |text: &str| text.parse::<DateTime>().unwrap().micro();
        assert_eq!(micro("2024-01-01 00:00:00.5"), 500_000);
        assert_eq!(micro("2024-01-01 00:00:00.000001"), 1);
        assert_eq!(micro("2024-01-01 00:00:00.010000"), 10_000);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            (year, month, day) in (0u16..=9999, 0u8..=12, 0u8..=31),
            (hour, minute, second, micro) in (0u8..24, 0u8..60, 0u8..60, 0u32..1_000_000),
        ) {
            let date = Date::new(year, month, day).unwrap();
            let moment = DateTime::new(date, hour, minute, second, micro).unwrap();
            prop_assert_eq!(date.to_string().parse(), Ok(date));
            prop_assert_eq!(moment.to_string().parse(), Ok(moment));
        }

        #[test]
        fn no_bytes_make_it_panic(text in any::<Vec<u8>>()) {
            let _ = (Date::parse(&text), DateTime::parse(&text));
        }
    }
}
