//! Each capability by its effect.

use anyhow::{Context as _, Result, ensure};
use porpoise::wire::Limits;
use porpoise_test_support::{XClient, XReply, lock};
use porpoise_xproto::connect::{ConnectOptions, Use};
use porpoise_xproto::messages::connection::{CapabilitiesGet, CapabilitiesSet};
use porpoise_xproto::messages::datatypes::{Any, Array, Object, Scalar};
use porpoise_xproto::messages::session;
use porpoise_xproto::{Algorithm, LifeCycle, NoticeBody};

use super::{add_tests, connected, in_session, live, number, options, refused, text, with, works};
use crate::suite::{Context, Suite, Transport, expect};

const ER_X_CAPABILITIES_PREPARE_FAILED: u16 = 5001;
const ER_X_CAPABILITY_NOT_FOUND: u16 = 5002;
const ER_X_DUPLICATE_CAPABILITIES: u16 = 5019;

pub(super) fn add(suite: &mut Suite) {
    for over in Transport::ALL {
        add_tests(
            suite,
            "capabilities",
            over,
            &[("as the server lists them", listed), ("attributes", attributes)],
        );
    }
    add_tests(
        suite,
        "capabilities",
        Transport::Unix,
        &[
            ("client.interactive", interactive),
            ("client.pwd_expire_ok", pwd_expire_ok),
            ("what cannot be set", read_only),
            ("message lengths are refused", message_lengths),
            ("all or nothing", atomic),
            ("attributes of a closed session", attributes_between_sessions),
            ("attributes that are none", bad_attributes),
            ("compression shows in bytes", compression),
            ("compression that is none", bad_compression),
        ],
    );
    add_tests(suite, "capabilities", Transport::Tls, &[("tls cannot be turned off", tls_off)]);
}

fn set(client: &mut XClient<'_>, name: &str, value: impl Into<Any>) -> Result<XReply> {
    client.ask(&CapabilitiesSet::default().with(name, value))
}

/// Runs something on a connection without a session.
fn raw(context: &Context, run: impl FnOnce(&mut XClient<'_>) -> Result<()>) -> Result<()> {
    let mut wire = live(context.server()?, context.cell.transport)?;
    let mut client = XClient::open(&mut wire, Limits::default())?;
    run(&mut client)
}

fn listed(context: &Context) -> Result<()> {
    raw(context, |client| {
        let over = context.cell.transport;
        let mut tls = false;
        if over == Transport::Tls {
            set(client, "tls", true)?.ok()?;
            ensure!(client.event()?.is_none());
            tls = true;
        }
        let listed = client.ask(&CapabilitiesGet {})?.capabilities.context("no capabilities")?;
        let mechanisms: Vec<_> = listed.mechanisms().collect();
        let should =
            if over == Transport::Tcp { &["SHA256_MEMORY"][..] } else { &["PLAIN", "SHA256_MEMORY"] };
        expect("mechanisms", &mechanisms, &should.to_vec())?;
        expect("tls", &listed.tls(), &Some(tls))?;
        expect("doc.formats", &listed.doc_formats(), &Some("text"))?;
        expect("node_type", &listed.node_type(), &Some("mysql"))?;
        expect("client.interactive", &listed.client_interactive(), &Some(false))?;
        expect("client.pwd_expire_ok", &listed.client_pwd_expire_ok(), &Some(false))?;
        let mut algorithms: Vec<_> = listed.compression().collect();
        algorithms.sort_unstable();
        expect("compression", &algorithms, &vec!["deflate_stream", "lz4_message", "zstd_stream"])?;
        expect("session_connect_attrs", &listed.get("session_connect_attrs"), &None)?;
        // What is set is listed.
        set(client, "client.interactive", true)?.ok()?;
        set(client, "client.pwd_expire_ok", 1_u64)?.ok()?;
        let listed = client.ask(&CapabilitiesGet {})?.capabilities.context("no capabilities")?;
        let both = (listed.client_interactive(), listed.client_pwd_expire_ok());
        expect("what was set", &both, &(Some(true), Some(true)))
    })
}

/// The session waits as long as for people: the two time-outs are set apart for that.
fn interactive(context: &Context) -> Result<()> {
    let (server, unix) = (context.server()?, Transport::Unix);
    let _lock = lock()?;
    server.run("SET GLOBAL mysqlx_interactive_timeout = 12345")?;
    let wait = |interactive: bool| -> Result<u64> {
        let options = with(options("sha2all", unix)?, |options| options.interactive = interactive);
        connected(server, unix, options, |client| number(client, "@@mysqlx_wait_timeout"))
    };
    let waits = wait(true).and_then(|yes| Ok((yes, wait(false)?)));
    server.run("SET GLOBAL mysqlx_interactive_timeout = DEFAULT")?;
    expect("interactive, not", &waits?, &(12_345, 28_800))
}

fn pwd_expire_ok(context: &Context) -> Result<()> {
    let (server, unix) = (context.server()?, Transport::Unix);
    let _lock = lock()?;
    server.run(
        "DROP USER IF EXISTS porp_xt_expired; \
         CREATE USER porp_xt_expired IDENTIFIED BY 'old' PASSWORD EXPIRE; GRANT ALL ON odb.* TO porp_xt_expired",
    )?;
    let options = |ok: bool, schema: &str| {
        with(ConnectOptions::new("porp_xt_expired", "old"), |options| {
            (options.expired_password_ok, options.schema) = (ok, schema.to_owned());
        })
    };
    let test = || -> Result<()> {
        let error = refused(server, unix, options(false, ""))?;
        expect("without it", &error.code(), &1862)?;
        ensure!(error.advice().is_some_and(|advice| advice.contains("connect-expired-password")), "{error}");
        expect("with a schema", &refused(server, unix, options(true, "odb"))?.code(), &1045)?;
        connected(server, unix, options(true, ""), |client| {
            expect("a statement", &client.sql("select 1")?.code(), &1820)?;
            client.sql("alter user user() identified by 'new'")?.ok()?;
            works(client)?;
            client.close()
        })?;
        connected(server, unix, ConnectOptions::new("porp_xt_expired", "new"), works)
    };
    let tested = test();
    server.run("DROP USER porp_xt_expired")?;
    tested
}

fn read_only(context: &Context) -> Result<()> {
    raw(context, |client| {
        for (name, value) in [
            ("doc.formats", Any::from("text")),
            ("node_type", "mysql".into()),
            ("authentication.mechanisms", Array { value: vec!["PLAIN".into()] }.into()),
            ("tls", false.into()),
            ("client.interactive", "yes".into()),
            ("client.pwd_expire_ok", "yes".into()),
        ] {
            let reply = set(client, name, value)?;
            let error = reply.error.with_context(|| format!("{name} was set"))?;
            expect(name, &(error.code, error.fatal), &(ER_X_CAPABILITIES_PREPARE_FAILED, false))?;
        }
        let listed = client.ask(&CapabilitiesGet {})?.capabilities.context("no capabilities")?;
        expect("doc.formats", &listed.doc_formats(), &Some("text"))?;
        expect("node_type", &listed.node_type(), &Some("mysql"))?;
        expect("the state", &client.machine().state(), &LifeCycle::Negotiating)
    })
}

/// The limits of messages that the first manual had.
fn message_lengths(context: &Context) -> Result<()> {
    raw(context, |client| {
        for name in ["message.maxSendLength", "message.maxReceiveLength", "no.such", "TLS"] {
            expect(name, &set(client, name, 2_097_152_u64)?.code(), &ER_X_CAPABILITY_NOT_FOUND)?;
        }
        Ok(())
    })
}

fn atomic(context: &Context) -> Result<()> {
    raw(context, |client| {
        let both = CapabilitiesSet::default().with("client.interactive", true);
        expect("with another", &client.ask(&both.clone().with("no.such", 1_u64))?.code(), &5002)?;
        let twice = both.clone().with("client.interactive", true);
        expect("twice", &client.ask(&twice)?.code(), &ER_X_DUPLICATE_CAPABILITIES)?;
        let listed = client.ask(&CapabilitiesGet {})?.capabilities.context("no capabilities")?;
        expect("what is set", &listed.client_interactive(), &Some(false))?;
        expect("nothing at all", &client.ask(&CapabilitiesSet::default())?.code(), &0)?;
        expect("alone", &client.ask(&both)?.code(), &0)
    })
}

const ATTRIBUTES: &str = "select group_concat(concat(attr_name, '=', ifnull(attr_value, '')) order by attr_name) \
     from performance_schema.session_account_connect_attrs where processlist_id = connection_id()";

fn attributes(context: &Context) -> Result<()> {
    let over = context.cell.transport;
    let mut options = options("sha2all", over)?;
    let attributes = [("_client_name", "porpoise"), ("program", "x \u{e9}"), ("empty", "")];
    options.attributes = attributes.map(|(name, value)| (name.into(), value.into())).into();
    if over == Transport::Tcp {
        // A clear channel needs an account that the server has in its cache.
        let _lock = lock()?;
        let (server, unix) = (context.server()?, Transport::Unix);
        connected(server, unix, super::options("sha2all", unix)?, works)?;
        return connected(server, over, options, read_back);
    }
    connected(context.server()?, over, options, read_back)
}

fn read_back(client: &mut XClient<'_>) -> Result<()> {
    let is = text(client, ATTRIBUTES)?;
    expect("the attributes", &is.as_str(), &"_client_name=porpoise,empty=,program=x \u{e9}")
}

fn attributes_between_sessions(context: &Context) -> Result<()> {
    in_session(context, |client| {
        client.ask(&session::Reset::default())?.ok()?;
        let attributes = Object::default().with("program", "the second");
        set(client, "session_connect_attrs", attributes)?.ok()?;
        client.with(|machine, cx| {
            machine.authenticate_start("PLAIN", Some(b"\0sha2all\0pw-sha2"), false, cx)
        })?;
        client.reply()?.ok()?;
        expect("the attributes", &text(client, ATTRIBUTES)?.as_str(), &"program=the second")
    })
}

fn bad_attributes(context: &Context) -> Result<()> {
    raw(context, |client| {
        let one = |key: &str, value: Scalar| Any::from(Object::default().with(key, value));
        let many = (0..70).fold(Object::default(), |object, i| {
            object.with(format!("key{i}"), Scalar::from("x".repeat(1000).as_str()))
        });
        for (what, value, code) in [
            ("a text", Any::from("text"), 5001),
            ("an empty object", Object::default().into(), 5001),
            ("an empty key", one("", "x".into()), 5006),
            ("a number", one("key", 1_u64.into()), 5008),
            ("octets", one("key", Scalar::octets("x", None)), 5008),
            ("a long key", one(&"k".repeat(33), "x".into()), 5005),
            ("the longest key", one(&"k".repeat(32), "x".into()), 0),
            ("a long value", one("key", "x".repeat(1025).as_str().into()), 5004),
            ("the longest value", one("key", "x".repeat(1024).as_str().into()), 0),
            ("too many", many.into(), 5007),
        ] {
            expect(what, &set(client, "session_connect_attrs", value)?.code(), &code)?;
        }
        Ok(())
    })
}

fn tls_off(context: &Context) -> Result<()> {
    raw(context, |client| {
        set(client, "tls", true)?.ok()?;
        ensure!(client.event()?.is_none() && client.machine().is_tls());
        for value in [false, true] {
            let error = set(client, "tls", value)?.error.context("it was set")?;
            expect("the error", &(error.code, error.fatal), &(ER_X_CAPABILITIES_PREPARE_FAILED, false))?;
        }
        let listed = client.ask(&CapabilitiesGet {})?.capabilities.context("no capabilities")?;
        expect("tls", &listed.tls(), &Some(true))
    })
}

/// A status variable of the session.
pub(super) fn status(client: &mut XClient<'_>, name: &str) -> Result<u64> {
    let sql = format!(
        "select variable_value from performance_schema.session_status where variable_name = '{name}'"
    );
    Ok(text(client, &sql)?.parse()?)
}

fn compression(context: &Context) -> Result<()> {
    let (server, unix) = (context.server()?, Transport::Unix);
    for algorithm in Algorithm::ALL {
        let mut options = options("sha2all", unix)?;
        options.compression = Use::Required;
        options.compression_algorithms = vec![algorithm];
        let mut wire = live(server, unix)?.cut_by_chance(1);
        let mut client = XClient::connect(&mut wire, super::transport(unix), options)?;
        let long = format!("select repeat('dolphin ', 100000), '{}'", "x".repeat(100_000));
        expect("the value", &client.sql(&long)?.ok()?.text().map(|text| text.len()), &Some(800_000))?;
        let plain = status(&mut client, "mysqlx_bytes_received_uncompressed_frame")?;
        let packed = status(&mut client, "mysqlx_bytes_received_compressed_payload")?;
        ensure!(plain > 100_000 && packed < plain / 50, "{algorithm}: {plain} bytes are {packed}");
        let packed = status(&mut client, "mysqlx_bytes_sent_compressed_payload")?;
        drop(client);
        let received = wire.received() as u64;
        ensure!(packed < received && received < 40_000, "{algorithm}: {packed} bytes, {received} in all");
    }
    Ok(())
}

fn bad_compression(context: &Context) -> Result<()> {
    raw(context, |client| {
        let algorithm = |name: &str| Object::default().with("algorithm", name);
        for (what, value, code) in [
            ("a text", Any::from("zstd_stream"), 5001),
            ("no algorithm", Object::default().with("level", 1_i64).into(), 5179),
            ("another algorithm", algorithm("brotli").into(), 5175),
            ("a level that is a text", algorithm("zstd_stream").with("level", "high").into(), 5001),
            (
                "an option that was never shipped",
                algorithm("zstd_stream").with("server_style", "group").into(),
                5178,
            ),
            ("any case", Object::default().with("ALGORITHM", "Zstd_Stream").into(), 0),
            ("any level", algorithm("deflate_stream").with("level", 99_i64).into(), 0),
        ] {
            expect(what, &set(client, "compression", value)?.code(), &code)?;
        }
        // The last one that was agreed on is it.
        let login = |client: &mut XClient<'_>| -> Result<XReply> {
            client.with(|machine, cx| {
                machine.authenticate_start("PLAIN", Some(b"\0sha2all\0pw-sha2"), false, cx)
            })?;
            Ok(client.reply()?)
        };
        let id = login(client)?.ok()?.notices;
        ensure!(matches!(id[..], [NoticeBody::ClientIdAssigned(_)]), "{id:?}");
        ensure!(client.machine().is_compressed());
        let is = text(
            client,
            "select variable_value from performance_schema.session_status \
             where variable_name = 'mysqlx_compression_algorithm'",
        )?;
        expect("the algorithm", &is.to_lowercase().as_str(), &"deflate_stream")?;
        expect(
            "the level",
            &text(
                client,
                "select variable_value from performance_schema.session_status \
             where variable_name = 'mysqlx_compression_level'",
            )?
            .as_str(),
            &"5",
        )
    })
}
