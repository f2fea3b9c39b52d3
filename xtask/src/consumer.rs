//! The consumers (`tests/consumers/*`): programs that use one crate of ours and nothing above it.
//!
//! Each is a package with a workspace of its own, so that it is built with what it asks for and nothing more. Its
//! manifest says what it is:
//!
//! ```toml
//! [package.metadata.consumer]
//! of = "porpoise-wire"    # the crate it uses; it may name those below it, whose types that crate speaks
//! server = false          # whether it is given the URL of a server as its argument
//! ```

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, bail, ensure};
use serde::Deserialize;

use crate::metadata::Metadata;
use crate::{Result, layers, workspace};

/// Their manifests.
pub(crate) fn manifests() -> Result<Vec<PathBuf>> {
    let dir = fs::read_dir(workspace::root().join("tests/consumers"))?;
    let files = dir.flatten().map(|entry| entry.path().join("Cargo.toml"));
    let mut manifests: Vec<PathBuf> = files.filter(|path| path.is_file()).collect();
    manifests.sort();
    Ok(manifests)
}

/// One consumer.
#[derive(Debug)]
pub(crate) struct Consumer {
    manifest: PathBuf,
    about: About,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct About {
    of: String,
    server: bool,
}

/// The parts of a manifest that are read here.
#[derive(Debug, Deserialize)]
struct Manifest {
    package: ManifestPackage,
}

#[derive(Debug, Deserialize)]
struct ManifestPackage {
    metadata: ManifestMetadata,
}

#[derive(Debug, Deserialize)]
struct ManifestMetadata {
    consumer: About,
}

impl Consumer {
    /// All of them, by the name of their folder.
    pub(crate) fn all() -> Result<Vec<Self>> {
        manifests()?.into_iter().map(Self::read).collect()
    }

    fn read(manifest: PathBuf) -> Result<Self> {
        let doing = || manifest.display().to_string();
        let text = fs::read_to_string(&manifest).with_context(doing)?;
        let read: Manifest = toml::from_str(&text).with_context(doing)?;
        Ok(Self { manifest, about: read.package.metadata.consumer })
    }

    /// The crate that it uses.
    pub(crate) fn of(&self) -> &str {
        &self.about.of
    }

    /// Whether it wants the URL of a server.
    pub(crate) fn wants_server(&self) -> bool {
        self.about.server
    }

    /// Checks that it names no crate of ours above the one it uses, and that nothing is below that must not be.
    pub(crate) fn check_layers(&self) -> Result<()> {
        self.take_lock_file()?;
        let metadata = Metadata::of(&self.manifest, &[])?;
        let own = metadata.members().next().context("a consumer is a package")?;
        let above = layers::not_below(self.of(), own, &metadata)?;
        ensure!(above.is_empty(), "{} uses {}, which {} does not", own.name, above.join(", "), self.of());
        let faults = layers::below(self.of(), &metadata)?;
        ensure!(faults.is_empty(), "{}", faults.join("\n"));
        Ok(())
    }

    /// A cargo command for it, `build` or `run`.
    pub(crate) fn cargo(&self, command: &str, options: &[&str]) -> Result<Command> {
        self.take_lock_file()?;
        let mut cargo = workspace::cargo([command, "--manifest-path"]);
        cargo.arg(&self.manifest);
        // With the main workspace's profile what was built there is used. Another profile is another build.
        for setting in profile()? {
            cargo.args(["--config", &setting]);
        }
        cargo.args(options).env("CARGO_TARGET_DIR", workspace::target_dir());
        Ok(cargo)
    }

    /// Gives it the versions of the main workspace: they are the ones that were tested, and they are built.
    fn take_lock_file(&self) -> Result<()> {
        let from = workspace::root().join("Cargo.lock");
        let to = self.manifest.with_file_name("Cargo.lock");
        fs::copy(&from, &to).with_context(|| format!("copying {} to {}", from.display(), to.display()))?;
        Ok(())
    }
}

/// The main workspace's settings for dependencies in the profile `dev`, as cargo's option `--config` takes them.
fn profile() -> Result<Vec<String>> {
    let manifest = fs::read_to_string(workspace::root().join("Cargo.toml"))?;
    let manifest: toml::Table = toml::from_str(&manifest).context("Cargo.toml")?;
    let table = |of: &toml::Table, key: &str| {
        of.get(key).and_then(toml::Value::as_table).cloned().unwrap_or_default()
    };
    let packages = table(&table(&table(&manifest, "profile"), "dev"), "package");
    let settings = packages.iter().flat_map(|(package, settings)| {
        let settings = settings.as_table().into_iter().flatten();
        settings.map(move |(key, value)| format!("profile.dev.package.\"{package}\".{key}={value}"))
    });
    Ok(settings.collect())
}

/// Builds and runs the facade's consumer with these features only.
pub(crate) fn facade(features: &str, url: &str) -> Result<()> {
    let all = Consumer::all()?;
    let Some(consumer) = all.iter().find(|consumer| consumer.of() == "porpoise") else {
        bail!("tests/consumers has none for the facade");
    };
    let options = ["--no-default-features", "--features", features, "--", url];
    workspace::run(&mut consumer.cargo("run", &options)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dependencies_are_built_as_in_the_workspace() {
        let settings = profile().unwrap();
        assert!(settings.contains(&r#"profile.dev.package."*".debug=false"#.to_owned()), "{settings:?}");
    }

    #[test]
    fn each_consumer_says_what_it_is_of() {
        let consumers = Consumer::all().unwrap();
        assert!(consumers.iter().all(|consumer| consumer.of().starts_with("porpoise")));
        assert!(consumers.iter().any(|consumer| consumer.of() == "porpoise" && consumer.wants_server()));
    }
}
