//! What one connect of the X Protocol did, as plain data.

use porpoise::x::{Error, Options, Session};
use porpoise::xproto::connect::Use;
use porpoise::xproto::messages::connection::Capabilities;
use porpoise::xproto::messages::datatypes::{Any, Scalar, any, scalar};
use porpoise::{FlightRecord, Target};
use serde_json::{Map, Value};

use super::exit;
use crate::exit::Exit;
use crate::report::{Auth, Fault, Report, Row, Server, Tls, XSession};
use crate::text::Part;

/// States that say how it ended, not what took its time.
const ENDS: [&str; 3] = ["AUTHENTICATION_FAILED", "ERROR", "CLOSED"];

pub(super) fn report(
    options: &Options,
    runtime: &'static str,
    record: &FlightRecord,
    result: &Result<Session, Error>,
    capabilities: Option<&Capabilities>,
) -> Report {
    let (bytes_in, bytes_out) = record.bytes();
    let session = result.as_ref().ok();
    let stages = rows(record);
    let died = stages.last().map(|row| row.name);
    let named = capabilities.map(map);
    Report {
        target: options.target().to_string(),
        user: options.connect().user.clone(),
        runtime,
        connected: session.is_some(),
        total: record.total,
        round_trips: record.round_trips(),
        bytes_in,
        bytes_out,
        stages,
        server: Server { address: record.address.map(|address| address.to_string()), version: None },
        tls: record.tls.as_ref().map(Tls::of),
        auth: (!record.auth_plugin.is_empty()).then(|| Auth {
            plugin: record.auth_plugin.clone(),
            path: record.auth_path,
            factors: record.auth_factors,
        }),
        session: None,
        x: (session.is_some() || named.is_some()).then(|| x_session(options, session, named)),
        error: result.as_ref().err().map(|error| fault(error, died)),
        plain: record.tls.is_none().then(|| plain(options, record)).flatten(),
        exit: result.as_ref().err().map_or(Exit::Connected, exit::of),
    }
}

fn x_session(
    options: &Options,
    session: Option<&Session>,
    capabilities: Option<Map<String, Value>>,
) -> XSession {
    let schema = &options.connect().schema;
    XSession {
        client_id: session.and_then(Session::client_id),
        schema: (!schema.is_empty()).then(|| schema.clone()),
        expired: session.is_some_and(Session::is_expired),
        compressed: session.is_some_and(Session::is_compressed),
        capabilities,
    }
}

/// The states, each AUTHENTICATING with its mechanism.
fn rows(record: &FlightRecord) -> Vec<Row> {
    let mut mechanisms = record.mechanisms.iter();
    let stages = record.stages.iter().filter(|stage| !ENDS.contains(&stage.stage.name));
    let row = |stage: &porpoise::StageRecord| Row {
        number: stage.stage.number,
        name: stage.stage.name,
        mechanism: match stage.stage.name {
            "AUTHENTICATING" => mechanisms.next().cloned(),
            _ => None,
        },
        part: part(stage.stage.name),
        enter: stage.enter,
        leave: stage.leave,
        bytes_in: stage.bytes_in,
        bytes_out: stage.bytes_out,
        round_trips: stage.round_trips,
    };
    stages.map(row).collect()
}

fn part(state: &str) -> Part {
    match state {
        "CONNECT" => Part::Network,
        "CONNECTED" | "NEGOTIATING" => Part::Negotiation,
        "TLS_HANDSHAKE" | "TLS" => Part::Tls,
        "AUTHENTICATING" => Part::Login,
        _ => Part::Preparation,
    }
}

/// Why a login went without TLS.
fn plain(options: &Options, record: &FlightRecord) -> Option<&'static str> {
    let past = record.stages.iter().any(|stage| stage.stage.name == "AUTHENTICATING");
    past.then(|| match (options.connect().tls, options.target()) {
        (Use::Disabled, _) => "ssl-mode=DISABLED",
        (_, Target::Unix(_)) => "not needed on a Unix socket",
        _ => "the server has none",
    })
}

/// `died`: the stage that was the last.
pub(super) fn fault(error: &Error, died: Option<&'static str>) -> Fault {
    let code = error.code();
    let (sqlstate, message) = match error.server_error() {
        Some(server) => (server.sql_state.to_string(), server.message.to_string()),
        None => ("HY000".to_owned(), cause(error)),
    };
    Fault {
        stage: died,
        expected: died.map(expected),
        got: cause(error),
        errno: code,
        name: crate::exit::number_name(code),
        sqlstate,
        message,
        advice: error.advice(),
        exit_code: exit::of(error).code(),
    }
}

/// What went wrong, without the state, which is told beside it.
fn cause(error: &Error) -> String {
    let text = error.to_string();
    match text.split_once(": ") {
        Some((before, cause)) if before.starts_with("connect") && before.contains(" in ") => cause.to_owned(),
        _ => text,
    }
}

/// What was waited for.
fn expected(stage: &str) -> &'static str {
    match stage {
        "CONNECT" => "a connection",
        "CONNECTED" => "a way to log in",
        "NEGOTIATING" => "the server's word on capabilities",
        "TLS_HANDSHAKE" => "a TLS handshake",
        "TLS" => "a login",
        _ => "AuthenticateContinue or AuthenticateOk",
    }
}

/// Capabilities as JSON.
fn map(capabilities: &Capabilities) -> Map<String, Value> {
    capabilities.capabilities.iter().map(|one| (one.name.clone(), json(&one.value))).collect()
}

fn json(value: &Any) -> Value {
    match value.r#type() {
        any::Type::Object => {
            let fields = value.obj.iter().flat_map(|object| &object.fld);
            Value::Object(fields.map(|field| (field.key.clone(), json(&field.value))).collect())
        }
        any::Type::Array => value.array.iter().flat_map(|array| &array.value).map(json).collect(),
        _ => value.scalar.as_ref().map_or(Value::Null, scalar_json),
    }
}

fn scalar_json(value: &Scalar) -> Value {
    match value.r#type() {
        scalar::Type::VSint => value.v_signed_int().into(),
        scalar::Type::VUint => value.v_unsigned_int().into(),
        scalar::Type::VDouble => value.v_double().into(),
        scalar::Type::VFloat => value.v_float().into(),
        scalar::Type::VBool => value.v_bool().into(),
        scalar::Type::VString | scalar::Type::VOctets => {
            String::from_utf8_lossy(value.text().map(|text| &text[..]).unwrap_or_default()).into()
        }
        _ => Value::Null,
    }
}

/// A capability's value in few words.
pub(crate) fn brief(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(values) => values.iter().map(brief).collect::<Vec<_>>().join(","),
        Value::Object(fields) => {
            let fields = fields.iter().map(|(key, value)| match value {
                Value::Array(_) => brief(value),
                value => format!("{key}={}", brief(value)),
            });
            fields.collect::<Vec<_>>().join(",")
        }
        value => value.to_string(),
    }
}
