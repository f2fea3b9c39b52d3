//! X Protocol.

use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use bench_harness::{Args, Meter, Workload, work};
use porpoise_driver::Runtime;
use porpoise_driver::x::{Connecting, Options, Session, crud};
use porpoise_value::FromRow as _;

pub(crate) async fn run(args: &Args, peer: &str, runtime: &'static dyn Runtime) -> Result<()> {
    let Args { user, pass, host, port, db, workload, n, .. } = args;
    let connect = |url: &str| -> Result<_> {
        let options = Arc::new(Options::from_url(url)?);
        Ok(move || -> Connecting { Session::connect(runtime, Arc::clone(&options)) })
    };
    let unix = connect(&format!("mysqlx://{user}:{pass}@/{db}?socket={}", args.socket()?.display()))?;
    let tcp = connect(&format!("mysqlx://{user}:{pass}@{host}:{port}/{db}?ssl-mode=DISABLED"))?;
    // Fills the server's cache, too.
    let mut session = unix().await?;
    if *workload == Workload::XInsertDocs {
        for sql in work::DOCS {
            session.sql(sql).run().await?;
        }
    }
    let meter = Meter::start()?;
    let (mut ops, mut sum) = (*n, 0_u64);
    match workload {
        Workload::XConnect => {
            for _ in 0..ops {
                tcp().await?.close().await?;
            }
        }
        Workload::XConnectUnix => {
            for _ in 0..ops {
                unix().await?.close().await?;
            }
        }
        Workload::XConnectPipelined => {
            for _ in 0..ops {
                let mut session = unix().with_statement("SELECT 1", ())?.await?;
                session.first_results().await?.finish().await?;
                session.close().await?;
            }
        }
        Workload::XSelect1 => {
            for _ in 0..ops {
                let one = session.sql("SELECT 1").compact_metadata(true).first::<(i64,)>().await?;
                sum += one.context("a row")?.0.unsigned_abs();
            }
        }
        Workload::XRowsNarrow => {
            ops = 0;
            let mut results = session.sql(&work::narrow(*n)).compact_metadata(true).execute().await?;
            let plan = <(i32, i32, i32, &str)>::plan(results.columns().context("columns")?)?;
            while let Some(batch) = results.next_batch().await? {
                for row in batch.typed(&plan) {
                    let (a, b, c, s): (i32, i32, i32, &str) = row?;
                    sum = sum.wrapping_add(work::narrow_sum([a, b, c], s.len()));
                    ops += 1;
                }
            }
            results.finish().await?;
        }
        Workload::XInsertDocs => {
            let insert = |i| crud::Insert::collection(db, work::DOCS_NAME).document(work::document(i));
            let done = session.execute_batch((0..*n).map(insert)).await?;
            ensure!(done.affected == *n, "{} of {n} documents", done.affected);
            session.sql("COMMIT").run().await?;
        }
        _ => args.refuse(peer),
    }
    meter.finish(peer, args, ops, sum)?;
    Ok(session.close().await?)
}
