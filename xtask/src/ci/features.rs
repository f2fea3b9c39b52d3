//! Each library crate by itself, with no feature and with each of its features.

use std::collections::BTreeMap;

use crate::metadata::Metadata;
use crate::{Result, workspace};

/// Builds and lints each of them.
pub(super) fn check() -> Result<String> {
    let metadata = Metadata::read()?;
    let mut count = 0;
    for package in metadata.libraries() {
        for features in sets(&package.features) {
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

/// The feature sets that a crate is built with: none, each alone, all.
fn sets(features: &BTreeMap<String, Vec<String>>) -> Vec<String> {
    // An optional dependency that no feature names would be one of its own; `default` is what other steps build.
    let names: Vec<&str> = features.keys().map(String::as_str).filter(|name| *name != "default").collect();
    let mut sets = vec![String::new()];
    sets.extend(names.iter().map(|name| (*name).to_owned()));
    if names.len() > 1 {
        sets.push(names.join(","));
    }
    sets
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_feature_is_built_alone_and_with_all_others() {
        let of = |names: &[&str]| sets(&names.iter().map(|name| ((*name).to_owned(), Vec::new())).collect());
        assert_eq!(of(&[]), [""]);
        assert_eq!(of(&["default", "tls"]), ["", "tls"]);
        assert_eq!(of(&["default", "ed25519", "rsa"]), ["", "ed25519", "rsa", "ed25519,rsa"]);
    }
}
