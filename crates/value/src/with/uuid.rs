//! As 16 bytes, or as the 36 characters of the usual form.

use uuid::Uuid;
use uuid::fmt::Hyphenated;

use crate::convert::unfit;
use crate::{ConvertError, FromValue, Kind, ParamRef, ToValue, Value, ValueRef};

impl FromValue<'_> for Uuid {
    fn accepts(kind: Kind) -> bool {
        matches!(kind, Kind::Bytes | Kind::Text)
    }

    fn from_value(value: ValueRef<'_>) -> Result<Self, ConvertError> {
        match value {
            ValueRef::Bytes(bytes) => Self::from_slice(bytes).map_err(|_| ConvertError::Length),
            ValueRef::Text(text) => Self::try_parse_ascii(text).map_err(ConvertError::other),
            other => Err(unfit(other)),
        }
    }
}

/// 16 bytes, for a BINARY(16); [`Hyphenated`] is text.
impl ToValue for Uuid {
    fn to_value(&self) -> Result<ParamRef<'_>, ConvertError> {
        Ok(ValueRef::Bytes(self.as_bytes()).into())
    }
}

impl FromValue<'_> for Hyphenated {
    fn accepts(kind: Kind) -> bool {
        Uuid::accepts(kind)
    }

    fn from_value(value: ValueRef<'_>) -> Result<Self, ConvertError> {
        Uuid::from_value(value).map(Self::from)
    }
}

/// Text, for a CHAR(36) or MariaDB's UUID.
impl ToValue for Hyphenated {
    fn to_value(&self) -> Result<ParamRef<'_>, ConvertError> {
        Ok(ParamRef::Owned(Value::Text(self.to_string())))
    }
}

single! { [] Uuid; }

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "00112233-4455-6677-8899-aabbccddeeff";

    #[test]
    fn bytes_and_text() {
        let uuid: Uuid = TEXT.parse().unwrap();
        assert_eq!(Uuid::from_value(ValueRef::Bytes(uuid.as_bytes())), Ok(uuid));
        assert_eq!(Uuid::from_value(ValueRef::Text(TEXT.as_bytes())), Ok(uuid));
        assert_eq!(uuid.to_value(), Ok(ValueRef::Bytes(uuid.as_bytes()).into()));
        assert_eq!(uuid.hyphenated().to_value(), Ok(ParamRef::Owned(Value::Text(TEXT.into()))));
        assert_eq!(Uuid::from_value(ValueRef::Bytes(b"short")), Err(ConvertError::Length));
        assert!(Uuid::from_value(ValueRef::Text(b"no uuid")).is_err());
        assert_eq!(Uuid::from_value(ValueRef::Null), Err(ConvertError::Null));
    }
}
