//! Messages as protobuf text format, on one line, and back.

use std::fmt::Write as _;
use std::sync::LazyLock;

use bytes::Bytes;
use prost_reflect::prost::Message as _;
use prost_reflect::{
    DescriptorPool, DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, ReflectMessage as _, Value,
};
use sha2::{Digest as _, Sha256};

use crate::generated::descriptors::MYSQLX;

/// Longer values are told by their length and a hash.
const LONG: usize = 256;

/// Shown in place of authentication data.
const MASK: &[u8] = b"***";

static POOL: LazyLock<DescriptorPool> = LazyLock::new(|| DescriptorPool::decode(MYSQLX).unwrap_or_default());

/// A message as it is shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Shown {
    pub(crate) text: String,
    /// What a notice holds: its name and its text.
    pub(crate) payload: Option<(&'static str, String)>,
}

/// A message of this full name; `None` if the bytes are none.
pub(crate) fn show(name: &str, payload: &[u8]) -> Option<Shown> {
    let mut message = decode(name, payload)?;
    let held = match name {
        "Mysqlx.Notice.Frame" => notice(&mut message),
        "Mysqlx.Connection.Compression" => {
            message.clear_field_by_name("payload");
            None
        }
        _ => None,
    };
    Some(Shown { text: text(&message), payload: held })
}

/// Takes what a notice of a known type holds out of it.
fn notice(frame: &mut DynamicMessage) -> Option<(&'static str, String)> {
    let name = match frame.get_field_by_name("type")?.as_u32()? {
        1 => "Mysqlx.Notice.Warning",
        2 => "Mysqlx.Notice.SessionVariableChanged",
        3 => "Mysqlx.Notice.SessionStateChanged",
        4 => "Mysqlx.Notice.GroupReplicationStateChanged",
        5 => "Mysqlx.Notice.ServerHello",
        _ => return None,
    };
    let held = decode(name, frame.get_field_by_name("payload")?.as_bytes()?)?;
    frame.clear_field_by_name("payload");
    Some((name, text(&held)))
}

fn decode(name: &str, bytes: &[u8]) -> Option<DynamicMessage> {
    DynamicMessage::decode(POOL.get_message_by_name(name)?, bytes).ok()
}

fn text(message: &DynamicMessage) -> String {
    let mut out = String::new();
    fields(message, &mut out);
    out
}

/// All fields that are there, by number.
fn fields(message: &DynamicMessage, out: &mut String) {
    for field in message.descriptor().fields().filter(|field| message.has_field(field)) {
        match &*message.get_field(&field) {
            Value::List(values) => values.iter().for_each(|value| one(&field, value, out)),
            value => one(&field, value, out),
        }
    }
}

fn one(field: &FieldDescriptor, value: &Value, out: &mut String) {
    if !matches!(out.chars().next_back(), None | Some(' ')) {
        out.push(' ');
    }
    out.push_str(field.name());
    if let Value::Message(message) = value {
        out.push_str(" { ");
        fields(message, out);
        out.push_str(if out.ends_with(' ') { "}" } else { " }" });
        return;
    }
    out.push_str(": ");
    // Writing to a string cannot fail.
    let _ = match value {
        Value::Bool(value) => write!(out, "{value}"),
        Value::I32(value) => write!(out, "{value}"),
        Value::I64(value) => write!(out, "{value}"),
        Value::U32(value) => write!(out, "{value}"),
        Value::U64(value) => write!(out, "{value}"),
        Value::F32(value) => write!(out, "{value:?}"),
        Value::F64(value) => write!(out, "{value:?}"),
        Value::String(value) => return quoted(field, value.as_bytes(), out),
        Value::Bytes(value) => return quoted(field, value, out),
        Value::EnumNumber(number) => match field.kind() {
            Kind::Enum(kind) => match kind.get_value(*number) {
                Some(known) => write!(out, "{}", known.name()),
                None => write!(out, "{number}"),
            },
            _ => write!(out, "{number}"),
        },
        _ => Ok(()),
    };
}

fn quoted(field: &FieldDescriptor, value: &[u8], out: &mut String) {
    out.push('"');
    if matches!(field.name(), "auth_data" | "initial_response") && !value.is_empty() {
        escaped(MASK, out);
    } else if value.len() > LONG {
        let hash = Sha256::digest(value);
        let _ = write!(out, "<{} bytes, sha256 ", value.len());
        hash.iter().take(8).for_each(|byte| {
            let _ = write!(out, "{byte:02x}");
        });
        out.push('>');
    } else {
        escaped(value, out);
    }
    out.push('"');
}

/// As all writers of the format do it: what is no plain ASCII in octal.
fn escaped(value: &[u8], out: &mut String) {
    for byte in value {
        let _ = match byte {
            b'\n' => out.write_str("\\n"),
            b'\r' => out.write_str("\\r"),
            b'\t' => out.write_str("\\t"),
            b'"' | b'\'' | b'\\' => write!(out, "\\{}", char::from(*byte)),
            b' '..=b'~' => out.write_char(char::from(*byte)),
            _ => write!(out, "\\{byte:03o}"),
        };
    }
}

/// A message that was written by hand: `Mysqlx.Package.Message { fields }`. What it lacks, it lacks on the wire, too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Written {
    pub(crate) name: String,
    pub(crate) payload: Bytes,
}

pub(crate) fn parse(text: &str) -> Result<Written, String> {
    let text = text.trim();
    let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '.' || c == '_')).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    let message = named(name).ok_or_else(|| format!("no message is named {name:?}"))?;
    let fields = rest.trim();
    let fields = match fields.strip_prefix('{') {
        Some(inner) => inner.strip_suffix('}').ok_or("the last } is missing")?,
        None if fields.is_empty() => "",
        None => return Err(format!("{{ expected behind {name}")),
    };
    let parsed = DynamicMessage::parse_text_format(message, fields).map_err(|error| error.to_string())?;
    Ok(Written { name: parsed.descriptor().full_name().to_owned(), payload: parsed.encode_to_vec().into() })
}

/// The message of a name; `Mysqlx.` in front may be left out, and the package if no other has a message of that name.
fn named(name: &str) -> Option<MessageDescriptor> {
    let known = POOL.get_message_by_name(name);
    known.or_else(|| POOL.get_message_by_name(&format!("Mysqlx.{name}"))).or_else(|| {
        let mut found = POOL.all_messages().filter(|message| message.name() == name);
        found.next().filter(|_| found.next().is_none())
    })
}

/// The full name of a message, if there is one of this name.
pub(crate) fn full_name(name: &str) -> Option<String> {
    Some(named(name)?.full_name().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Shown {
        let written = parse(text).unwrap();
        show(&written.name, &written.payload).unwrap()
    }

    #[test]
    fn text_leads_there_and_back() {
        for text in [
            "Mysqlx.Session.Reset {}",
            "Mysqlx.Expect.Open { op: EXPECT_CTX_EMPTY cond { condition_key: 1 condition_value: \"0\" } cond { condition_key: 2 } }",
            "Mysqlx.Sql.StmtExecute { stmt: \"select \\'\\303\\274\\' \\\"\\\\ \\000\" args { type: SCALAR scalar { type: V_DOUBLE v_double: -1e100 } } }",
            "Mysqlx.Resultset.ColumnMetaData { type: SINT name: \"\" }",
            // Not even what is required.
            "Mysqlx.Prepare.Prepare { stmt { } }",
        ] {
            let (_, fields) = text.split_once('{').unwrap();
            assert_eq!(shown(text).text, fields.trim_end_matches('}').trim(), "{text}");
        }
    }

    #[test]
    fn secrets_and_long_values_are_masked() {
        let start =
            "Session.AuthenticateStart { mech_name: 'PLAIN' auth_data: 'hunter2' initial_response: '' }";
        assert_eq!(shown(start).text, "mech_name: \"PLAIN\" auth_data: \"***\" initial_response: \"\"");
        let (short, long) = ("x".repeat(LONG), "x".repeat(LONG + 1));
        assert_eq!(shown(&format!("Mysqlx.Ok {{ msg: '{short}' }}")).text, format!("msg: \"{short}\""));
        // The hash is sha256sum's.
        assert_eq!(
            shown(&format!("Mysqlx.Sql.StmtExecute {{ stmt: '{long}' }}")).text,
            "stmt: \"<257 bytes, sha256 15eb95a462ee20bd>\""
        );
    }

    #[test]
    fn what_a_notice_holds_is_beside_it() {
        let hello = show("Mysqlx.Notice.Frame", b"\x08\x05\x1a\0").unwrap();
        assert_eq!(
            (&*hello.text, hello.payload),
            ("type: 5", Some(("Mysqlx.Notice.ServerHello", String::new())))
        );
        let unknown = show("Mysqlx.Notice.Frame", b"\x08\x63\x1a\x01\xff").unwrap();
        assert_eq!((&*unknown.text, unknown.payload), ("type: 99 payload: \"\\377\"", None));
        assert_eq!(show("Mysqlx.Notice.Frame", b"\xff"), None);
    }

    #[test]
    fn what_is_no_message_says_why() {
        assert_eq!(parse("Mysqlx.Nothing {}").unwrap_err(), "no message is named \"Mysqlx.Nothing\"");
        assert_eq!(parse("Mysqlx.Ok { msg: 'x'").unwrap_err(), "the last } is missing");
        assert!(parse("Mysqlx.Ok { nonsense: 1 }").unwrap_err().contains("nonsense"));
        for name in ["Mysqlx.Sql.StmtExecuteOk", "Sql.StmtExecuteOk", "StmtExecuteOk"] {
            assert_eq!(full_name(name).as_deref(), Some("Mysqlx.Sql.StmtExecuteOk"));
        }
        assert_eq!(full_name("Close"), None, "there are several");
    }
}
