//! A folder of unpacked packages, and how its programs are run.
//!
//! They may need a newer C library than the machine's, so each is started by the loader of its own tree.

use std::fs;
use std::path::{Path, PathBuf};

use super::state::Program;

/// A complete tree.
#[derive(Clone, Debug)]
pub(super) struct Tree {
    root: PathBuf,
    loader: PathBuf,
    libraries: Vec<PathBuf>,
}

impl Tree {
    /// The tree in that folder, if there is one with a C library in it.
    ///
    /// The library's folder has the processor's name in it (`usr/lib/x86_64-linux-gnu`). Older releases have
    /// it in `lib`, newer in `usr/lib`; other packages of the same release may use either.
    pub(super) fn open(root: &Path) -> Option<Self> {
        let mut libraries = Vec::new();
        for folder in ["usr/lib", "lib"] {
            libraries.extend(entries(&root.join(folder)).into_iter().filter(|dir| holds_libraries(dir)));
        }
        let loader = libraries.iter().flat_map(|dir| entries(dir)).find(|file| {
            let name = file.file_name().unwrap_or_default().to_string_lossy();
            // ld-linux-x86-64.so.2, ld-linux-aarch64.so.1, ld64.so.2, ld.so.1
            name.starts_with("ld") && name.contains(".so.")
        })?;
        Some(Self { root: root.to_path_buf(), loader, libraries })
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// A path in the tree.
    pub(super) fn path(&self, relative: &str) -> PathBuf {
        self.root.join(relative)
    }

    /// A program of the tree.
    pub(super) fn program(&self, relative: &str) -> Program {
        let libraries: Vec<_> = self.libraries.iter().map(|dir| dir.display().to_string()).collect();
        Program {
            program: self.loader.clone(),
            args: vec![
                "--library-path".into(),
                libraries.join(":"),
                self.path(relative).display().to_string(),
            ],
        }
    }
}

fn holds_libraries(dir: &Path) -> bool {
    let name = dir.file_name().unwrap_or_default().to_string_lossy();
    name.contains("-linux-") && dir.is_dir()
}

fn entries(dir: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<_> = fs::read_dir(dir).into_iter().flatten().flatten().map(|e| e.path()).collect();
    paths.sort();
    paths
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loader_is_found_in_either_place() {
        let root = std::env::temp_dir().join(format!("porpoise-tree-{}", std::process::id()));
        for (libc, other) in [("usr/lib/aarch64-linux-gnu", "usr/lib/mysql"), ("lib/x86_64-linux-gnu", "lib")]
        {
            fs::create_dir_all(root.join(libc)).unwrap();
            fs::create_dir_all(root.join(other)).unwrap();
            assert!(Tree::open(&root).is_none());
            fs::write(root.join(libc).join("ld-linux-cpu.so.1"), "").unwrap();
            fs::write(root.join(libc).join("libldap.so.2"), "").unwrap();

            let program = Tree::open(&root).unwrap().program("usr/sbin/mysqld");
            assert_eq!(program.program, root.join(libc).join("ld-linux-cpu.so.1"));
            assert_eq!(program.args[1], root.join(libc).display().to_string());
            assert_eq!(program.args[2], root.join("usr/sbin/mysqld").display().to_string());
            fs::remove_dir_all(&root).unwrap();
        }
    }
}
