//! The client's calls on real servers: pipelines, files, transactions, statements, sessions.

use std::io;
use std::sync::Arc;

use anyhow::{Result, bail, ensure};
use futures::io::Cursor;
use porpoise::{Client, Connecting, Error, Isolation, OptionsBuilder, TrackGtids, TxOptions};

use crate::suite::{Context, MARIADB, MYSQL, Suite, Test, Transport, expect, first_cell};

/// Everybody's own tables are in it.
const DATABASE: &str = "porp_client";

pub(crate) fn add(suite: &mut Suite) {
    let everywhere: &[(&str, Test)] = &[
        ("pipeline", pipeline),
        ("infile", infile),
        ("transaction", transaction),
        ("statement-cache", statement_cache),
        ("reset", reset),
        ("park", park),
    ];
    let mysql: &[(&str, Test)] = &[("gtid", gtid), ("needs-reset", needs_reset)];
    suite.add_tests("client", Transport::Tls, MYSQL, everywhere);
    suite.add_tests("client", Transport::Unix, MYSQL, mysql);
    for server in MARIADB {
        suite.add_tests(&format!("client::{server}"), Transport::Unix, server, everywhere);
    }
}

/// A client of the cell's server that may do everything.
pub(crate) async fn connect(
    context: &Context,
    change: impl FnOnce(OptionsBuilder) -> OptionsBuilder,
) -> Result<Client> {
    let server = context.server()?;
    let options = context.options()?;
    let options = match context.cell.transport {
        Transport::Unix => options.user(&server.root_user).password(server.root_password.as_str()),
        _ => options.user("sha2all").password("pw-sha2"),
    };
    Ok(Connecting::new(context.runtime(), Arc::new(change(options).build()?)).await?)
}

/// A table of this client's own, empty.
pub(crate) async fn table(client: &mut Client, columns: &str) -> Result<String> {
    let name = format!("{DATABASE}.t{}_{}", std::process::id(), client.connection_id());
    client.query_drop(&format!("CREATE DATABASE IF NOT EXISTS {DATABASE}")).await?;
    client.query_drop(&format!("DROP TABLE IF EXISTS {name}")).await?;
    client.query_drop(&format!("CREATE TABLE {name} ({columns})")).await?;
    Ok(name)
}

/// Its end.
pub(crate) async fn drop_table(mut client: Client, name: &str) -> Result<()> {
    client.query_drop(&format!("DROP TABLE {name}")).await?;
    Ok(client.close().await?)
}

async fn cell(client: &mut Client, sql: &str) -> Result<String> {
    Ok(first_cell(client, sql).await?.unwrap_or_default())
}

fn pipeline(context: &Context) -> Result<()> {
    context.run(async {
        for on in [true, false] {
            let mut client = connect(context, |options| options.pipelining(on)).await?;
            let name = table(&mut client, "a INT PRIMARY KEY").await?;
            let mut pipeline = client.pipeline();
            for n in [1, 2, 2, 3] {
                pipeline.query(&format!("INSERT INTO {name} VALUES ({n})"));
            }
            pipeline.ping().query(&format!("SELECT a FROM {name} ORDER BY a"));
            let mut replies = pipeline.send().await?;
            let mut told = Vec::new();
            loop {
                match replies.next().await {
                    Ok(None) => break,
                    Ok(Some(mut results)) => match results.ok() {
                        Some(ok) => told.push(format!("{} rows", ok.affected_rows())),
                        None => {
                            while let Some(batch) = results.next_batch().await? {
                                for row in &batch {
                                    told.push(
                                        String::from_utf8_lossy(row.get(0)?.unwrap_or_default()).into(),
                                    );
                                }
                            }
                        }
                    },
                    Err(Error::Server(err)) => told.push(format!("error {}", err.code())),
                    Err(error) => bail!(error),
                }
            }
            let told: Vec<_> = told.iter().map(String::as_str).collect();
            let expected = ["1 rows", "1 rows", "error 1062", "1 rows", "0 rows", "1", "2", "3"];
            expect("replies", &told, &expected.to_vec())?;
            // Large replies, and dropped in the middle.
            let mut pipeline = client.pipeline();
            for _ in 0..50 {
                pipeline.query("SELECT REPEAT('x', 10000)");
            }
            let mut replies = pipeline.send().await?;
            ensure!(replies.next().await?.is_some());
            drop(replies);
            expect("then", &cell(&mut client, "SELECT 4").await?.as_str(), &"4")?;
            drop_table(client, &name).await?;
        }
        Ok(())
    })
}

fn infile(context: &Context) -> Result<()> {
    context.run(async {
        let mut client = connect(context, |options| options).await?;
        let name = table(&mut client, "a INT, b VARCHAR(200)").await?;
        let load = format!("LOAD DATA LOCAL INFILE 'rows.tsv' INTO TABLE {name}");
        let rows: String = (0..5000).map(|n| format!("{n}\t{}\n", "x".repeat(100))).collect();
        let results = client
            .query_infile(&load, |asked| {
                ensure_io(asked == b"rows.tsv")?;
                Ok(Cursor::new(&rows))
            })
            .await?;
        let ok = results.ok().map(|ok| (ok.affected_rows(), ok.info().starts_with(b"Records: 5000")));
        expect("rows, info", &ok, &Some((5000, true)))?;
        results.finish().await?;
        let sum = cell(&mut client, &format!("SELECT SUM(a) FROM {name}")).await?;
        expect("sum", &sum.as_str(), &"12497500")?;
        // Not for another statement.
        match client.query_drop(&load).await {
            Err(Error::InfileRefused(_)) => {}
            other => bail!("{other:?}"),
        }
        // The reader's error is told, and a rollback takes back what was sent.
        let mut tx = client.begin(TxOptions::new()).await?;
        let torn = Torn(io::Cursor::new(b"1\ta\n2\tb\n".to_vec()));
        match tx.query_infile(&load, |_| Ok(futures::io::AllowStdIo::new(torn))).await {
            Err(Error::Source(error)) => expect("error", &error.to_string().as_str(), &"torn")?,
            other => bail!("{:?}", other.map(drop)),
        }
        drop(tx);
        let count = cell(&mut client, &format!("SELECT COUNT(*) FROM {name}")).await?;
        expect("count", &count.as_str(), &"5000")?;
        drop_table(client, &name).await
    })
}

fn ensure_io(so: bool) -> io::Result<()> {
    if so { Ok(()) } else { Err(io::Error::other("another file")) }
}

/// Breaks off where its bytes end.
struct Torn(io::Cursor<Vec<u8>>);

impl io::Read for Torn {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self.0.read(buf)? {
            0 => Err(io::Error::other("torn")),
            n => Ok(n),
        }
    }
}

fn transaction(context: &Context) -> Result<()> {
    context.run(async {
        let mut client = connect(context, |options| options).await?;
        let name = table(&mut client, "a INT").await?;
        let count = format!("SELECT COUNT(*) FROM {name}");
        let insert = format!("INSERT INTO {name} VALUES (1)");
        let mut tx = client.begin(TxOptions::new().isolation(Isolation::ReadCommitted)).await?;
        tx.query_drop(&insert).await?;
        expect("inside", &cell(&mut tx, &count).await?.as_str(), &"1")?;
        drop(tx);
        expect("dropped", &cell(&mut client, &count).await?.as_str(), &"0")?;
        let mut tx = client.begin(TxOptions::new()).await?;
        tx.query_drop(&insert).await?;
        // A result that is not read goes with it.
        drop(tx.query(&format!("SELECT * FROM {name}")).await?);
        tx.commit().await?;
        expect("committed", &cell(&mut client, &count).await?.as_str(), &"1")?;
        let mut tx = client.begin(TxOptions::new().read_only(true)).await?;
        match tx.query_drop(&insert).await {
            Err(Error::Server(err)) => expect("number", &err.code(), &1792)?,
            other => bail!("{other:?}"),
        }
        tx.rollback().await?;
        drop_table(client, &name).await
    })
}

fn statement_cache(context: &Context) -> Result<()> {
    context.run(async {
        let mut client = connect(context, |options| options.statement_cache(2)).await?;
        for (sql, params) in [("SELECT 1", 0), ("SELECT ?", 1), ("SELECT 1", 0), ("SELECT ? + ?", 2)] {
            let statement = client.prepare(sql).await?;
            expect("parameters", &statement.params().len(), &params)?;
            expect("columns", &statement.columns().len(), &1)?;
        }
        let mut results = client.query("SHOW SESSION STATUS LIKE 'Com_stmt_close'").await?;
        let batch = results.next_batch().await?;
        let closed = batch.as_ref().and_then(|batch| batch.iter().next()).map(|row| row.get(1));
        expect("closed", &closed, &Some(Ok(Some(&b"1"[..]))))?;
        drop(results);
        match client.prepare("SELECT nothing FROM nowhere.at_all").await {
            Err(Error::Server(_)) => {}
            other => bail!("{other:?}"),
        }
        Ok(client.close().await?)
    })
}

fn reset(context: &Context) -> Result<()> {
    context.run(async {
        let latin = |options: OptionsBuilder| {
            options.connect(|connect| {
                connect.charset(porpoise::classic_connect::Charset::Name("latin1_general_cs".into()))
            })
        };
        let mut client = connect(context, latin).await?;
        client.prepare("SELECT 1").await?;
        client.query_drop("SET @a = 1, NAMES utf8mb4").await?;
        ensure!(client.needs_reset(), "a reset is needed");
        client.reset().await?;
        ensure!(!client.needs_reset(), "a reset is needed no more");
        let sql = "SELECT CONCAT(@@collation_connection, IFNULL(@a, ''))";
        expect("session", &cell(&mut client, sql).await?.as_str(), &"latin1_general_cs")?;
        // What was prepared before is prepared anew.
        client.prepare("SELECT 1").await?;
        Ok(client.close().await?)
    })
}

fn park(context: &Context) -> Result<()> {
    context.run(async {
        let mut client = connect(context, |options| options).await?;
        for _ in 0..3 {
            client.park();
            expect("cell", &cell(&mut client, "SELECT 7").await?.as_str(), &"7")?;
        }
        Ok(client.close().await?)
    })
}

/// The GTID of one's own write; the server that wrote it has it.
fn gtid(context: &Context) -> Result<()> {
    context.run(async {
        let mut client = connect(context, |options| options.track_gtids(TrackGtids::Own)).await?;
        let name = table(&mut client, "a INT").await?;
        expect("none of a read", &cell(&mut client, "SELECT 1").await?.as_str(), &"1")?;
        let before = client.last_gtid().map(str::to_owned);
        client.query_drop(&format!("INSERT INTO {name} VALUES (1)")).await?;
        let Some(gtid) = client.last_gtid().map(str::to_owned) else { bail!("no GTID") };
        ensure!(before.as_deref() != Some(&gtid), "{gtid} is that of the table");
        let second = std::time::Duration::from_secs(1);
        ensure!(client.wait_for_gtid(&gtid, second).await?, "the server has {gtid}");
        let Some((uuid, _)) = gtid.split_once(':') else { bail!("{gtid}") };
        let future = format!("{uuid}:1-999999999");
        let soon = std::time::Duration::from_millis(20);
        ensure!(!client.wait_for_gtid(&future, soon).await?, "the server does not have {future}");
        match client.wait_for_gtid("no set'", soon).await {
            Err(Error::Server(_)) => {}
            other => bail!("{other:?}"),
        }
        drop_table(client, &name).await
    })
}

/// A server that tells of its session's state.
fn needs_reset(context: &Context) -> Result<()> {
    context.run(async {
        let mut client = connect(context, |options| options.track_state(true)).await?;
        ensure!(!client.needs_reset(), "a new session needs none");
        cell(&mut client, "SELECT 1").await?;
        ensure!(!client.needs_reset(), "a read leaves nothing");
        for leaves in [
            "SET @a = 1",
            "SET sql_mode = ''",
            "USE mysql",
            "CREATE TEMPORARY TABLE mysql.e2e_temporary (a INT)",
            "START TRANSACTION",
        ] {
            client.query_drop(leaves).await?;
            ensure!(client.needs_reset(), "{leaves} leaves something");
            client.reset().await?;
            ensure!(!client.needs_reset(), "after the reset nothing is left of {leaves}");
        }
        cell(&mut client, "SELECT 1").await?;
        ensure!(!client.needs_reset(), "it is still told after a reset");
        client.reset_connection().await?;
        cell(&mut client, "SELECT 1").await?;
        ensure!(client.needs_reset(), "nobody tells any more");
        Ok(client.close().await?)
    })
}
