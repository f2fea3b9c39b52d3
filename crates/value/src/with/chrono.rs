//! Naive types only: a TIMESTAMP arrives in the session's time zone, which is not known here.

use chrono::{Datelike as _, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Timelike};

use super::by_way_of;
use super::temporal::{clock, date, moment, real, since_midnight, span};
use crate::{ConvertError, Date, DateTime, Time};

by_way_of! {
    NaiveDate: Date, read_date, write_date;
    NaiveDateTime: DateTime, read_moment, write_moment;
    NaiveTime: Time, read_clock, |time| since_midnight(parts(time)?, time.nanosecond());
    TimeDelta: Time, |time| Ok(TimeDelta::microseconds(time.as_micros())), write_span;
}

fn read_date(value: Date) -> Result<NaiveDate, ConvertError> {
    let value = real(value)?;
    NaiveDate::from_ymd_opt(value.year().into(), value.month().into(), value.day().into())
        .ok_or(ConvertError::NoSuchDate)
}

fn write_date(value: &NaiveDate) -> Result<Date, ConvertError> {
    date(value.year(), value.month(), value.day())
}

fn read_moment(value: DateTime) -> Result<NaiveDateTime, ConvertError> {
    let (hour, minute, second) = (value.hour().into(), value.minute().into(), value.second().into());
    let moment = read_date(value.date())?.and_hms_micro_opt(hour, minute, second, value.micro());
    moment.ok_or(ConvertError::NoTimeOfDay)
}

/// A leap second is one whose nanoseconds are a second or more.
fn write_moment(value: &NaiveDateTime) -> Result<DateTime, ConvertError> {
    moment(write_date(&value.date())?, parts(value)?, value.nanosecond())
}

fn read_clock(value: Time) -> Result<NaiveTime, ConvertError> {
    let (hour, minute, second, micro) = clock(value)?;
    NaiveTime::from_hms_micro_opt(hour.into(), minute.into(), second.into(), micro)
        .ok_or(ConvertError::NoTimeOfDay)
}

fn parts(time: &impl Timelike) -> Result<(u8, u8, u8), ConvertError> {
    let part = |n: u32| u8::try_from(n).map_err(|_| ConvertError::OutOfRange);
    Ok((part(time.hour())?, part(time.minute())?, part(time.second())?))
}

fn write_span(value: &TimeDelta) -> Result<Time, ConvertError> {
    span(i128::from(value.num_seconds()) * 1_000_000_000 + i128::from(value.subsec_nanos()))
}
