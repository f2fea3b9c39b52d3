//! Compression of X Protocol: each algorithm, in each way in which servers put messages together, much of it, and cut
//! wherever chance will have it.

use anyhow::{Context as _, Result, ensure};
use porpoise::trace::{Record, RecordEntry};
use porpoise_test_support::{XClient, XReply, statement};
use porpoise_xproto::connect::Use;
use porpoise_xproto::messages::connection::CapabilitiesSet;
use porpoise_xproto::messages::datatypes::Object;
use porpoise_xproto::{Algorithm, Event, ServerKind};

use super::capabilities::status;
use super::{live, number, options, transport, with, works};
use crate::suite::{Cell, Context, MYSQL, Runner, Suite, Transport, expect};

/// How a server puts messages together: whether those of several types, how many at most, and what comes then of
/// `SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3`: columns, rows, FetchDone and a notice, by their numbers.
type Style = (bool, i64, &'static [&'static [u8]]);

const STYLES: [Style; 5] = [
    (true, -1, &[&[12, 13, 13, 13, 14, 11]]),
    (false, -1, &[&[12], &[13, 13, 13], &[14], &[11]]),
    (false, 2, &[&[12], &[13, 13], &[13], &[14], &[11]]),
    (true, 1, &[&[12], &[13], &[13], &[13], &[14], &[11]]),
    (true, 2, &[&[12, 13], &[13, 13], &[14, 11]]),
];

pub(super) fn add(suite: &mut Suite) {
    for algorithm in Algorithm::ALL {
        let cell = Cell::new(Runner::Blocking, Transport::Unix, MYSQL);
        for (i, style) in STYLES.into_iter().enumerate() {
            let (mixed, most, _) = style;
            let name = format!("x_machine::compression::{algorithm}, mixed {mixed}, {most} at most");
            suite.add(name, cell, move |context| received(context, algorithm, style, i as u64));
        }
        let name = format!("x_machine::compression::{algorithm}, sent");
        suite.add(name, cell, move |context| sent(context, algorithm));
    }
    let cell = Cell::new(Runner::Blocking, Transport::Tls, MYSQL);
    suite.add("x_machine::compression::inside TLS", cell, inside_tls);
}

/// Opens a session with compression of that style. The connector knows no styles, so that this is done by hand.
fn agreed(client: &mut XClient<'_>, algorithm: Algorithm, style: Style) -> Result<()> {
    let (mixed, most, _) = style;
    let object = Object::default()
        .with("algorithm", algorithm.name())
        .with("server_combine_mixed_messages", mixed)
        .with("server_max_combine_messages", most);
    client.send(&CapabilitiesSet::default().with("compression", object))?;
    client
        .with(|machine, cx| machine.authenticate_start("PLAIN", Some(b"odb\0sha2all\0pw-sha2"), false, cx))?;
    client.reply()?.ok()?;
    client.reply()?.ok()?;
    ensure!(client.machine().is_compressed());
    Ok(())
}

/// The types of messages that came together, by the Compression messages that held them.
fn groups(record: &Record) -> Vec<Vec<u8>> {
    let mut groups: Vec<Vec<u8>> = Vec::new();
    for entry in record.take() {
        let RecordEntry::X { event: "MESSAGE_RECEIVED", kind: Some(kind), .. } = entry else { continue };
        match kind {
            _ if kind == ServerKind::COMPRESSION.number() => groups.push(Vec::new()),
            // It comes as it is.
            _ if kind == ServerKind::SQL_STMT_EXECUTE_OK.number() => {}
            _ => groups.last_mut().map_or((), |group| group.push(kind)),
        }
    }
    groups
}

/// Rows in such numbers, each of 32 digits again and again.
const ROWS: usize = 1000;
const TIMES: usize = 3200;

fn received(context: &Context, algorithm: Algorithm, style: Style, seed: u64) -> Result<()> {
    let mut wire = live(context.server()?, Transport::Unix)?.cut_by_chance(seed);
    let mut client = XClient::open(&mut wire, Default::default())?;
    agreed(&mut client, algorithm, style)?;
    let record = client.trace().clone();
    drop(record.take());
    let reply = client.sql("select 1 union all select 2 union all select 3")?.ok()?;
    expect("rows", &reply.rows.len(), &3)?;
    expect("what came together", &groups(&record), &style.2.iter().map(|group| group.to_vec()).collect())?;
    // However its columns come, a result is one.
    let reply = client.sql("select 1 as a, 'x' as b, null as c union all select 2, 'y', 3")?.ok()?;
    expect("columns", &reply.columns, &vec![["a", "b", "c"].map(str::to_owned).to_vec()])?;
    expect("rows", &reply.rows.len(), &2)?;
    client.sql("set cte_max_recursion_depth = 100000")?.ok()?;
    let sql = format!(
        "with recursive n (n) as (select 1 union all select n + 1 from n where n < {ROWS}) \
         select repeat(left(sha2(n, 256), 32), {TIMES}) from n"
    );
    client.send(&statement(&sql))?;
    let mut rows = 0;
    while client.machine().replies_owed() > 0 {
        match client.event()?.context("the end")? {
            Event::Rows(batch) => {
                for cell in batch.iter().flatten() {
                    let (last, text) = cell?.context("NULL")?.split_last().context("nothing")?;
                    ensure!(*last == 0 && text.len() == 32 * TIMES, "a value of {} bytes", text.len());
                    let (first, again) = text.split_at(32);
                    // Each part is as the one before.
                    ensure!(first.iter().all(u8::is_ascii_hexdigit) && text.starts_with(again));
                    rows += 1;
                }
            }
            Event::Error(error) => anyhow::bail!("{error}"),
            _ => {}
        }
        drop(record.take());
    }
    expect("rows", &rows, &ROWS)?;
    works(&mut client)?;
    client.close()?;
    drop(client);
    let len = wire.received();
    ensure!(len < ROWS * TIMES * 32 / 20, "{len} bytes came");
    Ok(())
}

/// Messages that are sent together are compressed together, small ones are not, and what is not alternates with what is.
fn sent(context: &Context, algorithm: Algorithm) -> Result<()> {
    let mut wire = live(context.server()?, Transport::Unix)?.cut_by_chance(7);
    let mut client = XClient::open(&mut wire, Default::default())?;
    agreed(&mut client, algorithm, STYLES[0])?;
    client.sql("create temporary table odb.porp (a int, b longtext)")?.ok()?;
    let before = status(&mut client, "mysqlx_bytes_received_compressed_payload")?;
    expect("small ones", &before, &0)?;
    for round in 0..20 {
        for i in 0..50 {
            let text = "dolphin ".repeat(round * i);
            client.send(&statement(&format!("insert into odb.porp values ({i}, '{text}')")))?;
        }
        let replies = client.replies()?;
        ensure!(replies.iter().all(|reply| reply.affected() == Some(1)) && replies.len() == 50);
        works(&mut client)?;
    }
    expect("rows", &number(&mut client, "select count(*) from odb.porp")?, &1000)?;
    let len: usize = (0..20).flat_map(|round| (0..50).map(move |i| round * i * 8)).sum();
    expect("bytes", &number(&mut client, "select sum(length(b)) from odb.porp")?, &(len as u64))?;
    let packed = status(&mut client, "mysqlx_bytes_received_compressed_payload")?;
    ensure!(packed > 0 && packed < len as u64 / 5, "{packed} of {len} bytes");
    // 10 MB in one message.
    let long = format!("select length('{}')", "0123456789".repeat(1 << 20));
    expect("10 MB", &client.sql(&long)?.ok()?.cell().map(<[u8]>::len), &Some(4))?;
    client.close()
}

fn inside_tls(context: &Context) -> Result<()> {
    let over = Transport::Tls;
    for algorithm in Algorithm::ALL {
        let options = with(options("sha2all", over)?, |options| {
            (options.compression, options.compression_algorithms) = (Use::Required, vec![algorithm]);
            (options.compression_level, options.compression_threshold) = (Some(1), 1);
        });
        let mut wire = live(context.server()?, over)?;
        let mut client = XClient::connect(&mut wire, transport(over), options)?;
        let long: XReply = client.sql("select repeat('dolphin ', 100000)")?.ok()?;
        expect("the value", &long.cell().map(<[u8]>::len), &Some(800_001))?;
        client.close()?;
    }
    Ok(())
}
