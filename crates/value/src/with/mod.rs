//! Types of other crates, each behind the feature of its name.

#[cfg(feature = "bigdecimal")]
mod bigdecimal;
#[cfg(feature = "chrono")]
mod chrono;
#[cfg(feature = "jiff")]
mod jiff;
#[cfg(feature = "rust_decimal")]
mod rust_decimal;
#[cfg(feature = "serde_json")]
mod serde_json;
#[cfg(feature = "time")]
mod time;
#[cfg(feature = "uuid")]
mod uuid;

#[cfg(feature = "serde_json")]
pub use serde_json::Json;

/// Types that are converted by way of one of ours, which `From`-like functions lead to and from.
#[cfg(any(feature = "chrono", feature = "jiff", feature = "time"))]
macro_rules! by_way_of {
    ($($target:ty: $ours:ty, $read:expr, $write:expr;)+) => {$(
        impl<'a> $crate::FromValue<'a> for $target {
            fn accepts(kind: $crate::Kind) -> bool {
                <$ours>::accepts(kind)
            }

            fn from_value(value: $crate::ValueRef<'a>) -> Result<Self, $crate::ConvertError> {
                let read: fn($ours) -> Result<Self, $crate::ConvertError> = $read;
                read(<$ours>::from_value(value)?)
            }
        }

        impl $crate::ToValue for $target {
            fn to_value(&self) -> Result<$crate::ParamRef<'_>, $crate::ConvertError> {
                let write: fn(&Self) -> Result<$ours, $crate::ConvertError> = $write;
                Ok($crate::ParamRef::Owned(write(self)?.into()))
            }
        }

        single! { [] $target; }
    )+};
}

#[cfg(any(feature = "chrono", feature = "jiff", feature = "time"))]
use by_way_of;

/// What the three crates of dates and times share.
#[cfg(any(feature = "chrono", feature = "jiff", feature = "time"))]
mod temporal {
    use crate::{ConvertError, Date, DateTime, Time};

    /// A date of the calendar.
    pub(super) fn real(date: Date) -> Result<Date, ConvertError> {
        if date.is_in_calendar() { Ok(date) } else { Err(ConvertError::NoSuchDate) }
    }

    /// A date of parts that are too wide.
    pub(super) fn date(
        year: i32,
        month: impl TryInto<u8>,
        day: impl TryInto<u8>,
    ) -> Result<Date, ConvertError> {
        let parts = || Date::new(u16::try_from(year).ok()?, month.try_into().ok()?, day.try_into().ok()?);
        parts().ok_or(ConvertError::OutOfRange)
    }

    /// Microseconds of nanoseconds, of which no part may be lost.
    pub(super) fn micros(nanos: u32) -> Result<u32, ConvertError> {
        if nanos.is_multiple_of(1000) { Ok(nanos / 1000) } else { Err(ConvertError::Inexact) }
    }

    /// A moment of parts that may be too wide; a leap second is.
    pub(super) fn moment(
        date: Date,
        (hour, minute, second): (u8, u8, u8),
        nanos: u32,
    ) -> Result<DateTime, ConvertError> {
        DateTime::new(date, hour, minute, second, micros(nanos)?).ok_or(ConvertError::OutOfRange)
    }

    /// Hour, minute, second and microsecond of a time of day.
    pub(super) fn clock(time: Time) -> Result<(u8, u8, u8, u32), ConvertError> {
        match u8::try_from(time.hours()) {
            Ok(hour) if hour < 24 && !time.is_negative() => {
                Ok((hour, time.minutes(), time.seconds(), time.micros()))
            }
            _ => Err(ConvertError::NoTimeOfDay),
        }
    }

    /// A span of a time of day.
    pub(super) fn since_midnight(
        (hour, minute, second): (u8, u8, u8),
        nanos: u32,
    ) -> Result<Time, ConvertError> {
        Time::new(false, hour.into(), minute, second, micros(nanos)?).ok_or(ConvertError::OutOfRange)
    }

    /// A span of nanoseconds.
    pub(super) fn span(nanos: i128) -> Result<Time, ConvertError> {
        if nanos % 1000 != 0 {
            return Err(ConvertError::Inexact);
        }
        let micros = i64::try_from(nanos / 1000).ok();
        micros.and_then(Time::from_micros).ok_or(ConvertError::OutOfRange)
    }
}

#[cfg(test)]
#[cfg(all(feature = "chrono", feature = "jiff", feature = "time"))]
mod tests {
    use ::chrono::{NaiveDate, NaiveDateTime, NaiveTime, TimeDelta};
    use ::jiff::{SignedDuration, civil};

    use crate::{ConvertError, Date, DateTime, FromValue, ParamRef, Time, ToValue, ValueRef};

    fn read<T: for<'a> FromValue<'a>>(text: &str) -> Result<T, ConvertError> {
        T::from_value(match text.parse::<Date>() {
            Ok(date) => ValueRef::Date(date),
            Err(_) => match text.parse::<DateTime>() {
                Ok(moment) => ValueRef::DateTime(moment),
                Err(_) => ValueRef::Time(text.parse::<Time>().unwrap()),
            },
        })
    }

    /// Read and written again.
    fn again<T: for<'a> FromValue<'a> + ToValue>(text: &str) -> String {
        match read::<T>(text).unwrap().to_value().unwrap() {
            ParamRef::Owned(value) => value.to_string(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_fits_comes_back() {
        for text in ["0001-01-01", "2024-02-29", "9999-12-31"] {
            assert_eq!(again::<civil::Date>(text), text);
            assert_eq!(again::<NaiveDate>(text), text);
            assert_eq!(again::<::time::Date>(text), text);
        }
        for text in ["1000-01-01 00:00:00", "2024-02-29 12:34:56.5", "9999-12-31 23:59:59.999999"] {
            assert_eq!(again::<civil::DateTime>(text), text);
            assert_eq!(again::<NaiveDateTime>(text), text);
            assert_eq!(again::<::time::PrimitiveDateTime>(text), text);
        }
        for text in ["00:00:00", "23:59:59.999999"] {
            assert_eq!(again::<civil::Time>(text), text);
            assert_eq!(again::<NaiveTime>(text), text);
            assert_eq!(again::<::time::Time>(text), text);
        }
        for text in ["838:59:59.999999", "-838:59:59.999999", "-00:00:00.000001"] {
            assert_eq!(again::<SignedDuration>(text), text);
            assert_eq!(again::<TimeDelta>(text), text);
            assert_eq!(again::<::time::Duration>(text), text);
        }
    }

    #[test]
    fn dates_that_no_calendar_has() {
        for text in ["0000-00-00", "2024-00-15", "2024-02-31"] {
            assert_eq!(read::<civil::Date>(text), Err(ConvertError::NoSuchDate));
            assert_eq!(read::<NaiveDate>(text), Err(ConvertError::NoSuchDate));
            assert_eq!(read::<::time::Date>(text), Err(ConvertError::NoSuchDate));
            let moment = format!("{text} 00:00:00");
            assert_eq!(read::<civil::DateTime>(&moment), Err(ConvertError::NoSuchDate));
            assert_eq!(read::<NaiveDateTime>(&moment), Err(ConvertError::NoSuchDate));
            assert_eq!(read::<::time::PrimitiveDateTime>(&moment), Err(ConvertError::NoSuchDate));
        }
    }

    #[test]
    fn times_that_no_day_has() {
        for text in ["24:00:00", "-00:00:01", "838:59:59"] {
            assert_eq!(read::<civil::Time>(text), Err(ConvertError::NoTimeOfDay));
            assert_eq!(read::<NaiveTime>(text), Err(ConvertError::NoTimeOfDay));
            assert_eq!(read::<::time::Time>(text), Err(ConvertError::NoTimeOfDay));
        }
    }

    #[test]
    fn what_mysql_has_no_place_for() {
        let inexact = Err(ConvertError::Inexact);
        assert_eq!(civil::time(0, 0, 0, 1).to_value(), inexact);
        assert_eq!(NaiveTime::from_hms_nano_opt(0, 0, 0, 1).unwrap().to_value(), inexact);
        assert_eq!(::time::Time::from_hms_nano(0, 0, 0, 1).unwrap().to_value(), inexact);
        assert_eq!(SignedDuration::from_nanos(1).to_value(), inexact);
        let beyond = Err(ConvertError::OutOfRange);
        assert_eq!(civil::date(-1, 1, 1).to_value(), beyond);
        assert_eq!(NaiveDate::from_ymd_opt(10_000, 1, 1).unwrap().to_value(), beyond);
        assert_eq!(::time::Date::MIN.to_value(), beyond);
        assert_eq!(SignedDuration::MAX.to_value(), inexact);
        assert_eq!(TimeDelta::days(35).to_value(), beyond);
        assert_eq!(::time::Duration::weeks(-5).to_value(), beyond);
        // A leap second.
        assert_eq!(NaiveTime::from_hms_micro_opt(23, 59, 59, 1_500_000).unwrap().to_value(), beyond);
    }
}
