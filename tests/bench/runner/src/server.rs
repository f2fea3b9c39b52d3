//! The real server, as `cargo xtask server up` left it.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use bench_harness::{IdleReport, Report, Workload};
use serde::Deserialize;

use crate::figures::Figures;
use crate::programs::{BLOCKING, CLIENTS, FLOOR, PORPOISE, Programs, report, report_if_any};
use crate::work::{IDLE, IDLE_CONNECTIONS};

/// Makes the account, the database and the tables of the benches.
const SET_UP: &str = include_str!("setup.sql");
/// Whether they are there: the comment of the table that is made last.
const IS_SET_UP: &str = "SELECT COUNT(*) FROM information_schema.tables \
    WHERE table_schema = 'pf_bench' AND table_name = 'pf_ins' AND table_comment = 'porpoise benches, 1'";
const ROUNDS: usize = 5;

#[derive(Deserialize)]
struct State {
    servers: Vec<Server>,
}

/// What is needed of `servers.json`; its format is described in `xtask/src/server/state.rs`.
#[derive(Deserialize)]
pub(crate) struct Server {
    name: String,
    host: String,
    port: u16,
    socket: Option<PathBuf>,
    mysqlx_port: Option<u16>,
    mysqlx_socket: Option<PathBuf>,
    root_user: String,
    client: Option<Client>,
}

#[derive(Deserialize)]
struct Client {
    program: PathBuf,
    args: Vec<String>,
}

impl Server {
    /// MySQL 9.7.
    pub(crate) fn find() -> Result<Self> {
        let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../target/porpoise/servers.json");
        let path = std::env::var_os("PORPOISE_SERVERS").map_or(beside, PathBuf::from);
        let text = std::fs::read(&path).context("no server is up: `cargo xtask server up`")?;
        let state: State = serde_json::from_slice(&text)?;
        let mysql = state.servers.into_iter().find(|server| server.name.starts_with("mysql"));
        mysql.context("no MySQL server is up: `cargo xtask server up`")
    }

    /// Makes what the benches need, unless it is there.
    pub(crate) fn set_up(&self) -> Result<()> {
        if self.run(IS_SET_UP)?.trim() != "1" {
            eprintln!("making the tables of the benches");
            self.run(SET_UP)?;
        }
        Ok(())
    }

    /// Runs statements as an administrator, and gives what they print.
    fn run(&self, sql: &str) -> Result<String> {
        let client = self.client.as_ref().context("the server came without a client program")?;
        let socket = self.socket.as_ref().context("the server has no Unix socket")?;
        let mut mysql = Command::new(&client.program);
        mysql.args(&client.args).arg("--user").arg(&self.root_user).arg("--socket").arg(socket);
        let output = mysql.args(["--skip-column-names", "--batch", "-e", sql]).output()?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Ok(String::from_utf8(output.stdout)?)
    }

    /// The server's cache knows the account after a login in TLS.
    pub(crate) fn warm(&self, programs: &Programs) -> Result<()> {
        let mut warm = programs.pinned("peer-porpoise");
        warm.args([Workload::ConnectTls.name(), "--n", "1", "--url", &self.url()]);
        report::<Report>(&mut warm).map(drop)
    }

    pub(crate) fn address(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// The URL of the bench account.
    pub(crate) fn url(&self) -> String {
        url(&self.host, self.port)
    }

    /// What a client is told: the workload, how often, and where.
    pub(crate) fn arguments(&self, workload: Workload, n: u64) -> Result<Vec<String>> {
        let mut arguments = vec![workload.name().to_owned(), "--n".to_owned(), n.to_string()];
        if !workload.is_x() {
            arguments.extend(["--url".to_owned(), self.url()]);
            return Ok(arguments);
        }
        let port = self.mysqlx_port.context("the server has no X Plugin")?;
        let socket = self.mysqlx_socket.as_ref().context("X Plugin has no Unix socket")?;
        arguments.extend(["--url".to_owned(), url(&self.host, port), "--socket".to_owned()]);
        arguments.push(socket.display().to_string());
        Ok(arguments)
    }

    /// Each client that has the workload against the server itself.
    pub(crate) fn measure(
        &self,
        programs: &Programs,
        workload: Workload,
        n: u64,
        figures: &mut Figures,
    ) -> Result<()> {
        for round in 0..ROUNDS {
            eprintln!("{workload}, round {} of {ROUNDS}", round + 1);
            // Others would wait for a greeting that X Plugin does not send.
            let speaks = |i: &usize| !workload.is_x() || [FLOOR, PORPOISE, BLOCKING].contains(i);
            for (i, client) in CLIENTS.into_iter().enumerate().filter(|(i, _)| speaks(i)) {
                let mut command = programs.pinned(client.program);
                command.args(self.arguments(workload, n)?).args(client.flags);
                if let Some(report) = report_if_any::<Report>(&mut command) {
                    figures.take(workload, i, &report)?;
                }
            }
        }
        Ok(())
    }

    /// What idle connections hold.
    pub(crate) fn idle(&self, programs: &Programs, figures: &mut Figures) -> Result<()> {
        let before = self.run("SELECT @@GLOBAL.max_connections")?;
        self.run("SET GLOBAL max_connections = 2000")?;
        for workload in IDLE {
            eprintln!("{workload}");
            for (i, client) in CLIENTS.into_iter().enumerate() {
                let mut command = programs.pinned(client.program);
                command.args([workload.name(), "--n", &IDLE_CONNECTIONS.to_string(), "--url", &self.url()]);
                let report = report_if_any::<IdleReport>(command.args(client.flags));
                if let Some(report) = report {
                    figures.of(workload, i).idle = Some(report.rss_bytes_per_conn as f64);
                }
            }
        }
        self.run(&format!("SET GLOBAL max_connections = {}", before.trim())).map(drop)
    }
}

/// The URL of the bench account on a port.
pub(crate) fn url(host: &str, port: u16) -> String {
    format!("mysql://pf_u:secret@{host}:{port}/pf_bench")
}
