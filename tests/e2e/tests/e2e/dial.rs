//! Sockets: which address is taken, from where, and how long is too long.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use porpoise::classic_connect::{ConnectError, ConnectStage};
use porpoise::driver::Runtime;
use porpoise::transport::SslMode;
use porpoise::{Connecting, Error, FlightRecord, Options, OptionsBuilder};
use porpoise_test_support::{Act, FakeServer, Server, packet};
use socket2::{Domain, Socket, Type};

use crate::resolver::Resolver;
use crate::scene::closed_port;
use crate::suite::{Context, MYSQL, Suite, Test, Transport, expect, first_cell};

pub(crate) fn add(suite: &mut Suite) {
    let tests: &[(&str, Test)] = &[
        ("past-dead-addresses", past_dead_addresses),
        ("past-a-silent-address", past_a_silent_address),
        ("no-address", no_address),
        ("nobody-listens", nobody_listens),
        ("silent-address", silent_address),
        ("stage-deadlines", stage_deadlines),
        ("whole-deadline", whole_deadline),
        ("from-an-address", from_an_address),
        ("socket-that-is-not-there", socket_that_is_not_there),
    ];
    suite.add_tests("dial", Transport::Tcp, MYSQL, tests);
}

fn login(options: OptionsBuilder) -> Result<Arc<Options>> {
    let options = options.user("sha2all").password("pw-sha2").ssl_mode(SslMode::Disabled).flight_record(true);
    Ok(Arc::new(options.connect(|c| c.get_server_public_key(true)).build()?))
}

/// The flight record of a connect that succeeds.
fn connects(context: &Context, runtime: &'static dyn Runtime, options: Arc<Options>) -> Result<FlightRecord> {
    context.run(async {
        let mut client = Connecting::new(runtime, options).await?;
        client.ping().await?;
        let record = client.flight_record().cloned().context("no flight record")?;
        client.close().await?;
        Ok(record)
    })
}

/// How a connect fails, and after how long.
fn fails(
    context: &Context,
    runtime: &'static dyn Runtime,
    options: Arc<Options>,
) -> Result<(ConnectError, Duration)> {
    let start = Instant::now();
    context.run(async {
        match Connecting::new(runtime, options).await {
            Err(Error::Connect(error)) => Ok((error, start.elapsed())),
            Err(error) => bail!("{error}"),
            Ok(_) => bail!("connected"),
        }
    })
}

fn by_name(server: &Server) -> OptionsBuilder {
    server.tcp().host("a.name.of.this.test")
}

/// A listener that never takes a connection, with a backlog that is full: it answers nothing at all.
struct Silent {
    address: SocketAddr,
    _listener: Socket,
    _filling: Vec<Socket>,
}

impl Silent {
    fn new() -> Result<Self> {
        let listener = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        listener.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())?;
        listener.listen(0)?;
        let address = listener.local_addr()?.as_socket().context("no address")?;
        let mut filling = Vec::new();
        for _ in 0..4 {
            let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
            socket.set_nonblocking(true)?;
            // It is on its way, or it will never be.
            let _ = socket.connect(&address.into());
            filling.push(socket);
        }
        ensure!(
            TcpStream::connect_timeout(&address, Duration::from_millis(200)).is_err(),
            "the backlog is not full"
        );
        Ok(Self { address, _listener: listener, _filling: filling })
    }
}

/// Addresses that refuse cost nothing.
fn past_dead_addresses(context: &Context) -> Result<()> {
    let live = context.server()?.address()?;
    let dead = SocketAddr::from((Ipv6Addr::LOCALHOST, closed_port()?.port()));
    let runtime = Resolver::leak(context.runtime(), vec![dead, closed_port()?, live]);
    let record = connects(context, runtime, login(by_name(context.server()?))?)?;
    expect("address", &record.address, &Some(live))?;
    let stages: Vec<_> = record.stages.iter().take(4).map(|stage| stage.stage.name).collect();
    let told_once = ["NET_BEGIN_CONNECT", "NET_WAIT_CONNECT", "NET_COMPLETE_CONNECT", "READ_GREETING"];
    expect("stages", &stages, &told_once.to_vec())?;
    let waited = record.stages.get(1).map(|stage| stage.leave - stage.enter).context("no stage")?;
    // Waiting for each of the two would take as long as it is waited for one that is silent, twice.
    ensure!(waited < Duration::from_millis(500), "waited {waited:?}");
    Ok(())
}

/// An address that says nothing does not hold the others up: after 250 ms the next one is tried.
fn past_a_silent_address(context: &Context) -> Result<()> {
    let (silent, live) = (Silent::new()?, context.server()?.address()?);
    let runtime = Resolver::leak(context.runtime(), vec![silent.address, live]);
    let options = by_name(context.server()?).connect_timeout(Duration::from_secs(20));
    let record = connects(context, runtime, login(options)?)?;
    expect("address", &record.address, &Some(live))?;
    let took = record.total;
    ensure!(took >= Duration::from_millis(250) && took < Duration::from_secs(5), "took {took:?}");
    Ok(())
}

fn no_address(context: &Context) -> Result<()> {
    let runtime = Resolver::leak(context.runtime(), vec![]);
    let (error, _) = fails(context, runtime, login(by_name(context.server()?))?)?;
    expect("number, stage", &(error.code(), error.stage()), &(2003, ConnectStage::NetWaitConnect))
}

fn nobody_listens(context: &Context) -> Result<()> {
    let runtime = Resolver::leak(context.runtime(), vec![closed_port()?, closed_port()?]);
    let (error, _) = fails(context, runtime, login(by_name(context.server()?))?)?;
    expect("number, stage", &(error.code(), error.stage()), &(2003, ConnectStage::NetWaitConnect))
}

fn silent_address(context: &Context) -> Result<()> {
    let silent = Silent::new()?;
    let target = || Options::builder().host(&silent.address.ip().to_string()).port(silent.address.port());
    let limit = Duration::from_millis(100);
    for options in
        [target().connect_timeout(limit), target().stage_timeout(ConnectStage::NetWaitConnect, limit)]
    {
        let (error, took) = fails(context, context.runtime(), login(options)?)?;
        expect("number, stage", &(error.code(), error.stage()), &(2003, ConnectStage::NetWaitConnect))?;
        ensure!(took >= limit && took < 20 * limit, "took {took:?}");
    }
    Ok(())
}

/// A server that falls silent is given up in the stage that it is silent in.
fn stage_deadlines(context: &Context) -> Result<()> {
    let greeting = greeting(context.server()?)?;
    let (fast, limit) = (packet(2, &[0x01, 0x03]), Duration::from_millis(100));
    let login_read = [Act::Send(greeting.clone()), Act::Packet];
    let cases = [
        (ConnectStage::ReadGreeting, SslMode::Disabled, 2013, vec![Act::Mute]),
        (ConnectStage::EstablishSsl, SslMode::Required, 2026, vec![Act::Send(greeting), Act::Mute]),
        (
            ConnectStage::AuthRunFirstAuthenticateUser,
            SslMode::Disabled,
            2013,
            [&login_read[..], &[Act::Mute]].concat(),
        ),
        (
            ConnectStage::AuthReadChangeUserResult,
            SslMode::Disabled,
            2013,
            [&login_read[..], &[Act::Send(fast), Act::Mute]].concat(),
        ),
    ];
    for (stage, mode, code, script) in cases {
        let server = FakeServer::new([script])?;
        let options = server.options().user("u").password("p").ssl_mode(mode).stage_timeout(stage, limit);
        let (error, took) = fails(context, context.runtime(), Arc::new(options.build()?))?;
        expect("number, stage", &(error.code(), error.stage()), &(code, stage))
            .with_context(|| error.to_string())?;
        ensure!(took >= limit && took < 20 * limit, "{stage}: took {took:?}");
        // The server's script ends when the client closes.
        let given_up = Instant::now();
        expect("connections", &server.heard().len(), &1)?;
        ensure!(given_up.elapsed() < 20 * limit, "{stage}: the connection is left open");
    }
    Ok(())
}

/// The deadline of the whole holds in every stage, and the shorter one of two counts.
fn whole_deadline(context: &Context) -> Result<()> {
    let limit = Duration::from_millis(100);
    for stage_limit in [2 * limit, 100 * limit] {
        let server =
            FakeServer::new([vec![Act::Send(greeting(context.server()?)?), Act::Packet, Act::Mute]])?;
        let options = server.options().user("u").password("p").ssl_mode(SslMode::Disabled);
        let options = options.connect_timeout(limit).stage_timeout(ConnectStage::ReadGreeting, stage_limit);
        let (error, took) = fails(context, context.runtime(), Arc::new(options.build()?))?;
        let stage = ConnectStage::AuthRunFirstAuthenticateUser;
        expect("number, stage", &(error.code(), error.stage()), &(2013, stage))?;
        ensure!(took >= limit && took < 20 * limit, "took {took:?}");
    }
    Ok(())
}

fn from_an_address(context: &Context) -> Result<()> {
    // Any address of 127.0.0.0/8 is this machine's. Of those given the first that is of the server's family and can be
    // bound is taken.
    let ours = IpAddr::from([127, 0, 0, 2]);
    let candidates = [IpAddr::from(Ipv6Addr::LOCALHOST), IpAddr::from([192, 0, 2, 1]), ours];
    let options = candidates.into_iter().fold(context.server()?.tcp(), OptionsBuilder::bind_address);
    let options = login(options)?;
    context.run(async {
        let mut client = Connecting::new(context.runtime(), options).await?;
        let sql = "SELECT host FROM information_schema.processlist WHERE id = CONNECTION_ID()";
        let host = first_cell(&mut client, sql).await?.context("NULL")?;
        ensure!(host.starts_with("127.0.0.2:"), "the server sees {host}");
        Ok(client.close().await?)
    })?;
    let options = login(context.server()?.tcp().bind_address(IpAddr::from([192, 0, 2, 1])))?;
    let (error, _) = fails(context, context.runtime(), options)?;
    expect("number, stage", &(error.code(), error.stage()), &(2003, ConnectStage::NetWaitConnect))
}

fn socket_that_is_not_there(context: &Context) -> Result<()> {
    let socket = context.server()?.socket()?.with_extension("gone");
    let (error, _) = fails(context, context.runtime(), login(Options::builder().unix_socket(socket))?)?;
    expect("number, stage", &(error.code(), error.stage()), &(2002, ConnectStage::NetBeginConnect))
}

/// The greeting that a server sends.
fn greeting(server: &Server) -> Result<Vec<u8>> {
    let mut stream = TcpStream::connect(server.address()?)?;
    porpoise_test_support::read_packet(&mut stream)?.context("no greeting")
}
