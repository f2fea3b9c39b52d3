//! Values as requests carry them, made and read without a word about their wrapping.

use bytes::Bytes;

use crate::messages::datatypes::{Any, Array, Object, Scalar, any, object, scalar};

impl Scalar {
    /// NULL.
    #[must_use]
    pub fn null() -> Self {
        Self { r#type: scalar::Type::VNull.into(), ..Self::default() }
    }

    /// Text.
    #[must_use]
    pub fn string(value: impl Into<Bytes>) -> Self {
        let v_string = Some(scalar::String { value: value.into(), collation: None });
        Self { r#type: scalar::Type::VString.into(), v_string, ..Self::default() }
    }

    /// Bytes, with their content type if they are something in particular: 1 GEOMETRY, 2 JSON, 3 XML.
    #[must_use]
    pub fn octets(value: impl Into<Bytes>, content_type: Option<u32>) -> Self {
        let v_octets = Some(scalar::Octets { value: value.into(), content_type });
        Self { r#type: scalar::Type::VOctets.into(), v_octets, ..Self::default() }
    }

    /// The text of V_STRING, or the bytes of V_OCTETS: older servers write text as such.
    #[must_use]
    pub fn text(&self) -> Option<&Bytes> {
        let string = self.v_string.as_ref().map(|string| &string.value);
        string.or_else(|| self.v_octets.as_ref().map(|octets| &octets.value))
    }

    /// Whether it is true, or a number that is not 0.
    #[must_use]
    pub fn is_true(&self) -> bool {
        self.v_bool()
            || self.v_signed_int() != 0
            || self.v_unsigned_int() != 0
            || self.v_double() != 0.0
            || self.v_float() != 0.0
    }
}

impl From<bool> for Scalar {
    fn from(value: bool) -> Self {
        Self { r#type: scalar::Type::VBool.into(), v_bool: Some(value), ..Self::default() }
    }
}

impl From<i64> for Scalar {
    fn from(value: i64) -> Self {
        Self { r#type: scalar::Type::VSint.into(), v_signed_int: Some(value), ..Self::default() }
    }
}

impl From<u64> for Scalar {
    fn from(value: u64) -> Self {
        Self { r#type: scalar::Type::VUint.into(), v_unsigned_int: Some(value), ..Self::default() }
    }
}

impl From<f64> for Scalar {
    fn from(value: f64) -> Self {
        Self { r#type: scalar::Type::VDouble.into(), v_double: Some(value), ..Self::default() }
    }
}

impl From<f32> for Scalar {
    fn from(value: f32) -> Self {
        Self { r#type: scalar::Type::VFloat.into(), v_float: Some(value), ..Self::default() }
    }
}

impl From<&str> for Scalar {
    fn from(value: &str) -> Self {
        Self::string(value.to_owned())
    }
}

impl From<String> for Scalar {
    fn from(value: String) -> Self {
        Self::string(value)
    }
}

/// Bytes, of no type in particular.
impl From<&[u8]> for Scalar {
    fn from(value: &[u8]) -> Self {
        Self::octets(value.to_owned(), None)
    }
}

/// Bytes, of no type in particular.
impl From<Vec<u8>> for Scalar {
    fn from(value: Vec<u8>) -> Self {
        Self::octets(value, None)
    }
}

macro_rules! widened {
    ($($from:ty => $to:ty),*) => {
        $(impl From<$from> for Scalar {
            fn from(value: $from) -> Self {
                Self::from(<$to>::from(value))
            }
        })*
    };
}

widened!(i8 => i64, i16 => i64, i32 => i64, u8 => u64, u16 => u64, u32 => u64);

/// `None` is NULL.
impl<S: Into<Self>> From<Option<S>> for Scalar {
    fn from(value: Option<S>) -> Self {
        value.map_or_else(Self::null, Into::into)
    }
}

impl<S: Into<Scalar>> From<S> for Any {
    fn from(value: S) -> Self {
        Self { r#type: any::Type::Scalar.into(), scalar: Some(value.into()), ..Self::default() }
    }
}

impl From<Object> for Any {
    fn from(obj: Object) -> Self {
        Self { r#type: any::Type::Object.into(), obj: Some(obj), ..Self::default() }
    }
}

impl From<Array> for Any {
    fn from(array: Array) -> Self {
        Self { r#type: any::Type::Array.into(), array: Some(array), ..Self::default() }
    }
}

impl Object {
    /// The value of a field.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Any> {
        self.fld.iter().find(|field| field.key == key).map(|field| &field.value)
    }

    /// Adds a field.
    #[must_use]
    pub fn with(mut self, key: impl Into<String>, value: impl Into<Any>) -> Self {
        self.fld.push(object::ObjectField { key: key.into(), value: value.into() });
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_say_what_they_are() {
        let object = Object::default().with("on", true).with("name", "x").with("n", -1_i64).with("u", 1_u64);
        let get = |key| object.get(key).and_then(|value| value.scalar.as_ref()).unwrap();
        assert!(get("on").is_true() && get("n").is_true() && !Scalar::null().is_true());
        assert_eq!(get("name").text().map(|text| &text[..]), Some(&b"x"[..]));
        assert_eq!(get("u").r#type(), scalar::Type::VUint);
        assert_eq!(object.get("absent"), None);
        let octets = Scalar::octets(&b"x"[..], Some(2));
        assert_eq!(octets.text().map(|text| &text[..]), Some(&b"x"[..]));
        assert!(Scalar::from(0.5_f64).is_true() && !Scalar::from(0.0_f32).is_true());
    }
}
