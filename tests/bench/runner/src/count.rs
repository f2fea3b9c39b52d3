//! Instructions, counted by valgrind: the same whatever else the machine does. Two runs of different length, and the
//! slope between them.

use std::fmt;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use bench_harness::Workload;

use crate::figures::Figures;
use crate::programs::{CLIENTS, Programs};
use crate::server::Server;
use crate::stripped;
use crate::work::scale;

/// What a sink that is off at run time may cost more than none, in instructions a connect.
const OFF_LIMIT: u64 = 200;

/// How far `NoTrace` may be from a build that has no emissions, in instructions a connect. The two are not the same
/// code to the compiler, which may inline and place it otherwise; one emission that is not free costs about as much.
const FREE_LIMIT: u64 = 10;

/// A connect over memory, in instructions.
pub(crate) struct Trace {
    /// Without any emission in the source.
    stripped: u64,
    /// How many there were.
    taken: usize,
    /// With `NoTrace`, in a program of its own as well.
    kept: u64,
    /// With `NoTrace`, in the program that has the other sinks too.
    none: u64,
    off: u64,
    driver: u64,
}

impl Trace {
    /// Counts a build without emissions, `NoTrace`, a sink that is off at run time, and the driver on top of it.
    pub(crate) fn count(programs: &Programs) -> Result<Self> {
        let taken = stripped::build()?;
        let variant = |variant: &str| {
            slope(programs, "inproc", 20, 120, |n| Ok(vec![variant.to_owned(), n.to_string()]))
        };
        let alone = |program: &str| slope(programs, program, 20, 120, |n| Ok(vec![n.to_string()]));
        Ok(Self {
            stripped: alone(stripped::STRIPPED)?,
            taken,
            kept: alone(stripped::KEPT)?,
            none: variant("no-trace")?,
            off: variant("tap-off")?,
            driver: variant("driver")?,
        })
    }

    /// # Errors
    /// `NoTrace` is not free, or being off costs too much.
    pub(crate) fn check(&self) -> Result<()> {
        let difference = self.kept.abs_diff(self.stripped);
        ensure!(
            difference <= FREE_LIMIT,
            "`NoTrace` differs by {difference} instructions a connect from no emissions, the limit is {FREE_LIMIT}"
        );
        let cost = self.off.saturating_sub(self.none);
        ensure!(
            cost <= OFF_LIMIT,
            "a sink that is off costs {cost} instructions a connect, the limit is {OFF_LIMIT}"
        );
        Ok(())
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| a connect over memory | instructions |\n|---|---|")?;
        writeln!(
            f,
            "| the machine, its {} emissions taken out of the source | {} |",
            self.taken, self.stripped
        )?;
        writeln!(f, "| the machine with `NoTrace` | {} |", self.kept)?;
        writeln!(f, "| the same in a program with other sinks | {} |", self.none)?;
        writeln!(f, "| the machine with a sink that is off at run time | {} |", self.off)?;
        writeln!(f, "| the driver on top, its sink off | {} |", self.driver)
    }
}

/// Commands over memory, in instructions.
pub(crate) struct Commands(Vec<(Bound, u64)>);

/// What an operation may cost.
struct Bound {
    variant: &'static str,
    what: &'static str,
    /// Runs of different length.
    few: u64,
    many: u64,
    /// How many operations a run counts as one.
    scale: u64,
    limit: u64,
}

/// What a change for the worse must not pass. Not what is aimed at: that is in the table of the whole run.
const BOUNDS: [Bound; 3] = [
    Bound { variant: "ping", what: "a ping", few: 200, many: 1200, scale: 1, limit: PING },
    Bound { variant: "select1", what: "`SELECT 1`, typed", few: 200, many: 1200, scale: 1, limit: SELECT_1 },
    Bound { variant: "rows", what: "a narrow row, typed", few: 5, many: 25, scale: 1000, limit: ROW },
];
const PING: u64 = 1240;
const SELECT_1: u64 = 2340;
const ROW: u64 = 550;

impl Commands {
    pub(crate) fn count(programs: &Programs) -> Result<Self> {
        let count = |bound: Bound| {
            let run = |n: u64| Ok(vec![bound.variant.to_owned(), n.to_string()]);
            let slope = slope(programs, "inproc", bound.few, bound.many, run)?;
            let each = slope / bound.scale;
            Ok((bound, each))
        };
        Ok(Self(BOUNDS.into_iter().map(count).collect::<Result<_>>()?))
    }

    /// # Errors
    /// One costs more than it may.
    pub(crate) fn check(&self) -> Result<()> {
        for (Bound { what, limit, .. }, count) in &self.0 {
            ensure!(count <= limit, "{what} costs {count} instructions, the limit is {limit}");
        }
        Ok(())
    }
}

impl fmt::Display for Commands {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| over memory, through the driver | instructions | at most, in CI |\n|---|---|---|")?;
        for (Bound { what, limit, .. }, count) in &self.0 {
            writeln!(f, "| {what} | {count} | {limit} |")?;
        }
        Ok(())
    }
}

/// Instructions of an operation on the server, of every client that has the workload.
pub(crate) fn operations(
    programs: &Programs,
    server: &Server,
    workload: Workload,
    (few, many): (u64, u64),
    figures: &mut Figures,
) -> Result<()> {
    for (i, client) in CLIENTS.into_iter().enumerate() {
        if figures.get(workload, i).is_none() {
            continue;
        }
        eprintln!("counting the instructions of {workload}: {}", client.name);
        // Someone may have emptied the server's cache.
        server.warm(programs)?;
        let arguments = |n: u64| {
            let mut arguments = server.arguments(workload, n)?;
            arguments.extend(client.flags.iter().map(|&flag| flag.to_owned()));
            Ok(arguments)
        };
        let slope = slope(programs, client.program, few, many, arguments)?;
        figures.of(workload, i).instructions = Some(slope as f64 / scale(workload) as f64);
    }
    Ok(())
}

/// Instructions per operation, between a run of `few` and one of `many`.
fn slope(
    programs: &Programs,
    program: &str,
    few: u64,
    many: u64,
    arguments: impl Fn(u64) -> Result<Vec<String>>,
) -> Result<u64> {
    let count = |n: u64| instructions(programs, program, &arguments(n)?);
    Ok((count(many)?.saturating_sub(count(few)?)) / (many - few))
}

fn instructions(programs: &Programs, program: &str, arguments: &[String]) -> Result<u64> {
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"]);
    valgrind.env("PERF_NO_WARM", "1").arg(programs.path(program)).args(arguments).stdout(Stdio::null());
    let output = valgrind.output().context("valgrind counts the instructions: is it installed?")?;
    let text = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{program}: {text}");
    let line = text.lines().find(|line| line.contains("refs:")).context("valgrind did not count")?;
    let number: String =
        line.rsplit(':').next().unwrap_or_default().chars().filter(char::is_ascii_digit).collect();
    Ok(number.parse()?)
}
