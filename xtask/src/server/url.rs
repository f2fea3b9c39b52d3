//! Connection URLs: those that are printed, and `PORPOISE_TEST_URL`, which is read.

use std::borrow::Cow;
use std::env;
use std::net::{TcpStream, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::client::Admin;
use super::install::{self, MYSQL};
use super::launch;
use super::paths::Paths;
use super::state::{Server, Source};
use crate::Result;

/// The environment variable with the URL of a server to use as it is.
pub(super) const ENV: &str = "PORPOISE_TEST_URL";

/// Everything but what RFC 3986 calls unreserved, and the slash.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

/// What `PORPOISE_TEST_URL` says.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Target {
    user: String,
    password: String,
    host: String,
    port: u16,
    socket: Option<PathBuf>,
}

impl Target {
    /// Reads the variable; `None` when it is not set.
    pub(super) fn from_env() -> Result<Option<Self>> {
        match env::var(ENV) {
            Ok(url) if !url.is_empty() => Self::parse(&url).map(Some),
            Err(env::VarError::NotUnicode(_)) => bail!("{ENV} is not UTF-8"),
            _ => Ok(None),
        }
    }

    /// `mysql://user:password@host:port/?socket=path`; errors do not repeat it, it has a password in it.
    fn parse(url: &str) -> Result<Self> {
        let rest = url.strip_prefix("mysql://").with_context(|| format!("{ENV} must start with mysql://"))?;
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let authority = rest.split_once('/').map_or(rest, |(authority, _database)| authority);
        let (login, address) = authority.rsplit_once('@').unwrap_or(("root", authority));
        let (user, password) = login.split_once(':').unwrap_or((login, ""));
        let (host, port) = match address.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, port),
            _ => (address, "3306"),
        };
        let port = port.parse().with_context(|| format!("{ENV} has a bad port"))?;
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let socket =
            query.split('&').find_map(|pair| pair.strip_prefix("socket=")).map(decode).transpose()?;
        Ok(Self {
            user: decode(user)?.into(),
            password: decode(password)?.into(),
            host: if host.is_empty() { "127.0.0.1".into() } else { decode(host)?.into() },
            port,
            socket: socket.map(|path| PathBuf::from(path.as_ref())),
        })
    }

    /// Whether that server is the one of a state file's entry.
    pub(super) fn is(&self, server: &Server) -> bool {
        server.source == Source::Url
            && server.root_user == self.user
            && server.root_password == self.password
            && (server.host.as_str(), server.port) == (self.host.as_str(), self.port)
            && (self.socket.is_none() || server.socket == self.socket)
    }

    /// Takes the server as it is, and makes the accounts on it if a client program can be found.
    pub(super) fn adopt(self, paths: &Paths, os_user: &str) -> Result<Server> {
        let local = ["127.0.0.1", "localhost", "::1"].contains(&self.host.as_str());
        let mut server = Server {
            name: MYSQL.name.into(),
            version: String::new(),
            source: Source::Url,
            host: self.host,
            port: self.port,
            socket: self.socket,
            mysqlx_port: None,
            mysqlx_socket: None,
            root_user: self.user,
            root_password: self.password,
            os_user: os_user.into(),
            datadir: None,
            test_plugins: false,
            client: install::client_on_path().or_else(|| install::client_in_cache(paths)),
            pid_file: None,
            setup: None,
        };
        let Some(admin) = Admin::of(&server) else {
            ensure!(answers(&server.host, server.port), "nothing listens where {ENV} points");
            eprintln!("  there is no mysql client here: the test accounts must be there already");
            return Ok(server);
        };
        server.version = admin.version().with_context(|| format!("logging in with {ENV}"))?;
        learn(&mut server, &admin, local)?;
        if let Err(error) = launch::set_up(MYSQL.family, &mut server, false) {
            eprintln!("  the test accounts could not be made: {error:#}");
        }
        Ok(server)
    }
}

/// Learns from the server's variables what the URL does not tell.
fn learn(server: &mut Server, admin: &Admin, local: bool) -> Result<()> {
    let names = "'socket', 'datadir', 'mysqlx_port', 'mysqlx_socket'";
    let variables = admin.run(&format!("SHOW VARIABLES WHERE variable_name IN ({names})"))?;
    for (name, value) in variables.lines().filter_map(|line| line.split_once('\t')) {
        // A path means something here only if the server is on this machine, and not in a container.
        let path = Some(PathBuf::from(value)).filter(|path| local && path.exists());
        match name {
            "socket" if server.socket.is_none() => server.socket = path,
            "datadir" => server.datadir = path.filter(|dir| dir.join("ca.pem").exists()),
            "mysqlx_socket" => server.mysqlx_socket = path,
            "mysqlx_port" => {
                server.mysqlx_port = value.parse().ok().filter(|port| answers(&server.host, *port));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Whether something listens there.
pub(super) fn answers(host: &str, port: u16) -> bool {
    let mut addresses = (host, port).to_socket_addrs().into_iter().flatten();
    addresses.any(|address| TcpStream::connect_timeout(&address, Duration::from_secs(5)).is_ok())
}

fn decode(text: &str) -> Result<Cow<'_, str>> {
    percent_decode_str(text).decode_utf8().with_context(|| format!("{ENV} has a part that is not UTF-8"))
}

/// A text as a part of a URL.
pub(crate) fn encode(text: &str) -> String {
    utf8_percent_encode(text, ENCODED).to_string()
}

/// The URLs of a server, with what each of them is.
pub(super) fn of(server: &Server) -> Vec<(&'static str, String)> {
    let mut login = encode(&server.root_user);
    if !server.root_password.is_empty() {
        login = format!("{login}:{}", encode(&server.root_password));
    }
    let host = if server.host.contains(':') { format!("[{}]", server.host) } else { server.host.clone() };
    let tcp = |scheme, port| format!("{scheme}://{login}@{host}:{port}/");
    let unix =
        |scheme, path: &Path| format!("{scheme}://{login}@/?socket={}", encode(&path.to_string_lossy()));
    let mut urls = vec![("tcp", tcp("mysql", server.port))];
    urls.extend(server.socket.as_ref().map(|path| ("socket", unix("mysql", path))));
    urls.extend(server.mysqlx_port.map(|port| ("mysqlx", tcp("mysqlx", port))));
    urls.extend(server.mysqlx_socket.as_ref().map(|path| ("mysqlx-socket", unix("mysqlx", path))));
    urls
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(user: &str, password: &str, host: &str, port: u16, socket: Option<&str>) -> Target {
        let socket = socket.map(PathBuf::from);
        Target { user: user.into(), password: password.into(), host: host.into(), port, socket }
    }

    #[test]
    fn test_urls_are_read() {
        let parse = |url| Target::parse(url).unwrap();
        assert_eq!(parse("mysql://"), target("root", "", "127.0.0.1", 3306, None));
        assert_eq!(
            parse("mysql://a%40b:p%2Fw@db.example:3307/x?y=1&socket=%2Ftmp%2Fs"),
            target("a@b", "p/w", "db.example", 3307, Some("/tmp/s"))
        );
        assert_eq!(parse("mysql://u@[::1]/"), target("u", "", "::1", 3306, None));
        assert_eq!(parse("mysql://u@[::1]:33/"), target("u", "", "::1", 33, None));
        assert!(Target::parse("postgres://h").is_err());
        let error = format!("{:#}", Target::parse("mysql://u:secret@h:port/").unwrap_err());
        assert!(!error.contains("secret"), "{error}");
    }

    #[test]
    fn printed_urls_can_be_read_again() {
        let server: Server = serde_json::from_str(
            r#"{"name": "mysql-9.7", "version": "9.7.4", "source": "url", "host": "::1", "port": 1,
                "socket": "/a b/s", "mysqlx_port": 2, "mysqlx_socket": null, "root_user": "u@x",
                "root_password": "p:w", "os_user": "o", "datadir": null, "test_plugins": false,
                "client": null, "pid_file": null, "setup": null}"#,
        )
        .unwrap();
        let urls = of(&server);
        assert_eq!(urls[0], ("tcp", "mysql://u%40x:p%3Aw@[::1]:1/".into()));
        assert_eq!(urls[1], ("socket", "mysql://u%40x:p%3Aw@/?socket=/a%20b/s".into()));
        assert_eq!(urls[2], ("mysqlx", "mysqlx://u%40x:p%3Aw@[::1]:2/".into()));
        assert_eq!(urls.len(), 3);
        assert_eq!(Target::parse(&urls[0].1).unwrap(), target("u@x", "p:w", "::1", 1, None));
        assert!(Target::parse(&urls[0].1).unwrap().is(&server));
    }
}
