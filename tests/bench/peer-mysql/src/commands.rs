//! Commands on one connection.

use anyhow::{Context as _, Result};
use bench_harness::work::{self, Wide};
use bench_harness::{Args, Meter, Workload};
use mysql::prelude::{Protocol, Queryable as _};
use mysql::{Conn, Opts, QueryResult, Row, Statement, from_row};

use crate::PEER;

/// How many operations, and their checksum.
type Done = Result<(u64, u64)>;

pub(crate) fn run(args: &Args, opts: Opts) -> Result<()> {
    let mut client = Conn::new(opts)?;
    let (workload, n) = (args.workload, args.n);
    if workload == Workload::InsertPipeline {
        client.query_drop(work::TRUNCATE)?;
    }
    let statement = match workload {
        Workload::PointQuery => Some(client.prep(work::POINT)?),
        Workload::InsertPipeline => Some(client.prep(work::INSERT)?),
        Workload::RowsNarrowBin => Some(client.prep(work::narrow(n))?),
        Workload::RowsWideBin => Some(client.prep(work::wide(n))?),
        _ => None,
    };
    let prepared = || statement.clone().context("a statement");
    let meter = Meter::start()?;
    let (ops, sum) = match workload {
        Workload::Ping => pings(&mut client, n)?,
        Workload::Select1 => selects(&mut client, n)?,
        Workload::PointQuery => points(&mut client, n, &prepared()?)?,
        Workload::RowsNarrow => narrow(client.query_iter(work::narrow(n))?)?,
        Workload::RowsNarrowBin => narrow(client.exec_iter(prepared()?, ())?)?,
        Workload::RowsWide => wide(client.query_iter(work::wide(n))?)?,
        Workload::RowsWideBin => wide(client.exec_iter(prepared()?, ())?)?,
        Workload::Blob => blobs(&mut client, n)?,
        Workload::InsertPipeline => inserts(&mut client, n, &prepared()?)?,
        Workload::Multi => multi(&mut client, n)?,
        _ => args.refuse(PEER),
    };
    meter.finish(PEER, args, ops, sum)
}

fn pings(client: &mut Conn, n: u64) -> Done {
    for _ in 0..n {
        client.ping()?;
    }
    Ok((n, 0))
}

fn selects(client: &mut Conn, n: u64) -> Done {
    let mut sum = 0;
    for _ in 0..n {
        sum += client.query_first::<u64, _>("SELECT 1")?.context("a row")?;
    }
    Ok((n, sum))
}

fn points(client: &mut Conn, n: u64, statement: &Statement) -> Done {
    let mut sum = 0;
    for i in 0..n {
        let row: Option<(i32, i32, String, String, f64)> = client.exec_first(statement, (work::key(i),))?;
        let row = row.context("a row")?;
        sum += row.0 as u64 + row.2.len() as u64 + row.3.len() as u64;
    }
    Ok((n, sum))
}

fn narrow<P: Protocol>(result: QueryResult<'_, '_, '_, P>) -> Done {
    let (mut ops, mut sum) = (0, 0_u64);
    for row in result {
        let (a, b, c, s): (i32, i32, i32, String) = from_row(row?);
        sum = sum.wrapping_add(work::narrow_sum([a, b, c], s.len()));
        ops += 1;
    }
    Ok((ops, sum))
}

fn wide<P: Protocol>(result: QueryResult<'_, '_, '_, P>) -> Done {
    let (mut ops, mut sum) = (0, 0_u64);
    for row in result {
        sum = sum.wrapping_add(wide_sum(row?).context("a row")?);
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

fn blobs(client: &mut Conn, n: u64) -> Done {
    let mut sum = 0;
    for row in client.query_iter(work::blob(n))? {
        let (_, blob): (i32, Vec<u8>) = from_row(row?);
        sum += blob.len() as u64;
    }
    Ok((n, sum))
}

fn inserts(client: &mut Conn, n: u64, statement: &Statement) -> Done {
    client.query_drop("START TRANSACTION")?;
    for i in 0..n {
        client.exec_drop(statement, (i32::try_from(i)?, work::key(i), work::INSERTED))?;
    }
    client.query_drop("COMMIT")?;
    Ok((n, 0))
}

fn multi(client: &mut Conn, n: u64) -> Done {
    let sql = work::multi();
    let mut sum = 0;
    for _ in 0..n {
        let mut results = client.query_iter(sql.as_str())?;
        while let Some(rows) = results.iter() {
            for row in rows {
                sum += from_row::<u64>(row?);
            }
        }
    }
    Ok((n * work::STATEMENTS, sum))
}
