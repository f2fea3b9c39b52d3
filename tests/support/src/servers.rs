//! The servers that `cargo xtask server up` brought up.

use std::fs::{self, File};
use std::io;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, ensure};
use porpoise_driver::blocking::{self, BlockingClient};
use porpoise_driver::{Options, OptionsBuilder};
use porpoise_transport::SslMode;
use rustix::fs::{FlockOperation, flock};
use serde::Deserialize;

use crate::root;

/// The version of the state file that is understood. The file is described where it is written, in
/// `xtask/src/server/state.rs`.
const FORMAT: u32 = 1;

/// What to do when a server is not there.
pub const ADVICE: &str =
    "bring the servers up by `cargo xtask server up --all`, or do without them: PORPOISE_NO_SERVER=1";

/// Whether `PORPOISE_NO_SERVER=1` is set: whatever needs a server is then not run.
#[must_use]
pub fn unwanted() -> bool {
    std::env::var_os("PORPOISE_NO_SERVER").is_some_and(|value| value == "1")
}

/// The servers that are up.
#[derive(Debug, Deserialize)]
pub struct Servers {
    format: u32,
    servers: Vec<Server>,
}

/// A server that is up.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct Server {
    /// What tests ask for: `mysql-9.7`, `mariadb-10.11`, `mariadb-11.8`.
    pub name: String,
    /// The host of its port.
    pub host: String,
    /// The classic protocol's port.
    pub port: u16,
    /// Its Unix socket, if one is known.
    pub socket: Option<PathBuf>,
    /// The X Protocol's port, if it speaks that.
    pub mysqlx_port: Option<u16>,
    /// The X Protocol's Unix socket.
    pub mysqlx_socket: Option<PathBuf>,
    /// The account that may do everything.
    pub root_user: String,
    /// That account's password.
    pub root_password: String,
    /// Its data folder, which also has its certificates and keys.
    pub datadir: Option<PathBuf>,
    /// Whether it has the plugins of MySQL's regression tests.
    pub test_plugins: bool,
    /// Its command-line client, if one runs here.
    pub client: Option<Program>,
    /// The file that names its process, if it is one of this machine's.
    pub pid_file: Option<PathBuf>,
}

/// A program, with the arguments that it needs to run at all.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct Program {
    /// The program.
    pub program: PathBuf,
    /// What comes before all other arguments.
    pub args: Vec<String>,
}

impl Servers {
    /// Reads the state file, and sees that every server in it answers.
    ///
    /// # Errors
    /// None is up, or one in the file is not.
    pub fn load() -> Result<Self> {
        let path = state_file();
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(anyhow!("no server is up: {ADVICE}"));
            }
            Err(error) => return Err(error).with_context(|| path.display().to_string()),
        };
        let servers: Self =
            serde_json::from_str(&text).with_context(|| format!("{} is no state file", path.display()))?;
        ensure!(servers.format == FORMAT, "{} has format {}, not {FORMAT}", path.display(), servers.format);
        for server in &servers.servers {
            let answers = TcpStream::connect_timeout(&server.address()?, Duration::from_secs(5));
            answers.with_context(|| format!("{} is not up any more: {ADVICE}", server.name))?;
        }
        Ok(servers)
    }

    /// The server of that name.
    ///
    /// # Errors
    /// It is not up.
    pub fn get(&self, name: &str) -> Result<&Server> {
        let found = self.servers.iter().find(|server| server.name == name);
        found.with_context(|| format!("{name} is not up: {ADVICE}"))
    }
}

impl Server {
    /// Where its port is.
    ///
    /// # Errors
    /// Its host has no address.
    pub fn address(&self) -> Result<SocketAddr> {
        let mut found = (self.host.as_str(), self.port).to_socket_addrs()?;
        found.next().with_context(|| format!("{} has no address", self.host))
    }

    /// Its Unix socket.
    ///
    /// # Errors
    /// None is known.
    pub fn socket(&self) -> Result<&Path> {
        self.socket.as_deref().with_context(|| format!("the Unix socket of {} is not known", self.name))
    }

    /// Where its port for X Protocol is.
    ///
    /// # Errors
    /// It has none.
    pub fn x_address(&self) -> Result<SocketAddr> {
        let port = self.mysqlx_port.with_context(|| format!("{} speaks no X Protocol", self.name))?;
        let mut found = (self.host.as_str(), port).to_socket_addrs()?;
        found.next().with_context(|| format!("{} has no address", self.host))
    }

    /// Its Unix socket for X Protocol.
    ///
    /// # Errors
    /// None is known.
    pub fn x_socket(&self) -> Result<&Path> {
        let socket = self.mysqlx_socket.as_deref();
        socket.with_context(|| format!("the X Protocol's Unix socket of {} is not known", self.name))
    }

    /// One of its own files: `ca.pem`, `client-cert.pem`, `public_key.pem`.
    ///
    /// # Errors
    /// Its data folder is not known, or has no such file.
    pub fn file(&self, name: &str) -> Result<PathBuf> {
        let datadir = self.datadir.as_deref();
        let path = datadir.with_context(|| format!("the files of {} are not here", self.name))?.join(name);
        ensure!(path.is_file(), "{} has no {name}", self.name);
        Ok(path)
    }

    /// Options that lead to its port.
    #[must_use]
    pub fn tcp(&self) -> OptionsBuilder {
        Options::builder().host(&self.host).port(self.port)
    }

    /// Whether it is a MariaDB.
    #[must_use]
    pub fn is_mariadb(&self) -> bool {
        self.name.starts_with("mariadb")
    }

    /// A session that may do everything.
    ///
    /// # Errors
    /// The connect failed.
    pub fn root(&self) -> Result<BlockingClient> {
        let builder = match &self.socket {
            Some(path) => Options::builder().unix_socket(path),
            None => self.tcp().ssl_mode(SslMode::Required),
        };
        let builder = builder.user(&self.root_user).password(self.root_password.as_str());
        let multi = porpoise_classic::CapabilityFlags::CLIENT_MULTI_STATEMENTS;
        let options = builder.connect(|connect| connect.with(multi)).build()?;
        blocking::connect(Arc::new(options)).with_context(|| format!("{}: no session for root", self.name))
    }

    /// Runs statements as root.
    ///
    /// # Errors
    /// One of them failed.
    pub fn run(&self, sql: &str) -> Result<()> {
        let mut root = self.root()?;
        root.query_drop(sql).with_context(|| format!("{}: {sql}", self.name))?;
        Ok(root.close()?)
    }
}

/// As long as it lives nobody else changes accounts, global variables or the cache of `caching_sha2_password`: not in
/// this process, and in no other that keeps to the same rule.
#[derive(Debug)]
#[must_use = "dropping it ends the lock"]
pub struct Lock(#[expect(dead_code, reason = "the lock ends when the file is closed")] File);

/// Waits for the lock of all servers.
///
/// # Errors
/// The lock's file cannot be opened.
pub fn lock() -> Result<Lock> {
    let path = state_file().with_file_name("server.lock");
    let file = File::options().create(true).append(true).open(&path);
    let file = file.with_context(|| path.display().to_string())?;
    flock(&file, FlockOperation::LockExclusive)?;
    Ok(Lock(file))
}

/// `PORPOISE_SERVERS`, or the file's place in the workspace.
fn state_file() -> PathBuf {
    match std::env::var_os("PORPOISE_SERVERS") {
        Some(path) if !path.is_empty() => path.into(),
        _ => root().join("target/porpoise/servers.json"),
    }
}
