//! JSON as values of the protocol.

use std::fmt;

use porpoise::xproto::messages::datatypes::{Any, Array, Object, Scalar};
use serde_json::{Map, Number, Value};

/// Why JSON is no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NoValue(String);

impl fmt::Display for NoValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A value: `{"$uint": 1}` and the like name the type of a scalar.
pub(crate) fn any(value: &Value) -> Result<Any, NoValue> {
    match value {
        Value::Array(values) => Ok(Array { value: values.iter().map(any).collect::<Result<_, _>>()? }.into()),
        Value::Object(fields) => match typed(fields)? {
            Some(scalar) => Ok(scalar.into()),
            None => Ok(object(fields)?.into()),
        },
        value => Ok(scalar(value)?.into()),
    }
}

pub(crate) fn object(fields: &Map<String, Value>) -> Result<Object, NoValue> {
    fields.iter().try_fold(Object::default(), |object, (key, value)| Ok(object.with(key, any(value)?)))
}

/// A value that is neither an array nor an object; those are sent as JSON text.
pub(crate) fn scalar(value: &Value) -> Result<Scalar, NoValue> {
    Ok(match value {
        Value::Null => Scalar::null(),
        Value::Bool(value) => (*value).into(),
        Value::Number(value) => number(value)?,
        Value::String(value) => value.as_str().into(),
        Value::Object(fields) => match typed(fields)? {
            Some(scalar) => scalar,
            None => json(value),
        },
        Value::Array(_) => json(value),
    })
}

/// Octets that are JSON.
pub(crate) fn json(value: &Value) -> Scalar {
    const JSON: u32 = 2;
    Scalar::octets(value.to_string(), Some(JSON))
}

/// Signed as long as it can be.
fn number(number: &Number) -> Result<Scalar, NoValue> {
    let signed = number.as_i64().map(Scalar::from);
    let whole = signed.or_else(|| number.as_u64().map(Scalar::from));
    whole
        .or_else(|| number.as_f64().map(Scalar::from))
        .ok_or_else(|| NoValue(format!("{number} is no number")))
}

/// A scalar whose type is named.
fn typed(fields: &Map<String, Value>) -> Result<Option<Scalar>, NoValue> {
    let Some((name, value)) = fields.iter().find(|(name, _)| name.starts_with('$')) else { return Ok(None) };
    let wrong = |what: &str| NoValue(format!("{name} takes {what}, not {value}"));
    let content_type = match fields.get("content_type") {
        Some(number) => {
            let number = number.as_u64().and_then(|number| u32::try_from(number).ok());
            Some(number.ok_or_else(|| NoValue("content_type takes a whole number".to_owned()))?)
        }
        None => None,
    };
    if let Some((other, _)) = fields.iter().find(|(other, _)| *other != name && *other != "content_type") {
        return Err(NoValue(format!("{other:?} has no place beside {name}")));
    }
    let scalar = match name.as_str() {
        "$uint" => value.as_u64().ok_or_else(|| wrong("a whole number from 0"))?.into(),
        "$sint" => value.as_i64().ok_or_else(|| wrong("a whole number"))?.into(),
        "$double" => value.as_f64().ok_or_else(|| wrong("a number"))?.into(),
        "$float" => {
            let number = value.as_f64().ok_or_else(|| wrong("a number"))?;
            #[expect(clippy::cast_possible_truncation, reason = "the nearest float is what is asked for")]
            let number = number as f32;
            number.into()
        }
        "$octets" => {
            let text = value.as_str().ok_or_else(|| wrong("text"))?;
            Scalar::octets(text.to_owned(), content_type)
        }
        "$hex" => {
            let digits = value.as_str().and_then(unhex);
            Scalar::octets(digits.ok_or_else(|| wrong("pairs of hexadecimal digits"))?, content_type)
        }
        _ => return Err(NoValue(format!("no type is named {name}"))),
    };
    Ok(Some(scalar))
}

/// Bytes from hexadecimal digits, with blanks between them or not.
pub(crate) fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let pairs = digits.chunks(2).map(|pair| {
        let pair = std::str::from_utf8(pair).ok().filter(|pair| pair.len() == 2)?;
        // A sign is none of the digits.
        if pair.starts_with('+') { None } else { u8::from_str_radix(pair, 16).ok() }
    });
    pairs.collect()
}

#[cfg(test)]
mod tests {
    use porpoise::xproto::messages::datatypes::scalar::Type;
    use serde_json::json;

    use super::*;

    fn of(value: &Value) -> Scalar {
        any(value).unwrap().scalar.unwrap()
    }

    #[test]
    fn types_follow_from_the_value() {
        let cases = [
            (json!(null), Type::VNull),
            (json!(true), Type::VBool),
            (json!(-1), Type::VSint),
            (json!(9_223_372_036_854_775_807_u64), Type::VSint),
            (json!(9_223_372_036_854_775_808_u64), Type::VUint),
            (json!(1.0), Type::VDouble),
            (json!("x"), Type::VString),
            (json!({"$uint": 1}), Type::VUint),
            (json!({"$sint": 1}), Type::VSint),
            (json!({"$float": 0.5}), Type::VFloat),
            (json!({"$double": 1}), Type::VDouble),
            (json!({"$octets": "x"}), Type::VOctets),
        ];
        for (value, kind) in cases {
            assert_eq!(of(&value).r#type(), kind, "{value}");
        }
        assert_eq!(of(&json!({"$hex": "00 fF"})).text().unwrap()[..], [0, 255]);
        let typed = of(&json!({"$octets": "{}", "content_type": 2})).v_octets.unwrap();
        assert_eq!((&typed.value[..], typed.content_type), (&b"{}"[..], Some(2)));
    }

    #[test]
    fn objects_keep_their_order() {
        let value = serde_json::from_str(r#"{"b": [1, {"c": null}], "a": {}}"#).unwrap();
        let object = any(&value).unwrap().obj.unwrap();
        assert_eq!(object.fld.iter().map(|field| &*field.key).collect::<Vec<_>>(), ["b", "a"]);
        assert_eq!(object.fld[0].value.array.as_ref().unwrap().value.len(), 2);
        assert_eq!(scalar(&value).unwrap().text().unwrap()[..], br#"{"b":[1,{"c":null}],"a":{}}"#[..]);
    }

    #[test]
    fn what_is_no_value() {
        for (value, why) in [
            (json!({"$uint": -1}), "$uint takes a whole number from 0, not -1"),
            (json!([{"$hex": "0"}]), "$hex takes pairs of hexadecimal digits, not \"0\""),
            (json!({"$hex": "+1"}), "$hex takes pairs of hexadecimal digits, not \"+1\""),
            (json!({"$int": 1}), "no type is named $int"),
            (json!({"$uint": 1, "x": 1}), "\"x\" has no place beside $uint"),
        ] {
            assert_eq!(any(&value).unwrap_err().to_string(), why);
        }
    }
}
