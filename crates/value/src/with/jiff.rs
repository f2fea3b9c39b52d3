//! Civil types only: a TIMESTAMP arrives in the session's time zone, which is not known here.

use jiff::SignedDuration;
use jiff::civil;

use super::by_way_of;
use super::temporal::{clock, date, moment, real, since_midnight, span};
use crate::{ConvertError, Date, DateTime, Time};

by_way_of! {
    civil::Date: Date, read_date, write_date;
    civil::DateTime: DateTime, read_moment, write_moment;
    civil::Time: Time, read_clock, |time| since_midnight(parts(*time)?, nanos(time.subsec_nanosecond())?);
    SignedDuration: Time, |time| Ok(SignedDuration::from_micros(time.as_micros())), |span_| span(span_.as_nanos());
}

fn read_date(value: Date) -> Result<civil::Date, ConvertError> {
    let value = real(value)?;
    let new = || {
        civil::Date::new(value.year().cast_signed(), value.month().cast_signed(), value.day().cast_signed())
    };
    new().map_err(ConvertError::other)
}

fn write_date(value: &civil::Date) -> Result<Date, ConvertError> {
    date(value.year().into(), value.month(), value.day())
}

fn read_moment(value: DateTime) -> Result<civil::DateTime, ConvertError> {
    let date = read_date(value.date())?;
    Ok(date.to_datetime(time(value.hour(), value.minute(), value.second(), value.micro())?))
}

fn write_moment(value: &civil::DateTime) -> Result<DateTime, ConvertError> {
    moment(write_date(&value.date())?, parts(value.time())?, nanos(value.subsec_nanosecond())?)
}

fn read_clock(value: Time) -> Result<civil::Time, ConvertError> {
    let (hour, minute, second, micro) = clock(value)?;
    time(hour, minute, second, micro)
}

fn time(hour: u8, minute: u8, second: u8, micro: u32) -> Result<civil::Time, ConvertError> {
    let nanos = (micro * 1000).cast_signed();
    let new = civil::Time::new(hour.cast_signed(), minute.cast_signed(), second.cast_signed(), nanos);
    new.map_err(ConvertError::other)
}

fn parts(time: civil::Time) -> Result<(u8, u8, u8), ConvertError> {
    let part = |n: i8| u8::try_from(n).map_err(|_| ConvertError::OutOfRange);
    Ok((part(time.hour())?, part(time.minute())?, part(time.second())?))
}

fn nanos(nanos: i32) -> Result<u32, ConvertError> {
    u32::try_from(nanos).map_err(|_| ConvertError::OutOfRange)
}
