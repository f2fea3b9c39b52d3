//! Where things are: the workspace, the cache that clones share, and what belongs to this clone alone.
//!
//! ```text
//! CACHE/                      $PORPOISE_CACHE, $XDG_CACHE_HOME/porpoise, ~/.cache/porpoise or target/porpoise/cache
//!   trees/NAME-ARCH/          unpacked packages, shared, never changed once complete (but for added plugins)
//!   fetch/                    downloads under way
//!   instances/HASH/           this clone's servers; HASH is of the workspace path
//!     workspace               that path, so that a clone that is gone can be tidied up after
//!     NAME/{data,tmp,run,error.log,mysqld.pid}
//! ```

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use super::files;
use crate::Result;

/// The longest path that fits in `sockaddr_un`.
const SOCKET_PATH_MAX: usize = 107;

/// The folders of this clone.
#[derive(Debug)]
pub(super) struct Paths {
    pub(super) workspace: PathBuf,
    pub(super) cache: PathBuf,
    pub(super) instance: PathBuf,
    pub(super) state: PathBuf,
    hash: u64,
}

impl Paths {
    /// Finds them; makes none.
    pub(super) fn find() -> Result<Self> {
        let workspace =
            Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask has no parent folder")?;
        let cache = cache_dir(workspace, |name| env::var_os(name).map(PathBuf::from));
        let paths = Self::new(workspace.to_path_buf(), cache);
        for path in [&paths.workspace, &paths.cache] {
            if path.to_str().is_none() {
                bail!("{} is not UTF-8, which the servers' options need", path.display());
            }
        }
        Ok(paths)
    }

    fn new(workspace: PathBuf, cache: PathBuf) -> Self {
        let hash = files::digest(workspace.as_os_str().as_encoded_bytes());
        Self {
            instance: cache.join(format!("instances/{hash:016x}")),
            cache,
            state: super::state::path(&workspace),
            workspace,
            hash,
        }
    }

    /// The same for another clone that uses the same cache.
    pub(super) fn of_workspace(&self, workspace: PathBuf) -> Self {
        Self::new(workspace, self.cache.clone())
    }

    /// The folder for one server's sockets: its own if the paths in it are short enough for a Unix socket,
    /// else one in the folder for temporary files.
    pub(super) fn socket_dir(&self, server: &str) -> PathBuf {
        let own = self.instance.join(server).join("run");
        if own.join("mysqlx.sock").as_os_str().len() <= SOCKET_PATH_MAX {
            return own;
        }
        let user = rustix::process::getuid().as_raw();
        env::temp_dir().join(format!("porpoise-{user}-{:016x}-{server}", self.hash))
    }

    /// Where the search for free ports starts: apart for each clone, below the range for outgoing connections.
    pub(super) fn first_port(&self) -> u16 {
        20_000 + u16::try_from(self.hash % 10_000).unwrap_or(0)
    }
}

/// The first folder named by the environment, `target/` when it names none.
fn cache_dir(workspace: &Path, var: impl Fn(&str) -> Option<PathBuf>) -> PathBuf {
    let var = |name| var(name).filter(|dir| !dir.as_os_str().is_empty());
    // The cache may be used from another working directory than the one it was named in.
    if let Some(dir) = var("PORPOISE_CACHE") {
        return workspace.join(dir);
    }
    // Relative paths are to be ignored here, says the XDG Base Directory Specification.
    if let Some(dir) = var("XDG_CACHE_HOME").filter(|dir| dir.is_absolute()) {
        return dir.join("porpoise");
    }
    if let Some(dir) = var("HOME").filter(|dir| dir.is_absolute()) {
        return dir.join(".cache/porpoise");
    }
    workspace.join("target/porpoise/cache")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cache(vars: &[(&str, &str)]) -> String {
        let var = |name: &str| vars.iter().find(|(n, _)| *n == name).map(|(_, v)| PathBuf::from(v));
        cache_dir(Path::new("/ws"), var).display().to_string()
    }

    #[test]
    fn cache_follows_the_environment() {
        let home = ("HOME", "/home/a");
        assert_eq!(cache(&[("PORPOISE_CACHE", "/c"), ("XDG_CACHE_HOME", "/x"), home]), "/c");
        assert_eq!(cache(&[("PORPOISE_CACHE", "c"), home]), "/ws/c");
        assert_eq!(cache(&[("PORPOISE_CACHE", ""), ("XDG_CACHE_HOME", "/x"), home]), "/x/porpoise");
        assert_eq!(cache(&[("XDG_CACHE_HOME", "relative"), home]), "/home/a/.cache/porpoise");
        assert_eq!(cache(&[]), "/ws/target/porpoise/cache");
    }

    #[test]
    fn long_cache_paths_move_the_sockets() {
        let paths = |cache: &str| Paths {
            workspace: "/ws".into(),
            cache: cache.into(),
            instance: Path::new(cache).join("instances/0123456789abcdef"),
            state: "/ws/target/porpoise/servers.json".into(),
            hash: 0x0123_4567_89ab_cdef,
        };
        assert_eq!(
            paths("/c").socket_dir("mysql-9.7"),
            Path::new("/c/instances/0123456789abcdef/mysql-9.7/run")
        );
        let moved = paths(&format!("/{}", "long".repeat(20))).socket_dir("mysql-9.7");
        assert_eq!(moved.parent(), Some(env::temp_dir().as_path()));
        assert!(moved.to_str().unwrap().ends_with("-0123456789abcdef-mysql-9.7"), "{moved:?}");
    }
}
