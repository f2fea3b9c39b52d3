//! The servers that can be had, and the places where their programs are looked for.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use anyhow::{Context, bail, ensure};

use super::apt::{self, Packages};
use super::paths::Paths;
use super::state::{Program, Source};
use super::tree::Tree;
use crate::Result;

/// The two families: they differ in options, in how data folders are made, and in X Plugin.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Family {
    MySql,
    MariaDb,
}

/// One kind of server that tests ask for.
#[derive(Debug)]
pub(super) struct Kind {
    /// The name in the state file.
    pub(super) name: &'static str,
    pub(super) family: Family,
    /// It makes a TLS certificate by itself.
    pub(super) own_certificate: bool,
    packages: Packages,
    image: &'static str,
}

/// The server that is always there.
pub(super) const MYSQL: Kind = Kind {
    name: "mysql-9.7",
    family: Family::MySql,
    own_certificate: true,
    packages: Packages { suite: "sid", whole: &["mysql-server-core", "mysql-client-core"], alone: &[] },
    image: "mysql:9.7",
};

/// The servers that `--all` adds. Their authentication plugins are in the package of the whole server.
pub(super) const MARIADB: [Kind; 2] = [
    Kind {
        name: "mariadb-10.11",
        family: Family::MariaDb,
        own_certificate: false,
        packages: MARIADB_PACKAGES,
        image: "mariadb:10.11",
    },
    Kind {
        name: "mariadb-11.8",
        family: Family::MariaDb,
        own_certificate: true,
        packages: Packages { suite: "trixie", ..MARIADB_PACKAGES },
        image: "mariadb:11.8",
    },
];

const MARIADB_PACKAGES: Packages = Packages {
    suite: "bookworm",
    whole: &["mariadb-server-core", "mariadb-client-core"],
    alone: &["mariadb-server"],
};

/// How an empty data folder is filled.
#[derive(Clone, Debug)]
pub(super) enum Bootstrap {
    /// The server does it: `--initialize-insecure`.
    Initialize,
    /// The server is given the SQL scripts in that folder: `--bootstrap`.
    Scripts(PathBuf),
    /// A program does it: `mariadb-install-db`.
    InstallDb(Program),
}

/// Programs that can be run here.
#[derive(Clone, Debug)]
pub(super) struct Installation {
    pub(super) source: Source,
    pub(super) server: Program,
    pub(super) client: Program,
    /// Options that tell the server where its own files are.
    pub(super) options: Vec<String>,
    pub(super) bootstrap: Bootstrap,
    pub(super) tree: Option<Tree>,
}

/// A program on `PATH`, or where systems keep daemons that are not on the `PATH` of a normal user.
fn on_path(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let dirs = env::split_paths(&path).chain(["/usr/sbin", "/usr/libexec"].map(PathBuf::from));
    dirs.map(|dir| dir.join(name)).find(|file| file.is_file())
}

/// A MySQL client on `PATH`.
pub(super) fn client_on_path() -> Option<Program> {
    on_path("mysql").map(Program::plain)
}

/// The client of the unpacked MySQL, if it was fetched before.
pub(super) fn client_in_cache(paths: &Paths) -> Option<Program> {
    let trees = fs::read_dir(paths.cache.join("trees")).ok()?;
    let mut dirs = trees.flatten().map(|entry| entry.path());
    let dir = dirs.find(|dir| {
        let name = dir.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with(MYSQL.name) && !name.ends_with(".partial")
    })?;
    Tree::open(&dir).map(|tree| tree.program("usr/bin/mysql"))
}

impl Kind {
    /// The programs from that source.
    pub(super) fn install(&self, source: Source, paths: &Paths) -> Result<Installation> {
        match source {
            Source::Path => self.path_programs(),
            Source::Apt => self.package_programs(paths),
            Source::Docker => self.image_programs(paths),
            Source::Url => bail!("a URL names a server, not programs"),
        }
    }

    /// Adds the server plugins of MySQL's regression tests, unless an earlier run did.
    pub(super) fn add_test_plugins(&self, paths: &Paths) -> Result<()> {
        let tree = apt::tree(&paths.cache, self.name, &self.packages)?;
        if has_test_plugins(&tree) {
            return Ok(());
        }
        let pattern = format!("./{PLUGIN_DIR}/auth*.so");
        apt::add_files(&paths.cache, &tree, self.packages.suite, "mysql-testsuite", &pattern)
    }

    fn path_programs(&self) -> Result<Installation> {
        ensure!(self.family == Family::MySql, "only MySQL is looked for on PATH");
        let mysqld = on_path("mysqld").context("there is no mysqld")?;
        let output = Command::new(&mysqld).arg("--version").output();
        let output = output.with_context(|| format!("running {}", mysqld.display()))?;
        let banner = String::from_utf8_lossy(&output.stdout).trim().to_string();
        ensure!(is_new_enough(&banner), "{} is not MySQL 8.0 or newer: {banner}", mysqld.display());
        Ok(Installation {
            source: Source::Path,
            server: Program::plain(mysqld),
            client: client_on_path().context("there is a mysqld, but no mysql client to set it up")?,
            options: Vec::new(),
            bootstrap: Bootstrap::Initialize,
            tree: None,
        })
    }

    fn package_programs(&self, paths: &Paths) -> Result<Installation> {
        let tree = apt::tree(&paths.cache, self.name, &self.packages)?;
        let (server, client) = match self.family {
            Family::MySql => ("usr/sbin/mysqld", "usr/bin/mysql"),
            Family::MariaDb => ("usr/sbin/mariadbd", "usr/bin/mariadb"),
        };
        // MariaDB's folder has the name of MySQL's up to Debian 12.
        let share = [tree.path("usr/share/mariadb"), tree.path("usr/share/mysql")];
        let share =
            share.into_iter().find(|dir| dir.is_dir()).context("the packages have no share folder")?;
        Ok(Installation {
            source: Source::Apt,
            server: tree.program(server),
            client: tree.program(client),
            options: vec![
                option("basedir", &tree.path("usr")),
                option("plugin-dir", &tree.path(PLUGIN_DIR)),
                option("lc-messages-dir", &share),
                option("character-sets-dir", &share.join("charsets")),
            ],
            bootstrap: match self.family {
                Family::MySql => Bootstrap::Initialize,
                Family::MariaDb => Bootstrap::Scripts(share),
            },
            tree: Some(tree),
        })
    }

    /// Programs in a container that shares this machine's network, process ids and the server's folders, so
    /// that ports, sockets and pid files mean the same inside and outside.
    fn image_programs(&self, paths: &Paths) -> Result<Installation> {
        let daemon = Command::new("docker").args(["info", "--format", "{{.ServerVersion}}"]).output();
        let daemon = daemon.context("there is no docker program")?;
        let complaint = String::from_utf8_lossy(&daemon.stderr).trim().to_string();
        ensure!(daemon.status.success(), "the daemon does not answer: {complaint}");

        let folders = [paths.instance.join(self.name), paths.socket_dir(self.name)];
        let run = |program: &str| container(self.image, program, &folders);
        let (server, client, bootstrap) = match self.family {
            Family::MySql => ("mysqld", "mysql", Bootstrap::Initialize),
            Family::MariaDb => ("mariadbd", "mariadb", Bootstrap::InstallDb(run("mariadb-install-db"))),
        };
        Ok(Installation {
            source: Source::Docker,
            server: run(server),
            client: run(client),
            options: Vec::new(),
            bootstrap,
            tree: None,
        })
    }
}

/// The plugin folder of an unpacked server.
const PLUGIN_DIR: &str = "usr/lib/mysql/plugin";

/// Whether the plugins that `setup-plugins.sql` installs are in a tree.
pub(super) fn has_test_plugins(tree: &Tree) -> bool {
    tree.path(PLUGIN_DIR).join("auth_test_plugin.so").is_file()
}

/// A long option with a path.
pub(super) fn option(name: &str, path: &Path) -> String {
    format!("--{name}={}", path.display())
}

fn container(image: &str, program: &str, folders: &[PathBuf]) -> Program {
    let (uid, gid) = (rustix::process::getuid().as_raw(), rustix::process::getgid().as_raw());
    let mut args: Vec<String> =
        ["run", "--rm", "--interactive", "--network=host", "--pid=host"].map(String::from).into();
    args.push(format!("--user={uid}:{gid}"));
    // auth_socket asks for the name of the peer's user.
    args.push("--volume=/etc/passwd:/etc/passwd:ro".into());
    args.extend(folders.iter().map(|dir| format!("--volume={0}:{0}", dir.display())));
    args.extend([format!("--entrypoint={program}"), image.to_string()]);
    Program { program: "docker".into(), args }
}

/// Reads what `mysqld --version` says: `…/mysqld  Ver 8.0.36-0ubuntu0.22.04.1 for Linux on x86_64 ((Ubuntu))`.
fn is_new_enough(banner: &str) -> bool {
    let version = banner.split_whitespace().skip_while(|word| *word != "Ver").nth(1).unwrap_or("");
    let major = version.split('.').next().and_then(|major| major.parse::<u32>().ok());
    !banner.contains("MariaDB") && major.is_some_and(|major| major >= 8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_and_foreign_servers_are_refused() {
        assert!(is_new_enough(
            "/usr/sbin/mysqld  Ver 8.0.36-0ubuntu0.22.04.1 for Linux on x86_64 ((Ubuntu))"
        ));
        assert!(is_new_enough("mysqld  Ver 9.7.4 for Linux on aarch64 (Source)"));
        assert!(is_new_enough("mysqld  Ver 10.0.1 for Linux on aarch64 (Source)"));
        assert!(!is_new_enough("mysqld  Ver 5.7.44 for Linux on x86_64 (MySQL Community Server (GPL))"));
        assert!(!is_new_enough("mysqld  Ver 10.11.6-MariaDB-0+deb12u1 for debian-linux-gnu on x86_64"));
        assert!(!is_new_enough(""));
    }
}
