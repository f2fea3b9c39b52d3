//! What many connects have in common, and how far they differ.

use std::time::Duration;

use serde::Serialize;

use crate::exit::Exit;
use crate::report::{Report, micros};
use crate::text::Part;

/// Many connects with the same options.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Stats {
    pub(crate) target: String,
    pub(crate) user: String,
    pub(crate) runtime: &'static str,
    pub(crate) connects: usize,
    pub(crate) connected: usize,
    /// How many of those that connected resumed a TLS session.
    pub(crate) resumed: usize,
    /// Of those that connected.
    pub(crate) stages: Vec<Stage>,
    pub(crate) total: Option<Spread>,
    /// The first connect's time: it resumes nothing.
    #[serde(rename = "first_us", serialize_with = "some_micros")]
    pub(crate) first: Option<Duration>,
    pub(crate) failures: Vec<Failures>,
    #[serde(skip)]
    pub(crate) exit: Exit,
}

/// The times of one stage. A connect that enters it several times counts their sum.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Stage {
    #[serde(rename = "n")]
    pub(crate) number: u8,
    pub(crate) name: &'static str,
    #[serde(skip)]
    pub(crate) part: Part,
    #[serde(flatten)]
    pub(crate) spread: Spread,
}

/// Quantiles, by nearest rank.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Spread {
    #[serde(rename = "min_us", serialize_with = "micros")]
    pub(crate) min: Duration,
    #[serde(rename = "median_us", serialize_with = "micros")]
    pub(crate) median: Duration,
    #[serde(rename = "p99_us", serialize_with = "micros")]
    pub(crate) p99: Duration,
    #[serde(rename = "max_us", serialize_with = "micros")]
    pub(crate) max: Duration,
}

/// Connects that failed in the same way.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Failures {
    pub(crate) count: usize,
    pub(crate) stage: Option<&'static str>,
    pub(crate) errno: u16,
    pub(crate) name: Option<&'static str>,
    pub(crate) message: String,
    pub(crate) advice: Option<&'static str>,
}

impl Spread {
    fn of(times: &mut [Duration]) -> Option<Self> {
        times.sort_unstable();
        let (min, max) = (*times.first()?, *times.last()?);
        let rank = |percent: usize| times.get((times.len() * percent).div_ceil(100).max(1) - 1).copied();
        Some(Self { min, median: rank(50)?, p99: rank(99)?, max })
    }
}

impl Stats {
    /// `None` without any connect.
    pub(crate) fn of(reports: &[Report]) -> Option<Self> {
        let first = reports.first()?;
        let good: Vec<_> = reports.iter().filter(|report| report.connected).collect();
        let mut totals: Vec<_> = good.iter().map(|report| report.total).collect();
        Some(Self {
            target: first.target.clone(),
            user: first.user.clone(),
            runtime: first.runtime,
            connects: reports.len(),
            connected: good.len(),
            resumed: good.iter().filter(|report| report.tls.as_ref().is_some_and(|tls| tls.resumed)).count(),
            stages: stages(&good),
            total: Spread::of(&mut totals),
            first: first.connected.then_some(first.total),
            failures: failures(reports),
            exit: reports
                .iter()
                .find(|report| !report.connected)
                .map_or(Exit::Connected, |report| report.exit),
        })
    }
}

fn stages(reports: &[&Report]) -> Vec<Stage> {
    let mut known: Vec<(u8, &'static str, Part)> = Vec::new();
    for row in reports.iter().flat_map(|report| &report.stages) {
        let stage = (row.number, row.name, row.part);
        if !known.contains(&stage) {
            known.push(stage);
        }
    }
    let times = |number: u8| -> Vec<Duration> {
        let of_one = |report: &&Report| {
            let mut rows = report.stages.iter().filter(|row| row.number == number).peekable();
            rows.peek()?;
            Some(rows.map(crate::report::Row::time).sum())
        };
        reports.iter().filter_map(of_one).collect()
    };
    let stage =
        |(number, name, part)| Some(Stage { number, name, part, spread: Spread::of(&mut times(number))? });
    known.into_iter().filter_map(stage).collect()
}

fn failures(reports: &[Report]) -> Vec<Failures> {
    let mut failures: Vec<Failures> = Vec::new();
    for fault in reports.iter().filter_map(|report| report.error.as_ref()) {
        let same = |known: &&mut Failures| (known.stage, known.errno) == (fault.stage, fault.errno);
        match failures.iter_mut().find(same) {
            Some(known) => known.count += 1,
            None => failures.push(Failures {
                count: 1,
                stage: fault.stage,
                errno: fault.errno,
                name: fault.name,
                message: fault.message.clone(),
                advice: fault.advice,
            }),
        }
    }
    failures
}

fn some_micros<S: serde::Serializer>(time: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    match time {
        Some(time) => micros(time, serializer),
        None => serializer.serialize_none(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples;

    #[test]
    fn quantiles_by_nearest_rank() {
        let spread = |n: u64| {
            let mut times: Vec<_> = (1..=n).rev().map(Duration::from_micros).collect();
            let spread = Spread::of(&mut times).unwrap();
            [spread.min, spread.median, spread.p99, spread.max].map(|time| time.as_micros())
        };
        assert_eq!(spread(1), [1, 1, 1, 1]);
        assert_eq!(spread(2), [1, 1, 2, 2]);
        assert_eq!(spread(5), [1, 3, 5, 5]);
        assert_eq!(spread(100), [1, 50, 99, 100]);
        assert_eq!(spread(1000), [1, 500, 990, 1000]);
        assert_eq!(Spread::of(&mut []), None);
    }

    #[test]
    fn a_stage_that_is_entered_twice_counts_its_sum() {
        let mut report = samples::connected();
        let twice = report.stages[1].clone();
        report.stages.push(twice);
        let stats = Stats::of(&[report]).unwrap();
        let names: Vec<_> = stats.stages.iter().filter(|stage| stage.number == 3).collect();
        assert_eq!(names.len(), 1);
        assert_eq!(names[0].spread.max, Duration::from_micros(8_200));
    }

    #[test]
    fn the_first_failure_gives_the_exit_code() {
        let refused = Report { exit: Exit::Refused, ..samples::failed() };
        let stats = Stats::of(&[samples::connected(), samples::failed(), refused]).unwrap();
        assert_eq!((stats.connects, stats.connected, stats.exit), (3, 1, Exit::Network));
        assert_eq!(stats.failures.iter().map(|failure| failure.count).collect::<Vec<_>>(), [2]);
        assert!(Stats::of(&[]).is_none());
    }
}
