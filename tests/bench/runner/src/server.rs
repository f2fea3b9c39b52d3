//! The real server, as `cargo xtask server up` left it.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;

use crate::programs::{CLIENTS, Programs, report};
use crate::table::Row;

const SET_UP: &str = "CREATE DATABASE IF NOT EXISTS pf_bench;
    CREATE USER IF NOT EXISTS 'pf_u'@'%' IDENTIFIED WITH caching_sha2_password BY 'secret';
    GRANT ALL ON pf_bench.* TO 'pf_u'@'%';";
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

    /// Makes the account and the database of the benches.
    pub(crate) fn set_up(&self) -> Result<()> {
        let client = self.client.as_ref().context("the server came without a client program")?;
        let socket = self.socket.as_ref().context("the server has no Unix socket")?;
        let mut mysql = Command::new(&client.program);
        mysql
            .args(&client.args)
            .arg("--user")
            .arg(&self.root_user)
            .arg("--socket")
            .arg(socket)
            .args(["-e", SET_UP]);
        ensure!(mysql.status()?.success(), "the account of the benches cannot be made");
        Ok(())
    }

    pub(crate) fn address(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// The URL of the bench account.
    pub(crate) fn url(&self) -> String {
        url(&self.host, self.port)
    }

    /// Each client against the server itself.
    pub(crate) fn measure(&self, programs: &Programs, workload: &str, n: u64) -> Result<Vec<Row>> {
        let mut rows = Row::all(workload);
        for round in 0..ROUNDS {
            eprintln!("{workload}, round {} of {ROUNDS}", round + 1);
            for (row, (program, flags, _)) in rows.iter_mut().zip(CLIENTS) {
                if program == "floor-tokio" && workload != "connect-plain" {
                    continue;
                }
                let mut client = programs.pinned(program);
                client.arg(workload).args(["--n", &n.to_string(), "--url", &self.url()]).args(flags);
                row.take(&report(&mut client)?);
            }
        }
        Ok(rows)
    }
}

/// The URL of the bench account on a port.
pub(crate) fn url(host: &str, port: u16) -> String {
    format!("mysql://pf_u:secret@{host}:{port}/pf_bench")
}
