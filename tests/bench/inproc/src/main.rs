//! `inproc VARIANT N`: N connects over memory, to be counted by valgrind.
//!
//! | variant | what connects |
//! |---|---|
//! | `no-trace` | the machine with `NoTrace` |
//! | `tap-off` | the machine with the driver's `Tap`, which is asked at run time and off |
//! | `record` | the machine with a sink that keeps everything |
//! | `driver` | the driver's `Connecting`, whose `Tap` is off |
//!
//! Or N commands on one connection: `ping`, `select1`, or `rows`, which reads N results of a thousand rows.

use std::hint::black_box;

use anyhow::{Context as _, Result, bail};
use inproc::{Machine, Memory, OK, connect_driver, connect_to, now, one, rows};
use porpoise_driver::{Client, Tap};
use porpoise_trace::{NoTrace, Record};
use porpoise_value::FromRow as _;

fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let variant = args.next().context("inproc VARIANT N")?;
    let n: u64 = args.next().context("inproc VARIANT N")?.parse()?;
    let mut machine = Machine::new()?;
    match variant.as_str() {
        "no-trace" => repeat(n, || machine.connect(&mut NoTrace)),
        // The compiler must not see that it is off.
        "tap-off" => repeat(n, || machine.connect(black_box(&mut Tap::default()))),
        "record" => repeat(n, || machine.connect(&mut Record::new())),
        "driver" => {
            let options = Memory::options()?;
            repeat(n, || connect_driver(&options))
        }
        "ping" => {
            let mut client = connect_to(&Memory::options()?, OK.into())?;
            repeat(n, || Ok(now(client.ping())??))
        }
        "select1" => {
            let mut client = connect_to(&Memory::options()?, one())?;
            repeat(n, || Ok(now(client.query_first::<(u64,)>("SELECT 1"))??))
        }
        "rows" => {
            let mut client = connect_to(&Memory::options()?, rows(1000))?;
            repeat(n, || now(read(&mut client))?)
        }
        other => bail!("no variant {other}"),
    }
}

/// Reads all rows, and adds them up.
async fn read(client: &mut Client) -> Result<u64> {
    let mut results = client.query("SELECT a, b, c, s").await?;
    let plan = <(u32, u32, u32, &str)>::plan(results.columns().context("columns")?)?;
    let mut sum = 0;
    while let Some(batch) = results.next_batch().await? {
        for row in batch.typed(&plan) {
            let (a, b, c, s): (u32, u32, u32, &str) = row?;
            sum += u64::from(a) + u64::from(b) + u64::from(c) + s.len() as u64;
        }
    }
    Ok(sum)
}

fn repeat<R>(n: u64, mut connect: impl FnMut() -> Result<R>) -> Result<()> {
    for _ in 0..n {
        black_box(connect()?);
    }
    Ok(())
}
