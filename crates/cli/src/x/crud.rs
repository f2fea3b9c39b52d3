//! `find`, `insert` and the like.

use porpoise::xproto::crud::{Conditional, Crud, Insert, Statement, Value};
use porpoise::xproto::expr::Model;
use porpoise::xproto::messages::crud as messages;
use porpoise::xproto::messages::crud::find::RowLockOptions;
use porpoise::xproto::messages::prepare::prepare::OneOfMessage;

use super::request::{Fault, Request, all_json, json};
use super::step::{Name, Step, word};
use super::values;

/// What a command sends, if it is one of these.
pub(crate) fn request(step: &Step) -> Result<Option<Request>, Fault> {
    if let Some(stmt) = statement(step)? {
        return Ok(match stmt {
            OneOfMessage { find: Some(find), .. } => Some(Request::of(&find)),
            OneOfMessage { update: Some(update), .. } => Some(Request::of(&update)),
            OneOfMessage { delete: Some(delete), .. } => Some(Request::of(&delete)),
            _ => None,
        });
    }
    let argument = &step.argument;
    Ok(match step.name {
        Name::Insert => Some(Request::of(&documents(argument, false)?)),
        Name::Upsert => Some(Request::of(&documents(argument, true)?)),
        Name::InsertRows => Some(Request::of(&rows(argument)?)),
        _ => None,
    })
}

/// A statement that can be prepared, if the command is one. Placeholders without values are parameters.
pub(crate) fn statement(step: &Step) -> Result<Option<OneOfMessage>, Fault> {
    let model = match step.name {
        Name::Find | Name::Modify | Name::Remove => Model::Document,
        Name::Select | Name::Update | Name::Delete => Model::Table,
        _ => return Ok(None),
    };
    Ok(Some(match step.name {
        Name::Find | Name::Select => find(&step.argument, model)?,
        Name::Modify | Name::Update => update(&step.argument, model)?,
        _ => delete(&step.argument, model)?,
    }))
}

fn find(argument: &str, model: Model) -> Result<OneOfMessage, Fault> {
    let (mut find, condition, clauses) = begin::<messages::Find>(argument, model)?;
    if !condition.is_empty() {
        find = find.filter(condition);
    }
    for (clause, text) in clauses {
        find = match clause {
            "fields" => find.fields(text),
            "group_by" => find.group_by(text),
            "having" => find.having(text),
            "lock_shared" => find.lock_shared(contention(text)?),
            "lock_exclusive" => find.lock_exclusive(contention(text)?),
            "limit" => {
                let (rows, offset) = word(text);
                let find = limit(find, rows);
                match offset.parse() {
                    Ok(offset) => find.offset(offset),
                    Err(_) if offset.is_empty() => find,
                    Err(_) => find.offset_expr(offset),
                }
            }
            _ => common(find, clause, text)?,
        };
    }
    prepared(find)
}

fn contention(text: &str) -> Result<Option<RowLockOptions>, Fault> {
    match text {
        "" => Ok(None),
        "nowait" => Ok(Some(RowLockOptions::Nowait)),
        "skip_locked" => Ok(Some(RowLockOptions::SkipLocked)),
        _ => Err(format!("a lock takes nowait or skip_locked, not {text:?}")),
    }
}

fn update(argument: &str, model: Model) -> Result<OneOfMessage, Fault> {
    let (update, condition, clauses) = begin::<messages::Update>(argument, model)?;
    // The server may be asked to change everything, or nothing: it has its own word on that.
    let mut update = update.filter(if condition.is_empty() { "true" } else { condition });
    let mut changes = 0;
    for (clause, text) in clauses {
        let (path, value) = target(text);
        changes += 1;
        update = match clause {
            "set" => update.set(path, self::value(value)?),
            "unset" => update.unset(text),
            "replace" => update.replace(path, self::value(value)?),
            "array_insert" => update.array_insert(path, self::value(value)?),
            "array_append" => update.array_append(path, self::value(value)?),
            "patch" if model == Model::Document => update.patch(self::value(text)?),
            "patch" => update.patch_column(path, self::value(value)?),
            _ => {
                changes -= 1;
                common(update, clause, text)?
            }
        };
    }
    if changes == 0 {
        update = update.unset("nothing");
    }
    let mut stmt = prepared(update)?;
    if let Some(update) = &mut stmt.update {
        if changes == 0 {
            update.operation.clear();
        }
        if condition.is_empty() {
            update.criteria = None;
        }
    }
    Ok(stmt)
}

fn delete(argument: &str, model: Model) -> Result<OneOfMessage, Fault> {
    let (delete, condition, clauses) = begin::<messages::Delete>(argument, model)?;
    let mut delete = delete.filter(if condition.is_empty() { "true" } else { condition });
    for (clause, text) in clauses {
        delete = common(delete, clause, text)?;
    }
    let mut stmt = prepared(delete)?;
    if let Some(delete) = &mut stmt.delete
        && condition.is_empty()
    {
        delete.criteria = None;
    }
    Ok(stmt)
}

fn prepared<M: Crud>(statement: Statement<M>) -> Result<OneOfMessage, Fault> {
    Ok(statement.prepare(0).map_err(|error| error.to_string())?.message.stmt)
}

/// Clauses that all have.
fn common<M: Conditional>(statement: Statement<M>, clause: &str, text: &str) -> Result<Statement<M>, Fault> {
    match clause {
        "sort" => Ok(statement.sort(text)),
        "limit" => Ok(limit(statement, text)),
        "bind" => bind(statement, text),
        _ => Err(format!("no clause is named {clause:?} here")),
    }
}

/// A number, or a placeholder.
fn limit<M: Conditional>(statement: Statement<M>, rows: &str) -> Statement<M> {
    match rows.parse() {
        Ok(rows) => statement.limit(rows),
        Err(_) => statement.limit_expr(rows),
    }
}

fn bind<M: Crud>(statement: Statement<M>, text: &str) -> Result<Statement<M>, Fault> {
    let scalar = |value| values::scalar(value).map_err(|error| error.to_string());
    match json(text)? {
        serde_json::Value::Array(list) => {
            Ok(statement.args(list.iter().map(scalar).collect::<Result<Vec<_>, _>>()?))
        }
        serde_json::Value::Object(named) => named
            .iter()
            .try_fold(statement, |statement, (name, value)| Ok(statement.bind(name, scalar(value)?))),
        _ => Err("bind takes an object or an array".to_owned()),
    }
}

/// JSON, or else an expression.
fn value(text: &str) -> Result<Value, Fault> {
    if text.is_empty() {
        return Err("a value is missing".to_owned());
    }
    Ok(match json(text) {
        Ok(value @ serde_json::Value::Array(_)) => Value::json(value.to_string()),
        Ok(value) => values::scalar(&value).map_err(|error| error.to_string())?.into(),
        Err(_) => Value::expr(text),
    })
}

fn documents(argument: &str, upsert: bool) -> Result<messages::Insert, Fault> {
    let (name, rest) = place(argument)?;
    let documents = match json(rest)? {
        serde_json::Value::Array(list) => list,
        one => vec![one],
    };
    let insert = Insert::new(name.schema, name.name, Model::Document);
    let insert = insert.documents(documents.iter().map(ToString::to_string));
    let insert = if upsert { insert.upsert() } else { insert };
    inserted(insert, documents.is_empty())
}

/// Columns, then an array for each row, or one array of them.
fn rows(argument: &str) -> Result<messages::Insert, Fault> {
    let (name, rest) = place(argument)?;
    let (columns, arrays) = rest.split_at(rest.find('[').unwrap_or(rest.len()));
    let columns =
        columns.split(',').map(|column| column.trim().trim_matches('`')).filter(|name| !name.is_empty());
    // Commas between the arrays are welcome.
    let mut rows = all_json(arrays).or_else(|_| all_json(&format!("[{arrays}]")))?;
    if let [serde_json::Value::Array(list)] = &rows[..]
        && list.iter().all(serde_json::Value::is_array)
    {
        rows = list.clone();
    }
    let insert = Insert::new(name.schema, name.name, Model::Table).columns(columns);
    let insert = rows.iter().try_fold(insert, |insert, row| {
        let row = row.as_array().ok_or("a row is an array")?;
        let cells: Result<Vec<_>, _> = row.iter().map(values::scalar).collect();
        Ok::<_, Fault>(insert.row(cells.map_err(|error| error.to_string())?))
    })?;
    inserted(insert, rows.is_empty())
}

/// Nothing may be inserted: what the server says to that is its own.
fn inserted(insert: Statement<messages::Insert>, nothing: bool) -> Result<messages::Insert, Fault> {
    let insert = if nothing { insert.document("{}") } else { insert };
    let mut insert = insert.build().map_err(|error| error.to_string())?;
    if nothing {
        insert.row.clear();
    }
    Ok(insert)
}

type Begun<'a, M> = (Statement<M>, &'a str, Vec<(&'a str, &'a str)>);

/// `WHERE EXPR; CLAUSE; ...`: the statement, the condition, the clauses.
fn begin<M: Crud>(argument: &str, model: Model) -> Result<Begun<'_, M>, Fault> {
    let mut parts = split(argument).into_iter();
    let (name, condition) = place(parts.next().unwrap_or_default())?;
    let clauses = parts.filter(|part| !part.is_empty()).map(word).collect();
    Ok((Statement::new(name.schema, name.name, model), condition, clauses))
}

/// Splits at each `;` that is not in quotes.
fn split(text: &str) -> Vec<&str> {
    let (mut parts, mut start, mut quote, mut escaped) = (Vec::new(), 0, None, false);
    for (at, letter) in text.char_indices() {
        match (quote, letter) {
            _ if escaped => escaped = false,
            (Some('\'' | '"'), '\\') => escaped = true,
            (Some(open), letter) if open == letter => quote = None,
            (None, '\'' | '"' | '`') => quote = Some(letter),
            (None, ';') => {
                parts.push(text.get(start..at).unwrap_or_default().trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(text.get(start..).unwrap_or_default().trim());
    parts
}

/// A collection or a table.
#[derive(Debug, PartialEq, Eq)]
struct Place {
    schema: Option<String>,
    name: String,
}

/// `SCHEMA.NAME` or `NAME`, each in backquotes or not, and what follows.
fn place(text: &str) -> Result<(Place, &str), Fault> {
    let (first, rest) = identifier(text.trim_start())?;
    match rest.strip_prefix('.') {
        Some(rest) => {
            let (name, rest) = identifier(rest)?;
            Ok((Place { schema: Some(first), name }, rest.trim_start()))
        }
        None => Ok((Place { schema: None, name: first }, rest.trim_start())),
    }
}

fn identifier(text: &str) -> Result<(String, &str), Fault> {
    if let Some(quoted) = text.strip_prefix('`') {
        let (name, rest) = quoted.split_once('`').ok_or("` has no end")?;
        return Ok((name.to_owned(), rest));
    }
    let end = text.find(|c: char| c.is_whitespace() || c == '.').unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    if name.is_empty() {
        Err("a collection or a table expected".to_owned())
    } else {
        Ok((name.to_owned(), rest))
    }
}

/// What is changed, up to the first blank outside of quotes and brackets, and the value.
fn target(text: &str) -> (&str, &str) {
    let (mut quote, mut depth) = (None, 0_usize);
    for (at, letter) in text.char_indices() {
        match (quote, letter) {
            (Some(open), letter) if open == letter => quote = None,
            (None, '\'' | '"' | '`') => quote = Some(letter),
            (None, '[') => depth += 1,
            (None, ']') => depth = depth.saturating_sub(1),
            (None, letter) if letter.is_whitespace() && depth == 0 => {
                let (target, value) = text.split_at(at);
                return (target, value.trim_start());
            }
            _ => {}
        }
    }
    (text, "")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::x::text_format;

    fn sends(line: &str) -> Result<String, Fault> {
        let request = request(&Step::parse(line).unwrap().unwrap())?.unwrap();
        let shown = text_format::show(request.kind.name().unwrap(), &request.payload).unwrap();
        Ok(format!("{} {}", request.kind, shown.text).replace("Mysqlx.", ""))
    }

    fn has(line: &str, parts: &[&str]) {
        let sent = sends(line).unwrap();
        for part in parts {
            assert!(sent.contains(part), "{line}: {part}: {sent}");
        }
    }

    #[test]
    fn places_and_clauses() {
        assert_eq!(split("a ';' \"\\\";\" ; `;` ;; sort x"), ["a ';' \"\\\";\"", "`;`", "", "sort x"]);
        let of = |text| place(text).unwrap();
        let named =
            |schema: Option<&str>, name: &str| Place { schema: schema.map(Into::into), name: name.into() };
        assert_eq!(of("s.t a > 1"), (named(Some("s"), "t"), "a > 1"));
        assert_eq!(of("`a b`.`c.d`"), (named(Some("a b"), "c.d"), ""));
        assert_eq!(of("people"), (named(None, "people"), ""));
        assert!(place("").is_err() && place("s.").is_err() && place("`s").is_err());
        assert_eq!(target("a['b c'] 'x y'"), ("a['b c']", "'x y'"));
        assert_eq!(target("doc->'$.a b' 1"), ("doc->'$.a b'", "1"));
    }

    #[test]
    fn finds() {
        assert_eq!(
            sends("find people").unwrap(),
            "Crud.Find collection { name: \"people\" } data_model: DOCUMENT"
        );
        has(
            "select s.t a > ? ; fields a as x, b; group_by a; having b; sort a desc; limit 5 2; lock_shared nowait; bind [1]",
            &[
                "data_model: TABLE",
                "alias: \"x\"",
                "limit { row_count: 5 offset: 2 }",
                "direction: DESC",
                "args { type: V_SINT v_signed_int: 1 }",
                "locking: SHARED_LOCK locking_options: NOWAIT",
                "grouping_criteria { ",
            ],
        );
        // The server is to say what it thinks of a placeholder without a value.
        has("find c a = :x", &["position: 0"]);
        has(
            "find c a = :x and b = :y; bind {\"y\": {\"$uint\": 1}}",
            &["position: 1", "args { type: V_UINT"],
        );
        assert_eq!(sends("find c ; skip 1").unwrap_err(), "no clause is named \"skip\" here");
        assert!(sends("find c a >").unwrap_err().starts_with("condition: "));
    }

    #[test]
    fn changes() {
        has(
            "modify c a; set a.b 'x;y'; unset a; replace b[0] null; patch {\"a\": 1}; array_append d {\"e\": 1}",
            &[
                "operation: ITEM_SET",
                "v_string { value: \"x;y\" }",
                "ITEM_REMOVE",
                "ITEM_REPLACE",
                "MERGE_PATCH",
            ],
        );
        has(
            "update t true; set n n + 1; set doc->'$.a' 1",
            &["operation: SET value { type: OPERATOR", "ITEM_SET"],
        );
        assert_eq!(
            sends("modify c").unwrap(),
            "Crud.Update collection { name: \"c\" } data_model: DOCUMENT",
            "the server may be asked for what it refuses"
        );
        assert_eq!(sends("delete t").unwrap(), "Crud.Delete collection { name: \"t\" } data_model: TABLE");
        has("remove c true; sort a; limit 1", &["order { ", "limit { row_count: 1 }"]);
        assert_eq!(sends("modify c true; set a").unwrap_err(), "a value is missing");
    }

    #[test]
    fn inserts() {
        has("insert c {\"b\": 1, \"a\": 2}", &["value: \"{\\\"b\\\":1,\\\"a\\\":2}\" content_type: 2"]);
        assert_eq!(sends("upsert c [{}, {}]").unwrap().matches("row {").count(), 2);
        assert_eq!(
            sends("insert c []").unwrap(),
            "Crud.Insert collection { name: \"c\" } data_model: DOCUMENT"
        );
        for rows in ["[1, \"a\"] [2, null]", "[1, \"a\"], [2, null]", "[[1, \"a\"], [2, null]]"] {
            let sent = sends(&format!("insert_rows s.t id, `name` {rows}")).unwrap();
            assert!(
                sent.contains("projection { name: \"id\" } projection { name: \"name\" } row { field"),
                "{sent}"
            );
            assert_eq!((sent.matches("row {").count(), sent.matches("field {").count()), (2, 4), "{sent}");
        }
        assert_eq!(sends("insert_rows t a [1").unwrap_err().split(':').next(), Some("this is no JSON"));
    }
}
