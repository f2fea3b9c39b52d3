//! The workbench of porpoise: `cargo xtask COMMAND`.
//!
//! Each command is a module with an `Args` type (clap) and a `run` function that takes it.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod account;
mod bench;
mod ci;
mod codegen;
mod consumer;
mod demo;
mod fuzz;
mod layers;
mod matrix;
mod metadata;
mod server;
mod workspace;

/// What every command returns: an error is printed with its causes and makes the exit code 1.
pub(crate) use anyhow::Result;

/// The workbench of porpoise.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

/// One variant and one module per command.
#[derive(Debug, Subcommand)]
enum Command {
    /// Build and run the benches; arguments are passed on (`--help` for theirs).
    Bench(bench::Args),
    /// Check everything: what must pass before a change goes in.
    Ci(ci::Args),
    /// Turn the spec tables into Rust and diagrams.
    Codegen(codegen::Args),
    /// Show porpoise on a real server: connects and their waterfalls, failures and their advice.
    Demo(demo::Args),
    /// Run the fuzz targets under libFuzzer.
    Fuzz(fuzz::Args),
    /// Check that no crate depends on more than it may.
    Layers(layers::Args),
    /// Start, stop and locate the database servers that tests use.
    Server(server::Args),
    /// Run the test matrix, or list its cells.
    TestMatrix(matrix::Args),
}

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Bench(args) => bench::run(args),
        Command::Ci(args) => ci::run(args),
        Command::Codegen(args) => codegen::run(args),
        Command::Demo(args) => demo::run(args),
        Command::Fuzz(args) => fuzz::run(args),
        Command::Layers(args) => layers::run(args),
        Command::Server(args) => server::run(args),
        Command::TestMatrix(args) => matrix::run(args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
