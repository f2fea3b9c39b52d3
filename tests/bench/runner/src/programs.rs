//! The programs, and how one is run.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use bench_harness::Report;

/// A client in the table: its program, flags, and what it is.
pub(crate) const CLIENTS: [(&str, &[&str], &str); 7] = [
    ("floor", &[], "floor: a raw socket, written by hand"),
    ("floor-tokio", &[], "the same through tokio's sockets"),
    ("peer-porpoise", &[], "porpoise on tokio"),
    ("peer-porpoise", &["--runtime", "blocking"], "porpoise, blocking"),
    ("peer-mysql-async", &[], "mysql_async"),
    ("peer-mysql", &[], "mysql"),
    ("peer-sqlx", &[], "sqlx"),
];

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
pub(crate) fn report(client: &mut Command) -> Result<Report> {
    let output = client.stderr(Stdio::inherit()).output()?;
    ensure!(output.status.success(), "{client:?}: {}", output.status);
    let text = String::from_utf8(output.stdout)?;
    let line = text.lines().last().context("no report")?;
    serde_json::from_str(line).with_context(|| line.to_owned())
}
