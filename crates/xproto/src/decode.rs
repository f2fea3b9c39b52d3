//! Cells: what their bytes are.

use porpoise_value::{
    ConvertError, Date, DateTime, GeometryRef, Kind, PackedDecimal, SetMembers, Time, ValueRef,
};

use crate::field::{varint, zigzag};
use crate::{ColumnFormat, FieldType};

/// The collation of what is no text.
const BINARY: u64 = 63;
/// The bit of [`ColumnFormat::flags`] that tells a TIMESTAMP from a DATETIME.
const TIMESTAMP: u32 = 1;
/// What BYTES hold.
const GEOMETRY: u32 = 1;
const JSON: u32 = 2;
/// What DATETIME holds.
const DATE: u32 = 1;
/// The display width of a DATE, which servers before 8.0 tell it by.
const DATE_LENGTH: u32 = 10;

/// How a cell is decoded, as far as it matters for [`quick`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Shape {
    Int,
    UInt,
    Text,
    Other,
}

impl From<Kind> for Shape {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Int { unsigned: false, .. } => Self::Int,
            Kind::Int { unsigned: true, .. } => Self::UInt,
            Kind::Text | Kind::Enum => Self::Text,
            _ => Self::Other,
        }
    }
}

impl ColumnFormat {
    /// What the column's values are. `length` is its display width.
    ///
    /// | type | kind |
    /// |---|---|
    /// | SINT, UINT | `Int`, as wide as the display width says, else 64 bits |
    /// | BYTES | by content type `Geometry`, `Json`, `Text` for XML; with collation 63 `Bytes`; else `Text` |
    /// | DATETIME | by content type `Date`, `DateTime`; with flag 1 `Timestamp` |
    /// | DECIMAL, SET | `PackedDecimal`, `SetMembers` |
    /// | those of the future | `Bytes` |
    /// | all else | that of the type |
    #[must_use]
    pub const fn kind(&self, length: u32) -> Kind {
        match self.field_type {
            FieldType::Sint => Kind::Int { bits: signed_bits(length), unsigned: false },
            FieldType::Uint => Kind::Int { bits: unsigned_bits(length), unsigned: true },
            FieldType::Double => Kind::Double,
            FieldType::Float => Kind::Float,
            FieldType::Bytes => match self.content_type {
                GEOMETRY => Kind::Geometry,
                JSON => Kind::Json,
                0 if self.collation == BINARY => Kind::Bytes,
                _ => Kind::Text,
            },
            FieldType::Time => Kind::Time,
            FieldType::Datetime => match self.content_type {
                DATE => Kind::Date,
                0 if length == DATE_LENGTH => Kind::Date,
                _ if self.flags & TIMESTAMP != 0 => Kind::Timestamp,
                _ => Kind::DateTime,
            },
            FieldType::Set => Kind::SetMembers,
            FieldType::Enum => Kind::Enum,
            FieldType::Bit => Kind::Bit,
            FieldType::Decimal => Kind::PackedDecimal,
            FieldType::Unknown(_) => Kind::Bytes,
        }
    }

    /// Whether nothing says what the values are, as of the literal NULL, and of text of the server's own.
    pub(crate) fn is_vague(&self) -> bool {
        self.field_type == FieldType::Bytes && self.content_type == 0 && self.collation == 0
    }
}

/// The types' own display widths.
const fn signed_bits(length: u32) -> u8 {
    match length {
        1 | 4 => 8,
        6 => 16,
        9 => 24,
        11 => 32,
        _ => 64,
    }
}

const fn unsigned_bits(length: u32) -> u8 {
    match length {
        3 => 8,
        5 => 16,
        8 => 24,
        10 => 32,
        _ => 64,
    }
}

/// A number that takes all of the bytes.
#[inline(always)]
fn whole(bytes: &[u8]) -> Option<u64> {
    match varint(bytes) {
        Ok((value, [])) => Some(value),
        _ => None,
    }
}

/// A cell of a usual type that is not NULL, without a word about what could be wrong with it.
#[inline(always)]
pub(crate) fn quick(shape: Shape, bytes: &[u8]) -> Option<ValueRef<'_>> {
    match shape {
        Shape::Int => whole(bytes).map(|value| ValueRef::Int(zigzag(value))),
        Shape::UInt => whole(bytes).map(ValueRef::UInt),
        Shape::Text => match bytes {
            [text @ .., 0] => Some(ValueRef::Text(text)),
            _ => None,
        },
        Shape::Other => None,
    }
}

/// A cell that is not NULL.
///
/// | kind | bytes |
/// |---|---|
/// | signed integers | zigzag varint |
/// | unsigned integers, BIT | varint |
/// | DOUBLE, FLOAT | 8, 4 bytes of IEEE 754, least significant first |
/// | text, bytes, ENUM, JSON, geometries | the bytes, then 0x00 |
/// | DATE, DATETIME, TIMESTAMP | varints year, month, day, hour, minute, second, microsecond; zeros behind the day may be left out |
/// | TIME | 0x00 or 0x01 for minus, varints hour, minute, second, microsecond; zeros at the end may be left out |
/// | DECIMAL, SET | see [`PackedDecimal`], [`SetMembers`] |
///
/// Follows "MySQL Source Code Documentation: X Protocol, Mysqlx.Resultset, Row".
pub(crate) fn decode(kind: Kind, bytes: &[u8]) -> Result<ValueRef<'_>, ConvertError> {
    let value = match kind {
        Kind::Int { unsigned: false, .. } => quick(Shape::Int, bytes),
        Kind::Int { unsigned: true, .. } => quick(Shape::UInt, bytes),
        Kind::Bit => whole(bytes).map(ValueRef::Bit),
        Kind::Double => bytes.try_into().ok().map(f64::from_le_bytes).map(ValueRef::Double),
        Kind::Float => bytes.try_into().ok().map(f32::from_le_bytes).map(ValueRef::Float),
        Kind::Date => parts(bytes).and_then(|(parts, len)| date(parts, len)).map(ValueRef::Date),
        Kind::DateTime | Kind::Timestamp => parts(bytes).and_then(datetime).map(ValueRef::DateTime),
        Kind::Time => time(bytes).map(ValueRef::Time),
        Kind::PackedDecimal => return PackedDecimal::parse(bytes).map(ValueRef::PackedDecimal),
        Kind::SetMembers => return SetMembers::parse(bytes).map(ValueRef::SetMembers),
        other => match (other, bytes) {
            (Kind::Geometry, [bytes @ .., 0]) => return GeometryRef::parse(bytes).map(ValueRef::Geometry),
            (Kind::Json, [text @ .., 0]) => Some(ValueRef::Json(text)),
            (Kind::Bytes, [bytes @ .., 0]) => Some(ValueRef::Bytes(bytes)),
            (_, [text @ .., 0]) => Some(ValueRef::Text(text)),
            _ => None,
        },
    };
    value.ok_or(ConvertError::Malformed)
}

/// The parts of a point in time, those left out as zeros, and how many there are.
type Parts = ([u64; 7], usize);

fn parts(mut bytes: &[u8]) -> Option<Parts> {
    let (mut parts, mut len) = ([0; 7], 0);
    for part in &mut parts {
        if bytes.is_empty() {
            break;
        }
        (*part, bytes) = varint(bytes).ok()?;
        len += 1;
    }
    bytes.is_empty().then_some((parts, len))
}

fn small<T: TryFrom<u64>>(part: u64) -> Option<T> {
    T::try_from(part).ok()
}

fn date([year, month, day, ..]: [u64; 7], len: usize) -> Option<Date> {
    Date::new(small(year)?, small(month)?, small(day)?).filter(|_| len == 3)
}

fn datetime((parts, len): Parts) -> Option<DateTime> {
    let [_, _, _, hour, minute, second, micros] = parts;
    let date = date(parts, len.min(3))?;
    DateTime::new(date, small(hour)?, small(minute)?, small(second)?, small(micros)?)
}

fn time(bytes: &[u8]) -> Option<Time> {
    let (sign, rest) = bytes.split_first()?;
    let ([hours, minutes, seconds, micros, ..], len) = parts(rest)?;
    let span = Time::new(*sign == 1, small(hours)?, small(minutes)?, small(seconds)?, small(micros)?);
    span.filter(|_| *sign <= 1 && len <= 4)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, proptest};

    use super::*;

    const INT: Kind = Kind::Int { bits: 64, unsigned: false };
    const UINT: Kind = Kind::Int { bits: 64, unsigned: true };

    #[test]
    fn numbers_as_a_server_sends_them() {
        assert_eq!(decode(INT, &[0x09]), Ok(ValueRef::Int(-5)));
        assert_eq!(decode(INT, &[0x02]), Ok(ValueRef::Int(1)));
        let min = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
        assert_eq!(decode(INT, &min), Ok(ValueRef::Int(i64::MIN)));
        assert_eq!(decode(UINT, &min), Ok(ValueRef::UInt(u64::MAX)));
        assert_eq!(decode(UINT, &[0xc8, 0x01]), Ok(ValueRef::UInt(200)));
        assert_eq!(decode(Kind::Bit, &[0x81, 0x04]), Ok(ValueRef::Bit(0b10_0000_0001)));
        assert_eq!(decode(Kind::Double, &[0, 0, 0, 0, 0, 0, 2, 0xc0]), Ok(ValueRef::Double(-2.25)));
        assert_eq!(decode(Kind::Float, &[0, 0, 0xc0, 0x3f]), Ok(ValueRef::Float(1.5)));
        for bytes in [&[0x80][..], &[1, 1], &[0xff; 11]] {
            assert_eq!(decode(UINT, bytes), Err(ConvertError::Malformed));
        }
        assert_eq!(decode(Kind::Double, &[0; 4]), Err(ConvertError::Malformed));
    }

    #[test]
    fn bytes_end_with_one_zero() {
        assert_eq!(decode(Kind::Text, b"\0"), Ok(ValueRef::Text(b"")));
        assert_eq!(decode(Kind::Text, b"x\0y\0"), Ok(ValueRef::Text(b"x\0y")));
        assert_eq!(decode(Kind::Bytes, b"ab\0\0\0"), Ok(ValueRef::Bytes(b"ab\0\0")));
        assert_eq!(decode(Kind::Json, b"{}\0"), Ok(ValueRef::Json(b"{}")));
        assert_eq!(decode(Kind::Text, b"ab"), Err(ConvertError::Malformed));
        let point = decode(Kind::Geometry, b"\0\0\0\0\x01\0").unwrap();
        assert!(matches!(point, ValueRef::Geometry(geometry) if geometry.wkb() == [1]));
    }

    #[test]
    fn points_in_time_as_a_server_sends_them() {
        let moment = |text: &str| Ok(ValueRef::DateTime(text.parse().unwrap()));
        assert_eq!(decode(Kind::DateTime, &[0xe8, 0x0f, 2, 3]), moment("2024-02-03 00:00:00"));
        let half = [0xe8, 0x0f, 2, 3, 4, 0, 0, 0xa0, 0xc2, 0x1e];
        assert_eq!(decode(Kind::Timestamp, &half), moment("2024-02-03 04:00:00.5"));
        // The year of the zero DATETIME has a byte too many.
        assert_eq!(decode(Kind::DateTime, &[0x80, 0, 0, 0]), Ok(ValueRef::DateTime(DateTime::ZERO)));
        assert_eq!(decode(Kind::Date, &[0, 0, 0]), Ok(ValueRef::Date(Date::ZERO)));
        let malformed = Err(ConvertError::Malformed);
        for bytes in [&[0xe8, 0x0f, 2][..], &[0xe8, 0x0f, 13, 1], &[1; 8], &[0xe8, 0x0f, 2, 3, 24]] {
            assert_eq!(decode(Kind::DateTime, bytes), malformed, "{bytes:x?}");
        }
        assert_eq!(decode(Kind::Date, &[0xe8, 0x0f, 2, 3, 0]), malformed);
    }

    #[test]
    fn times_as_a_server_sends_them() {
        let time = |text: &str| Ok(ValueRef::Time(text.parse().unwrap()));
        assert_eq!(decode(Kind::Time, &[0]), time("00:00:00"));
        assert_eq!(decode(Kind::Time, &[0, 0x64]), time("100:00:00"));
        assert_eq!(decode(Kind::Time, &[0, 1, 2, 3]), time("01:02:03"));
        assert_eq!(decode(Kind::Time, &[1, 0xc6, 6, 0x3b, 0x3a, 1]), time("-838:59:58.000001"));
        let malformed = Err(ConvertError::Malformed);
        for bytes in [&[][..], &[2], &[0, 1, 2, 3, 4, 5], &[0, 0xc7, 6], &[0, 1, 60]] {
            assert_eq!(decode(Kind::Time, bytes), malformed, "{bytes:x?}");
        }
    }

    #[test]
    fn what_columns_are() {
        let format = |field_type, content_type, collation, flags| ColumnFormat {
            field_type,
            content_type,
            collation,
            fractional_digits: 0,
            flags,
        };
        let kind = |field_type, content_type, collation, flags, length| {
            format(field_type, content_type, collation, flags).kind(length)
        };
        assert_eq!(kind(FieldType::Sint, 0, 0, 0, 11), Kind::Int { bits: 32, unsigned: false });
        assert_eq!(kind(FieldType::Uint, 0, 0, 1, 6), UINT);
        assert_eq!(kind(FieldType::Bytes, 0, 255, 1, 20), Kind::Text);
        assert_eq!(kind(FieldType::Bytes, 0, 63, 0, 20), Kind::Bytes);
        assert_eq!(kind(FieldType::Bytes, 2, 63, 0, 20), Kind::Json);
        assert_eq!(kind(FieldType::Datetime, 2, 0, 1, 19), Kind::Timestamp);
        assert_eq!(
            (kind(FieldType::Datetime, 1, 0, 0, 10), kind(FieldType::Datetime, 0, 0, 0, 10)),
            (Kind::Date, Kind::Date)
        );
        assert!(
            format(FieldType::Bytes, 0, 0, 0).is_vague() && !format(FieldType::Bytes, 1, 0, 0).is_vague()
        );
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in any::<Vec<u8>>()) {
            for kind in [INT, UINT, Kind::Bit, Kind::Float, Kind::Date, Kind::DateTime, Kind::Time, Kind::Text,
                Kind::Geometry, Kind::PackedDecimal, Kind::SetMembers, Kind::Null]
            {
                let _ = decode(kind, &bytes);
            }
        }
    }
}
