//! Conversations of X Protocol whose bytes are kept (`tests/transcripts/x`), to be had again without a server.

use anyhow::{Context as _, Result, ensure};
use porpoise_trace::Record;
use porpoise_wire::Limits;
use porpoise_xproto::connect::{Auth, ConnectOptions, Transport, Use};
use porpoise_xproto::crud::{Expect, Find, Insert, Update};
use porpoise_xproto::messages::connection::CapabilitiesGet;
use porpoise_xproto::messages::{connection, cursor, expect, prepare, session, sql};
use porpoise_xproto::{Algorithm, XErrorKind, admin};

use crate::{Wire, XClient, statement};

/// A conversation.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct XTalk {
    /// Its name, and that of its file.
    pub name: &'static str,
    /// What it shows.
    pub what: &'static str,
    /// What it travels through.
    pub transport: Transport,
    /// What root does before.
    pub before: &'static str,
    /// The account must be in the server's cache.
    pub warm: bool,
    options: Option<fn(&mut ConnectOptions)>,
    talk: fn(&mut XClient<'_>) -> Result<()>,
}

impl XTalk {
    /// All of them.
    #[must_use]
    pub const fn all() -> &'static [Self] {
        &TALKS
    }

    /// The account that logs in.
    #[must_use]
    pub fn options(&self) -> ConnectOptions {
        let mut options = ConnectOptions::new("sha2all", "pw-sha2");
        options.tls = Use::Disabled;
        if let Some(change) = self.options {
            change(&mut options);
        }
        options
    }

    /// Has it. What was told: every event, then the trace.
    ///
    /// # Errors
    /// It is not as it should be.
    pub fn have(&self, wire: &mut dyn Wire) -> Result<Vec<String>> {
        let record = Record::new();
        let mut lines = Vec::new();
        let connected = match self.options {
            Some(_) => XClient::connect_told(wire, self.transport, self.options(), &record),
            None => Ok(XClient::open_told(wire, Limits::default(), &record)?),
        };
        match connected {
            Ok(mut client) => {
                (self.talk)(&mut client)?;
                lines.extend(client.told().iter().cloned());
            }
            Err(error) => lines.push(error.to_string()),
        }
        lines.extend(record.entries().iter().map(ToString::to_string));
        Ok(lines)
    }
}

const TALK: XTalk = XTalk {
    name: "",
    what: "",
    transport: Transport::Unix,
    before: "",
    warm: false,
    options: Some(|_| {}),
    talk: |_| Ok(()),
};

const TABLE: &str = "CREATE DATABASE IF NOT EXISTS porp_xtalk; DROP TABLE IF EXISTS porp_xtalk.t, porp_xtalk.c; \
     CREATE TABLE porp_xtalk.t (a INT PRIMARY KEY AUTO_INCREMENT, b VARCHAR(20))";
const TWO: &str = "CREATE DATABASE IF NOT EXISTS porp_xtalk; DROP PROCEDURE IF EXISTS porp_xtalk.two; \
     CREATE PROCEDURE porp_xtalk.two(OUT a INT) BEGIN SELECT 1; SELECT 2, 'x'; SET a = 7; END";

const TALKS: [XTalk; 17] = [
    XTalk {
        name: "unix-statements",
        what: "statements, an error, warnings, an id",
        before: TABLE,
        talk: statements,
        ..TALK
    },
    XTalk { name: "unix-types", what: "a value of each type, and none", talk: types, ..TALK },
    XTalk {
        name: "tls-attributes",
        what: "TLS, attributes, sessions one after another",
        transport: Transport::Tcp,
        options: Some(|options| {
            options.tls = Use::Required;
            options.attributes = vec![("program".into(), "transcript".into())];
            options.interactive = true;
        }),
        talk: sessions,
        ..TALK
    },
    XTalk {
        name: "tcp-warm",
        what: "SHA256_MEMORY on a clear channel",
        transport: Transport::Tcp,
        warm: true,
        talk: |client| {
            client.sql("select 1")?.ok()?;
            client.close()
        },
        ..TALK
    },
    XTalk {
        name: "wrong-password",
        what: "a login that is refused",
        options: Some(|options| options.password = "wrong".into()),
        ..TALK
    },
    XTalk {
        name: "external",
        what: "a mechanism that the server does not know: a fatal error",
        options: Some(|options| options.auth = Auth::External),
        ..TALK
    },
    XTalk {
        name: "raw",
        what: "capabilities, failed attempts, a login, the goodbye in one flight",
        options: None,
        talk: raw,
        ..TALK
    },
    XTalk { name: "expectations", what: "blocks that fail, in one write", talk: expectations, ..TALK },
    XTalk { name: "prepared", what: "a statement, a cursor, both closed", talk: prepared, ..TALK },
    XTalk {
        name: "results",
        what: "a procedure with two results and an OUT parameter",
        before: TWO,
        talk: results,
        ..TALK
    },
    XTalk {
        name: "documents",
        what: "a collection: ids, find, modify, drop",
        before: TABLE,
        talk: documents,
        ..TALK
    },
    XTalk { name: "killed", what: "a session that is killed while it is idle", talk: killed, ..TALK },
    XTalk { name: "fatal", what: "a message that cannot be read", talk: fatal, ..TALK },
    XTalk { name: "compact", what: "columns without names", talk: compact, ..TALK },
    XTalk {
        name: "zstd",
        what: "zstd_stream",
        options: Some(|options| compress(options, Algorithm::ZstdStream)),
        talk: packed,
        ..TALK
    },
    XTalk {
        name: "lz4",
        what: "lz4_message",
        options: Some(|options| compress(options, Algorithm::Lz4Message)),
        talk: packed,
        ..TALK
    },
    XTalk {
        name: "deflate",
        what: "deflate_stream",
        options: Some(|options| compress(options, Algorithm::DeflateStream)),
        talk: packed,
        ..TALK
    },
];

fn compress(options: &mut ConnectOptions, algorithm: Algorithm) {
    options.compression = Use::Required;
    options.compression_algorithms = vec![algorithm];
    options.compression_threshold = 100;
}

fn statements(client: &mut XClient<'_>) -> Result<()> {
    for text in [
        "select 1, 'pearl', null",
        "insert into porp_xtalk.t (b) values ('one'), ('two')",
        "update porp_xtalk.t set b = 'two'",
        "select * from porp_xtalk.t",
        "select 1/0",
        "do 0",
    ] {
        client.sql(text)?.ok()?;
    }
    ensure!(client.sql("select nosuch")?.code() == 1054);
    let args = vec!["it's".into(), 2_i64.into()];
    client.ask(&sql::StmtExecute { args, ..statement("select ?, ?") })?.ok()?;
    client.close()
}

fn types(client: &mut XClient<'_>) -> Result<()> {
    client.sql(
        "create temporary table odb.types (a tinyint, b bigint unsigned, c decimal(10,3), d double, e float, f date, \
         g datetime(6), h time(3), i year, j bit(9), k varchar(30), l blob, m json, n enum('x'), o set('a','b'), p char(3))",
    )?
    .ok()?;
    client.sql(
        "insert into odb.types values (-128, 18446744073709551615, -1.5, 1e300, 0.1, '2024-02-29', \
         '2024-02-29 01:02:03.000004', '-837:59:59.5', 2024, b'101010101', 'k', x'00ff', '{\"a\": 1}', 'x', 'a,b', ''), \
         (null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null)",
    )?
    .ok()?;
    ensure!(client.sql("select * from odb.types")?.ok()?.rows.len() == 2);
    client.close()
}

fn sessions(client: &mut XClient<'_>) -> Result<()> {
    client.ask(&session::Reset { keep_open: Some(true) })?.ok()?;
    client.ask(&session::Reset::default())?.ok()?;
    login(client, "pw-sha2")?;
    client.sql("select 1")?.ok()?;
    client.ask(&session::Close {})?.ok()?;
    login(client, "pw-sha2")?;
    client.close()
}

fn login(client: &mut XClient<'_>, password: &str) -> Result<u16> {
    let data = format!("\0sha2all\0{password}");
    client.with(|machine, cx| machine.authenticate_start("PLAIN", Some(data.as_bytes()), false, cx))?;
    Ok(client.reply()?.code())
}

fn raw(client: &mut XClient<'_>) -> Result<()> {
    client.ask(&CapabilitiesGet {})?.ok()?;
    ensure!(client.ask(&connection::CapabilitiesSet::default().with("tls", false))?.code() == 5001);
    ensure!(login(client, "wrong")? == 1045);
    client.with(|machine, cx| machine.authenticate_start("PLAIN", Some(b"\0sha2all\0pw-sha2"), false, cx))?;
    client.send(&statement("select 1"))?;
    client.send(&connection::Close {})?;
    let replies = client.replies()?;
    ensure!(replies.len() == 3 && replies.iter().all(|reply| reply.error.is_none()));
    client.end();
    Ok(())
}

fn expectations(client: &mut XClient<'_>) -> Result<()> {
    client.send(&Expect::new().no_error().build())?;
    client.send(&statement("select 1"))?;
    client.send(&statement("bogus"))?;
    client.send(&statement("select 2"))?;
    client.send(&Expect::new().build())?;
    client.send(&expect::Close {})?;
    client.send(&expect::Close {})?;
    client.send(&statement("select 4"))?;
    let codes: Vec<_> = client.replies()?.iter().map(crate::XReply::code).collect();
    ensure!(codes == [0, 0, 1064, 5159, 5159, 5159, 5159, 0], "{codes:?}");
    ensure!(client.ask(&Expect::new().field_exist("99").build())?.code() == 5168);
    ensure!(client.ask(&expect::Close {})?.code() == 5168);
    client.close()
}

fn prepared(client: &mut XClient<'_>) -> Result<()> {
    let stmt = prepare::prepare::OneOfMessage {
        r#type: prepare::prepare::one_of_message::Type::Stmt.into(),
        stmt_execute: Some(statement("select ? union all select 2 union all select 3")),
        ..Default::default()
    };
    let execute = |stmt_id| prepare::Execute { stmt_id, args: vec![1_i64.into()], compact_metadata: None };
    client.send(&prepare::Prepare { stmt_id: 1, stmt })?;
    client.send(&execute(1))?;
    let stmt = cursor::open::OneOfMessage {
        r#type: cursor::open::one_of_message::Type::PrepareExecute.into(),
        prepare_execute: Some(execute(1)),
    };
    client.send(&cursor::Open { cursor_id: 2, stmt, fetch_rows: Some(2) })?;
    client.send(&cursor::Fetch { cursor_id: 2, fetch_rows: Some(5) })?;
    client.send(&cursor::Fetch { cursor_id: 2, fetch_rows: Some(5) })?;
    client.send(&cursor::Close { cursor_id: 2 })?;
    client.send(&prepare::Deallocate { stmt_id: 1 })?;
    client.send(&execute(1))?;
    let codes: Vec<_> = client.replies()?.iter().map(crate::XReply::code).collect();
    ensure!(codes == [0, 0, 0, 0, 5123, 0, 0, 5110], "{codes:?}");
    client.close()
}

fn results(client: &mut XClient<'_>) -> Result<()> {
    let reply = client.sql("call porp_xtalk.two(@a)")?.ok()?;
    ensure!(reply.columns.len() == 2, "{reply:?}");
    let stmt = prepare::prepare::OneOfMessage {
        r#type: prepare::prepare::one_of_message::Type::Stmt.into(),
        stmt_execute: Some(statement("call porp_xtalk.two(?)")),
        ..Default::default()
    };
    client.ask(&prepare::Prepare { stmt_id: 1, stmt })?.ok()?;
    let args = vec![porpoise_xproto::messages::datatypes::Scalar::null().into()];
    let reply = client.ask(&prepare::Execute { stmt_id: 1, args, compact_metadata: None })?.ok()?;
    ensure!(reply.columns.len() == 3 && reply.rows.len() == 3, "{reply:?}");
    client.close()
}

fn documents(client: &mut XClient<'_>) -> Result<()> {
    client.ask(&admin::create_collection("porp_xtalk", "c", &Default::default()))?.ok()?;
    let insert =
        Insert::collection("porp_xtalk", "c").documents(["{\"a\": 1}", "{\"a\": 2, \"_id\": \"x\"}"]);
    ensure!(client.ask(&insert.build()?)?.ok()?.affected() == Some(2));
    let find = Find::collection("porp_xtalk", "c").filter("a > :a").fields("a as a").bind("a", 1_i64);
    ensure!(client.ask(&find.build()?)?.ok()?.rows.len() == 1);
    let update = Update::collection("porp_xtalk", "c").filter("_id = 'x'").set("b", 5_i64);
    ensure!(client.ask(&update.build()?)?.ok()?.affected() == Some(1));
    client.ask(&admin::drop_collection("porp_xtalk", "c"))?.ok()?;
    client.close()
}

fn killed(client: &mut XClient<'_>) -> Result<()> {
    let session = client.sql("select connection_id()")?.ok()?;
    let listed = client.ask(&admin::list_clients())?.ok()?;
    let own = listed.rows.iter().find(|row| row.last().and_then(Option::as_deref) == session.cell());
    let id = own.and_then(|row| row.first()?.as_deref()).context("this client is not listed")?;
    // Seven bits a byte, the lowest first.
    let id = id.iter().rev().fold(0, |id, byte| id << 7 | u64::from(byte & 0x7f));
    client.ask(&admin::kill_client(id))?.ok()?;
    let end = client.end();
    ensure!(matches!(end.kind(), XErrorKind::Goodbye(warning) if warning.code == 3169), "{end}");
    Ok(())
}

fn fatal(client: &mut XClient<'_>) -> Result<()> {
    client.with(|machine, cx| machine.send_bytes(&[3, 0, 0, 0, 12, 0x0a, 9], cx))?;
    client.end();
    Ok(())
}

fn compact(client: &mut XClient<'_>) -> Result<()> {
    let reply =
        client.ask(&sql::StmtExecute { compact_metadata: Some(true), ..statement("select 1 as a") })?;
    ensure!(reply.ok()?.columns == [[String::new()]]);
    client.close()
}

fn packed(client: &mut XClient<'_>) -> Result<()> {
    client.sql("select 1")?.ok()?;
    let long = format!("select repeat('dolphin', 1000), '{}'", "pearl ".repeat(50));
    client.sql(&long)?.ok()?;
    for i in 0..9 {
        client.send(&statement(&format!("select {i}, 'and a text that takes some place'")))?;
    }
    ensure!(client.replies()?.iter().all(|reply| reply.rows.len() == 1));
    ensure!(client.sql("select nosuch")?.code() == 1054);
    client.close()
}
