//! `cargo xtask fuzz`: the fuzz targets (`tests/fuzz`) under libFuzzer; and their bodies on stable Rust, for CI.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, bail};

use crate::ci::tally::Tally;
use crate::{Result, workspace};

/// Arguments of `cargo xtask fuzz`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How long each target runs.
    #[arg(long, value_name = "N", default_value_t = 60)]
    seconds: u64,
    /// The target to run; without one, each of them in turn.
    target: Option<String>,
}

/// Runs `cargo xtask fuzz`.
pub(crate) fn run(args: Args) -> Result<()> {
    if !workspace::works(&mut workspace::cargo(["fuzz", "--version"])) {
        bail!(
            "cargo-fuzz is not installed: `cargo install cargo-fuzz`.\n\
             The bodies of the targets run without it, on stable Rust: `cargo xtask ci --only fuzz`."
        );
    }
    let targets = targets()?;
    let chosen: Vec<&String> = match &args.target {
        Some(name) => vec![
            targets
                .iter()
                .find(|target| *target == name)
                .with_context(|| format!("there is no target {name}; there are {}", targets.join(", ")))?,
        ],
        None => targets.iter().collect(),
    };
    // Among them libFuzzer finds those that it found before.
    workspace::run(runner().arg("--write-seeds").arg(dir().join("corpus")))?;
    for target in chosen {
        println!("{target}, {} s", args.seconds);
        let mut cargo = workspace::cargo(["fuzz", "run", "--features", "libfuzzer", "--fuzz-dir"]);
        cargo.arg(dir()).arg(target).arg("--").arg(format!("-max_total_time={}", args.seconds));
        // libFuzzer needs instrumentation that stable Rust has, but does not offer by its name.
        workspace::run(cargo.env("RUSTC_BOOTSTRAP", "1"))?;
    }
    Ok(())
}

/// Runs the body of each target on stable Rust for so long, and counts them.
pub(crate) fn bodies(seconds: u64) -> Result<Tally> {
    Tally::run(runner().args(["--seconds", &seconds.to_string()]))
}

/// The program that runs the bodies, ready to take its arguments.
fn runner() -> Command {
    let mut cargo = workspace::cargo(["run", "--locked", "--manifest-path"]);
    cargo.arg(dir().join("Cargo.toml")).args(["--bin", "bodies", "--"]);
    cargo.env("CARGO_TARGET_DIR", workspace::target_dir());
    cargo
}

/// The names of the targets, which are those of their files.
fn targets() -> Result<Vec<String>> {
    let files = dir().join("fuzz_targets");
    let files = std::fs::read_dir(&files).with_context(|| files.display().to_string())?;
    let mut names: Vec<String> = files
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()))
        .collect();
    names.sort();
    Ok(names)
}

fn dir() -> PathBuf {
    workspace::root().join("tests/fuzz")
}
