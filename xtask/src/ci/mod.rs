//! `cargo xtask ci`: everything that is checked, cheap things first.
//!
//! - [`steps`]: what is done; [`features`], [`licences`], [`consumers`]: the larger ones
//! - [`servers`]: brought up beside the first steps, taken down at the end
//! - [`tally`]: what `cargo test` says, counted

mod consumers;
mod features;
mod licences;
pub(crate) mod servers;
pub(crate) mod steps;
pub(crate) mod tally;

use std::time::{Duration, Instant};

use anyhow::bail;

use self::servers::Servers;
use self::steps::{STEPS, Step};
use self::tally::Tally;
use crate::Result;

/// Arguments of `cargo xtask ci`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Go on after a step that failed.
    #[arg(long)]
    keep_going: bool,
    /// Do only this step; may be given more than once. Servers are brought up if it needs them.
    #[arg(long, value_name = "STEP", value_parser = clap::builder::PossibleValuesParser::new(STEPS.iter().map(|step| step.name)))]
    only: Vec<String>,
}

/// What a step that did not fail came to.
#[derive(Debug)]
enum Outcome {
    Done(String),
    NotRun(String),
}

/// What the steps share.
#[derive(Debug, Default)]
struct Ci {
    servers: Option<Servers>,
    tally: Tally,
}

/// One line of the table at the end.
#[derive(Debug)]
struct Row {
    step: &'static str,
    result: Result<Outcome>,
    took: Duration,
}

/// Runs `cargo xtask ci`.
pub(crate) fn run(args: Args) -> Result<()> {
    let steps = selected(&args.only);
    let began = Instant::now();
    let mut ci = Ci::default();
    if steps.iter().any(|step| step.server) && !servers::unwanted() {
        println!("bringing up the servers beside the first steps");
        ci.servers = Some(Servers::begin()?);
    }
    let rows = walk(&mut ci, &steps, args.keep_going);
    let down = ci.servers.take().map_or(Ok(()), Servers::take_down);
    if let Err(error) = &down {
        eprintln!("the servers could not be taken down: {error:#}");
    }
    summary(&ci, &steps, &rows, began.elapsed());
    let failed: Vec<_> = rows.iter().filter(|row| row.result.is_err()).map(|row| row.step).collect();
    if !failed.is_empty() {
        bail!("failed: {}", failed.join(", "));
    }
    down
}

/// The steps of these names, or all. A step that needs servers brings the step before it that has them.
fn selected(only: &[String]) -> Vec<&'static Step> {
    let named = |step: &&Step| only.is_empty() || only.iter().any(|name| name == step.name);
    let server = STEPS.iter().filter(named).any(|step| step.server);
    STEPS.iter().filter(|step| named(step) || (server && step.name == steps::SERVER)).collect()
}

/// Does one step after the other.
fn walk(ci: &mut Ci, steps: &[&'static Step], keep_going: bool) -> Vec<Row> {
    let mut rows = Vec::new();
    for (n, step) in (1..).zip(steps) {
        println!("\n[{n}/{}] {}: {}", steps.len(), step.name, step.what);
        let began = Instant::now();
        let result = if step.server && servers::unwanted() && !step.lists {
            Ok(Outcome::NotRun(format!("{}=1 is set", servers::NO_SERVER)))
        } else {
            (step.run)(ci)
        };
        let row = Row { step: step.name, result, took: began.elapsed() };
        println!("[{n}/{}] {}", steps.len(), row.line());
        if let Err(error) = &row.result {
            println!("{error:#}");
        }
        let stop = row.result.is_err() && !keep_going;
        rows.push(row);
        if stop {
            break;
        }
    }
    rows
}

impl Row {
    fn line(&self) -> String {
        let (result, detail) = match &self.result {
            Ok(Outcome::Done(detail)) => ("ok", detail.as_str()),
            Ok(Outcome::NotRun(why)) => ("not run", why.as_str()),
            Err(_) => ("FAILED", ""),
        };
        format!("{:<10} {result:<8} {:>7}  {detail}", self.step, duration(self.took)).trim_end().to_owned()
    }
}

fn duration(time: Duration) -> String {
    let tenths = (time.as_millis() + 50) / 100;
    match tenths / 600 {
        0 => format!("{}.{} s", tenths / 10, tenths % 10),
        minutes => format!("{minutes}:{:02} min", tenths % 600 / 10),
    }
}

fn summary(ci: &Ci, steps: &[&'static Step], rows: &[Row], took: Duration) {
    if !ci.tally.ignored().is_empty() {
        println!("\nTests that were not run:");
        ci.tally.ignored().iter().for_each(|name| println!("  {name}"));
    }
    println!("\nThe test programs said:");
    ci.tally.closing().for_each(|line| println!("{line}"));
    println!("\nThe steps:");
    rows.iter().for_each(|row| println!("{}", row.line()));
    for step in steps.iter().skip(rows.len()) {
        println!("{:<10} not run            a step before it failed", step.name);
    }
    println!("{:<10} {:>16}", "together", duration(took));
    println!("{}", ci.tally);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_that_needs_servers_brings_them() {
        let names = |only: &[&str]| -> Vec<&str> {
            let only: Vec<String> = only.iter().map(|name| (*name).to_owned()).collect();
            selected(&only).iter().map(|step| step.name).collect()
        };
        assert_eq!(names(&["fmt"]), ["fmt"]);
        assert_eq!(names(&["e2e", "fmt"]), ["fmt", steps::SERVER, "e2e"]);
        assert_eq!(names(&[]).len(), STEPS.len());
    }

    #[test]
    fn times_are_readable() {
        let of = |millis| duration(Duration::from_millis(millis));
        assert_eq!(of(0), "0.0 s");
        assert_eq!(of(59_949), "59.9 s");
        assert_eq!(of(59_950), "1:00 min");
        assert_eq!(of(754_000), "12:34 min");
    }

    #[test]
    fn a_failure_ends_the_walk_unless_told_otherwise() {
        fn fails(_: &mut Ci) -> Result<Outcome> {
            bail!("as meant")
        }
        fn works(_: &mut Ci) -> Result<Outcome> {
            Ok(Outcome::Done(String::new()))
        }
        const FIRST: Step = Step { name: "first", what: "fails", server: false, lists: false, run: fails };
        const SECOND: Step = Step { name: "second", what: "works", server: false, lists: false, run: works };
        let steps: [&'static Step; 2] = [&FIRST, &SECOND];
        assert_eq!(walk(&mut Ci::default(), &steps, false).len(), 1);
        let rows = walk(&mut Ci::default(), &steps, true);
        assert!(rows[0].line().starts_with("first      FAILED"));
        assert!(rows[1].line().starts_with("second     ok"));
    }
}
