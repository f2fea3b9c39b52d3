//! What a connect asks of the session: attributes, character set, capabilities, init commands.

use std::sync::Arc;

use anyhow::{Context as _, Result, bail, ensure};
use porpoise::classic::CapabilityFlags;
use porpoise::classic_connect::{Charset, ConnectOptionsBuilder};
use porpoise::trace::Record;
use porpoise::transport::SslMode;
use porpoise::{Client, Connecting, Error, Options, OptionsBuilder};
use porpoise_test_support::{ClearingProxy, Server};

use crate::suite::{Context, MARIADB, MYSQL, Suite, Test, Transport, expect, first_cell};

pub(crate) fn add(suite: &mut Suite) {
    let tests: &[(&str, Test)] = &[
        ("attributes", attributes),
        ("charset", charset),
        ("capabilities", capabilities),
        ("initial-database", initial_database),
        ("init-commands", init_commands),
        ("unasked-results", unasked_results),
    ];
    suite.add_tests("session", Transport::Tls, MYSQL, tests);
    for server in MARIADB {
        suite.add_on_each_runtime(&format!("session::charset::{server}"), Transport::Tls, server, charset);
    }
}

fn login(server: &Server, options: OptionsBuilder) -> OptionsBuilder {
    if server.is_mariadb() {
        options.user("nat").password("pw-nat")
    } else {
        options.user("sha2all").password("pw-sha2")
    }
}

async fn connect(
    context: &Context,
    change: impl FnOnce(ConnectOptionsBuilder) -> ConnectOptionsBuilder,
) -> Result<Client> {
    let options = login(context.server()?, context.options()?).connect(change).build()?;
    Ok(Connecting::new(context.runtime(), Arc::new(options)).await?)
}

fn attributes(context: &Context) -> Result<()> {
    let long = "x".repeat(300);
    context.run(async {
        let add = |c: ConnectOptionsBuilder| c.attribute("program_name", "e2e").attribute("long", &long);
        let mut client = connect(context, add).await?;
        let pid = std::process::id().to_string();
        let shown = [
            ("_client_name", "porpoise"),
            ("_pid", &pid),
            ("_os", std::env::consts::OS),
            ("program_name", "e2e"),
            ("long", &long),
        ];
        for (name, value) in shown {
            expect(name, &attribute(&mut client, name).await?.as_deref(), &Some(value))?;
        }
        client.close().await?;
        let mut client = connect(context, |c| c.clear_attributes().attribute("only", "")).await?;
        let count = "SELECT COUNT(*) FROM performance_schema.session_account_connect_attrs \
                     WHERE processlist_id = CONNECTION_ID()";
        expect("attributes", &first_cell(&mut client, count).await?.as_deref(), &Some("1"))?;
        Ok(client.close().await?)
    })
}

async fn attribute(client: &mut Client, name: &str) -> Result<Option<String>> {
    let sql = format!(
        "SELECT attr_value FROM performance_schema.session_connect_attrs \
         WHERE processlist_id = CONNECTION_ID() AND attr_name = '{name}'"
    );
    first_cell(client, &sql).await
}

/// By its name or its id, below 256 in the handshake and above by SET NAMES.
fn charset(context: &Context) -> Result<()> {
    let server = context.server()?.name.as_str();
    let name = |name: &str| Charset::Name(name.into());
    let mut cases = vec![
        (name("latin1_general_cs"), "latin1_general_cs"),
        (name("binary"), "binary"),
        (Charset::Id(46), "utf8mb4_bin"),
    ];
    cases.extend(match server {
        MYSQL => vec![
            (Charset::Default, "utf8mb4_0900_ai_ci"),
            (name("utf8mb4"), "utf8mb4_0900_ai_ci"),
            (name("utf8mb4_ja_0900_as_cs"), "utf8mb4_ja_0900_as_cs"),
            (name("latin1"), "latin1_swedish_ci"),
            (Charset::Id(309), "utf8mb4_0900_bin"),
        ],
        _ => vec![(name("utf8mb4_nopad_bin"), "utf8mb4_nopad_bin")],
    });
    if server == "mariadb-10.11" {
        // Later ones take the default collation of a character set, told by its id, for another (character_set_collations).
        cases.push((Charset::Default, "utf8mb4_general_ci"));
        cases.push((name("latin1"), "latin1_swedish_ci"));
    }
    context.run(async {
        for (charset, collation) in cases {
            let asked = format!("{charset:?}");
            let mut client = connect(context, |c| c.charset(charset)).await.with_context(|| asked.clone())?;
            let found = first_cell(&mut client, "SELECT @@collation_connection").await?;
            expect("collation", &found.as_deref(), &Some(collation)).context(asked)?;
            let charset = collation.split('_').next();
            for variable in ["character_set_client", "character_set_results"] {
                let found = first_cell(&mut client, &format!("SELECT @@{variable}")).await?;
                expect(variable, &found.as_deref(), &charset)?;
            }
            let sql =
                format!("SELECT id FROM information_schema.collations WHERE collation_name = '{collation}'");
            let id = first_cell(&mut client, &sql).await?;
            expect("id", &Some(client.charset().to_string()), &id)?;
            client.close().await?;
        }
        Ok(())
    })?;
    context.run(async {
        match connect(context, |c| c.charset(Charset::Name("klingon".into()))).await {
            Ok(_) => bail!("connected"),
            Err(error) => {
                let error: Error = error.downcast()?;
                expect("number", &error.code(), &2019)
            }
        }
    })
}

/// Each capability can be done without: the session works, and reads what the server sends instead.
fn capabilities(context: &Context) -> Result<()> {
    let optional = [
        CapabilityFlags::CLIENT_DEPRECATE_EOF,
        CapabilityFlags::CLIENT_SESSION_TRACK,
        CapabilityFlags::CLIENT_QUERY_ATTRIBUTES,
        CapabilityFlags::CLIENT_CONNECT_ATTRS,
        CapabilityFlags::CLIENT_PLUGIN_AUTH_LENENC_CLIENT_DATA,
        CapabilityFlags::MULTI_FACTOR_AUTHENTICATION,
        CapabilityFlags::CLIENT_MULTI_RESULTS,
        CapabilityFlags::CLIENT_PS_MULTI_RESULTS,
        CapabilityFlags::CLIENT_LOCAL_FILES,
        CapabilityFlags::CLIENT_LONG_FLAG,
        CapabilityFlags::CLIENT_LONG_PASSWORD,
        CapabilityFlags::CLIENT_TRANSACTIONS,
    ];
    let all = optional.into_iter().reduce(|one, other| one | other).context("none")?;
    context.run(async {
        for left_out in optional.into_iter().chain([all]) {
            let lacking = |c: ConnectOptionsBuilder| c.without(left_out).database("odb");
            let mut client = connect(context, lacking).await.with_context(|| format!("{left_out:?}"))?;
            ensure!(!client.capabilities().intersects(left_out), "{left_out:?} is in");
            let found = first_cell(&mut client, "SELECT GROUP_CONCAT(a ORDER BY a) FROM t1").await?;
            expect("rows", &found.as_deref(), &Some("1,2,3,4,5")).with_context(|| format!("{left_out:?}"))?;
            client.query_drop("SET @a = 1").await?;
            expect("@a", &first_cell(&mut client, "SELECT @a").await?.as_deref(), &Some("1"))?;
            client.close().await?;
        }
        Ok(())
    })?;
    context.run(async {
        // Some can only be asked for.
        let found_rows = CapabilityFlags::CLIENT_FOUND_ROWS | CapabilityFlags::CLIENT_MULTI_STATEMENTS;
        let mut client = connect(context, |c| c.with(found_rows)).await?;
        let sql = "CREATE TEMPORARY TABLE odb.e2e_found (a INT); INSERT INTO odb.e2e_found VALUES (1), (1)";
        client.query_drop(sql).await?;
        let mut results = client.query("UPDATE odb.e2e_found SET a = 1").await?;
        expect("rows found", &results.ok().map(|ok| ok.affected_rows()), &Some(2))?;
        results.next_result().await?;
        drop(results);
        Ok(client.close().await?)
    })
}

/// A server that takes no database in the login gets COM_INIT_DB, in PREP_SELECT_DATABASE.
fn initial_database(context: &Context) -> Result<()> {
    const CLIENT_CONNECT_WITH_DB: u8 = 3;
    let server = context.server()?;
    let proxy = ClearingProxy::new(server.address()?, CLIENT_CONNECT_WITH_DB)?;
    let target = || Options::builder().host(&proxy.address().ip().to_string()).port(proxy.address().port());
    let options = |database| {
        let options = login(server, target()).database(database).ssl_mode(SslMode::Disabled);
        options.connect(|c| c.get_server_public_key(true)).build().map(Arc::new)
    };
    context.run(async {
        let record = Record::new();
        let connecting =
            Connecting::new(context.runtime(), options("odb")?).with_sink(Box::new(record.clone()));
        let mut client = connecting.await?;
        let told = record.to_jsonl();
        let (_, prepared) = told.split_once("PREP_SELECT_DATABASE").context("no PREP_SELECT_DATABASE")?;
        let (selected, _) = prepared.split_once("PREP_INIT_COMMANDS").context("no PREP_INIT_COMMANDS")?;
        ensure!(selected.contains("COM_INIT_DB"), "{selected}");
        expect("database", &first_cell(&mut client, "SELECT DATABASE()").await?.as_deref(), &Some("odb"))?;
        client.close().await?;
        match Connecting::new(context.runtime(), options("nodb")?).await {
            Err(Error::Connect(error)) => {
                let found = (error.code(), error.sqlstate(), error.stage().name());
                expect("number, state, stage", &found, &(1049, "42000", "PREP_SELECT_DATABASE"))
            }
            other => bail!("{other:?}"),
        }
    })
}

/// All results of all of them are read, whatever they are.
fn init_commands(context: &Context) -> Result<()> {
    context.run(async {
        let commands = |c: ConnectOptionsBuilder| {
            c.with(CapabilityFlags::CLIENT_MULTI_STATEMENTS)
                .charset(Charset::Id(309))
                .database("odb")
                .init_command("SELECT a, b FROM t1; SET @a = 1; SELECT 2; DO 0")
                .init_command("SET @b = @a + 1")
        };
        let mut client = connect(context, commands).await?;
        let found = first_cell(&mut client, "SELECT CONCAT(@a, @b, @@collation_connection)").await?;
        expect("what they set", &found.as_deref(), &Some("12utf8mb4_0900_bin"))?;
        client.close().await?;
        // The error of a later result ends the connect as that of the first does.
        let failing = |c: ConnectOptionsBuilder| {
            c.with(CapabilityFlags::CLIENT_MULTI_STATEMENTS).init_command("DO 0; SELECT * FROM odb.nope")
        };
        match connect(context, failing).await {
            Ok(_) => bail!("connected"),
            Err(error) => match error.downcast()? {
                Error::Connect(error) => {
                    let found = (error.code(), error.sqlstate(), error.stage().name());
                    expect("number, state, stage", &found, &(1146, "42S02", "SEND_ONE_INIT_COMMAND"))
                }
                other => bail!("{other}"),
            },
        }
    })
}

/// Results that nobody reads do not meet the next statement.
fn unasked_results(context: &Context) -> Result<()> {
    context.run(async {
        let multi = CapabilityFlags::CLIENT_MULTI_STATEMENTS;
        let mut client = connect(context, |c| c.with(multi).database("odb")).await?;
        drop(client.query("SELECT a FROM t1; SELECT b FROM t1; SELECT 3").await?);
        expect("then", &first_cell(&mut client, "SELECT 4").await?.as_deref(), &Some("4"))?;
        let mut results = client.query("SELECT 5; SELECT 6").await?;
        results.next_batch().await?;
        drop(results);
        client.ping().await?;
        Ok(client.close().await?)
    })
}
