//! The steps of a CI run.

use super::servers;
use super::tally::Tally;
use super::{Ci, Outcome, consumers, features, licences};
use crate::metadata::Metadata;
use crate::{Result, bench, codegen, consumer, demo, fuzz, layers, matrix, server, workspace};

/// One step.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) name: &'static str,
    /// What it does, for those who watch.
    pub(super) what: &'static str,
    /// Whether servers must be up.
    pub(super) server: bool,
    /// Whether it has something to tell when there are none.
    pub(super) lists: bool,
    pub(super) run: fn(&mut Ci) -> Result<Outcome>,
}

/// The step that has the servers brought up.
pub(super) const SERVER: &str = "server";

/// The name of all tests that need servers. The packages that have them have no others.
const E2E: &str = "e2e";

/// Runs these. They are chosen in the whole workspace, so that nothing is built again with fewer features.
pub(crate) const E2E_TESTS: [&str; 5] = ["test", "--workspace", "--test", E2E, "--no-fail-fast"];

/// Builds the programs with the features that the tests were built with, for the same reason.
const AS_TESTED: &[&str] = &["--workspace", "--bins", "--tests"];

/// All of them, in the order in which they are done.
pub(super) const STEPS: &[Step] = &[
    plain("fmt", "is everything formatted?", fmt),
    plain("codegen", "is the generated code that of the spec tables?", |_| codegen::check().map(done)),
    plain("layers", "does a crate depend on what it must not?", |_| layers::run(layers::Args {}).map(done)),
    plain("licences", "licences and sources of all dependencies, by deny.toml", |_| {
        licences::check().map(Outcome::Done)
    }),
    plain("clippy", "lints of the whole workspace; warnings are errors", clippy),
    plain("doc", "the crate pages; warnings are errors", doc),
    plain("features", "each library crate alone, with and without its features", |_| {
        features::check().map(Outcome::Done)
    }),
    plain("consumers", "a program for each library crate, which uses nothing else", |_| {
        consumers::check().map(Outcome::Done)
    }),
    plain("tests", "unit tests, crate tests and examples of the docs", tests),
    with_server(SERVER, "wait until the servers are up", wait_for_servers),
    Step { lists: true, ..with_server("e2e", "tests on real servers", e2e) },
    with_server(
        "matrix",
        "runtimes, transports, servers and feature sets, every two of them together",
        matrix_cells,
    ),
    plain("fuzz", "the bodies of the fuzz targets, 20 s each", |ci| count(ci, fuzz::bodies(20)?)),
    plain("bench", "the benches build; what tracing costs when it is off, in instructions", bench_smoke),
    Step {
        lists: true,
        ..with_server("demo", "what the README promises", |_| demo::show(AS_TESTED).map(Outcome::Done))
    },
];

const fn plain(name: &'static str, what: &'static str, run: fn(&mut Ci) -> Result<Outcome>) -> Step {
    Step { name, what, server: false, lists: false, run }
}

const fn with_server(name: &'static str, what: &'static str, run: fn(&mut Ci) -> Result<Outcome>) -> Step {
    Step { name, what, server: true, lists: false, run }
}

fn done(_: ()) -> Outcome {
    Outcome::Done(String::new())
}

fn fmt(_: &mut Ci) -> Result<Outcome> {
    workspace::run(&mut workspace::cargo(["fmt", "--all", "--check"]))?;
    let beside = ["tests/fuzz", "tests/bench"].map(|dir| workspace::root().join(dir).join("Cargo.toml"));
    for manifest in consumer::manifests()?.into_iter().chain(beside).filter(|manifest| manifest.is_file()) {
        workspace::run(workspace::cargo(["fmt", "--all", "--check", "--manifest-path"]).arg(manifest))?;
    }
    Ok(done(()))
}

fn clippy(_: &mut Ci) -> Result<Outcome> {
    let args = ["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"];
    workspace::run(&mut workspace::cargo(args)).map(done)
}

fn doc(_: &mut Ci) -> Result<Outcome> {
    // The program and the facade have one name, and so one page; the library's is the one to read.
    let mut cargo = workspace::cargo(["doc", "--workspace", "--lib", "--no-deps"]);
    workspace::run(cargo.env("RUSTDOCFLAGS", "-D warnings")).map(done)
}

fn tests(ci: &mut Ci) -> Result<Outcome> {
    let mut cargo = workspace::cargo(["test", "--workspace", "--no-fail-fast"]);
    for package in Metadata::read()?.members().filter(|package| package.has_tests(E2E)) {
        cargo.args(["--exclude", &package.name]);
    }
    count(ci, Tally::run(&mut cargo)?)
}

fn wait_for_servers(ci: &mut Ci) -> Result<Outcome> {
    if let Some(servers) = &mut ci.servers {
        servers.finish()?;
    }
    let names: Vec<String> = server::now_up()?.servers.into_iter().map(|server| server.name).collect();
    Ok(Outcome::Done(names.join(", ")))
}

fn e2e(ci: &mut Ci) -> Result<Outcome> {
    let outcome = count(ci, Tally::run(&mut workspace::cargo(E2E_TESTS))?)?;
    if let (true, Outcome::Done(text)) = (servers::unwanted(), &outcome) {
        return Ok(Outcome::NotRun(format!("{text}; {}=1 is set", servers::NO_SERVER)));
    }
    println!("the consumers that connect:");
    consumers::on_server(&server::now_up()?)?;
    Ok(outcome)
}

fn matrix_cells(ci: &mut Ci) -> Result<Outcome> {
    let (tally, result) = matrix::pairwise();
    let text = tally.to_string();
    ci.tally.add(tally.without_closing());
    result.map(|cells| Outcome::Done(format!("{cells}: {text}")))
}

fn bench_smoke(_: &mut Ci) -> Result<Outcome> {
    Ok(match bench::smoke()? {
        Ok(detail) => Outcome::Done(detail),
        Err(why) => Outcome::NotRun(why),
    })
}

/// Adds them to the sum; an error if any failed.
fn count(ci: &mut Ci, tally: Tally) -> Result<Outcome> {
    let (text, verdict) = (tally.to_string(), tally.verdict());
    ci.tally.add(tally);
    verdict.map(|()| Outcome::Done(text))
}
