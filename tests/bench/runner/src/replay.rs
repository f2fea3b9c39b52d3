//! A client's own cost: against a server that answers from memory, both on one CPU, so that every wake-up costs the
//! same.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result, ensure};

use crate::programs::{CLIENTS, Programs, report};
use crate::server::{Server, url};
use crate::table::Row;

const ROUNDS: usize = 7;

/// Records what the server says to each client, then measures each against its recording, by turns.
pub(crate) fn measure(programs: &Programs, server: &Server, workload: &str, n: u64) -> Result<Vec<Row>> {
    let folder = tempfile::tempdir()?;
    // The server's cache must know the account, or the recorded login is another one.
    let mut warm = programs.pinned("peer-porpoise");
    report(warm.args(["connect-tls", "--n", "1", "--url", &server.url()]))?;
    let mut served = Vec::new();
    for (i, (program, flags, _)) in CLIENTS.into_iter().enumerate() {
        let tape = folder.path().join(i.to_string());
        let mut record = Command::new(programs.path("replay"));
        record.args(["record", "--to", &server.address(), "--tape"]).arg(&tape);
        let (mut recorder, port) = started(&mut record)?;
        let mut client = programs.pinned(program);
        client.env("PERF_NO_WARM", "1").args(["ping", "--n", "1", "--url", &url("127.0.0.1", port)]);
        report(client.args(flags))?;
        ensure!(recorder.0.wait()?.success(), "the conversation with {program} was not recorded");
        let mut serve = programs.pinned("replay");
        served.push(started(serve.args(["serve", "--tape"]).arg(&tape))?);
    }
    let mut rows = Row::all(workload);
    for round in 0..ROUNDS {
        eprintln!("{workload} against recordings, round {} of {ROUNDS}", round + 1);
        for ((row, (program, flags, _)), (_, port)) in rows.iter_mut().zip(CLIENTS).zip(&served) {
            let mut client = programs.pinned(program);
            client.env("PERF_NO_WARM", "1").arg(workload).args(["--n", &n.to_string()]);
            client.args(["--url", &url("127.0.0.1", *port)]).args(flags);
            row.take(&report(&mut client)?);
        }
    }
    Ok(rows)
}

/// A server that ends with this value.
pub(crate) struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself, which is as well.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts a server that prints its port.
fn started(command: &mut Command) -> Result<(Running, u16)> {
    let mut child = command.stdout(Stdio::piped()).spawn()?;
    let output = child.stdout.take().context("no output")?;
    let running = Running(child);
    let mut line = String::new();
    BufReader::new(output).read_line(&mut line)?;
    Ok((running, line.trim().parse().context("no port")?))
}
