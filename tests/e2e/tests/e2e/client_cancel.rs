//! Cancels and timeouts on real servers.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use porpoise::Error;

use crate::client::connect;
use crate::suite::{Context, MARIADB, MYSQL, Suite, Test, Transport, expect, first_cell};

pub(crate) fn add(suite: &mut Suite) {
    let tests: &[(&str, Test)] =
        &[("cancel", cancel), ("timeout", timeout), ("never-the-next", never_the_next)];
    suite.add_tests("client", Transport::Tls, MYSQL, tests);
    for server in MARIADB {
        suite.add_tests(&format!("client::{server}"), Transport::Unix, server, tests);
    }
}

/// Long enough to be cancelled, and with something in it that is no mere wait: `SLEEP` alone ends with a row.
const SLOW: &str = "SELECT SLEEP(20) FROM (SELECT 1 UNION SELECT 2) AS t";

/// On the cell's runtime, and from a thread of its own.
fn cancel(context: &Context) -> Result<()> {
    context.run(async {
        let mut client = connect(context, |options| options).await?;
        let handle = client.cancel_handle();
        let runner = context.cell.runner;
        let thread = std::thread::spawn(move || -> Result<bool> {
            std::thread::sleep(Duration::from_millis(100));
            runner.run(async { Ok(handle.cancel().await?) })?
        });
        let start = Instant::now();
        let outcome = first_cell(&mut client, SLOW).await;
        ensure!(start.elapsed() < Duration::from_secs(10), "it took {:?}", start.elapsed());
        match outcome.map_err(|error| error.downcast::<Error>()) {
            Err(Ok(Error::Server(err))) => expect("number", &err.code(), &1317)?,
            other => bail!("{other:?}"),
        }
        let Ok(cancelled) = thread.join() else { bail!("the thread panicked") };
        ensure!(cancelled?, "it was cancelled");
        expect("then", &first_cell(&mut client, "SELECT 1").await?.as_deref(), &Some("1"))?;
        Ok(client.close().await?)
    })
}

fn timeout(context: &Context) -> Result<()> {
    context.run(async {
        let mut client =
            connect(context, |options| options.operation_timeout(Duration::from_millis(150))).await?;
        for _ in 0..2 {
            let start = Instant::now();
            match first_cell(&mut client, SLOW).await.map_err(|error| error.downcast::<Error>()) {
                Err(Ok(Error::TimedOut { after, closed, .. })) => {
                    expect("after", &(after, closed), &(Duration::from_millis(150), false))?;
                }
                other => bail!("{other:?}"),
            }
            ensure!(start.elapsed() >= Duration::from_millis(150), "too early: {:?}", start.elapsed());
            ensure!(start.elapsed() < Duration::from_secs(10), "too late: {:?}", start.elapsed());
            expect("then", &first_cell(&mut client, "SELECT 1").await?.as_deref(), &Some("1"))?;
        }
        client.set_timeout(None);
        first_cell(&mut client, "SELECT SLEEP(0.3)").await?;
        Ok(client.close().await?)
    })
}

/// Cancels that come as statements end: the statement behind is never hit.
fn never_the_next(context: &Context) -> Result<()> {
    const ROUNDS: u64 = 40;
    // Both fail when they are killed.
    let nap = |seconds: &str| format!("SELECT SLEEP({seconds}) FROM (SELECT 1 UNION SELECT 2) AS t");
    let (first, next) = (nap("0.003"), nap("0.001"));
    context.run(async {
        let mut client = connect(context, |options| options).await?;
        let (mut hits, mut sent) = (0, 0);
        for round in 0..ROUNDS {
            let handle = client.cancel_handle();
            let runner = context.cell.runner;
            let thread = std::thread::spawn(move || -> Result<bool> {
                // To make the connection takes some milliseconds, too.
                std::thread::sleep(Duration::from_micros(200 * (round % 20)));
                runner.run(async { Ok(handle.cancel().await?) })?
            });
            hits += u64::from(client.query_drop(&first).await.is_err());
            for _ in 0..3 {
                let unharmed = client.query_drop(&next).await;
                unharmed.with_context(|| format!("round {round}: the next statement was hit"))?;
            }
            let Ok(cancelled) = thread.join() else { bail!("the thread panicked") };
            sent += u64::from(cancelled?);
        }
        println!("of {ROUNDS} cancels {sent} were sent, and {hits} hit");
        ensure!(hits <= sent, "nobody else kills here");
        Ok(client.close().await?)
    })
}
