//! `cargo xtask demo`: connects to a real server in several ways and shows what the tool tells about each.

use anyhow::bail;

use crate::account::{Account, SHA2};
use crate::ci::servers;
use crate::server::state::Server;
use crate::{Result, server, workspace};

/// Arguments of `cargo xtask demo`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

pub(crate) fn run(Args {}: Args) -> Result<()> {
    println!("{}", show()?);
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

/// Runs the demo; gives one line on what was shown.
pub(crate) fn show() -> Result<String> {
    println!("Building the porpoise tool (cargo build --package porpoise-cli).");
    workspace::run(&mut workspace::cargo(["build", "--package", "porpoise-cli"]))?;
    if servers::unwanted() {
        println!("{}=1 is set: the server is a scripted one.", servers::NO_SERVER);
        return scripted();
    }
    println!("Bringing up a MySQL server of its own for the demo.");
    let before = server::now_up().map(|state| state.servers).unwrap_or_default();
    let before: Vec<String> = before.into_iter().map(|server| server.name).collect();
    match server::bring_up(false, None) {
        Ok(state) => {
            let shown = match state.get("mysql-9.7") {
                Some(server) => play(&scenes(server), &format!("MySQL {}", server.version)),
                None => bail!("the server is up, but it is not in the state file"),
            };
            server::take_down(&before)?;
            shown
        }
        Err(error) => {
            println!("THERE IS NO REAL SERVER HERE:\n{error:#}\nWhat follows talks to a scripted one.");
            scripted()
        }
    }
}

/// What is shown on a real server.
fn scenes(server: &Server) -> Vec<Scene> {
    let file = |name: &str| {
        let path = server.datadir.as_deref().map(|dir| dir.join(name))?;
        path.is_file().then(|| path.to_string_lossy().into_owned())
    };
    let tls = match file("ca.pem") {
        Some(ca) => SHA2.tcp_url(server, &[("ssl-mode", "VERIFY_CA"), ("ssl-ca", &ca)]),
        None => SHA2.tcp_url(server, &[("ssl-mode", "REQUIRED")]),
    };
    let pinned = file("public_key.pem");
    let key = match &pinned {
        Some(key) => ("server-public-key-path", key.as_str()),
        None => ("get-server-public-key", "true"),
    };
    let clear = &[("ssl-mode", "DISABLED"), key];
    let mut scenes = vec![
        Scene {
            title: "TCP with TLS",
            note: "The server's certificate is checked against its CA; the password is safe inside TLS.",
            url: tls,
            succeeds: true,
        },
        Scene {
            title: "TCP without TLS",
            note: "No password crosses the wire: the server knows the account by now and takes a hash; else RSA hides it.",
            url: SHA2.tcp_url(server, clear),
            succeeds: true,
        },
    ];
    match SHA2.unix_url(server, &[]) {
        Ok(url) => scenes.push(Scene {
            title: "Unix socket",
            note: "No name to look up and no wait for a handshake of TCP: NET_WAIT_CONNECT is not entered.",
            url,
            succeeds: true,
        }),
        Err(error) => println!("The Unix socket is not shown: {error:#}"),
    }
    scenes.push(Scene {
        title: "A wrong password",
        note: "Where it died, the server's own words, and what to look at.",
        url: Account { password: "wrong", ..SHA2 }.tcp_url(server, &[]),
        succeeds: false,
    });
    match server.mysqlx_port {
        Some(port) => scenes.push(Scene {
            title: "The wrong port",
            note: "Port 33060 speaks X Protocol. Most clients hang or speak of a malformed packet.",
            url: SHA2.url_at(&server.host, port, &[]),
            succeeds: false,
        }),
        None => println!("The wrong port is not shown: the server has no X Plugin."),
    }
    scenes
}

/// Runs the tool on each; it must do what the scene says.
fn play(scenes: &[Scene], server: &str) -> Result<String> {
    for (n, scene) in (1..).zip(scenes) {
        println!("\n── {n}. {} {}", scene.title, "─".repeat(60_usize.saturating_sub(scene.title.len())));
        println!("{}", scene.note);
        let mut tool = workspace::cargo(["run", "--quiet", "--package", "porpoise-cli", "--"]);
        tool.args(["connect", &scene.url]);
        println!("$ porpoise connect '{}'\n", scene.url);
        let succeeded = tool.status()?.success();
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

/// What can be shown without a real server.
fn scripted() -> Result<String> {
    bail!("there is no scripted server")
}
