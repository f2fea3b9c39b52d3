//! What depends on the server's settings: its limit of messages, a server without TLS and without a hello, its time-outs, its
//! end. On a server of this test's own.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use porpoise::wire::{Limits, Lost};
use porpoise_test_support::{Instance, Server, XClient};
use porpoise_xproto::connect::{Auth, ConnectOptions, Use};
use porpoise_xproto::messages::connection::CapabilitiesGet;
use porpoise_xproto::{Algorithm, XError, XErrorKind};

use super::limits::{MIB, of_length};
use super::{connected, live, number, refused, transport, with, works};
use crate::suite::{Cell, Context, MYSQL, Runner, Suite, Transport, expect};

const SETTINGS: [&str; 5] = [
    "--mysqlx-max-allowed-packet=1048576",
    "--mysqlx-connect-timeout=1",
    "--mysqlx-interactive-timeout=12345",
    "--mysqlx-enable-hello-notice=OFF",
    "--tls-version=",
];

pub(super) fn add(suite: &mut Suite) {
    let cell = Cell::new(Runner::Blocking, Transport::Unix, MYSQL);
    suite.add("x_machine::own server", cell, own);
}

fn own(context: &Context) -> Result<()> {
    let mut instance = Instance::like(context.server()?)?;
    let server = instance.start(&SETTINGS)?.clone();
    limit(&server).context("the limit of a message")?;
    limit_of_many(&server).context("the limit of messages that are compressed together")?;
    no_tls(&server).context("without TLS")?;
    waits(&server).context("time-outs")?;
    full(&server).context("all connections taken")?;
    // Last of all.
    let mut wire = live(&server, Transport::Unix)?;
    let mut client = XClient::connect(&mut wire, transport(Transport::Unix), root())?;
    works(&mut client)?;
    instance.stop()?;
    let end = client.end();
    ensure!(matches!(end.kind(), XErrorKind::Goodbye(warning) if warning.code == 1053), "{end}");
    Ok(())
}

fn root() -> ConnectOptions {
    with(ConnectOptions::new("root", ""), |options| options.tls = Use::Disabled)
}

/// The server closed without a word, and the error says what may be why.
fn silent(end: &XError, why: &str) -> Result<()> {
    ensure!(
        matches!(end.kind(), XErrorKind::Lost(Lost::Closed | Lost::Read(_) | Lost::Write(_))),
        "not silent: {end}"
    );
    let advice = end.advice().with_context(|| format!("no advice: {end}"))?;
    ensure!(advice.contains(why), "{advice}");
    Ok(())
}

/// A message at the limit is taken. One byte more ends the connection.
fn limit(server: &Server) -> Result<()> {
    let unix = Transport::Unix;
    connected(server, unix, root(), |client| {
        let reply = client.ask(&of_length(MIB))?.ok()?;
        expect("at the limit", &reply.text().as_deref(), &Some("pearl"))?;
        works(client)
    })?;
    connected(server, unix, root(), |client| {
        client.send(&of_length(MIB + 1))?;
        let end = client.reply().err().context("it was taken")?;
        silent(&end, "mysqlx_max_allowed_packet")
    })
}

/// Compressed together, messages have the limit of one, so that a client with the same limit sends them apart.
fn limit_of_many(server: &Server) -> Result<()> {
    for (own, taken) in [(64 * MIB, false), (MIB, true)] {
        let options = with(root(), |options| {
            options.compression = Use::Required;
            options.compression_algorithms = vec![Algorithm::Lz4Message];
            options.limits = Limits::default().with_max_packet(own);
        });
        connected(server, Transport::Unix, options, |client| {
            client.send(&of_length(MIB * 2 / 3))?;
            client.send(&of_length(MIB * 2 / 3))?;
            match client.replies() {
                Ok(replies) => {
                    ensure!(taken && replies.iter().all(|reply| reply.text().as_deref() == Some("pearl")));
                    works(client)
                }
                Err(end) if taken => Err(end.into()),
                Err(end) => silent(&end, "mysqlx_max_allowed_packet"),
            }
        })?;
    }
    Ok(())
}

/// TLS is refused, which ends a connect that requires it, and one whose password others would read.
fn no_tls(server: &Server) -> Result<()> {
    let tcp = Transport::Tcp;
    let use_tls = |tls: Use, auth: Auth| with(root(), |options| (options.tls, options.auth) = (tls, auth));
    expect("required", &refused(server, tcp, use_tls(Use::Required, Auth::Auto))?.code(), &2026)?;
    expect("PLAIN", &refused(server, tcp, use_tls(Use::Preferred, Auth::Plain))?.code(), &2061)?;
    connected(server, Transport::Unix, root(), works)?;
    connected(server, tcp, use_tls(Use::Preferred, Auth::Auto), works)?;
    // There is no hello, and nothing called tls.
    let mut wire = live(server, tcp)?;
    let mut client = XClient::open(&mut wire, Limits::default())?;
    let listed = client.ask(&CapabilitiesGet {})?.capabilities.context("no capabilities")?;
    expect("tls", &listed.tls(), &None)?;
    expect(
        "the first event",
        &client.told().first().map(|told| told.starts_with("Capabilities")),
        &Some(true),
    )
}

fn waits(server: &Server) -> Result<()> {
    let unix = Transport::Unix;
    for (interactive, wait) in [(true, 12_345), (false, 28_800)] {
        let options = with(root(), |options| options.interactive = interactive);
        let is = connected(server, unix, options, |client| number(client, "@@mysqlx_wait_timeout"))?;
        expect(&format!("interactive: {interactive}"), &is, &wait)?;
    }
    // A login that does not come.
    let start = Instant::now();
    let mut wire = live(server, unix)?;
    let end = XClient::open(&mut wire, Limits::default())?.end();
    ensure!(start.elapsed() > Duration::from_millis(500), "{:?}", start.elapsed());
    silent(&end, "mysqlx_connect_timeout")
}

fn full(server: &Server) -> Result<()> {
    server.run("SET GLOBAL mysqlx_max_connections = 1")?;
    let taken = connected(server, Transport::Unix, root(), |client| {
        works(client)?;
        let mut wire = live(server, Transport::Unix)?;
        let end = XClient::open(&mut wire, Limits::default())?.end();
        silent(&end, "mysqlx_max_connections")
    });
    server.run("SET GLOBAL mysqlx_max_connections = DEFAULT")?;
    taken
}
