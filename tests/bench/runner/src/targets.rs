//! What the figures are to be, and whether they are.

use std::fmt;

use bench_harness::Workload;

use crate::figures::Figures;
use crate::programs::{BLOCKING, FLOOR, FLOOR_TOKIO, PEERS, PORPOISE};

/// What is compared with the limit.
#[derive(Clone, Copy, Debug)]
enum Measure {
    /// CPU, as a ratio to another client's.
    Cpu(usize),
    Instructions,
    Allocations,
    /// The rate, as a ratio to that of the fastest peer.
    RateToPeers,
    /// KiB resident beyond what a ping needs.
    Extra,
    /// KiB resident for each idle connection.
    Idle,
}

struct Target {
    workload: Workload,
    client: usize,
    measure: Measure,
    limit: f64,
}

const fn target(workload: Workload, measure: Measure, limit: f64) -> Target {
    Target { workload, client: PORPOISE, measure, limit }
}

const TARGETS: [Target; 35] = [
    target(Workload::ConnectPlain, Measure::Cpu(FLOOR), 1.3),
    target(Workload::ConnectPlain, Measure::Instructions, 24_000.0),
    target(Workload::ConnectPlain, Measure::Allocations, 8.0),
    target(Workload::ConnectTls, Measure::Cpu(FLOOR), 1.1),
    target(Workload::Ping, Measure::Cpu(FLOOR), 1.2),
    target(Workload::Ping, Measure::Cpu(FLOOR_TOKIO), 1.05),
    target(Workload::Ping, Measure::Instructions, 2400.0),
    target(Workload::Ping, Measure::Allocations, 0.0),
    Target { workload: Workload::Ping, client: BLOCKING, measure: Measure::Cpu(FLOOR), limit: 1.1 },
    target(Workload::Select1, Measure::Cpu(FLOOR), 1.25),
    target(Workload::Select1, Measure::Cpu(FLOOR_TOKIO), 1.05),
    target(Workload::Select1, Measure::Instructions, 3300.0),
    target(Workload::Select1, Measure::Allocations, 1.0),
    target(Workload::PointQuery, Measure::Cpu(FLOOR), 1.4),
    target(Workload::PointQuery, Measure::Instructions, 6000.0),
    target(Workload::PointQuery, Measure::Allocations, 3.0),
    target(Workload::RowsNarrow, Measure::Cpu(FLOOR), 2.1),
    target(Workload::RowsNarrow, Measure::Instructions, 600.0),
    target(Workload::RowsNarrow, Measure::Allocations, 0.01),
    target(Workload::RowsNarrowBin, Measure::Cpu(FLOOR), 2.4),
    target(Workload::RowsNarrowBin, Measure::Instructions, 350.0),
    target(Workload::RowsNarrowBin, Measure::Allocations, 0.01),
    target(Workload::RowsWide, Measure::Cpu(FLOOR), 1.7),
    target(Workload::RowsWideBin, Measure::Cpu(FLOOR), 1.4),
    target(Workload::Multi, Measure::Cpu(FLOOR), 4.0),
    target(Workload::Multi, Measure::Allocations, 0.1),
    target(Workload::InsertPipeline, Measure::RateToPeers, 3.0),
    target(Workload::Blob, Measure::Cpu(FLOOR), 1.15),
    target(Workload::Blob, Measure::Extra, 1024.0),
    target(Workload::IdleParked, Measure::Idle, 3.0),
    target(Workload::IdleMemory, Measure::Idle, 6.0),
    target(Workload::XConnectUnix, Measure::Cpu(FLOOR), 1.3),
    target(Workload::XRowsNarrow, Measure::Cpu(FLOOR), 2.2),
    target(Workload::XRowsNarrow, Measure::Allocations, 0.01),
    target(Workload::XInsertDocs, Measure::Cpu(FLOOR), 1.5),
];

impl Target {
    fn measured(&self, figures: &Figures) -> Option<f64> {
        let figure = |client| figures.get(self.workload, client);
        let own = figure(self.client)?;
        match self.measure {
            Measure::Cpu(to) => Some(own.cpu()? / figure(to)?.cpu()?),
            Measure::Instructions => own.instructions,
            Measure::Allocations => Some(own.allocations),
            Measure::RateToPeers => {
                let best = PEERS.filter_map(|peer| figure(peer)?.rate()).fold(0.0, f64::max);
                Some(own.rate()? / best)
            }
            Measure::Extra => Some(own.resident - figures.get(Workload::Ping, self.client)?.resident),
            Measure::Idle => Some(own.idle? / 1024.0),
        }
    }

    const fn what(&self) -> &'static str {
        match self.measure {
            Measure::Cpu(FLOOR_TOKIO) => "CPU to the floor on tokio",
            Measure::Cpu(_) => "CPU to the floor",
            Measure::Instructions => "instructions",
            Measure::Allocations => "allocations",
            Measure::RateToPeers => "rate to the fastest peer",
            Measure::Extra => "KiB beyond a ping's",
            Measure::Idle => "KiB a connection",
        }
    }

    /// How far from the limit that is, as a share of it; negative on the good side.
    fn excess(&self, measured: f64) -> f64 {
        let at_least = matches!(self.measure, Measure::RateToPeers);
        let excess = if at_least { self.limit - measured } else { measured - self.limit };
        // A ping allocates when its buffer wears out, once in some thousands.
        if self.limit == 0.0 { excess - 0.005 } else { excess / self.limit }
    }
}

/// The table of all targets.
pub(crate) fn write(f: &mut fmt::Formatter<'_>, figures: &Figures) -> fmt::Result {
    writeln!(f, "| workload | what | wanted | measured | |\n|---|---|---|---|---|")?;
    for target in &TARGETS {
        let Some(measured) = target.measured(figures) else { continue };
        let sign = if matches!(target.measure, Measure::RateToPeers) { "≥" } else { "≤" };
        let excess = target.excess(measured);
        let verdict =
            if excess <= 0.0 { "met".to_owned() } else { format!("missed by {:.0} %", excess * 100.0) };
        let own = if target.client == BLOCKING { ", blocking" } else { "" };
        let (workload, what, limit) = (target.workload, target.what(), target.limit);
        let places = if measured.abs() < 100.0 { 2 } else { 0 };
        writeln!(f, "| {workload}{own} | {what} | {sign} {limit} | {measured:.places$} | {verdict} |")?;
    }
    writeln!(f)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::Figure;

    #[test]
    fn both_sides_of_a_limit() {
        let most = target(Workload::Ping, Measure::Instructions, 100.0);
        assert!(most.excess(110.0) > 0.09 && most.excess(100.0) <= 0.0);
        let least = target(Workload::InsertPipeline, Measure::RateToPeers, 3.0);
        assert!(least.excess(2.0) > 0.3 && least.excess(4.0) < 0.0);
    }

    #[test]
    fn what_was_not_measured_is_left_out() {
        struct Written(Figures);
        impl fmt::Display for Written {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write(f, &self.0)
            }
        }
        let mut figures = Figures::default();
        *figures.of(Workload::Ping, PORPOISE) = Figure { instructions: Some(2500.0), ..Figure::default() };
        let text = Written(figures).to_string();
        assert!(text.contains("| ping | instructions | ≤ 2400 | 2500 | missed by 4 % |"), "{text}");
        assert!(!text.contains("blob"), "{text}");
    }
}
