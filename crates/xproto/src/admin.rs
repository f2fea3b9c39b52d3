//! Commands of the server's own namespace, `mysqlx`, with their arguments. Each makes a
//! [`StmtExecute`].
//!
//! ```
//! use porpoise_xproto::admin::{self, CollectionOptions, Index, IndexField, Level};
//!
//! let ping = admin::ping();
//! let options = CollectionOptions::default().schema(r#"{"required": ["name"]}"#).level(Level::Strict);
//! let create = admin::create_collection("shop", "people", &options);
//! let index = Index::new("by_age").unique().field(IndexField::new("$.age", "INTEGER").required());
//! let create_index = admin::create_collection_index("shop", "people", &index);
//! # drop((ping, create, create_index));
//! ```
//!
//! | command | reply |
//! |---|---|
//! | [`list_objects`] | rows of name, type: COLLECTION, COLLECTION_VIEW, TABLE, VIEW |
//! | [`list_clients`] | rows of client_id, user, host, sql_session |
//! | [`list_notices`] | rows of notice, enabled |
//! | [`get_collection_options`] | a row of JSON text |
//! | all others | no rows |
//!
//! Follows "MySQL Source Code Documentation: X Protocol, Mysqlx.Sql" and what servers answer.

mod collection;

use bytes::Bytes;

pub use self::collection::{CollectionOptions, Index, IndexField, Level};
use crate::messages::datatypes::{Any, Array, Object};
use crate::messages::sql::StmtExecute;

/// The namespace of these commands.
pub const NAMESPACE: &str = "mysqlx";

/// A command by its name, with its arguments if it takes any.
#[must_use]
pub fn command(name: impl Into<Bytes>, args: Option<Object>) -> StmtExecute {
    StmtExecute {
        stmt: name.into(),
        args: args.into_iter().map(Into::into).collect(),
        namespace: Some(NAMESPACE.to_owned()),
        compact_metadata: None,
    }
}

fn with_args(name: &'static str, args: Object) -> StmtExecute {
    command(Bytes::from_static(name.as_bytes()), Some(args))
}

fn bare(name: &'static str) -> StmtExecute {
    command(Bytes::from_static(name.as_bytes()), None)
}

/// A collection, or an index of that name.
fn named(schema: &str, name: &str) -> Object {
    Object::default().with("schema", schema).with("name", name)
}

/// Asks for a sign of life.
#[must_use]
pub fn ping() -> StmtExecute {
    bare("ping")
}

/// Lists the server's X clients that the account may see.
#[must_use]
pub fn list_clients() -> StmtExecute {
    bare("list_clients")
}

/// Ends another client's connection. Its number is that of `list_clients`, which is the one of its CLIENT_ID_ASSIGNED.
#[must_use]
pub fn kill_client(id: u64) -> StmtExecute {
    with_args("kill_client", Object::default().with("id", id))
}

/// Lists collections, tables and views, of the session's schema if none is named, whose names are like `pattern`.
#[must_use]
pub fn list_objects(schema: Option<&str>, pattern: Option<&str>) -> StmtExecute {
    let mut args = Object::default();
    for (key, value) in [("schema", schema), ("pattern", pattern)] {
        if let Some(value) = value {
            args = args.with(key, value);
        }
    }
    if args.fld.is_empty() { bare("list_objects") } else { with_args("list_objects", args) }
}

/// Makes a collection.
#[must_use]
pub fn create_collection(schema: &str, name: &str, options: &CollectionOptions) -> StmtExecute {
    with_args("create_collection", options.put(named(schema, name)))
}

/// Makes a collection unless it is there; one that is there gets the options too, so that without any its documents are
/// no longer held against a schema. Error 5156: there is something else of that name.
#[must_use]
pub fn ensure_collection(schema: &str, name: &str, options: &CollectionOptions) -> StmtExecute {
    with_args("ensure_collection", options.put(named(schema, name)))
}

/// Changes a collection's options.
#[must_use]
pub fn modify_collection_options(schema: &str, name: &str, options: &CollectionOptions) -> StmtExecute {
    with_args("modify_collection_options", options.put(named(schema, name)))
}

/// Asks for a collection's options by name; `validation` is the only one.
#[must_use]
pub fn get_collection_options(schema: &str, name: &str, options: &[&str]) -> StmtExecute {
    with_args("get_collection_options", named(schema, name).with("options", texts(options)))
}

/// Drops a collection.
#[must_use]
pub fn drop_collection(schema: &str, name: &str) -> StmtExecute {
    with_args("drop_collection", named(schema, name))
}

/// Adds an index to a collection.
#[must_use]
pub fn create_collection_index(schema: &str, collection: &str, index: &Index) -> StmtExecute {
    let mut args = named(schema, &index.name).with("collection", collection).with("unique", index.unique);
    if let Some(kind) = &index.kind {
        args = args.with("type", &**kind);
    }
    if let Some(parser) = &index.parser {
        args = args.with("with_parser", &**parser);
    }
    let fields = index.fields.iter().map(|field| field.object().into()).collect();
    with_args("create_collection_index", args.with("fields", Array { value: fields }))
}

/// Drops a collection's index.
#[must_use]
pub fn drop_collection_index(schema: &str, collection: &str, name: &str) -> StmtExecute {
    with_args("drop_collection_index", named(schema, name).with("collection", collection))
}

/// Lists the kinds of notices, and whether they are sent.
#[must_use]
pub fn list_notices() -> StmtExecute {
    bare("list_notices")
}

/// Has kinds of notices sent.
#[must_use]
pub fn enable_notices(names: &[&str]) -> StmtExecute {
    with_args("enable_notices", Object::default().with("notice", texts(names)))
}

/// Has kinds of notices no longer sent. Error 5164: some cannot be left out.
#[must_use]
pub fn disable_notices(names: &[&str]) -> StmtExecute {
    with_args("disable_notices", Object::default().with("notice", texts(names)))
}

fn texts(texts: &[&str]) -> Array {
    Array { value: texts.iter().map(|text| Any::from(*text)).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An object as text, in the order of its fields.
    fn show(any: &Any) -> String {
        if let Some(obj) = &any.obj {
            let fields = obj.fld.iter().map(|field| format!("{}: {}", field.key, show(&field.value)));
            return format!("{{{}}}", fields.collect::<Vec<_>>().join(", "));
        }
        if let Some(array) = &any.array {
            return format!("[{}]", array.value.iter().map(show).collect::<Vec<_>>().join(", "));
        }
        let scalar = any.scalar.as_ref().unwrap();
        match scalar.text() {
            Some(text) => String::from_utf8_lossy(text).into_owned(),
            None => format!("{}", scalar.v_bool.map_or_else(|| scalar.v_unsigned_int(), u64::from)),
        }
    }

    fn shown(command: &StmtExecute) -> String {
        assert_eq!(command.namespace(), "mysqlx");
        let name = String::from_utf8_lossy(&command.stmt).into_owned();
        command.args.iter().fold(name, |all, arg| format!("{all} {}", show(arg)))
    }

    #[test]
    fn commands_take_one_object() {
        let options = CollectionOptions::default().reuse_existing().schema("{}").level(Level::Off);
        let field = IndexField::new("$.a", "INT").required().array();
        let index = Index::new("i").unique().field(field);
        let words = Index::new("w").fulltext(Some("ngram")).field(IndexField::new("$.b", "TEXT"));
        let place = Index::new("g").spatial().field(IndexField::new("$.g", "GEOJSON").options(2).srid(4326));
        for (command, text) in [
            (ping(), "ping"),
            (kill_client(7), "kill_client {id: 7}"),
            (list_objects(None, None), "list_objects"),
            (list_objects(Some("s"), Some("a%")), "list_objects {schema: s, pattern: a%}"),
            (
                create_collection("s", "c", &options),
                "create_collection {schema: s, name: c, options: {reuse_existing: 1, validation: {schema: {}, level: off}}}",
            ),
            (
                ensure_collection("s", "c", &CollectionOptions::default()),
                "ensure_collection {schema: s, name: c}",
            ),
            (
                get_collection_options("s", "c", &["validation"]),
                "get_collection_options {schema: s, name: c, options: [validation]}",
            ),
            (
                create_collection_index("s", "c", &index),
                "create_collection_index {schema: s, name: i, collection: c, unique: 1, fields: [{field: $.a, type: INT, required: 1, array: 1}]}",
            ),
            (
                create_collection_index("s", "c", &words),
                "create_collection_index {schema: s, name: w, collection: c, unique: 0, type: FULLTEXT, with_parser: ngram, fields: [{field: $.b, type: TEXT}]}",
            ),
            (
                create_collection_index("s", "c", &place),
                "create_collection_index {schema: s, name: g, collection: c, unique: 0, type: SPATIAL, fields: [{field: $.g, type: GEOJSON, options: 2, srid: 4326}]}",
            ),
            (
                drop_collection_index("s", "c", "i"),
                "drop_collection_index {schema: s, name: i, collection: c}",
            ),
            (disable_notices(&["warnings", "x"]), "disable_notices {notice: [warnings, x]}"),
        ] {
            assert_eq!(shown(&command), text);
        }
    }
}
