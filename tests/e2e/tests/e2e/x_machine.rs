//! X Protocol on the real server, by the machines alone: the life cycle, capabilities, logins, expectations, compression,
//! limits. What a client makes of it is tested elsewhere.

mod auth;
mod capabilities;
mod compression;
mod ends;
mod expect;
mod life_cycle;
mod limits;
mod own;
mod transcripts;

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use porpoise::transport::{SslMode, TlsClient, TlsOptions};
use porpoise_test_support::{Account, Live, Place, Server, XClient};
use porpoise_xproto::connect::{self, ConnectError, ConnectOptions, Use};

use crate::suite::{Cell, Context, MYSQL, Runner, Suite, Test, Transport};

/// No reply takes longer, not even on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) fn add(suite: &mut Suite) {
    life_cycle::add(suite);
    capabilities::add(suite);
    auth::add(suite);
    expect::add(suite);
    compression::add(suite);
    limits::add(suite);
    ends::add(suite);
    own::add(suite);
    transcripts::add(suite);
}

/// Tests of one kind.
fn add_tests(suite: &mut Suite, kind: &str, transport: Transport, tests: &[(&str, Test)]) {
    for (name, test) in tests {
        let cell = Cell::new(Runner::Blocking, transport, MYSQL);
        suite.add(format!("x_machine::{kind}::{name}::{}", transport.name()), cell, *test);
    }
}

/// A wire to the server.
fn live(server: &Server, transport: Transport) -> Result<Live> {
    live_with(server, transport, |_| Ok(()))
}

fn live_with(
    server: &Server,
    transport: Transport,
    change: impl FnOnce(&mut TlsOptions) -> Result<()>,
) -> Result<Live> {
    let place = match transport {
        Transport::Unix => Place::Unix(server.x_socket()?.into()),
        Transport::Tcp | Transport::Tls => Place::Tcp(server.x_address()?),
    };
    let mut tls = TlsOptions::new(SslMode::Required);
    change(&mut tls)?;
    Ok(Live::new(place, Some(TlsClient::new(&tls)?), Some(PATIENCE)))
}

/// Options of an account, for a transport.
fn options(user: &str, transport: Transport) -> Result<ConnectOptions> {
    let mut options = ConnectOptions::new(user, Account::named(user)?.password.as_str());
    options.tls = if transport == Transport::Tls { Use::Required } else { Use::Disabled };
    Ok(options)
}

/// The same options, some of them changed.
fn with(mut options: ConnectOptions, change: impl FnOnce(&mut ConnectOptions)) -> ConnectOptions {
    change(&mut options);
    options
}

const fn transport(transport: Transport) -> connect::Transport {
    match transport {
        Transport::Unix => connect::Transport::Unix,
        Transport::Tcp | Transport::Tls => connect::Transport::Tcp,
    }
}

/// Connects, and does something.
fn connected<T>(
    server: &Server,
    over: Transport,
    options: ConnectOptions,
    run: impl FnOnce(&mut XClient<'_>) -> Result<T>,
) -> Result<T> {
    let mut wire = live(server, over)?;
    let mut client = XClient::connect(&mut wire, transport(over), options)?;
    run(&mut client)
}

/// The error of a connect that must fail.
fn refused(server: &Server, over: Transport, options: ConnectOptions) -> Result<ConnectError> {
    let mut wire = live(server, over)?;
    let error = XClient::connect(&mut wire, transport(over), options).err();
    error.context("it connected")
}

/// Does something with a session of the account `sha2all`, over a Unix socket.
fn in_session<T>(context: &Context, run: impl FnOnce(&mut XClient<'_>) -> Result<T>) -> Result<T> {
    let unix = Transport::Unix;
    connected(context.server()?, unix, options("sha2all", unix)?, run)
}

/// The first cell of a statement, as text.
fn text(client: &mut XClient<'_>, sql: &str) -> Result<String> {
    let reply = client.sql(sql)?.ok()?;
    reply.text().with_context(|| format!("no text: {sql}"))
}

/// The first cell of a statement, an unsigned number.
fn number(client: &mut XClient<'_>, sql: &str) -> Result<u64> {
    text(client, &format!("select concat('', ({sql}))"))?.parse().with_context(|| sql.to_owned())
}

/// The session is as good as new.
fn works(client: &mut XClient<'_>) -> Result<()> {
    ensure!(text(client, "select 'pearl'")? == "pearl");
    Ok(())
}
