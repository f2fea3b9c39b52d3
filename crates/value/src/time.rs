use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::ConvertError;
use crate::digits::{clock, write_micros};

const SECOND: i64 = 1_000_000;
const HOUR: i64 = 3600 * SECOND;

/// A TIME: a signed span to the microsecond, up to 838 hours, 59 minutes and almost 60 seconds.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time {
    micros: i64,
}

impl Time {
    /// `00:00:00`.
    pub const ZERO: Self = Self { micros: 0 };
    /// `838:59:59.999999`. MySQL stops at `838:59:59`, MariaDB here.
    pub const MAX: Self = Self { micros: 839 * HOUR - 1 };
    /// `-838:59:59.999999`.
    pub const MIN: Self = Self { micros: -Self::MAX.micros };

    /// A span of its parts. None if there are more than 838 hours, 59 minutes, 59 seconds or 999,999 microseconds.
    #[must_use]
    pub const fn new(negative: bool, hours: u16, minutes: u8, seconds: u8, micros: u32) -> Option<Self> {
        if hours > 838 || minutes > 59 || seconds > 59 || micros > 999_999 {
            return None;
        }
        // Widening only.
        let span = hours as i64 * HOUR + (minutes as i64 * 60 + seconds as i64) * SECOND + micros as i64;
        Some(Self { micros: if negative { -span } else { span } })
    }

    /// A span of microseconds. None if it is beyond [`MIN`](Self::MIN) or [`MAX`](Self::MAX).
    #[must_use]
    pub const fn from_micros(micros: i64) -> Option<Self> {
        if micros < Self::MIN.micros || micros > Self::MAX.micros { None } else { Some(Self { micros }) }
    }

    /// All of it in microseconds.
    #[must_use]
    pub const fn as_micros(self) -> i64 {
        self.micros
    }

    /// Whether it is below zero.
    #[must_use]
    pub const fn is_negative(self) -> bool {
        self.micros < 0
    }

    /// 0 to 838.
    #[must_use]
    pub fn hours(self) -> u16 {
        self.part(HOUR, 839)
    }

    /// 0 to 59.
    #[must_use]
    pub fn minutes(self) -> u8 {
        self.part(60 * SECOND, 60)
    }

    /// 0 to 59.
    #[must_use]
    pub fn seconds(self) -> u8 {
        self.part(SECOND, 60)
    }

    /// 0 to 999,999.
    #[must_use]
    pub fn micros(self) -> u32 {
        self.part(1, 1_000_000)
    }

    fn part<T: TryFrom<u64> + Default>(self, unit: i64, modulus: u64) -> T {
        let part = self.micros.unsigned_abs() / unit.unsigned_abs() % modulus;
        // Every modulus fits the type that is asked for.
        T::try_from(part).unwrap_or_default()
    }

    /// Reads `[-]hh:mm:ss[.f]`, as MySQL writes it.
    ///
    /// # Errors
    /// [`ConvertError::Malformed`].
    pub fn parse(text: &[u8]) -> Result<Self, ConvertError> {
        let (negative, digits) = match text {
            [b'-', digits @ ..] => (true, digits),
            digits => (false, digits),
        };
        let parts = clock(digits).and_then(|(hours, minutes, seconds, micros)| {
            Self::new(negative, u16::try_from(hours).ok()?, minutes, seconds, micros)
        });
        parts.ok_or(ConvertError::Malformed)
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.is_negative() { "-" } else { "" };
        write!(f, "{sign}{:02}:{:02}:{:02}", self.hours(), self.minutes(), self.seconds())?;
        write_micros(f, self.micros())
    }
}

impl fmt::Debug for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Time {
    type Err = ConvertError;

    fn from_str(text: &str) -> Result<Self, ConvertError> {
        Self::parse(text.as_bytes())
    }
}

impl TryFrom<Time> for Duration {
    type Error = ConvertError;

    fn try_from(time: Time) -> Result<Self, ConvertError> {
        u64::try_from(time.micros).map(Self::from_micros).map_err(|_| ConvertError::Negative)
    }
}

impl TryFrom<Duration> for Time {
    type Error = ConvertError;

    /// Fails on spans that are too long, and on parts of a microsecond.
    fn try_from(span: Duration) -> Result<Self, ConvertError> {
        if !span.subsec_nanos().is_multiple_of(1000) {
            return Err(ConvertError::Inexact);
        }
        let micros = i64::try_from(span.as_micros()).ok();
        micros.and_then(Self::from_micros).ok_or(ConvertError::OutOfRange)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop_assert_eq, proptest};

    use super::*;

    #[test]
    fn extremes() {
        assert_eq!(Time::MAX.to_string(), "838:59:59.999999");
        assert_eq!("-838:59:59.999999".parse(), Ok(Time::MIN));
        assert_eq!(Time::new(true, 0, 0, 0, 0), Some(Time::ZERO));
        assert_eq!("-101:02:03.000004".parse(), Ok(Time::new(true, 101, 2, 3, 4).unwrap()));
        for text in ["", "-", "839:00:00", "00:60:00", "1:2:3", "00:00:00.0000001", "--1:00:00", "+01:00:00"]
        {
            assert_eq!(text.parse::<Time>(), Err(ConvertError::Malformed), "{text}");
        }
        assert_eq!((Time::from_micros(i64::MIN), Time::from_micros(i64::MAX)), (None, None));
    }

    #[test]
    fn spans_of_std() {
        let time = "10:00:00.5".parse::<Time>().unwrap();
        assert_eq!(Duration::try_from(time), Ok(Duration::from_millis(36_000_500)));
        assert_eq!(Time::try_from(Duration::from_millis(36_000_500)), Ok(time));
        assert_eq!(Duration::try_from(Time::MIN), Err(ConvertError::Negative));
        assert_eq!(Time::try_from(Duration::from_nanos(1)), Err(ConvertError::Inexact));
        assert_eq!(Time::try_from(Duration::from_secs(839 * 3600)), Err(ConvertError::OutOfRange));
        assert_eq!(Time::try_from(Duration::MAX), Err(ConvertError::Inexact));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(micros in Time::MIN.micros..=Time::MAX.micros) {
            let time = Time::from_micros(micros).unwrap();
            prop_assert_eq!(time.to_string().parse(), Ok(time));
            let again =
                Time::new(time.is_negative(), time.hours(), time.minutes(), time.seconds(), time.micros());
            prop_assert_eq!(again, Some(time));
        }

        #[test]
        fn no_bytes_make_it_panic(text in any::<Vec<u8>>()) {
            let _ = Time::parse(&text);
        }
    }
}
