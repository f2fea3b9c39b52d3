//! Values that are larger than what is held of them, both ways.

use std::io;
use std::pin::Pin;
use std::sync::LazyLock;
use std::task::{Context as TaskContext, Poll};

use anyhow::{Result, bail, ensure};
use futures::AsyncRead;
use porpoise::classic::RowPiece;
use porpoise::value::LongData;
use porpoise::{BigPiece, BigRows, Error, Operation};
use porpoise_test_support::lock;

use crate::client::{connect, drop_table, table};
use crate::suite::{Cell, Context, MARIADB, MYSQL, Runner, Suite, Transport, expect};

/// What may be held of a value, in bytes: the buffers of both directions and a chunk.
const HELD: u64 = 400 << 10;

pub(crate) fn add(suite: &mut Suite) {
    suite.add_on_each_runtime("client::big-values", Transport::Tls, MYSQL, |context| some(context, 20 << 20));
    for server in MARIADB {
        let name = format!("client::{server}::big-values");
        // Its packets have 16 MiB at most.
        suite.add_on_each_runtime(&name, Transport::Unix, server, |context| some(context, 10 << 20));
    }
    let cell = Cell::new(Runner::Tokio, Transport::Unix, MYSQL);
    suite.add("client::1-gib::tokio", cell, one_gib);
}

/// How often the pattern repeats.
const PERIOD: u64 = 251;
/// What is compared at once.
const CHUNK: usize = 16 << 10;

/// No byte of it is like its neighbours.
static PATTERN: LazyLock<Vec<u8>> = LazyLock::new(|| (0..=250).cycle().take(CHUNK + 251).collect());

/// The pattern from a position of the value on.
fn pattern(at: u64, len: usize) -> &'static [u8] {
    let start = usize::try_from(at % PERIOD).unwrap_or_default();
    PATTERN.get(start..start + len).unwrap_or_default()
}

/// So many bytes of it.
struct Source {
    at: u64,
    end: u64,
}

impl AsyncRead for Source {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut TaskContext<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let left = usize::try_from(self.end - self.at).unwrap_or(usize::MAX);
        let n = left.min(buf.len()).min(CHUNK);
        if let Some(place) = buf.get_mut(..n) {
            place.copy_from_slice(pattern(self.at, n));
        }
        self.at += n as u64;
        Poll::Ready(Ok(n))
    }
}

/// Reads the value of one row, and says how long it is.
async fn read(rows: &mut BigRows<'_>) -> Result<u64> {
    let (mut len, mut promised) = (0, None);
    while let Some(piece) = rows.next().await? {
        match piece {
            BigPiece::Row(RowPiece::Cell { index: 1, len, .. }) => promised = Some(len),
            BigPiece::Row(RowPiece::Bytes(bytes)) if promised.is_some() => {
                for chunk in bytes.chunks(CHUNK) {
                    ensure!(chunk == pattern(len, chunk.len()), "other bytes at {len}");
                    len += chunk.len() as u64;
                }
            }
            BigPiece::Row(RowPiece::End) => {
                ensure!(promised == Some(len), "{len} bytes, {promised:?} promised")
            }
            BigPiece::Rows(_) => bail!("a whole row"),
            _ => {}
        }
    }
    Ok(len)
}

/// Stores a value of so many bytes, and reads it back in both encodings.
async fn round_trip(context: &Context, len: u64) -> Result<()> {
    let mut client = connect(context, |options| options).await?;
    // InnoDB would want it to be in its log as a whole.
    let name = table(&mut client, "a INT, b LONGBLOB").await?;
    client.query_drop(&format!("ALTER TABLE {name} ENGINE = MyISAM")).await?;
    client.query_drop("SET sql_log_bin = 0").await?;
    let insert = client.prepare(&format!("INSERT INTO {name} VALUES (?, ?)")).await?;
    client.send_long_data(&insert, 1, Source { at: 0, end: len }).await?;
    client.exec_drop(&insert, (7, LongData)).await?;
    let sql = format!("SELECT a, b FROM {name}");
    let mut rows = client.query_big(&sql, 64 << 10).await?;
    expect("text", &read(&mut rows).await?, &len)?;
    ensure!(rows.results().end().is_some(), "no end");
    let mut rows = client.exec_big(&sql, (), 64 << 10).await?;
    expect("binary", &read(&mut rows).await?, &len)?;
    // A row that is not large comes whole.
    let mut rows = client.query_big("SELECT 1, 'x'", 64 << 10).await?;
    ensure!(matches!(rows.next().await?, Some(BigPiece::Rows(batch)) if batch.len() == 1), "a small row");
    drop(rows);
    // One that nobody wants any more is too much to be read for nothing.
    let mut rows = client.query_big(&sql, 64 << 10).await?;
    ensure!(rows.next().await?.is_some(), "no piece");
    drop(rows);
    match client.ping().await {
        Err(Error::Unusable(Operation::TooMuchToDrain)) => {}
        other => bail!("{other:?}"),
    }
    drop_table(connect(context, |options| options).await?, &name).await
}

fn some(context: &Context, len: u64) -> Result<()> {
    context.run(round_trip(context, len))
}

/// Never more than kilobytes of it are here.
fn one_gib(context: &Context) -> Result<()> {
    const GIB: u64 = 1 << 30;
    let _lock = lock()?;
    let server = context.server()?;
    let mut root = server.root()?;
    let before: Option<u64> =
        porpoise::blocking::block_on(root.client().query_first("SELECT @@GLOBAL.max_allowed_packet"))?;
    // A run that was killed in the middle has left its own: then the default is what was before.
    let before = before.filter(|before| *before < GIB).unwrap_or(64 << 20);
    root.query_drop(&format!("SET GLOBAL max_allowed_packet = {GIB}"))?;
    ensure!(pattern(0, 1) == [0], "made before memory is counted");
    let mut outcome = None;
    let info = allocation_counter::measure(|| {
        outcome = Some(context.run(round_trip(context, GIB)));
    });
    root.query_drop(&format!("SET GLOBAL max_allowed_packet = {before}"))?;
    root.close()?;
    outcome.unwrap_or(Ok(()))?;
    println!("1 GiB there and twice back: {} KiB at a time", info.bytes_max >> 10);
    ensure!(info.bytes_max < HELD, "{} bytes at a time", info.bytes_max);
    Ok(())
}
