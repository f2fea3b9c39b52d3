//! Cells of text rows.

use porpoise_value::{
    ConvertError, Date, DateTime, DecimalRef, GeometryRef, Kind, Time, ValueRef, VectorRef,
};

/// A cell that is not NULL.
pub(crate) fn decode(kind: Kind, bytes: &[u8]) -> Result<ValueRef<'_>, ConvertError> {
    Ok(match kind {
        Kind::Int { unsigned, .. } => return int(bytes, unsigned),
        Kind::Year => return int(bytes, true),
        Kind::Float => ValueRef::Float(float(bytes)?.parse().map_err(|_| ConvertError::Malformed)?),
        Kind::Double => ValueRef::Double(float(bytes)?.parse().map_err(|_| ConvertError::Malformed)?),
        Kind::Date => ValueRef::Date(Date::parse(bytes)?),
        Kind::DateTime | Kind::Timestamp => ValueRef::DateTime(DateTime::parse(bytes)?),
        Kind::Time => ValueRef::Time(Time::parse(bytes)?),
        other => return raw(other, bytes),
    })
}

/// Kinds that are the same bytes in both encodings.
pub(super) fn raw(kind: Kind, bytes: &[u8]) -> Result<ValueRef<'_>, ConvertError> {
    Ok(match kind {
        Kind::Text | Kind::OtherText | Kind::Enum | Kind::Set => ValueRef::Text(bytes),
        Kind::Json => ValueRef::Json(bytes),
        Kind::Bit => ValueRef::Bit(bits(bytes)?),
        Kind::Geometry => ValueRef::Geometry(GeometryRef::parse(bytes)?),
        Kind::Vector => ValueRef::Vector(VectorRef::parse(bytes)?),
        Kind::Decimal => ValueRef::Decimal(DecimalRef::parse(bytes)?),
        _ => ValueRef::Bytes(bytes),
    })
}

/// Bits, most significant byte first.
fn bits(bytes: &[u8]) -> Result<u64, ConvertError> {
    if bytes.len() > size_of::<u64>() {
        return Err(ConvertError::Length);
    }
    Ok(bytes.iter().fold(0, |bits, byte| bits << 8 | u64::from(*byte)))
}

/// ZEROFILL may put zeros in front: what counts is the number.
fn int<'a>(bytes: &'a [u8], unsigned: bool) -> Result<ValueRef<'a>, ConvertError> {
    if bytes.first() == Some(&b'+') {
        return Err(ConvertError::Malformed);
    }
    let text = std::str::from_utf8(bytes).map_err(|_| ConvertError::Malformed)?;
    let value = if unsigned { text.parse().map(ValueRef::UInt) } else { text.parse().map(ValueRef::Int) };
    value.map_err(|_| ConvertError::Malformed)
}

/// The text of a number, for Rust to read. It would read words such as `inf`, too.
#[inline]
pub(super) fn float(bytes: &[u8]) -> Result<&str, ConvertError> {
    match bytes {
        [b'-' | b'+', first, ..] | [first, ..] if matches!(first, b'0'..=b'9' | b'.') => {
            std::str::from_utf8(bytes).map_err(|_| ConvertError::Malformed)
        }
        _ => Err(ConvertError::Malformed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIGNED: Kind = Kind::Int { bits: 64, unsigned: false };
    const UNSIGNED: Kind = Kind::Int { bits: 64, unsigned: true };

    #[test]
    fn integers() {
        for n in [0, 1, -1, i64::MAX, i64::MIN, 999_999_999_999_999_999, -999_999_999_999_999_999] {
            assert_eq!(decode(SIGNED, n.to_string().as_bytes()), Ok(ValueRef::Int(n)));
        }
        assert_eq!(decode(UNSIGNED, b"18446744073709551615"), Ok(ValueRef::UInt(u64::MAX)));
        assert_eq!(decode(UNSIGNED, b"00000000000000000042"), Ok(ValueRef::UInt(42)));
        assert_eq!(decode(Kind::Year, b"2024"), Ok(ValueRef::UInt(2024)));
        for text in ["", "-", "+1", "1 ", "1.0", "x", "9223372036854775808", "+9999999999999999999"] {
            assert_eq!(decode(SIGNED, text.as_bytes()), Err(ConvertError::Malformed), "{text}");
        }
        for text in ["-1", "18446744073709551616", "-0000000000000000001"] {
            assert_eq!(decode(UNSIGNED, text.as_bytes()), Err(ConvertError::Malformed), "{text}");
        }
    }

    #[test]
    fn floats() {
        assert_eq!(decode(Kind::Float, b"3.40282e38"), Ok(ValueRef::Float(3.40282e38)));
        assert_eq!(decode(Kind::Double, b"-1.7976931348623157e308"), Ok(ValueRef::Double(f64::MIN)));
        assert_eq!(decode(Kind::Double, b"1e-5"), Ok(ValueRef::Double(1e-5)));
        for text in ["", "inf", "NaN", "infinity", "1e", "--1", "0x1"] {
            assert_eq!(decode(Kind::Double, text.as_bytes()), Err(ConvertError::Malformed), "{text}");
        }
    }

    #[test]
    fn what_is_the_same_in_both_encodings() {
        assert_eq!(decode(Kind::Bit, &[0x01, 0x02]), Ok(ValueRef::Bit(0x0102)));
        assert_eq!(decode(Kind::Bit, &[0xff; 8]), Ok(ValueRef::Bit(u64::MAX)));
        assert_eq!(decode(Kind::Bit, &[0; 9]), Err(ConvertError::Length));
        assert_eq!(decode(Kind::Geometry, &[0; 3]), Err(ConvertError::Length));
        assert_eq!(decode(Kind::Vector, &[0; 5]), Err(ConvertError::Length));
        assert_eq!(decode(Kind::Enum, b"a"), Ok(ValueRef::Text(b"a")));
        assert_eq!(decode(Kind::Json, b"{}"), Ok(ValueRef::Json(b"{}")));
        assert_eq!(decode(Kind::Null, b"x"), Ok(ValueRef::Bytes(b"x")));
    }
}
