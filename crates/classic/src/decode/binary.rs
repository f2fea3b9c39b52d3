//! Cells of binary rows.

use porpoise_value::{ConvertError, Date, DateTime, Kind, Time, ValueRef};
use porpoise_wire::Reader;

use super::{Fault, text};

const FIELD: &str = "binary value";

/// The next cell, which is not NULL by the row's bitmap.
///
/// | kind | bytes |
/// |---|---|
/// | integers | 1, 2, 4 or 8, least significant first; MEDIUMINT has 4, YEAR 2 |
/// | FLOAT, DOUBLE | 4, 8 |
/// | DATE, DATETIME, TIMESTAMP | length 0, 4, 7 or 11: `int<2>` year, month, day, hour, minute, second, `int<4>` microseconds |
/// | TIME | length 0, 8 or 12: sign, `int<4>` days, hours, minutes, seconds, `int<4>` microseconds |
/// | all else | `string<lenenc>` |
///
/// Follows "MySQL Source Code Documentation: Binary Protocol Value".
pub(crate) fn decode<'a>(kind: Kind, r: &mut Reader<'a>) -> Result<ValueRef<'a>, Fault> {
    Ok(match kind {
        Kind::Null => ValueRef::Null,
        Kind::Int { bits: 8, unsigned } => {
            let bytes = r.array(FIELD)?;
            sign(unsigned, u8::from_le_bytes(bytes), i8::from_le_bytes(bytes))
        }
        Kind::Int { bits: 16, unsigned } => {
            let bytes = r.array(FIELD)?;
            sign(unsigned, u16::from_le_bytes(bytes), i16::from_le_bytes(bytes))
        }
        Kind::Int { bits: 24 | 32, unsigned } => {
            let bytes = r.array(FIELD)?;
            sign(unsigned, u32::from_le_bytes(bytes), i32::from_le_bytes(bytes))
        }
        Kind::Int { unsigned, .. } => {
            let bytes = r.array(FIELD)?;
            sign(unsigned, u64::from_le_bytes(bytes), i64::from_le_bytes(bytes))
        }
        Kind::Year => ValueRef::UInt(r.u16(FIELD)?.into()),
        Kind::Float => ValueRef::Float(f32::from_le_bytes(r.array(FIELD)?)),
        Kind::Double => ValueRef::Double(f64::from_le_bytes(r.array(FIELD)?)),
        Kind::Date | Kind::DateTime | Kind::Timestamp | Kind::Time => {
            let len = r.u8(FIELD)?;
            let bytes = r.bytes(FIELD, len.into())?;
            let value = match kind {
                Kind::Date => date(bytes).map(ValueRef::Date),
                Kind::Time => time(bytes).map(ValueRef::Time),
                _ => datetime(bytes).map(ValueRef::DateTime),
            };
            value.ok_or(ConvertError::Malformed)?
        }
        other => text::raw(other, r.lenenc_bytes(FIELD)?)?,
    })
}

fn sign<'a>(unsigned: bool, without: impl Into<u64>, with: impl Into<i64>) -> ValueRef<'a> {
    if unsigned { ValueRef::UInt(without.into()) } else { ValueRef::Int(with.into()) }
}

fn date(bytes: &[u8]) -> Option<Date> {
    match *bytes {
        [] => Some(Date::ZERO),
        [y0, y1, month, day] => Date::new(u16::from_le_bytes([y0, y1]), month, day),
        _ => None,
    }
}

fn datetime(bytes: &[u8]) -> Option<DateTime> {
    let (day, clock) = bytes.split_at_checked(4).unwrap_or((bytes, &[]));
    let day = date(day)?;
    match *clock {
        [] => Some(DateTime::midnight(day)),
        [hour, minute, second] => DateTime::new(day, hour, minute, second, 0),
        [hour, minute, second, a, b, c, d] => {
            DateTime::new(day, hour, minute, second, u32::from_le_bytes([a, b, c, d]))
        }
        _ => None,
    }
}

fn time(bytes: &[u8]) -> Option<Time> {
    let (&[negative, a, b, c, d, hours, minutes, seconds], micros) = match bytes.split_first_chunk::<8>() {
        Some(parts) => parts,
        None if bytes.is_empty() => return Some(Time::ZERO),
        None => return None,
    };
    let micros = match *micros {
        [] => 0,
        [a, b, c, d] => u32::from_le_bytes([a, b, c, d]),
        _ => return None,
    };
    if hours > 23 {
        return None;
    }
    let hours = u32::from_le_bytes([a, b, c, d]).checked_mul(24)?.checked_add(hours.into())?;
    Time::new(negative != 0, u16::try_from(hours).ok()?, minutes, seconds, micros)
}

#[cfg(test)]
mod tests {
    use porpoise_wire::WireError;

    use super::*;

    fn one(kind: Kind, bytes: &[u8]) -> Result<ValueRef<'_>, Fault> {
        let mut r = Reader::new(bytes);
        let value = decode(kind, &mut r)?;
        assert!(r.is_empty(), "{} bytes left", r.left());
        Ok(value)
    }

    const fn int(bits: u8, unsigned: bool) -> Kind {
        Kind::Int { bits, unsigned }
    }

    #[test]
    fn integers_of_every_width() {
        assert_eq!(one(int(8, false), &[0x80]), Ok(ValueRef::Int(-128)));
        assert_eq!(one(int(8, true), &[0x80]), Ok(ValueRef::UInt(128)));
        assert_eq!(one(int(16, false), &[0, 0x80]), Ok(ValueRef::Int(-32_768)));
        assert_eq!(one(int(24, false), &[0, 0, 0x80, 0xff]), Ok(ValueRef::Int(-8_388_608)));
        assert_eq!(one(int(24, true), &[0xff, 0xff, 0xff, 0]), Ok(ValueRef::UInt(16_777_215)));
        assert_eq!(one(int(32, false), &[0xff; 4]), Ok(ValueRef::Int(-1)));
        assert_eq!(one(int(32, true), &[0xff; 4]), Ok(ValueRef::UInt(u32::MAX.into())));
        assert_eq!(one(int(64, false), &i64::MIN.to_le_bytes()), Ok(ValueRef::Int(i64::MIN)));
        assert_eq!(one(int(64, true), &[0xff; 8]), Ok(ValueRef::UInt(u64::MAX)));
        assert_eq!(one(Kind::Year, &[0xe8, 0x07]), Ok(ValueRef::UInt(2024)));
        let short = WireError::Truncated { field: FIELD, needed: 8, left: 7 };
        assert_eq!(one(int(64, true), &[0; 7]), Err(Fault::Wire(short)));
    }

    #[test]
    fn dates_of_every_length() {
        let date = "2024-02-29".parse().unwrap();
        assert_eq!(one(Kind::Date, &[4, 0xe8, 0x07, 2, 29]), Ok(ValueRef::Date(date)));
        assert_eq!(one(Kind::Date, &[0]), Ok(ValueRef::Date(Date::ZERO)));
        let moment = |text: &str| Ok(ValueRef::DateTime(text.parse().unwrap()));
        assert_eq!(one(Kind::DateTime, &[4, 0xe8, 0x07, 2, 29]), moment("2024-02-29 00:00:00"));
        assert_eq!(one(Kind::Timestamp, &[0]), Ok(ValueRef::DateTime(DateTime::ZERO)));
        assert_eq!(one(Kind::DateTime, &[7, 0xe8, 0x07, 2, 29, 23, 59, 58]), moment("2024-02-29 23:59:58"));
        assert_eq!(
            one(Kind::DateTime, &[11, 0xe8, 0x07, 2, 0, 1, 2, 3, 1, 0, 0, 0]),
            moment("2024-02-00 01:02:03.000001")
        );
        let malformed = Err(Fault::Cell(ConvertError::Malformed));
        for bytes in [&[1, 0][..], &[5, 0, 0, 0, 0, 0], &[4, 0, 0, 13, 1], &[7, 0, 0, 0, 0, 24, 0, 0]] {
            assert_eq!(one(Kind::DateTime, bytes), malformed, "{bytes:?}");
        }
        assert_eq!(one(Kind::Date, &[7, 0xe8, 0x07, 2, 29, 0, 0, 0]), malformed);
        let over = [&[11, 0xe8, 0x07, 2, 1, 1, 2, 3][..], &1_000_000_u32.to_le_bytes()].concat();
        assert_eq!(one(Kind::DateTime, &over), malformed);
    }

    #[test]
    fn times_of_every_length() {
        let time = |text: &str| Ok(ValueRef::Time(text.parse().unwrap()));
        assert_eq!(one(Kind::Time, &[0]), time("00:00:00"));
        // -101:02:03.000004 as a server sent it
        let bytes = [12, 1, 4, 0, 0, 0, 5, 2, 3, 4, 0, 0, 0];
        assert_eq!(one(Kind::Time, &bytes), time("-101:02:03.000004"));
        assert_eq!(one(Kind::Time, &[8, 0, 34, 0, 0, 0, 22, 59, 59]), time("838:59:59"));
        let malformed = Err(Fault::Cell(ConvertError::Malformed));
        assert_eq!(one(Kind::Time, &[8, 0, 34, 0, 0, 0, 23, 0, 0]), malformed);
        assert_eq!(one(Kind::Time, &[8, 0, 0xff, 0xff, 0xff, 0xff, 0, 0, 0]), malformed);
        assert_eq!(one(Kind::Time, &[8, 0, 0, 0, 0, 0, 24, 0, 0]), malformed);
        assert_eq!(one(Kind::Time, &[4, 0, 0, 0, 0]), malformed);
    }
}
