//! How long a message may be: this side's limit, and what the server refuses to read. Its own limit is tested in `own`.

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use porpoise::wire::{Limits, WireError};
use porpoise_test_support::{Server, statement};
use porpoise_xproto::connect::ConnectOptions;
use porpoise_xproto::expr::{self, Model};
use porpoise_xproto::messages::{crud, sql};
use porpoise_xproto::{Misuse, XErrorKind};

use super::{add_tests, connected, in_session, options, works};
use crate::suite::{Context, Suite, Transport, expect};

pub(super) const MIB: usize = 1 << 20;

pub(super) fn add(suite: &mut Suite) {
    add_tests(
        suite,
        "limits",
        Transport::Unix,
        &[
            ("this side's, both ways", own),
            ("17 MiB in one message", no_packets),
            ("no message, and a broken one", broken),
            ("as deep as servers read", deep),
        ],
    );
}

/// A statement whose frame has just this length: type byte, tag, the text's length, the text.
pub(super) fn of_length(length: usize) -> sql::StmtExecute {
    let varint = if length > 1 << 21 { 4 } else { 3 };
    let mut stmt = b"select 'pearl' -- ".to_vec();
    stmt.resize(length - 2 - varint, b'x');
    sql::StmtExecute { stmt: Bytes::from(stmt), ..Default::default() }
}

fn limited(server: &Server, limit: usize) -> Result<ConnectOptions> {
    let mut options = options("sha2all", Transport::Unix)?;
    options.limits = Limits::default().with_max_packet(limit);
    ensure!(server.mysqlx_socket.is_some());
    Ok(options)
}

/// What is sent above it is refused and nothing of it written; what comes above it ends the connection.
fn own(context: &Context) -> Result<()> {
    let (server, unix) = (context.server()?, Transport::Unix);
    connected(server, unix, limited(server, MIB)?, |client| {
        expect("sent", &client.send(&of_length(MIB + 1)).err().map(too_large), &Some((MIB + 1, MIB)))?;
        let reply = client.ask(&of_length(MIB))?.ok()?;
        expect("at the limit", &reply.text().as_deref(), &Some("pearl"))?;
        // A row: type byte, tag, the field's length, the field and its last byte.
        let row = |len: usize| format!("select repeat('x', {})", len - 6);
        let reply = client.sql(&row(MIB))?.ok()?;
        expect("received", &reply.cell().map(<[u8]>::len), &Some(MIB - 5))?;
        client.send(&statement(&row(MIB + 1)))?;
        let error = client.reply().err().context("it was received")?;
        let limit = matches!(error.kind(), XErrorKind::Frame(WireError::PacketTooLarge { size, limit })
            if (*size, *limit) == (MIB + 1, MIB));
        ensure!(limit && error.code() == 2020, "{error}");
        Ok(())
    })
}

fn too_large(misuse: Misuse) -> (usize, usize) {
    match misuse {
        Misuse::TooLarge { size, limit, .. } => (size, limit),
        _ => (0, 0),
    }
}

/// There are no packets of 16 MiB here.
fn no_packets(context: &Context) -> Result<()> {
    in_session(context, |client| {
        let reply = client.ask(&of_length(17 * MIB))?.ok()?;
        expect("the reply", &reply.text().as_deref(), &Some("pearl"))
    })
}

fn broken(context: &Context) -> Result<()> {
    // length 0 | StmtExecute without its statement | a field that reaches beyond the message
    for bytes in [&[0, 0, 0, 0][..], &[1, 0, 0, 0, 12], &[3, 0, 0, 0, 12, 0x0a, 9]] {
        in_session(context, |client| {
            client.with(|machine, cx| machine.send_bytes(bytes, cx))?;
            let end = client.end();
            ensure!(matches!(end.kind(), XErrorKind::Fatal(error) if error.code == 5000), "{end}");
            Ok(())
        })?;
    }
    Ok(())
}

/// What the parser takes the server reads, and does not give up the connection for.
fn deep(context: &Context) -> Result<()> {
    in_session(context, |client| {
        let collection = crud::Collection { name: "t1".into(), schema: Some("odb".into()) };
        let find = |text: &str| -> Result<crud::Find> {
            Ok(crud::Find {
                collection: collection.clone(),
                data_model: Some(crud::DataModel::Table.into()),
                criteria: Some(expr::parse(text, Model::Table)?.expr),
                ..Default::default()
            })
        };
        let mut deepest = 0;
        for operators in 1.. {
            let Ok(find) = find(&format!("a = {}0", "1+".repeat(operators))) else { break };
            expect("the error", &client.ask(&find)?.code(), &0)?;
            deepest = operators;
        }
        ensure!(deepest > 30, "{deepest} operators");
        let deep = format!("a = {}0{}", "abs(".repeat(deepest), ")".repeat(deepest));
        expect("functions", &client.ask(&find(&deep)?)?.code(), &0)?;
        works(client)
    })
}
