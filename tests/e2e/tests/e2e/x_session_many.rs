//! The X client's calls on a real server that are many in one: cursors, pipelines, expectations, batches.

use anyhow::{Context as _, Result, bail, ensure};
use futures::{StreamExt as _, TryStreamExt as _};
use porpoise::x::Error;
use porpoise::x::crud::{Expect, Find};
use porpoise::xproto::ClientKind;
use porpoise::{TxOptions, Usage};

use crate::suite::{Context, MYSQL, Suite, Test, Transport, expect};
use crate::x_session::{SCHEMA, code, connect, drop_table, number, table};
use crate::x_trace::trace;

pub(crate) fn add(suite: &mut Suite) {
    let everywhere: &[(&str, Test)] =
        &[("cursor", cursor), ("pipeline", pipeline), ("expectations", expectations), ("batch", batch)];
    for transport in Transport::ALL {
        let kind = format!("x::{}", transport.name());
        suite.add_tests(&kind, transport, MYSQL, everywhere);
    }
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
        // One commit for all: each waits for the disk.
        let mut tx = session.begin(TxOptions::new()).await?;
        let done = tx.exec_batch(&statement, (0..3000).map(|n| (n, &text))).await?;
        expect("done", &(done.messages, done.affected), &(3000, 3000))?;
        tx.commit().await?;
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
