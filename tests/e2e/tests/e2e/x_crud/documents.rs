//! Documents: found, added, changed, removed.

#![expect(clippy::indexing_slicing, reason = "a key that is missing is null")]

use anyhow::{Result, ensure};
use porpoise::TxOptions;
use porpoise::value::Named;
use porpoise::x::crud::{CrudError, Value};
use porpoise::x::{Collection, Error, Session};
use porpoise::xproto::messages::datatypes::Scalar;
use serde_json::{Value as Json, json};

use super::{over, refused, rows, scene};
use crate::suite::{Context, expect};

const PEOPLE: [&str; 4] = [
    r#"{"_id": "1", "name": "Ann", "age": 31, "tags": ["a", "b"], "home": {"city": "Oslo"}}"#,
    r#"{"_id": "2", "name": "Bob", "age": 25, "tags": []}"#,
    r#"{"_id": "3", "name": "Cid", "age": 40}"#,
    r#"{"_id": "4", "name": "Dée 🐬", "age": 25, "tags": ["b"]}"#,
];

async fn people(session: &mut Session, schema: &porpoise::x::Schema) -> Result<Collection> {
    let people = schema.collection("people");
    session.execute(people.create(&Default::default())).await?;
    let added = session.execute(people.add(PEOPLE)).await?;
    expect("added", &added.affected, &Some(4))?;
    Ok(people)
}

pub(super) fn documents(context: &Context) -> Result<()> {
    context.run(async {
        let (mut session, schema) = scene(context).await?;
        let people = people(&mut session, &schema).await?;
        expect("count", &session.execute(people.count()).await?, &4)?;
        let find = people.find("age > :age AND name LIKE 'C%'").bind("age", 30);
        expect(
            "found",
            &rows::<Json, _>(&mut session, find).await?,
            &vec![json!({"_id": "3", "name": "Cid", "age": 40})],
        )?;
        let find =
            people.find("'b' IN tags OR home.city = 'Oslo'").fields("name, home.city AS city").sort("age");
        let found: Vec<Json> = rows(&mut session, find).await?;
        expect(
            "fields",
            &found,
            &vec![json!({"name": "Dée 🐬", "city": null}), json!({"name": "Ann", "city": "Oslo"})],
        )?;
        let find = people.find_all().fields("age, count(*) AS n").group_by("age").having("count(*) > 1");
        expect("groups", &rows(&mut session, find).await?, &vec![json!({"age": 25, "n": 2})])?;
        let find =
            people.find_all().sort("age DESC, _id DESC").limit(2).offset(1).fields("{'it': [_id, age + 1]}");
        let found: Vec<Json> = rows(&mut session, find).await?;
        expect("page", &found, &vec![json!({"it": ["1", 32.0]}), json!({"it": ["4", 26.0]})])?;
        // Ids are the server's, in order, and those that were given stay.
        let added = session.execute(people.add([r#"{"n": 1}"#, r#"{"_id": "own"}"#, r#"{"n": 2}"#])).await?;
        ensure!(added.document_ids.len() == 2, "{added:?}");
        for (id, n) in added.document_ids.iter().zip([1, 2]) {
            ensure!(id.len() == 28 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
            let found: Option<Json> = session.execute(people.get_one(id)).await?;
            expect("by its id", &found, &Some(json!({"_id": id, "n": n})))?;
        }
        ensure!(added.document_ids.is_sorted(), "{added:?}");
        refused("an id twice", session.execute(people.add([r#"{"_id": "own"}"#])).await, 5116)?;
        refused("no JSON", session.execute(people.add(["{"])).await, 5116)
            .or_else(|_| Ok::<_, anyhow::Error>(()))?;
        let removed =
            session.execute(people.remove("age < :age").bind("age", 30).sort("_id").limit(1)).await?;
        expect("removed", &removed.affected, &Some(1))?;
        expect("all removed", &session.execute(people.remove("true")).await?.affected, &Some(6))?;
        expect("none", &session.execute(people.count()).await?, &0)?;
        over(session, &schema).await
    })
}

pub(super) fn one_document(context: &Context) -> Result<()> {
    context.run(async {
        let (mut session, schema) = scene(context).await?;
        let people = people(&mut session, &schema).await?;
        let one = |id: &str| people.get_one::<Json>(id);
        expect("absent", &session.execute(one("none")).await?, &None)?;
        let text: Option<String> = session.execute(people.get_one("2")).await?;
        ensure!(text.is_some_and(|text| text.contains("Bob")));
        let replaced = session.execute(people.replace_one("2", r#"{"name": "Ben", "x": [null]}"#)).await?;
        expect("replaced", &replaced.affected, &Some(1))?;
        let ben = Some(json!({"_id": "2", "name": "Ben", "x": [null]}));
        expect("it", &session.execute(one("2")).await?, &ben)?;
        expect(
            "none replaced",
            &session.execute(people.replace_one("none", "{}")).await?.affected,
            &Some(0),
        )?;
        for (affected, name) in [(1, "Flo"), (2, "Fay")] {
            // An id that the document has is not the one that counts.
            let document = json!({"_id": "another", "name": name}).to_string();
            let done = session.execute(people.add_or_replace_one("9", document)).await?;
            expect("added, then replaced", &done.affected, &Some(affected))?;
            expect("it", &session.execute(one("9")).await?, &Some(json!({"_id": "9", "name": name})))?;
        }
        expect("removed", &session.execute(people.remove_one("9")).await?.affected, &Some(1))?;
        expect("not again", &session.execute(people.remove_one("9")).await?.affected, &Some(0))?;
        // In a transaction, which its drop takes back.
        let mut transaction = session.begin(TxOptions::new()).await?;
        transaction.execute(people.remove("true")).await?;
        expect("all gone", &transaction.execute(people.count()).await?, &0)?;
        drop(transaction);
        expect("count", &session.execute(people.count()).await?, &4)?;
        over(session, &schema).await
    })
}

pub(super) fn changes(context: &Context) -> Result<()> {
    context.run(async {
        let (mut session, schema) = scene(context).await?;
        let people = people(&mut session, &schema).await?;
        let change = people
            .modify("_id = :id")
            .bind("id", "1")
            .set("age", Value::expr("age + :years"))
            .bind("years", 2)
            .set("home.zip", "0150")
            .set("flags", Value::json(r#"{"on": true, "list": [1, null]}"#))
            .set("text", "it's \"q\" \\ \n %_")
            .set("nothing", Value::null())
            .set("half", 0.5)
            .set("yes", true)
            .set("many", u64::MAX)
            .set("copy", Value::expr("[home.city, {'n': name}]"))
            .unset("tags[0]")
            .replace("name", "Anne")
            .replace("absent", 1)
            .array_append("tags", "z")
            .array_insert("tags[0]", Value::json(r#"{"first": 1}"#))
            .patch(Value::json(r#"{"home": {"city": null, "street": "Main"}}"#));
        expect("changed", &session.execute(change).await?.affected, &Some(1))?;
        let should = json!({
            "_id": "1", "name": "Anne", "age": 33.0, "tags": [{"first": 1}, "b", "z"], "home": {"zip": "0150", "street": "Main"},
            "flags": {"on": true, "list": [1, null]}, "text": "it's \"q\" \\ \n %_", "nothing": null, "half": 0.5, "yes": true,
            "many": u64::MAX, "copy": ["Oslo", {"n": "Ann"}],
        });
        expect("document", &session.execute(people.get_one::<Json>("1")).await?, &Some(should))?;
        let merged = people.modify("_id = '3'").merge(Value::json(r#"{"age": 41, "new": 1}"#));
        expect("merged", &session.execute(merged).await?.affected, &Some(1))?;
        let cid = json!({"_id": "3", "name": "Cid", "age": [40, 41], "new": 1});
        expect("arrays", &session.execute(people.get_one::<Json>("3")).await?, &Some(cid))?;
        session.execute(people.modify("_id = '3'").set("age", 40)).await?;
        let some = people.modify("true").set("seen", 1).sort("age DESC, _id").limit(2);
        expect("limited", &session.execute(some).await?.affected, &Some(2))?;
        let seen = people.find("seen = 1").fields("_id").sort("_id");
        expect("those", &rows(&mut session, seen).await?, &vec![json!({"_id": "1"}), json!({"_id": "3"})])?;
        refused("an id", session.execute(people.modify("true").set("_id", "x")).await, 5053)?;
        // What is wrong is told before anything is sent.
        for (request, error) in [
            (people.modify("true"), CrudError::Empty),
            (people.modify("a = :a").set("b", 1), CrudError::Unbound("a".into())),
        ] {
            match session.execute(request).await {
                Err(Error::Crud(found)) => expect("error", &found, &error)?,
                other => anyhow::bail!("{other:?}"),
            }
        }
        over(session, &schema).await
    })
}

pub(super) fn placeholders(context: &Context) -> Result<()> {
    context.run(async {
        let (mut session, schema) = scene(context).await?;
        let people = people(&mut session, &schema).await?;
        let ids = |find: porpoise::x::crud::Find| find.fields("_id").sort("_id");
        let find = ids(people.find("age IN (?, ?) AND name != ?").args([25, 31])).bind("2", "Bob");
        expect(
            "positions",
            &rows(&mut session, find).await?,
            &vec![json!({"_id": "1"}), json!({"_id": "4"})],
        )?;
        let find = ids(people.find(":tag IN tags")).bind("tag", "a").limit_expr(":n").bind("n", 5_u64);
        expect("in a JSON array", &rows(&mut session, find).await?, &vec![json!({"_id": "1"})])?;
        let find = ids(people.find(":tags OVERLAPS tags")).bind("tags", Scalar::json(r#"["b", "x"]"#));
        expect("JSON", &rows(&mut session, find).await?, &vec![json!({"_id": "1"}), json!({"_id": "4"})])?;
        let tricky = "'; DROP TABLE people; -- \\' \"";
        session
            .execute(people.modify("_id = '3'").set("name", Value::expr(":name")).bind("name", tricky))
            .await?;
        let find = ids(people.find("name = :name")).bind("name", tricky);
        expect("text is text", &rows(&mut session, find).await?, &vec![json!({"_id": "3"})])?;
        over(session, &schema).await
    })
}

/// Prepared statements of each kind: what is not bound is a parameter.
pub(super) fn prepared(context: &Context) -> Result<()> {
    context.run(async {
        let (mut session, schema) = scene(context).await?;
        let people = people(&mut session, &schema).await?;
        let find = people.find("age > :low AND age < :high AND name != :not").fields("_id").sort("_id");
        let find = session.prepare_crud(find.limit_expr(":n").bind("high", 40)).await?;
        let add = session.prepare_crud(people.add_value(Value::expr("?"))).await?;
        let modify = people.modify("_id = :id").set("age", Value::expr(":age")).bind("age", 1);
        let modify = session.prepare_crud(modify).await?;
        let remove = session.prepare_crud(people.remove("_id = ?")).await?;
        for (not, n, ids) in [("Bob", 5_u64, vec!["1", "4"]), ("", 1, vec!["1"])] {
            let args = Named(&[("n", &n), ("low", &0), ("not", &not)]);
            let found: Vec<Json> = session.exec(&find, args).await?.all().await?;
            expect("found", &found, &ids.into_iter().map(|id| json!({ "_id": id })).collect())?;
        }
        for id in ["7", "8"] {
            let document = json!({"_id": id, "age": 30}).to_string();
            expect("added", &session.exec(&add, (document,)).await?.finish().await?.affected, &Some(1))?;
        }
        session.exec(&modify, Named(&[("id", &"7")])).await?.finish().await?;
        let seven: Option<Json> = session.execute(people.get_one("7")).await?;
        expect("changed", &seven, &Some(json!({"_id": "7", "age": 1})))?;
        session.exec(&remove, ("7",)).await?.finish().await?;
        expect("removed", &session.execute(people.get_one::<Json>("7")).await?, &None)?;
        // As deep as servers read, at the deepest place.
        let deep = people.modify("true").set("deep", Value::expr(format!("{}age", "!".repeat(47))));
        let deep = session.prepare_crud(deep).await?;
        expect("deep", &session.exec(&deep, ()).await?.finish().await?.affected, &Some(5))?;
        let deeper = people.modify("true").set("deep", Value::expr(format!("{}age", "!".repeat(48))));
        ensure!(
            matches!(session.prepare_crud(deeper).await, Err(Error::Crud(_))),
            "it would end the connection"
        );
        let wrong = session.exec(&find, (1,)).await;
        ensure!(matches!(wrong, Err(Error::Params(_))), "names were given");
        drop(wrong);
        match session.prepare_crud(people.find("age >")).await {
            Err(Error::Crud(_)) => {}
            other => anyhow::bail!("{other:?}"),
        }
        over(session, &schema).await
    })
}

/// Requests of all kinds in one flight, each with its answer.
pub(super) fn pipelined(context: &Context) -> Result<()> {
    context.run(async {
        let (mut session, schema) = scene(context).await?;
        let people = people(&mut session, &schema).await?;
        let mut pipeline = session.pipeline();
        let added = pipeline.ask(people.add([r#"{"name": "Eve"}"#]))?;
        let count = pipeline.ask(people.count())?;
        let twice = pipeline.ask(people.add([r#"{"_id": "1"}"#]))?;
        let changed = pipeline.ask(people.modify("age < 30").set("young", true))?;
        let bob = pipeline.ask(people.get_one::<Json>("2"))?;
        let there = pipeline.ask(people.exists())?;
        let mut replies = pipeline.send().await?;
        expect("ids", &replies.answer(added).await?.document_ids.len(), &1)?;
        expect("count", &replies.answer(count).await?, &5)?;
        refused("an id twice", replies.answer(twice).await, 5116)?;
        expect("changed", &replies.answer(changed).await?.affected, &Some(2))?;
        let young = replies.answer(bob).await?.is_some_and(|bob| bob["young"] == json!(true));
        expect("in order", &young, &true)?;
        expect("there", &replies.answer(there).await?, &true)?;
        replies.finish().await?;
        over(session, &schema).await
    })
}
