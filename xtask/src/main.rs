//! The workbench of porpoise: `cargo xtask COMMAND`.
//!
//! Each command is a module with an `Args` type (clap) and a `run` function that takes it.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod codegen;
mod layers;
mod server;

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
    /// Turn the spec tables into Rust and diagrams.
    Codegen(codegen::Args),
    /// Check that no crate depends on more than it may.
    Layers(layers::Args),
    /// Start, stop and locate the database servers that tests use.
    Server(server::Args),
}

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Codegen(args) => codegen::run(args),
        Command::Layers(args) => layers::run(args),
        Command::Server(args) => server::run(args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
