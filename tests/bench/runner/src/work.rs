//! What is run, and how often.

use bench_harness::Workload;

/// A workload that is timed, and counted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Work {
    pub(crate) workload: Workload,
    /// Operations of a run that is timed.
    pub(crate) n: u64,
    /// Operations of the two runs whose difference is counted; none for those that are not.
    pub(crate) counted: Option<(u64, u64)>,
}

const fn work(workload: Workload, n: u64, counted: (u64, u64)) -> Work {
    Work { workload, n, counted: Some(counted) }
}

/// What is measured against recordings.
pub(crate) const REPLAYED: [Work; 10] = [
    work(Workload::ConnectPlain, 600, (100, 600)),
    work(Workload::Ping, 15_000, (200, 1200)),
    work(Workload::Select1, 10_000, (200, 1200)),
    work(Workload::PointQuery, 10_000, (200, 1200)),
    work(Workload::RowsNarrow, 500_000, (2000, 22_000)),
    work(Workload::RowsNarrowBin, 500_000, (2000, 22_000)),
    work(Workload::RowsWide, 50_000, (500, 5500)),
    work(Workload::RowsWideBin, 50_000, (500, 5500)),
    work(Workload::Multi, 100, (5, 25)),
    Work { workload: Workload::Blob, n: 16, counted: None },
];

/// What the program counts as operations, for each that is asked for.
pub(crate) const fn scale(workload: Workload) -> u64 {
    match workload {
        Workload::Multi => bench_harness::work::STATEMENTS,
        _ => 1,
    }
}

/// What needs the server itself: TLS, which recordings do not speak, and what is about both sides.
pub(crate) const REAL: [(Workload, u64); 3] =
    [(Workload::ConnectTls, 100), (Workload::ConnectTlsFull, 100), (Workload::InsertPipeline, 10_000)];

/// X Protocol, which recordings do not speak.
pub(crate) const X: [Work; 6] = [
    work(Workload::XConnect, 400, (20, 120)),
    work(Workload::XConnectUnix, 400, (20, 120)),
    work(Workload::XConnectPipelined, 400, (20, 120)),
    work(Workload::XSelect1, 2000, (100, 600)),
    work(Workload::XRowsNarrow, 100_000, (2000, 22_000)),
    work(Workload::XInsertDocs, 2000, (200, 1200)),
];

/// Connections that do nothing.
pub(crate) const IDLE: [Workload; 2] = [Workload::IdleMemory, Workload::IdleParked];
pub(crate) const IDLE_CONNECTIONS: u64 = 1000;
