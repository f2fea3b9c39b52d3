//! Every command of the session on real servers, as the session itself gives it.

use anyhow::{Context as _, Result, bail, ensure};
use porpoise::Client;
use porpoise::classic::{
    CapabilityFlags, Command, Event, Execute, ExecuteError, Misuse, Session, StateChange, StatusFlags,
};
use porpoise::value::{ParamRef, Placeholders, ToValue};
use porpoise::wire::Cx;

use crate::client::{connect, drop_table, table};
use crate::suite::{Context, MARIADB, MYSQL, Suite, Test, Transport, expect, first_cell};

pub(crate) fn add(suite: &mut Suite) {
    let everywhere: &[(&str, Test)] = &[
        ("simple", simple),
        ("removed", removed),
        ("field-list", field_list),
        ("prepared", prepared),
        ("cursor", cursor),
        ("long-data", long_data),
        ("pipeline", pipeline),
        ("infile", infile),
        ("session-state", session_state),
    ];
    suite.add_tests("command", Transport::Unix, MYSQL, everywhere);
    for server in MARIADB {
        suite.add_tests(&format!("command::{server}"), Transport::Unix, server, everywhere);
    }
}

/// All events of a command.
pub(crate) async fn events(
    client: &mut Client,
    command: impl FnOnce(&mut Session, &mut Cx<'_, porpoise::driver::Tap>) -> Result<(), Misuse>,
) -> Result<Vec<Event>> {
    client.command(command).await?;
    rest(client).await
}

/// Those that are still to come.
pub(crate) async fn rest(client: &mut Client) -> Result<Vec<Event>> {
    let mut events = Vec::new();
    while let Some(event) = client.next_event().await? {
        events.push(event);
    }
    Ok(events)
}

/// A command that is answered by one OK.
pub(crate) async fn ok(
    client: &mut Client,
    command: impl FnOnce(&mut Session, &mut Cx<'_, porpoise::driver::Tap>) -> Result<(), Misuse>,
) -> Result<()> {
    match &events(client, command).await?[..] {
        [Event::Ok(_)] => Ok(()),
        other => bail!("{other:?}"),
    }
}

/// A command that is answered by an ERR of that number.
pub(crate) async fn err(
    client: &mut Client,
    number: u16,
    command: impl FnOnce(&mut Session, &mut Cx<'_, porpoise::driver::Tap>) -> Result<(), Misuse>,
) -> Result<()> {
    match events(client, command).await?.last() {
        Some(Event::Err(err)) => expect("number", &err.code(), &number),
        other => bail!("{other:?}, not {number}"),
    }
}

/// The values of these tests can all be sent.
pub(crate) fn sent(result: Result<(), ExecuteError>) -> Result<(), Misuse> {
    match result {
        Ok(()) => Ok(()),
        Err(ExecuteError::Misuse(misuse)) => Err(misuse),
        Err(error) => panic!("{error}"),
    }
}

/// A table of five rows.
async fn t1(client: &mut Client) -> Result<String> {
    let name = table(client, "a INT PRIMARY KEY, b VARCHAR(20)").await?;
    let rows = "(1, 'one'), (2, 'two'), (3, NULL), (4, ''), (5, 'five')";
    client.query_drop(&format!("INSERT INTO {name} VALUES {rows}")).await?;
    Ok(name)
}

pub(crate) async fn prepare(client: &mut Client, sql: &str) -> Result<porpoise::classic::Prepared> {
    match events(client, |session, cx| session.stmt_prepare(sql, cx)).await?.pop() {
        Some(Event::Prepared(prepared)) => Ok(*prepared),
        other => bail!("{sql}: {other:?}"),
    }
}

/// The first cell of each row, and the status at the end.
pub(crate) fn rows(events: &[Event]) -> Result<(Vec<Vec<u8>>, StatusFlags)> {
    let (mut cells, mut status) = (Vec::new(), None);
    for event in events {
        match event {
            Event::Rows(batch) => {
                for row in batch {
                    cells.push(row.get(0)?.unwrap_or(b"NULL").to_vec());
                }
            }
            Event::Columns(_) => {}
            Event::End(end) => status = Some(end.status()),
            other => bail!("{other:?}"),
        }
    }
    Ok((cells, status.context("no end")?))
}

fn simple(context: &Context) -> Result<()> {
    context.run(async {
        let mut client = connect(context, |options| options).await?;
        ok(&mut client, |session, cx| session.ping(cx)).await?;
        ok(&mut client, |session, cx| session.init_db("odb", cx)).await?;
        expect("schema", &first_cell(&mut client, "SELECT DATABASE()").await?.as_deref(), &Some("odb"))?;
        err(&mut client, 1049, |session, cx| session.init_db("porp_nope", cx)).await?;
        match &events(&mut client, |session, cx| session.statistics(cx)).await?[..] {
            [Event::Statistics(text)] => ensure!(text.starts_with(b"Uptime: "), "{text:?}"),
            other => bail!("{other:?}"),
        }
        ok(&mut client, |session, cx| session.debug(cx)).await?;
        err(&mut client, 1064, |session, cx| session.query("DO 1; DO 2", cx)).await?;
        ok(&mut client, |session, cx| session.set_option(true, cx)).await?;
        let two = events(&mut client, |session, cx| session.query("DO 1; DO 2", cx)).await?;
        ensure!(matches!(two[..], [Event::Ok(_), Event::Ok(_)]), "{two:?}");
        ok(&mut client, |session, cx| session.set_option(false, cx)).await?;
        err(&mut client, 1064, |session, cx| session.query("DO 1; DO 2", cx)).await?;
        client.query_drop("SET @a = 1").await?;
        ok(&mut client, |session, cx| session.reset_connection(cx)).await?;
        ensure!(first_cell(&mut client, "SELECT @a").await?.is_none());
        Ok(client.close().await?)
    })
}

/// What MySQL 9 does not have any more, and what no server has.
fn removed(context: &Context) -> Result<()> {
    const UNKNOWN: u16 = 1047;
    context.run(async {
        let mut client = connect(context, |options| options).await?;
        for command in [
            Command::Sleep,
            Command::CreateDb,
            Command::DropDb,
            Command::Connect,
            Command::Time,
            Command::DelayedInsert,
            Command::ConnectOut,
            Command::Daemon,
        ] {
            let sent = err(&mut client, UNKNOWN, |session, cx| session.simple_command(command, b"", cx));
            sent.await.with_context(|| command.name())?;
        }
        let mut other = connect(context, |options| options).await?;
        let id = other.connection_id();
        if context.server()?.is_mariadb() {
            ok(&mut client, |session, cx| session.simple_command(Command::Refresh, &[4], cx)).await?;
            let list = events(&mut client, |session, cx| session.process_info(cx)).await?;
            ensure!(matches!(list.first(), Some(Event::Columns(columns)) if columns.len() > 5), "{list:?}");
            ensure!(!rows(&list)?.0.is_empty());
            ok(&mut client, |session, cx| session.process_kill(id, cx)).await?;
            ensure!(other.ping().await.is_err(), "it was killed");
        } else {
            err(&mut client, UNKNOWN, |session, cx| session.simple_command(Command::Refresh, &[4], cx))
                .await?;
            err(&mut client, UNKNOWN, |session, cx| session.simple_command(Command::Shutdown, b"", cx))
                .await?;
            err(&mut client, UNKNOWN, |session, cx| session.process_info(cx)).await?;
            err(&mut client, UNKNOWN, |session, cx| session.process_kill(id, cx)).await?;
            other.close().await?;
        }
        Ok(client.close().await?)
    })
}

fn field_list(context: &Context) -> Result<()> {
    context.run(async {
        let mut client = connect(context, |options| options.database("odb")).await?;
        let name = table(&mut client, "a INT DEFAULT 7, b VARCHAR(9), ab CHAR(3) DEFAULT 'x'").await?;
        let short = name.split('.').next_back().context("no name")?;
        client.command(|session, cx| session.init_db("porp_client", cx)).await?;
        rest(&mut client).await?;
        for (wildcard, names) in [("", &[&b"a"[..], b"b", b"ab"][..]), ("a%", &[b"a", b"ab"])] {
            let list = events(&mut client, |session, cx| session.field_list(short, wildcard, cx)).await?;
            let [Event::Columns(columns), Event::End(_)] = &list[..] else { bail!("{list:?}") };
            ensure!(columns.iter().map(|column| column.name()).eq(names.iter().copied()), "{columns:?}");
            ensure!(columns.get(0).is_some_and(|column| column.default_value() == Some(b"7")), "{columns:?}");
        }
        err(&mut client, 1146, |session, cx| session.field_list("nope", "", cx)).await?;
        drop_table(client, &name).await
    })
}

fn prepared(context: &Context) -> Result<()> {
    context.run(async {
        let mut client = connect(context, |options| options).await?;
        let name = t1(&mut client).await?;
        let statement =
            prepare(&mut client, &format!("SELECT b, ? FROM {name} WHERE a > ? ORDER BY a")).await?;
        ensure!(statement.params.len() == 2 && statement.columns.len() == 2, "{statement:?}");
        let id = statement.statement_id;
        let params = ("x", 3);
        let execute = Execute::new(id, Placeholders::positional(2), &params);
        for _ in 0..2 {
            let found = events(&mut client, |s, cx| sent(s.stmt_execute_with(&execute, cx))).await?;
            expect("rows", &rows(&found)?.0, &vec![b"".to_vec(), b"five".to_vec()])?;
        }
        // Procedures: a result set, the OUT parameters, an OK.
        let procedure = format!("{name}p");
        let body = "(IN a INT, OUT b INT) BEGIN SELECT a; SET b = a + 1; END";
        client.query_drop(&format!("CREATE PROCEDURE {procedure} {body}")).await?;
        let call = prepare(&mut client, &format!("CALL {procedure}(?, ?)")).await?;
        let params = (41, None::<i32>);
        let execute = Execute::new(call.statement_id, Placeholders::positional(2), &params);
        let found = events(&mut client, |s, cx| sent(s.stmt_execute_with(&execute, cx))).await?;
        let ends: Vec<_> = found
            .iter()
            .filter_map(|event| match event {
                Event::End(end) => Some(end.status().contains(StatusFlags::SERVER_PS_OUT_PARAMS)),
                _ => None,
            })
            .collect();
        expect("results with OUT parameters", &ends, &vec![false, true])?;
        ensure!(matches!(found.last(), Some(Event::Ok(_))), "{found:?}");
        client.query_drop(&format!("DROP PROCEDURE {procedure}")).await?;
        // Closing has no reply, of whatever statement.
        for id in [id, id, 9999] {
            client.command(|session, cx| session.stmt_close(id, cx)).await?;
        }
        err(&mut client, 1243, |session, cx| session.stmt_execute(id, 0, &[], cx)).await?;
        err(&mut client, 1243, |session, cx| session.stmt_reset(id, cx)).await?;
        drop_table(client, &name).await
    })
}

fn cursor(context: &Context) -> Result<()> {
    let exists = StatusFlags::SERVER_STATUS_CURSOR_EXISTS;
    let last = StatusFlags::SERVER_STATUS_LAST_ROW_SENT;
    context.run(async {
        for left_out in [CapabilityFlags::empty(), CapabilityFlags::CLIENT_DEPRECATE_EOF] {
            let with =
                |options: porpoise::OptionsBuilder| options.connect(|c| c.without(left_out).database("odb"));
            let mut client = connect(context, with).await?;
            let name = t1(&mut client).await?;
            let sql = format!("SELECT a, b FROM {name} ORDER BY a");
            let id = prepare(&mut client, &sql).await?.statement_id;
            let execute = Execute::new(id, Placeholders::positional(0), &()).cursor(true);
            let opened = events(&mut client, |s, cx| sent(s.stmt_execute_with(&execute, cx))).await?;
            let [Event::Columns(columns), Event::End(end)] = &opened[..] else { bail!("{opened:?}") };
            ensure!(end.status().contains(exists), "{end:?}");
            let mut found = Vec::new();
            for (count, more) in [(2, true), (2, true), (2, false)] {
                let fetched = events(&mut client, |s, cx| s.stmt_fetch(id, count, columns, cx)).await?;
                let (cells, status) = rows(&fetched)?;
                found.extend(cells.iter().map(|cell| cell.first().copied().unwrap_or_default()));
                expect("last", &status.contains(last), &!more)?;
            }
            expect("rows", &found, &vec![1, 2, 3, 4, 5])?;
            // Behind the end, and after a reset that closes it, there is no cursor.
            err(&mut client, 1421, |s, cx| s.stmt_fetch(id, 2, columns, cx)).await?;
            events(&mut client, |s, cx| sent(s.stmt_execute_with(&execute, cx))).await?;
            ok(&mut client, |s, cx| s.stmt_reset(id, cx)).await?;
            err(&mut client, 1421, |s, cx| s.stmt_fetch(id, 2, columns, cx)).await?;
            // Another statement may run while a cursor is open, and the server may decide against one.
            events(&mut client, |s, cx| sent(s.stmt_execute_with(&execute, cx))).await?;
            expect("meanwhile", &first_cell(&mut client, "SELECT 6").await?.as_deref(), &Some("6"))?;
            let fetched = events(&mut client, |s, cx| s.stmt_fetch(id, 1, columns, cx)).await?;
            expect("the first", &rows(&fetched)?.0, &vec![vec![1, 0, 0, 0]])?;
            let show = prepare(&mut client, "SHOW STATUS LIKE 'Uptime'").await?.statement_id;
            let execute = Execute::new(show, Placeholders::positional(0), &()).cursor(true);
            let shown = events(&mut client, |s, cx| sent(s.stmt_execute_with(&execute, cx))).await?;
            if !rows(&shown)?.1.contains(exists) {
                expect("rows without a cursor", &rows(&shown)?.0.len(), &1)?;
            }
            drop_table(client, &name).await?;
        }
        Ok(())
    })
}

/// A parameter that was sent ahead.
struct Long;

impl ToValue for Long {
    fn to_value(&self) -> Result<ParamRef<'_>, porpoise::value::ConvertError> {
        Ok(ParamRef::LongData)
    }
}

fn long_data(context: &Context) -> Result<()> {
    context.run(async {
        let mut client = connect(context, |options| options).await?;
        let id = prepare(&mut client, "SELECT ?, ?").await?.statement_id;
        let params = (Long, 7);
        let execute = Execute::new(id, Placeholders::positional(2), &params);
        for part in ["one", "", " two"] {
            client.command(|s, cx| s.stmt_send_long_data(id, 0, part.as_bytes(), cx)).await?;
        }
        let found = events(&mut client, |s, cx| sent(s.stmt_execute_with(&execute, cx))).await?;
        expect("long", &rows(&found)?.0, &vec![b"one two".to_vec()])?;
        // The execution has used it up, and a reset drops what was sent.
        client.command(|s, cx| s.stmt_send_long_data(id, 0, b"again", cx)).await?;
        let found = events(&mut client, |s, cx| sent(s.stmt_execute_with(&execute, cx))).await?;
        expect("again", &rows(&found)?.0, &vec![b"again".to_vec()])?;
        client.command(|s, cx| s.stmt_send_long_data(id, 0, b"dropped", cx)).await?;
        ok(&mut client, |s, cx| s.stmt_reset(id, cx)).await?;
        client.command(|s, cx| s.stmt_send_long_data(id, 0, b"kept", cx)).await?;
        let found = events(&mut client, |s, cx| sent(s.stmt_execute_with(&execute, cx))).await?;
        expect("after a reset", &rows(&found)?.0, &vec![b"kept".to_vec()])?;
        Ok(client.close().await?)
    })
}

fn pipeline(context: &Context) -> Result<()> {
    context.run(async {
        let mut client = connect(context, |options| options).await?;
        let name = table(&mut client, "a INT PRIMARY KEY").await?;
        let id = prepare(&mut client, &format!("INSERT INTO {name} VALUES (?)")).await?.statement_id;
        client
            .command(|session, cx| {
                session.set_pipelining(true);
                for n in 0..100 {
                    // Every tenth is there already.
                    let params = (if n % 10 == 9 { n - 1 } else { n },);
                    sent(
                        session
                            .stmt_execute_with(&Execute::new(id, Placeholders::positional(1), &params), cx),
                    )?;
                    if n == 50 {
                        session.ping(cx)?;
                        session.stmt_send_long_data(id, 0, b"", cx)?;
                        session.stmt_reset(id, cx)?;
                    }
                }
                session.query(format!("SELECT COUNT(*) FROM {name}"), cx)?;
                session.set_pipelining(false);
                expect("owed", &session.replies_owed(), &103).map_err(|_| Misuse::Busy)
            })
            .await?;
        let (mut oks, mut errs, mut others) = (0, 0, Vec::new());
        while let Some(event) = client.next_event().await? {
            match event {
                Event::Ok(_) => oks += 1,
                Event::Err(err) => {
                    expect("number", &err.code(), &1062)?;
                    errs += 1;
                }
                other => others.push(other),
            }
        }
        expect("OK, ERR", &(oks, errs), &(92, 10))?;
        expect("rows", &rows(&others)?.0, &vec![b"90".to_vec()])?;
        drop_table(client, &name).await
    })
}

fn infile(context: &Context) -> Result<()> {
    context.run(async {
        let mut client = connect(context, |options| options).await?;
        let name = table(&mut client, "a INT, b VARCHAR(100)").await?;
        let sql = format!("LOAD DATA LOCAL INFILE '/nowhere' INTO TABLE {name} FIELDS TERMINATED BY ','");
        let refused = events(&mut client, |session, cx| session.query(&sql, cx)).await?;
        ensure!(matches!(refused[..], [Event::InfileRefused(_)]), "{refused:?}");
        let lines: String = (0..20_000).map(|n| format!("{n},{}\n", "x".repeat(n % 100))).collect();
        client
            .command(|session, cx| {
                session.allow_infile(true);
                session.query(&sql, cx)
            })
            .await?;
        let Some(Event::LocalInfile(file)) = client.next_event().await? else { bail!("no request") };
        expect("file", &&*file, &&b"/nowhere"[..])?;
        client.command_now(|session, cx| {
            session.send_file(lines.as_bytes(), cx)?;
            session.end_file(cx)
        })?;
        let verdict = rest(&mut client).await?;
        ensure!(matches!(&verdict[..], [Event::Ok(ok)] if ok.affected_rows() == 20_000), "{verdict:?}");
        let sum = first_cell(&mut client, &format!("SELECT SUM(LENGTH(b)) FROM {name}")).await?;
        expect("sum", &sum.as_deref(), &Some("990000"))?;
        // An error of the server shows at the end of the file.
        client
            .command(|session, cx| {
                session.allow_infile(true);
                session.query(sql.replace("FIELDS", "(nope) FIELDS"), cx)
            })
            .await?;
        let first = client.next_event().await?;
        ensure!(matches!(&first, Some(Event::Err(_))), "{first:?}");
        drop_table(client, &name).await
    })
}

/// What the server tells of the session, of every kind.
fn session_state(context: &Context) -> Result<()> {
    context.run(async {
        let mut client = connect(context, |options| options).await?;
        let mariadb = context.server()?.is_mariadb();
        let name = table(&mut client, "a INT").await?;
        for variable in ["schema = 1", "state_change = 1", "transaction_info = 'CHARACTERISTICS'"] {
            client.query_drop(&format!("SET SESSION session_track_{variable}")).await?;
        }
        client.query_drop("SET SESSION session_track_system_variables = '*'").await?;
        if !mariadb {
            client.query_drop("SET SESSION session_track_gtids = 'OWN_GTID'").await?;
        }
        let told = told(&mut client, "USE porp_client").await?;
        ensure!(told.iter().any(|told| told == "schema porp_client"), "{told:?}");
        let told =
            self::told(&mut client, "SET SESSION sort_buffer_size = 123456, time_zone = '+01:00'").await?;
        for variable in ["sort_buffer_size=123456", "time_zone=+01:00"] {
            ensure!(told.iter().any(|told| told == variable), "{told:?}");
        }
        ensure!(told.iter().any(|told| told == "changed"), "{told:?}");
        let told = self::told(&mut client, "START TRANSACTION READ WRITE").await?;
        ensure!(told.iter().any(|told| told == "active T_______"), "{told:?}");
        ensure!(told.iter().any(|told| told == "again START TRANSACTION READ WRITE;"), "{told:?}");
        let told = self::told(&mut client, &format!("INSERT INTO {name} VALUES (1)")).await?;
        ensure!(told.iter().any(|told| told == "active written T___W___"), "{told:?}");
        let told = self::told(&mut client, &format!("SELECT a FROM {name}")).await?;
        ensure!(told.iter().any(|told| told == "active read written T_R_W_S_"), "{told:?}");
        let told = self::told(&mut client, "COMMIT").await?;
        ensure!(
            told.iter().any(|told| told == "________") && told.iter().any(|told| told == "again "),
            "{told:?}"
        );
        expect("gtid", &told.iter().any(|told| told.starts_with("gtid ")), &!mariadb)?;
        // Nobody knows a kind that this one does not.
        ensure!(!told.iter().any(|told| told == "unknown"), "{told:?}");
        client.query_drop("SET SESSION session_track_system_variables = ''").await?;
        drop_table(client, &name).await
    })
}

/// What a statement's replies tell of the session.
async fn told(client: &mut Client, sql: &str) -> Result<Vec<String>> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let mut told = Vec::new();
    for event in events(client, |session, cx| session.query(sql, cx)).await? {
        let state = match &event {
            Event::Ok(ok) => ok.session_state(),
            Event::End(end) => end.session_state(),
            Event::Err(err) => bail!("{sql}: {err}"),
            _ => continue,
        };
        for change in state {
            told.push(match change? {
                StateChange::SystemVariable { name, value, .. } => format!("{}={}", text(name), text(value)),
                StateChange::Schema(schema) => format!("schema {}", text(schema)),
                StateChange::StateChange(true) => "changed".into(),
                StateChange::StateChange(false) => "unchanged".into(),
                StateChange::Gtids { text: gtids, .. } => format!("gtid {}", text(gtids)),
                StateChange::TransactionCharacteristics(sql) => format!("again {}", text(sql)),
                StateChange::TransactionState(state) => {
                    let words = [
                        ("active ", state.is_active()),
                        ("read ", state.has_read()),
                        ("written ", state.has_written()),
                    ];
                    let words: String = words.iter().filter(|(_, is)| *is).map(|(word, _)| *word).collect();
                    format!("{words}{state}")
                }
                _ => "unknown".into(),
            });
        }
    }
    Ok(told)
}
