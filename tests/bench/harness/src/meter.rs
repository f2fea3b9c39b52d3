use std::fs;
use std::time::Instant;

use anyhow::Context as _;
use nix::sys::resource::{Usage, UsageWho, getrusage};
use nix::sys::time::{TimeVal, TimeValLike as _};
use serde::{Deserialize, Serialize};

use crate::{Allocations, Args};

/// What a program measured. The line it prints.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Report {
    /// The client.
    pub peer: String,
    /// What it did.
    pub workload: String,
    /// How often.
    pub ops: u64,
    /// In how many seconds.
    pub secs: f64,
    /// Operations per second.
    pub ops_per_s: f64,
    /// CPU seconds in the program.
    pub user_s: f64,
    /// CPU seconds in the kernel.
    pub sys_s: f64,
    /// CPU microseconds per operation, of both kinds.
    pub cpu_us_per_op: f64,
    /// Those in the program.
    pub user_us_per_op: f64,
    /// The most memory that was resident.
    pub maxrss_kib: i64,
    /// Calls of the allocator per operation.
    pub allocs_per_op: f64,
    /// Bytes asked of it per operation.
    pub alloc_bytes_per_op: f64,
    /// How often the program gave up the CPU by itself, per operation.
    pub waits_per_op: f64,
    /// The server's CPU microseconds per operation, if `PERF_SERVER_PID` names it.
    pub server_cpu_us_per_op: f64,
    /// The same for all clients, or they did not do the same.
    pub checksum: u64,
}

/// Measures from its start to its end.
#[derive(Debug)]
pub struct Meter {
    allocations: Allocations,
    server: f64,
    usage: Usage,
    start: Instant,
}

impl Meter {
    /// Starts.
    ///
    /// # Errors
    /// The operating system does not tell the program's use of resources.
    pub fn start() -> anyhow::Result<Self> {
        let server = server_cpu();
        let usage = getrusage(UsageWho::RUSAGE_SELF)?;
        Ok(Self { allocations: Allocations::now(), server, usage, start: Instant::now() })
    }

    /// Ends, and prints the report.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn finish(self, peer: &str, args: &Args, ops: u64, checksum: u64) -> anyhow::Result<()> {
        let secs = self.start.elapsed().as_secs_f64();
        let Allocations { calls, bytes } = self.allocations.since();
        let usage = getrusage(UsageWho::RUSAGE_SELF)?;
        let n = ops as f64;
        let user_s = seconds(usage.user_time()) - seconds(self.usage.user_time());
        let sys_s = seconds(usage.system_time()) - seconds(self.usage.system_time());
        let waits = usage.voluntary_context_switches() - self.usage.voluntary_context_switches();
        print(&Report {
            peer: format!("{peer}{}", if args.lean { "-lean" } else { "" }),
            workload: args.workload.name().to_owned(),
            ops,
            secs,
            ops_per_s: n / secs,
            user_s,
            sys_s,
            cpu_us_per_op: (user_s + sys_s) * 1e6 / n,
            user_us_per_op: user_s * 1e6 / n,
            maxrss_kib: usage.max_rss(),
            allocs_per_op: calls as f64 / n,
            alloc_bytes_per_op: bytes as f64 / n,
            waits_per_op: waits as f64 / n,
            server_cpu_us_per_op: (server_cpu() - self.server) * 1e6 / n,
            checksum,
        })
    }
}

/// What `idle-memory` prints.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct IdleReport {
    /// The client.
    pub peer: String,
    /// `idle-memory`.
    pub workload: String,
    /// How many connections.
    pub ops: u64,
    /// Resident memory for each.
    pub rss_bytes_per_conn: u64,
    /// Bytes asked of the allocator for each, given back or not.
    pub allocated_bytes_per_conn_gross: u64,
}

/// Measures what connections hold.
#[derive(Debug)]
pub struct Idle {
    resident: u64,
    allocations: Allocations,
}

impl Idle {
    /// Before the first connection.
    ///
    /// # Errors
    /// The operating system does not tell the program's memory.
    pub fn start() -> anyhow::Result<Self> {
        Ok(Self { resident: resident_bytes()?, allocations: Allocations::now() })
    }

    /// After the last, while all are open. Prints the report.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn finish(self, peer: &str, args: &Args) -> anyhow::Result<()> {
        let allocated = self.allocations.since().bytes;
        print(&IdleReport {
            peer: peer.to_owned(),
            workload: args.workload.name().to_owned(),
            ops: args.n,
            rss_bytes_per_conn: resident_bytes()?.saturating_sub(self.resident) / args.n,
            allocated_bytes_per_conn_gross: allocated / args.n,
        })
    }
}

fn print(report: &impl Serialize) -> anyhow::Result<()> {
    println!("{}", serde_json::to_string(report)?);
    Ok(())
}

fn seconds(time: TimeVal) -> f64 {
    time.num_microseconds() as f64 * 1e-6
}

/// Pages have 4 KiB on the machines that this is run on.
fn resident_bytes() -> anyhow::Result<u64> {
    let statm = fs::read_to_string("/proc/self/statm")?;
    let pages = statm.split(' ').nth(1).context("statm")?;
    Ok(pages.parse::<u64>()? * 4096)
}

/// CPU seconds of the server so far, if `PERF_SERVER_PID` names it. A tick of the clock has 10 ms.
fn server_cpu() -> f64 {
    let ticks = || {
        let stat =
            fs::read_to_string(format!("/proc/{}/stat", std::env::var("PERF_SERVER_PID").ok()?)).ok()?;
        let fields = stat.rsplit_once(") ")?.1;
        let mut times = fields.split(' ').skip(11).map_while(|ticks| ticks.parse::<f64>().ok());
        Some(times.next()? + times.next()?)
    };
    ticks().unwrap_or(0.0) / 100.0
}
