//! The tables that come of it.

use std::fmt;
use std::path::Path;

use anyhow::{Context as _, Result};
use bench_harness::Workload;

use crate::count::{Commands, Trace};
use crate::figures::{Figure, Figures};
use crate::programs::{BLOCKING, CLIENTS, FLOOR, PEERS, PORPOISE};
use crate::targets;
use crate::work::{IDLE, REAL, REPLAYED, X};

const BEGIN: &str = "<!-- measured -->";
const END: &str = "<!-- end -->";

/// Everything that was measured.
pub(crate) struct Table {
    pub(crate) figures: Figures,
    pub(crate) trace: Trace,
    pub(crate) commands: Commands,
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

    /// A line for each workload, a cell for each client.
    fn table(
        &self,
        f: &mut fmt::Formatter<'_>,
        head: &str,
        workloads: &[Workload],
        cell: impl Fn(&Figure) -> Option<f64>,
    ) -> fmt::Result {
        write!(f, "| {head} |")?;
        for client in CLIENTS {
            write!(f, " {} |", client.name)?;
        }
        writeln!(f, "\n|---|{}", "---|".repeat(CLIENTS.len()))?;
        for workload in workloads {
            write!(f, "| {workload} |")?;
            for i in 0..CLIENTS.len() {
                match self.figures.get(*workload, i).and_then(&cell) {
                    Some(value) => write!(f, " {} |", digits(value))?,
                    None => write!(f, " |")?,
                }
            }
            writeln!(f)?;
        }
        writeln!(f)
    }

    /// How much CPU others take for what takes porpoise one, and porpoise for what takes the floor one.
    fn ratios(&self, f: &mut fmt::Formatter<'_>, workloads: &[Workload]) -> fmt::Result {
        write!(f, "| CPU, ratios | porpoise on tokio : floor | blocking : floor |")?;
        for peer in PEERS {
            write!(f, " {} : porpoise |", CLIENTS.get(peer).map_or("", |client| client.name))?;
        }
        writeln!(f, "\n|---|{}", "---|".repeat(2 + PEERS.len()))?;
        for workload in workloads {
            let cpu = |client| self.figures.get(*workload, client).and_then(Figure::cpu);
            let ratios = [(PORPOISE, FLOOR), (BLOCKING, FLOOR)].into_iter();
            write!(f, "| {workload} |")?;
            for (one, other) in ratios.chain(PEERS.map(|peer| (peer, PORPOISE))) {
                match (cpu(one), cpu(other)) {
                    (Some(one), Some(other)) => write!(f, " {:.2} |", one / other)?,
                    _ => write!(f, " |")?,
                }
            }
            writeln!(f)?;
        }
        writeln!(f)
    }
}

/// Three digits that matter, or all of a large number.
fn digits(value: f64) -> String {
    let places = match value.abs() {
        0.0 => 0,
        value if value < 0.1 => 4,
        value if value < 10.0 => 2,
        value if value < 100.0 => 1,
        _ => 0,
    };
    format!("{value:.places$}")
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let replayed = REPLAYED.map(|work| work.workload);
        let real = REAL.map(|(workload, _)| workload);
        let x = X.map(|work| work.workload);
        let allocating: Vec<_> = replayed.iter().chain(&real).chain(&x).copied().collect();
        writeln!(f, "### What was wanted\n")?;
        targets::write(f, &self.figures)?;
        writeln!(
            f,
            "### Against recordings\n\nAn operation is a connect, a command, a row, a statement or a blob.\n"
        )?;
        self.ratios(f, &replayed)?;
        self.table(f, "CPU µs", &replayed, Figure::cpu)?;
        self.table(f, "instructions", &replayed, |figure| figure.instructions)?;
        writeln!(f, "### Against the server\n")?;
        self.ratios(f, &real)?;
        self.table(f, "CPU µs", &real, Figure::cpu)?;
        self.table(f, "operations a second", &real, Figure::rate)?;
        writeln!(f, "### X Protocol, against the server\n")?;
        self.ratios(f, &x)?;
        self.table(f, "CPU µs", &x, Figure::cpu)?;
        self.table(f, "operations a second", &x, Figure::rate)?;
        self.table(f, "instructions", &x, |figure| figure.instructions)?;
        writeln!(f, "### Memory\n")?;
        self.table(f, "allocations", &allocating, |figure| Some(figure.allocations))?;
        self.table(f, "KiB at most", &[Workload::Ping, Workload::Blob], |figure| Some(figure.resident))?;
        self.table(f, "bytes for each of 1000", &IDLE, |figure| figure.idle)?;
        writeln!(f, "### Over memory\n\n{}", self.commands)?;
        write!(f, "{}", self.trace)
    }
}

#[cfg(test)]
mod tests {
    use super::digits;

    #[test]
    fn no_more_digits_than_matter() {
        let digits: Vec<_> = [0.0, 0.0123, 1.234, 12.34, 1234.5].into_iter().map(digits).collect();
        assert_eq!(digits, ["0", "0.0123", "1.23", "12.3", "1234"]);
    }
}
