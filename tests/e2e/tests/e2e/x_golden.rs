//! Conversations of the X Protocol as a reference client had them, by the tool: `porpoise run mysqlx://... --format jsonl`
//! tells the same lines. On a server of its own, with the options that a scenario wants.
//!
//! `PORPOISE_X_SCENARIO=NAME` leaves only that one, and shows all that the tool told.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::{env, fs};

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use porpoise_test_support::{Authority, Instance, XScenario, x_compare};

use crate::scene::closed_port;
use crate::suite::{Cell, Context, MYSQL, Runner, Suite, Transport};
use crate::tool;

/// The scenario that is wanted, if not all are.
const ONLY: &str = "PORPOISE_X_SCENARIO";

/// The server of all scenarios, made by the first that comes.
type Lab = Arc<Mutex<Option<Instance>>>;

pub(crate) fn add(suite: &mut Suite) {
    let lab = Lab::default();
    for runner in Runner::ALL {
        let lab = Arc::clone(&lab);
        let cell = Cell::new(runner, Transport::Unix, MYSQL);
        suite.add(format!("x_golden::{runner}"), cell, move |context| all(context, &lab));
    }
}

fn all(context: &Context, lab: &Lab) -> Result<()> {
    // What another one broke this one makes anew.
    let mut lab = lab.lock().unwrap_or_else(PoisonError::into_inner);
    let instance = match lab.take() {
        Some(instance) => instance,
        None => Instance::like(context.server()?)?,
    };
    let instance = lab.insert(instance);
    let only = env::var(ONLY).ok();
    let mut scenarios = XScenario::all()?;
    scenarios.retain(|scenario| only.as_ref().is_none_or(|only| *only == scenario.name));
    ensure!(!scenarios.is_empty(), "there are no scenarios");
    // A server is started once for all that want the same.
    scenarios.sort_by_key(|scenario| (scenario.server.clone(), scenario.special.is_some()));
    let folder = tool::Folder::named(&format!("x-golden-{}", context.cell.runner))?;
    fs::write(folder.path().join("other-ca.pem"), Authority::new("a CA that nobody knows")?.pem())?;
    let mut failed = Vec::new();
    let mut up = None;
    for scenario in &scenarios {
        if up.as_ref() != Some(&scenario.server) {
            instance.start(options(&scenario.server)?)?;
            up = Some(scenario.server.clone());
        }
        let compared = one(context, instance, scenario, folder.path());
        if scenario.special.is_some() {
            up = None;
        }
        if let Err(error) = compared {
            failed.push(format!("{}: {error:#}", scenario.name));
        }
    }
    if failed.is_empty() {
        Ok(())
    } else {
        bail!("{} of {} scenarios:\n{}", failed.len(), scenarios.len(), failed.join("\n"))
    }
}

fn options(server: &str) -> Result<&'static [&'static str]> {
    Ok(match server {
        "default" => &[],
        "notls" => &["--tls-version="],
        "nohello" => &["--mysqlx-enable-hello-notice=OFF"],
        "keepexpired" => &["--disconnect-on-expired-password=OFF"],
        other => bail!("an unknown kind of server: {other}"),
    })
}

fn one(context: &Context, instance: &mut Instance, scenario: &XScenario, folder: &Path) -> Result<()> {
    let server = instance.server();
    let mut root = server.root()?;
    let flush = ["flush privileges".to_owned()];
    for statement in XScenario::setup()?.iter().chain(&flush).chain(&scenario.before) {
        root.query_drop(statement).with_context(|| statement.clone())?;
    }
    let socket = server.mysqlx_socket.as_deref().context("no X socket")?;
    for account in &scenario.warm {
        let url = format!("mysqlx://{account}@/?auth=PLAIN&socket={}", socket.display());
        let warmed = tool::told(Command::new(tool::program()?).args(["run", &url, "-"]), "")?;
        ensure!(
            warmed.stderr.is_empty() && warmed.stdout.contains("connect: OK"),
            "{url}: {}",
            warmed.stdout
        );
    }
    let port = server.mysqlx_port.context("no X port")?;
    let place = |name: &str| -> Result<String> {
        Ok(match name {
            "tcp" => format!("{}:{port}", server.host),
            "classic" => format!("{}:{}", server.host, server.port),
            "closed" => closed_port()?.to_string(),
            "sock" => socket.display().to_string(),
            "nosock" => folder.join("no.sock").display().to_string(),
            "ca" => server.file("ca.pem")?.display().to_string(),
            "cert" => server.file("client-cert.pem")?.display().to_string(),
            "key" => server.file("client-key.pem")?.display().to_string(),
            "otherca" => folder.join("other-ca.pem").display().to_string(),
            other => bail!("an unknown place: {other}"),
        })
    };
    let url = filled(&scenario.url, place)?;
    let script = scenario.script.iter().map(|line| Ok(filled(line, place)? + "\n"));
    let script = script.collect::<Result<String>>()?;
    let mut command = Command::new(tool::program()?);
    command.args(["run", &url, "-", "--format", "jsonl", "--runtime", context.runtime().name()]);
    command.args(scenario.raw.then_some("--raw")).env_remove("MYSQL_PWD");
    let told = match scenario.special.as_deref() {
        None => tool::told(&mut command, &script)?.stdout,
        Some("shutdown") => shut_down(instance, &mut command, scenario, &script)?,
        Some(other) => bail!("an unknown special: {other}"),
    };
    for statement in &scenario.after {
        root.query_drop(statement)?;
    }
    let told: Vec<String> = told.lines().map(str::to_owned).collect();
    if env::var_os(ONLY).is_some() {
        println!("{url}\n{}", told.join("\n"));
    }
    x_compare(&scenario.lines, &told, &scenario.unstable).map_err(|difference| anyhow!("{url}\n{difference}"))
}

/// Fills in what is in braces, if it is a place. Braces of JSON and of messages stay.
fn filled(text: &str, place: impl Fn(&str) -> Result<String>) -> Result<String> {
    const PLACES: [&str; 9] = ["tcp", "classic", "closed", "sock", "nosock", "ca", "cert", "key", "otherca"];
    PLACES.into_iter().try_fold(text.to_owned(), |text, name| {
        let mark = format!("{{{name}}}");
        Ok(if text.contains(&mark) { text.replace(&mark, &place(name)?) } else { text })
    })
}

/// Runs the tool, and ends the server once all steps but the last are done.
fn shut_down(
    instance: &mut Instance,
    command: &mut Command,
    scenario: &XScenario,
    script: &str,
) -> Result<String> {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    child.stdin.take().context("no standard input")?.write_all(script.as_bytes())?;
    let mut told = String::new();
    // One of the steps is the connect.
    let mut left = scenario.script.len();
    for line in BufReader::new(child.stdout.take().context("no standard output")?).lines() {
        let line = line?;
        left -= usize::from(line.contains("\"t\": \"step\"") && left > 0);
        told.push_str(&line);
        told.push('\n');
        if left == 0 {
            instance.stop()?;
        }
    }
    child.wait()?;
    Ok(told)
}
