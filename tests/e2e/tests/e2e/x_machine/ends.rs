//! Who ends a statement, a session or a connection, and what is told then.

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use porpoise::driver::x;
use porpoise_test_support::{XReply, statement};
use porpoise_xproto::messages::{prepare, session};
use porpoise_xproto::{Event, NoticeBody, XError, XErrorKind, admin};

use super::{add_tests, in_session, number, text, works};
use crate::suite::{Context, Suite, Transport, expect};

const ER_SESSION_WAS_KILLED: u32 = 3169;
const ER_IO_READ_ERROR: u32 = 1810;
const ER_QUERY_INTERRUPTED: u16 = 1317;

pub(super) fn add(suite: &mut Suite) {
    add_tests(
        suite,
        "ends",
        Transport::Unix,
        &[
            ("killed while it is idle", killed),
            ("nobody is killed by another's number", kills_nobody),
            ("killed, and heard of later", heard_late),
            ("its statement killed", statement_killed),
            ("killed by itself", suicide),
            ("idle for too long", idle),
            ("a frame that stops", stalled),
            ("SHUTDOWN is no statement here", shutdown),
            ("a reset that keeps the session, and what it keeps", kept),
            ("an id whose statement could not be prepared", unprepared),
            ("more than both buffers hold, both ways", both_ways),
        ],
    );
}

/// The reason that came before the end.
fn reason(end: &XError) -> u32 {
    match end.kind() {
        XErrorKind::Goodbye(warning) => warning.code,
        _ => 0,
    }
}

/// Told at once, and not only when something is asked.
fn killed(context: &Context) -> Result<()> {
    in_session(context, |victim| {
        let id = number(victim, "connection_id()")?;
        in_session(context, |killer| killer.sql(&format!("kill {id}"))?.ok().map(|_| ()))?;
        let notice = victim.unasked()?;
        let told = matches!(&notice, Event::Notice(notice)
            if matches!(&notice.body, NoticeBody::Warning(warning) if warning.code == ER_SESSION_WAS_KILLED));
        ensure!(told, "{notice:?}");
        expect("the reason", &reason(&victim.end()), &ER_SESSION_WAS_KILLED)
    })
}

fn kills_nobody(context: &Context) -> Result<()> {
    in_session(context, |client| {
        expect("nobody", &client.ask(&admin::kill_client(u64::MAX))?.code(), &1094)?;
        works(client)
    })
}

/// A client that says something to a server that is gone hears why it went: what it wrote is lost, what came is not.
fn heard_late(context: &Context) -> Result<()> {
    context.run(async {
        let mut session = client(context).await?;
        session.message_now(|connection, cx| connection.send(&statement("select connection_id()"), cx))?;
        let mut id: u64 = 0;
        while let Some(event) = session.next_event().await? {
            if let Event::Rows(batch) = event {
                id = batch.iter().next().context("no row")?.get_as(0)?;
            }
        }
        in_session(context, |killer| {
            killer.sql(&format!("kill {id}"))?.ok()?;
            let deadline = Instant::now() + Duration::from_secs(10);
            let left = format!("(select count(*) from information_schema.processlist where id = {id})");
            while number(killer, &left)? > 0 && Instant::now() < deadline {
                sleep(Duration::from_millis(10));
            }
            Ok(())
        })?;
        session.message_now(|connection, cx| connection.send(&statement("select 1"), cx))?;
        let error = loop {
            match session.next_event().await {
                Ok(Some(Event::Notice(_))) => {}
                Ok(other) => bail!("{other:?}"),
                Err(error) => break error,
            }
        };
        expect("the reason", &u32::from(error.code()), &ER_SESSION_WAS_KILLED)
    })
}

/// A session of the account `sha2`, by the driver.
async fn client(context: &Context) -> Result<x::Session> {
    let options = x::Options::builder().unix_socket(context.server()?.x_socket()?);
    let options = options.user("sha2").password("pw-sha2").build();
    Ok(x::Connecting::new(context.runtime(), options.into()).await?)
}

fn statement_killed(context: &Context) -> Result<()> {
    in_session(context, |victim| {
        let id = number(victim, "connection_id()")?;
        victim.send(&statement("select sleep(20), benchmark(1, 1) from dual where sleep(20) = 0"))?;
        victim.send(&statement("select 'behind it'"))?;
        // So that it leaves.
        victim.flush()?;
        in_session(context, |killer| {
            let running = format!(
                "select count(*) from information_schema.processlist where id = {id} and state = 'User sleep'"
            );
            let deadline = Instant::now() + Duration::from_secs(10);
            while number(killer, &format!("({running})"))? == 0 && Instant::now() < deadline {
                sleep(Duration::from_millis(10));
            }
            killer.sql(&format!("kill query {id}"))?.ok().map(|_| ())
        })?;
        let replies = victim.replies()?;
        let codes: Vec<_> = replies.iter().map(XReply::code).collect();
        // SLEEP that is interrupted may also just be over, with 1.
        ensure!(matches!(codes[..], [0 | ER_QUERY_INTERRUPTED, 0]), "{codes:?}");
        works(victim)
    })
}

fn suicide(context: &Context) -> Result<()> {
    in_session(context, |client| {
        client.send(&statement("kill connection_id()"))?;
        let end = client.end();
        ensure!(
            matches!(end.kind(), XErrorKind::Fatal(error) if error.code == ER_QUERY_INTERRUPTED),
            "{end}"
        );
        Ok(())
    })
}

fn idle(context: &Context) -> Result<()> {
    in_session(context, |client| {
        client.sql("set mysqlx_wait_timeout = 1")?.ok()?;
        let start = Instant::now();
        let end = client.end();
        expect("the reason", &reason(&end), &ER_IO_READ_ERROR)?;
        ensure!(start.elapsed() > Duration::from_millis(500), "{:?}", start.elapsed());
        Ok(())
    })
}

/// A server that has a frame's beginning waits half a second for the rest: which is why frames leave in one write.
fn stalled(context: &Context) -> Result<()> {
    in_session(context, |client| {
        client.with(|machine, cx| machine.send_bytes(&[9, 0, 0, 0, 12, 0x0a], cx))?;
        expect("the reason", &reason(&client.end()), &ER_IO_READ_ERROR)
    })
}

fn shutdown(context: &Context) -> Result<()> {
    in_session(context, |client| {
        expect("the error", &client.sql("shutdown")?.code(), &3130)?;
        works(client)
    })
}

fn kept(context: &Context) -> Result<()> {
    in_session(context, |client| {
        client.sql("use odb")?.ok()?;
        client.ask(&admin::disable_notices(&["warnings"]))?.ok()?;
        client.ask(&session::Reset { keep_open: Some(true) })?.ok()?;
        expect("the schema", &text(client, "select schema()")?.as_str(), &"odb")?;
        // What a pool hands out is not as new.
        let reply = client.sql("select 1/0")?.ok()?;
        let warned = reply.notices.iter().any(|notice| matches!(notice, NoticeBody::Warning(_)));
        expect("warnings", &warned, &false)
    })
}

/// The statement that had the id before is gone, too.
fn unprepared(context: &Context) -> Result<()> {
    let stmt = |text: &str| prepare::prepare::OneOfMessage {
        r#type: prepare::prepare::one_of_message::Type::Stmt.into(),
        stmt_execute: Some(statement(text)),
        ..Default::default()
    };
    let execute = prepare::Execute { stmt_id: 1, args: Vec::new(), compact_metadata: None };
    in_session(context, |client| {
        client.send(&prepare::Prepare { stmt_id: 1, stmt: stmt("select 1") })?;
        client.send(&execute)?;
        client.send(&prepare::Prepare { stmt_id: 1, stmt: stmt("bogus") })?;
        client.send(&execute)?;
        client.send(&prepare::Deallocate { stmt_id: 1 })?;
        let codes: Vec<_> = client.replies()?.iter().map(XReply::code).collect();
        expect("the errors", &codes, &vec![0, 0, 1064, 5110, 5110])
    })
}

/// Statements of 64 KiB whose replies have as much, all of them sent at once, over the client: whoever writes reads.
fn both_ways(context: &Context) -> Result<()> {
    use porpoise::driver::x::{Connecting, Options};
    const STATEMENTS: usize = 300;
    let server = context.server()?;
    let options =
        Options::builder().unix_socket(server.x_socket()?).user("sha2all").password("pw-sha2").build();
    context.run(async {
        let mut session = Connecting::new(context.runtime(), options.into()).await?;
        for i in 0..STATEMENTS {
            let text = format!("select {i}, '{}'", "x".repeat(64 << 10));
            session.message_now(|connection, cx| connection.send(&statement(&text), cx))?;
        }
        let (mut rows, mut bytes) = (0, 0);
        while let Some(event) = session.next_event().await? {
            match event {
                Event::Rows(batch) => {
                    rows += batch.len();
                    bytes += batch.iter().map(|row| row.payload().len()).sum::<usize>();
                }
                Event::Error(error) => bail!("{error}"),
                _ => {}
            }
        }
        expect("rows", &rows, &STATEMENTS)?;
        ensure!(bytes > STATEMENTS << 16, "{bytes} bytes");
        session.close().await?;
        Ok(())
    })
}
