//! The programs, and how one is run.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use serde::de::DeserializeOwned;

/// A client in the tables.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Client {
    pub(crate) program: &'static str,
    pub(crate) flags: &'static [&'static str],
    /// As in the tables' heads.
    pub(crate) name: &'static str,
}

const fn client(program: &'static str, flags: &'static [&'static str], name: &'static str) -> Client {
    Client { program, flags, name }
}

/// All clients; the first is what the others are compared with.
pub(crate) const CLIENTS: [Client; 7] = [
    client("floor", &[], "floor"),
    client("floor-tokio", &[], "floor on tokio"),
    client("peer-porpoise", &[], "porpoise on tokio"),
    client("peer-porpoise", &["--runtime", "blocking"], "porpoise, blocking"),
    client("peer-mysql-async", &[], "mysql_async"),
    client("peer-mysql", &[], "mysql"),
    client("peer-sqlx", &[], "sqlx"),
];
pub(crate) const FLOOR: usize = 0;
pub(crate) const FLOOR_TOKIO: usize = 1;
pub(crate) const PORPOISE: usize = 2;
pub(crate) const BLOCKING: usize = 3;
pub(crate) const PEERS: std::ops::Range<usize> = 4..7;

/// The folder of this workspace.
pub(crate) fn root() -> &'static Path {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.parent().unwrap_or(own)
}

/// Where everything is built.
pub(crate) fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// Builds what belongs to a manifest, in release.
pub(crate) fn cargo(manifest: &Path) -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--release", "--locked", "--manifest-path"]).arg(manifest);
    cargo.env("CARGO_TARGET_DIR", target());
    cargo
}

/// Where the built programs are.
pub(crate) struct Programs {
    folder: PathBuf,
}

impl Programs {
    /// Builds some packages, or all.
    pub(crate) fn build(packages: &[&str]) -> Result<Self> {
        let mut cargo = cargo(&root().join("Cargo.toml"));
        if packages.is_empty() {
            cargo.arg("--workspace");
        }
        for package in packages {
            cargo.args(["--package", package]);
        }
        ensure!(cargo.status()?.success(), "the benches do not build");
        Ok(Self { folder: target().join("release") })
    }

    /// A program.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// A program, pinned to one CPU where the system can do that.
    pub(crate) fn pinned(&self, name: &str) -> Command {
        let pin =
            Command::new("taskset").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
        if pin.is_ok_and(|status| status.success()) {
            let mut command = Command::new("taskset");
            command.args(["-c", "0"]).arg(self.path(name));
            return command;
        }
        Command::new(self.path(name))
    }
}

/// Runs a client and takes its report.
pub(crate) fn report<R: DeserializeOwned>(client: &mut Command) -> Result<R> {
    let output = client.stderr(Stdio::inherit()).output()?;
    ensure!(output.status.success(), "{client:?}: {}", output.status);
    let text = String::from_utf8(output.stdout)?;
    let line = text.lines().last().context("no report")?;
    serde_json::from_str(line).with_context(|| line.to_owned())
}

/// The same of a client that may not have the workload.
pub(crate) fn report_if_any<R: DeserializeOwned>(client: &mut Command) -> Option<R> {
    let output = client.stderr(Stdio::null()).output().ok().filter(|output| output.status.success())?;
    serde_json::from_str(String::from_utf8(output.stdout).ok()?.lines().last()?).ok()
}
