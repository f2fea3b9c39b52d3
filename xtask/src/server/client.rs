//! SQL run through the server's own command-line client.

use std::io::Write;
use std::path::PathBuf;
use std::process::Stdio;

use anyhow::{Context, bail};

use super::files;
use super::install::Family;
use super::state::{Program, Server};
use crate::Result;

const SETUP: &str = include_str!("../../../tests/sql/setup.sql");
const SETUP_PLUGINS: &str = include_str!("../../../tests/sql/setup-plugins.sql");
const SETUP_MARIADB: &str = include_str!("../../../tests/sql/setup-mariadb.sql");

/// How an administrator logs in.
#[derive(Debug)]
pub(super) struct Admin {
    pub(super) client: Program,
    /// Preferred to host and port.
    pub(super) socket: Option<PathBuf>,
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) user: String,
    pub(super) password: String,
}

impl Admin {
    /// The administrator of a running server, where there is a client for it.
    pub(super) fn of(server: &Server) -> Option<Self> {
        Some(Self {
            client: server.client.clone()?,
            socket: server.socket.clone(),
            host: server.host.clone(),
            port: server.port,
            user: server.root_user.clone(),
            password: server.root_password.clone(),
        })
    }

    /// Runs statements; gives the rows of their results, a line each, columns parted by tabs.
    pub(super) fn run(&self, sql: &str) -> Result<String> {
        let mut command = self.client.command();
        command.args(["--no-defaults", "--batch", "--skip-column-names", "--connect-timeout=10"]);
        match &self.socket {
            Some(socket) => command.args(["--protocol=socket", &super::install::option("socket", socket)]),
            None => command.args(["--protocol=tcp", &format!("--host={}", self.host)]),
        };
        command.args([format!("--port={}", self.port), format!("--user={}", self.user)]);
        // Not in the command line, which everyone can read. The user's own logins must not get in the way.
        command.env("MYSQL_PWD", &self.password).env("MYSQL_TEST_LOGIN_FILE", "/dev/null");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child =
            command.spawn().with_context(|| format!("starting {}", self.client.program.display()))?;
        // A client that cannot connect ends without reading; its own message tells more than a broken pipe.
        let written = child.stdin.take().map(|mut stdin| stdin.write_all(sql.as_bytes()));
        let output = child.wait_with_output()?;
        if !output.status.success() {
            bail!("{}", String::from_utf8_lossy(&output.stderr).trim());
        }
        written.transpose()?;
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_string())
    }

    /// What the server calls its version.
    pub(super) fn version(&self) -> Result<String> {
        self.run("SELECT VERSION()")
    }
}

/// The SQL that makes a server's accounts and tables; it may be run again.
pub(super) fn setup_sql(family: Family, os_user: &str) -> String {
    match family {
        Family::MySql => SETUP.replace("@OS_USER@", &os_user.replace('\'', "''")),
        Family::MariaDb => SETUP_MARIADB.to_string(),
    }
}

/// The SQL for a server that has the test plugins.
pub(super) fn setup_plugins_sql() -> &'static str {
    SETUP_PLUGINS
}

/// What stands in the state file for the SQL that was run.
pub(super) fn setup_digest(sql: &str, test_plugins: bool) -> String {
    let plugins = if test_plugins { SETUP_PLUGINS } else { "" };
    format!("{:016x}", files::digest([sql, plugins].concat().as_bytes()))
}
