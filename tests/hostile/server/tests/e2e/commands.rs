//! Calls of a client dropped after one poll, two polls, and so on: what the next statement gets is its own, whatever the
//! server still had to say; and a transaction that was dropped has left nothing behind.

use std::pin::Pin;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail, ensure};
use porpoise::classic::{Columns, Event};
use porpoise::driver::Runtime;
use porpoise::{Client, Connecting, Error, Operation, Options, TxOptions};
use porpoise_hostile_tests::watch::give_up_after;

/// Calls are given up after so many polls at most: those that take longer are tried at fewer of them.
const MOST: usize = 2000;
const ROUNDS: usize = 2;

type Call<'a> = Pin<Box<dyn Future<Output = Result<(), Error>> + 'a>>;
type Operate = for<'a> fn(&'a mut Client) -> Call<'a>;

const OPERATIONS: [(&str, Operate); 22] = [
    ("rows", |client| Box::pin(finish(client, "SELECT a.b, c.b FROM many a JOIN many c"))),
    ("results", |client| {
        Box::pin(finish(client, "SELECT 'stale'; SELECT b FROM many; DO 1; SELECT 'stale'"))
    }),
    ("a failure among results", |client| {
        Box::pin(finish(client, "SELECT 'stale'; SELECT nosuch; SELECT 'stale'"))
    }),
    ("query_drop", |client| Box::pin(client.query_drop("SELECT b FROM many"))),
    ("ping", |client| Box::pin(client.ping())),
    ("statistics", |client| Box::pin(async { client.statistics().await.map(drop) })),
    ("init_db", |client| Box::pin(client.init_db("information_schema"))),
    ("field_list", |client| {
        Box::pin(async {
            client.command(|session, cx| session.field_list("many", "", cx)).await?;
            events(client).await
        })
    }),
    ("set_option", |client| {
        Box::pin(async {
            client.command(|session, cx| session.set_option(true, cx)).await?;
            events(client).await
        })
    }),
    ("prepare", |client| Box::pin(async { client.prepare("SELECT 'stale', b FROM many").await.map(drop) })),
    ("execute", |client| Box::pin(execute(client, 0))),
    ("cursor", |client| Box::pin(execute(client, 1))),
    ("execute with parameters", |client| {
        Box::pin(async {
            let results =
                client.exec("SELECT ?, b FROM many WHERE b IS NULL OR b <> ?", ("stale", 1)).await?;
            results.finish().await
        })
    }),
    ("typed rows", |client| {
        Box::pin(async { client.query_all::<(Option<String>,)>("SELECT b FROM many").await.map(drop) })
    }),
    ("the first row", |client| {
        Box::pin(async { client.exec_first::<(String,)>("SELECT b FROM many", ()).await.map(drop) })
    }),
    ("batch", |client| {
        Box::pin(async {
            let batch = (0..9).map(|n| (n, "stale"));
            client.exec_batch("INSERT INTO log VALUES (?, ?)", batch).await.map(drop)
        })
    }),
    ("rows of a cursor", |client| {
        Box::pin(async {
            let mut cursor = client.exec_cursor("SELECT 'stale', b FROM many", (), 2).await?;
            while cursor.next_batch().await?.is_some() {}
            Ok(())
        })
    }),
    ("rows in pieces", |client| {
        Box::pin(async {
            let mut rows = client.query_big("SELECT REPEAT('stale', 5000) FROM many", 1000).await?;
            while rows.next().await?.is_some() {}
            Ok(())
        })
    }),
    ("pipeline", |client| Box::pin(pipeline(client))),
    ("transaction", |client| Box::pin(transaction(client))),
    ("a file that nobody offers", |client| {
        Box::pin(finish(client, "LOAD DATA LOCAL INFILE 'nothing' INTO TABLE t"))
    }),
    ("reset", |client| Box::pin(client.reset())),
];

async fn finish(client: &mut Client, sql: &str) -> Result<(), Error> {
    client.query(sql).await?.finish().await
}

/// Reads what a command of the session leads to.
async fn events(client: &mut Client) -> Result<(), Error> {
    while let Some(event) = client.next_event().await? {
        if let Event::Err(err) = event {
            return Err(Error::Server(err));
        }
    }
    Ok(())
}

/// With a cursor two rows are fetched at a time.
async fn execute(client: &mut Client, flags: u8) -> Result<(), Error> {
    let statement = client.prepare("SELECT 'stale', b FROM many").await?;
    let id = statement.id();
    client.command(|session, cx| session.stmt_execute(id, flags, &[], cx)).await?;
    let mut columns = Columns::default();
    while let Some(event) = client.next_event().await? {
        if let Event::Columns(told) = event {
            columns = told;
        }
    }
    if flags > 0 {
        for _ in 0..3 {
            client.command(|session, cx| session.stmt_fetch(id, 2, &columns, cx)).await?;
            events(client).await?;
        }
    }
    Ok(())
}

async fn pipeline(client: &mut Client) -> Result<(), Error> {
    let mut pipeline = client.pipeline();
    pipeline.query("SELECT 'stale'").query("SELECT nosuch").ping().query("SELECT b FROM many");
    let mut replies = pipeline.send().await?;
    loop {
        match replies.next().await {
            Ok(None) => return Ok(()),
            Ok(Some(results)) => results.finish().await?,
            Err(Error::Server(_)) => {}
            Err(error) => return Err(error),
        }
    }
}

/// It never commits.
async fn transaction(client: &mut Client) -> Result<(), Error> {
    let mut transaction = client.begin(TxOptions::new()).await?;
    transaction.query_drop("INSERT INTO t VALUES (1, 'stale')").await?;
    transaction.query_drop("SELECT b FROM many").await
}

/// Drops each call after each number of polls.
pub(crate) async fn dropped(
    runtime: &'static dyn Runtime,
    options: Arc<Options>,
    schema: &str,
) -> Result<()> {
    let (mut statement, mut drops) = (0, 0);
    for (name, operate) in OPERATIONS.into_iter().cycle().take(ROUNDS * OPERATIONS.len()) {
        let mut client = connect(runtime, &options, schema).await?;
        let mut polls = 0;
        loop {
            let at = || format!("{name}, dropped after {polls} polls");
            let outcome = give_up_after(polls, operate(&mut client)).await;
            match &outcome {
                None => drops += 1,
                Some(Ok(()) | Err(Error::Server(_) | Error::InfileRefused(_))) => {}
                Some(Err(error)) => bail!("{}: {error}", at()),
            }
            statement += 1;
            match check(&mut client, statement, schema).await {
                Ok(cells) => {
                    let expected = [format!("statement {statement}"), "0".to_owned()];
                    ensure!(cells == expected, "{}: {cells:?}, not {expected:?}", at());
                }
                // What was left was more than is read for nothing.
                Err(Error::Unusable(Operation::TooMuchToDrain | Operation::TooSlowToDrain))
                    if outcome.is_none() => {}
                Err(error) => bail!("{}: {error}", at()),
            }
            if client.is_usable() {
                client.init_db(schema).await?;
            } else {
                client = connect(runtime, &options, schema).await?;
            }
            if outcome.is_some() || polls > MOST {
                break;
            }
            polls += 1 + polls / 10;
        }
        client.close().await?;
    }
    // One before the first poll of each; how many more is chance and the server's speed.
    ensure!(drops > 2 * ROUNDS * OPERATIONS.len(), "{drops} drops");
    Ok(())
}

async fn connect(runtime: &'static dyn Runtime, options: &Arc<Options>, schema: &str) -> Result<Client> {
    let mut client = Connecting::new(runtime, Arc::clone(options)).await?;
    client.init_db(schema).await.context("its own database")?;
    client.query_drop("CREATE TEMPORARY TABLE many (b VARCHAR(300))").await?;
    client.query_drop("CREATE TEMPORARY TABLE log (a INT, b VARCHAR(300))").await?;
    let stale = "REPEAT('stale ', 40)";
    client
        .query_drop(&format!("INSERT INTO many VALUES ({stale}), ({stale}), ({stale}), (NULL), ({stale})"))
        .await?;
    Ok(client)
}

/// The name of a statement of its own, and how many rows are in a table that nobody has written to.
async fn check(client: &mut Client, statement: usize, schema: &str) -> Result<Vec<String>, Error> {
    let mut results =
        client.query(&format!("SELECT 'statement {statement}', (SELECT COUNT(*) FROM {schema}.t)")).await?;
    let mut cells = Vec::new();
    loop {
        while let Some(batch) = results.next_batch().await? {
            for cell in batch.iter().flatten() {
                let cell = cell.map(Option::unwrap_or_default);
                cells.push(cell.map_or_else(
                    |error| error.to_string(),
                    |cell| String::from_utf8_lossy(cell).into_owned(),
                ));
            }
        }
        if !results.next_result().await? {
            return Ok(cells);
        }
    }
}
