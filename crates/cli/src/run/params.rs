//! Parameters of a statement, as `bind` takes them and COM_STMT_EXECUTE sends them.

use porpoise::classic::ClientError;

use super::outcome::Failed;

/// One parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Param {
    value: Value,
    /// Its value, or a part of it, was sent ahead.
    pub(super) sent_ahead: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Value {
    Null,
    Int(i64),
    /// A string, or the empty one that long data replace.
    Text(String),
}

const MYSQL_TYPE_NULL: u8 = 6;
const MYSQL_TYPE_LONGLONG: u8 = 8;
const MYSQL_TYPE_STRING: u8 = 254;

impl Param {
    /// `i1`, `stext`, `n`, `Lx`.
    pub(super) fn parse(word: &str) -> Result<Self, Failed> {
        let unsupported = || {
            let message = format!("{word:?} is no parameter: i1, stext, n, Lx are");
            Failed::client(ClientError::CR_UNSUPPORTED_PARAM_TYPE, message)
        };
        let mut chars = word.chars();
        let value = match (chars.next(), chars.as_str()) {
            (Some('i'), digits) => Value::Int(digits.parse().map_err(|_| unsupported())?),
            (Some('s'), text) => Value::Text(text.to_owned()),
            (Some('n'), "") => Value::Null,
            (Some('L'), _) => Value::Text(String::new()),
            _ => return Err(unsupported()),
        };
        Ok(Self { value, sent_ahead: false })
    }

    pub(super) const NULL: Self = Self { value: Value::Null, sent_ahead: false };

    /// Whether it may be sent ahead.
    pub(super) const fn takes_long_data(&self) -> bool {
        matches!(self.value, Value::Text(_))
    }

    const fn type_byte(&self) -> u8 {
        match self.value {
            Value::Null => MYSQL_TYPE_NULL,
            Value::Int(_) => MYSQL_TYPE_LONGLONG,
            Value::Text(_) => MYSQL_TYPE_STRING,
        }
    }

    fn encode(&self, out: &mut Vec<u8>) {
        match &self.value {
            Value::Null => {}
            _ if self.sent_ahead => {}
            Value::Int(value) => out.extend_from_slice(&value.to_le_bytes()),
            Value::Text(text) => {
                lenenc(text.len(), out);
                out.extend_from_slice(text.as_bytes());
            }
        }
    }
}

/// What follows the nine bytes of id, flags and iteration count.
///
/// | type | field | condition |
/// |---|---|---|
/// | `int<lenenc>` | parameter_count | CLIENT_QUERY_ATTRIBUTES |
/// | `binary<var>` | null bitmap | parameters |
/// | `int<1>` | new_params_bind_flag: 1 | parameters |
/// | `int<2>` | type, for each | parameters |
/// | `string<lenenc>` | name, empty; behind each type | parameters, CLIENT_QUERY_ATTRIBUTES |
/// | `binary<var>` | values that are not NULL and were not sent ahead | parameters |
pub(super) fn block(params: &[Param], attributes: bool) -> Vec<u8> {
    let mut out = Vec::new();
    if attributes {
        lenenc(params.len(), &mut out);
    }
    if params.is_empty() {
        return out;
    }
    out.extend(params.chunks(8).map(|eight| {
        let bits = eight.iter().enumerate().filter(|(_, param)| param.value == Value::Null);
        bits.fold(0_u8, |byte, (i, _)| byte | 1 << i)
    }));
    out.push(1);
    for param in params {
        out.extend_from_slice(&[param.type_byte(), 0]);
        if attributes {
            out.push(0);
        }
    }
    for param in params {
        param.encode(&mut out);
    }
    out
}

fn lenenc(len: usize, out: &mut Vec<u8>) {
    let bytes = (len as u64).to_le_bytes();
    let (mark, count): (&[u8], usize) = match len {
        0..=0xfa => (&[], 1),
        0xfb..=0xffff => (&[0xfc], 2),
        0x1_0000..=0xff_ffff => (&[0xfd], 3),
        _ => (&[0xfe], 8),
    };
    out.extend_from_slice(mark);
    out.extend_from_slice(bytes.get(..count).unwrap_or_default());
}
