//! Schemas, collections, indexes, views; and the server's own commands.

use anyhow::{Result, ensure};
use porpoise::x::Schema;
use porpoise::x::admin::{self, CollectionOptions, Index, IndexField, Level};
use porpoise::x::crud::{CreateView, DropView, ModifyView};
use porpoise::xproto::messages::crud::{ViewAlgorithm, ViewCheckOption, ViewSqlSecurity};

use super::{over, refused, rows, scene, sql};
use crate::suite::{Context, expect};
use crate::x_session::connect;

pub(super) fn objects(context: &Context) -> Result<()> {
    context.run(async {
        let (mut session, schema) = scene(context).await?;
        ensure!(session.execute(Schema::list()).await?.iter().any(|name| name == schema.name()));
        refused("a schema twice", session.execute(schema.create()).await, 1007)?;
        // Names that LIKE reads otherwise, and that want quotes.
        let [one, two] = ["a_b%`c", "aXb"].map(|name| schema.collection(name));
        let table = schema.table("plain");
        expect("not yet", &session.execute(one.exists()).await?, &false)?;
        for collection in [&one, &two] {
            session.execute(collection.create(&CollectionOptions::default())).await?;
            expect("there", &session.execute(collection.exists()).await?, &true)?;
        }
        refused("twice", session.execute(one.create(&CollectionOptions::default())).await, 1050)?;
        session.execute(one.create(&CollectionOptions::default().reuse_existing())).await?;
        session.execute(sql(format!("CREATE TABLE {}.plain (a INT)", schema.name()))).await?;
        let is_there = session.execute(schema.collection("plain").exists()).await?;
        expect("a table is no collection", &is_there, &false)?;
        expect("nor a view", &session.execute(table.is_view()).await?, &false)?;
        session.execute(two.ensure(&CollectionOptions::default())).await?;
        let ensure = schema.collection("plain").ensure(&CollectionOptions::default());
        refused("nor can it become one", session.execute(ensure).await, 5156)?;
        let mut collections = session.execute(schema.collections()).await?;
        collections.sort();
        expect("collections", &collections, &vec!["aXb".to_owned(), "a_b%`c".to_owned()])?;
        expect("tables", &session.execute(schema.tables()).await?, &vec!["plain".to_owned()])?;
        session.execute(one.drop()).await?;
        expect("gone", &session.execute(one.exists()).await?, &false)?;
        refused("not again", session.execute(one.drop()).await, 1051)?;
        let nowhere = Schema::new("porp_no such schema").collection("c");
        refused("no schema", session.execute(nowhere.exists()).await, 1049)?;
        over(session, &schema).await
    })
}

pub(super) fn validation(context: &Context) -> Result<()> {
    context.run(async {
        let (mut session, schema) = scene(context).await?;
        let people = schema.collection("people");
        let rule = r#"{"type":"object","required":["name"],"properties":{"age":{"type":"number"}}}"#;
        let strict = CollectionOptions::default().schema(rule).level(Level::Strict);
        session.execute(people.create(&strict)).await?;
        session.execute(people.add([r#"{"name": "Ann", "age": 1}"#])).await?;
        refused("no name", session.execute(people.add([r#"{"age": 1}"#])).await, 5180)?;
        refused("no number", session.execute(people.modify("true").set("age", "x")).await, 5180)?;
        let options = session.execute(people.options()).await?.unwrap_or_default();
        ensure!(options.contains(rule) && options.contains("strict"), "{options}");
        session.execute(people.modify_options(&CollectionOptions::default().level(Level::Off))).await?;
        session.execute(people.add([r#"{"age": 1}"#])).await?;
        refused("not all conform", session.execute(people.modify_options(&strict)).await, 5180)?;
        let bad = CollectionOptions::default().schema("[]");
        refused("no schema", session.execute(people.modify_options(&bad)).await, 5182)?;
        refused(
            "no options",
            session.execute(people.modify_options(&CollectionOptions::default())).await,
            5015,
        )?;
        over(session, &schema).await
    })
}

pub(super) fn indexes(context: &Context) -> Result<()> {
    context.run(async {
        let (mut session, schema) = scene(context).await?;
        let people = schema.collection("people");
        session.execute(people.create(&CollectionOptions::default())).await?;
        let by_name = Index::new("by_name").unique().field(IndexField::new("$.name", "TEXT(20)").required());
        let by_tag = Index::new("by_tag").field(IndexField::new("$.tags", "CHAR(20)").array());
        let by_age = Index::new("by_age")
            .field(IndexField::new("$.age", "DECIMAL(5, 1)"))
            .field(IndexField::new("$.born", "DATE"));
        let by_place =
            Index::new("by_place").spatial().field(IndexField::new("$.at", "GEOJSON").required().options(1).srid(4326));
        for index in [&by_name, &by_tag, &by_age, &by_place] {
            session.execute(people.create_index(index)).await?;
        }
        refused("twice", session.execute(people.create_index(&by_age)).await, 1061)?;
        let ann = r#"{"name": "Ann", "tags": ["a", "b"], "age": 31.5, "born": "2001-02-03", "at": {"type": "Point", "coordinates": [1, 2]}}"#;
        session.execute(people.add([ann])).await?;
        refused("a name twice", session.execute(people.add([ann])).await, 5116)?;
        refused("no name", session.execute(people.add([r#"{"at": {"type": "Point", "coordinates": [1, 2]}}"#])).await, 5115)?;
        let names = format!(
            "SELECT DISTINCT index_name FROM information_schema.statistics WHERE table_schema = '{}' AND index_name LIKE 'by%' ORDER BY 1",
            schema.name()
        );
        let should = ["by_age", "by_name", "by_place", "by_tag"].map(str::to_owned).to_vec();
        expect("indexes", &rows::<String, _>(&mut session, sql(names)).await?, &should)?;
        for index in should {
            session.execute(people.drop_index(&index)).await?;
        }
        refused("gone", session.execute(people.drop_index("by_age")).await, 1091)?;
        session.execute(people.add([ann])).await?;
        over(session, &schema).await
    })
}

pub(super) fn views(context: &Context) -> Result<()> {
    context.run(async {
        let (mut session, schema) = scene(context).await?;
        let people = schema.collection("people");
        session.execute(people.create(&CollectionOptions::default())).await?;
        session
            .execute(people.add([r#"{"_id": "1", "name": "Ann", "age": 31}"#, r#"{"_id": "2", "age": 5}"#]))
            .await?;
        let adults = people.find("age >= 18").fields("name, age AS years");
        let create = || CreateView::new(schema.name(), "adults", adults.clone());
        session.execute(create()).await?;
        let view = schema.table("adults");
        expect("a view", &session.execute(view.is_view()).await?, &true)?;
        let shown: Vec<String> = rows(&mut session, schema.collection("adults").find_all()).await?;
        expect("it shows", &shown, &vec![r#"{"name": "Ann", "years": 31}"#.to_owned()])?;
        refused("twice", session.execute(create()).await, 1050)?;
        session
            .execute(
                create().replace_existing().definer("root@localhost").algorithm(ViewAlgorithm::Temptable),
            )
            .await?;
        let all = schema.table("people").select("_id, doc->>'$.name'");
        let modify = ModifyView::new(schema.name(), "adults", all)
            .columns(["id", "called"])
            .algorithm(ViewAlgorithm::Merge)
            .security(ViewSqlSecurity::Invoker)
            .check(ViewCheckOption::Local);
        session.execute(modify).await?;
        let shown: Vec<(String, Option<String>)> =
            rows(&mut session, view.select("id, called").sort("id")).await?;
        expect("it shows", &shown, &vec![("1".to_owned(), Some("Ann".to_owned())), ("2".to_owned(), None)])?;
        let bound = people.find("age < :age").fields("_id").bind("age", 18);
        session.execute(CreateView::new(schema.name(), "minors", bound)).await?;
        let shown: Vec<String> = rows(&mut session, schema.collection("minors").find_all()).await?;
        expect("what was bound is in it", &shown, &vec![r#"{"_id": "2"}"#.to_owned()])?;
        session.execute(DropView::new(schema.name(), "adults")).await?;
        refused("gone", session.execute(DropView::new(schema.name(), "adults")).await, 1051)?;
        let note = session.execute(DropView::new(schema.name(), "adults").if_exists()).await?;
        expect("a note", &note.warnings.iter().map(|warning| warning.code).collect::<Vec<_>>(), &vec![1051])?;
        over(session, &schema).await
    })
}

pub(super) fn commands(context: &Context) -> Result<()> {
    context.run(async {
        let (mut session, schema) = scene(context).await?;
        session.execute(admin::ping()).await?;
        type Client = (u64, Option<String>, Option<String>, Option<u64>);
        let mut other = connect(context, |options| options).await?;
        let id = other.client_id().unwrap_or_default();
        let clients: Vec<Client> = rows(&mut session, admin::list_clients()).await?;
        ensure!(clients.iter().any(|client| client.0 == id), "{id} is not among {clients:?}");
        session.execute(admin::kill_client(id)).await?;
        ensure!(other.execute(admin::ping()).await.is_err(), "it was killed");
        refused("nobody", session.execute(admin::kill_client(u64::MAX)).await, 1094)?;
        let notices =
            |list: Vec<(String, i64)>, name: &str| list.iter().any(|(known, on)| known == name && *on == 1);
        for on in [false, true] {
            let change = if on { admin::enable_notices } else { admin::disable_notices };
            session.execute(change(&["warnings"])).await?;
            expect("told", &notices(rows(&mut session, admin::list_notices()).await?, "warnings"), &on)?;
            let warned = session.execute(sql("SELECT 1/0")).await?;
            expect("warned", &warned.warnings.len(), &usize::from(on))?;
        }
        refused("always on", session.execute(admin::disable_notices(&["rows_affected"])).await, 5164)?;
        session.execute(schema.collection("one").create(&CollectionOptions::default())).await?;
        let objects = admin::list_objects(Some(schema.name()), Some("on%"));
        let should = vec![("one".to_owned(), "COLLECTION".to_owned())];
        expect("objects", &rows::<(String, String), _>(&mut session, objects).await?, &should)?;
        refused("no such command", session.execute(admin::command("nosuch", None)).await, 5157)?;
        over(session, &schema).await
    })
}
