//! What a command sends.

use bytes::Bytes;
use porpoise::xproto::crud::Expect;
use porpoise::xproto::messages::connection::{self, CapabilitiesGet, CapabilitiesSet};
use porpoise::xproto::messages::cursor::open::OneOfMessage as CursorStatement;
use porpoise::xproto::messages::datatypes::Any;
use porpoise::xproto::messages::prepare::prepare::OneOfMessage;
use porpoise::xproto::messages::prepare::prepare::one_of_message::Type;
use porpoise::xproto::messages::sql::StmtExecute;
use porpoise::xproto::messages::{cursor, expect, prepare, session};
use porpoise::xproto::{ClientKind, ClientMessage};
use serde_json::{Deserializer, Value};
use zeroize::Zeroizing;

use super::step::{Name, Step, word};
use super::{crud, text_format, values};

/// An encoded message; authentication data may be in it.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) kind: ClientKind,
    pub(crate) payload: Zeroizing<Vec<u8>>,
}

impl Request {
    pub(crate) fn of<M: ClientMessage>(message: &M) -> Self {
        Self { kind: M::KIND, payload: message.encode_to_vec().into() }
    }
}

/// Why a command sends nothing.
pub(crate) type Fault = String;

/// What a command sends, if it is one whose whole reply is read.
pub(crate) fn request(step: &Step) -> Result<Option<Request>, Fault> {
    let argument = step.argument.as_str();
    Ok(Some(match step.name {
        Name::Capabilities => Request::of(&CapabilitiesGet {}),
        Name::Starttls => Request::of(&CapabilitiesSet::default().with("tls", true)),
        Name::SetCapability => {
            let (name, value) = word(argument);
            let value = values::any(&json(value)?).map_err(|error| error.to_string())?;
            Request::of(&CapabilitiesSet::default().with(name, value))
        }
        Name::SetCapabilities => Request::of(&capabilities(argument)?),
        Name::Sql => Request::of(&statement(argument)),
        Name::SqlCompact => Request::of(&StmtExecute { compact_metadata: Some(true), ..statement(argument) }),
        Name::SqlArgs => {
            let (args, rest) = leading_json(argument)?;
            let sql = rest.trim_start().strip_prefix('|').ok_or("sql_args takes ARRAY | STATEMENT")?;
            Request::of(&StmtExecute { args: arguments(args.as_ref())?, ..statement(sql.trim_start()) })
        }
        Name::Admin => Request::of(&admin(argument)?),
        Name::Prepare => {
            let (id, sql) = word(argument);
            let stmt = OneOfMessage {
                r#type: Type::Stmt.into(),
                stmt_execute: Some(statement(sql)),
                ..OneOfMessage::default()
            };
            Request::of(&prepare::Prepare { stmt_id: number(id)?, stmt })
        }
        Name::PrepareCrud => {
            let (id, step) = word(argument);
            let inner = Step::parse(step).map_err(|unknown| unknown.to_string())?;
            let inner = inner.ok_or("prepare_crud takes ID COMMAND...")?;
            let stmt =
                crud::statement(&inner)?.ok_or_else(|| format!("{} is not prepared", inner.name.word()))?;
            Request::of(&prepare::Prepare { stmt_id: number(id)?, stmt })
        }
        Name::Execute => Request::of(&execute(argument)?),
        Name::Deallocate => Request::of(&prepare::Deallocate { stmt_id: number(argument)? }),
        Name::CursorOpen => Request::of(&cursor_open(argument)?),
        Name::CursorFetch => {
            let (cursor, rows) = word(argument);
            let fetch_rows = if rows.is_empty() { None } else { Some(number(rows)?) };
            Request::of(&cursor::Fetch { cursor_id: number(cursor)?, fetch_rows })
        }
        Name::CursorClose => Request::of(&cursor::Close { cursor_id: number(argument)? }),
        Name::ExpectOpen => Request::of(&expect_open(argument)?),
        Name::ExpectClose => Request::of(&expect::Close {}),
        Name::Reset => {
            let keep_open = match argument {
                "" => None,
                "keep_open" => Some(true),
                _ => return Err("reset takes keep_open or nothing".to_owned()),
            };
            Request::of(&session::Reset { keep_open })
        }
        Name::Close => Request::of(&session::Close {}),
        Name::ConnectionClose => Request::of(&connection::Close {}),
        _ => return crud::request(step),
    }))
}

/// A message that is written by hand.
pub(crate) fn written(text: &str) -> Result<Request, Fault> {
    let written = text_format::parse(text)?;
    let kind = ClientKind::ALL.iter().find(|kind| kind.name() == Some(&*written.name));
    let kind = *kind.ok_or_else(|| format!("{} is no message of a client", written.name))?;
    Ok(Request { kind, payload: written.payload.to_vec().into() })
}

fn statement(sql: &str) -> StmtExecute {
    StmtExecute { stmt: Bytes::from(sql.to_owned()), ..StmtExecute::default() }
}

fn capabilities(text: &str) -> Result<CapabilitiesSet, Fault> {
    let object = json(text)?;
    let object = object.as_object().ok_or("set_capabilities takes an object")?;
    object.iter().try_fold(CapabilitiesSet::default(), |set, (name, value)| {
        Ok(set.with(name, values::any(value).map_err(|error| error.to_string())?))
    })
}

fn admin(argument: &str) -> Result<StmtExecute, Fault> {
    const NAMESPACE: &str = "mysqlx";
    let (command, object) = word(argument);
    let args = match object {
        "" => Vec::new(),
        object => vec![values::any(&json(object)?).map_err(|error| error.to_string())?],
    };
    Ok(StmtExecute { args, namespace: Some(NAMESPACE.to_owned()), ..statement(command) })
}

fn execute(argument: &str) -> Result<prepare::Execute, Fault> {
    let (id, args) = word(argument);
    let args = if args.is_empty() { None } else { Some(json(args)?) };
    Ok(prepare::Execute { stmt_id: number(id)?, args: arguments(args.as_ref())?, compact_metadata: None })
}

fn cursor_open(argument: &str) -> Result<cursor::Open, Fault> {
    let (cursor, rest) = word(argument);
    let (id, rest) = word(rest);
    let (rows, args) = match word(rest) {
        (rows, args) if rows.starts_with(|c: char| c.is_ascii_digit()) => (Some(number(rows)?), args),
        _ => (None, rest),
    };
    Ok(cursor::Open {
        cursor_id: number(cursor)?,
        stmt: CursorStatement {
            prepare_execute: Some(execute(&format!("{id} {args}"))?),
            ..CursorStatement::default()
        },
        fetch_rows: rows,
    })
}

fn expect_open(argument: &str) -> Result<expect::Open, Fault> {
    let mut words = argument.split_whitespace().peekable();
    let open = match words.next_if_eq(&"empty") {
        Some(_) => Expect::empty(),
        None => Expect::new(),
    };
    let open = words.try_fold(open, |open, word| {
        let (unset, condition) = match word.strip_prefix("unset:") {
            Some(condition) => (true, condition),
            None => (false, word),
        };
        let (name, value) = match condition.split_once('=') {
            Some((name, value)) => (name, Some(Bytes::from(value.to_owned()))),
            None => (condition, None),
        };
        let key = match name {
            "no_error" => 1,
            "field_exist" => 2,
            "docid_generated" => 3,
            name => name.parse().map_err(|_| format!("no condition is named {name:?}"))?,
        };
        Ok::<_, Fault>(if unset { open.unset(key, value) } else { open.condition(key, value) })
    })?;
    Ok(open.build())
}

pub(crate) fn number<N: std::str::FromStr>(text: &str) -> Result<N, Fault> {
    text.parse().map_err(|_| format!("a whole number expected, not {text:?}"))
}

pub(crate) fn json(text: &str) -> Result<Value, Fault> {
    serde_json::from_str(text).map_err(|error| format!("this is no JSON: {error}"))
}

/// The JSON that a text begins with, and what follows.
fn leading_json(text: &str) -> Result<(Option<Value>, &str), Fault> {
    let mut values = Deserializer::from_str(text).into_iter();
    let value = values.next().transpose().map_err(|error| format!("this is no JSON: {error}"))?;
    Ok((value, text.get(values.byte_offset()..).unwrap_or_default()))
}

/// All JSON of a text.
pub(crate) fn all_json(text: &str) -> Result<Vec<Value>, Fault> {
    let values: Result<_, _> = Deserializer::from_str(text).into_iter().collect();
    values.map_err(|error| format!("this is no JSON: {error}"))
}

fn arguments(args: Option<&Value>) -> Result<Vec<Any>, Fault> {
    let Some(args) = args else { return Ok(Vec::new()) };
    let args = args.as_array().ok_or("arguments are an array")?;
    args.iter().map(|arg| values::any(arg).map_err(|error| error.to_string())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sends(line: &str) -> String {
        let request = request(&Step::parse(line).unwrap().unwrap()).unwrap().unwrap();
        let shown = text_format::show(request.kind.name().unwrap(), &request.payload).unwrap();
        format!("{} {}", request.kind, shown.text).replace("Mysqlx.", "")
    }

    fn refuses(line: &str) -> String {
        request(&Step::parse(line).unwrap().unwrap()).unwrap_err()
    }

    #[test]
    fn requests() {
        for (line, message) in [
            ("sql_compact select 1", "Sql.StmtExecute stmt: \"select 1\" compact_metadata: true"),
            (
                "sql_args [1, \"|\"] | select ?|?",
                "Sql.StmtExecute stmt: \"select ?|?\" args { type: SCALAR scalar { type: V_SINT v_signed_int: 1 } } \
                 args { type: SCALAR scalar { type: V_STRING v_string { value: \"|\" } } }",
            ),
            ("admin ping", "Sql.StmtExecute stmt: \"ping\" namespace: \"mysqlx\""),
            (
                "admin list_objects {\"schema\": \"x\"}",
                "Sql.StmtExecute stmt: \"list_objects\" args { type: OBJECT obj { fld { key: \"schema\" value { type: SCALAR \
                 scalar { type: V_STRING v_string { value: \"x\" } } } } } } namespace: \"mysqlx\"",
            ),
            (
                "prepare 7 do 1",
                "Prepare.Prepare stmt_id: 7 stmt { type: STMT stmt_execute { stmt: \"do 1\" } }",
            ),
            ("execute 7", "Prepare.Execute stmt_id: 7"),
            (
                "cursor_open 1 2 5 [null]",
                "Cursor.Open cursor_id: 1 stmt { type: PREPARE_EXECUTE prepare_execute { stmt_id: 2 args { type: SCALAR \
                 scalar { type: V_NULL } } } } fetch_rows: 5",
            ),
            (
                "cursor_open 1 2",
                "Cursor.Open cursor_id: 1 stmt { type: PREPARE_EXECUTE prepare_execute { stmt_id: 2 } }",
            ),
            ("cursor_fetch 1 0", "Cursor.Fetch cursor_id: 1 fetch_rows: 0"),
            ("reset keep_open", "Session.Reset keep_open: true"),
            ("expect_open", "Expect.Open "),
            (
                "expect_open empty no_error=0 field_exist=6.1 docid_generated 4=x unset:no_error unset:2=a",
                "Expect.Open op: EXPECT_CTX_EMPTY cond { condition_key: 1 condition_value: \"0\" } cond { condition_key: 2 \
                 condition_value: \"6.1\" } cond { condition_key: 3 } cond { condition_key: 4 condition_value: \"x\" } cond { \
                 condition_key: 1 op: EXPECT_OP_UNSET } cond { condition_key: 2 condition_value: \"a\" op: EXPECT_OP_UNSET }",
            ),
        ] {
            assert_eq!(sends(line), message);
        }
        assert!(
            sends("starttls") == sends("set_capability tls true")
                && sends("starttls").contains("v_bool: true")
        );
        assert_eq!(sends("set_capabilities {\"a\": 1, \"b\": 2}").matches("name:").count(), 2);
    }

    #[test]
    fn arguments_that_cannot_be_used() {
        assert_eq!(refuses("prepare x do 1"), "a whole number expected, not \"x\"");
        assert_eq!(refuses("sql_args [1] select ?"), "sql_args takes ARRAY | STATEMENT");
        assert_eq!(refuses("expect_open nonsense"), "no condition is named \"nonsense\"");
        assert_eq!(refuses("reset now"), "reset takes keep_open or nothing");
        assert!(refuses("admin ping {").starts_with("this is no JSON"));
        assert_eq!(refuses("execute 1 5"), "arguments are an array");
        assert_eq!(refuses("prepare_crud 1 sql do 1"), "sql is not prepared");
        assert_eq!(written("Mysqlx.Ok {}").unwrap_err(), "Mysqlx.Ok is no message of a client");
    }
}
