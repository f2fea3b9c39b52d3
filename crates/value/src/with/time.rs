//! Types without offset only: a TIMESTAMP arrives in the session's time zone, which is not known here.

use time::{Duration, Month, PrimitiveDateTime};

use super::by_way_of;
use super::temporal::{clock, date, moment, real, since_midnight, span};
use crate::{ConvertError, Date, DateTime, Time};

by_way_of! {
    time::Date: Date, read_date, write_date;
    PrimitiveDateTime: DateTime, read_moment, write_moment;
    time::Time: Time, read_clock, |time| since_midnight(time.as_hms(), time.nanosecond());
    Duration: Time, |time| Ok(Duration::microseconds(time.as_micros())), |span_| span(span_.whole_nanoseconds());
}

fn read_date(value: Date) -> Result<time::Date, ConvertError> {
    let value = real(value)?;
    let month = Month::try_from(value.month()).map_err(ConvertError::other)?;
    time::Date::from_calendar_date(value.year().into(), month, value.day()).map_err(ConvertError::other)
}

fn write_date(value: &time::Date) -> Result<Date, ConvertError> {
    date(value.year(), u8::from(value.month()), value.day())
}

fn read_moment(value: DateTime) -> Result<PrimitiveDateTime, ConvertError> {
    let time = time::Time::from_hms_micro(value.hour(), value.minute(), value.second(), value.micro());
    Ok(read_date(value.date())?.with_time(time.map_err(ConvertError::other)?))
}

fn write_moment(value: &PrimitiveDateTime) -> Result<DateTime, ConvertError> {
    moment(write_date(&value.date())?, value.as_hms(), value.nanosecond())
}

fn read_clock(value: Time) -> Result<time::Time, ConvertError> {
    let (hour, minute, second, micro) = clock(value)?;
    time::Time::from_hms_micro(hour, minute, second, micro).map_err(ConvertError::other)
}
