//! When a conversation of the X Protocol equals a recorded one: the one place of that rule. See `tests/golden-x/README.md`.

use std::sync::LazyLock;

use anyhow::{Context as _, Result, bail, ensure};
use prost_reflect::{DescriptorPool, DynamicMessage, ReflectMessage as _, Value};
use serde_json::Value as Json;

use crate::root;

/// What a statement's expressions and documents are turned into. Their results are compared, not they.
const TREES: [&str; 10] = [
    "projection",
    "criteria",
    "limit",
    "limit_expr",
    "order",
    "grouping",
    "grouping_criteria",
    "args",
    "row",
    "operation",
];

/// Numbers of errors that a client finds by itself.
const CLIENT_ERRORS: std::ops::Range<u64> = 2000..3000;

/// The messages' descriptors, of the files that the generated ones are made of.
static POOL: LazyLock<Result<DescriptorPool, String>> = LazyLock::new(|| {
    let compile = || -> Result<DescriptorPool> {
        let folder = root().join("xtask/proto");
        let mut files: Vec<_> =
            std::fs::read_dir(&folder)?.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
        files.sort();
        Ok(DescriptorPool::from_file_descriptor_set(protox::compile(&files, [&folder])?)?)
    };
    compile().map_err(|error| format!("{error:#}"))
});

/// Compares what was recorded with what was told, both as lines of JSON.
///
/// # Errors
/// The first difference of each kind of line.
pub fn x_compare(recorded: &[String], told: &[String], unstable: &[String]) -> Result<()> {
    let (recorded, told) = (Lines::new(recorded, unstable)?, Lines::new(told, unstable)?);
    let mut differences = Vec::new();
    ensure!(recorded.hellos == told.hellos, "{} hellos, not {}", told.hellos, recorded.hellos);
    for (kind, recorded, told) in [
        ("message", &recorded.messages, &told.messages),
        ("state", &recorded.states, &told.states),
        ("step", &recorded.steps, &told.steps),
    ] {
        let longest = recorded.len().max(told.len());
        let first = (0..longest).find(|at| recorded.get(*at) != told.get(*at));
        if let Some(at) = first {
            let line = |lines: &[String]| lines.get(at).map_or("nothing", String::as_str).to_owned();
            differences.push(format!("{kind} {at}:\n  - {}\n  + {}", line(recorded), line(told)));
        }
    }
    if differences.is_empty() { Ok(()) } else { bail!(differences.join("\n")) }
}

/// What is compared, each in its order.
#[derive(Default)]
struct Lines {
    hellos: usize,
    messages: Vec<String>,
    states: Vec<String>,
    steps: Vec<String>,
}

impl Lines {
    fn new(lines: &[String], unstable: &[String]) -> Result<Self> {
        let mut all = Self::default();
        for line in lines {
            let json: Json = serde_json::from_str(line).with_context(|| line.clone())?;
            match text(&json, "t") {
                "message"
                    if text(json.get("payload").unwrap_or(&Json::Null), "name").ends_with("ServerHello") =>
                {
                    all.hellos += 1;
                }
                "message" => all.messages.push(message(&json, unstable).with_context(|| line.clone())?),
                "state" => all.states.push(text(&json, "name").to_owned()),
                "step" => all.steps.push(step(json)),
                "scenario" => {}
                other => bail!("a line of the kind {other:?}"),
            }
        }
        Ok(all)
    }
}

fn text<'a>(json: &'a Json, key: &str) -> &'a str {
    json.get(key).and_then(Json::as_str).unwrap_or_default()
}

/// A step's result. The numbers and texts of errors that the client found itself may differ.
fn step(mut json: Json) -> String {
    if let Some(fields) = json.as_object_mut() {
        if fields.get("code").and_then(Json::as_u64).is_some_and(|code| CLIENT_ERRORS.contains(&code)) {
            fields.remove("code");
        }
        fields.remove("error");
        fields.sort_keys();
    }
    json.to_string()
}

fn message(json: &Json, unstable: &[String]) -> Result<String> {
    let (name, dir) = (text(json, "name"), text(json, "dir"));
    let mut line = format!("{dir} {} {name}", json.get("flight").and_then(Json::as_u64).unwrap_or_default());
    if json.get("inner").is_some_and(|inner| inner == true) {
        line.push_str(" inner");
    }
    let rows = name == "Mysqlx.Resultset.Row" && unstable.iter().any(|what| what == "rows");
    // What the client compressed depends on how it compresses.
    let compressed = name == "Mysqlx.Connection.Compression" && dir == "out";
    if name == "bytes" {
        line.push_str(&format!(" {}", text(json, "text")));
    } else if !rows && !compressed {
        line.push_str(&format!(" {}", normal(name, text(json, "text"))?));
    }
    if let Some(payload) = json.get("payload") {
        let name = text(payload, "name");
        line.push_str(&format!(" {name} {}", normal(name, text(payload, "text"))?));
    }
    Ok(line)
}

/// A message in the only way that it can be written.
fn normal(name: &str, text: &str) -> Result<String> {
    let pool = POOL.as_ref().map_err(|error| anyhow::anyhow!("{error}"))?;
    let descriptor = pool.get_message_by_name(name).with_context(|| format!("no message {name}"))?;
    let mut message = DynamicMessage::parse_text_format(descriptor, text)?;
    normalize(&mut message);
    Ok(message.to_text_format())
}

fn normalize(message: &mut DynamicMessage) {
    let name = message.descriptor().full_name().to_owned();
    if name == "Mysqlx.Notice.SessionStateChanged" {
        mask(message);
    }
    if matches!(
        &*name,
        "Mysqlx.Crud.Find" | "Mysqlx.Crud.Insert" | "Mysqlx.Crud.Update" | "Mysqlx.Crud.Delete"
    ) {
        TREES.iter().for_each(|tree| message.clear_field_by_name(tree));
    }
    let fields: Vec<_> = message.descriptor().fields().filter(|field| message.has_field(field)).collect();
    for field in fields {
        match message.get_field_mut(&field) {
            Value::Message(inner) => normalize(inner),
            Value::List(values) => {
                values.iter_mut().filter_map(Value::as_message_mut).for_each(normalize);
                if name == "Mysqlx.Connection.Capabilities" {
                    values.sort_by_key(|value| format!("{value:?}"));
                }
            }
            value if *value == field.default_value() => message.clear_field(&field),
            _ => {}
        }
    }
}

/// Numbers of connections and generated ids are others each time.
fn mask(changed: &mut DynamicMessage) {
    const GENERATED_DOCUMENT_IDS: i32 = 12;
    const CLIENT_ID_ASSIGNED: i32 = 11;
    let param = changed.get_field_by_name("param").and_then(|param| param.as_enum_number());
    let Some(values) = changed.get_field_by_name_mut("value").and_then(Value::as_list_mut) else { return };
    for scalar in values.iter_mut().filter_map(Value::as_message_mut) {
        match param {
            Some(CLIENT_ID_ASSIGNED) => scalar.set_field_by_name("v_unsigned_int", Value::U64(0)),
            Some(GENERATED_DOCUMENT_IDS) => {
                let octets = scalar.get_field_by_name_mut("v_octets").and_then(Value::as_message_mut);
                let value = octets.and_then(|octets| octets.get_field_by_name_mut("value"));
                if let Some(Value::Bytes(id)) = value {
                    *id = vec![b'0'; id.len()].into();
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn equal(recorded: &str, told: &str) -> bool {
        x_compare(&[recorded.to_owned()], &[told.to_owned()], &[]).is_ok()
    }

    fn out(name: &str, text: &str) -> String {
        serde_json::json!({"t": "message", "dir": "out", "name": name, "flight": 1, "text": text}).to_string()
    }

    #[test]
    fn what_does_not_matter() {
        let expect = |text| out("Mysqlx.Expect.Open", text);
        assert!(equal(
            &expect("cond { condition_key: 1 }"),
            &expect("op: 0 cond { op: EXPECT_OP_SET condition_key: 1 }")
        ));
        let find = |text| out("Mysqlx.Crud.Find", text);
        let whole = "data_model: 1 collection { name: 'c' } limit { row_count: 5 }";
        assert!(equal(&find("collection { name: \"c\" } data_model: DOCUMENT"), &find(whole)));
        let set = |names: [&str; 2]| {
            let one = |name| format!("capabilities {{ name: '{name}' value {{ type: SCALAR }} }}");
            out(
                "Mysqlx.Connection.CapabilitiesSet",
                &format!("capabilities {{ {} }}", names.map(one).join(" ")),
            )
        };
        assert!(equal(&set(["a", "b"]), &set(["b", "a"])) && !equal(&set(["a", "b"]), &set(["a", "c"])));
        let compression = |text| out("Mysqlx.Connection.Compression", text);
        assert!(equal(&compression("uncompressed_size: 5"), &compression("")));
        let client = r#"{"t": "step", "step": "send", "rc": 1, "code": 2006}"#;
        assert!(equal(client, r#"{"t": "step", "step": "send", "rc": 1, "error": "lost", "code": 2013}"#));
    }

    #[test]
    fn what_does() {
        let sql = |text| out("Mysqlx.Sql.StmtExecute", text);
        assert!(!equal(&sql("stmt: 'a'"), &sql("stmt: 'b'")));
        assert!(!equal(&sql("stmt: 'a'"), &sql("stmt: 'a'").replace("\"flight\":1", "\"flight\":2")));
        assert!(!equal(r#"{"t": "state", "name": "TLS"}"#, r#"{"t": "state", "name": "ERROR"}"#));
        let server = r#"{"t": "step", "step": "sql", "rc": 1, "code": 1064}"#;
        assert!(
            !equal(server, &server.replace("1064", "1065"))
                && !equal(server, &server.replace("\"rc\": 1", "\"rc\": 0"))
        );
        let hello = r#"{"t": "message", "dir": "in", "name": "Mysqlx.Notice.Frame", "text": "type: 5", "payload": {"name": "Mysqlx.Notice.ServerHello", "text": ""}}"#;
        assert!(x_compare(&[hello.to_owned()], &[], &[]).is_err());
        let changed = |value| {
            format!(
                r#"{{"t": "message", "dir": "in", "name": "Mysqlx.Notice.Frame", "flight": 1, "text": "type: 3", "payload": {{"name": "Mysqlx.Notice.SessionStateChanged", "text": "{value}"}}}}"#
            )
        };
        let number = |param, number| {
            changed(format!("param: {param} value {{ type: V_UINT v_unsigned_int: {number} }}"))
        };
        assert!(equal(&number("CLIENT_ID_ASSIGNED", 0), &number("CLIENT_ID_ASSIGNED", 7)));
        assert!(!equal(&number("ROWS_AFFECTED", 0), &number("ROWS_AFFECTED", 7)));
    }
}
