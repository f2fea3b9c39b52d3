//! Builds the bench programs, runs them, and makes the table. `cargo xtask bench` calls it; see
//! `docs/performance.md`.
//!
//! `runner [--write]` measures everything; `runner smoke` checks that tracing costs nothing when it is off, and that
//! commands cost no more than they may, without a server and without a clock.

mod count;
mod figures;
mod programs;
mod replay;
mod server;
mod strip;
mod stripped;
mod table;
mod targets;
mod work;

use anyhow::{Result, bail};

use crate::figures::Figures;
use crate::programs::Programs;
use crate::table::Table;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["smoke"] => smoke(),
        [] => measure().map(|table| println!("\n{table}")),
        ["--write"] => {
            let table = measure()?;
            println!("\n{table}");
            table.write()
        }
        _ => bail!("runner [--write | smoke]"),
    }
}

/// What a run without a server can show: a sink that is off costs next to nothing, and commands cost what they did. Only
/// what is counted is built, without TLS, which is not.
fn smoke() -> Result<()> {
    let programs = Programs::build(&["inproc"])?;
    let trace = count::Trace::count(&programs)?;
    let commands = count::Commands::count(&programs)?;
    println!("{trace}\n{commands}");
    trace.check()?;
    commands.check()
}

/// Everything, interleaved, each client pinned to one CPU.
fn measure() -> Result<Table> {
    let programs = Programs::build(&[])?;
    let server = server::Server::find()?;
    server.set_up()?;
    let mut figures = Figures::default();
    for work in work::REPLAYED {
        replay::measure(&programs, &server, work, &mut figures)?;
        if let Some(counted) = work.counted {
            count::operations(&programs, &server, work.workload, counted, &mut figures)?;
        }
    }
    for (workload, n) in work::REAL {
        server.measure(&programs, workload, n, &mut figures)?;
    }
    for work in work::X {
        server.measure(&programs, work.workload, work.n, &mut figures)?;
        if let Some(counted) = work.counted {
            count::operations(&programs, &server, work.workload, counted, &mut figures)?;
        }
    }
    server.idle(&programs, &mut figures)?;
    let (trace, commands) = (count::Trace::count(&programs)?, count::Commands::count(&programs)?);
    Ok(Table { figures, trace, commands })
}
