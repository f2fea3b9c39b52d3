//! Values as requests carry them.

use bytes::Bytes;
use porpoise_value::{ConvertError, Date, DateTime, Decimal, ParamRef, Time, ToValue, ValueRef};

use crate::messages::datatypes::Scalar;

/// The content type of octets that hold JSON.
const JSON: u32 = 2;

impl Scalar {
    /// Any value that can be a parameter. A `bool` is a number here, as in SQL; [`From`] keeps it.
    ///
    /// # Errors
    /// As [`ToValue::to_value`]; what was to be sent ahead cannot be.
    pub fn of(value: &(impl ToValue + ?Sized)) -> Result<Self, ConvertError> {
        Self::of_param(value.to_value()?)
    }

    /// A value on its way.
    ///
    /// # Errors
    /// As [`of`](Self::of).
    pub fn of_param(value: ParamRef<'_>) -> Result<Self, ConvertError> {
        Ok(match value {
            ParamRef::Value(value) => Self::from(value),
            ParamRef::Owned(value) => Self::of(&value)?,
            ParamRef::Vector(numbers) => {
                let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
                Self::octets(bytes, None)
            }
            _ => return Err(ConvertError::other("only the classic protocol sends values ahead")),
        })
    }

    /// JSON, as text that the server parses.
    #[must_use]
    pub fn json(text: impl Into<Bytes>) -> Self {
        Self::octets(text, Some(JSON))
    }
}

/// | value | scalar |
/// |---|---|
/// | NULL, numbers | V_NULL, V_SINT, V_UINT, V_FLOAT, V_DOUBLE |
/// | text, DECIMAL, SET, dates and times | V_STRING |
/// | bytes, geometries, vectors | V_OCTETS |
/// | JSON | V_OCTETS of content type 2 |
///
/// The protocol has no decimals: as a text, one is written to a column exactly, but compared with one as a double, unless the
/// expression says `CAST(:d AS DECIMAL(65,30))`.
impl From<ValueRef<'_>> for Scalar {
    fn from(value: ValueRef<'_>) -> Self {
        let text = |text: &[u8]| Self::string(text.to_vec());
        match value {
            ValueRef::Null => Self::null(),
            ValueRef::Int(number) => Self::from(number),
            ValueRef::UInt(number) | ValueRef::Bit(number) => Self::from(number),
            ValueRef::Float(number) => Self::from(number),
            ValueRef::Double(number) => Self::from(number),
            ValueRef::Decimal(decimal) => text(decimal.as_str().as_bytes()),
            ValueRef::PackedDecimal(packed) => text(packed.unpack().borrow().as_str().as_bytes()),
            ValueRef::Text(bytes) => text(bytes),
            ValueRef::SetMembers(members) => Self::string(members.join()),
            ValueRef::Date(date) => Self::from(date),
            ValueRef::DateTime(time) => Self::from(time),
            ValueRef::Time(time) => Self::from(time),
            ValueRef::Json(json) => Self::json(json.to_vec()),
            // Bytes, geometries with their SRID in front, vectors.
            other => Self::octets(other.as_bytes().unwrap_or_default().to_vec(), None),
        }
    }
}

macro_rules! as_text {
    ($($from:ty),*) => {
        $(impl From<$from> for Scalar {
            fn from(value: $from) -> Self {
                Self::string(value.to_string())
            }
        })*
    };
}

as_text!(Date, DateTime, Time, Decimal);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::datatypes::scalar::Type;
    use porpoise_value::Value;

    #[test]
    fn every_value_has_a_scalar() {
        let text = |scalar: &Scalar| scalar.text().map(|text| String::from_utf8_lossy(text).into_owned());
        for (value, kind, said) in [
            (Value::Null, Type::VNull, None),
            (Value::Int(-1), Type::VSint, None),
            (Value::UInt(1), Type::VUint, None),
            (Value::Double(0.5), Type::VDouble, None),
            (Value::Text("é".into()), Type::VString, Some("é")),
            (Value::Bytes(vec![b'x']), Type::VOctets, Some("x")),
            (Value::Json("[1]".into()), Type::VOctets, Some("[1]")),
            (Value::Decimal("-1.50".parse().unwrap()), Type::VString, Some("-1.50")),
            (Value::Date(Date::new(2024, 2, 3).unwrap()), Type::VString, Some("2024-02-03")),
        ] {
            let scalar = Scalar::of(&value).unwrap();
            assert_eq!((scalar.r#type(), text(&scalar).as_deref()), (kind, said), "{value:?}");
        }
        assert_eq!(Scalar::of(&Value::Json("{}".into())).unwrap().v_octets.unwrap().content_type, Some(2));
        // SET members and packed digits, as they come back: 'a,foo', and -12.3401.
        let set = porpoise_value::SetMembers::parse(b"\x01a\x03foo").unwrap();
        assert_eq!(text(&ValueRef::SetMembers(set).into()).as_deref(), Some("a,foo"));
        let packed = porpoise_value::PackedDecimal::parse(b"\x04\x12\x34\x01\xd0").unwrap();
        assert_eq!(text(&ValueRef::PackedDecimal(packed).into()).as_deref(), Some("-12.3401"));
        assert_eq!(Scalar::of(&true).unwrap().r#type(), Type::VSint);
        assert_eq!(Scalar::from(true).r#type(), Type::VBool);
    }
}
