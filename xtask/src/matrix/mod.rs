//! `cargo xtask test-matrix`: runtimes, transports, servers, compressions and feature sets against each other.
//!
//! A cell with all features is the end-to-end suite, narrowed by the variables [`RUNTIME`], [`TRANSPORT`],
//! [`SERVER`] and [`COMPRESSION`]. A cell with fewer is the facade's consumer (`tests/consumers/porpoise`), built with just these
//! features, which connects and runs a query on that runtime, transport and server.

mod cell;
mod pairwise;

use std::time::Instant;

use anyhow::{Context as _, bail};
use serde::Serialize;

use self::cell::{Cell, Features};
use crate::ci::servers;
use crate::ci::steps::E2E_TESTS;
use crate::ci::tally::Tally;
use crate::server::state::State;
use crate::{Result, consumer, server, workspace};

/// The environment variables that narrow the end-to-end suite to a cell. Not set: all values.
const RUNTIME: &str = "PORPOISE_CELL_RUNTIME";
const TRANSPORT: &str = "PORPOISE_CELL_TRANSPORT";
const SERVER: &str = "PORPOISE_CELL_SERVER";
const COMPRESSION: &str = "PORPOISE_CELL_COMPRESSION";

/// Arguments of `cargo xtask test-matrix`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Print all cells as a JSON array, each with `run` or `not applicable` and why, and run none.
    #[arg(long, conflicts_with_all = ["full", "pairwise"])]
    list: bool,
    /// Every cell that is applicable.
    #[arg(long, conflicts_with = "pairwise")]
    full: bool,
    /// A choice of cells in which each two values of two axes come together once (what is done without an option).
    #[arg(long)]
    pairwise: bool,
}

/// Runs `cargo xtask test-matrix`.
pub(crate) fn run(args: Args) -> Result<()> {
    if args.list {
        println!("{}", list()?);
        return Ok(());
    }
    if servers::unwanted() {
        bail!("every cell needs a server, and {}=1 is set", servers::NO_SERVER);
    }
    let cells = if args.full { cell::applicable() } else { cell::pairs() };
    let state = server::bring_up(true, None)?;
    let (tally, result) = run_cells(&cells, &state);
    println!("{tally}");
    result
}

/// A cell as it is listed.
#[derive(Debug, Serialize)]
struct Listed {
    #[serde(flatten)]
    cell: Cell,
    /// `run` or `not applicable`.
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<&'static str>,
    /// Whether it is in the pairwise choice.
    pairwise: bool,
}

/// All cells, one a line.
fn list() -> Result<String> {
    let chosen = cell::pairs();
    let listed = |cell: Cell| {
        let why = cell.not_applicable();
        let status = if why.is_some() { "not applicable" } else { "run" };
        let listed = Listed { cell, status, why, pairwise: chosen.contains(&cell) };
        serde_json::to_string(&listed).map(|json| format!("  {json}"))
    };
    let lines: Result<Vec<String>, _> = cell::all().map(listed).collect();
    Ok(format!("[\n{}\n]", lines?.join(",\n")))
}

/// The pairwise choice, for CI.
pub(crate) fn pairwise() -> (Tally, Result<String>) {
    let cells = cell::pairs();
    let state = match server::now_up() {
        Ok(state) => state,
        Err(error) => return (Tally::default(), Err(error)),
    };
    let (tally, result) = run_cells(&cells, &state);
    (tally, result.map(|()| format!("{} of {} cells", cells.len(), cell::applicable().len())))
}

/// Runs all of them, also after one failed.
fn run_cells(cells: &[Cell], state: &State) -> (Tally, Result<()>) {
    let mut tally = Tally::default();
    let mut failed = Vec::new();
    for (n, cell) in (1..).zip(cells) {
        println!("cell {n}/{}: {cell}", cells.len());
        let began = Instant::now();
        match run_cell(cell, state, &mut tally) {
            Ok(()) => println!("cell {n}/{}: ok, {:.1} s", cells.len(), began.elapsed().as_secs_f64()),
            Err(error) => {
                println!("cell {n}/{}: FAILED: {error:#}", cells.len());
                failed.push(cell.to_string());
            }
        }
    }
    let result =
        if failed.is_empty() { Ok(()) } else { Err(anyhow::anyhow!("failed: {}", failed.join("; "))) };
    (tally, result)
}

fn run_cell(cell: &Cell, state: &State, tally: &mut Tally) -> Result<()> {
    let server = state.get(cell.server.name());
    let server = server.with_context(|| format!("{} is not up", cell.server.name()))?;
    if cell.features == Features::All {
        let mut command = workspace::cargo(E2E_TESTS);
        command.env(RUNTIME, cell.runtime.name());
        command.env(TRANSPORT, cell.transport.name());
        command.env(SERVER, cell.server.name());
        command.env(COMPRESSION, cell.compression.name());
        let tests = Tally::run(&mut command)?;
        let verdict = tests.verdict();
        tally.add(tests);
        return verdict;
    }
    let url = cell.url(server)?;
    consumer::facade(&cell.feature_names(), &url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_json_with_every_cell() {
        let cells: Vec<serde_json::Value> = serde_json::from_str(&list().unwrap()).unwrap();
        assert_eq!(cells.len(), cell::all().count());
        let count =
            |key: &str, value: serde_json::Value| cells.iter().filter(|cell| cell[key] == value).count();
        assert_eq!(count("status", "run".into()), cell::applicable().len());
        assert_eq!(count("pairwise", true.into()), cell::pairs().len());
        for cell in &cells {
            assert_eq!(cell["status"] == "not applicable", cell["why"].is_string(), "{cell}");
        }
    }
}
