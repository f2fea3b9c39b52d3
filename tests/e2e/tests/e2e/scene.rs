//! What a scenario finds when it begins: its server, the state of that, and who stands in between.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use porpoise::transport::SslMode;
use porpoise::{Options, OptionsBuilder, blocking};
use porpoise_test_support::{
    Account, Act, Authority, ClearingProxy, FakeServer, Lock, Place, Scenario, Server, Special, lock, packet,
};

/// A scenario's surroundings. They end with this value.
pub(crate) struct Scene {
    pub(crate) place: Place,
    _peer: Peer,
    _lock: Lock,
}

/// Who answers.
enum Peer {
    /// The server itself, or nobody.
    None,
    #[expect(dead_code, reason = "it lives as long as the scene")]
    Proxy(ClearingProxy),
    #[expect(dead_code, reason = "it lives as long as the scene")]
    Fake(FakeServer),
}

impl Scene {
    /// Has the server be as the scenario wants it.
    pub(crate) fn set(scenario: &Scenario, server: &Server) -> Result<Self> {
        for need in &scenario.needs {
            match need.as_str() {
                "test-plugins" => {
                    ensure!(
                        server.test_plugins,
                        "{} has not the plugins of MySQL's regression tests",
                        server.name
                    );
                }
                // This test provides it.
                "scripted-peer" => {}
                _ => bail!("an unknown need: {need}"),
            }
        }
        let lock = lock()?;
        // What another scenario may have changed, then what this one changes.
        let account = scenario.option("user").and_then(|user| Account::named(user).ok());
        let restored = account.as_ref().map_or_else(String::new, Account::restored);
        let sql = restored + scenario.before.as_deref().unwrap_or_default();
        if !sql.is_empty() {
            server.run(&sql)?;
        }
        // A scenario that has a peer in between says nothing of the cache; they were recorded with the account in it.
        if matches!(scenario.special, Some(Special::Warm | Special::Clear(_))) {
            warm(server, &account.context("an account with a password")?)?;
        }
        let (place, peer) = Self::peer(scenario, server)?;
        Ok(Self { place, _peer: peer, _lock: lock })
    }

    fn peer(scenario: &Scenario, server: &Server) -> Result<(Place, Peer)> {
        let fake = |script| {
            let fake = FakeServer::new([script])?;
            Ok((Place::Tcp(fake.address()), Peer::Fake(fake)))
        };
        match &scenario.special {
            Some(Special::Clear(bit)) => {
                let proxy = ClearingProxy::new(server.address()?, *bit)?;
                Ok((Place::Tcp(proxy.address()), Peer::Proxy(proxy)))
            }
            Some(Special::Fake(bytes)) => fake(vec![Act::Send(bytes.clone())]),
            Some(Special::Mute) => fake(vec![Act::Mute]),
            Some(Special::TooMany) => fake(vec![Act::Send(refusal(scenario)?)]),
            Some(Special::Refused) => Ok((Place::Tcp(closed_port()?), Peer::None)),
            _ if scenario.transport == "unix" => Ok((Place::Unix(server.socket()?.into()), Peer::None)),
            _ => Ok((Place::Tcp(server.address()?), Peer::None)),
        }
    }

    /// Options that lead there.
    pub(crate) fn target(&self) -> Result<OptionsBuilder> {
        Ok(match &self.place {
            Place::Tcp(address) => Options::builder().host(&address.ip().to_string()).port(address.port()),
            Place::Unix(path) => Options::builder().unix_socket(path),
            place => bail!("an unknown place: {place:?}"),
        })
    }
}

/// The content of a file that a scenario names: the server's own, or a CA that knows nothing of it.
pub(crate) fn file(server: &Server, name: &str) -> Result<Vec<u8>> {
    match name {
        "other-ca.pem" => Ok(Authority::new("a CA that nobody knows")?.pem().into()),
        _ => Ok(fs::read(server.file(name)?)?),
    }
}

/// Has the server put an account into its cache.
pub(crate) fn warm(server: &Server, account: &Account) -> Result<()> {
    let options = server.tcp().user(&account.user).password(account.password.as_str());
    let options = options.ssl_mode(SslMode::Required).build()?;
    Ok(blocking::connect(options.into()).context("to fill the server's cache")?.close()?)
}

/// A port on which nobody listens.
pub(crate) fn closed_port() -> Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}

/// What a server that takes no more connections sends: an ERR packet without SQLSTATE, with the number and text that were
/// recorded.
fn refusal(scenario: &Scenario) -> Result<Vec<u8>> {
    let step = scenario.lines.last().context("no step")?;
    let errno = step.get("errno").and_then(|errno| errno.as_u64()).context("no errno")?;
    let text = step.get("error").and_then(|error| error.as_str()).context("no error")?;
    let errno = u16::try_from(errno)?.to_le_bytes();
    Ok(packet(0, &[&[0xff], &errno[..], text.as_bytes()].concat()))
}

/// Kills what a session runs, once it runs it.
pub(crate) fn kill_query(server: &Server, connection_id: u32) {
    let server = server.clone();
    std::thread::spawn(move || -> Result<()> {
        let mut root = server.root()?;
        let sql = format!(
            "SELECT 1 FROM information_schema.processlist WHERE id = {connection_id} AND command = 'Query' AND state = 'User sleep'"
        );
        let running = |root: &mut blocking::BlockingClient| -> Result<bool> {
            let mut results = root.query(&sql)?;
            let mut rows = 0;
            while let Some(batch) = results.next_batch()? {
                rows += batch.len();
            }
            Ok(rows > 0)
        };
        for _ in 0..400 {
            if running(&mut root)? {
                root.query_drop(&format!("KILL QUERY {connection_id}"))?;
                break;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(root.close()?)
    });
}
