//! Parameters of a statement, as `bind` takes them.

use porpoise::classic::ClientError;
use porpoise::value::{ConvertError, ParamRef, ToValue, ValueRef};

use super::outcome::Failed;

/// One parameter.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Param {
    value: Value,
    /// Its value, or a part of it, was sent by COM_STMT_SEND_LONG_DATA.
    pub(super) sent_ahead: bool,
}

#[derive(Clone, Debug, PartialEq)]
enum Value {
    Null,
    Int(i64),
    Double(f64),
    /// A string, or the empty one in whose place long data come.
    Text(String),
    Bytes(Vec<u8>),
}

impl Param {
    pub(super) const NULL: Self = Self { value: Value::Null, sent_ahead: false };

    /// `i1`, `d1.5`, `stext`, `x00ff`, `n`, `Lx`.
    pub(super) fn parse(word: &str) -> Result<Self, Failed> {
        let mut chars = word.chars();
        let value = match (chars.next(), chars.as_str()) {
            (Some('i'), digits) => digits.parse().ok().map(Value::Int),
            (Some('d'), digits) => digits.parse().ok().map(Value::Double),
            (Some('s'), text) => Some(Value::Text(text.to_owned())),
            (Some('x'), digits) => bytes(digits).map(Value::Bytes),
            (Some('n'), "") => Some(Value::Null),
            (Some('L'), _) => Some(Value::Text(String::new())),
            _ => None,
        };
        match value {
            Some(value) => Ok(Self { value, sent_ahead: false }),
            None => {
                let message = format!("{word:?} is no parameter: i1, d1.5, stext, x00ff, n, Lx are");
                Err(Failed::client(ClientError::CR_UNSUPPORTED_PARAM_TYPE, message))
            }
        }
    }

    /// Whether it may be sent ahead.
    pub(super) const fn takes_long_data(&self) -> bool {
        matches!(self.value, Value::Text(_) | Value::Bytes(_))
    }
}

/// Bytes from hexadecimal digits.
fn bytes(digits: &str) -> Option<Vec<u8>> {
    let pairs = digits.as_bytes().chunks(2);
    pairs
        .map(|pair| match std::str::from_utf8(pair) {
            Ok(pair) if pair.len() == 2 && !pair.starts_with('+') => u8::from_str_radix(pair, 16).ok(),
            _ => None,
        })
        .collect()
}

impl ToValue for Param {
    fn to_value(&self) -> Result<ParamRef<'_>, ConvertError> {
        if self.sent_ahead {
            return Ok(ParamRef::LongData);
        }
        Ok(ParamRef::Value(match &self.value {
            Value::Null => ValueRef::Null,
            Value::Int(n) => ValueRef::Int(*n),
            Value::Double(n) => ValueRef::Double(*n),
            Value::Text(text) => ValueRef::Text(text.as_bytes()),
            Value::Bytes(bytes) => ValueRef::Bytes(bytes),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters() {
        let value = |word| Param::parse(word).map(|param| param.value).map_err(|failed| failed.errno);
        assert_eq!(value("i-9223372036854775808"), Ok(Value::Int(i64::MIN)));
        assert_eq!(value("d-0.5"), Ok(Value::Double(-0.5)));
        assert_eq!(value("s"), Ok(Value::Text(String::new())));
        assert_eq!(value("snull"), Ok(Value::Text("null".to_owned())));
        assert_eq!(value("x00fF"), Ok(Value::Bytes(vec![0, 0xff])));
        assert_eq!(value("n"), Ok(Value::Null));
        assert_eq!(value("Lx"), Ok(Value::Text(String::new())));
        for word in ["", "i", "i1.5", "i9223372036854775808", "dx", "x0", "x+1", "null", "1"] {
            assert_eq!(value(word), Err(2036), "{word}");
        }
    }

    #[test]
    fn what_was_sent_ahead_has_no_value() {
        let param = Param { sent_ahead: true, ..Param::parse("stext").unwrap() };
        assert!(param.takes_long_data());
        assert!(matches!(param.to_value(), Ok(ParamRef::LongData)));
    }
}
