//! Starts a server from its programs: data folder, ports, process, readiness.

use std::fs;
use std::io::Write;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Error, bail};

use super::certificates;
use super::client::{self, Admin};
use super::files;
use super::install::{self, Bootstrap, Family, Installation, Kind, option};
use super::paths::Paths;
use super::process;
use super::progress::Step;
use super::state::Server;
use crate::Result;

const HOST: Ipv4Addr = Ipv4Addr::LOCALHOST;
const POLL: Duration = Duration::from_millis(50);
const READY_PATIENCE: Duration = Duration::from_secs(120);
const MYSQLX_PATIENCE: Duration = Duration::from_secs(5);

/// The folders and files of one server of this clone.
#[derive(Debug)]
pub(super) struct Home {
    dir: PathBuf,
    sockets: PathBuf,
}

impl Home {
    pub(super) fn new(paths: &Paths, name: &str) -> Self {
        Self { dir: paths.instance.join(name), sockets: paths.socket_dir(name) }
    }

    pub(super) fn data(&self) -> PathBuf {
        self.dir.join("data")
    }

    fn pid_file(&self) -> PathBuf {
        self.dir.join("mysqld.pid")
    }

    fn log(&self) -> PathBuf {
        self.dir.join("error.log")
    }

    fn output(&self) -> PathBuf {
        self.dir.join("output.log")
    }

    /// What the data folder was made with; missing while it is not complete.
    fn made_with(&self) -> PathBuf {
        self.dir.join("made-with")
    }

    fn socket(&self) -> PathBuf {
        self.sockets.join("mysql.sock")
    }

    fn mysqlx_socket(&self) -> PathBuf {
        self.sockets.join("mysqlx.sock")
    }

    /// Stops the server that runs on this data folder; `false` when none does.
    pub(super) fn stop(&self) -> Result<bool> {
        let marker = option("datadir", &self.data());
        let Some(pid) = process::running(&self.pid_file(), &marker) else { return Ok(false) };
        process::stop(pid, &marker)?;
        files::remove_dir(&self.sockets)?;
        Ok(true)
    }

    /// Whether a server runs on this data folder.
    pub(super) fn runs(&self) -> bool {
        process::running(&self.pid_file(), &option("datadir", &self.data())).is_some()
    }

    /// Removes all of it.
    pub(super) fn remove(&self) -> Result<()> {
        files::remove_dir(&self.sockets)?;
        files::remove_dir(&self.dir)
    }
}

/// A server about to be started.
#[derive(Debug)]
pub(super) struct Launch<'a> {
    pub(super) kind: &'a Kind,
    pub(super) installation: &'a Installation,
    pub(super) home: Home,
    /// Where the search for free ports starts.
    pub(super) first_port: u16,
    pub(super) os_user: &'a str,
    /// A folder with certificates, for a server that makes none.
    pub(super) certificates: Option<PathBuf>,
}

impl Launch<'_> {
    /// Starts the server and makes its accounts. A data folder that an earlier run left is used again; when
    /// the server does not come up on it, it is made anew.
    pub(super) fn start(&self) -> Result<Server> {
        self.home.stop()?;
        let made_with = self.identity();
        if fs::read_to_string(self.home.made_with()).is_ok_and(|text| text == made_with) {
            match self.start_on_data() {
                Ok(server) => return Ok(server),
                Err(error) => eprintln!("  {error:#}\n  the data folder is of no use; it is made anew"),
            }
            self.home.stop()?;
        }
        self.make_data(&made_with)?;
        self.start_on_data()
    }

    /// Another program must not get this one's data folder: an older one could not read it.
    fn identity(&self) -> String {
        let Installation { source, server, .. } = self.installation;
        format!("{source} {} {}", server.program.display(), server.args.join(" "))
    }

    fn make_data(&self, made_with: &str) -> Result<()> {
        let step = Step::new(format!("make a data folder for {}", self.kind.name));
        self.home.remove()?;
        files::private_dir(&self.home.dir)?;
        for dir in [self.home.data(), self.home.dir.join("tmp")] {
            files::private_dir(&dir)?;
        }
        files::private_dir(&self.home.sockets)?;
        self.bootstrap()?;
        if !self.kind.own_certificate {
            certificates::provide(self.certificates.as_deref(), &self.home.data())?;
        }
        fs::write(self.home.made_with(), made_with)?;
        step.done("");
        Ok(())
    }

    fn bootstrap(&self) -> Result<()> {
        let (mut command, input) = match &self.installation.bootstrap {
            Bootstrap::Initialize => {
                let mut command = self.server();
                command.arg("--initialize-insecure");
                (command, Vec::new())
            }
            Bootstrap::Scripts(folder) => {
                let mut command = self.server();
                command.args(["--bootstrap", "--max-allowed-packet=8M", "--net-buffer-length=16K"]);
                (command, system_tables(folder)?)
            }
            Bootstrap::InstallDb(program) => {
                let mut command = program.command();
                command.args(["--no-defaults", "--skip-test-db", "--auth-root-authentication-method=normal"]);
                command.arg(option("datadir", &self.home.data()));
                (command, Vec::new())
            }
        };
        let out = fs::File::create(self.home.output())?;
        command.stdin(Stdio::piped()).stderr(out.try_clone()?).stdout(out);
        let mut child =
            command.spawn().with_context(|| format!("starting {}", command.get_program().display()))?;
        let written = child.stdin.take().map(|mut stdin| stdin.write_all(&input));
        let status = child.wait()?;
        if !status.success() {
            return Err(self.failure(&format!("making its data folder failed ({status})")));
        }
        written.transpose()?;
        Ok(())
    }

    /// The server's command line as far as all its uses share it.
    fn server(&self) -> Command {
        let mut command = self.installation.server.command();
        command.arg("--no-defaults");
        if rustix::process::getuid().is_root() {
            command.arg("--user=root");
        }
        command.args(&self.installation.options);
        command.arg(option("datadir", &self.home.data()));
        command.arg(option("tmpdir", &self.home.dir.join("tmp")));
        command
    }

    fn start_on_data(&self) -> Result<Server> {
        let step = Step::new(format!("start {}", self.kind.name));
        // What a killed server left would look like a sign of life, to this one and to the next server.
        for dir in [&self.home.dir.join("tmp"), &self.home.sockets] {
            files::remove_dir(dir)?;
            files::private_dir(dir)?;
        }
        for file in [self.home.pid_file(), self.home.log()] {
            drop(fs::remove_file(file));
        }
        let port = free_port(self.first_port)?;
        let mysqlx_port = free_port(port + 1)?;
        let mut command = self.server();
        self.add_options(&mut command, port, mysqlx_port);
        let mut child = process::spawn_detached(command, &self.home.output())?;
        let mut server = self.describe(port, mysqlx_port);
        let ready = self.wait_until_ready(&mut child, &mut server).and_then(|()| {
            step.done(&server.version);
            self.set_up(&mut server)
        });
        if ready.is_err() {
            drop(child.kill());
            drop(child.wait());
        }
        ready.map(|()| server)
    }

    fn add_options(&self, command: &mut Command, port: u16, mysqlx_port: u16) {
        command.args([
            format!("--port={port}"),
            format!("--bind-address={HOST}"),
            option("socket", &self.home.socket()),
            option("pid-file", &self.home.pid_file()),
            option("log-error", &self.home.log()),
        ]);
        command.args([
            "--secure-file-priv=",
            "--local-infile=1",
            "--max-connections=300",
            "--performance-schema=ON",
            "--innodb-buffer-pool-size=32M",
        ]);
        match self.kind.family {
            Family::MySql => {
                command.args([
                    format!("--loose-mysqlx-port={mysqlx_port}"),
                    format!("--loose-mysqlx-bind-address={HOST}"),
                    format!(
                        "--loose-{}",
                        option("mysqlx-socket", &self.home.mysqlx_socket()).trim_matches('-')
                    ),
                    "--loose-mysqlx-max-connections=300".into(),
                    "--loose-innodb-redo-log-capacity=32M".into(),
                ]);
            }
            Family::MariaDb => {
                command.arg("--innodb-log-file-size=16M");
                if !self.kind.own_certificate && self.home.data().join(certificates::SERVER_CERT).is_file() {
                    command.args(certificates::options(&self.home.data()));
                }
            }
        }
    }

    fn describe(&self, port: u16, mysqlx_port: u16) -> Server {
        let mysqlx = self.kind.family == Family::MySql;
        Server {
            name: self.kind.name.into(),
            version: String::new(),
            source: self.installation.source,
            host: HOST.to_string(),
            port,
            socket: Some(self.home.socket()),
            mysqlx_port: mysqlx.then_some(mysqlx_port),
            mysqlx_socket: mysqlx.then(|| self.home.mysqlx_socket()),
            root_user: "root".into(),
            root_password: String::new(),
            os_user: self.os_user.into(),
            datadir: Some(self.home.data()),
            test_plugins: false,
            client: Some(self.installation.client.clone()),
            pid_file: Some(self.home.pid_file()),
            setup: None,
        }
    }

    /// Waits until the server answers a query, and X Plugin a connect.
    fn wait_until_ready(&self, child: &mut Child, server: &mut Server) -> Result<()> {
        let admin = Admin::of(server).context("a server of ours has a client")?;
        let began = Instant::now();
        loop {
            if let Some(status) = child.try_wait()? {
                return Err(self.failure(&format!("it ended ({status}) instead of starting")));
            }
            let answer = if self.home.socket().exists() { admin.version() } else { Ok(String::new()) };
            if let Ok(version) = &answer
                && !version.is_empty()
            {
                server.version.clone_from(version);
                break;
            }
            if began.elapsed() > READY_PATIENCE {
                let why = answer.err().map_or_else(|| "no socket appeared".into(), |e| format!("{e:#}"));
                return Err(self.failure(&format!("it does not answer: {why}")));
            }
            sleep(POLL);
        }
        let until = Instant::now() + MYSQLX_PATIENCE;
        while let Some(port) = server.mysqlx_port
            && TcpStream::connect((HOST, port)).is_err()
        {
            if Instant::now() > until {
                (server.mysqlx_port, server.mysqlx_socket) = (None, None);
            }
            sleep(POLL);
        }
        Ok(())
    }

    /// Makes the accounts, with those of the test plugins where their file is installed.
    fn set_up(&self, server: &mut Server) -> Result<()> {
        let plugins = self.installation.tree.as_ref().is_some_and(install::has_test_plugins);
        set_up(self.kind.family, server, plugins)
    }

    /// An error with the end of what the server wrote.
    fn failure(&self, what: &str) -> Error {
        let read = |path: PathBuf| fs::read_to_string(path).unwrap_or_default();
        let text = read(self.home.log()) + &read(self.home.output());
        let mut lines: Vec<&str> = text.lines().filter(|line| line.contains("ERROR")).collect();
        if lines.is_empty() {
            lines = text.lines().collect();
        }
        let tail = lines.get(lines.len().saturating_sub(5)..).unwrap_or_default();
        let logs = self.home.dir.display();
        anyhow::anyhow!("{}: {what}; logs are in {logs}\n    {}", self.kind.name, tail.join("\n    "))
    }
}

/// Runs the set-up SQL and notes in the server's entry what was run.
pub(super) fn set_up(family: Family, server: &mut Server, test_plugins: bool) -> Result<()> {
    let step = Step::new(format!("make the accounts and tables on {}", server.name));
    let admin = Admin::of(server).context("there is no client program to set the server up with")?;
    let sql = client::setup_sql(family, &server.os_user);
    admin.run(&sql).context("running the set-up SQL")?;
    if test_plugins {
        admin.run(client::setup_plugins_sql()).context("running the SQL for the test plugins")?;
    }
    server.test_plugins = test_plugins;
    server.setup = Some(client::setup_digest(&sql, test_plugins));
    step.done(if test_plugins { "with test plugins" } else { "" });
    Ok(())
}

/// MariaDB's system tables as its own `mariadb-install-db` makes them: root without a password, no anonymous
/// account (it would be preferred to the accounts for any host). The help tables are left out.
fn system_tables(folder: &Path) -> Result<Vec<u8>> {
    let mut sql = b"CREATE DATABASE mysql;\nUSE mysql;\nSET @auth_root_socket = NULL;\n".to_vec();
    for name in ["system_tables", "performance_tables", "system_tables_data", "gis", "sys_schema"] {
        // The names changed their prefix with MariaDB 11.
        let names = match name {
            "gis" => ["maria_add_gis_sp_bootstrap.sql".to_string(), String::new()],
            _ => ["mariadb", "mysql"].map(|prefix| format!("{prefix}_{name}.sql")),
        };
        let Some(path) = names.iter().map(|name| folder.join(name)).find(|path| path.is_file()) else {
            bail!("{} has no {}", folder.display(), names.join(" or "));
        };
        sql.extend(fs::read(path)?);
        sql.push(b'\n');
    }
    Ok(sql)
}

/// The first port from there on that nobody listens on.
fn free_port(first: u16) -> Result<u16> {
    let mut ports = first..first.saturating_add(1000);
    ports.find(|port| TcpListener::bind((HOST, *port)).is_ok()).context("no free port")
}
