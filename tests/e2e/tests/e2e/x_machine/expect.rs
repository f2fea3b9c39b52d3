//! Expectations: which messages run when one fails, nested and not, and what is left when the connection is lost.

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use porpoise::wire::Lost;
use porpoise_test_support::{XClient, statement};
use porpoise_xproto::XErrorKind;
use porpoise_xproto::crud::Expect;
use porpoise_xproto::messages::{expect, session};

use super::{add_tests, connected, in_session, number, options, works};
use crate::suite::{Context, Suite, Transport, expect as equal};

/// The block's condition no longer holds.
const NO_ERROR: u16 = 5159;
const NOT_OPEN: u16 = 5158;
const BAD_CONDITION: u16 = 5160;
const BAD_VALUE: u16 = 5161;
const FIELD_EXIST: u16 = 5168;
/// There is no such table.
const FAILED: u16 = 1146;

pub(super) fn add(suite: &mut Suite) {
    add_tests(
        suite,
        "expect",
        Transport::Unix,
        &[
            ("the first, the middle one or the last fails", one_fails),
            ("nested", nested),
            ("conditions that servers do not know", unknown),
            ("conditions that are unset", unset),
            ("a field that exists", fields),
            ("resets inside a failed block", resets),
            ("closed more often than opened", unbalanced),
            ("the connection is lost in the middle of a block", lost_inside),
        ],
    );
}

/// What is put into a block.
#[derive(Clone, Copy, Debug)]
enum Put {
    Open(fn() -> Expect),
    Close,
    /// A statement that counts itself.
    Good,
    Bad,
}
use Put::{Bad, Close, Good, Open};

const EMPTY: fn() -> Expect = Expect::empty;
const COPY: fn() -> Expect = Expect::new;
const STRICT: fn() -> Expect = || Expect::new().no_error();
const LAX: fn() -> Expect = || Expect::new().condition(1, Some(Bytes::from_static(b"0")));
const WITHOUT: fn() -> Expect = || Expect::new().unset(1, None);

/// Sends all of it in one write. The numbers of the errors, and how many statements ran.
fn run(client: &mut XClient<'_>, block: &[Put]) -> Result<(Vec<u16>, u64)> {
    client.sql("set @porp = 0")?.ok()?;
    for put in block {
        match put {
            Open(with) => client.send(&with().build())?,
            Close => client.send(&expect::Close {})?,
            Good => client.send(&statement("select @porp := @porp + 1"))?,
            Bad => client.send(&statement("insert into odb.porp_no_such values (1)"))?,
        }
    }
    let codes = client.replies()?.iter().map(|reply| reply.code()).collect();
    Ok((codes, number(client, "@porp")?))
}

fn check(client: &mut XClient<'_>, what: &str, block: &[Put], codes: &[u16], ran: u64) -> Result<()> {
    let is = run(client, block)?;
    equal(what, &is, &(codes.to_vec(), ran))
}

fn one_fails(context: &Context) -> Result<()> {
    in_session(context, |client| {
        let block = |place: usize| {
            let mut block = vec![Open(STRICT), Good, Good, Good, Close, Good];
            // The first of all opens it.
            if let Some(put @ Good) = block.get_mut(place) {
                *put = Bad;
            }
            block
        };
        check(client, "none", &block(0), &[0, 0, 0, 0, 0, 0], 4)?;
        check(client, "the first", &block(1), &[0, FAILED, NO_ERROR, NO_ERROR, NO_ERROR, 0], 1)?;
        check(client, "the middle one", &block(2), &[0, 0, FAILED, NO_ERROR, NO_ERROR, 0], 2)?;
        check(client, "the last", &block(3), &[0, 0, 0, FAILED, NO_ERROR, 0], 3)?;
        // Without a condition an error is an error and no more.
        check(client, "no condition", &[Open(COPY), Bad, Good, Close], &[0, FAILED, 0, 0], 1)
    })
}

fn nested(context: &Context) -> Result<()> {
    in_session(context, |client| {
        let inner = |with| [Open(STRICT), Open(with), Bad, Good, Close, Good, Close, Good];
        let fails = [0, 0, FAILED, NO_ERROR, NO_ERROR, NO_ERROR, NO_ERROR, 0];
        check(client, "strict in strict", &inner(STRICT), &fails, 1)?;
        check(client, "a copy in strict", &inner(COPY), &fails, 1)?;
        let caught = [0, 0, FAILED, 0, 0, 0, 0, 0];
        check(client, "lax in strict", &inner(LAX), &caught, 3)?;
        check(client, "unset in strict", &inner(WITHOUT), &caught, 3)?;
        check(client, "empty in strict", &inner(EMPTY), &caught, 3)?;
        let outer = [Open(COPY), Open(STRICT), Bad, Good, Close, Good, Close];
        check(client, "strict in none", &outer, &[0, 0, FAILED, NO_ERROR, NO_ERROR, 0, 0], 1)?;
        // In a block that failed nothing opens, but it must be closed.
        let failed = [Open(STRICT), Bad, Open(EMPTY), Good, Close, Close, Good];
        let codes = [0, FAILED, NO_ERROR, NO_ERROR, NO_ERROR, NO_ERROR, 0];
        check(client, "anything in failed", &failed, &codes, 1)?;
        let deep: Vec<Put> = [vec![Open(STRICT); 50], vec![Bad], vec![Close; 50], vec![Good]].concat();
        let codes = [vec![0; 50], vec![FAILED], vec![NO_ERROR; 50], vec![0]].concat();
        check(client, "fifty deep", &deep, &codes, 1)
    })
}

/// An Open that fails opens nothing, so that what should be guarded runs: unless it is inside a block that is.
fn unknown(context: &Context) -> Result<()> {
    in_session(context, |client| {
        let key: fn() -> Expect = || Expect::new().condition(77, None);
        let value: fn() -> Expect = || Expect::new().condition(1, Some(Bytes::from_static(b"2")));
        for (with, code) in [(key, BAD_CONDITION), (value, BAD_VALUE)] {
            let alone = [Open(with), Good, Close];
            check(client, "alone", &alone, &[code, 0, NOT_OPEN], 1)?;
            let guarded = [Open(STRICT), Open(with), Good, Close, Close, Good];
            // The inner Close closes the outer block, so that the outer one has nothing left.
            let codes = [0, code, NO_ERROR, NO_ERROR, NOT_OPEN, 0];
            check(client, "inside", &guarded, &codes, 1)?;
        }
        Ok(())
    })
}

fn unset(context: &Context) -> Result<()> {
    in_session(context, |client| {
        let both: fn() -> Expect = || Expect::new().no_error().unset(1, None);
        check(client, "set and unset", &[Open(both), Bad, Good, Close], &[0, FAILED, 0, 0], 1)
    })
}

fn fields(context: &Context) -> Result<()> {
    in_session(context, |client| {
        let known: fn() -> Expect = || Expect::new().field_exist("6.1").field_exist("46").docid_generated();
        check(client, "a field", &[Open(known), Good, Close], &[0, 0, 0], 1)?;
        let unknown: fn() -> Expect = || Expect::new().field_exist("6.99");
        let codes = [FIELD_EXIST, FIELD_EXIST, FIELD_EXIST, 0];
        check(client, "no field", &[Open(unknown), Good, Close, Good], &codes, 1)
    })
}

/// A reset is done inside a failed block, too. Kept open, the session keeps the block as it is.
fn resets(context: &Context) -> Result<()> {
    in_session(context, |client| {
        run_failed(client)?;
        client.ask(&session::Reset { keep_open: Some(true) })?.ok()?;
        equal("a statement", &client.sql("select 1")?.code(), &NO_ERROR)?;
        client.ask(&session::Reset { keep_open: Some(false) })?.ok()?;
        client.with(|machine, cx| {
            machine.authenticate_start("PLAIN", Some(b"\0sha2all\0pw-sha2"), false, cx)
        })?;
        client.reply()?.ok()?;
        works(client)?;
        run_failed(client)?;
        client.close()
    })
}

fn run_failed(client: &mut XClient<'_>) -> Result<()> {
    client.ask(&Expect::new().no_error().build())?.ok()?;
    equal("a statement", &client.sql("insert into odb.porp_no_such values (1)")?.code(), &FAILED)
}

fn unbalanced(context: &Context) -> Result<()> {
    in_session(context, |client| {
        equal("the error", &client.ask(&expect::Close {})?.code(), &NOT_OPEN)?;
        works(client)
    })
}

/// What was sent before the connection is lost is done or not, but never what is behind an error; and a transaction that
/// was open is rolled back.
fn lost_inside(context: &Context) -> Result<()> {
    let (server, unix) = (context.server()?, Transport::Unix);
    server.run(
        "CREATE DATABASE IF NOT EXISTS porp_xtest; DROP TABLE IF EXISTS porp_xtest.lost; \
         CREATE TABLE porp_xtest.lost (a INT PRIMARY KEY)",
    )?;
    connected(server, unix, options("sha2all", unix)?, |client| {
        let id = number(client, "connection_id()")?;
        client.send(&Expect::new().no_error().build())?;
        for sql in [
            "start transaction",
            "insert into porp_xtest.lost values (1)",
            "commit",
            "start transaction",
            "insert into porp_xtest.lost values (2)",
        ] {
            client.send(&statement(sql))?;
        }
        client.send(&Expect::new().no_error().build())?;
        client.send(&statement(&format!("kill {id}")))?;
        client.send(&statement("insert into porp_xtest.lost values (3)"))?;
        client.send(&statement("commit"))?;
        client.send(&expect::Close {})?;
        client.send(&expect::Close {})?;
        let mut codes = Vec::new();
        let end = loop {
            match client.reply() {
                Ok(reply) => codes.push(reply.code()),
                Err(end) => break end,
            }
        };
        equal("the replies before", &codes, &vec![0; 7])?;
        // A session that kills itself is told so by a fatal error.
        ensure!(matches!(end.kind(), XErrorKind::Fatal(error) if error.code == 1317), "{end}");
        equal("what is owed", &client.machine().replies_owed(), &0)
    })?;
    // By a stream that just ends, behind a block that was not answered yet.
    let mut wire = super::live(server, unix)?;
    let mut client = XClient::connect(&mut wire, super::transport(unix), options("sha2all", unix)?)?;
    client.ask(&Expect::new().no_error().build())?.ok()?;
    client.sql("start transaction")?.ok()?;
    client.sql("insert into porp_xtest.lost values (4)")?.ok()?;
    client.send(&statement("select 1"))?;
    let end = client.with(|machine, cx| porpoise::wire::Machine::lost(machine, Lost::Closed, cx));
    ensure!(matches!(end.kind(), XErrorKind::Lost(Lost::Closed)) && client.machine().replies_owed() == 0);
    drop(client);
    drop(wire);
    in_session(context, |client| {
        let reply = client.sql("select concat('', group_concat(a)) from porp_xtest.lost")?.ok()?;
        equal("what was done", &reply.text().context("no text")?.as_str(), &"1")?;
        client.sql("drop table porp_xtest.lost")?.ok()?;
        Ok(())
    })
}
