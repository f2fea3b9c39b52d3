//! The tool over the X Protocol on a real server: connects on every transport, and queries that show what they show over the
//! classic protocol.

use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use porpoise_test_support::{Account, Lock, lock};

use crate::scene;
use crate::suite::{Context, MYSQL, Suite, Transport, expect};
use crate::tool::{Told, program, told};

/// The account of all tests.
const USER: &str = "sha2";

/// Values of all kinds that look the same over both protocols: all but BIT, which has its width in one only, and ZEROFILL.
const VALUES: &str = "\
    select 1 a, -5 b, 1.50 c, 'ü' d, null e, x'00ff' f, date '2024-01-02' g, time '-10:00:01.5' h, \
    timestamp '2024-01-02 03:04:05' i, json_object('a', 1) j, 1e300 k, cast(1 as unsigned) l union all \
    select 2, 18446744073709551615, -0.01, '', 'x', '', '1000-01-01', '838:59:59', '9999-12-31 23:59:59.5', null, 0.1e0, 0";

pub(crate) fn add(suite: &mut Suite) {
    for transport in Transport::ALL {
        let name = format!("x_tool::connect::{}", transport.name());
        suite.add_on_each_runtime(&name, transport, MYSQL, connect);
        let name = format!("x_tool::query::{}", transport.name());
        suite.add_on_each_runtime(&name, transport, MYSQL, query);
    }
}

/// The URL of the cell's server; `x`: of the X Protocol.
fn url(context: &Context, x: bool) -> Result<String> {
    let server = context.server()?;
    let account = Account::named(USER)?;
    let (user, password) = (&account.user, &account.password);
    let (scheme, port, socket) = match x {
        true => ("mysqlx", server.mysqlx_port.context("no X port")?, server.mysqlx_socket.as_deref()),
        false => ("mysql", server.port, server.socket.as_deref()),
    };
    Ok(match context.cell.transport {
        Transport::Unix => {
            let socket = socket.context("no socket")?.display();
            format!("{scheme}://{user}:{password}@/odb?socket={socket}")
        }
        Transport::Tls => {
            format!("{scheme}://{user}:{password}@{}:{port}/odb?ssl-mode=REQUIRED", server.host)
        }
        Transport::Tcp => {
            format!("{scheme}://{user}:{password}@{}:{port}/odb?ssl-mode=DISABLED", server.host)
        }
    })
}

fn porpoise(context: &Context, args: &[&str]) -> Result<Told> {
    let mut command = Command::new(program()?);
    command
        .args(args)
        .args(["--runtime", context.runtime().name()])
        .env_remove("MYSQL_PWD")
        .env("NO_COLOR", "1");
    told(&mut command, "")
}

/// Has the server know the account in both protocols, as long as the lock is held: over clear TCP it takes a hash only then.
fn warm(context: &Context) -> Result<Lock> {
    let lock = lock()?;
    let server = context.server()?;
    let account = Account::named(USER)?;
    let (host, port) = (&server.host, server.mysqlx_port.context("no X port")?);
    let url = format!("mysqlx://{}:{}@{host}:{port}/?ssl-mode=REQUIRED", account.user, account.password);
    let warmed = porpoise(context, &["connect", &url])?;
    ensure!(warmed.stdout.contains("connected after"), "{}", warmed.stdout);
    scene::warm(server, &account)?;
    Ok(lock)
}

fn connect(context: &Context) -> Result<()> {
    let _lock = warm(context)?;
    let told = porpoise(context, &["connect", &url(context, true)?, "--format", "json"])?;
    let report: serde_json::Value = serde_json::from_str(&told.stdout).context(told.stderr)?;
    let at = |path: &str| report.pointer(path);
    let stages = at("/stages").and_then(|stages| stages.as_array()).context("no stages")?;
    let names: Vec<_> = stages.iter().filter_map(|stage| stage.get("name")?.as_str()).collect();
    let (names_wanted, mechanism, trips): (&[&str], _, _) = match context.cell.transport {
        Transport::Unix => (&["CONNECT", "CONNECTED", "AUTHENTICATING", "SESSION"], "PLAIN", 1),
        Transport::Tcp => {
            (&["CONNECT", "CONNECTED", "NEGOTIATING", "AUTHENTICATING", "SESSION"], "SHA256_MEMORY", 2)
        }
        Transport::Tls => (
            &["CONNECT", "CONNECTED", "NEGOTIATING", "TLS_HANDSHAKE", "TLS", "AUTHENTICATING", "SESSION"],
            "PLAIN",
            // The handshake is one.
            3,
        ),
    };
    expect("the stages", &names.as_slice(), &names_wanted)?;
    expect("the mechanism", &at("/auth/plugin"), &Some(&mechanism.into()))?;
    expect("the round trips", &at("/round_trips"), &Some(&trips.into()))?;
    expect("the kind of node", &at("/x/capabilities/node_type"), &Some(&"mysql".into()))?;
    let tls = context.cell.transport == Transport::Tls;
    expect("tls", &at("/x/capabilities/tls"), &Some(&tls.into()))
}

fn query(context: &Context) -> Result<()> {
    let _lock = warm(context)?;
    let rows = |x: bool, format: &str| -> Result<String> {
        let told = porpoise(context, &["query", &url(context, x)?, VALUES, "--format", format])?;
        ensure!(told.stderr.is_empty(), "{}", told.stderr);
        // How long it took differs.
        Ok(told
            .stdout
            .lines()
            .filter(|line| !line.starts_with("2 rows ("))
            .map(|line| line.to_owned() + "\n")
            .collect())
    };
    for format in ["table", "csv", "json", "jsonl"] {
        let (x, classic) = (rows(true, format)?, rows(false, format)?);
        ensure!(x.lines().count() > 1, "{format}: {x}");
        expect(format, &x, &classic)?;
    }
    let refused = porpoise(context, &["query", &url(context, true)?, "select nothing"])?;
    expect("the error", &refused.stderr.split(':').next(), &Some("error 1054 (42S22)"))
}
