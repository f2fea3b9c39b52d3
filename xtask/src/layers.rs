//! `cargo xtask layers`: the dependency table (`xtask/spec/layers.toml`), enforced.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::{Context as _, bail};
use serde::Deserialize;

use crate::metadata::{Graph, Metadata, Package};
use crate::{Result, workspace};

/// Check that no crate depends on more than it may.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

pub(crate) fn run(Args {}: Args) -> Result<()> {
    let faults = check(&Table::read()?, &Metadata::read()?);
    for fault in &faults {
        eprintln!("{fault}");
    }
    if !faults.is_empty() {
        bail!("{} faults in the layers; the table is xtask/spec/layers.toml", faults.len());
    }
    Ok(())
}

/// What the table forbids below one of our crates, in a package that depends on it.
pub(crate) fn below(name: &str, user: &Metadata) -> Result<Vec<String>> {
    let package = user.package(name)?;
    let graph = Graph::new(user);
    let table = Table::read()?;
    let rules = table.below.iter().filter(|rule| rule.crates.iter().any(|listed| listed == name));
    Ok(rules.flat_map(|rule| rule.faults(&graph, package)).collect())
}

/// The crates of ours that a package names, but for one crate and what is below that.
pub(crate) fn not_below<'a>(name: &str, user: &'a Package, metadata: &'a Metadata) -> Result<Vec<&'a str>> {
    let package = metadata.package(name)?;
    let graph = Graph::new(metadata);
    let table = Table::read()?;
    let row = table.crates.iter().find(|row| row.name == name);
    let is_below = |other: &str| {
        row.is_some_and(|row| row.written.contains(other))
            || !graph.ways(&package.id, &BTreeSet::from([other.to_owned()])).is_empty()
    };
    let ours = user.dependencies.iter().filter(|dependency| dependency.path.is_some());
    Ok(ours.map(|d| d.name.as_str()).filter(|other| *other != name && !is_below(other)).collect())
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    #[serde(rename = "crate")]
    crates: Vec<Row>,
    below: Vec<Below>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    name: String,
    internal: BTreeSet<String>,
    external: Option<BTreeSet<String>>,
    /// Named by the code that a macro crate writes, so whoever uses it names them too.
    #[serde(default)]
    written: BTreeSet<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Below {
    crates: Vec<String>,
    never: BTreeSet<String>,
    why: String,
}

impl Table {
    fn read() -> Result<Self> {
        let text = fs::read_to_string(workspace::root().join("xtask/spec/layers.toml"))?;
        toml::from_str(&text).context("layers.toml")
    }
}

impl Below {
    fn faults<'a>(&self, graph: &Graph<'a>, package: &'a Package) -> Vec<String> {
        let ways = graph.ways(&package.id, &self.never);
        ways.into_iter().map(|way| format!("{way}: {}", self.why)).collect()
    }
}

/// Everything that is not as the table says.
fn check(table: &Table, metadata: &Metadata) -> Vec<String> {
    let layered = Path::new(&metadata.workspace_root).join("crates");
    let members: BTreeMap<&str, &Package> = metadata
        .members()
        .filter(|package| Path::new(&package.manifest_path).starts_with(&layered))
        .map(|package| (package.name.as_str(), package))
        .collect();
    let mut faults = Vec::new();
    for name in members.keys().filter(|name| !table.crates.iter().any(|row| row.name == **name)) {
        faults.push(format!("{name}: not in the table"));
    }
    for row in &table.crates {
        match members.get(row.name.as_str()) {
            Some(package) => faults.extend(direct(row, package, &members)),
            None => faults.push(format!("{}: in the table, not in the workspace", row.name)),
        }
    }
    let graph = Graph::new(metadata);
    for rule in &table.below {
        for name in &rule.crates {
            match members.get(name.as_str()) {
                Some(package) => faults.extend(rule.faults(&graph, package)),
                None => faults.push(format!("{name}: in the table, not in the workspace")),
            }
        }
    }
    faults
}

/// Dependencies that a crate names itself, optional ones and those of other platforms included.
fn direct(row: &Row, package: &Package, members: &BTreeMap<&str, &Package>) -> Vec<String> {
    let named = package.dependencies.iter().filter(|dependency| !dependency.is_dev());
    named
        .filter(|dependency| {
            let name = &dependency.name;
            if members.contains_key(name.as_str()) {
                !row.internal.contains(name)
            } else {
                row.external.as_ref().is_some_and(|external| !external.contains(name))
            }
        })
        .map(|dependency| format!("{}: may not depend on {}", row.name, dependency.name))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{Table, check};
    use crate::metadata::Metadata;

    const TABLE: &str = r#"
        [[crate]]
        name = "low"
        internal = []
        external = ["bytes"]
        [[crate]]
        name = "high"
        internal = ["low"]
        [[below]]
        crates = ["low"]
        never = ["tokio"]
        why = "no runtime"
    "#;

    /// A workspace of `low` and `high`; each is given by what it depends on: name and kind.
    fn faults(low: &[(&str, Option<&str>)], high: &[(&str, Option<&str>)]) -> Vec<String> {
        let package = |name: &str, deps: &[(&str, Option<&str>)]| {
            let deps: Vec<_> =
                deps.iter().map(|(name, kind)| serde_json::json!({"name": name, "kind": kind})).collect();
            let path = format!("/w/crates/{name}/Cargo.toml");
            serde_json::json!({"id": name, "name": name, "manifest_path": path, "dependencies": deps})
        };
        let node = |name: &str, deps: &[(&str, Option<&str>)]| {
            let edge = |(name, kind): &(&str, Option<&str>)| serde_json::json!({"pkg": name, "dep_kinds": [{"kind": kind}]});
            let deps: Vec<_> = deps.iter().map(edge).collect();
            serde_json::json!({"id": name, "deps": deps})
        };
        let hidden: &[(&str, Option<&str>)] = &[("tokio", None)];
        let metadata: Metadata = serde_json::from_value(serde_json::json!({
            "packages": [
                package("low", low),
                package("high", high),
                package("bytes", &[]),
                package("tokio", &[]),
                package("sneaky", hidden),
            ],
            "workspace_members": ["low", "high"],
            "workspace_root": "/w",
            "resolve": {"nodes": [node("low", low), node("high", high), node("sneaky", hidden)]},
        }))
        .unwrap();
        check(&toml::from_str::<Table>(TABLE).unwrap(), &metadata)
    }

    #[test]
    fn what_the_table_allows_passes() {
        assert!(faults(&[("bytes", None)], &[("low", None), ("tokio", None)]).is_empty());
    }

    #[test]
    fn dev_dependencies_are_free() {
        assert!(faults(&[("high", Some("dev")), ("sneaky", Some("dev"))], &[]).is_empty());
    }

    #[test]
    fn an_edge_upwards_is_found() {
        assert_eq!(faults(&[("high", None)], &[]), ["low: may not depend on high"]);
    }

    #[test]
    fn a_build_dependency_counts() {
        assert_eq!(faults(&[("high", Some("build"))], &[]), ["low: may not depend on high"]);
    }

    #[test]
    fn a_runtime_below_is_found_with_its_way() {
        let found = faults(&[("sneaky", None)], &[]);
        assert_eq!(found, ["low: may not depend on sneaky", "low -> sneaky -> tokio: no runtime"]);
    }

    #[test]
    fn table_and_workspace_name_the_same_crates() {
        let table = "below = []\n[[crate]]\nname = \"gone\"\ninternal = []\n";
        let metadata = r#"{
            "packages": [
                {"id": "new", "name": "new", "manifest_path": "/w/crates/new/Cargo.toml", "dependencies": []},
                {"id": "tool", "name": "tool", "manifest_path": "/w/tool/Cargo.toml", "dependencies": []}
            ],
            "workspace_members": ["new", "tool"],
            "workspace_root": "/w",
            "resolve": {"nodes": []}
        }"#;
        let metadata: Metadata = serde_json::from_str(metadata).unwrap();
        let found = check(&toml::from_str::<Table>(table).unwrap(), &metadata);
        assert_eq!(found, ["new: not in the table", "gone: in the table, not in the workspace"]);
    }
}
