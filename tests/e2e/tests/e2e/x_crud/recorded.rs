//! The same statements and expressions as Connector/Python's X DevAPI ran, with the same results: tests/xdevapi has them.

#![expect(clippy::indexing_slicing, reason = "a key that is missing is null")]

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};
use porpoise::value::Value as Plain;
use porpoise::x::crud::{Conditional, Find, Insert, Statement, Update, Value};
use porpoise::x::{Collection, Error, Session, Table};
use porpoise::xproto::messages::datatypes::Scalar;
use serde_json::{Value as Json, json};

use super::{over, rows, scene, sql};
use crate::suite::Context;

fn recorded(name: &str) -> Result<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../xdevapi").join(name);
    fs::read_to_string(&path).with_context(|| format!("{}", path.display()))
}

pub(super) fn statements(context: &Context) -> Result<()> {
    context.run(async {
        let (mut session, schema) = scene(context).await?;
        let collection = schema.collection("c2");
        session.execute(collection.create(&Default::default())).await?;
        let columns = "id INT PRIMARY KEY, name VARCHAR(20), n DECIMAL(10,2), doc JSON";
        session.execute(sql(format!("CREATE TABLE {}.t2 ({columns})", schema.name()))).await?;
        let mut compared = 0;
        for line in recorded("statements.jsonl")?.lines() {
            let step: Json = serde_json::from_str(line)?;
            let table = schema.table(step["table"].as_str().unwrap_or("t2"));
            let result = match run(&mut session, &step, &collection, &table).await {
                Ok(result) => result,
                Err(Error::Server(error)) => json!({ "error": error.code }),
                Err(error) => bail!("{error}: {line}"),
            };
            ensure!(result == step["result"], "{line}\nhere: {result}");
            compared += 1;
        }
        ensure!(compared > 50, "{compared} statements");
        over(session, &schema).await
    })
}

async fn run(
    session: &mut Session,
    step: &Json,
    collection: &Collection,
    table: &Table,
) -> Result<Json, Error> {
    let text = |key: &str| step[key].as_str().unwrap_or_default();
    let condition = step["where"].as_str();
    let document = || step["doc"].to_string();
    let affected = |outcome: porpoise::x::Outcome| json!({ "affected": outcome.affected });
    Ok(match text("op") {
        "sql" => {
            let statement = text("sql").replace("{schema}", table.schema());
            affected(session.execute(sql(statement)).await?)
        }
        "count" => json!({ "count": session.execute(collection.count()).await? }),
        "get_one" => json!({ "doc": session.execute(collection.get_one::<Json>(text("id"))).await? }),
        "replace_one" => affected(session.execute(collection.replace_one(text("id"), document())).await?),
        "add_or_replace_one" => {
            affected(session.execute(collection.add_or_replace_one(text("id"), document())).await?)
        }
        "remove_one" => affected(session.execute(collection.remove_one(text("id"))).await?),
        "add" => {
            affected(session.execute(collection.add(list(&step["docs"]).iter().map(Json::to_string))).await?)
        }
        "insert" => affected(session.execute(insert(table, step)).await?),
        "find" => {
            let found: Vec<Json> = rows(session, find(collection.find_all(), step)).await?;
            json!({ "docs": found })
        }
        "select" => select(session, find(table.select_all(), step)).await?,
        "modify" => {
            affected(session.execute(update(collection.modify(condition.unwrap_or("true")), step)).await?)
        }
        "update" => affected(session.execute(update(table.update(condition.unwrap_or("true")), step)).await?),
        "remove" => affected(session.execute(clauses(collection.remove(text("where")), step)).await?),
        _ => affected(session.execute(clauses(table.delete(text("where")), step)).await?),
    })
}

fn list(json: &Json) -> &[Json] {
    json.as_array().map_or(&[], Vec::as_slice)
}

fn joined(json: &Json) -> String {
    list(json).iter().filter_map(Json::as_str).collect::<Vec<_>>().join(", ")
}

fn entries(json: &Json) -> impl Iterator<Item = (&str, &Json)> {
    json.as_object().into_iter().flatten().map(|(key, value)| (key.as_str(), value))
}

fn scalar(json: &Json) -> Scalar {
    match json {
        Json::Null => Scalar::null(),
        Json::Bool(on) => (*on).into(),
        Json::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(number), _) => number.into(),
            (_, Some(number)) => number.into(),
            _ => number.as_f64().unwrap_or_default().into(),
        },
        Json::String(text) => text.as_str().into(),
        other => Scalar::json(other.to_string()),
    }
}

fn clauses<M: Conditional>(mut statement: Statement<M>, step: &Json) -> Statement<M> {
    if let Some(order) = step.get("sort") {
        statement = statement.sort(&joined(order));
    }
    if let Some(rows) = step["limit"].as_u64() {
        statement = statement.limit(rows);
    }
    entries(&step["bind"]).fold(statement, |statement, (name, value)| statement.bind(name, scalar(value)))
}

fn find(mut find: Find, step: &Json) -> Find {
    if let Some(condition) = step["where"].as_str() {
        find = find.filter(condition);
    }
    if let Some(fields) = step.get("fields") {
        find = find.fields(&joined(fields));
    }
    if let Some(grouping) = step.get("group") {
        find = find.group_by(&joined(grouping));
    }
    if let Some(condition) = step["having"].as_str() {
        find = find.having(condition);
    }
    find = clauses(find, step);
    step["offset"].as_u64().into_iter().fold(find, Find::offset)
}

fn update(mut update: Update, step: &Json) -> Update {
    for (path, value) in entries(&step["set"]) {
        update = update.set(path, scalar(value));
    }
    for (path, text) in entries(&step["set_expr"]) {
        update = update.set(path, Value::expr(text.as_str().unwrap_or_default()));
    }
    for path in list(&step["unset"]).iter().filter_map(Json::as_str) {
        update = update.unset(path);
    }
    for (path, value) in entries(&step["array_append"]) {
        update = update.array_append(path, scalar(value));
    }
    for (path, value) in entries(&step["array_insert"]) {
        update = update.array_insert(path, scalar(value));
    }
    if let Some(document) = step.get("patch") {
        update = update.patch(Value::json(document.to_string()));
    }
    clauses(update, step)
}

fn insert(table: &Table, step: &Json) -> Insert {
    let columns = list(&step["columns"]).iter().filter_map(Json::as_str);
    let rows = list(&step["rows"]).iter().map(list);
    rows.fold(table.insert(columns), |insert, row| insert.row(row.iter().map(scalar)))
}

async fn select(session: &mut Session, select: Find) -> Result<Json, Error> {
    let mut results = session.results(select).await?;
    let names =
        |column: porpoise::xproto::ColumnMetaData<'_>| String::from_utf8_lossy(column.name).into_owned();
    let columns: Vec<_> =
        results.columns().into_iter().flat_map(|columns| columns.iter()).map(names).collect();
    let found: Vec<Vec<Plain>> = results.all().await?;
    let found: Vec<Vec<Json>> = found.iter().map(|row| row.iter().map(plain).collect()).collect();
    Ok(json!({ "columns": columns, "rows": found }))
}

/// As Connector/Python's values are written: decimals and JSON as texts.
fn plain(value: &Plain) -> Json {
    match value {
        Plain::Null => Json::Null,
        Plain::Int(number) => json!(number),
        Plain::UInt(number) => json!(number),
        Plain::Float(number) => json!(number),
        Plain::Double(number) => json!(number),
        Plain::Text(text) | Plain::Json(text) => json!(text),
        Plain::Bit(bits) => json!(bits),
        Plain::Bytes(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => json!(text),
            Err(_) => json!(bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>()),
        },
        Plain::Decimal(decimal) => json!(decimal.to_string()),
        Plain::Date(date) => json!(format!("{date} 00:00:00")),
        Plain::DateTime(time) => json!(time.to_string()),
        Plain::Time(time) => json!(time.to_string()),
        other => json!(format!("{other:?}")),
    }
}

/// What the expressions were evaluated on.
const DOCUMENT: &str = r#"{
    "_id": "1", "a": 7, "b": 3, "c": 10, "d": "2024-02-03 04:05:06", "name": "Ann", "f": 1.5, "t": true, "n": null,
    "tags": ["a", "b", 5], "x y": 1, "o": {"p": {"q": 2}, "b": 8, "r": [1, [2, 3], {"b": 4}]}, "s": "it's 100%"
}"#;

pub(super) fn expressions(context: &Context) -> Result<()> {
    context.run(async {
        let (mut session, schema) = scene(context).await?;
        let collection = schema.collection("c1");
        session.execute(collection.create(&Default::default())).await?;
        session.execute(collection.add([DOCUMENT])).await?;
        let columns = "a INT, b INT, c INT, d VARCHAR(30), name VARCHAR(10), f DOUBLE, t BOOL, n INT, s VARCHAR(10), doc JSON";
        session.execute(sql(format!("CREATE TABLE {}.t1 ({columns})", schema.name()))).await?;
        let table = schema.table("t1");
        let document: Json = serde_json::from_str(DOCUMENT)?;
        let names = ["a", "b", "c", "d", "name", "f", "t", "n", "s"];
        let row = names.iter().map(|name| scalar(&document[*name])).chain([Scalar::json(DOCUMENT)]);
        session.execute(table.insert(names.into_iter().chain(["doc"])).row(row)).await?;
        let mut compared = 0;
        for line in recorded("expressions.tsv")?.lines() {
            let [model, text, _, value] = line.split('\t').collect::<Vec<_>>()[..] else { bail!("{line}") };
            if value == "-" {
                continue;
            }
            // The schema that it was recorded in.
            let text = text.replace("porp_xdevapi", schema.name());
            let fields = format!("{text} AS v");
            let found = if model == "table" {
                select(&mut session, table.select(&fields)).await.map(|found| found["rows"][0][0].clone())
            } else {
                let found: Result<Vec<Json>, _> = rows(&mut session, collection.find_all().fields(&fields)).await;
                found.map(|found| found[0]["v"].clone())
            };
            let found = match found {
                Ok(found) => found,
                Err(Error::Server(error)) => json!(format!("error {}", error.code)),
                Err(error) => bail!("{error}: {line}"),
            };
            let should = serde_json::from_str(value).unwrap_or_else(|_| json!(value));
            ensure!(found == should, "{model} {text}\nhere:   {found}\nshould: {should}");
            compared += 1;
        }
        ensure!(compared > 400, "{compared} expressions");
        over(session, &schema).await
    })
}
