//! Licences, sources and version requirements of all dependencies, held against `deny.toml`.
//!
//! `cargo deny check` reads the same file and checks more (advisories, for one); it is used too where it is
//! installed. This check needs nothing but cargo.

use std::fs;

use anyhow::{Context as _, bail, ensure};
use serde::Deserialize;
use spdx::{Expression, Licensee, ParseMode};

use crate::metadata::{Metadata, Package};
use crate::{Result, workspace};

/// The parts of `deny.toml` that are checked here.
#[derive(Debug, Deserialize)]
struct Policy {
    licenses: Licenses,
    sources: Sources,
}

#[derive(Debug, Deserialize)]
struct Licenses {
    allow: Vec<String>,
    #[serde(default)]
    exceptions: Vec<Exception>,
}

/// Licences that one crate may have.
#[derive(Debug, Deserialize)]
struct Exception {
    #[serde(rename = "crate")]
    name: String,
    allow: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Sources {
    allow_registry: Vec<String>,
}

/// Checks the packages of the main workspace and of the fuzz targets. Those of `tests/bench` are not ours to choose:
/// they are other clients, with what these depend on, and nothing of it is built into anything of ours.
pub(super) fn check() -> Result<String> {
    let policy = fs::read_to_string(workspace::root().join("deny.toml")).context("deny.toml")?;
    let policy: Policy = toml::from_str(&policy).context("deny.toml")?;
    let mut faults = Vec::new();
    let mut count = 0;
    for dir in ["", "tests/fuzz"] {
        let manifest = workspace::root().join(dir).join("Cargo.toml");
        let metadata = Metadata::of(&manifest, &["--all-features", "--locked"])?;
        count += metadata.packages.len();
        faults.extend(policy.faults(&metadata)?);
    }
    ensure!(faults.is_empty(), "{}", faults.join("\n"));
    let mut detail = format!("{count} packages");
    if workspace::works(&mut workspace::cargo(["deny", "--version"])) {
        // Advisories are left out: a new one must not fail a change that has nothing to do with it.
        workspace::run(&mut workspace::cargo([
            "deny",
            "--all-features",
            "check",
            "bans",
            "licenses",
            "sources",
        ]))?;
        detail.push_str(", also by cargo-deny");
    }
    Ok(detail)
}

impl Policy {
    fn faults(&self, metadata: &Metadata) -> Result<Vec<String>> {
        let mut faults = Vec::new();
        for package in &metadata.packages {
            let name = format!("{} {}", package.name, package.version);
            if let Err(error) = licensed(package, &self.allowed(package)?) {
                faults.push(format!("{name}: {error:#}"));
            }
            if let Some(source) = &package.source
                && !self.sources.allow_registry.iter().any(|allowed| source == &format!("registry+{allowed}"))
            {
                faults.push(format!("{name}: comes from {source}"));
            }
        }
        for package in metadata.members() {
            let wild = package.dependencies.iter().filter(|d| d.req == "*" && d.path.is_none());
            faults.extend(wild.map(|d| format!("{}: any version of {} would do", package.name, d.name)));
        }
        Ok(faults)
    }

    fn allowed(&self, package: &Package) -> Result<Vec<Licensee>> {
        let exceptions = self.licenses.exceptions.iter().filter(|exception| exception.name == package.name);
        let names = self.licenses.allow.iter().chain(exceptions.flat_map(|exception| &exception.allow));
        names.map(|name| Licensee::parse(name).with_context(|| format!("deny.toml: {name}"))).collect()
    }
}

/// Whether its licence expression can be met with these.
fn licensed(package: &Package, allowed: &[Licensee]) -> Result<()> {
    let text = package.license.as_deref().context("names no licence")?;
    let expression =
        Expression::parse_mode(text, ParseMode::LAX).with_context(|| format!("licence {text}"))?;
    if !expression.evaluate(|wanted| allowed.iter().any(|licence| licence.satisfies(wanted))) {
        bail!("licence {text} is not allowed");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: &str = r#"
        [licenses]
        allow = ["MIT", "ISC", "Apache-2.0"]
        exceptions = [{ crate = "dep", allow = ["NCSA"] }, { crate = "other", allow = ["Zlib"] }]
        [sources]
        allow-registry = ["https://example.org/index"]
    "#;

    fn faults(licence: Option<&str>, source: &str, req: &str, path: Option<&str>) -> Vec<String> {
        let policy: Policy = toml::from_str(POLICY).unwrap();
        let own = serde_json::json!({
            "id": "own", "name": "own", "version": "0.1.0", "license": "MIT", "source": null,
            "manifest_path": "/w/Cargo.toml",
            "dependencies": [{"name": "dep", "kind": null, "req": req, "path": path}],
        });
        let dep = serde_json::json!({
            "id": "dep", "name": "dep", "version": "1.2.3", "license": licence, "source": source,
            "manifest_path": "/r/Cargo.toml", "dependencies": [],
        });
        let metadata = serde_json::from_value(serde_json::json!({
            "packages": [own, dep], "workspace_members": ["own"], "workspace_root": "/w",
            "resolve": {"nodes": []},
        }));
        policy.faults(&metadata.unwrap()).unwrap()
    }

    const INDEX: &str = "registry+https://example.org/index";

    #[test]
    fn expressions_are_met_or_not() {
        let of = |licence| faults(licence, INDEX, "^1", None);
        assert!(of(Some("MIT")).is_empty());
        assert!(of(Some("MIT/GPL-2.0")).is_empty());
        assert!(of(Some("MIT AND NCSA")).is_empty());
        assert_eq!(of(Some("Zlib")), ["dep 1.2.3: licence Zlib is not allowed"]);
        assert!(of(Some("ISC AND (Apache-2.0 OR GPL-3.0-only)")).is_empty());
        assert_eq!(
            of(Some("ISC AND GPL-2.0-only")),
            ["dep 1.2.3: licence ISC AND GPL-2.0-only is not allowed"]
        );
        assert_eq!(of(None), ["dep 1.2.3: names no licence"]);
    }

    #[test]
    fn sources_and_wildcards_are_seen() {
        let git = "git+https://example.org/repo";
        assert_eq!(faults(Some("MIT"), git, "^1", None), [format!("dep 1.2.3: comes from {git}")]);
        assert_eq!(faults(Some("MIT"), INDEX, "*", None), ["own: any version of dep would do"]);
        assert!(faults(Some("MIT"), INDEX, "*", Some("/w/dep")).is_empty());
    }
}
