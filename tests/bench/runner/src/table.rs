//! The table that comes of it.

use std::fmt;
use std::path::Path;

use anyhow::{Context as _, Result};
use bench_harness::Report;

use crate::count::Trace;
use crate::programs::CLIENTS;

const BEGIN: &str = "<!-- measured -->";
const END: &str = "<!-- end -->";

/// One client's figures for one workload.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    workload: String,
    name: &'static str,
    /// CPU microseconds an operation, of each round.
    cpu: Vec<f64>,
    allocations: f64,
}

impl Row {
    /// An empty row for each client.
    pub(crate) fn all(workload: &str) -> Vec<Self> {
        CLIENTS
            .map(|(_, _, name)| Self {
                workload: workload.to_owned(),
                name,
                cpu: Vec::new(),
                allocations: 0.0,
            })
            .into()
    }

    /// Adds a round.
    pub(crate) fn take(&mut self, report: &Report) {
        self.cpu.push(report.cpu_us_per_op);
        self.allocations = report.allocs_per_op;
    }

    fn median(&self) -> Option<f64> {
        let mut sorted = self.cpu.clone();
        sorted.sort_by(f64::total_cmp);
        sorted.get(sorted.len() / 2).copied()
    }
}

/// Everything that was measured.
pub(crate) struct Table {
    pub(crate) replayed: Vec<Row>,
    pub(crate) real: Vec<Row>,
    pub(crate) counts: Vec<(&'static str, u64)>,
    pub(crate) trace: Trace,
}

impl Table {
    /// Writes it into `docs/performance.md`.
    pub(crate) fn write(&self) -> Result<()> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../docs/performance.md");
        let page = std::fs::read_to_string(&path)?;
        let (head, rest) =
            page.split_once(BEGIN).context("docs/performance.md has no place for the table")?;
        let (_, tail) = rest.split_once(END).context("docs/performance.md has no end of the table")?;
        Ok(std::fs::write(path, format!("{head}{BEGIN}\n\n{self}\n{END}{tail}"))?)
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (rows, against) in [(&self.replayed, "recordings, one CPU"), (&self.real, "the server")] {
            let Some(first) = rows.first() else { continue };
            let floor = first.median().unwrap_or(f64::NAN);
            writeln!(
                f,
                "| {}, against {against} | CPU µs | to the floor | allocations |\n|---|---|---|---|",
                first.workload
            )?;
            for row in rows {
                let Some(cpu) = row.median() else { continue };
                writeln!(f, "| {} | {cpu:.1} | {:.2} | {:.0} |", row.name, cpu / floor, row.allocations)?;
            }
            writeln!(f)?;
        }
        if !self.counts.is_empty() {
            writeln!(f, "| connect-plain | instructions |\n|---|---|")?;
            for (name, count) in &self.counts {
                writeln!(f, "| {name} | {count} |")?;
            }
            writeln!(f)?;
        }
        write!(f, "{}", self.trace)
    }
}
