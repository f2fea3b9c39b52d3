//! Commands on one connection.

use anyhow::{Context as _, Result};
use bench_harness::work::{self, Wide};
use bench_harness::{Args, Meter, Workload};
use futures_util::stream::{Stream, StreamExt as _};
use sqlx::mysql::{MySqlConnectOptions, MySqlRow, MySqlStatement};
use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _, MySqlConnection, Row as _,
    SqlSafeStr as _, SqlStr, Statement as _,
};

use crate::PEER;

/// How many operations, and their checksum.
type Done = Result<(u64, u64)>;

pub(crate) async fn run(args: &Args, options: MySqlConnectOptions) -> Result<()> {
    let mut client = options.connect().await?;
    let (workload, n) = (args.workload, args.n);
    if workload == Workload::InsertPipeline {
        client.execute(sqlx::raw_sql(work::TRUNCATE)).await?;
    }
    let statement = match workload {
        Workload::PointQuery => Some(client.prepare(SqlStr::from_static(work::POINT)).await?),
        Workload::InsertPipeline => Some(client.prepare(SqlStr::from_static(work::INSERT)).await?),
        Workload::RowsNarrowBin => Some(client.prepare(AssertSqlSafe(work::narrow(n)).into_sql_str()).await?),
        Workload::RowsWideBin => Some(client.prepare(AssertSqlSafe(work::wide(n)).into_sql_str()).await?),
        _ => None,
    };
    let prepared = || statement.as_ref().context("a statement");
    let meter = Meter::start()?;
    let (ops, sum) = match workload {
        Workload::Ping => pings(&mut client, n).await?,
        Workload::Select1 => selects(&mut client, n).await?,
        Workload::PointQuery => points(&mut client, n, prepared()?).await?,
        Workload::RowsNarrow => {
            rows(client.fetch(sqlx::raw_sql(AssertSqlSafe(work::narrow(n)))), narrow_sum).await?
        }
        Workload::RowsNarrowBin => rows(prepared()?.query().fetch(&mut client), narrow_sum).await?,
        Workload::RowsWide => {
            rows(client.fetch(sqlx::raw_sql(AssertSqlSafe(work::wide(n)))), wide_sum).await?
        }
        Workload::RowsWideBin => rows(prepared()?.query().fetch(&mut client), wide_sum).await?,
        Workload::Blob => {
            let blobs = client.fetch(sqlx::raw_sql(AssertSqlSafe(work::blob(n))));
            rows(blobs, |row| Ok(row.try_get::<&[u8], _>(1)?.len() as u64)).await?
        }
        Workload::InsertPipeline => inserts(&mut client, n, prepared()?).await?,
        Workload::Multi => multi(&mut client, n).await?,
        _ => args.refuse(PEER),
    };
    meter.finish(PEER, args, ops, sum)?;
    Ok(client.close().await?)
}

async fn pings(client: &mut MySqlConnection, n: u64) -> Done {
    for _ in 0..n {
        client.ping().await?;
    }
    Ok((n, 0))
}

async fn selects(client: &mut MySqlConnection, n: u64) -> Done {
    let mut sum = 0;
    for _ in 0..n {
        let row = client.fetch_one(sqlx::raw_sql("SELECT 1")).await?;
        sum += row.try_get::<i64, _>(0)? as u64;
    }
    Ok((n, sum))
}

async fn points(client: &mut MySqlConnection, n: u64, statement: &MySqlStatement) -> Done {
    let mut sum = 0;
    for i in 0..n {
        let row = statement.query().bind(work::key(i)).fetch_one(&mut *client).await?;
        let (id, _, c, pad, _): (i32, i32, &str, &str, f64) =
            (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?, row.try_get(3)?, row.try_get(4)?);
        sum += id as u64 + c.len() as u64 + pad.len() as u64;
    }
    Ok((n, sum))
}

async fn rows(
    mut rows: impl Stream<Item = sqlx::Result<MySqlRow>> + Unpin,
    one: impl Fn(&MySqlRow) -> sqlx::Result<u64>,
) -> Done {
    let (mut ops, mut sum) = (0, 0_u64);
    while let Some(row) = rows.next().await {
        sum = sum.wrapping_add(one(&row?)?);
        ops += 1;
    }
    Ok((ops, sum))
}

fn narrow_sum(row: &MySqlRow) -> sqlx::Result<u64> {
    let text: &str = row.try_get(3)?;
    Ok(work::narrow_sum([row.try_get(0)?, row.try_get(1)?, row.try_get(2)?], text.len()))
}

fn wide_sum(row: &MySqlRow) -> sqlx::Result<u64> {
    let (s1, s2, n1, n2) = (row.try_get(13)?, row.try_get(14)?, row.try_get(18)?, row.try_get(19)?);
    Ok(Wide { id: row.try_get(0)?, i4: row.try_get(4)?, d: row.try_get(7)?, s1, s2, n1, n2 }.sum())
}

async fn inserts(client: &mut MySqlConnection, n: u64, statement: &MySqlStatement) -> Done {
    let mut transaction = client.begin().await?;
    for i in 0..n {
        let insert = statement.query().bind(i32::try_from(i)?).bind(work::key(i)).bind(work::INSERTED);
        insert.execute(&mut *transaction).await?;
    }
    transaction.commit().await?;
    Ok((n, 0))
}

async fn multi(client: &mut MySqlConnection, n: u64) -> Done {
    let sql = work::multi();
    let mut sum = 0;
    for _ in 0..n {
        let mut results = client.fetch(sqlx::raw_sql(AssertSqlSafe(sql.clone())));
        while let Some(row) = results.next().await {
            sum += row?.try_get::<i64, _>(0)? as u64;
        }
    }
    Ok((n * work::STATEMENTS, sum))
}
