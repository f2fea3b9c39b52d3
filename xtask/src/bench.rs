//! `cargo xtask bench`: builds the benches (`tests/bench`, a workspace of its own) and runs them.

use std::process::Command;

use crate::{Result, workspace};

/// Arguments of `cargo xtask bench`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Passed on to the runner.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    args: Vec<String>,
}

/// The programs that porpoise is measured by.
const PROGRAMS: [&str; 4] = ["bench-floor", "inproc", "peer-porpoise", "replay"];

/// Runs `cargo xtask bench`.
pub(crate) fn run(args: Args) -> Result<()> {
    workspace::run(runner().args(args.args))
}

/// What can be judged anywhere: the benches are sound Rust, and instruction counts are as promised. When a tool that this
/// needs is missing, why it was not run.
pub(crate) fn smoke() -> Result<std::result::Result<String, String>> {
    let mut check = cargo("check");
    for program in PROGRAMS {
        check.args(["--package", program]);
    }
    workspace::run(&mut check)?;
    if !workspace::works(Command::new("valgrind").arg("--version")) {
        return Ok(Err("valgrind, which counts the instructions, is not installed".to_owned()));
    }
    workspace::run(runner().arg("smoke"))?;
    Ok(Ok(String::new()))
}

fn runner() -> Command {
    let mut cargo = cargo("run");
    cargo.args(["--package", "runner", "--"]);
    cargo
}

/// Of the benches' workspace, beside what the product's own has built: that need not be built again. What is measured is
/// built by the runner, in release.
fn cargo(command: &str) -> Command {
    let mut cargo = workspace::cargo([command, "--locked", "--manifest-path"]);
    cargo.arg(workspace::root().join("tests/bench/Cargo.toml"));
    cargo.arg("--target-dir").arg(workspace::root().join("target"));
    cargo
}
