//! TLS files for a server that makes none itself.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, ensure};

use super::install::option;
use crate::Result;

/// The server's certificate, named as MySQL names it.
pub(super) const SERVER_CERT: &str = "server-cert.pem";
const FILES: [&str; 6] =
    ["ca.pem", "ca-key.pem", SERVER_CERT, "server-key.pem", "client-cert.pem", "client-key.pem"];

/// Server options that name the files.
pub(super) fn options(dir: &Path) -> [String; 3] {
    [
        option("ssl-ca", &dir.join("ca.pem")),
        option("ssl-cert", &dir.join(SERVER_CERT)),
        option("ssl-key", &dir.join("server-key.pem")),
    ]
}

/// Puts the files into a folder: those of a MySQL server's data folder, else new ones.
pub(super) fn provide(from: Option<&Path>, into: &Path) -> Result<()> {
    if let Some(from) = from.filter(|dir| dir.join(SERVER_CERT).is_file()) {
        for file in FILES {
            fs::copy(from.join(file), into.join(file))
                .with_context(|| format!("copying {}", from.join(file).display()))?;
        }
        return Ok(());
    }
    generate(into).context("making TLS certificates")
}

/// A root, and a certificate for each side signed by it.
fn generate(dir: &Path) -> Result<()> {
    for (name, subject) in [("ca", "CA"), ("server", "Server"), ("client", "Client")] {
        let cert = if name == "ca" { "ca.pem".into() } else { format!("{name}-cert.pem") };
        let mut command = Command::new("openssl");
        command.current_dir(dir).args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "3650"]);
        command.args(["-subj", &format!("/CN=porpoise test {subject}")]);
        command.args(["-keyout", &format!("{name}-key.pem"), "-out", &cert]);
        if name != "ca" {
            command.args(["-CA", "ca.pem", "-CAkey", "ca-key.pem"]);
            command.args(["-addext", "basicConstraints=critical,CA:FALSE"]);
        }
        let output = command.output().context("starting openssl")?;
        ensure!(output.status.success(), "openssl: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}
