//! The product without its trace: a copy of the sources from which every emission is taken out, built as the product
//! is, to be counted beside it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use toml::{Table, Value};

use crate::programs::{cargo, root, target};
use crate::strip::strip;

/// The program, and that of the copy, in the same folder.
pub(crate) const KEPT: &str = "no-trace";
pub(crate) const STRIPPED: &str = "no-trace-stripped";

/// The crates that tell the trace something in a connect. What is above them only listens.
const EMITTING: [&str; 3] = ["wire", "classic", "classic-connect"];

/// Builds both programs. How many emissions were taken out of the copy.
///
/// # Errors
/// An emission was left in, or one of them does not build.
pub(crate) fn build() -> Result<usize> {
    let mut copy = Copy { root: target().join("stripped"), taken: 0 };
    for path in ["Cargo.toml", "crates", "tests/bench"] {
        copy.take(Path::new(path))?;
    }
    for (sources, program) in [(root(), KEPT), (&copy.root.join("tests/bench"), STRIPPED)] {
        let mut cargo = cargo(&sources.join("inproc/Cargo.toml"));
        cargo.args(["--no-default-features", "--bin", program]);
        ensure!(cargo.status()?.success(), "{program} does not build");
    }
    Ok(copy.taken)
}

struct Copy {
    root: PathBuf,
    taken: usize,
}

impl Copy {
    /// Takes a file, or all that is in a folder.
    fn take(&mut self, path: &Path) -> Result<()> {
        let from = root().join("../..").join(path);
        if !from.is_dir() {
            return self.take_file(path, &from).with_context(|| path.display().to_string());
        }
        for entry in fs::read_dir(&from)? {
            let name = entry?.file_name();
            if name != "target" {
                self.take(&path.join(name))?;
            }
        }
        Ok(())
    }

    fn take_file(&mut self, path: &Path, from: &Path) -> Result<()> {
        let mut content = fs::read(from)?;
        let mut to = self.root.join(path);
        if path == Path::new("Cargo.toml") {
            content = quiet(std::str::from_utf8(&content)?)?.into();
        } else if path == Path::new("tests/bench/inproc/src/bin/no-trace.rs") {
            to.set_file_name(format!("{STRIPPED}.rs"));
        } else if may_emit(path) {
            let (text, taken) = strip(std::str::from_utf8(&content)?)?;
            self.taken += taken;
            content = text.into();
        }
        // What has not changed is not built again.
        if fs::read(&to).is_ok_and(|old| old == content) {
            return Ok(());
        }
        fs::create_dir_all(to.parent().context("no folder")?)?;
        Ok(fs::write(to, content)?)
    }
}

fn may_emit(path: &Path) -> bool {
    let of = |name: &str| path.starts_with(Path::new("crates").join(name).join("src"));
    path.extension().is_some_and(|extension| extension == "rs") && EMITTING.into_iter().any(of)
}

/// The manifest without lints: nobody need hear that something is unused now.
fn quiet(manifest: &str) -> Result<String> {
    let mut manifest: Table = toml::from_str(manifest)?;
    let lint = |name: &str| Value::Table(Table::from_iter([(name.to_owned(), Value::from("allow"))]));
    let lints = Table::from_iter([("rust".to_owned(), lint("warnings")), ("clippy".to_owned(), lint("all"))]);
    let workspace = manifest.get_mut("workspace").and_then(Value::as_table_mut).context("no workspace")?;
    workspace.insert("lints".to_owned(), Value::Table(lints));
    Ok(toml::to_string(&manifest)?)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::Copy;

    #[test]
    fn every_emission_of_the_product_has_a_known_form() {
        let folder = tempfile::tempdir().unwrap();
        let mut copy = Copy { root: folder.path().to_owned(), taken: 0 };
        copy.take(Path::new("crates")).unwrap();
        assert!(copy.taken > 20, "{}", copy.taken);
    }
}
