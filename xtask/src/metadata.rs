//! The parts of `cargo metadata` that the commands read.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::Path;
use std::process::Command;

use anyhow::Context as _;
use serde::Deserialize;

use crate::{Result, workspace};

/// Cargo's answer.
#[derive(Debug, Deserialize)]
pub(crate) struct Metadata {
    pub(crate) packages: Vec<Package>,
    pub(crate) workspace_members: BTreeSet<String>,
    pub(crate) workspace_root: String,
    resolve: Resolve,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Package {
    pub(crate) id: String,
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) version: String,
    pub(crate) license: Option<String>,
    /// Where it comes from; none for a path.
    pub(crate) source: Option<String>,
    pub(crate) manifest_path: String,
    pub(crate) dependencies: Vec<Dependency>,
    #[serde(default)]
    pub(crate) features: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    pub(crate) targets: Vec<Target>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    pub(crate) kind: Option<String>,
    #[serde(default)]
    pub(crate) req: String,
    pub(crate) path: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Target {
    pub(crate) name: String,
    pub(crate) kind: Vec<String>,
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

impl Dependency {
    /// A dependency that users of the crate do not get.
    pub(crate) fn is_dev(&self) -> bool {
        is_dev(self.kind.as_deref())
    }
}

impl Package {
    /// Whether it has tests of that name.
    pub(crate) fn has_tests(&self, name: &str) -> bool {
        self.targets.iter().any(|target| target.name == name && target.kind.iter().any(|kind| kind == "test"))
    }

    /// Whether it is a library.
    pub(crate) fn is_library(&self) -> bool {
        self.targets.iter().any(|target| target.kind.iter().any(|kind| kind == "lib"))
    }
}

fn is_dev(kind: Option<&str>) -> bool {
    kind == Some("dev")
}

impl Metadata {
    /// This workspace as cargo resolves it for this machine, all features on.
    pub(crate) fn read() -> Result<Self> {
        Self::of(&workspace::root().join("Cargo.toml"), &["--all-features", "--locked"])
    }

    /// Any package or workspace.
    pub(crate) fn of(manifest: &Path, more: &[&str]) -> Result<Self> {
        // Of this machine's platform only, so that cargo fetches no packages of others.
        let platform = format!("--filter-platform={}", host()?);
        let args = ["metadata", "--format-version=1", &platform, "--manifest-path"];
        let text = workspace::output(workspace::cargo(args).arg(manifest).args(more))?;
        serde_json::from_str(&text).context("cargo metadata")
    }

    /// The package of that name.
    pub(crate) fn package(&self, name: &str) -> Result<&Package> {
        self.packages
            .iter()
            .find(|package| package.name == name)
            .with_context(|| format!("{name} is not used"))
    }

    /// The packages of the workspace.
    pub(crate) fn members(&self) -> impl Iterator<Item = &Package> {
        self.packages.iter().filter(|package| self.workspace_members.contains(&package.id))
    }

    /// The library crates, which are in `crates/`. Tools and tests beside it are none.
    pub(crate) fn libraries(&self) -> impl Iterator<Item = &Package> {
        let crates = Path::new(&self.workspace_root).join("crates");
        self.members().filter(move |package| {
            package.is_library() && Path::new(&package.manifest_path).starts_with(&crates)
        })
    }
}

/// The resolved dependencies without dev-dependencies, by package id.
#[derive(Debug)]
pub(crate) struct Graph<'a> {
    names: BTreeMap<&'a str, &'a str>,
    edges: BTreeMap<&'a str, Vec<&'a str>>,
}

impl<'a> Graph<'a> {
    pub(crate) fn new(metadata: &'a Metadata) -> Self {
        let used = |edge: &&'a Edge| edge.dep_kinds.iter().any(|kind| !is_dev(kind.kind.as_deref()));
        let edges = metadata.resolve.nodes.iter().map(|node| {
            let below = node.deps.iter().filter(used).map(|edge| edge.pkg.as_str());
            (node.id.as_str(), below.collect())
        });
        let names = metadata.packages.iter().map(|package| (package.id.as_str(), package.name.as_str()));
        Self { names: names.collect(), edges: edges.collect() }
    }

    /// Packages of the names in `never` below `start`, each as a shortest way to it.
    pub(crate) fn ways(&self, start: &'a str, never: &BTreeSet<String>) -> Vec<String> {
        let mut came_from: BTreeMap<&str, Option<&str>> = BTreeMap::from([(start, None)]);
        let mut queue = VecDeque::from([start]);
        let mut ways = Vec::new();
        while let Some(id) = queue.pop_front() {
            if id != start && never.contains(self.name(id)) {
                ways.push(self.way(id, &came_from));
                continue;
            }
            for next in self.edges.get(id).into_iter().flatten() {
                came_from.entry(next).or_insert_with(|| {
                    queue.push_back(next);
                    Some(id)
                });
            }
        }
        ways
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

/// This machine's platform.
fn host() -> Result<String> {
    let text = workspace::output(Command::new("rustc").arg("-vV"))?;
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("rustc -vV names no host")?.to_owned())
}
