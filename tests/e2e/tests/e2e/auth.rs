//! Every way to log in, over every transport, on every runtime: where it leads is in one table.

mod rows;

use anyhow::{Context as _, Result, bail};
use porpoise::{Connecting, Error, FlightRecord, OptionsBuilder};
use porpoise_test_support::{Account, Server, lock};

use self::End::{Error as No, In, Refused};
use self::rows::ROWS;
use crate::scene::warm;
use crate::suite::{Cell, Context, Suite, Transport, expect};

/// A way to log in.
#[derive(Clone, Copy)]
struct Row {
    name: &'static str,
    servers: &'static [&'static str],
    user: &'static str,
    password: &'static str,
    cache: Cache,
    /// What root does before and after.
    sql: [&'static str; 2],
    with: With,
    /// Over TCP, TCP with TLS, and a Unix socket.
    leads_to: [End; 3],
}

/// What the server's cache of `caching_sha2_password` has of the account.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cache {
    Any,
    Has,
    HasNot,
}

/// Where a login leads.
#[derive(Clone, Copy)]
enum End {
    /// Into a session: the last plugin that ran, the path it took, the number of factors.
    In(&'static str, &'static str, usize),
    /// To an error: its number, and the stage in which it is found.
    Error(u16, &'static str),
    /// This error, in whichever stage.
    Refused(u16),
}

/// What is set beyond user and password.
type With = fn(OptionsBuilder, &Server) -> Result<OptionsBuilder>;

pub(crate) fn add(suite: &mut Suite) {
    for row in ROWS {
        for server in row.servers {
            for (transport, leads_to) in Transport::ALL.into_iter().zip(row.leads_to) {
                for cell in Cell::on_each_runtime(transport, server) {
                    let version = if row.servers.len() > 1 { format!("::{server}") } else { String::new() };
                    let name = format!("auth::{}{version}::{}::{}", row.name, transport.name(), cell.runner);
                    suite.add(name, cell, move |context| log_in(context, row, leads_to));
                }
            }
        }
    }
}

fn log_in(context: &Context, row: &Row, leads_to: End) -> Result<()> {
    let server = context.server()?;
    let options = context.options()?.user(row.user).password(row.password).flight_record(true);
    let options = (row.with)(options, server)?.build()?;
    let _lock = lock()?;
    let [before, after] = row.sql;
    if !before.is_empty() {
        server.run(before)?;
    }
    match row.cache {
        Cache::Any => {}
        Cache::Has => warm(server, &Account::named(row.user)?)?,
        Cache::HasNot => server.run("FLUSH PRIVILEGES")?,
    }
    let result = context.run(async {
        let mut connecting = Connecting::new(context.runtime(), options.into());
        let result = (&mut connecting).await;
        let record = connecting.flight_record().cloned().context("no flight record")?;
        match result {
            Ok(mut client) => {
                client.ping().await?;
                client.close().await?;
                judge(&leads_to, &record, None)
            }
            Err(error) => judge(&leads_to, &record, Some(&error)),
        }
    });
    if !after.is_empty() {
        server.run(after)?;
    }
    result
}

fn judge(leads_to: &End, record: &FlightRecord, error: Option<&Error>) -> Result<()> {
    let last = record.stages.last().context("no stage")?.stage.name;
    match (leads_to, error) {
        (In(plugin, path, factors), None) => {
            let found = (record.auth_plugin.as_str(), record.auth_path.unwrap_or(""), record.auth_factors);
            expect("plugin, path, factors", &found, &(*plugin, *path, *factors))?;
            expect("last stage", &last, &"COMPLETE")
        }
        (No(code, stage), Some(Error::Connect(error))) => {
            let found = (error.code(), error.stage().name());
            expect("number, stage", &found, &(*code, *stage)).with_context(|| error.to_string())?;
            expect("last stage", &last, stage)
        }
        (Refused(code), Some(Error::Connect(error))) => {
            expect("number", &error.code(), code).with_context(|| error.to_string())
        }
        (_, Some(error)) => bail!("{error}"),
        (_, None) => bail!("in by {}, {:?}", record.auth_plugin, record.auth_path),
    }
}
