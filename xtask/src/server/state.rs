//! The state file: which servers are up, and how to reach them.
//!
//! `cargo xtask server up` writes `target/porpoise/servers.json` in the workspace; tests and the demo read
//! it. The environment variable `PORPOISE_SERVERS` may name another file instead. A server that is not in
//! the file is not up. The file is replaced as a whole, never edited in place. Its format:
//!
//! ```json
//! {
//!   "format": 1,
//!   "servers": [{
//!     "name": "mysql-9.7",               // what tests ask for: mysql-9.7, mariadb-10.11, mariadb-11.8
//!     "version": "9.7.4",                // what SELECT VERSION() answers; may differ from the name
//!     "source": "apt",                   // url, path, apt or docker
//!     "host": "127.0.0.1", "port": 21000,
//!     "socket": "/…/mysql.sock",         // null: no Unix socket is known
//!     "mysqlx_port": 21001,              // null: no X Plugin
//!     "mysqlx_socket": "/…/mysqlx.sock", // null: likewise
//!     "root_user": "root", "root_password": "",
//!     "os_user": "alice",                // whom the auth_socket account `sockuser` lets in
//!     "datadir": "/…/data",              // null: not ours. Has the *.pem files when TLS was given files:
//!                                        // ca, server-cert, client-cert, client-key, public_key (MySQL only)
//!     "test_plugins": false,             // setup-plugins.sql was applied (clear-text account, factors)
//!     "client": {"program": "/…", "args": ["…"]}, // a command-line client that runs here; null: none
//!     "pid_file": "/…/mysqld.pid",       // null: a server that is not ours to stop
//!     "setup": "0123456789abcdef"        // digest of the SQL that made the accounts; null: not made
//!   }]
//! }
//! ```

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fmt, fs};

use anyhow::{Context, bail};
use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use super::files;
use crate::Result;

/// The environment variable that names another state file.
pub(crate) const ENV: &str = "PORPOISE_SERVERS";
const FORMAT: u32 = 1;

/// The whole state file.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct State {
    format: u32,
    pub(crate) servers: Vec<Server>,
}

/// One server that is up.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Server {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) source: Source,
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) socket: Option<PathBuf>,
    pub(crate) mysqlx_port: Option<u16>,
    pub(crate) mysqlx_socket: Option<PathBuf>,
    pub(crate) root_user: String,
    pub(crate) root_password: String,
    pub(crate) os_user: String,
    pub(crate) datadir: Option<PathBuf>,
    pub(crate) test_plugins: bool,
    pub(crate) client: Option<Program>,
    pub(crate) pid_file: Option<PathBuf>,
    pub(crate) setup: Option<String>,
}

/// Where a server's programs come from.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub(crate) enum Source {
    /// A server that someone else runs, named by `PORPOISE_TEST_URL`.
    #[value(skip)]
    Url,
    /// Programs on PATH.
    Path,
    /// Packages unpacked in the cache folder.
    Apt,
    /// A container image.
    Docker,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Url => "PORPOISE_TEST_URL",
            Self::Path => "PATH",
            Self::Apt => "apt packages",
            Self::Docker => "Docker",
        })
    }
}

/// A program with the arguments that must come before its own: an unpacked one needs its loader and libraries.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Program {
    pub(crate) program: PathBuf,
    pub(crate) args: Vec<String>,
}

impl Program {
    /// A program that needs nothing before its own arguments.
    pub(crate) fn plain(program: impl Into<PathBuf>) -> Self {
        Self { program: program.into(), args: Vec::new() }
    }

    /// The start of a command line.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.args);
        command
    }
}

impl State {
    /// Reads the file; a missing one means that no server is up.
    pub(crate) fn load(path: &Path) -> Result<Self> {
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Self::empty()),
            Err(e) => return Err(e).with_context(|| format!("reading {}", path.display())),
        };
        let state: Self = serde_json::from_str(&text)
            .with_context(|| format!("{} is not a state file of this version", path.display()))?;
        if state.format != FORMAT {
            bail!("{} has format {}, not {FORMAT}", path.display(), state.format);
        }
        Ok(state)
    }

    /// No servers.
    pub(crate) fn empty() -> Self {
        Self { format: FORMAT, servers: Vec::new() }
    }

    /// Replaces the file. It can hold a password, so only its owner may read it.
    pub(crate) fn save(&self, path: &Path) -> Result<()> {
        let mut text = self.to_json()?;
        text.push('\n');
        files::replace(path, text.as_bytes(), 0o600)
    }

    /// The text of the file.
    pub(crate) fn to_json(&self) -> Result<String> {
        Ok(serde_json::to_string_pretty(self)?)
    }

    /// The server of that name.
    pub(crate) fn get(&self, name: &str) -> Option<&Server> {
        self.servers.iter().find(|s| s.name == name)
    }

    /// Adds a server, in place of one of the same name.
    pub(crate) fn put(&mut self, server: Server) {
        self.remove(&server.name);
        self.servers.push(server);
    }

    /// Forgets a server.
    pub(crate) fn remove(&mut self, name: &str) {
        self.servers.retain(|s| s.name != name);
    }
}

/// The file's path: `PORPOISE_SERVERS`, or its place in the workspace.
pub(crate) fn path(workspace: &Path) -> PathBuf {
    match env::var_os(ENV) {
        Some(path) if !path.is_empty() => path.into(),
        _ => workspace.join("target/porpoise/servers.json"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(name: &str) -> Server {
        Server {
            name: name.into(),
            version: "9.7.4".into(),
            source: Source::Apt,
            host: "127.0.0.1".into(),
            port: 21000,
            socket: Some("/s/mysql.sock".into()),
            mysqlx_port: Some(21001),
            mysqlx_socket: None,
            root_user: "root".into(),
            root_password: String::new(),
            os_user: "alice".into(),
            datadir: Some("/d".into()),
            test_plugins: true,
            client: Some(Program { program: "/ld.so".into(), args: vec!["/mysql".into()] }),
            pid_file: None,
            setup: None,
        }
    }

    #[test]
    fn the_file_is_read_as_it_was_written() {
        let dir = env::temp_dir().join(format!("porpoise-state-{}", std::process::id()));
        let path = dir.join("made/on/demand/servers.json");
        assert!(State::load(&path).unwrap().servers.is_empty());

        let mut state = State::empty();
        state.put(server("mysql-9.7"));
        state.put(server("mariadb-11.8"));
        state.put(Server { port: 7, ..server("mysql-9.7") });
        state.save(&path).unwrap();
        let read = State::load(&path).unwrap();
        assert_eq!(read.to_json().unwrap(), state.to_json().unwrap());
        assert_eq!(read.servers.len(), 2);
        assert_eq!(read.get("mysql-9.7").unwrap().port, 7);

        fs::write(&path, r#"{"format": 2, "servers": []}"#).unwrap();
        assert!(State::load(&path).unwrap_err().to_string().contains("format 2"));
        fs::remove_dir_all(&dir).unwrap();
    }

    #[test]
    fn the_format_in_the_comment_is_the_real_one() {
        let comment: String =
            include_str!("state.rs").lines().filter_map(|line| line.strip_prefix("//! ")).collect();
        let json = serde_json::to_value(server("mysql-9.7")).unwrap();
        for key in json.as_object().unwrap().keys() {
            assert!(comment.contains(&format!("\"{key}\": ")), "{key} is not described");
        }
    }
}
