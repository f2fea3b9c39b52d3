//! Builds the bench programs, runs them, and makes the table. `cargo xtask bench` calls it; see
//! `docs/performance.md`.
//!
//! `runner [--write]` measures everything; `runner smoke` checks that the programs build and that tracing costs
//! nothing when it is off, without a server and without a clock.

mod count;
mod programs;
mod replay;
mod server;
mod strip;
mod stripped;
mod table;

use anyhow::{Result, bail};

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

/// What a run without a server can show: the programs build, and a sink that is off costs next to nothing.
fn smoke() -> Result<()> {
    let programs = Programs::build(&["inproc", "peer-porpoise"])?;
    let trace = count::Trace::count(&programs)?;
    println!("{trace}");
    trace.check()
}

/// Everything, interleaved, each client pinned to one CPU.
fn measure() -> Result<Table> {
    let programs = Programs::build(&[])?;
    let server = server::Server::find()?;
    server.set_up()?;
    Ok(Table {
        replayed: replay::measure(&programs, &server, "connect-plain", 600)?,
        real: server.measure(&programs, "connect-tls", 150)?,
        counts: count::connects(&programs, &server)?,
        trace: count::Trace::count(&programs)?,
    })
}
