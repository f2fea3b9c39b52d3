//! Each library crate by itself, with no feature and with each of its features.

use std::fs;
use std::path::Path;

use anyhow::Context as _;

use crate::metadata::{Metadata, Package};
use crate::{Result, workspace};

/// Builds and lints each of them.
pub(super) fn check() -> Result<String> {
    let metadata = Metadata::read()?;
    let mut count = 0;
    for package in metadata.libraries() {
        let code = code(package)?;
        let names = package.features.keys().map(String::as_str);
        for features in sets(&names.collect::<Vec<_>>(), |name| asks_for(&code, name)) {
            println!("{} with {}", package.name, if features.is_empty() { "no feature" } else { &features });
            // Clippy shares what it built of the dependencies with the step before, `cargo check` too; the
            // library's own warnings must be errors here as well: unused code shows only in such a build.
            let args = ["clippy", "--quiet", "--lib", "--no-default-features", "--features", &features, "-p"];
            workspace::run(workspace::cargo(args).args([&package.name, "--", "-D", "warnings"]))?;
            count += 1;
        }
    }
    Ok(format!("{count} builds"))
}

/// The feature sets that a crate is built with: none, each alone that its own code asks for, all. A feature that it
/// only passes on changes crates below it, and is built alone there.
fn sets(names: &[&str], own: impl Fn(&str) -> bool) -> Vec<String> {
    // An optional dependency that no feature names would be one of its own; `default` is what other steps build.
    let names: Vec<&str> = names.iter().copied().filter(|name| *name != "default").collect();
    let mut sets = vec![String::new()];
    sets.extend(names.iter().filter(|name| own(name)).map(|name| (*name).to_owned()));
    let all = names.join(",");
    if !sets.contains(&all) {
        sets.push(all);
    }
    sets
}

fn asks_for(code: &str, feature: &str) -> bool {
    code.contains(&format!("feature = \"{feature}\""))
}

/// All source text of a package's library.
fn code(package: &Package) -> Result<String> {
    let manifest = Path::new(&package.manifest_path);
    let mut code = String::new();
    let mut folders = vec![manifest.with_file_name("src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                code += &fs::read_to_string(&path).with_context(|| path.display().to_string())?;
            }
        }
    }
    Ok(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_feature_of_the_crates_own_is_built_alone_and_all_of_them_together() {
        let own = |name: &str| asks_for(r#"#[cfg(feature = "tls")] #[cfg(feature = "rsa")]"#, name);
        assert_eq!(sets(&[], own), [""]);
        assert_eq!(sets(&["default", "tls"], own), ["", "tls"]);
        assert_eq!(sets(&["default", "ed25519"], own), ["", "ed25519"]);
        assert_eq!(sets(&["default", "ed25519", "rsa", "tls"], own), ["", "rsa", "tls", "ed25519,rsa,tls"]);
    }
}
