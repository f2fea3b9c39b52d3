//! The consumers, built and run.

use std::collections::BTreeSet;

use anyhow::ensure;

use crate::consumer::Consumer;
use crate::metadata::Metadata;
use crate::server::state::State;
use crate::{Result, account, workspace};

/// Checks that each library crate has a consumer, that it brings in nothing it must not, builds it, and runs it
/// when it needs no server.
pub(super) fn check() -> Result<String> {
    let consumers = Consumer::all()?;
    let used: BTreeSet<&str> = consumers.iter().map(Consumer::of).collect();
    let metadata = Metadata::read()?;
    let unused: Vec<&str> = metadata
        .libraries()
        .map(|package| package.name.as_str())
        .filter(|name| !used.contains(name))
        .collect();
    ensure!(unused.is_empty(), "tests/consumers has none for {}", unused.join(", "));
    for consumer in &consumers {
        println!("{}", consumer.of());
        consumer.check_layers()?;
        let command = if consumer.wants_server() { "build" } else { "run" };
        workspace::run(&mut consumer.cargo(command, &[])?)?;
    }
    Ok(format!("{} consumers", consumers.len()))
}

/// Runs those that need a server.
pub(super) fn on_server(state: &State) -> Result<()> {
    let Some(server) = state.get("mysql-9.7") else { anyhow::bail!("mysql-9.7 is not up") };
    let url = account::SHA2.tcp_url(server, &[("ssl-mode", "DISABLED"), ("get-server-public-key", "true")]);
    for consumer in Consumer::all()?.iter().filter(|consumer| consumer.wants_server()) {
        println!("{}", consumer.of());
        workspace::run(&mut consumer.cargo("run", &["--", &url])?)?;
    }
    Ok(())
}
