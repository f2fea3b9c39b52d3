//! `cargo xtask layers`: the dependency table (`xtask/spec/layers.toml`), enforced.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;

/// Check that no crate depends on more than it may.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

pub(crate) fn run(Args {}: Args) -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask has no parent folder")?;
    let path = root.join("xtask/spec/layers.toml");
    let table: Table = toml::from_str(&fs::read_to_string(&path)?).context("layers.toml")?;
    let metadata = metadata(root)?;
    let faults = check(&table, &metadata);
    for fault in &faults {
        eprintln!("{fault}");
    }
    if !faults.is_empty() {
        bail!("{} faults in the layers; the table is xtask/spec/layers.toml", faults.len());
    }
    Ok(())
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
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Below {
    crates: Vec<String>,
    never: BTreeSet<String>,
    why: String,
}

/// The parts of cargo's answer that matter here.
#[derive(Debug, Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    workspace_members: BTreeSet<String>,
    workspace_root: String,
    resolve: Resolve,
}

#[derive(Debug, Deserialize)]
struct Package {
    id: String,
    name: String,
    manifest_path: String,
    dependencies: Vec<Dependency>,
}

#[derive(Debug, Deserialize)]
struct Dependency {
    name: String,
    kind: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Debug, Deserialize)]
struct Node {
    id: String,
    deps: Vec<Edge>,
}

#[derive(Debug, Deserialize)]
struct Edge {
    pkg: String,
    dep_kinds: Vec<Kind>,
}

#[derive(Debug, Deserialize)]
struct Kind {
    kind: Option<String>,
}

/// A dependency that users of the crate do not get.
fn is_dev(kind: Option<&str>) -> bool {
    kind == Some("dev")
}

/// Everything that is not as the table says.
fn check(table: &Table, metadata: &Metadata) -> Vec<String> {
    let members: BTreeMap<&str, &Package> = metadata
        .packages
        .iter()
        .filter(|package| metadata.workspace_members.contains(&package.id))
        .filter(|package| Path::new(&package.manifest_path).starts_with(layered(metadata)))
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
                Some(package) => faults.extend(graph.find(&package.id, rule)),
                None => faults.push(format!("{name}: in the table, not in the workspace")),
            }
        }
    }
    faults
}

/// The folder whose crates are layers; tools and tests beside it may depend on anything.
fn layered(metadata: &Metadata) -> std::path::PathBuf {
    Path::new(&metadata.workspace_root).join("crates")
}

/// Dependencies that a crate names itself, optional ones and those of other platforms included.
fn direct(row: &Row, package: &Package, members: &BTreeMap<&str, &Package>) -> Vec<String> {
    let named = package.dependencies.iter().filter(|dependency| !is_dev(dependency.kind.as_deref()));
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

/// The resolved dependencies without dev-dependencies, by package id.
struct Graph<'a> {
    names: BTreeMap<&'a str, &'a str>,
    edges: BTreeMap<&'a str, Vec<&'a str>>,
}

impl<'a> Graph<'a> {
    fn new(metadata: &'a Metadata) -> Self {
        let used = |edge: &&'a Edge| edge.dep_kinds.iter().any(|kind| !is_dev(kind.kind.as_deref()));
        let edges = metadata.resolve.nodes.iter().map(|node| {
            let below = node.deps.iter().filter(used).map(|edge| edge.pkg.as_str());
            (node.id.as_str(), below.collect())
        });
        let names = metadata.packages.iter().map(|package| (package.id.as_str(), package.name.as_str()));
        Self { names: names.collect(), edges: edges.collect() }
    }

    /// Forbidden packages below `start`, each with a shortest way to it.
    fn find(&self, start: &'a str, rule: &Below) -> Vec<String> {
        let mut came_from: BTreeMap<&str, Option<&str>> = BTreeMap::from([(start, None)]);
        let mut queue = VecDeque::from([start]);
        let mut faults = Vec::new();
        while let Some(id) = queue.pop_front() {
            if id != start && rule.never.contains(self.name(id)) {
                faults.push(format!("{}: {}", self.way(id, &came_from), rule.why));
                continue;
            }
            for next in self.edges.get(id).into_iter().flatten() {
                came_from.entry(next).or_insert_with(|| {
                    queue.push_back(next);
                    Some(id)
                });
            }
        }
        faults
    }

    fn name(&self, id: &'a str) -> &'a str {
        self.names.get(id).copied().unwrap_or(id)
    }

    fn way(&self, end: &'a str, came_from: &BTreeMap<&'a str, Option<&'a str>>) -> String {
        let back = std::iter::successors(Some(end), |id| came_from.get(id).copied().flatten());
        let mut names: Vec<_> = back.map(|id| self.name(id)).collect();
        names.reverse();
        names.join(" -> ")
    }
}

/// The workspace as cargo resolves it for this machine, all features on.
fn metadata(root: &Path) -> Result<Metadata> {
    let host = format!("--filter-platform={}", host()?);
    let args = ["metadata", "--format-version=1", "--all-features", "--locked", &host];
    let done = Command::new(env!("CARGO")).args(args).current_dir(root).output().context("cargo metadata")?;
    if !done.status.success() {
        bail!("cargo metadata: {}", String::from_utf8_lossy(&done.stderr).trim());
    }
    serde_json::from_slice(&done.stdout).context("cargo metadata")
}

/// The platform of this machine, so that cargo fetches no packages of others.
fn host() -> Result<String> {
    let done = Command::new("rustc").arg("-vV").output().context("rustc -vV")?;
    let text = String::from_utf8(done.stdout)?;
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("rustc -vV names no host")?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::{Metadata, Table, check};

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
