//! Compressed connections: everything goes through them, both ways, however large.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use futures::io::Cursor;
use porpoise::classic_connect::CompressionAlgorithm::{Uncompressed, Zlib, Zstd};
use porpoise::classic_connect::{ConnectErrorKind, ConnectStage};
use porpoise::{Client, Connecting, Error, OptionsBuilder};
use porpoise_test_support::changed_user;

use crate::client::{drop_table, table};
use crate::suite::{Cell, Context, MARIADB, MYSQL, Suite, Test, Transport, expect, first_cell};

pub(crate) fn add(suite: &mut Suite) {
    let tests: &[(&str, Test)] = &[
        ("large", large),
        ("session", session),
        ("pipelined", pipelined),
        ("infile", infile),
        ("silent", silent),
    ];
    for transport in [Transport::Tcp, Transport::Tls] {
        for server in [MYSQL].into_iter().chain(MARIADB) {
            for algorithm in
                [Zlib, Zstd].into_iter().filter(|algorithm| *algorithm == Zlib || server == MYSQL)
            {
                // Files and silence are the same everywhere.
                let most = if server == MYSQL && transport == Transport::Tls { 5 } else { 3 };
                for (test, run) in tests.iter().take(most) {
                    for cell in Cell::on_each_runtime(transport, server) {
                        let name = format!(
                            "compression::{algorithm}::{test}::{server}::{}::{}",
                            transport.name(),
                            cell.runner
                        );
                        suite.add(name, cell.compressed(algorithm), *run);
                    }
                }
            }
        }
    }
    suite.add_tests("compression", Transport::Tls, MYSQL, &[("choice", choice)]);
    for server in MARIADB {
        suite.add_tests(&format!("compression::{server}"), Transport::Tcp, server, &[("refused", refused)]);
    }
}

fn options(context: &Context) -> Result<OptionsBuilder> {
    let options = context.options()?.database("odb");
    Ok(match context.server()?.is_mariadb() {
        true => options.user("nat").password("pw-nat"),
        // Over plain TCP a full login needs the server's key.
        false => options.user("sha2all").password("pw-sha2").connect(|c| c.get_server_public_key(true)),
    })
}

async fn connect(context: &Context) -> Result<Client> {
    Ok(Connecting::new(context.runtime(), Arc::new(options(context)?.build()?)).await?)
}

/// What the server says of the connection.
async fn status(client: &mut Client, name: &str) -> Result<String> {
    let schema =
        if client.server_version().contains("MariaDB") { "information_schema" } else { "performance_schema" };
    let sql = format!("SELECT variable_value FROM {schema}.session_status WHERE variable_name = '{name}'");
    Ok(first_cell(client, &sql).await?.unwrap_or_default())
}

/// Text that can be made smaller, but not by much.
fn text(len: usize) -> String {
    let step = |n: &u32| Some(n.wrapping_mul(1_664_525).wrapping_add(1_013_904_223));
    let bytes = std::iter::successors(Some(1), step).map(|n| char::from(b'A' + n.to_be_bytes()[0] % 32));
    bytes.filter(|c| *c != '\\').take(len).collect()
}

fn large(context: &Context) -> Result<()> {
    context.run(async {
        let mut client = connect(context).await?;
        // Many rows: 10,000 of 2 KiB.
        let digits = "(SELECT 0 i UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4 \
                      UNION ALL SELECT 5 UNION ALL SELECT 6 UNION ALL SELECT 7 UNION ALL SELECT 8 UNION ALL SELECT 9)";
        let sql = format!(
            "SELECT n, REPEAT(SHA2(n, 256), 32) FROM (SELECT a.i * 1000 + b.i * 100 + c.i * 10 + d.i AS n \
             FROM {digits} a, {digits} b, {digits} c, {digits} d) numbers ORDER BY n"
        );
        let mut results = client.query(&sql).await?;
        let (mut rows, mut batches) = (0, 0);
        while let Some(batch) = results.next_batch().await? {
            batches += 1;
            for row in &batch {
                let (number, sums) = (row.get(0)?.context("n")?, row.get(1)?.context("sums")?);
                ensure!(number == rows.to_string().as_bytes(), "row {rows} is {number:?}");
                ensure!(sums.len() == 2048 && sums.chunks(64).all(|sum| sums.starts_with(sum)), "row {rows}: {sums:?}");
                rows += 1;
            }
        }
        results.finish().await?;
        expect("rows", &rows, &10_000)?;
        // About 32 KiB in each: rows do not come one by one.
        ensure!(batches < 2500, "{batches} batches");
        // One row of more than a frame.
        let mut results = client.query("SELECT REPEAT('porpoise', 1200000), REPEAT('dolphin', 1300000)").await?;
        let batch = results.next_batch().await?.context("no row")?;
        let row = batch.iter().next().context("no row")?;
        let cells = [row.get(0)?.context("NULL")?, row.get(1)?.context("NULL")?];
        for (cell, word, times) in [(cells[0], b"porpoise".as_slice(), 1_200_000), (cells[1], b"dolphin", 1_300_000)] {
            ensure!(cell.len() == word.len() * times && cell.chunks(word.len()).all(|part| part == word));
        }
        drop(batch);
        results.finish().await?;
        // A statement of more than a frame, if the server takes it; its text comes back.
        let text = text(if context.server()?.is_mariadb() { 15 << 20 } else { 17 << 20 });
        let echo = first_cell(&mut client, &format!("SELECT '{text}'")).await?;
        ensure!(echo.as_deref() == Some(&text), "the text is not the same");
        expect("then", &first_cell(&mut client, "SELECT 1").await?.as_deref(), &Some("1"))?;
        Ok(client.close().await?)
    })
}

/// It is truly on, and stays on.
fn session(context: &Context) -> Result<()> {
    let mariadb = context.server()?.is_mariadb();
    context.run(async {
        let options = options(context)?.connect(|c| c.init_command("SET @a = 7"));
        let mut client = Connecting::new(context.runtime(), Arc::new(options.build()?)).await?;
        expect("init command", &first_cell(&mut client, "SELECT @a").await?.as_deref(), &Some("7"))?;
        match client.query_drop("SELECT * FROM nope").await {
            Err(Error::Server(err)) => expect("error", &(err.code(), err.sqlstate()), &(1146, "42S02"))?,
            other => bail!("{other:?}"),
        }
        let user = if mariadb { "nat:pw-nat:odb" } else { "sha2all:pw-sha2:odb" };
        let another = changed_user(user)?.get_server_public_key(true).build()?;
        client.change_user(Arc::new(another)).await?;
        expect("user", &first_cell(&mut client, "SELECT @a").await?, &None)?;
        client.reset_connection().await?;
        client.park();
        expect("compression", &status(&mut client, "Compression").await?.as_str(), &"ON")?;
        if !mariadb {
            let name = context.cell.compression.name();
            expect("algorithm", &status(&mut client, "Compression_algorithm").await?.as_str(), &name)?;
        }
        // What was sent is counted by the server as it was on the wire.
        let before: u64 = status(&mut client, "Bytes_received").await?.parse()?;
        client.query_drop(&format!("SELECT '{}'", "x".repeat(1 << 20))).await?;
        let received = status(&mut client, "Bytes_received").await?.parse::<u64>()? - before;
        ensure!(received < 20_000, "{received} bytes for a statement of 1 MiB");
        client.ping().await?;
        Ok(client.close().await?)
    })
}

/// Several commands in one write, each in its own compressed frames, whose ids begin at 0 each time.
fn pipelined(context: &Context) -> Result<()> {
    context.run(async {
        let mut client = connect(context).await?;
        for _ in 0..20 {
            let mut pipeline = client.pipeline();
            for n in 0..30 {
                // Replies of one frame and of several, commands that are stored and some that are deflated.
                pipeline
                    .query(&format!("SELECT {n}, REPEAT('{n}', {}){}", n * 1000, " ".repeat(n * 10)))
                    .ping();
            }
            pipeline.query("SELECT * FROM nope").query("SELECT 'last', ''");
            let mut replies = pipeline.send().await?;
            for n in 0..30 {
                let mut results = replies.next().await?.context("too few replies")?;
                let batch = results.next_batch().await?.context("no row")?;
                let row = batch.iter().next().context("no row")?;
                let number = n.to_string();
                ensure!(row.get(0)? == Some(number.as_bytes()), "reply {n} is {row:?}");
                expect("length", &row.get(1)?.map(<[u8]>::len), &Some(n * 1000 * number.len()))?;
                drop(batch);
                while results.next_batch().await?.is_some() {}
                ensure!(replies.next().await?.is_some_and(|ping| ping.ok().is_some()));
            }
            match replies.next().await {
                Err(Error::Server(err)) => expect("error", &err.code(), &1146)?,
                other => bail!("{:?}", other.map(|_| ())),
            }
            let mut results = replies.next().await?.context("too few replies")?;
            let batch = results.next_batch().await?.context("no row")?;
            ensure!(batch.iter().next().context("no row")?.get(0)? == Some(&b"last"[..]));
            drop(batch);
            while results.next_batch().await?.is_some() {}
            drop(results);
            replies.finish().await?;
        }
        client.ping().await?;
        Ok(client.close().await?)
    })
}

fn infile(context: &Context) -> Result<()> {
    let rows: String = (0..50_000).map(|n| format!("{n}\t{}\n", "x".repeat(n % 200))).collect();
    context.run(async {
        let mut client = connect(context).await?;
        let name = table(&mut client, "a INT, b VARCHAR(200)").await?;
        let load = format!("LOAD DATA LOCAL INFILE 'rows.tsv' INTO TABLE {name}");
        client.query_infile(&load, |_| Ok(Cursor::new(&rows))).await?.finish().await?;
        let sums = first_cell(&mut client, &format!("SELECT SUM(a) + SUM(LENGTH(b)) FROM {name}")).await?;
        expect("sums", &sums.as_deref(), &Some("1254950000"))?;
        // Refused, and the session goes on.
        match client.query_drop(&load).await {
            Err(Error::InfileRefused(_)) => {}
            other => bail!("{other:?}"),
        }
        drop_table(client, &name).await
    })
}

/// The ERR that nobody asked for, before the server closes an idle connection.
fn silent(context: &Context) -> Result<()> {
    context.run(async {
        let mut client = connect(context).await?;
        client.query_drop("SET wait_timeout = 1").await?;
        std::thread::sleep(Duration::from_millis(2500));
        match client.ping().await {
            Err(Error::Server(err)) => expect("error", &err.code(), &4031),
            other => bail!("{other:?}"),
        }
    })
}

/// zlib comes before zstd, whatever the order.
fn choice(context: &Context) -> Result<()> {
    context.run(async {
        let choices: [(&[_], &str); 4] = [
            (&[Zstd, Zlib], "zlib"),
            (&[Uncompressed, Zstd], "zstd"),
            (&[Uncompressed, Zstd, Zlib], "zlib"),
            (&[Uncompressed], ""),
        ];
        for (algorithms, taken) in choices {
            let options =
                options(context)?.compression_algorithms(algorithms).zstd_compression_level(11).build()?;
            let mut client = Connecting::new(context.runtime(), Arc::new(options)).await?;
            expect("algorithm", &status(&mut client, "Compression_algorithm").await?.as_str(), &taken)?;
            if taken == "zstd" {
                expect("level", &status(&mut client, "Compression_level").await?.as_str(), &"11")?;
            }
            client.close().await?;
        }
        Ok(())
    })
}

/// A server without zstd.
fn refused(context: &Context) -> Result<()> {
    context.run(async {
        let zstd = options(context)?.compression_algorithms(&[Zstd]).build()?;
        match Connecting::new(context.runtime(), Arc::new(zstd)).await {
            Err(Error::Connect(error)) => {
                ensure!(matches!(error.kind(), ConnectErrorKind::NoCompression), "{error}");
                expect("error", &(error.code(), error.stage()), &(2066, ConnectStage::ParseHandshake))?;
            }
            other => bail!("{:?}", other.map(drop)),
        }
        let either = options(context)?.compression_algorithms(&[Zstd, Uncompressed]).build()?;
        let mut client = Connecting::new(context.runtime(), Arc::new(either)).await?;
        expect("compression", &status(&mut client, "Compression").await?.as_str(), &"OFF")?;
        Ok(client.close().await?)
    })
}
