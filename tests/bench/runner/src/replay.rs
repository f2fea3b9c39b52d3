//! A client's own cost: against a server that answers from memory, both on one CPU, so that every wake-up costs the
//! same.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use bench_harness::{Report, Workload};

use crate::figures::Figures;
use crate::programs::{CLIENTS, Programs, report, report_if_any};
use crate::server::{Server, url};
use crate::work::Work;

const ROUNDS: usize = 5;

/// Records what the server says to each client, then measures each against its recording, by turns.
pub(crate) fn measure(programs: &Programs, server: &Server, work: Work, figures: &mut Figures) -> Result<()> {
    let folder = tempfile::tempdir()?;
    server.warm(programs)?;
    // Connects are all alike, and end with a command.
    let (recorded, n) = match work.workload {
        Workload::ConnectPlain => (Workload::Ping, 1),
        other => (other, work.n),
    };
    let mut served = Vec::new();
    for (i, client) in CLIENTS.into_iter().enumerate() {
        let tape = folder.path().join(i.to_string());
        let mut record = Command::new(programs.path("replay"));
        record.args(["record", "--to", &server.address(), "--tape"]).arg(&tape);
        let (mut recorder, port) = started(&mut record)?;
        let mut command = programs.pinned(client.program);
        command.env("PERF_NO_WARM", "1").args([recorded.name(), "--n", &n.to_string()]);
        command.args(["--url", &url("127.0.0.1", port)]).args(client.flags);
        if report_if_any::<Report>(&mut command).is_none() {
            // Not all have all workloads.
            continue;
        }
        ensure!(recorder.0.wait()?.success(), "the conversation with {} was not recorded", client.name);
        let mut serve = programs.pinned("replay");
        served.push((i, started(serve.args(["serve", "--tape"]).arg(&tape))?));
    }
    for round in 0..ROUNDS {
        eprintln!("{} against recordings, round {} of {ROUNDS}", work.workload, round + 1);
        for (i, (_, port)) in &served {
            let client = CLIENTS[*i];
            let mut command = programs.pinned(client.program);
            command.env("PERF_NO_WARM", "1").arg(work.workload.name()).args(["--n", &work.n.to_string()]);
            command.args(["--url", &url("127.0.0.1", *port)]).args(client.flags);
            figures.take(work.workload, *i, &report(&mut command)?)?;
        }
    }
    Ok(())
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
