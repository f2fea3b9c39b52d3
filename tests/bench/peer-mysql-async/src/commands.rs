//! Commands on one connection.

use anyhow::{Context as _, Result};
use bench_harness::work::{self, Wide};
use bench_harness::{Args, Meter, Workload};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts, QueryResult, Row, Statement, from_row};

use crate::PEER;

/// How many operations, and their checksum.
type Done = Result<(u64, u64)>;

pub(crate) async fn run(args: &Args, opts: Opts) -> Result<()> {
    let mut client = Conn::new(opts).await?;
    let (workload, n) = (args.workload, args.n);
    if workload == Workload::InsertPipeline {
        client.query_drop(work::TRUNCATE).await?;
    }
    let statement = match workload {
        Workload::PointQuery => Some(client.prep(work::POINT).await?),
        Workload::InsertPipeline => Some(client.prep(work::INSERT).await?),
        Workload::RowsNarrowBin => Some(client.prep(work::narrow(n)).await?),
        Workload::RowsWideBin => Some(client.prep(work::wide(n)).await?),
        _ => None,
    };
    let prepared = || statement.clone().context("a statement");
    let meter = Meter::start()?;
    let (ops, sum) = match workload {
        Workload::Ping => pings(&mut client, n).await?,
        Workload::Select1 => selects(&mut client, n).await?,
        Workload::PointQuery => points(&mut client, n, &prepared()?).await?,
        Workload::RowsNarrow => narrow(client.query_iter(work::narrow(n)).await?).await?,
        Workload::RowsNarrowBin => narrow(client.exec_iter(prepared()?, ()).await?).await?,
        Workload::RowsWide => wide(client.query_iter(work::wide(n)).await?).await?,
        Workload::RowsWideBin => wide(client.exec_iter(prepared()?, ()).await?).await?,
        Workload::Blob => blobs(&mut client, n).await?,
        Workload::InsertPipeline => inserts(&mut client, n, &prepared()?).await?,
        Workload::Multi => multi(&mut client, n).await?,
        _ => args.refuse(PEER),
    };
    meter.finish(PEER, args, ops, sum)?;
    Ok(client.disconnect().await?)
}

async fn pings(client: &mut Conn, n: u64) -> Done {
    for _ in 0..n {
        client.ping().await?;
    }
    Ok((n, 0))
}

async fn selects(client: &mut Conn, n: u64) -> Done {
    let mut sum = 0;
    for _ in 0..n {
        sum += client.query_first::<u64, _>("SELECT 1").await?.context("a row")?;
    }
    Ok((n, sum))
}

async fn points(client: &mut Conn, n: u64, statement: &Statement) -> Done {
    let mut sum = 0;
    for i in 0..n {
        let row = client.exec_first(statement, (work::key(i),)).await?;
        let row: (i32, i32, String, String, f64) = row.context("a row")?;
        sum += row.0 as u64 + row.2.len() as u64 + row.3.len() as u64;
    }
    Ok((n, sum))
}

async fn narrow<P: mysql_async::prelude::Protocol>(mut result: QueryResult<'_, '_, P>) -> Done {
    let (mut ops, mut sum) = (0, 0_u64);
    while let Some(row) = result.next().await? {
        let (a, b, c, s): (i32, i32, i32, String) = from_row(row);
        sum = sum.wrapping_add(work::narrow_sum([a, b, c], s.len()));
        ops += 1;
    }
    Ok((ops, sum))
}

async fn wide<P: mysql_async::prelude::Protocol>(mut result: QueryResult<'_, '_, P>) -> Done {
    let (mut ops, mut sum) = (0, 0_u64);
    while let Some(row) = result.next().await? {
        sum = sum.wrapping_add(wide_sum(row).context("a row")?);
        ops += 1;
    }
    Ok((ops, sum))
}

fn wide_sum(mut row: Row) -> Option<u64> {
    let (s1, s2): (String, String) = (row.take(13)?, row.take(14)?);
    let n2: Option<String> = row.take(19)?;
    let (id, i4, d, n1) = (row.take(0)?, row.take(4)?, row.take(7)?, row.take(18)?);
    Some(Wide { id, i4, d, s1: &s1, s2: &s2, n1, n2: n2.as_deref() }.sum())
}

async fn blobs(client: &mut Conn, n: u64) -> Done {
    let mut sum = 0;
    let mut result = client.query_iter(work::blob(n)).await?;
    while let Some(row) = result.next().await? {
        let (_, blob): (i32, Vec<u8>) = from_row(row);
        sum += blob.len() as u64;
    }
    Ok((n, sum))
}

async fn inserts(client: &mut Conn, n: u64, statement: &Statement) -> Done {
    client.query_drop("START TRANSACTION").await?;
    for i in 0..n {
        client.exec_drop(statement, (i32::try_from(i)?, work::key(i), work::INSERTED)).await?;
    }
    client.query_drop("COMMIT").await?;
    Ok((n, 0))
}

async fn multi(client: &mut Conn, n: u64) -> Done {
    let sql = work::multi();
    let mut sum = 0;
    for _ in 0..n {
        let mut results = client.query_iter(sql.as_str()).await?;
        while !results.is_empty() {
            sum += results.collect::<u64>().await?.first().context("a row")?;
        }
    }
    Ok((n * work::STATEMENTS, sum))
}
