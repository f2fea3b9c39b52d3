//! What a session streams, and what it is given along with a statement, on real servers.

use anyhow::{Context as _, Result, bail, ensure};
use porpoise::Client;
use porpoise::classic::{
    BinlogDump, CapabilityFlags, Columns, Encoding, Event, Execute, GtidSet, RegisterReplica, RowPiece,
    RowReader,
};
use porpoise::value::{Placeholders, ToValue};

use crate::client::{connect, drop_table, table};
use crate::session_commands::{err, events, ok, prepare, rows, sent};
use crate::suite::{Cell, Context, MARIADB, MYSQL, Runner, Suite, Test, Transport, expect, first_cell};

pub(crate) fn add(suite: &mut Suite) {
    let mysql: &[(&str, Test)] =
        &[("query-attributes", query_attributes), ("kept-columns", kept_columns), ("binlog", binlog)];
    suite.add_tests("stream", Transport::Unix, MYSQL, mysql);
    suite.add_tests("stream", Transport::Unix, MYSQL, &[("big-rows", big_rows)]);
    for server in MARIADB {
        suite.add_tests(&format!("stream::{server}"), Transport::Unix, server, &[("big-rows", big_rows)]);
        let cell = Cell::new(Runner::Tokio, Transport::Unix, server);
        suite.add(format!("stream::{server}::no-progress"), cell, no_progress);
    }
}

/// Cells larger than what is kept, over plain and binary rows, and around the size of a frame.
fn big_rows(context: &Context) -> Result<()> {
    context.run(async {
        let mut client = connect(context, |options| options).await?;
        let id = prepare(&mut client, "SELECT 7, REPEAT('x', ?), NULL, 'end'").await?.statement_id;
        let max = first_cell(&mut client, "SELECT @@max_allowed_packet").await?.context("no limit")?;
        let max: usize = max.parse()?;
        for size in [10, 100_000, 0xff_ffff - 20, 0xff_ffff, 20_000_000] {
            if size > max {
                // REPEAT gives NULL.
                continue;
            }
            for binary in [false, true] {
                let params = (size,);
                let execute = Execute::new(id, Placeholders::positional(1), &params);
                client
                    .command(|session, cx| {
                        session.stream_rows(Some(1000));
                        if binary {
                            sent(session.stmt_execute_with(&execute, cx))
                        } else {
                            session.query(format!("SELECT 7, REPEAT('x', {size}), NULL, 'end'"), cx)
                        }
                    })
                    .await?;
                let found = big_row(&mut client).await?;
                let seven: &[u8] = if !binary {
                    b"7"
                } else if context.server()?.is_mariadb() {
                    &[7, 0, 0, 0]
                } else {
                    &[7, 0, 0, 0, 0, 0, 0, 0]
                };
                let cells: Vec<_> = found.iter().map(|cell| cell.as_deref()).collect();
                let [Some(first), Some(big), None, Some(b"end")] = cells[..] else {
                    bail!("{} cells", cells.len())
                };
                expect("the first", &first, &seven)?;
                ensure!(big.len() == size && big.iter().all(|byte| *byte == b'x'), "{} bytes", big.len());
            }
        }
        Ok(client.close().await?)
    })
}

/// The cells of the only row of a result.
async fn big_row(client: &mut Client) -> Result<Vec<Option<Vec<u8>>>> {
    let (mut cells, mut defined, mut reader) = (Vec::new(), Columns::default(), None::<RowReader>);
    while let Some(event) = client.next_event().await? {
        match event {
            Event::Columns(columns) => defined = columns,
            Event::Rows(batch) => {
                for row in &batch {
                    reader = Some(RowReader::new(defined.clone(), row.encoding()));
                    for cell in row {
                        cells.push(cell?.map(<[u8]>::to_vec));
                    }
                }
            }
            Event::RowPart(part) => {
                let binary = Encoding::Binary;
                let text = Encoding::Text;
                let encoding = if part.bytes.first() == Some(&0) && part.first { binary } else { text };
                let reader = reader.get_or_insert_with(|| RowReader::new(defined.clone(), encoding));
                reader.push(part.bytes, part.last);
                while let Some(piece) = reader.next_piece()? {
                    match piece {
                        RowPiece::Null { .. } => cells.push(None),
                        RowPiece::Cell { .. } => cells.push(Some(Vec::new())),
                        RowPiece::Bytes(bytes) => {
                            let cell = cells.last_mut().and_then(Option::as_mut).context("no cell")?;
                            cell.extend_from_slice(&bytes);
                        }
                        _ => {}
                    }
                }
            }
            Event::End(_) => {}
            other => bail!("{other:?}"),
        }
    }
    Ok(cells)
}

/// MariaDB tells the progress of long statements in packets of its own, to those alone who asked for them.
fn no_progress(context: &Context) -> Result<()> {
    context.run(async {
        let mut client = connect(context, |options| options).await?;
        client.query_drop("SET SESSION progress_report_time = 1").await?;
        let name = table(&mut client, "a INT").await?;
        client.query_drop(&format!("INSERT INTO {name} SELECT seq FROM porp_client.seq_1_to_1500")).await?;
        // A default that takes a while for each row.
        let default = "SHA2(REPEAT('x', 1000000), 512)";
        let sql = format!("ALTER TABLE {name} ADD b CHAR(128) DEFAULT ({default}), ALGORITHM = COPY");
        let reply = events(&mut client, |session, cx| session.query(&sql, cx)).await?;
        ensure!(matches!(reply[..], [Event::Ok(_)]), "{reply:?}");
        drop_table(client, &name).await
    })
}

fn query_attributes(context: &Context) -> Result<()> {
    context.run(async {
        let mut client = connect(context, |options| options).await?;
        // The component that reads them is for all sessions: one test at a time.
        first_cell(&mut client, "SELECT GET_LOCK('porpoise query attributes', 60)").await?;
        client.query_drop("INSTALL COMPONENT 'file://component_query_attributes'").await?;
        let result = read_attributes(&mut client).await;
        client.query_drop("UNINSTALL COMPONENT 'file://component_query_attributes'").await?;
        result?;
        Ok(client.close().await?)
    })
}

async fn read_attributes(client: &mut Client) -> Result<()> {
    const READ: &str =
        "SELECT CONCAT_WS('|', mysql_query_attribute_string('k'), mysql_query_attribute_string('n'))";
    let attributes: [(&str, &dyn ToValue); 3] = [("k", &"v"), ("n", &-7), ("none", &None::<i32>)];
    let found = events(client, |s, cx| sent(s.query_with(READ, &attributes, cx))).await?;
    expect("of a query", &rows(&found)?.0, &vec![b"v|-7".to_vec()])?;
    let found = events(client, |s, cx| s.query(READ, cx)).await?;
    expect("of the next", &rows(&found)?.0, &vec![b"".to_vec()])?;
    let id = prepare(client, READ).await?.statement_id;
    let execute = Execute::new(id, Placeholders::positional(0), &()).attributes(&attributes);
    let found = events(client, |s, cx| sent(s.stmt_execute_with(&execute, cx))).await?;
    expect("of an execution", &rows(&found)?.0, &vec![b"v|-7".to_vec()])?;
    let sql = "SELECT CONCAT_WS('|', ?, mysql_query_attribute_string('k'), ?)";
    let id = prepare(client, sql).await?.statement_id;
    let params = ("a", "b");
    let execute = Execute::new(id, Placeholders::positional(2), &params).attributes(&attributes).cursor(true);
    let opened = events(client, |s, cx| sent(s.stmt_execute_with(&execute, cx))).await?;
    let Some(Event::Columns(columns)) = opened.first() else { bail!("{opened:?}") };
    let found = events(client, |s, cx| s.stmt_fetch(id, 2, columns, cx)).await?;
    expect("with parameters and a cursor", &rows(&found)?.0, &vec![b"a|v|b".to_vec()])
}

/// Result sets without definitions, and a schema that changes under them.
fn kept_columns(context: &Context) -> Result<()> {
    let optional = CapabilityFlags::CLIENT_OPTIONAL_RESULTSET_METADATA;
    context.run(async {
        let mut client = connect(context, |options| options.connect(|c| c.with(optional))).await?;
        let name = table(&mut client, "a INT, b VARCHAR(20)").await?;
        client.query_drop(&format!("INSERT INTO {name} VALUES (7, 'seven')")).await?;
        let statement = prepare(&mut client, &format!("SELECT * FROM {name}")).await?;
        client.query_drop("SET resultset_metadata = NONE").await?;
        let (id, kept) = (statement.statement_id, statement.columns);
        let execute = Execute::new(id, Placeholders::positional(0), &()).columns(&kept);
        let found = events(&mut client, |s, cx| sent(s.stmt_execute_with(&execute, cx))).await?;
        expect("rows", &rows(&found)?.0, &vec![vec![7, 0, 0, 0]])?;
        let without = prepare(&mut client, "SELECT 1, 2").await?;
        ensure!(!without.columns.is_defined() && without.columns.len() == 2, "{without:?}");
        client.query_drop(&format!("ALTER TABLE {name} ADD c INT")).await?;
        let found = events(&mut client, |s, cx| sent(s.stmt_execute_with(&execute, cx))).await?;
        let [Event::ColumnsChanged(changed), Event::End(_)] = &found[..] else { bail!("{found:?}") };
        expect("kept, sent", &(changed.kept, changed.sent), &(2, 3))?;
        client.query_drop(&format!("ALTER TABLE {name} DROP c, MODIFY a BIGINT")).await?;
        let found = events(&mut client, |s, cx| sent(s.stmt_execute_with(&execute, cx))).await?;
        let Some(Event::Rows(batch)) = found.get(1) else { bail!("{found:?}") };
        let row = batch.iter().next().context("no row")?;
        ensure!(row.iter().any(|cell| cell.is_err()), "a row of other types is noticed");
        drop_table(client, &name).await
    })
}

/// What a replica says that takes events as they are.
const WITHOUT_CHECKSUMS: &str = "SET @source_binlog_checksum = 'NONE'";

fn binlog(context: &Context) -> Result<()> {
    context.run(async {
        let mut client = connect(context, |options| options).await?;
        let name = table(&mut client, "a INT").await?;
        let replica =
            RegisterReplica { server_id: 990_000 + client.connection_id(), ..RegisterReplica::default() };
        let file = first_cell(&mut client, "SHOW BINARY LOG STATUS").await?.context("no binary log")?;
        let before: GtidSet =
            first_cell(&mut client, "SELECT @@gtid_executed").await?.context("none")?.parse()?;
        client.query_drop(&format!("INSERT INTO {name} VALUES (1)")).await?;
        client.query_drop(WITHOUT_CHECKSUMS).await?;
        ok(&mut client, |session, cx| session.register_replica(&replica, cx)).await?;
        let dump = BinlogDump::new(replica.server_id).from(file.as_bytes(), 4).flags(BinlogDump::NON_BLOCK);
        // From where the file begins: rotate, format, GTID, query, table, rows, commit, ...
        let all = events(&mut client, |session, cx| session.binlog_dump(&dump, cx)).await?;
        let (all, ended) = event_types(&all)?;
        ensure!(ended && all.starts_with(&[4, 15]) && all.contains(&19) && all.contains(&30), "{all:?}");
        // The server serves nothing else after a dump.
        let then = client.command(|session, cx| session.ping(cx)).await;
        ensure!(then.is_err_and(|error| error.code() == 2006), "a command after a dump");
        // What is not in the set.
        let mut client = connect(context, |options| options).await?;
        client.query_drop(WITHOUT_CHECKSUMS).await?;
        let dump = BinlogDump::new(replica.server_id).flags(BinlogDump::NON_BLOCK);
        let few = events(&mut client, |session, cx| session.binlog_dump_gtid(&dump, &before, cx)).await?;
        let (few, ended) = event_types(&few)?;
        ensure!(ended && few.contains(&30) && few.len() <= all.len(), "{few:?}");
        let mut client = connect(context, |options| options).await?;
        let dump = BinlogDump::new(1_000_000_000).from(b"nope.000001", 4);
        err(&mut client, 1236, |session, cx| session.binlog_dump(&dump, cx)).await?;
        let client = connect(context, |options| options).await?;
        drop_table(client, &name).await
    })
}

/// The types of binary log events, and whether the log has an end.
fn event_types(events: &[Event]) -> Result<(Vec<u8>, bool)> {
    let mut types = Vec::new();
    for event in events {
        match event {
            // int<4> timestamp | int<1> type | int<4> server id | int<4> size of all
            Event::Binlog(event) => {
                let size = event.get(9..13).and_then(|size| size.try_into().ok()).map(u32::from_le_bytes);
                expect("size", &size.map(|size| size as usize), &Some(event.len()))?;
                types.push(event.get(4).copied().unwrap_or_default());
            }
            Event::End(_) => {}
            other => bail!("{other:?}"),
        }
    }
    Ok((types, matches!(events.last(), Some(Event::End(_)))))
}
