//! Typed rows, parameters, streams, cursors, batches and procedures on real servers.

use anyhow::{Result, bail, ensure};
use futures::{StreamExt, TryStreamExt};
use porpoise::classic::CapabilityFlags;
use porpoise::value::{Date, Named, Value};
use porpoise::{BatchDone, Error};

use crate::client::{connect, drop_table, table};
use crate::suite::{Context, MARIADB, MYSQL, Suite, Test, Transport, expect};

pub(crate) fn add(suite: &mut Suite) {
    let everywhere: &[(&str, Test)] = &[
        ("typed", typed),
        ("named", named),
        ("streams", streams),
        ("batch", batch),
        ("cursor", cursor),
        ("procedures", procedures),
        ("exec-pipeline", exec_pipeline),
        ("errors", errors),
    ];
    let mysql: &[(&str, Test)] = &[("attributes", attributes), ("optional-metadata", optional_metadata)];
    suite.add_tests("client", Transport::Tls, MYSQL, everywhere);
    suite.add_tests("client", Transport::Unix, MYSQL, mysql);
    for server in MARIADB {
        suite.add_tests(&format!("client::{server}"), Transport::Unix, server, everywhere);
    }
}

type Fish = (u32, Option<String>, Option<Date>);

fn fish() -> Vec<Fish> {
    let date = |text: &str| text.parse().ok();
    vec![
        (1, Some("orca".into()), date("2019-04-01")),
        (2, None, None),
        (3, Some("tuna".into()), date("0000-00-00")),
    ]
}

fn typed(context: &Context) -> Result<()> {
    context.run(async {
        let mut client = connect(context, |options| options).await?;
        let name = table(&mut client, "id INT UNSIGNED, name VARCHAR(20), born DATE").await?;
        client.query_drop("SET sql_mode = ''").await?;
        let insert = client.prepare(&format!("INSERT INTO {name} VALUES (?, ?, ?)")).await?;
        for row in fish() {
            let results = client.exec(&insert, row).await?;
            expect("affected", &results.ok().map(|ok| ok.affected_rows()), &Some(1))?;
        }
        let sql = format!("SELECT id, name, born FROM {name} ORDER BY id");
        expect("text", &client.query_all::<Fish>(&sql).await?, &fish())?;
        expect("binary", &client.exec_all::<Fish>(&sql, ()).await?, &fish())?;
        expect("first", &client.query_first::<Fish>(&sql).await?, &fish().into_iter().next())?;
        let one = format!("SELECT name FROM {name} WHERE id = ?");
        expect("one", &client.exec_first::<String>(&one, (3,)).await?.as_deref(), &Some("tuna"))?;
        expect("none", &client.exec_first::<String>(&one, (4,)).await?, &None)?;
        expect("NULL", &client.exec_first::<Option<String>>(&one, (2,)).await?, &Some(None))?;
        // Borrowed from the batch.
        let mut results = client.exec(&sql, ()).await?;
        let mut names = 0;
        while let Some(batch) = results.next_batch().await? {
            let plan = batch.plan::<(u32, Option<&str>, Value)>()?;
            for row in batch.typed::<(u32, Option<&str>, Value)>(&plan) {
                names += row?.1.map_or(0, str::len);
            }
        }
        expect("bytes of names", &names, &8)?;
        drop_table(client, &name).await
    })
}

fn named(context: &Context) -> Result<()> {
    context.run(async {
        let mut client = connect(context, |options| options).await?;
        let sql = "SELECT CONCAT(:a, ':b', :b, :a)";
        for _ in 0..2 {
            let found: Option<String> = client.exec_first(sql, Named(&[("b", &"x"), ("a", &7)])).await?;
            expect("cell", &found.as_deref(), &Some("7:bx7"))?;
        }
        let statement = client.prepare_named("SELECT :n + 1").await?;
        expect("names", &statement.names().len(), &1)?;
        expect("sum", &client.exec_first::<i64>(&statement, Named(&[("n", &41)])).await?, &Some(42))?;
        match client.exec_drop(&statement, Named(&[("m", &1)])).await {
            Err(Error::Params(_)) => {}
            other => bail!("{other:?}"),
        }
        Ok(client.close().await?)
    })
}

fn streams(context: &Context) -> Result<()> {
    // A WITH query is something that all of these servers have.
    let numbers = "WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 1000) \
                   SELECT i, REPEAT('x', 50) FROM n";
    context.run(async {
        let mut client = connect(context, |options| options).await?;
        let rows: Vec<(u32, String)> = client.query(numbers).await?.into_rows().try_collect().await?;
        expect("rows", &rows.len(), &1000)?;
        let mut results = client.exec(numbers, ()).await?;
        let sum =
            results.rows::<(u32, Vec<u8>)>().map_ok(|(n, _)| n).try_fold(0, |a, b| async move { Ok(a + b) });
        expect("sum", &sum.await?, &500_500)?;
        let mut results = client.query(numbers).await?;
        let batches: Vec<_> = results.batches().try_collect().await?;
        expect("rows of batches", &batches.iter().map(|batch| batch.len()).sum::<usize>(), &1000)?;
        ensure!(batches.len() > 1, "they came in one");
        // Given up in the middle, and of the wrong type.
        let mut results = client.query(numbers).await?;
        let some: Vec<_> = results.rows::<(u32, String)>().take(3).collect().await;
        expect("some", &some.len(), &3)?;
        drop(results);
        let mut rows = client.query(numbers).await?.into_rows::<(Date, String)>();
        ensure!(matches!(rows.next().await, Some(Err(Error::Row(_)))), "a number is no date");
        ensure!(rows.next().await.is_none(), "it is over");
        drop(rows);
        expect("then", &client.query_first::<u8>("SELECT 4").await?, &Some(4))?;
        Ok(client.close().await?)
    })
}

fn batch(context: &Context) -> Result<()> {
    context.run(async {
        for on in [true, false] {
            let mut client = connect(context, |options| options.pipelining(on)).await?;
            let name = table(&mut client, "id INT AUTO_INCREMENT PRIMARY KEY, a INT UNIQUE, b TEXT").await?;
            let sql = format!("INSERT INTO {name} (a, b) VALUES (?, ?)");
            let long = "x".repeat(100);
            let count = if on { 3000 } else { 30 };
            let mut tx = client.begin(porpoise::TxOptions::new()).await?;
            let done = tx.exec_batch(&sql, (0..count).map(|n| (n, &long))).await?;
            tx.commit().await?;
            let BatchDone { executions, affected_rows, last_insert_id, .. } = done;
            expect("done", &(executions, affected_rows), &(count, count))?;
            expect("last id", &last_insert_id, &count)?;
            let found: Option<(u64, u64)> =
                client.query_first(&format!("SELECT COUNT(*), CAST(SUM(a) AS UNSIGNED) FROM {name}")).await?;
            expect("stored", &found, &Some((count, count * (count - 1) / 2)))?;
            // The third is a duplicate.
            match client.exec_batch(&sql, [(-1, "a"), (-2, "b"), (-1, "c"), (-3, "d")]).await {
                Err(Error::Batch { index, error, .. }) => {
                    expect("index, number", &(index, error.code()), &(2, 1062))?;
                }
                other => bail!("{other:?}"),
            }
            let after: Vec<i64> =
                client.query_all(&format!("SELECT a FROM {name} WHERE a < 0 ORDER BY a")).await?;
            let expected = if on { vec![-3, -2, -1] } else { vec![-2, -1] };
            expect("what ran", &after, &expected)?;
            let none: [(i32, &str); 0] = [];
            expect("nothing", &client.exec_batch(&sql, none).await?, &BatchDone::default())?;
            drop_table(client, &name).await?;
        }
        Ok(())
    })
}

fn cursor(context: &Context) -> Result<()> {
    context.run(async {
        let mut client = connect(context, |options| options).await?;
        let name = table(&mut client, "a INT").await?;
        client.exec_batch(&format!("INSERT INTO {name} VALUES (?)"), (0..25).map(|n| (n,))).await?;
        let sql = format!("SELECT a FROM {name} WHERE a < ? ORDER BY a");
        let statement = client.prepare(&sql).await?;
        let mut cursor = client.exec_cursor(&sql, (23,), 10).await?;
        let mut sizes = Vec::new();
        while let Some(batch) = cursor.next_batch().await? {
            sizes.push(batch.len());
        }
        drop(cursor);
        expect("rows", &sizes.iter().sum::<usize>(), &23)?;
        ensure!(sizes.iter().all(|size| *size <= 10), "{sizes:?}");
        let rows: Vec<i32> =
            client.exec_cursor(&statement, (5,), 2).await?.rows::<i32>().try_collect().await?;
        expect("rows", &rows, &vec![0, 1, 2, 3, 4])?;
        // Closed in the middle; the statement can be used again, with a cursor and without.
        let mut cursor = client.exec_cursor(&statement, (23,), 10).await?;
        ensure!(cursor.next_batch().await?.is_some(), "no rows");
        drop(cursor);
        expect("again", &client.exec_all::<i32>(&statement, (2,)).await?, &vec![0, 1])?;
        let rows: Vec<i32> = client.exec_cursor(&sql, (3,), 1).await?.rows::<i32>().try_collect().await?;
        expect("again", &rows, &vec![0, 1, 2])?;
        // The server opens none.
        let delete = format!("DELETE FROM {name} WHERE a > 24");
        let mut cursor = client.exec_cursor(&delete, (), 10).await?;
        ensure!(cursor.next_batch().await?.is_none(), "rows");
        drop(cursor);
        let rows: Vec<i32> = client.exec_cursor(&sql, (0,), 2).await?.rows::<i32>().try_collect().await?;
        ensure!(rows.is_empty(), "{rows:?}");
        drop_table(client, &name).await
    })
}

fn procedures(context: &Context) -> Result<()> {
    context.run(async {
        let multi = CapabilityFlags::CLIENT_MULTI_STATEMENTS;
        let mut client = connect(context, |options| options.connect(|c| c.with(multi))).await?;
        let name = table(&mut client, "a INT").await?;
        let create = format!(
            "CREATE PROCEDURE {name}p(IN i INT, OUT o INT, INOUT io VARCHAR(20)) BEGIN \
             SELECT i, 'one'; SELECT 'two'; SET o = i * 2, io = CONCAT(io, '!'); END"
        );
        client.query_drop(&create).await?;
        let call = format!("CALL {name}p(?, ?, ?)");
        let mut results = client.exec(&call, (21, None::<i32>, "hi")).await?;
        expect("first", &results.all::<(i32, String)>().await?, &vec![(21, "one".to_owned())])?;
        ensure!(!results.is_out_params(), "these are rows");
        ensure!(results.next_result().await?, "a second result");
        expect("second", &results.first::<String>().await?.as_deref(), &Some("two"))?;
        ensure!(results.next_result().await?, "OUT parameters");
        expect("out", &results.all::<(i32, String)>().await?, &vec![(42, "hi!".to_owned())])?;
        ensure!(results.is_out_params(), "these are OUT parameters");
        ensure!(results.next_result().await?, "the end of the call");
        ensure!(results.ok().is_some(), "an OK");
        ensure!(!results.next_result().await?, "nothing is left");
        drop(results);
        // Several statements; the second fails.
        let mut results = client.query("SELECT 1; SELECT nothing; SELECT 3").await?;
        expect("one", &results.all::<i32>().await?, &vec![1])?;
        ensure!(matches!(results.next_result().await, Err(Error::Server(_))), "an error");
        ensure!(!results.next_result().await?, "an error ends all results");
        drop(results);
        client.query_drop(&format!("DROP PROCEDURE {name}p")).await?;
        drop_table(client, &name).await
    })
}

fn exec_pipeline(context: &Context) -> Result<()> {
    context.run(async {
        let mut client = connect(context, |options| options).await?;
        let add = client.prepare("SELECT ? + ?").await?;
        let word = "word".to_owned();
        let echo = client.prepare("SELECT ?").await?;
        let mut pipeline = client.pipeline();
        pipeline
            .exec(&add, (1, 2))
            .exec(&echo, (&word,))
            .exec(&add, (1,))
            .query("SELECT 'x'")
            .exec(&add, (3, 4));
        let mut replies = pipeline.send().await?;
        let mut told = Vec::new();
        loop {
            match replies.next().await {
                Ok(Some(mut results)) => {
                    let row: Vec<Vec<Value>> = results.all().await?;
                    told.push(format!("{row:?}"));
                }
                Ok(None) => break,
                Err(Error::Params(_)) => told.push("parameters".to_owned()),
                Err(error) => bail!(error),
            }
        }
        let expected = ["3", "word", "parameters", "x", "7"];
        expect("replies", &told.len(), &expected.len())?;
        ensure!(told.iter().zip(expected).all(|(told, part)| told.contains(part)), "{told:?}");
        Ok(client.close().await?)
    })
}

/// What is wrong with values leaves the session as it is.
fn errors(context: &Context) -> Result<()> {
    context.run(async {
        let mut client = connect(context, |options| options).await?;
        let params = client.exec_drop("SELECT ?", (1, 2)).await;
        ensure!(matches!(&params, Err(error @ Error::Params(_)) if !error.is_fatal()), "{params:?}");
        let row = client.query_first::<u8>("SELECT 300").await;
        ensure!(matches!(&row, Err(error @ Error::Row(_)) if !error.is_fatal()), "{row:?}");
        let rows = client.exec_all::<(u8, u8)>("SELECT 1", ()).await;
        ensure!(matches!(&rows, Err(Error::Row(_))), "{rows:?}");
        expect("then", &client.exec_first::<u16>("SELECT ?", (300,)).await?, &Some(300))?;
        Ok(client.close().await?)
    })
}

fn attributes(context: &Context) -> Result<()> {
    context.run(async {
        let mut client = connect(context, |options| options.database("mysql")).await?;
        let sql = "SELECT mysql_query_attribute_string('trace'), mysql_query_attribute_string('n')";
        // The component may not be there: then the server says so, and has understood the statement all the same.
        let read = |found: Option<(Option<String>, Option<String>)>| {
            expect("attributes", &found, &Some((Some("4bf9".to_owned()), Some("7".to_owned()))))
        };
        let attributes: [(&str, Value); 2] = [("trace", Value::Text("4bf9".into())), ("n", Value::Int(7))];
        match client.query_with(sql, &attributes).await {
            Ok(mut results) => read(results.first().await?)?,
            Err(Error::Server(err)) => expect("number", &err.code(), &1305)?,
            Err(error) => bail!(error),
        }
        let mut results = client.exec_with("SELECT ? + ?", (1, 2), &attributes).await?;
        expect("sum", &results.first::<f64>().await?, &Some(3.0))?;
        drop(results);
        let mut results = client.exec_with("SELECT 5", (), &attributes).await?;
        expect("five", &results.first::<i64>().await?, &Some(5))?;
        drop(results);
        Ok(client.close().await?)
    })
}

/// Definitions that were kept, and columns that change under them.
fn optional_metadata(context: &Context) -> Result<()> {
    context.run(async {
        // Without this one, an EOF comes even where no definitions do.
        let deprecate = CapabilityFlags::CLIENT_DEPRECATE_EOF;
        kept_definitions(context, CapabilityFlags::empty()).await?;
        kept_definitions(context, deprecate).await
    })
}

async fn kept_definitions(context: &Context, left_out: CapabilityFlags) -> Result<()> {
    let optional = CapabilityFlags::CLIENT_OPTIONAL_RESULTSET_METADATA;
    let mut client =
        connect(context, |options| options.connect(|c| c.with(optional).without(left_out))).await?;
    let name = table(&mut client, "a INT, b VARCHAR(20)").await?;
    client.query_drop(&format!("INSERT INTO {name} VALUES (1, 'one')")).await?;
    let sql = format!("SELECT * FROM {name}");
    let statement = client.prepare(&sql).await?;
    client.query_drop("SET SESSION resultset_metadata = NONE").await?;
    let row: Option<(i32, String)> = client.exec_first(&statement, ()).await?;
    expect("row", &row, &Some((1, "one".to_owned())))?;
    client.query_drop(&format!("ALTER TABLE {name} ADD c INT")).await?;
    match client.exec_first::<(i32, String)>(&statement, ()).await {
        Err(Error::ColumnsChanged(_)) => {}
        other => bail!("{other:?}"),
    }
    expect("then", &client.query_first::<String>("SELECT 'x'").await?.as_deref(), &Some("x"))?;
    // Nor does a statement that is prepared now have any, be it of parameters, of columns or of both.
    for (sql, params, columns) in [("DO ?", 1, 0), ("SELECT 1, 2", 0, 2), ("SELECT ?", 1, 1), ("DO 1", 0, 0)]
    {
        let statement = client.prepare(sql).await?;
        let found = (statement.params().len(), statement.columns().len());
        expect(sql, &found, &(params, columns))?;
    }
    expect("at last", &client.query_first::<String>("SELECT 'y'").await?.as_deref(), &Some("y"))?;
    drop_table(client, &name).await
}
