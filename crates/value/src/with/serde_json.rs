//! JSON; on MariaDB, where JSON is a name of LONGTEXT, text.

use serde::{Deserialize, Serialize};

use crate::convert::unfit;
use crate::{ConvertError, FromValue, Kind, ParamRef, ToValue, Value, ValueRef};

/// A value of type `T` that is JSON in the database.
///
/// ```
/// use porpoise_value::{FromValue, Json, ValueRef};
///
/// #[derive(serde::Deserialize, Debug, PartialEq)]
/// struct Tags<'a> {
///     #[serde(borrow)]
///     tags: Vec<&'a str>,
/// }
///
/// let Json(tags) = Json::<Tags>::from_value(ValueRef::Json(br#"{"tags": ["a", "b"]}"#))?;
/// assert_eq!(tags, Tags { tags: vec!["a", "b"] });
/// # Ok::<(), porpoise_value::ConvertError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Json<T>(pub T);

fn accepts(kind: Kind) -> bool {
    matches!(kind, Kind::Json | Kind::Text)
}

fn read<'a, T: Deserialize<'a>>(value: ValueRef<'a>) -> Result<T, ConvertError> {
    match value {
        ValueRef::Json(text) | ValueRef::Text(text) => serde_json::from_slice(text).map_err(reason),
        other => Err(unfit(other)),
    }
}

/// Where and what kind of error; the error's own words may show the document.
fn reason(error: serde_json::Error) -> ConvertError {
    let what = match error.classify() {
        serde_json::error::Category::Data => "JSON of another shape",
        _ => "not JSON",
    };
    ConvertError::other(format_args!("{what}, at line {} column {}", error.line(), error.column()))
}

fn write<T: Serialize>(value: &T) -> Result<ParamRef<'_>, ConvertError> {
    Ok(ParamRef::Owned(Value::Json(serde_json::to_string(value).map_err(reason)?)))
}

impl<'a, T: Deserialize<'a>> FromValue<'a> for Json<T> {
    fn accepts(kind: Kind) -> bool {
        accepts(kind)
    }

    fn from_value(value: ValueRef<'a>) -> Result<Self, ConvertError> {
        read(value).map(Self)
    }
}

impl<T: Serialize> ToValue for Json<T> {
    fn to_value(&self) -> Result<ParamRef<'_>, ConvertError> {
        write(&self.0)
    }
}

impl<'a> FromValue<'a> for serde_json::Value {
    fn accepts(kind: Kind) -> bool {
        accepts(kind)
    }

    fn from_value(value: ValueRef<'a>) -> Result<Self, ConvertError> {
        read(value)
    }
}

impl ToValue for serde_json::Value {
    fn to_value(&self) -> Result<ParamRef<'_>, ConvertError> {
        write(self)
    }
}

single! {
    [] serde_json::Value;
    [T: Deserialize<'r>] Json<T>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents() {
        let text = r#"{"a":[1,null,"é"]}"#;
        let document = serde_json::Value::from_value(ValueRef::Json(text.as_bytes())).unwrap();
        assert_eq!(document["a"][2], "é");
        assert_eq!(document.to_value(), Ok(ParamRef::Owned(Value::Json(text.into()))));
        // MariaDB's.
        assert_eq!(Json::<Vec<u8>>::from_value(ValueRef::Text(b"[1, 2]")), Ok(Json(vec![1, 2])));
        assert_eq!(Json([1]).to_value(), Ok(ParamRef::Owned(Value::Json("[1]".into()))));
    }

    #[test]
    fn errors_do_not_show_the_document() {
        let error = |text: &'static str| {
            Json::<u8>::from_value(ValueRef::Json(text.as_bytes())).unwrap_err().to_string()
        };
        assert_eq!(error("\"secret\""), "JSON of another shape, at line 1 column 8");
        assert!(error("secret").starts_with("not JSON"));
        assert!(error("\"\u{0}").starts_with("not JSON"));
    }
}
