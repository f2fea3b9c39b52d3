//! `cargo xtask demo`: connects to a real server in several ways and shows what the tool tells about each.
//!
//! Where no real server can be had, the server is one that plays its part of recorded conversations.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{self, Command, Stdio};
use std::{env, fs};

use anyhow::{Context as _, bail};

use crate::account::{Account, SHA2};
use crate::ci::servers;
use crate::server::state::Server;
use crate::{Result, server, workspace};

/// Arguments of `cargo xtask demo`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

pub(crate) fn run(Args {}: Args) -> Result<()> {
    println!("{}", show(&["--package", "porpoise-cli"])?);
    Ok(())
}

/// One connect to show.
#[derive(Debug)]
struct Scene {
    title: &'static str,
    /// One line that tells what to look at.
    note: &'static str,
    url: String,
    succeeds: bool,
}

/// Runs the demo; gives one line on what was shown. `build`: what cargo is told to build, the tool among it.
pub(crate) fn show(build: &[&str]) -> Result<String> {
    println!("Building the porpoise tool (cargo build {}).", build.join(" "));
    let tool = workspace::build("porpoise", build)?;
    if servers::unwanted() {
        println!("{}=1 is set: the server is a scripted one.", servers::NO_SERVER);
        return scripted(&tool);
    }
    println!("Bringing up a MySQL server of its own for the demo.");
    let before = server::now_up().map(|state| state.servers).unwrap_or_default();
    let before: Vec<String> = before.into_iter().map(|server| server.name).collect();
    match server::bring_up(false, None) {
        Ok(state) => {
            let shown = match state.get("mysql-9.7") {
                Some(server) => play(&tool, &scenes(server), &format!("MySQL {}", server.version)),
                None => bail!("the server is up, but it is not in the state file"),
            };
            server::take_down(&before)?;
            shown
        }
        Err(error) => {
            println!("THERE IS NO REAL SERVER HERE:\n{error:#}\nWhat follows talks to a scripted one.");
            scripted(&tool)
        }
    }
}

/// An account whose password is not that one.
const WRONG: Account = Account { password: "wrong", ..SHA2 };

impl Scene {
    fn tls(url: String) -> Self {
        let note = "The server's certificate is checked against its CA; the password is safe inside TLS.";
        Self { title: "TCP with TLS", note, url, succeeds: true }
    }

    fn tcp(url: String) -> Self {
        let note = "No password crosses the wire: the server knows the account by now and takes a hash.";
        Self { title: "TCP without TLS", note, url, succeeds: true }
    }

    fn unix(url: String) -> Self {
        let note = "Nobody can listen, so TLS is not used; and there is no NET_WAIT_CONNECT.";
        Self { title: "Unix socket", note, url, succeeds: true }
    }

    fn wrong_password(url: String) -> Self {
        let note = "Where it died, the server's own words, and what to look at.";
        Self { title: "A wrong password", note, url, succeeds: false }
    }

    fn wrong_port(url: String) -> Self {
        let note = "Another protocol, X, is spoken there; the error says so.";
        Self { title: "The wrong port", note, url, succeeds: false }
    }

    fn x_tls(url: String) -> Self {
        let note = "The X Protocol: TLS is asked for without a question before, so two flights and the handshake do.";
        Self { title: "X Protocol over TCP with TLS", note, url, succeeds: true }
    }

    fn x_unix(url: String) -> Self {
        let note = "Its socket is safe for a password: one flight.";
        Self { title: "X Protocol over its Unix socket", note, url, succeeds: true }
    }

    fn x_wrong_port(url: String) -> Self {
        let note = "And the other way round: the classic protocol is spoken there.";
        Self { title: "The wrong port for the X Protocol", note, url, succeeds: false }
    }
}

/// What is shown on a real server.
fn scenes(server: &Server) -> Vec<Scene> {
    let file = |name: &str| {
        let path = server.datadir.as_deref().map(|dir| dir.join(name))?;
        path.is_file().then(|| path.to_string_lossy().into_owned())
    };
    let (ca, key) = (file("ca.pem"), file("public_key.pem"));
    let tls = match &ca {
        Some(ca) => SHA2.tcp_url(server, &[("ssl-mode", "VERIFY_CA"), ("ssl-ca", ca)]),
        None => SHA2.tcp_url(server, &[("ssl-mode", "REQUIRED")]),
    };
    // Asked for only if the server has forgotten the account since.
    let key = match &key {
        Some(key) => ("server-public-key-path", key.as_str()),
        None => ("get-server-public-key", "true"),
    };
    let mut scenes =
        vec![Scene::tls(tls), Scene::tcp(SHA2.tcp_url(server, &[("ssl-mode", "DISABLED"), key]))];
    match SHA2.unix_url(server, &[]) {
        Ok(url) => scenes.push(Scene::unix(url)),
        Err(error) => println!("The Unix socket is not shown: {error:#}"),
    }
    scenes.push(Scene::wrong_password(WRONG.tcp_url(server, &[])));
    let Some(port) = server.mysqlx_port else {
        println!("The X Protocol is not shown: the server has no X Plugin.");
        return scenes;
    };
    scenes.push(Scene::wrong_port(SHA2.url_at(&server.host, port, &[])));
    let tls = match &ca {
        Some(ca) => [("ssl-mode", "VERIFY_CA"), ("ssl-ca", ca.as_str())].to_vec(),
        None => [("ssl-mode", "REQUIRED")].to_vec(),
    };
    scenes.push(Scene::x_tls(SHA2.x_url_at(&server.host, port, &tls)));
    match server.mysqlx_socket.as_deref().and_then(Path::to_str) {
        Some(socket) => scenes.push(Scene::x_unix(SHA2.x_url_on(socket, &[]))),
        None => println!("The X Protocol's Unix socket is not shown: none is here."),
    }
    scenes.push(Scene::x_wrong_port(SHA2.x_url_at(&server.host, server.port, &[])));
    scenes
}

/// Runs the tool on each; it must do what the scene says.
fn play(tool: &Path, scenes: &[Scene], server: &str) -> Result<String> {
    for (n, scene) in (1..).zip(scenes) {
        println!("\n── {n}. {} {}", scene.title, "─".repeat(60_usize.saturating_sub(scene.title.len())));
        println!("{}", scene.note);
        println!("$ porpoise connect '{}'\n", scene.url);
        let succeeded = Command::new(tool).args(["connect", &scene.url]).status()?.success();
        if succeeded != scene.succeeds {
            bail!(
                "{}: the connect {}",
                scene.title,
                if succeeded { "must fail, and did not" } else { "failed" }
            );
        }
    }
    println!();
    Ok(format!("{} connects on {server}", scenes.len()))
}

/// The same scenes with a server that only knows its part of recorded conversations.
fn scripted(tool: &Path) -> Result<String> {
    let package = ["--package", "porpoise-test-support", "--example", "scripted_server"];
    println!("Building that server (cargo build {}).", package.join(" "));
    let server = workspace::build("scripted_server", &package)?;
    let dir = env::temp_dir().join(format!("porpoise-demo-{}", process::id()));
    fs::create_dir(&dir)?;
    let shown = scripted_in(&dir, &server, tool);
    fs::remove_dir_all(&dir)?;
    shown
}

fn scripted_in(dir: &Path, server: &Path, tool: &Path) -> Result<String> {
    let [ca, socket, x_socket] = ["ca.pem", "mysql.sock", "mysqlx.sock"].map(|name| dir.join(name));
    // It ends when its input does.
    let mut command = Command::new(server);
    let mut child =
        command.args([&ca, &socket, &x_socket]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let told = BufReader::new(child.stdout.take().context("its output is piped")?);
    let mut ports = BTreeMap::new();
    for line in told.lines() {
        let line = line?;
        let Some((name, port)) = line.split_once(' ') else { break };
        ports.insert(name.to_owned(), port.parse()?);
    }
    let server = Scripted { ports, ca: text(&ca)?, socket: text(&socket)?, x_socket: text(&x_socket)? };
    let shown = server.scenes().and_then(|scenes| play(tool, &scenes, "a scripted server"));
    drop(child.stdin.take());
    child.wait()?;
    shown
}

/// Where the scripted server listens.
#[derive(Debug)]
struct Scripted {
    /// By the name of the conversation.
    ports: BTreeMap<String, u16>,
    ca: String,
    socket: String,
    x_socket: String,
}

impl Scripted {
    fn scenes(&self) -> Result<Vec<Scene>> {
        let url = |name: &str, account: Account, options: &[(&str, &str)]| {
            let port = self.ports.get(name).with_context(|| format!("it has no conversation {name}"))?;
            anyhow::Ok(account.url_at("127.0.0.1", *port, options))
        };
        let ca = ("ssl-ca", self.ca.as_str());
        Ok(vec![
            Scene::tls(url("tls", SHA2, &[("ssl-mode", "VERIFY_CA"), ca])?),
            Scene::tcp(url("tcp", SHA2, &[("ssl-mode", "DISABLED")])?),
            Scene::unix(SHA2.url_on(&self.socket, &[])),
            Scene::wrong_password(url("wrong", WRONG, &[])?),
            Scene::wrong_port(url("x", SHA2, &[])?),
            Scene::x_unix(SHA2.x_url_on(&self.x_socket, &[])),
            Scene::x_wrong_port(url("classic", SHA2, &[])?.replacen("mysql://", "mysqlx://", 1)),
        ])
    }
}

fn text(path: &Path) -> Result<String> {
    Ok(path.to_str().context("a path that is not UTF-8")?.to_owned())
}
