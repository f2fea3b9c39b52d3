//! The X client's calls on a real server: statements, prepared ones, cursors, pipelines, transactions, the session itself.

use std::sync::Arc;

use anyhow::{Context as _, Result, bail, ensure};
use futures::{StreamExt as _, TryStreamExt as _};
use porpoise::transport::SslMode;
use porpoise::value::{Named, Value};
use porpoise::x::crud::{Expect, Find, Insert};
use porpoise::x::{Error, OptionsBuilder, Session};
use porpoise::xproto::{ClientKind, LifeCycle};
use porpoise::{Isolation, TxOptions, Usage};

use crate::suite::{Context, MYSQL, Suite, Test, Transport, expect};
use crate::x_trace::{Sent, trace};

/// Everybody's own tables are in it.
const SCHEMA: &str = "porp_xdrv";

pub(crate) fn add(suite: &mut Suite) {
    let everywhere: &[(&str, Test)] = &[
        ("sql", sql),
        ("results", results),
        ("prepared", prepared),
        ("cursor", cursor),
        ("pipeline", pipeline),
        ("expectations", expectations),
        ("batch", batch),
        ("transaction", transaction),
        ("savepoint", savepoint),
        ("reset", reset),
        ("authenticate", authenticate),
        ("first-statement", first_statement),
        ("dropped", dropped),
    ];
    for transport in Transport::ALL {
        let kind = format!("x::{}", transport.name());
        suite.add_tests(&kind, transport, MYSQL, everywhere);
    }
}

/// Options that lead to the cell's server over the cell's transport, as a user who may do everything.
pub(crate) fn options(context: &Context) -> Result<OptionsBuilder> {
    let server = context.server()?;
    let address = server.x_address()?;
    let tcp = |mode| {
        porpoise::x::Options::builder().host(&address.ip().to_string()).port(address.port()).ssl_mode(mode)
    };
    let options = match context.cell.transport {
        Transport::Tcp => tcp(SslMode::Disabled),
        Transport::Tls => tcp(SslMode::Required),
        Transport::Unix => porpoise::x::Options::builder().unix_socket(server.x_socket()?),
    };
    Ok(options.user("sha2all").password("pw-sha2"))
}

/// A session of the cell's. Where the password itself is not sent the server must know it from before; others of this suite
/// make it forget at any time.
pub(crate) async fn connect(
    context: &Context,
    change: impl Fn(OptionsBuilder) -> OptionsBuilder,
) -> Result<Session> {
    let options = Arc::new(change(options(context)?).build());
    for _ in 0..20 {
        match Session::connect(context.runtime(), Arc::clone(&options)).await {
            Err(error) if error.code() == 1045 && context.cell.transport == Transport::Tcp => {
                let socket = context.server()?.x_socket()?;
                let warm =
                    porpoise::x::Options::builder().unix_socket(socket).user("sha2all").password("pw-sha2");
                Session::connect(context.runtime(), Arc::new(warm.build())).await?.close().await?;
            }
            connected => return Ok(connected?),
        }
    }
    bail!("the server forgets passwords faster than they are told")
}

/// A table of this session's own, empty.
async fn table(session: &mut Session, columns: &str) -> Result<String> {
    let client = session.client_id().context("no client id")?;
    let name = format!("{SCHEMA}.t{}_{client}", std::process::id());
    session.sql(&format!("CREATE DATABASE IF NOT EXISTS {SCHEMA}")).run().await?;
    session.sql(&format!("DROP TABLE IF EXISTS {name}")).run().await?;
    session.sql(&format!("CREATE TABLE {name} ({columns})")).run().await?;
    Ok(name)
}

async fn drop_table(mut session: Session, name: &str) -> Result<()> {
    session.sql(&format!("DROP TABLE {name}")).run().await?;
    Ok(session.close().await?)
}

async fn number(session: &mut Session, sql: &str) -> Result<i64> {
    session.sql(sql).first::<i64>().await?.with_context(|| format!("no row: {sql}"))
}

fn code<T: std::fmt::Debug>(result: Result<T, Error>) -> Result<u16> {
    match result {
        Err(Error::Server(error)) => Ok(error.code),
        other => bail!("{other:?}"),
    }
}

#[derive(Debug, PartialEq, porpoise::FromRow)]
struct Fish {
    id: u32,
    name: String,
    depth: f64,
}

fn sql(context: &Context) -> Result<()> {
    context.run(async {
        let mut session = connect(context, |options| options).await?;
        expect("state", &session.state(), &LifeCycle::Session)?;
        let secure = context.cell.transport != Transport::Tcp;
        expect("mechanism", &session.mechanism(), &Some(if secure { "PLAIN" } else { "SHA256_MEMORY" }))?;
        expect("TLS", &session.is_encrypted(), &(context.cell.transport == Transport::Tls))?;
        let row = session.sql("SELECT ?, ?, ?, ?").args((-5, u64::MAX, "it's", None::<i64>));
        let row = row.first::<(i64, u64, String, Option<i64>)>().await?;
        expect("row", &row, &Some((-5, u64::MAX, "it's".to_owned(), None)))?;
        let row = session.sql("SELECT :b, :a").args(Named(&[("a", &1), ("b", &"x")]));
        expect("named", &row.first::<(String, i64)>().await?, &Some(("x".to_owned(), 1)))?;
        let row = session.sql("SELECT 'orca' AS name, 2.50 AS depth, 7 AS id").first::<Fish>().await?;
        expect("by name", &row, &Some(Fish { id: 7, name: "orca".to_owned(), depth: 2.5 }))?;
        let row = session.sql("SELECT 1 AS one").compact_metadata(true).first::<i64>().await?;
        expect("compact", &row, &Some(1))?;

        let name = table(&mut session, "id INT PRIMARY KEY AUTO_INCREMENT, a TINYINT").await?;
        let done = session.sql(&format!("INSERT INTO {name} (a) VALUES (?), (?)")).args((1, 2)).run().await?;
        expect("insert", &(done.affected, done.insert_id), &(Some(2), Some(1)))?;
        let done = session.sql(&format!("UPDATE {name} SET a = 1")).run().await?;
        expect("text", &done.message.as_deref(), &Some("Rows matched: 2  Changed: 1  Warnings: 0"))?;
        let done = session.sql(&format!("INSERT IGNORE INTO {name} (a) VALUES (1000)")).run().await?;
        expect(
            "warnings",
            &done.warnings.iter().map(|warning| warning.code).collect::<Vec<_>>(),
            &vec![1264],
        )?;
        expect("error", &code(session.sql("bogus").run().await)?, &1064)?;
        expect("then", &number(&mut session, "SELECT 7").await?, &7)?;
        session.ping().await?;
        drop_table(session, &name).await
    })
}

fn results(context: &Context) -> Result<()> {
    context.run(async {
        let mut session = connect(context, |options| options).await?;
        let name = table(&mut session, "a INT").await?;
        let values = (1..=1000).map(|n| format!("({n})")).collect::<Vec<_>>().join(",");
        session.sql(&format!("INSERT INTO {name} VALUES {values}")).run().await?;
        // A stream of rows, to its end and not to its end.
        let select = format!("SELECT a, REPEAT('x', a) FROM {name} ORDER BY a");
        let mut rows = session.sql(&select).execute().await?.into_rows::<(usize, String)>();
        let mut seen = 0;
        while let Some((a, text)) = rows.try_next().await? {
            seen += 1;
            ensure!(a == seen && text.len() == a, "row {seen} is {a}");
        }
        drop(rows);
        expect("rows", &seen, &1000)?;
        let mut results = session.sql(&select).execute().await?;
        ensure!(results.columns().is_some_and(|columns| columns.len() == 2), "columns");
        ensure!(results.rows::<(u32, String)>().next().await.is_some(), "a row");
        drop(results);
        expect("then", &number(&mut session, "SELECT 2").await?, &2)?;
        // An error in the middle of rows, which is no end of the session.
        let mut results = session.sql(&format!("SELECT a + IF(a > 900, 9e307 * 1000, 0) FROM {name}")).execute().await;
        if let Ok(results) = &mut results {
            let mut failed = false;
            while let Some(batch) = results.next_batch().await.transpose() {
                failed = batch.is_err();
                if failed {
                    break;
                }
            }
            ensure!(failed, "an error");
        }
        drop(results);
        // A row that does not fit.
        let rows = session.sql(&select).all::<(u8, String)>().await;
        ensure!(matches!(rows, Err(Error::Row(_))), "{rows:?}");
        expect("then", &number(&mut session, "SELECT 3").await?, &3)?;
        // Several results, and OUT parameters.
        let procedure = format!("{name}_p");
        session.sql(&format!("DROP PROCEDURE IF EXISTS {procedure}")).run().await?;
        let body = format!("CREATE PROCEDURE {procedure} (IN a INT, OUT b INT) BEGIN SELECT a; SELECT a + 1, 'x'; SET b = a * 2; END");
        session.sql(&body).run().await?;
        let mut results = session.sql(&format!("CALL {procedure}(5, @b)")).execute().await?;
        expect("first", &results.all::<i64>().await?, &vec![5])?;
        ensure!(results.next_result().await?, "a second result");
        expect("second", &results.all::<(i64, String)>().await?, &vec![(6, "x".to_owned())])?;
        ensure!(!results.next_result().await?, "a third result");
        drop(results);
        let mut results = session.exec_sql(&format!("CALL {procedure}(?, ?)"), (5, None::<i64>)).await?;
        let mut told = Vec::new();
        loop {
            let out = results.is_out_params();
            let rows = results.all::<Vec<Value>>().await?;
            told.push((out, rows.into_iter().flatten().map(|value| value.to_string()).collect::<Vec<_>>().join(",")));
            if !results.next_result().await? {
                break;
            }
        }
        let want = [(false, "5"), (false, "6,x"), (true, "10")].map(|(out, text)| (out, text.to_owned()));
        expect("results", &told, &want.to_vec())?;
        drop(results);
        session.sql(&format!("DROP PROCEDURE {procedure}")).run().await?;
        drop_table(session, &name).await
    })
}

fn prepared(context: &Context) -> Result<()> {
    context.run(async {
        let (mut session, sent) = trace(context).await?;
        let statement = session.prepare("SELECT ? + 1, ?").await?;
        for n in [1_i64, -3] {
            let mut results = session.exec(&statement, (n, "é")).await?;
            expect("row", &results.all::<(i64, String)>().await?, &vec![(n + 1, "é".to_owned())])?;
        }
        expect("too few", &code(session.exec(&statement, (1,)).await.map(|_| ()))?, &5134)?;
        sent.take();
        // Prepared and executed in one flight, and then found.
        expect(
            "named",
            &session
                .exec_all::<i64>("SELECT CAST(:a AS SIGNED) * CAST(:a AS SIGNED)", Named(&[("a", &7)]))
                .await?,
            &vec![49],
        )?;
        let want = vec![(ClientKind::PREPARE_PREPARE, 1), (ClientKind::PREPARE_EXECUTE, 1)];
        expect("flight", &sent.take(), &want)?;
        expect(
            "cached",
            &session
                .exec_all::<i64>("SELECT CAST(:a AS SIGNED) * CAST(:a AS SIGNED)", Named(&[("a", &3)]))
                .await?,
            &vec![9],
        )?;
        expect("flight", &sent.take(), &vec![(ClientKind::PREPARE_EXECUTE, 1)])?;
        // What cannot be prepared, is told once, and leaves nothing behind.
        expect("bad", &code(session.exec_sql("bogus ?", (1,)).await.map(|_| ()))?, &1064)?;
        sent.take();
        expect("then", &number(&mut session, "SELECT 5").await?, &5)?;
        expect("flight", &sent.take(), &vec![(ClientKind::SQL_STMT_EXECUTE, 1)])?;
        let mut other = connect(context, |options| options).await?;
        let foreign = other.prepare("SELECT 1").await?;
        let refused = session.exec(&foreign, ()).await.map(|_| ());
        ensure!(matches!(refused, Err(Error::Usage(Usage::ForeignStatement))), "{refused:?}");
        // A find with a placeholder.
        let name = format!("c{}_{}", std::process::id(), session.client_id().unwrap_or_default());
        session.sql(&format!("CREATE DATABASE IF NOT EXISTS {SCHEMA}")).run().await?;
        session.execute(porpoise::x::Collection::new(SCHEMA, &*name).create(&Default::default())).await?;
        let insert = Insert::collection(SCHEMA, &*name).documents([r#"{"n": 1}"#, r#"{"n": 5}"#]);
        expect("ids", &session.execute(insert).await?.document_ids.len(), &2)?;
        let find = Find::collection(SCHEMA, &*name).filter("n > :n").fields("n AS n").prepare(1)?;
        let statement = session.prepare_message(find.message.stmt).await?;
        let documents = session.exec(&statement, (2,)).await?.all::<String>().await?;
        expect("documents", &documents, &vec![r#"{"n": 5}"#.to_owned()])?;
        // Deallocated in the write of the next message.
        drop(statement);
        sent.take();
        session.execute(porpoise::x::Collection::new(SCHEMA, &*name).drop()).await?;
        let want = vec![(ClientKind::PREPARE_DEALLOCATE, 1), (ClientKind::SQL_STMT_EXECUTE, 1)];
        expect("flight", &sent.take(), &want)?;
        other.close().await?;
        Ok(session.close().await?)
    })
}

fn cursor(context: &Context) -> Result<()> {
    context.run(async {
        let (mut session, sent) = trace(context).await?;
        let numbers =
            "WITH RECURSIVE n AS (SELECT 1 AS a UNION ALL SELECT a + 1 FROM n WHERE a < ?) SELECT a FROM n";
        sent.take();
        let mut cursor = session.cursor_sql(numbers, (25,), 10).await?;
        ensure!(cursor.columns().is_some_and(|columns| columns.len() == 1), "columns");
        let mut sizes = Vec::new();
        while let Some(batch) = cursor.next_batch().await? {
            ensure!(batch.plan::<i64>().is_ok(), "the columns are kept");
            sizes.push(batch.len());
        }
        expect("rows", &sizes.iter().sum::<usize>(), &25)?;
        drop(cursor);
        let want = vec![
            (ClientKind::PREPARE_PREPARE, 1),
            (ClientKind::CURSOR_OPEN, 1),
            (ClientKind::CURSOR_FETCH, 2),
            (ClientKind::CURSOR_FETCH, 3),
        ];
        expect("flights", &sent.take(), &want)?;
        // Left in the middle, and opened again: it is another one.
        let statement = session.prepare(numbers).await?;
        let mut cursor = session.cursor(&statement, (25,), 2).await?;
        let first: Vec<i64> = cursor.rows::<i64>().take(3).try_collect().await?;
        expect("rows", &first, &vec![1, 2, 3])?;
        drop(cursor);
        let mut cursor = session.cursor(&statement, (3,), 100).await?;
        let all: Vec<i64> = cursor.rows::<i64>().try_collect().await?;
        expect("rows", &all, &vec![1, 2, 3])?;
        drop(cursor);
        // Executed after it had a cursor.
        let all = session.exec(&statement, (4,)).await?.all::<i64>().await?;
        expect("rows", &all.len(), &4)?;
        expect("bad", &code(session.cursor_sql("bogus", (), 1).await.map(|_| ()))?, &1064)?;
        expect("then", &number(&mut session, "SELECT 6").await?, &6)?;
        Ok(session.close().await?)
    })
}

fn pipeline(context: &Context) -> Result<()> {
    context.run(async {
        let (mut session, sent) = trace(context).await?;
        let name = table(&mut session, "a INT PRIMARY KEY").await?;
        sent.take();
        let mut pipeline = session.pipeline();
        for n in [1, 2, 2, 3] {
            pipeline.sql(&format!("INSERT INTO {name} VALUES (?)"), (n,))?;
        }
        let statement = pipeline.prepare(&format!("SELECT a FROM {name} WHERE a >= ? ORDER BY a"))?;
        pipeline.exec(&statement, (2,))?;
        pipeline.request(porpoise::x::admin::ping())?;
        let mut replies = pipeline.send().await?;
        let mut told = Vec::new();
        loop {
            match replies.next().await {
                Ok(None) => break,
                Ok(Some(mut results)) => {
                    let rows = results.all::<i64>().await?;
                    let outcome = results.finish().await?;
                    told.push(format!("{rows:?} {}", outcome.affected.unwrap_or_default()));
                }
                Err(Error::Server(error)) => told.push(format!("error {}", error.code)),
                Err(error) => bail!(error),
            }
        }
        let want = ["[] 1", "[] 1", "error 1062", "[] 1", "[] 0", "[2, 3] 0", "[] 0"].map(str::to_owned);
        expect("replies", &told, &want.to_vec())?;
        let flights: Vec<_> = sent.take().into_iter().map(|(_, flight)| flight).collect();
        expect("flights", &flights, &vec![1; 7])?;
        // Replies that are larger than what is between: neither side waits for the other.
        let mut pipeline = session.pipeline();
        let long = "x".repeat(1 << 20);
        for _ in 0..8 {
            pipeline.sql("SELECT ?, REPEAT('y', 1 << 20)", (&long,))?;
        }
        let mut replies = pipeline.send().await?;
        let mut results = replies.next().await?.context("a reply")?;
        let (x, y) = results.first::<(String, String)>().await?.context("a row")?;
        expect("lengths", &(x.len(), y.len()), &(1 << 20, 1 << 20))?;
        replies.finish().await?;
        // Dropped in the middle.
        let mut pipeline = session.pipeline();
        for _ in 0..50 {
            pipeline.sql("SELECT REPEAT('x', 10000)", ())?;
        }
        let mut replies = pipeline.send().await?;
        ensure!(replies.next().await?.is_some(), "a reply");
        drop(replies);
        expect("then", &number(&mut session, "SELECT 4").await?, &4)?;
        drop_table(session, &name).await
    })
}

fn expectations(context: &Context) -> Result<()> {
    context.run(async {
        let mut session = connect(context, |options| options).await?;
        let name = table(&mut session, "a INT PRIMARY KEY").await?;
        let insert = format!("INSERT INTO {name} VALUES (?)");
        let mut pipeline = session.pipeline();
        pipeline.expect(Expect::new().no_error(), |block| {
            block.sql(&insert, (1,))?;
            // What fails in here is caught in here.
            block.expect(Expect::empty(), |inner| {
                inner.sql("bogus", ())?;
                inner.sql(&insert, (2,)).map(|_| ())
            })?;
            block.sql(&insert, (3,))?;
            block.sql(&insert, (1,))?;
            block.expect(Expect::new(), |inner| inner.sql(&insert, (4,)).map(|_| ()))?;
            block.sql(&insert, (5,)).map(|_| ())
        })?;
        pipeline.sql(&insert, (6,))?;
        let mut replies = pipeline.send().await?;
        let mut told = Vec::new();
        loop {
            told.push(match replies.next().await {
                Ok(None) => break,
                Ok(Some(_)) => "ok".to_owned(),
                Err(Error::Server(error)) => error.code.to_string(),
                Err(Error::Expectation(error)) => format!("not run: {}", error.code),
                Err(error) => bail!(error),
            });
        }
        let want = ["ok", "1064", "ok", "ok", "1062", "not run: 5159", "not run: 5159", "ok"];
        expect("replies", &told, &want.map(str::to_owned).to_vec())?;
        let rows = session.sql(&format!("SELECT a FROM {name} ORDER BY a")).all::<i64>().await?;
        expect("rows", &rows, &vec![1, 2, 3, 6])?;
        // A field that the server has not: the block is open, and has failed.
        let mut pipeline = session.pipeline();
        pipeline.expect(Expect::new().field_exist("6.99"), |block| block.sql(&insert, (7,)).map(|_| ()))?;
        let refused = pipeline.send().await?.finish().await;
        ensure!(matches!(&refused, Err(Error::Expectation(error)) if error.code == 5168), "{refused:?}");
        // A condition that the server does not know: nothing is sent.
        let mut pipeline = session.pipeline();
        pipeline.expect(Expect::new().condition(77, None), |block| block.sql(&insert, (8,)).map(|_| ()))?;
        expect("unknown", &code(pipeline.send().await.map(|_| ()))?, &5160)?;
        // Answers by their tickets, of those that are wanted.
        let mut pipeline = session.pipeline();
        pipeline.sql(&insert, (9,))?;
        let list = pipeline.ask(porpoise::x::Schema::list())?;
        let lost = pipeline.ask(porpoise::x::Schema::list())?;
        pipeline.sql(&insert, (10,))?;
        let mut replies = pipeline.send().await?;
        ensure!(replies.answer(list).await?.iter().any(|schema| schema == SCHEMA), "the schema");
        ensure!(replies.next().await?.is_some(), "the reply in between");
        let gone = replies.answer(lost).await;
        ensure!(matches!(gone, Err(Error::Usage(Usage::ReplyGone))), "{gone:?}");
        replies.finish().await?;
        expect("rows", &number(&mut session, &format!("SELECT COUNT(*) FROM {name}")).await?, &6)?;
        drop_table(session, &name).await
    })
}

fn batch(context: &Context) -> Result<()> {
    context.run(async {
        let mut session = connect(context, |options| options).await?;
        let name = table(&mut session, "a INT PRIMARY KEY, b VARCHAR(100)").await?;
        let statement = session.prepare(&format!("INSERT INTO {name} VALUES (?, ?)")).await?;
        let text = "x".repeat(100);
        let done = session.exec_batch(&statement, (0..3000).map(|n| (n, &text))).await?;
        expect("done", &(done.messages, done.affected), &(3000, 3000))?;
        let failed = session.exec_batch(&statement, (2990..3010).rev().map(|n| (n, &text))).await;
        match failed {
            Err(Error::Batch { index: 10, error, .. }) => expect("code", &error.code(), &1062)?,
            other => bail!("{other:?}"),
        }
        let finds = (0..5).map(|n| {
            Find::table(SCHEMA, name.rsplit('.').next().unwrap_or_default()).filter(&format!("a = {n}"))
        });
        expect("finds", &session.execute_batch(finds).await?.messages, &5)?;
        expect("then", &number(&mut session, &format!("SELECT COUNT(*) FROM {name}")).await?, &3010)?;
        drop_table(session, &name).await
    })
}

fn transaction(context: &Context) -> Result<()> {
    context.run(async {
        let (mut session, sent) = trace(context).await?;
        let name = table(&mut session, "a INT PRIMARY KEY").await?;
        let (insert, count) =
            (format!("INSERT INTO {name} VALUES (?)"), format!("SELECT COUNT(*) FROM {name}"));
        let mut tx = session.begin(TxOptions::new()).await?;
        tx.sql(&insert).args((1,)).run().await?;
        let twice = tx.begin(TxOptions::new()).await.map(|_| ());
        ensure!(matches!(twice, Err(Error::Usage(Usage::InTransaction))), "{twice:?}");
        tx.commit().await?;
        let mut tx = session.begin(TxOptions::new()).await?;
        tx.sql(&insert).args((2,)).run().await?;
        tx.rollback().await?;
        expect("rows", &number(&mut session, &count).await?, &1)?;
        // Dropped: rolled back before the next operation.
        let mut tx = session.begin(TxOptions::new()).await?;
        tx.sql(&insert).args((3,)).run().await?;
        drop(tx);
        expect("rows", &number(&mut session, &count).await?, &1)?;
        // A level costs no flight.
        sent.take();
        let mut tx =
            session.begin(TxOptions::new().isolation(Isolation::Serializable).read_only(true)).await?;
        let flights: Vec<_> = sent.take().into_iter().map(|(_, flight)| flight).collect();
        expect("flights", &flights, &vec![1; 4])?;
        expect("read only", &code(tx.sql(&insert).args((4,)).run().await)?, &1792)?;
        tx.rollback().await?;
        drop_table(session, &name).await
    })
}

fn savepoint(context: &Context) -> Result<()> {
    context.run(async {
        let mut session = connect(context, |options| options).await?;
        let name = table(&mut session, "a INT PRIMARY KEY").await?;
        let insert = format!("INSERT INTO {name} VALUES (?)");
        let mut tx = session.begin(TxOptions::new()).await?;
        tx.sql(&insert).args((1,)).run().await?;
        let mut kept = tx.savepoint().await?;
        kept.sql(&insert).args((2,)).run().await?;
        let mut undone = kept.savepoint().await?;
        undone.sql(&insert).args((3,)).run().await?;
        undone.rollback().await?;
        let mut dropped = kept.savepoint().await?;
        dropped.sql(&insert).args((4,)).run().await?;
        drop(dropped);
        kept.sql(&insert).args((5,)).run().await?;
        kept.release().await?;
        tx.commit().await?;
        let rows = session.sql(&format!("SELECT a FROM {name} ORDER BY a")).all::<i64>().await?;
        expect("rows", &rows, &vec![1, 2, 5])?;
        drop_table(session, &name).await
    })
}

fn reset(context: &Context) -> Result<()> {
    context.run(async {
        let mut session = connect(context, |options| options).await?;
        session.sql("SET @a = 1").run().await?;
        let statement = session.prepare("SELECT 1").await?;
        let id = number(&mut session, "SELECT CONNECTION_ID()").await?;
        session.reset().await?;
        expect("variable", &session.sql("SELECT @a").first::<Option<Vec<u8>>>().await?, &Some(None))?;
        expect("connection", &number(&mut session, "SELECT CONNECTION_ID()").await?, &id)?;
        let gone = session.exec(&statement, ()).await.map(|_| ());
        ensure!(matches!(gone, Err(Error::Usage(Usage::ForeignStatement))), "{gone:?}");
        drop(statement);
        expect("prepared anew", &session.exec_all::<i64>("SELECT ?", (1,)).await?, &vec![1])?;
        Ok(session.close().await?)
    })
}

fn authenticate(context: &Context) -> Result<()> {
    context.run(async {
        let (mut session, sent) = trace(context).await?;
        session.sql("SET @a = 1").run().await?;
        let (id, client) = (number(&mut session, "SELECT CONNECTION_ID()").await?, session.client_id());
        let mut same = (**session.options().connect()).clone();
        "mysql".clone_into(&mut same.schema);
        sent.take();
        session.authenticate(Arc::new(same)).await?;
        let kinds: Vec<_> = sent.take();
        let start = vec![(ClientKind::SESS_RESET, 1), (ClientKind::SESS_AUTHENTICATE_START, 1)];
        expect("flight", &kinds.iter().take(2).copied().collect::<Vec<_>>(), &start)?;
        expect("variable", &session.sql("SELECT @a").first::<Option<Vec<u8>>>().await?, &Some(None))?;
        expect(
            "schema",
            &session.sql("SELECT DATABASE()").first::<String>().await?.as_deref(),
            &Some("mysql"),
        )?;
        ensure!(number(&mut session, "SELECT CONNECTION_ID()").await? != id, "another session");
        expect("client", &session.client_id(), &client)?;
        let nobody = porpoise::xproto::connect::ConnectOptions::new("porp_nobody", "x");
        let refused = session.authenticate(Arc::new(nobody)).await;
        ensure!(
            matches!(&refused, Err(Error::Connect(_))) && refused.is_err_and(|error| error.code() == 1045)
        );
        ensure!(!session.is_usable(), "it is closed");
        Ok(())
    })
}

fn first_statement(context: &Context) -> Result<()> {
    context.run(async {
        connect(context, |options| options).await?.close().await?;
        let sent = Sent::default();
        let options = Arc::new(options(context)?.build());
        let connecting = porpoise::x::Connecting::new(context.runtime(), options);
        let connecting = connecting.with_sink(Box::new(sent.clone())).with_statement("SELECT ?", (42,))?;
        let mut session = connecting.await?;
        let answer = session.first_results().await?.all::<i64>().await?;
        expect("answer", &answer, &vec![42])?;
        let flights = sent.take();
        let want = match context.cell.transport {
            Transport::Unix => {
                vec![(ClientKind::SESS_AUTHENTICATE_START, 1), (ClientKind::SQL_STMT_EXECUTE, 1)]
            }
            Transport::Tls => vec![
                (ClientKind::CON_CAPABILITIES_SET, 1),
                (ClientKind::SESS_AUTHENTICATE_START, 2),
                (ClientKind::SQL_STMT_EXECUTE, 2),
            ],
            Transport::Tcp => vec![
                (ClientKind::CON_CAPABILITIES_GET, 1),
                (ClientKind::SESS_AUTHENTICATE_START, 1),
                (ClientKind::SESS_AUTHENTICATE_CONTINUE, 2),
                (ClientKind::SQL_STMT_EXECUTE, 3),
            ],
        };
        expect("flights", &flights, &want)?;
        expect("then", &number(&mut session, "SELECT 2").await?, &2)?;
        session.close().await?;
        // The login's error, not that of what followed.
        let wrong = crate::x_session::options(context)?.password("wrong").build();
        let connecting = porpoise::x::Connecting::new(context.runtime(), Arc::new(wrong));
        let refused = connecting.with_statement("SELECT 1", ())?.await.map(|_| ());
        ensure!(matches!(refused, Err(Error::Connect(_))), "{refused:?}");
        expect("code", &refused.map_err(|error| error.code()), &Err(1045))
    })
}

/// Calls that are dropped after some polls: the session goes on, and no reply is taken for another's.
fn dropped(context: &Context) -> Result<()> {
    use futures::future::{Either, select};
    context.run(async {
        let mut session = connect(context, |options| options).await?;
        let statement = session.prepare("SELECT ?").await?;
        for polls in 0..12_usize {
            for call in 0..5 {
                let mut left = polls;
                let enough = futures::future::poll_fn(|cx| match left {
                    0 => std::task::Poll::Ready(()),
                    _ => {
                        left -= 1;
                        cx.waker().wake_by_ref();
                        std::task::Poll::Pending
                    }
                });
                let work = async {
                    match call {
                        0 => session.sql("SELECT 1, REPEAT('x', 5000)").run().await.map(|_| ()),
                        1 => session.exec_sql("SELECT ? + 1", (polls,)).await.map(|_| ()),
                        2 => session.cursor(&statement, (1,), 1).await.map(|_| ()),
                        3 => session.begin(TxOptions::new().isolation(Isolation::Serializable)).await.map(|_| ()),
                        _ => match session.pipeline().sql("SELECT 1", ()) {
                            Ok(_) => session.ping().await,
                            Err(error) => Err(error),
                        },
                    }
                };
                if let Either::Left((Err(error), _)) = select(Box::pin(work), enough).await {
                    bail!(error);
                }
                let marker = i64::try_from(polls * 10 + call)?;
                expect("then", &session.sql("SELECT ?").args((marker,)).first::<i64>().await?, &Some(marker))?;
            }
        }
        expect("in a transaction", &number(&mut session, "SELECT COUNT(*) FROM information_schema.innodb_trx WHERE trx_mysql_thread_id = CONNECTION_ID() AND trx_rows_modified > 0").await?, &0)?;
        Ok(session.close().await?)
    })
}
