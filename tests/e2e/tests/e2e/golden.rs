//! What MySQL's own client was recorded to do: porpoise does the same, on each runtime; and the machines alone do, whose
//! bytes are kept with `PORPOISE_RECORD=1`.

use std::sync::Arc;
use std::{env, fs};

use anyhow::{Context as _, Result, anyhow, bail};
use porpoise::auth::{AuthPath, ServerPublicKey};
use porpoise::classic_connect::CompressionAlgorithm;
use porpoise::trace::Record;
use porpoise::transport::TlsClient;
use porpoise::{Client, Connecting, Error, Options, Results};
use porpoise_test_support::{
    Level, Live, Outcome, Player, Reach, Scenario, Server, Settings, Step, Transcript, changed_user, compare,
    reach,
};

use crate::scene::{self, Scene};
use crate::suite::{Cell, Context, MARIADB, MYSQL, Runner, Suite, Transport};

/// With this variable set to 1 the transcripts are written anew.
pub(crate) const RECORD: &str = "PORPOISE_RECORD";

/// What is in the file that scenarios load.
pub(crate) const FILE: &[u8] = b"1,a\n2,b\n";

pub(crate) fn add(suite: &mut Suite) {
    let scenarios = Scenario::all().and_then(|all| Ok([all, Scenario::extra()?].concat()));
    let scenarios = scenarios.unwrap_or_else(|error| panic!("tests/golden: {error:#}"));
    for scenario in scenarios.into_iter().map(Arc::new) {
        let transport = transport(&scenario);
        for (kind, level) in [("golden", Level::Client), ("machine", Level::Machine)] {
            if let Reach { steps, because: Some(because), .. } = reach(&scenario, level) {
                let (name, all) = (&scenario.name, scenario.steps.len());
                suite.note(&format!("not run to its end: {kind}::{name}, {steps} of {all} steps: {because}"));
            }
        }
        for (i, server) in servers(&scenario).iter().copied().enumerate() {
            // The first one is the server that was recorded; another says that it is in its name.
            let name = if i == 0 { scenario.name.clone() } else { format!("{}::{server}", scenario.name) };
            let test = Arc::clone(&scenario);
            let compression = compression(&scenario);
            for cell in Cell::on_each_runtime(transport, server) {
                let test = Arc::clone(&test);
                let name = format!("golden::{name}::{}", cell.runner);
                suite.add(name, cell.compressed(compression), move |context| client(context, &test));
            }
            let test = Arc::clone(&scenario);
            let cell = Cell::new(Runner::Blocking, transport, server).compressed(compression);
            suite.add(format!("machine::{name}"), cell, move |context| machine(context, &test, i == 0));
        }
    }
}

pub(crate) fn servers(scenario: &Scenario) -> &'static [&'static str] {
    if scenario.server == "mariadb" { &MARIADB } else { &[MYSQL] }
}

pub(crate) fn transport(scenario: &Scenario) -> Transport {
    match (scenario.transport.as_str(), scenario.option("ssl")) {
        ("unix", _) => Transport::Unix,
        (_, Some("DISABLED")) => Transport::Tcp,
        _ => Transport::Tls,
    }
}

fn compression(scenario: &Scenario) -> CompressionAlgorithm {
    let given = scenario.option("compress").and_then(|name| name.parse().ok());
    given.unwrap_or(CompressionAlgorithm::Uncompressed)
}

/// Runs a scenario with the client.
fn client(context: &Context, scenario: &Scenario) -> Result<()> {
    let server = context.server()?;
    let scene = Scene::set(scenario, server)?;
    let settings = Settings::new(scenario, |name| scene::file(server, name))?;
    let options = settings.client(scene.target()?).build()?;
    let reach = reach(scenario, Level::Client);
    let lines = context.run(run(context, server, scenario, reach.steps, options))?;
    verify(scenario, reach.steps, &lines)
}

/// Compares as far as the scenario was run.
fn verify(scenario: &Scenario, steps: usize, lines: &[String]) -> Result<()> {
    let recorded = scenario.recorded(steps);
    if scenario.lines.is_empty() {
        // Nothing to compare it with, but it must work, and fail where that is meant.
        let errors = lines.iter().filter(|line| line.contains("\"rc\": 1")).map(|line| {
            let line: serde_json::Value = serde_json::from_str(line)?;
            Ok(line.get("errno").and_then(|errno| errno.as_u64()).unwrap_or(0))
        });
        let errors = errors.collect::<Result<Vec<_>>>()?;
        let meant: Vec<u64> = scenario.errors.iter().copied().map(u64::from).collect();
        return if steps < scenario.steps.len() || errors == meant {
            Ok(())
        } else {
            bail!("errors {errors:?}, and {meant:?} are meant: {}", lines.join("\n"))
        };
    }
    // What closing tells comes after the last step that was run, and was not recorded there.
    let lines =
        if steps < scenario.steps.len() { lines.get(..recorded.len()).unwrap_or(lines) } else { lines };
    compare(recorded, lines, &scenario.unstable).map_err(|difference| anyhow!(difference))
}

async fn run(
    context: &Context,
    server: &Server,
    scenario: &Scenario,
    steps: usize,
    options: Options,
) -> Result<Vec<String>> {
    let mut told = Told::default();
    let sink = Box::new(told.record.clone());
    let mut client = match Connecting::new(context.runtime(), options.into()).with_sink(sink).await {
        Ok(client) => {
            told.tell(&Outcome::ok("connect").with("tls", client.is_encrypted()));
            client
        }
        Err(error) => {
            told.tell(&failed("connect", &error));
            return Ok(told.lines);
        }
    };
    told.sends_files = scenario.option("local_infile") == Some("1");
    for step in scenario.steps.iter().take(steps) {
        told.step(&mut client, server, step).await.with_context(|| format!("{step:?}"))?;
    }
    client.close().await?;
    told.tell_trace();
    Ok(told.lines)
}

/// What a run told.
#[derive(Default)]
struct Told {
    record: Record,
    lines: Vec<String>,
    /// A file is sent that a statement asks for.
    sends_files: bool,
}

impl Told {
    fn tell(&mut self, outcome: &Outcome) {
        self.tell_trace();
        self.lines.push(outcome.to_string());
    }

    fn tell_trace(&mut self) {
        self.lines.extend(self.record.take().iter().map(ToString::to_string));
    }

    async fn step(&mut self, client: &mut Client, server: &Server, step: &Step) -> Result<()> {
        let argument = step.argument.as_str();
        let done = match step.name.as_str() {
            "query" | "use" => {
                self.query(client, &step.name, argument).await;
                return Ok(());
            }
            "kill_query_mid" => {
                scene::kill_query(server, client.connection_id());
                self.query(client, &step.name, argument).await;
                return Ok(());
            }
            "ping" => client.ping().await,
            "init_db" => client.init_db(argument).await,
            "statistics" => client.statistics().await.map(drop),
            "reset" => client.reset_connection().await,
            "change_user" => client.change_user(changed_user(argument)?.build()?.into()).await,
            name => bail!("the client does not offer {name}"),
        };
        self.tell(&done.map_or_else(|error| failed(&step.name, &error), |()| Outcome::ok(&step.name)));
        Ok(())
    }

    /// All results of a query, and the error that ends them.
    async fn query(&mut self, client: &mut Client, step: &str, sql: &str) {
        let queried = if self.sends_files {
            client.query_infile(sql, |_| Ok(FILE)).await
        } else {
            client.query(sql).await
        };
        let mut results = match queried {
            Ok(results) => results,
            Err(error) => return self.tell(&failed(step, &error)),
        };
        for number in 1.. {
            match result(&mut results, step, number).await {
                Ok(outcome) => self.tell(&outcome),
                Err(error) => return self.tell(&failed(step, &error)),
            }
            match results.next_result().await {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => return self.tell(&failed(step, &error)),
            }
        }
    }
}

/// Reads the result that is open.
async fn result(results: &mut Results<'_>, step: &str, number: usize) -> Result<Outcome, Error> {
    let mut rows = 0;
    while let Some(batch) = results.next_batch().await? {
        rows += batch.len();
    }
    Ok(match (results.ok(), results.columns(), results.end()) {
        (Some(ok), ..) => Outcome::without_rows(step, number, ok),
        (None, Some(columns), Some(end)) => Outcome::rows(step, number, columns.len(), rows, end),
        _ => Outcome::failed(step, 0, "", "a result that is nothing"),
    })
}

fn failed(step: &str, error: &Error) -> Outcome {
    match error {
        Error::Connect(error) => Outcome::connect(step, error),
        Error::Server(err) => Outcome::refused(step, err),
        _ => Outcome::failed(step, error.code(), "HY000", &error.to_string()),
    }
}

/// Runs a scenario on the machines alone. `keep`: its bytes may be kept.
fn machine(context: &Context, scenario: &Scenario, keep: bool) -> Result<()> {
    let server = context.server()?;
    let scene = Scene::set(scenario, server)?;
    let settings = Settings::reproducible(scenario, |name| scene::file(server, name))?;
    let tls = TlsClient::new(&settings.tls)?;
    let victim = server.clone();
    let wire = Live::new(scene.place.clone(), Some(tls), settings.connect_timeout).with_killer(Box::new(
        move |id| {
            scene::kill_query(&victim, id);
            Ok(())
        },
    ));
    let steps = reach(scenario, Level::Machine).steps;
    let mut player = Player::new(wire);
    player.play(scenario, steps, settings.machine()?)?;
    verify(scenario, steps, player.lines())?;
    if keep && env::var_os(RECORD).is_some_and(|value| value == "1") {
        self::keep(scenario, server, player)?;
    }
    Ok(())
}

fn keep(scenario: &Scenario, server: &Server, player: Player<Live>) -> Result<()> {
    let public_key = || -> Result<String> { Ok(fs::read_to_string(server.file("public_key.pem")?)?) };
    let rsa = match player.path() {
        Some(AuthPath::FullRsaPinned | AuthPath::FullRsaFetched) => {
            Some(ServerPublicKey::from_pem(public_key()?.as_bytes())?.bits() / 8)
        }
        _ => None,
    };
    let pinned = scenario.option("pk_file").map(|_| public_key()).transpose()?;
    let lines = player.lines().to_vec();
    let transcript = Transcript::new(player.into_wire().into_entries(), &lines, pinned, rsa);
    if rsa.is_some() && transcript.random_packets() != 1 {
        bail!("{} packets are as long as the RSA key", transcript.random_packets());
    }
    let path = Transcript::path(&scenario.name);
    let Scenario { name, what, server, transport, options, .. } = scenario;
    let options = serde_json::json!(options);
    let headline = format!("{name}: {what}\n{server} over {transport}, options {options}");
    fs::write(&path, transcript.to_text(&headline)).with_context(|| path.display().to_string())
}
