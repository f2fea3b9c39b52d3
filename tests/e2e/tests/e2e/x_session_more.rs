//! The X client's calls on a real server: cancels, timeouts, notices, every type's extremes, what is large.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use porpoise::Operation;
use porpoise::value::Value;
use porpoise::x::crud::Expect;
use porpoise::x::{Connecting, Error, Session};
use porpoise::xproto::connect::Use;
use porpoise::xproto::{ClientKind, LifeCycle, NoticeBody, XErrorKind};

use crate::suite::{Cell, Context, MYSQL, Runner, Suite, Test, Transport, expect};
use crate::x_session::{connect, options};
use crate::x_trace::Sent;

pub(crate) fn add(suite: &mut Suite) {
    let tests: &[(&str, Test)] = &[
        ("cancel", cancel),
        ("timeout", timeout),
        ("never-the-next", never_the_next),
        ("notices", notices),
        ("killed", killed),
        ("lost-in-a-block", lost_in_a_block),
        ("drain-budget", drain_budget),
        ("compressed", compressed),
    ];
    suite.add_tests("x::tls", Transport::Tls, MYSQL, tests);
    suite.add_tests("x::unix", Transport::Unix, MYSQL, tests);
    let once: &[(&str, Test)] =
        &[("types", types), ("large", large), ("many-rows", many_rows), ("wrong-port", wrong_port)];
    for (name, test) in once {
        suite.add(format!("x::{name}"), Cell::new(Runner::Tokio, Transport::Tls, MYSQL), *test);
    }
}

/// Long enough to be cancelled, and with something in it that is no mere wait: `SLEEP` alone ends with a row.
const SLOW: &str = "SELECT SLEEP(20) FROM (SELECT 1 UNION SELECT 2) AS t";

async fn one(session: &mut Session) -> Result<()> {
    expect("then", &session.sql("SELECT 1").first::<i64>().await?, &Some(1))
}

/// On the cell's runtime, and from a thread of its own.
fn cancel(context: &Context) -> Result<()> {
    context.run(async {
        let mut session = connect(context, |options| options).await?;
        let handle = session.cancel_handle();
        let runner = context.cell.runner;
        let thread = std::thread::spawn(move || -> Result<bool> {
            std::thread::sleep(Duration::from_millis(100));
            runner.run(async { Ok(handle.cancel().await?) })?
        });
        let start = Instant::now();
        match session.sql(SLOW).run().await {
            Err(Error::Server(error)) => expect("number", &error.code, &1317)?,
            other => bail!("{other:?}"),
        }
        ensure!(start.elapsed() < Duration::from_secs(10), "it took {:?}", start.elapsed());
        let Ok(cancelled) = thread.join() else { bail!("the thread panicked") };
        ensure!(cancelled?, "it was cancelled");
        one(&mut session).await?;
        // What is over is not cancelled.
        let handle = session.cancel_handle();
        ensure!(!handle.cancel().await?, "it has not begun");
        one(&mut session).await?;
        ensure!(!handle.is_running() && !handle.cancel().await?, "it is over");
        one(&mut session).await?;
        Ok(session.close().await?)
    })
}

fn timeout(context: &Context) -> Result<()> {
    context.run(async {
        let mut session =
            connect(context, |options| options.operation_timeout(Duration::from_millis(150))).await?;
        for _ in 0..2 {
            let start = Instant::now();
            match session.sql(SLOW).run().await {
                Err(Error::TimedOut { after, closed, .. }) => {
                    expect("after", &(after, closed), &(Duration::from_millis(150), false))?;
                }
                other => bail!("{other:?}"),
            }
            ensure!(start.elapsed() >= Duration::from_millis(150), "too early: {:?}", start.elapsed());
            ensure!(start.elapsed() < Duration::from_secs(10), "too late: {:?}", start.elapsed());
            one(&mut session).await?;
        }
        // In a pipeline the replies that come too late are none.
        let mut pipeline = session.pipeline();
        pipeline.sql("SELECT 1", ())?.sql(SLOW, ())?.sql("SELECT 3", ())?;
        let mut replies = pipeline.send().await?;
        ensure!(replies.next().await?.is_some(), "the first came in time");
        let late = replies.next().await.map(|_| ());
        ensure!(matches!(late, Err(Error::TimedOut { closed: false, .. })), "{late:?}");
        ensure!(replies.next().await?.is_none(), "there are no more");
        expect("left", &replies.left(), &0)?;
        drop(replies);
        one(&mut session).await?;
        session.set_timeout(None);
        session.sql("SELECT SLEEP(0.3)").run().await?;
        Ok(session.close().await?)
    })
}

/// Cancels that come as statements end: the statement behind is never hit.
fn never_the_next(context: &Context) -> Result<()> {
    const ROUNDS: u64 = 25;
    let nap = |seconds: &str| format!("SELECT SLEEP({seconds}) FROM (SELECT 1 UNION SELECT 2) AS t");
    let (first, next) = (nap("0.003"), nap("0.001"));
    context.run(async {
        let mut session = connect(context, |options| options).await?;
        for round in 0..ROUNDS {
            let handle = session.cancel_handle();
            let runner = context.cell.runner;
            let thread = std::thread::spawn(move || -> Result<bool> {
                std::thread::sleep(Duration::from_micros(round * 500));
                runner.run(async { Ok(handle.cancel().await?) })?
            });
            match session.sql(&first).run().await {
                Ok(_) => {}
                // It came before the statement did: 5010.
                Err(Error::Server(error)) if matches!(error.code, 1317 | 5010) => {}
                Err(error) => bail!(error),
            }
            match session.sql(&next).run().await {
                Ok(_) => {}
                // It came when nothing ran, and the server would end all that comes.
                Err(Error::Unusable(Operation::CancelLost)) => {
                    session = connect(context, |options| options).await?;
                }
                Err(error) => bail!("the statement behind: {error}"),
            }
            let Ok(cancelled) = thread.join() else { bail!("the thread panicked") };
            cancelled?;
        }
        Ok(session.close().await?)
    })
}

fn notices(context: &Context) -> Result<()> {
    context.run(async {
        let mut session = connect(context, |options| options).await?;
        // Over TLS, too, the hello came in clear and was kept.
        expect("hello", &session.next_notice().await?.body, &NoticeBody::ServerHello)?;
        session.disable_notices(&["warnings"]).await?;
        let silent = session.sql("SELECT 1/0").run().await?;
        expect("warnings", &silent.warnings.len(), &0)?;
        session.enable_notices(&["warnings", "group_replication/membership/view"]).await?;
        expect("warnings", &session.sql("SELECT 1/0").run().await?.warnings.len(), &1)?;
        match session.enable_notices(&["porp"]).await {
            Err(Error::Server(error)) => {
                expect("error", &(error.code, error.name()), &(5163, Some("ER_X_BAD_NOTICE")))?;
                ensure!(error.advice().is_some());
            }
            other => bail!("{other:?}"),
        }
        Ok(session.close().await?)
    })
}

/// The server says why an idle connection ends.
fn killed(context: &Context) -> Result<()> {
    context.run(async {
        let mut session = connect(context, |options| options).await?;
        session.next_notice().await?;
        let mut other = connect(context, |options| options).await?;
        let client = session.client_id().context("a client id")?;
        let listed = other.list_clients().await?;
        ensure!(
            listed.iter().any(|info| info.client_id == client && info.sql_session.is_some()),
            "{listed:?}"
        );
        other.kill_client(client).await?;
        let goodbye = session.next_notice().await?;
        expect("code", &goodbye.goodbye().map(|warning| warning.code), &Some(3169))?;
        match session.next_notice().await {
            Err(Error::Session(error)) => ensure!(matches!(error.kind(), XErrorKind::Goodbye(_)), "{error}"),
            other => bail!("{other:?}"),
        }
        expect("state", &session.state(), &LifeCycle::Closed)?;
        let after = session.sql("SELECT 1").run().await;
        ensure!(matches!(after, Err(Error::Unusable(_))), "{after:?}");
        match other.kill_client(client).await {
            Err(Error::Server(error)) => expect("code", &error.code, &1094)?,
            other => bail!("{other:?}"),
        }
        Ok(other.close().await?)
    })
}

/// The connection ends in the middle of a block: no reply is made up for what was behind.
fn lost_in_a_block(context: &Context) -> Result<()> {
    context.run(async {
        let mut session = connect(context, |options| options).await?;
        let mut pipeline = session.pipeline();
        pipeline.expect(Expect::new().no_error(), |block| {
            block.sql("SELECT 1", ())?.sql("KILL CONNECTION_ID()", ())?.sql("SELECT 3", ()).map(|_| ())
        })?;
        pipeline.sql("SELECT 4", ())?;
        let mut replies = pipeline.send().await?;
        let mut first = replies.next().await?.context("a reply")?;
        expect("row", &first.all::<i64>().await?, &vec![1])?;
        match replies.next().await {
            Err(Error::Session(error)) => expect("code", &error.code(), &1317)?,
            other => bail!("{other:?}"),
        }
        let after = replies.next().await.map(|_| ());
        ensure!(matches!(after, Err(Error::Unusable(_))), "{after:?}");
        drop(replies);
        ensure!(!session.is_usable(), "it is over");
        Ok(())
    })
}

/// What a dropped call leaves is read within a budget, in bytes and in time.
fn drain_budget(context: &Context) -> Result<()> {
    context.run(async {
        for (sql, bytes) in [("SELECT REPEAT('x', 3000000)", 100_000), (SLOW, u64::MAX)] {
            let change = |options: porpoise::x::OptionsBuilder| {
                options.drain_budget(bytes, Duration::from_millis(200))
            };
            let mut session = connect(context, change).await?;
            {
                let mut work = std::pin::pin!(session.sql(sql).run());
                // Sent, and not waited for.
                let polled =
                    futures::future::poll_fn(|cx| std::task::Poll::Ready(work.as_mut().poll(cx).is_ready()))
                        .await;
                ensure!(!polled, "it was not over at once");
            }
            let refused = session.sql("SELECT 1").run().await;
            ensure!(matches!(refused, Err(Error::Unusable(_))), "{refused:?}");
        }
        Ok(())
    })
}

fn compressed(context: &Context) -> Result<()> {
    context.run(async {
        let mut session = connect(context, |options| options.compression(Use::Required)).await?;
        ensure!(session.is_compressed(), "compression");
        let long = "x".repeat(1 << 20);
        let (received, sent) = session.bytes();
        let row =
            session.sql("SELECT ?, REPEAT('y', 1 << 20)").args((&long,)).first::<(String, String)>().await?;
        let (x, y) = row.context("a row")?;
        ensure!(x == long && y.len() == 1 << 20);
        let (received, sent) = (session.bytes().0 - received, session.bytes().1 - sent);
        ensure!(received < 100_000 && sent < 100_000, "{received} and {sent} bytes");
        session.close().await?;
        // A pipeline is put together: one Compression message, and behind it those that are inside.
        let sent = Sent::default();
        let options = options(context)?.compression(Use::Required).build();
        let connecting =
            Connecting::new(context.runtime(), Arc::new(options)).with_sink(Box::new(sent.clone()));
        let mut session = connecting.await?;
        sent.take();
        let mut pipeline = session.pipeline();
        for n in 0..100 {
            pipeline.sql("SELECT ?", (n,))?;
        }
        let mut replies = pipeline.send().await?;
        let mut sum = 0;
        while let Some(mut results) = replies.next().await? {
            sum += results.first::<i64>().await?.context("a row")?;
        }
        expect("sum", &sum, &4950)?;
        let messages = sent.take();
        expect("messages", &messages.len(), &101)?;
        expect("first", &messages.first().copied(), &Some((ClientKind::COMPRESSION, 1)))?;
        ensure!(messages.iter().all(|(_, flight)| *flight == 1), "one flight");
        Ok(session.close().await?)
    })
}

/// Every type's extremes, as the classic client reads them by a prepared statement.
fn types(context: &Context) -> Result<()> {
    const COLUMNS: &[(&str, [&str; 2])] = &[
        ("TINYINT", ["-128", "127"]),
        ("TINYINT UNSIGNED", ["0", "255"]),
        ("SMALLINT", ["-32768", "32767"]),
        ("MEDIUMINT", ["-8388608", "8388607"]),
        ("INT", ["-2147483648", "2147483647"]),
        ("INT UNSIGNED ZEROFILL", ["0", "4294967295"]),
        ("BIGINT", ["-9223372036854775808", "9223372036854775807"]),
        ("BIGINT UNSIGNED", ["0", "18446744073709551615"]),
        ("BOOL", ["0", "1"]),
        ("FLOAT", ["-3.402823466e38", "1.5"]),
        ("DOUBLE", ["-1.7976931348623157e308", "2.2250738585072014e-308"]),
        ("DECIMAL(65,30)", ["-99999999999999999999999999999999999.999999999999999999999999999999", "0"]),
        ("DECIMAL(10,4)", ["-12.3401", "0.0001"]),
        ("DECIMAL(5,0)", ["-99999", "7"]),
        ("YEAR", ["1901", "2155"]),
        ("DATE", ["'1000-01-01'", "'9999-12-31'"]),
        ("TIME(6)", ["'-838:59:59'", "'838:59:58.999999'"]),
        ("TIME", ["'00:00:00'", "'-00:00:01'"]),
        ("DATETIME(6)", ["'1000-01-01 00:00:00'", "'9999-12-31 23:59:59.999999'"]),
        ("DATETIME", ["'2024-02-29 00:00:00'", "'2024-02-29 12:00:00'"]),
        ("TIMESTAMP(3) NULL", ["'1970-01-01 00:00:01'", "'2038-01-19 03:14:07.499'"]),
        ("CHAR(5)", ["''", "'é€'"]),
        ("VARCHAR(20)", ["''", "'x\\0y'"]),
        ("BINARY(4)", ["''", "'ab'"]),
        ("VARBINARY(10)", ["''", "x'00ff00'"]),
        ("TEXT", ["''", "'long'"]),
        ("BLOB", ["''", "x'ff'"]),
        ("JSON", ["'null'", "'{\"a\": [1, 2.5, \"x\"]}'"]),
        ("ENUM('a','b c')", ["'a'", "'b c'"]),
        ("SET('a','foo','x')", ["''", "'a,foo,x'"]),
        ("BIT(1)", ["b'0'", "b'1'"]),
        ("BIT(64)", ["0", "18446744073709551615"]),
        ("GEOMETRY", ["ST_GeomFromText('POINT(1 2)')", "ST_GeomFromText('LINESTRING(0 0, 1 1)', 4326)"]),
        ("VARCHAR(10) CHARACTER SET latin1", ["'caf\u{e9}'", "''"]),
    ];
    context.run(async {
        let mut session = connect(context, |options| options).await?;
        let mut classic = crate::client::connect(context, |options| options).await?;
        let columns: Vec<_> =
            COLUMNS.iter().enumerate().map(|(i, (kind, _))| format!("c{i} {kind}")).collect();
        let name =
            crate::client::table(&mut classic, &format!("k INT PRIMARY KEY, {}", columns.join(", "))).await?;
        for set in ["SET time_zone = '+00:00'", "SET sql_mode = ''"] {
            classic.query_drop(set).await?;
            session.sql(set).run().await?;
        }
        let rows = [|values: &[&'static str; 2]| values[0], |values: &[&'static str; 2]| values[1]];
        for (row, pick) in rows.into_iter().enumerate() {
            let values: Vec<_> = COLUMNS.iter().map(|(_, values)| pick(values)).collect();
            classic.query_drop(&format!("INSERT INTO {name} VALUES ({row}, {})", values.join(", "))).await?;
        }
        classic.query_drop(&format!("INSERT INTO {name} (k) VALUES (2)")).await?;
        let select = format!("SELECT * FROM {name} ORDER BY k");
        let want: Vec<Vec<Value>> = classic.exec_all(&*select, ()).await?;
        for got in [session.sql(&select).all::<Vec<Value>>().await?, session.exec_all(&select, ()).await?] {
            expect("rows", &got.len(), &3)?;
            for (got, want) in got.iter().zip(&want) {
                for (column, (got, want)) in got.iter().zip(want).enumerate() {
                    // VECTOR apart, the kinds are the same, too.
                    expect(&format!("column {column}"), got, want)?;
                }
            }
        }
        // Zero dates and a VECTOR.
        let odd =
            "SELECT CAST('0000-00-00' AS DATE), CAST('0000-00-00' AS DATETIME), STRING_TO_VECTOR('[1,-2]')";
        let row = session
            .sql(odd)
            .first::<(Option<porpoise::value::Date>, Option<porpoise::value::DateTime>, Vec<f32>)>()
            .await?;
        let (_, _, vector) = row.context("a row")?;
        expect("vector", &vector, &vec![1.0, -2.0])?;
        session.close().await?;
        crate::client::drop_table(classic, &name).await
    })
}

/// A value of 10 MB each way, and a message that is larger than this side allows.
fn large(context: &Context) -> Result<()> {
    context.run(async {
        let mut session = connect(context, |options| options).await?;
        let long = "ä".repeat(5 << 20);
        let got = session.sql("SELECT ?").args((&long,)).first::<String>().await?;
        ensure!(got.as_deref() == Some(&*long), "the same text");
        session.close().await?;
        let small = |options: porpoise::x::OptionsBuilder| {
            options.connect(|connect| connect.limits.max_packet = 1 << 20)
        };
        let mut session = connect(context, small).await?;
        let refused = session.sql("SELECT ?").args((&long,)).run().await;
        ensure!(matches!(refused, Err(Error::Misuse(_))), "nothing was sent");
        one(&mut session).await?;
        let refused = session.sql("SELECT REPEAT('x', 2000000)").run().await;
        ensure!(refused.is_err_and(|error| error.is_fatal()), "a message above the limit");
        Ok(())
    })
}

/// A million rows, streamed: nothing is allocated for one.
fn many_rows(context: &Context) -> Result<()> {
    let mut outcome = Ok(());
    let counted = allocation_counter::measure(|| outcome = stream_rows(context));
    outcome?;
    ensure!(counted.count_total < 10_000, "{} allocations for a million rows", counted.count_total);
    Ok(())
}

fn stream_rows(context: &Context) -> Result<()> {
    context.run(async {
        let mut session = connect(context, |options| options).await?;
        session.sql("SET cte_max_recursion_depth = 1000000").run().await?;
        let numbers = "WITH RECURSIVE n AS (SELECT 1 AS a UNION ALL SELECT a + 1 FROM n WHERE a < 1000000) SELECT a FROM n";
        let mut results = session.sql(numbers).execute().await?;
        let (mut rows, mut sum) = (0_u64, 0_u64);
        while let Some(batch) = results.next_batch().await? {
            let plan = batch.plan::<u64>()?;
            for row in batch.typed::<u64>(&plan) {
                sum += row?;
                rows += 1;
            }
        }
        drop(results);
        expect("rows", &(rows, sum), &(1_000_000, 500_000_500_000))?;
        Ok(session.close().await?)
    })
}

/// Both ways it is said plainly.
fn wrong_port(context: &Context) -> Result<()> {
    context.run(async {
        let server = context.server()?;
        let wrong = porpoise::x::Options::builder().host(&server.host).port(server.port).user("sha2all");
        let error = Session::connect(context.runtime(), Arc::new(wrong.build())).await.map(|_| ());
        match error {
            Err(error) => {
                let told = error.to_string();
                ensure!(told.contains("classic protocol on this port"), "{told}");
                ensure!(error.advice().is_some_and(|advice| advice.contains("33060")));
            }
            Ok(()) => bail!("a session on the classic port"),
        }
        let port = server.x_address()?.port();
        let wrong = porpoise::Options::builder().host(&server.host).port(port).user("sha2all").build()?;
        match porpoise::Client::connect(context.runtime(), Arc::new(wrong)).await {
            Err(error) => {
                let told = error.to_string();
                ensure!(told.contains("X Protocol"), "{told}");
                ensure!(error.advice().is_some_and(|advice| advice.contains("classic port")));
            }
            Ok(_) => bail!("a client on the X port"),
        }
        Ok(())
    })
}
