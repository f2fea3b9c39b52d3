//! Everything that was measured.

use std::collections::BTreeMap;

use bench_harness::{Report, Workload};

/// What one client did in one workload.
#[derive(Clone, Debug, Default)]
pub(crate) struct Figure {
    /// CPU microseconds an operation, of each round.
    cpu: Vec<f64>,
    /// Operations a second, of each round.
    rate: Vec<f64>,
    pub(crate) allocations: f64,
    /// The most memory that was resident, in KiB.
    pub(crate) resident: f64,
    pub(crate) instructions: Option<f64>,
    /// Resident bytes for each idle connection.
    pub(crate) idle: Option<f64>,
}

impl Figure {
    fn take(&mut self, report: &Report) {
        self.cpu.push(report.cpu_us_per_op);
        self.rate.push(report.ops_per_s);
        self.allocations = report.allocs_per_op;
        self.resident = report.maxrss_kib as f64;
    }

    pub(crate) fn cpu(&self) -> Option<f64> {
        median(&self.cpu)
    }

    pub(crate) fn rate(&self) -> Option<f64> {
        median(&self.rate)
    }
}

fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied()
}

/// By workload and client.
#[derive(Clone, Debug, Default)]
pub(crate) struct Figures {
    figures: BTreeMap<(&'static str, usize), Figure>,
    checksums: BTreeMap<&'static str, u64>,
}

impl Figures {
    /// Adds a round.
    ///
    /// # Errors
    /// The client did not do what those before it did.
    pub(crate) fn take(&mut self, workload: Workload, client: usize, report: &Report) -> anyhow::Result<()> {
        // How many sessions were resumed is each client's own affair.
        if !workload.is_tls() {
            let sum = *self.checksums.entry(workload.name()).or_insert(report.checksum);
            anyhow::ensure!(
                sum == report.checksum,
                "{}: {workload} has the checksum {}, not {sum}",
                report.peer,
                report.checksum
            );
        }
        self.of(workload, client).take(report);
        Ok(())
    }

    /// A figure to be filled in.
    pub(crate) fn of(&mut self, workload: Workload, client: usize) -> &mut Figure {
        self.figures.entry((workload.name(), client)).or_default()
    }

    pub(crate) fn get(&self, workload: Workload, client: usize) -> Option<&Figure> {
        self.figures.get(&(workload.name(), client))
    }
}

#[cfg(test)]
mod tests {
    use super::median;

    #[test]
    fn the_middle_one() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[]), None);
    }
}
