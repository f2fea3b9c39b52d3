//! The X session's calls, blocking, on a real server.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use porpoise::TxOptions;
use porpoise::blocking::x::{BlockingSession, cancel, connect, send};
use porpoise::value::Named;
use porpoise::x::admin::CollectionOptions;
use porpoise::x::{Error, Schema};

use crate::suite::{Cell, Context, MYSQL, Runner, Suite, Test, Transport, expect};
use crate::x_session::options;

pub(crate) fn add(suite: &mut Suite) {
    let tests: &[(&str, Test)] = &[
        ("statements", statements),
        ("documents", documents),
        ("transactions", transactions),
        ("pipelines", pipelines),
        ("cancel", cancels),
    ];
    for transport in [Transport::Tls, Transport::Unix] {
        for (name, test) in tests {
            let name = format!("x-blocking::{}::{name}", transport.name());
            suite.add(name, Cell::new(Runner::Blocking, transport, MYSQL), *test);
        }
    }
}

/// A session, and a schema of its own that is empty.
fn scene(context: &Context) -> Result<(BlockingSession, Schema)> {
    let mut session = connect(Arc::new(options(context)?.build()))?;
    let client = session.session().client_id().context("no client id")?;
    let name = format!("porp_xblk_{}_{client}", std::process::id());
    session.sql(&format!("DROP DATABASE IF EXISTS {name}")).run()?;
    session.sql(&format!("CREATE DATABASE {name}")).run()?;
    session.sql(&format!("USE {name}")).run()?;
    Ok((session, Schema::new(name)))
}

fn over(mut session: BlockingSession, schema: &Schema) -> Result<()> {
    session.execute(schema.drop())?;
    Ok(session.close()?)
}

fn statements(context: &Context) -> Result<()> {
    let (mut session, schema) = scene(context)?;
    session.ping()?;
    session.sql("CREATE TABLE t (a INT PRIMARY KEY, b VARCHAR(10))").run()?;
    let done = session.sql("INSERT INTO t VALUES (?, ?), (2, 'two')").args((1, "one")).run()?;
    expect("affected", &done.affected, &Some(2))?;
    let all: Vec<(i32, String)> = session.sql("SELECT a, b FROM t ORDER BY a").all()?;
    expect("rows", &all, &vec![(1, "one".to_owned()), (2, "two".to_owned())])?;
    let first: Option<String> =
        session.sql("SELECT b FROM t WHERE a = :a").args(Named(&[("a", &2)])).first()?;
    expect("first", &first.as_deref(), &Some("two"))?;
    let mut results = session.sql("SELECT a FROM t ORDER BY a").execute()?;
    let found: Result<Vec<i32>, Error> = results.rows::<i32>().collect();
    expect("streamed", &found?, &vec![1, 2])?;
    results.finish()?;
    let statement = session.prepare("INSERT INTO t VALUES (?, ?)")?;
    session.exec_batch(&statement, (3..100).map(|n| (n, n.to_string())))?;
    let select = session.prepare("SELECT a FROM t WHERE a > ? ORDER BY a")?;
    expect("prepared", &session.exec(&select, (97,))?.all::<i32>()?, &vec![98, 99])?;
    let mut cursor = session.cursor(&select, (0,), 7)?;
    let mut sum = 0;
    for row in cursor.rows::<i32>() {
        sum += row?;
    }
    expect("by a cursor", &sum, &(99 * 100 / 2))?;
    drop(cursor);
    expect("by its text", &session.exec_all::<i32>("SELECT count(*) FROM t WHERE a < ?", (50,))?, &vec![49])?;
    session.reset()?;
    ensure!(
        matches!(session.exec(&select, (97,)), Err(Error::Usage(_) | Error::Server(_))),
        "it is of the session before"
    );
    over(session, &schema)
}

fn documents(context: &Context) -> Result<()> {
    let (mut session, schema) = scene(context)?;
    let people = schema.collection("people");
    session.execute(people.create(&CollectionOptions::default()))?;
    let added = session.execute(
        people.add([r#"{"name": "Ann", "age": 31}"#, r#"{"_id": "2", "name": "Bob", "age": 25}"#]),
    )?;
    expect("ids", &added.document_ids.len(), &1)?;
    let older = session.prepare_crud(people.find("age > :age").fields("name"))?;
    for (age, names) in [(20, 2), (30, 1), (40, 0)] {
        expect("found", &session.exec(&older, Named(&[("age", &age)]))?.all::<String>()?.len(), &names)?;
    }
    let ann: Vec<String> = session.results(people.find("age > 30").fields("name"))?.all()?;
    expect("Ann", &ann, &vec![r#"{"name": "Ann"}"#.to_owned()])?;
    expect("count", &session.execute(people.count())?, &2)?;
    expect("one", &session.execute(people.get_one::<String>("none"))?, &None)?;
    expect("there", &session.execute(people.exists())?, &true)?;
    let batch = (0..100).map(|n| people.add([format!(r#"{{"n": {n}}}"#)]));
    expect("all ids", &session.execute_batch(batch)?.outcome.document_ids.len(), &100)?;
    over(session, &schema)
}

fn transactions(context: &Context) -> Result<()> {
    let (mut session, schema) = scene(context)?;
    session.sql("CREATE TABLE t (a INT PRIMARY KEY)").run()?;
    let mut tx = session.begin(TxOptions::new())?;
    tx.sql("INSERT INTO t VALUES (1)").run()?;
    let mut savepoint = tx.savepoint()?;
    savepoint.sql("INSERT INTO t VALUES (2)").run()?;
    savepoint.rollback()?;
    let mut savepoint = tx.savepoint()?;
    savepoint.sql("INSERT INTO t VALUES (3)").run()?;
    savepoint.release()?;
    tx.commit()?;
    let mut tx = session.begin(TxOptions::new())?;
    tx.sql("INSERT INTO t VALUES (4)").run()?;
    tx.rollback()?;
    let mut tx = session.begin(TxOptions::new())?;
    tx.sql("INSERT INTO t VALUES (5)").run()?;
    drop(tx);
    expect("kept", &session.sql("SELECT a FROM t ORDER BY a").all::<i32>()?, &vec![1, 3])?;
    over(session, &schema)
}

fn pipelines(context: &Context) -> Result<()> {
    let (mut session, schema) = scene(context)?;
    let people = schema.collection("people");
    let mut pipeline = session.pipeline();
    pipeline.request(people.create(&CollectionOptions::default()))?;
    let added = pipeline.ask(people.add([r#"{"a": 1}"#]))?;
    let count = pipeline.ask(people.count())?;
    pipeline.sql("SELECT ?", (7,))?;
    let mut replies = send(pipeline)?;
    ensure!(replies.next()?.is_some());
    expect("added", &replies.answer(added)?.affected, &Some(1))?;
    expect("count", &replies.answer(count)?, &1)?;
    let seven = match replies.next()? {
        Some(mut results) => results.first::<i32>()?,
        None => None,
    };
    expect("in order", &seven, &Some(7))?;
    replies.finish()?;
    over(session, &schema)
}

fn cancels(context: &Context) -> Result<()> {
    let (mut session, schema) = scene(context)?;
    let handle = session.cancel_handle();
    let begun = Instant::now();
    let canceller = thread::spawn(move || {
        thread::sleep(Duration::from_millis(300));
        cancel(&handle)
    });
    let slept: Vec<i32> = session.sql("SELECT SLEEP(20)").all().or_else(|error| match error {
        Error::Server(_) => Ok(vec![1]),
        other => Err(other),
    })?;
    expect("interrupted", &slept, &vec![1])?;
    ensure!(begun.elapsed() < Duration::from_secs(10), "it slept on");
    let hit = canceller.join().ok().context("the canceller panicked")??;
    expect("hit", &hit, &true)?;
    session.ping()?;
    over(session, &schema)
}
