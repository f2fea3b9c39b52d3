//! The same calls without a runtime.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, bail, ensure};
use porpoise::value::{LongData, Named};
use porpoise::{BigPiece, Error, TxOptions, blocking};

use crate::suite::{Cell, Context, MARIADB, MYSQL, Runner, Suite, Transport, expect};

pub(crate) fn add(suite: &mut Suite) {
    for server in [MYSQL, MARIADB[0], MARIADB[1]] {
        let cell = Cell::new(Runner::Blocking, Transport::Unix, server);
        suite.add(format!("client::{server}::blocking-calls"), cell, calls);
        suite.add(format!("client::{server}::blocking-cancel"), cell, cancel);
    }
}

fn connect(context: &Context) -> Result<blocking::BlockingClient> {
    let server = context.server()?;
    let options = context.options()?.user(&server.root_user).password(server.root_password.as_str());
    Ok(blocking::connect(Arc::new(options.build()?))?)
}

fn calls(context: &Context) -> Result<()> {
    let mut client = connect(context)?;
    client.query_drop("CREATE DATABASE IF NOT EXISTS porp_client")?;
    client.init_db("porp_client")?;
    client.query_drop("CREATE TEMPORARY TABLE fish (id INT PRIMARY KEY, name LONGTEXT)")?;
    let insert = client.prepare("INSERT INTO fish VALUES (?, ?)")?;
    let mut tx = client.begin(TxOptions::new())?;
    expect("batch", &tx.exec_batch(&insert, (0..100).map(|n| (n, "fish")))?.affected_rows, &100)?;
    tx.commit()?;
    let mut tx = client.begin(TxOptions::new())?;
    tx.exec_drop(&insert, (100, "whale"))?;
    drop(tx);
    expect("count", &client.query_first::<u32>("SELECT COUNT(*) FROM fish")?, &Some(100))?;
    let ids: Result<Vec<u32>, Error> = client.exec("SELECT id FROM fish ORDER BY id", ())?.rows().collect();
    expect("ids", &ids?, &(0..100).collect())?;
    let mut cursor = client.exec_cursor("SELECT id FROM fish WHERE id < ?", (10,), 3)?;
    let ids: Result<Vec<u32>, Error> = cursor.rows().collect();
    expect("ids of a cursor", &ids?.len(), &10)?;
    drop(cursor);
    expect("named", &client.exec_first("SELECT :a", Named(&[("a", &"x")]))?, &Some("x".to_owned()))?;
    let load = "LOAD DATA LOCAL INFILE 'a' INTO TABLE fish";
    let results = client.query_infile(load, |_| Ok(io::Cursor::new(b"200\tray\n201\teel\n")))?;
    results.finish()?;
    client.send_long_data(&insert, 1, io::Cursor::new(vec![b'x'; 300_000]))?;
    client.exec_drop(&insert, (300, LongData))?;
    let mut rows = client.query_big("SELECT name FROM fish WHERE id >= 200 ORDER BY id", 1000)?;
    let (mut whole, mut pieces) = (0, 0);
    while let Some(piece) = rows.next()? {
        match piece {
            BigPiece::Rows(batch) => whole += batch.len(),
            _ => pieces += 1,
        }
    }
    ensure!(whole == 2 && pieces > 2, "{whole} rows, {pieces} pieces");
    let mut pipeline = client.pipeline();
    pipeline.exec(&insert, (400, "a")).query("SELECT 1").exec(&insert, (400, "b"));
    let mut replies = blocking::send(pipeline)?;
    ensure!(replies.next()?.is_some(), "an OK");
    let Some(mut second) = replies.next()? else { bail!("no reply") };
    expect("second", &second.all::<u8>()?, &vec![1])?;
    ensure!(matches!(replies.next(), Err(Error::Server(_))), "a duplicate");
    ensure!(replies.next()?.is_none(), "no more");
    client.reset()?;
    client.ping()?;
    ensure!(client.statistics()?.contains("Uptime"), "no statistics");
    Ok(client.close()?)
}

fn cancel(context: &Context) -> Result<()> {
    let mut client = connect(context)?;
    let handle = client.cancel_handle();
    let thread = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(50));
        blocking::cancel(&handle)
    });
    let outcome = client.query_drop("SELECT SLEEP(20) FROM (SELECT 1 UNION SELECT 2) AS t");
    ensure!(matches!(&outcome, Err(Error::Server(err)) if err.code() == 1317), "{outcome:?}");
    let Ok(cancelled) = thread.join() else { bail!("the thread panicked") };
    ensure!(cancelled?, "it was cancelled");
    client.ping()?;
    Ok(client.close()?)
}
