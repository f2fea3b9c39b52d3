//! Commands on one connection.

use anyhow::{Context as _, Result, ensure};
use bench_harness::work::{self, Wide};
use bench_harness::{Args, Meter, Workload};
use porpoise_classic::RowPiece;
use porpoise_derive::FromRow;
use porpoise_driver::{BigPiece, Client, Results, Statement};
use porpoise_value::FromRow as _;

/// Rows of more bytes come in pieces.
const BIG: usize = 1 << 20;

/// How many operations, and their checksum.
type Done = Result<(u64, u64)>;

pub(crate) async fn run(args: &Args, peer: &str, mut client: Client) -> Result<()> {
    let (workload, n) = (args.workload, args.n);
    let inserts = matches!(workload, Workload::InsertPipeline | Workload::InsertSequential);
    if inserts {
        client.query_drop(work::TRUNCATE).await?;
    }
    let statement = match workload {
        Workload::PointQuery => Some(client.prepare(work::POINT).await?),
        Workload::RowsNarrowBin => Some(client.prepare(&work::narrow(n)).await?),
        Workload::RowsWideBin => Some(client.prepare(&work::wide(n)).await?),
        _ if inserts => Some(client.prepare(work::INSERT).await?),
        _ => None,
    };
    let prepared = || statement.as_ref().context("a statement");
    let meter = Meter::start()?;
    let (ops, sum) = match workload {
        Workload::Ping => pings(&mut client, n).await?,
        Workload::Select1 => selects(&mut client, n).await?,
        Workload::PointQuery => points(&mut client, n, prepared()?).await?,
        Workload::RowsNarrow => narrow(client.query(&work::narrow(n)).await?).await?,
        Workload::RowsNarrowBin => narrow(client.exec(prepared()?, ()).await?).await?,
        Workload::RowsWide => wide(client.query(&work::wide(n)).await?).await?,
        Workload::RowsWideBin => wide(client.exec(prepared()?, ()).await?).await?,
        Workload::Blob => blobs(&mut client, n).await?,
        Workload::InsertPipeline => insert_batch(&mut client, n, prepared()?).await?,
        Workload::InsertSequential => insert_each(&mut client, n, prepared()?).await?,
        Workload::Multi => multi(&mut client, n).await?,
        _ => args.refuse(peer),
    };
    meter.finish(peer, args, ops, sum)?;
    Ok(client.close().await?)
}

async fn pings(client: &mut Client, n: u64) -> Done {
    for _ in 0..n {
        client.ping().await?;
    }
    Ok((n, 0))
}

async fn selects(client: &mut Client, n: u64) -> Done {
    let mut sum = 0;
    for _ in 0..n {
        let (one,): (u64,) = client.query_first("SELECT 1").await?.context("a row")?;
        sum += one;
    }
    Ok((n, sum))
}

async fn points(client: &mut Client, n: u64, statement: &Statement) -> Done {
    let mut sum = 0;
    for i in 0..n {
        let row = client.exec_first(statement, (work::key(i),)).await?;
        let row: (i32, i32, String, String, f64) = row.context("a row")?;
        sum += row.0 as u64 + row.2.len() as u64 + row.3.len() as u64;
    }
    Ok((n, sum))
}

async fn narrow(mut results: Results<'_>) -> Done {
    let (mut ops, mut sum) = (0, 0_u64);
    let plan = <(i32, i32, i32, &str)>::plan(results.columns().context("columns")?)?;
    while let Some(batch) = results.next_batch().await? {
        for row in batch.typed(&plan) {
            let (a, b, c, s): (i32, i32, i32, &str) = row?;
            sum = sum.wrapping_add(work::narrow_sum([a, b, c], s.len()));
            ops += 1;
        }
    }
    results.finish().await?;
    Ok((ops, sum))
}

#[derive(FromRow)]
struct WideRow<'r> {
    id: i32,
    i4: i64,
    d: f64,
    s1: &'r str,
    s2: &'r str,
    n1: Option<i32>,
    n2: Option<&'r str>,
}

async fn wide(mut results: Results<'_>) -> Done {
    let (mut ops, mut sum) = (0, 0_u64);
    let plan = WideRow::plan(results.columns().context("columns")?)?;
    while let Some(batch) = results.next_batch().await? {
        for row in batch.typed(&plan) {
            let WideRow { id, i4, d, s1, s2, n1, n2 } = row?;
            sum = sum.wrapping_add(Wide { id, i4, d, s1, s2, n1, n2 }.sum());
            ops += 1;
        }
    }
    results.finish().await?;
    Ok((ops, sum))
}

async fn blobs(client: &mut Client, n: u64) -> Done {
    let mut rows = client.query_big(&work::blob(n), BIG).await?;
    let (mut sum, mut cell) = (0, 0);
    while let Some(piece) = rows.next().await? {
        match piece {
            BigPiece::Row(RowPiece::Cell { index, .. }) => cell = index,
            BigPiece::Row(RowPiece::Bytes(bytes)) if cell == 1 => sum += bytes.len() as u64,
            _ => {}
        }
    }
    Ok((n, sum))
}

async fn insert_batch(client: &mut Client, n: u64, statement: &Statement) -> Done {
    client.query_drop("START TRANSACTION").await?;
    let rows = (0_i32..).zip(0..n).map(|(a, i)| (a, work::key(i), work::INSERTED));
    let done = client.exec_batch(statement, rows).await?;
    ensure!(done.affected_rows == n, "{} of {n} rows", done.affected_rows);
    client.query_drop("COMMIT").await?;
    Ok((n, 0))
}

async fn insert_each(client: &mut Client, n: u64, statement: &Statement) -> Done {
    client.query_drop("START TRANSACTION").await?;
    for i in 0..n {
        client.exec_drop(statement, (i32::try_from(i)?, work::key(i), work::INSERTED)).await?;
    }
    client.query_drop("COMMIT").await?;
    Ok((n, 0))
}

async fn multi(client: &mut Client, n: u64) -> Done {
    let sql = work::multi();
    let mut sum = 0;
    for _ in 0..n {
        let mut results = client.query(&sql).await?;
        loop {
            while let Some(batch) = results.next_batch().await? {
                for row in &batch {
                    sum += row.get_as::<u64>(0)?;
                }
            }
            if !results.next_result().await? {
                break;
            }
        }
    }
    Ok((n * work::STATEMENTS, sum))
}
