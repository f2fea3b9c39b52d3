//! The X client's calls on a real server: statements, prepared ones, transactions, the session itself.

use std::sync::Arc;

use anyhow::{Context as _, Result, bail, ensure};
use futures::{StreamExt as _, TryStreamExt as _};
use porpoise::transport::SslMode;
use porpoise::value::{Named, Value};
use porpoise::x::crud::{Find, Insert};
use porpoise::x::{Error, OptionsBuilder, Session};
use porpoise::xproto::{ClientKind, LifeCycle};
use porpoise::{Isolation, TxOptions, Usage};

use crate::suite::{Context, MYSQL, Suite, Test, Transport, expect};
use crate::x_trace::{Sent, trace};

/// Everybody's own tables are in it.
pub(crate) const SCHEMA: &str = "porp_xdrv";

pub(crate) fn add(suite: &mut Suite) {
    let everywhere: &[(&str, Test)] = &[
        ("sql", sql),
        ("results", results),
        ("prepared", prepared),
        ("transaction", transaction),
        ("savepoint", savepoint),
        ("reset", reset),
        ("authenticate", authenticate),
        ("first-statement", first_statement),
        ("dropped", dropped),
    ];
    for transport in Transport::ALL {
        let kind = format!("x::{}", transport.name());
        suite.add_tests(&kind, transport, MYSQL, everywhere);
    }
}

/// Options that lead to the cell's server over the cell's transport, as a user who may do everything.
pub(crate) fn options(context: &Context) -> Result<OptionsBuilder> {
    let server = context.server()?;
    let address = server.x_address()?;
    let tcp = |mode| {
        porpoise::x::Options::builder().host(&address.ip().to_string()).port(address.port()).ssl_mode(mode)
    };
    let options = match context.cell.transport {
        Transport::Tcp => tcp(SslMode::Disabled),
        Transport::Tls => tcp(SslMode::Required),
        Transport::Unix => porpoise::x::Options::builder().unix_socket(server.x_socket()?),
    };
    Ok(options.user("sha2all").password("pw-sha2"))
}

/// A session of the cell's. Where the password itself is not sent the server must know it from before; others of this suite
/// make it forget at any time.
pub(crate) async fn connect(
    context: &Context,
    change: impl Fn(OptionsBuilder) -> OptionsBuilder,
) -> Result<Session> {
    let options = Arc::new(change(options(context)?).build());
    for _ in 0..20 {
        match Session::connect(context.runtime(), Arc::clone(&options)).await {
            Err(error) if error.code() == 1045 && context.cell.transport == Transport::Tcp => {
                let socket = context.server()?.x_socket()?;
                let warm =
                    porpoise::x::Options::builder().unix_socket(socket).user("sha2all").password("pw-sha2");
                Session::connect(context.runtime(), Arc::new(warm.build())).await?.close().await?;
            }
            connected => return Ok(connected?),
        }
    }
    bail!("the server forgets passwords faster than they are told")
}

/// A table of this session's own, empty.
pub(crate) async fn table(session: &mut Session, columns: &str) -> Result<String> {
    let client = session.client_id().context("no client id")?;
    let name = format!("{SCHEMA}.t{}_{client}", std::process::id());
    session.sql(&format!("CREATE DATABASE IF NOT EXISTS {SCHEMA}")).run().await?;
    session.sql(&format!("DROP TABLE IF EXISTS {name}")).run().await?;
    session.sql(&format!("CREATE TABLE {name} ({columns})")).run().await?;
    Ok(name)
}

pub(crate) async fn drop_table(mut session: Session, name: &str) -> Result<()> {
    session.sql(&format!("DROP TABLE {name}")).run().await?;
    Ok(session.close().await?)
}

pub(crate) async fn number(session: &mut Session, sql: &str) -> Result<i64> {
    session.sql(sql).first::<i64>().await?.with_context(|| format!("no row: {sql}"))
}

pub(crate) fn code<T: std::fmt::Debug>(result: Result<T, Error>) -> Result<u16> {
    match result {
        Err(Error::Server(error)) => Ok(error.code),
        other => bail!("{other:?}"),
    }
}

#[derive(Debug, PartialEq, porpoise::FromRow)]
struct Fish {
    id: u32,
    name: String,
    depth: f64,
}

fn sql(context: &Context) -> Result<()> {
    context.run(async {
        let mut session = connect(context, |options| options).await?;
        expect("state", &session.state(), &LifeCycle::Session)?;
        let secure = context.cell.transport != Transport::Tcp;
        expect("mechanism", &session.mechanism(), &Some(if secure { "PLAIN" } else { "SHA256_MEMORY" }))?;
        expect("TLS", &session.is_encrypted(), &(context.cell.transport == Transport::Tls))?;
        let row = session.sql("SELECT ?, ?, ?, ?").args((-5, u64::MAX, "it's", None::<i64>));
        let row = row.first::<(i64, u64, String, Option<i64>)>().await?;
        expect("row", &row, &Some((-5, u64::MAX, "it's".to_owned(), None)))?;
        let row = session.sql("SELECT :b, :a").args(Named(&[("a", &1), ("b", &"x")]));
        expect("named", &row.first::<(String, i64)>().await?, &Some(("x".to_owned(), 1)))?;
        let row = session.sql("SELECT 'orca' AS name, 2.50 AS depth, 7 AS id").first::<Fish>().await?;
        expect("by name", &row, &Some(Fish { id: 7, name: "orca".to_owned(), depth: 2.5 }))?;
        let row = session.sql("SELECT 1 AS one").compact_metadata(true).first::<i64>().await?;
        expect("compact", &row, &Some(1))?;

        let name = table(&mut session, "id INT PRIMARY KEY AUTO_INCREMENT, a TINYINT").await?;
        let done = session.sql(&format!("INSERT INTO {name} (a) VALUES (?), (?)")).args((1, 2)).run().await?;
        expect("insert", &(done.affected, done.insert_id), &(Some(2), Some(1)))?;
        let done = session.sql(&format!("UPDATE {name} SET a = 1")).run().await?;
        expect("text", &done.message.as_deref(), &Some("Rows matched: 2  Changed: 1  Warnings: 0"))?;
        let done = session.sql(&format!("INSERT IGNORE INTO {name} (a) VALUES (1000)")).run().await?;
        expect(
            "warnings",
            &done.warnings.iter().map(|warning| warning.code).collect::<Vec<_>>(),
            &vec![1264],
        )?;
        expect("error", &code(session.sql("bogus").run().await)?, &1064)?;
        expect("then", &number(&mut session, "SELECT 7").await?, &7)?;
        session.ping().await?;
        drop_table(session, &name).await
    })
}

fn results(context: &Context) -> Result<()> {
    context.run(async {
        let mut session = connect(context, |options| options).await?;
        let name = table(&mut session, "a INT").await?;
        let values = (1..=1000).map(|n| format!("({n})")).collect::<Vec<_>>().join(",");
        session.sql(&format!("INSERT INTO {name} VALUES {values}")).run().await?;
        // A stream of rows, to its end and not to its end.
        let select = format!("SELECT a, REPEAT('x', a) FROM {name} ORDER BY a");
        let mut rows = session.sql(&select).execute().await?.into_rows::<(usize, String)>();
        let mut seen = 0;
        while let Some((a, text)) = rows.try_next().await? {
            seen += 1;
            ensure!(a == seen && text.len() == a, "row {seen} is {a}");
        }
        drop(rows);
        expect("rows", &seen, &1000)?;
        let mut results = session.sql(&select).execute().await?;
        ensure!(results.columns().is_some_and(|columns| columns.len() == 2), "columns");
        ensure!(results.rows::<(u32, String)>().next().await.is_some(), "a row");
        drop(results);
        expect("then", &number(&mut session, "SELECT 2").await?, &2)?;
        // An error in the middle of rows, which is no end of the session.
        let mut results = session.sql(&format!("SELECT a + IF(a > 900, 9e307 * 1000, 0) FROM {name}")).execute().await;
        if let Ok(results) = &mut results {
            let mut failed = false;
            while let Some(batch) = results.next_batch().await.transpose() {
                failed = batch.is_err();
                if failed {
                    break;
                }
            }
            ensure!(failed, "an error");
        }
        drop(results);
        // A row that does not fit.
        let rows = session.sql(&select).all::<(u8, String)>().await;
        ensure!(matches!(rows, Err(Error::Row(_))), "{rows:?}");
        expect("then", &number(&mut session, "SELECT 3").await?, &3)?;
        // Several results, and OUT parameters.
        let procedure = format!("{name}_p");
        session.sql(&format!("DROP PROCEDURE IF EXISTS {procedure}")).run().await?;
        let body = format!("CREATE PROCEDURE {procedure} (IN a INT, OUT b INT) BEGIN SELECT a; SELECT a + 1, 'x'; SET b = a * 2; END");
        session.sql(&body).run().await?;
        let mut results = session.sql(&format!("CALL {procedure}(5, @b)")).execute().await?;
        expect("first", &results.all::<i64>().await?, &vec![5])?;
        ensure!(results.next_result().await?, "a second result");
        expect("second", &results.all::<(i64, String)>().await?, &vec![(6, "x".to_owned())])?;
        ensure!(!results.next_result().await?, "a third result");
        drop(results);
        let mut results = session.exec_sql(&format!("CALL {procedure}(?, ?)"), (5, None::<i64>)).await?;
        let mut told = Vec::new();
        loop {
            let out = results.is_out_params();
            let rows = results.all::<Vec<Value>>().await?;
            told.push((out, rows.into_iter().flatten().map(|value| value.to_string()).collect::<Vec<_>>().join(",")));
            if !results.next_result().await? {
                break;
            }
        }
        let want = [(false, "5"), (false, "6,x"), (true, "10")].map(|(out, text)| (out, text.to_owned()));
        expect("results", &told, &want.to_vec())?;
        drop(results);
        session.sql(&format!("DROP PROCEDURE {procedure}")).run().await?;
        drop_table(session, &name).await
    })
}

fn prepared(context: &Context) -> Result<()> {
    context.run(async {
        let (mut session, sent) = trace(context).await?;
        let statement = session.prepare("SELECT ? + 1, ?").await?;
        for n in [1_i64, -3] {
            let mut results = session.exec(&statement, (n, "é")).await?;
            expect("row", &results.all::<(i64, String)>().await?, &vec![(n + 1, "é".to_owned())])?;
        }
        expect("too few", &code(session.exec(&statement, (1,)).await.map(|_| ()))?, &5134)?;
        sent.take();
        // Prepared and executed in one flight, and then found.
        expect(
            "named",
            &session
                .exec_all::<i64>("SELECT CAST(:a AS SIGNED) * CAST(:a AS SIGNED)", Named(&[("a", &7)]))
                .await?,
            &vec![49],
        )?;
        let want = vec![(ClientKind::PREPARE_PREPARE, 1), (ClientKind::PREPARE_EXECUTE, 1)];
        expect("flight", &sent.take(), &want)?;
        expect(
            "cached",
            &session
                .exec_all::<i64>("SELECT CAST(:a AS SIGNED) * CAST(:a AS SIGNED)", Named(&[("a", &3)]))
                .await?,
            &vec![9],
        )?;
        expect("flight", &sent.take(), &vec![(ClientKind::PREPARE_EXECUTE, 1)])?;
        // What cannot be prepared, is told once, and leaves nothing behind.
        expect("bad", &code(session.exec_sql("bogus ?", (1,)).await.map(|_| ()))?, &1064)?;
        sent.take();
        expect("then", &number(&mut session, "SELECT 5").await?, &5)?;
        expect("flight", &sent.take(), &vec![(ClientKind::SQL_STMT_EXECUTE, 1)])?;
        let mut other = connect(context, |options| options).await?;
        let foreign = other.prepare("SELECT 1").await?;
        let refused = session.exec(&foreign, ()).await.map(|_| ());
        ensure!(matches!(refused, Err(Error::Usage(Usage::ForeignStatement))), "{refused:?}");
        // A find with a placeholder.
        let name = format!("c{}_{}", std::process::id(), session.client_id().unwrap_or_default());
        session.sql(&format!("CREATE DATABASE IF NOT EXISTS {SCHEMA}")).run().await?;
        session.execute(porpoise::x::Collection::new(SCHEMA, &*name).create(&Default::default())).await?;
        let insert = Insert::collection(SCHEMA, &*name).documents([r#"{"n": 1}"#, r#"{"n": 5}"#]);
        expect("ids", &session.execute(insert).await?.document_ids.len(), &2)?;
        let find = Find::collection(SCHEMA, &*name).filter("n > :n").fields("n AS n").prepare(1)?;
        let statement = session.prepare_message(find.message.stmt).await?;
        let documents = session.exec(&statement, (2,)).await?.all::<String>().await?;
        expect("documents", &documents, &vec![r#"{"n": 5}"#.to_owned()])?;
        // Deallocated in the write of the next message.
        drop(statement);
        sent.take();
        session.execute(porpoise::x::Collection::new(SCHEMA, &*name).drop()).await?;
        let want = vec![(ClientKind::PREPARE_DEALLOCATE, 1), (ClientKind::SQL_STMT_EXECUTE, 1)];
        expect("flight", &sent.take(), &want)?;
        other.close().await?;
        Ok(session.close().await?)
    })
}

fn transaction(context: &Context) -> Result<()> {
    context.run(async {
        let (mut session, sent) = trace(context).await?;
        let name = table(&mut session, "a INT PRIMARY KEY").await?;
        let (insert, count) =
            (format!("INSERT INTO {name} VALUES (?)"), format!("SELECT COUNT(*) FROM {name}"));
        let mut tx = session.begin(TxOptions::new()).await?;
        tx.sql(&insert).args((1,)).run().await?;
        let twice = tx.begin(TxOptions::new()).await.map(|_| ());
        ensure!(matches!(twice, Err(Error::Usage(Usage::InTransaction))), "{twice:?}");
        tx.commit().await?;
        let mut tx = session.begin(TxOptions::new()).await?;
        tx.sql(&insert).args((2,)).run().await?;
        tx.rollback().await?;
        expect("rows", &number(&mut session, &count).await?, &1)?;
        // Dropped: rolled back before the next operation.
        let mut tx = session.begin(TxOptions::new()).await?;
        tx.sql(&insert).args((3,)).run().await?;
        drop(tx);
        expect("rows", &number(&mut session, &count).await?, &1)?;
        // A level costs no flight.
        sent.take();
        let mut tx =
            session.begin(TxOptions::new().isolation(Isolation::Serializable).read_only(true)).await?;
        let flights: Vec<_> = sent.take().into_iter().map(|(_, flight)| flight).collect();
        expect("flights", &flights, &vec![1; 4])?;
        expect("read only", &code(tx.sql(&insert).args((4,)).run().await)?, &1792)?;
        tx.rollback().await?;
        drop_table(session, &name).await
    })
}

fn savepoint(context: &Context) -> Result<()> {
    context.run(async {
        let mut session = connect(context, |options| options).await?;
        let name = table(&mut session, "a INT PRIMARY KEY").await?;
        let insert = format!("INSERT INTO {name} VALUES (?)");
        let mut tx = session.begin(TxOptions::new()).await?;
        tx.sql(&insert).args((1,)).run().await?;
        let mut kept = tx.savepoint().await?;
        kept.sql(&insert).args((2,)).run().await?;
        let mut undone = kept.savepoint().await?;
        undone.sql(&insert).args((3,)).run().await?;
        undone.rollback().await?;
        let mut dropped = kept.savepoint().await?;
        dropped.sql(&insert).args((4,)).run().await?;
        drop(dropped);
        kept.sql(&insert).args((5,)).run().await?;
        kept.release().await?;
        tx.commit().await?;
        let rows = session.sql(&format!("SELECT a FROM {name} ORDER BY a")).all::<i64>().await?;
        expect("rows", &rows, &vec![1, 2, 5])?;
        drop_table(session, &name).await
    })
}

fn reset(context: &Context) -> Result<()> {
    context.run(async {
        let mut session = connect(context, |options| options).await?;
        session.sql("SET @a = 1").run().await?;
        let statement = session.prepare("SELECT 1").await?;
        let id = number(&mut session, "SELECT CONNECTION_ID()").await?;
        session.reset().await?;
        expect("variable", &session.sql("SELECT @a").first::<Option<Vec<u8>>>().await?, &Some(None))?;
        expect("connection", &number(&mut session, "SELECT CONNECTION_ID()").await?, &id)?;
        let gone = session.exec(&statement, ()).await.map(|_| ());
        ensure!(matches!(gone, Err(Error::Usage(Usage::ForeignStatement))), "{gone:?}");
        drop(statement);
        expect("prepared anew", &session.exec_all::<i64>("SELECT ?", (1,)).await?, &vec![1])?;
        Ok(session.close().await?)
    })
}

fn authenticate(context: &Context) -> Result<()> {
    context.run(async {
        let (mut session, sent) = trace(context).await?;
        session.sql("SET @a = 1").run().await?;
        let (id, client) = (number(&mut session, "SELECT CONNECTION_ID()").await?, session.client_id());
        let mut same = (**session.options().connect()).clone();
        "mysql".clone_into(&mut same.schema);
        sent.take();
        session.authenticate(Arc::new(same)).await?;
        let kinds: Vec<_> = sent.take();
        let start = vec![(ClientKind::SESS_RESET, 1), (ClientKind::SESS_AUTHENTICATE_START, 1)];
        expect("flight", &kinds.iter().take(2).copied().collect::<Vec<_>>(), &start)?;
        expect("variable", &session.sql("SELECT @a").first::<Option<Vec<u8>>>().await?, &Some(None))?;
        expect(
            "schema",
            &session.sql("SELECT DATABASE()").first::<String>().await?.as_deref(),
            &Some("mysql"),
        )?;
        ensure!(number(&mut session, "SELECT CONNECTION_ID()").await? != id, "another session");
        expect("client", &session.client_id(), &client)?;
        let nobody = porpoise::xproto::connect::ConnectOptions::new("porp_nobody", "x");
        let refused = session.authenticate(Arc::new(nobody)).await;
        ensure!(
            matches!(&refused, Err(Error::Connect(_))) && refused.is_err_and(|error| error.code() == 1045)
        );
        ensure!(!session.is_usable(), "it is closed");
        Ok(())
    })
}

fn first_statement(context: &Context) -> Result<()> {
    context.run(async {
        connect(context, |options| options).await?.close().await?;
        let sent = Sent::default();
        let options = Arc::new(options(context)?.build());
        let connecting = porpoise::x::Connecting::new(context.runtime(), options);
        let connecting = connecting.with_sink(Box::new(sent.clone())).with_statement("SELECT ?", (42,))?;
        let mut session = connecting.await?;
        let answer = session.first_results().await?.all::<i64>().await?;
        expect("answer", &answer, &vec![42])?;
        let flights = sent.take();
        let want = match context.cell.transport {
            Transport::Unix => {
                vec![(ClientKind::SESS_AUTHENTICATE_START, 1), (ClientKind::SQL_STMT_EXECUTE, 1)]
            }
            Transport::Tls => vec![
                (ClientKind::CON_CAPABILITIES_SET, 1),
                (ClientKind::SESS_AUTHENTICATE_START, 2),
                (ClientKind::SQL_STMT_EXECUTE, 2),
            ],
            Transport::Tcp => vec![
                (ClientKind::CON_CAPABILITIES_GET, 1),
                (ClientKind::SESS_AUTHENTICATE_START, 1),
                (ClientKind::SESS_AUTHENTICATE_CONTINUE, 2),
                (ClientKind::SQL_STMT_EXECUTE, 3),
            ],
        };
        expect("flights", &flights, &want)?;
        expect("then", &number(&mut session, "SELECT 2").await?, &2)?;
        session.close().await?;
        // The login's error, not that of what followed.
        let wrong = crate::x_session::options(context)?.password("wrong").build();
        let connecting = porpoise::x::Connecting::new(context.runtime(), Arc::new(wrong));
        let refused = connecting.with_statement("SELECT 1", ())?.await.map(|_| ());
        ensure!(matches!(refused, Err(Error::Connect(_))), "{refused:?}");
        expect("code", &refused.map_err(|error| error.code()), &Err(1045))
    })
}

/// Calls that are dropped after some polls: the session goes on, and no reply is taken for another's.
fn dropped(context: &Context) -> Result<()> {
    use futures::future::{Either, select};
    context.run(async {
        let mut session = connect(context, |options| options).await?;
        let statement = session.prepare("SELECT ?").await?;
        for polls in 0..12_usize {
            for call in 0..5 {
                let mut left = polls;
                let enough = futures::future::poll_fn(|cx| match left {
                    0 => std::task::Poll::Ready(()),
                    _ => {
                        left -= 1;
                        cx.waker().wake_by_ref();
                        std::task::Poll::Pending
                    }
                });
                let work = async {
                    match call {
                        0 => session.sql("SELECT 1, REPEAT('x', 5000)").run().await.map(|_| ()),
                        1 => session.exec_sql("SELECT ? + 1", (polls,)).await.map(|_| ()),
                        2 => session.cursor(&statement, (1,), 1).await.map(|_| ()),
                        3 => session.begin(TxOptions::new().isolation(Isolation::Serializable)).await.map(|_| ()),
                        _ => match session.pipeline().sql("SELECT 1", ()) {
                            Ok(_) => session.ping().await,
                            Err(error) => Err(error),
                        },
                    }
                };
                if let Either::Left((Err(error), _)) = select(Box::pin(work), enough).await {
                    bail!(error);
                }
                let marker = i64::try_from(polls * 10 + call)?;
                expect("then", &session.sql("SELECT ?").args((marker,)).first::<i64>().await?, &Some(marker))?;
            }
        }
        expect("in a transaction", &number(&mut session, "SELECT COUNT(*) FROM information_schema.innodb_trx WHERE trx_mysql_thread_id = CONNECTION_ID() AND trx_rows_modified > 0").await?, &0)?;
        Ok(session.close().await?)
    })
}
