//! The scenarios of MySQL's own client that reach the command phase, against the same packets.

use porpoise_classic::CapabilityFlags;
use porpoise_value::Value;

use crate::support::{
    Act, Arg, Exchange, LONG, MODERN, Reply, VAR_STRING, WITH_EOF, column, play_every_way, short, t1,
};

/// The lines of a recording that tell of events after the connect stages.
fn recorded(jsonl: &str) -> Vec<String> {
    let (_, commands) = jsonl.split_once("PREP_INIT_COMMANDS").unwrap();
    commands.lines().filter(|line| line.starts_with("{\"t\": \"event\"")).map(str::to_owned).collect()
}

fn assert_golden(jsonl: &str, capabilities: CapabilityFlags, script: &[Exchange]) {
    let outcome = play_every_way(capabilities, script);
    let recorded = recorded(jsonl);
    assert!(recorded.len() > 3);
    assert_eq!(outcome.trace, recorded);
    assert_eq!(outcome.illegal, 0);
}

macro_rules! golden {
    ($($name:ident, $file:literal, $capabilities:expr, $script:expr;)*) => {$(
        #[test]
        fn $name() {
            let recording = include_str!(concat!("../../../../tests/golden/", $file, ".jsonl"));
            assert_golden(recording, $capabilities, &$script);
        }
    )*};
}

fn quit() -> Exchange {
    (Act::Quit, Reply::none())
}

fn one_column(name: &str) -> Reply {
    Reply::new().columns(&[&column("", "", name, LONG)])
}

fn select_1() -> Exchange {
    (Act::Query("select 1"), one_column("1").row(&[Some("1")]).end(2))
}

fn ok(sql: &'static str) -> Exchange {
    (Act::Query(sql), Reply::new().ok(2))
}

/// The five rows of `odb.t1`.
fn t1_rows(reply: Reply) -> Reply {
    [("1", Some("one")), ("2", Some("two")), ("3", None), ("4", Some("")), ("5", Some("five"))]
        .into_iter()
        .fold(reply, |reply, (a, b)| reply.row(&[Some(a), b]))
}

fn t1_columns() -> Reply {
    let [a, b] = t1();
    Reply::new().columns(&[&a, &b])
}

fn syntax_error(near: &str) -> Reply {
    let text = format!(
        "You have an error in your SQL syntax; check the manual that corresponds to your MySQL server version for \
         the right syntax to use near '{near}' at line 1"
    );
    Reply::new().err(1064, "42000", &text)
}

fn no_table() -> Reply {
    Reply::new().err(1146, "42S02", "Table 'odb.nope' doesn't exist")
}

golden! {
    ping, "cmd-ping", MODERN, [(Act::Ping, Reply::new().ok(2)), quit()];
    text_resultset, "cmd-text-resultset-use", MODERN, [
        (Act::Query("select a,b from t1 order by a"), t1_rows(t1_columns()).end(2)), quit()];
    empty_resultset, "cmd-empty-resultset", MODERN, [
        (Act::Query("select a,b from t1 where a>99"), t1_columns().end(2)), quit()];
    error, "cmd-error", MODERN, [
        (Act::Query("selec 1"), syntax_error("selec 1")), select_1(),
        (Act::Query("select * from nope"), no_table()), quit()];
    infile_refused, "cmd-infile-refused", MODERN, [
        (Act::Query("load data local infile 'ok.txt' into table inf"), Reply::new().packet(b"\xfbok.txt")
            .client_packet().ok_info(0, 0, "Records: 0  Deleted: 0  Skipped: 0  Warnings: 0")),
        select_1(), quit()];
    infile_ok, "cmd-infile-ok", MODERN, [
        (Act::Load("load data local infile 'ok.txt' into table inf fields terminated by ','", &[b"1,a\n2,b\n"]),
            Reply::new().packet(b"\xfbok.txt").client_packet().client_packet()
                .ok_info(2, 0, "Records: 2  Deleted: 0  Skipped: 0  Warnings: 0")),
        quit()];
    kill_query, "cmd-kill-query", MODERN, [
        (Act::Query("select 1 from t1 where sleep(5)"),
            one_column("1").err(1317, "70100", "Query execution was interrupted")),
        (Act::Ping, Reply::new().ok(2)), quit()];
    multi_resultset, "cmd-multi-resultset", MODERN, [
        (Act::Query("select 1; set @a=2; select a from t1 where a<3; select 3"), {
            let reply = one_column("1").row(&[Some("1")]).end(10).ok(10);
            let reply = reply.columns(&[&t1()[0]]).row(&[Some("1")]).row(&[Some("2")]).end(10);
            reply.columns(&[&column("", "", "3", LONG)]).row(&[Some("3")]).end(2)
        }), quit()];
    ok_packets, "cmd-ok", MODERN, [
        ok("set @x=1"),
        (Act::Query("insert into big(t) values('x'),('y')"),
            Reply::new().ok_info(2, 1, "Records: 2  Duplicates: 0  Warnings: 0")),
        (Act::Query("delete from big"), Reply::new().packet([0, 2, 0, 34, 0, 0, 0])),
        (Act::Query(""), Reply::new().err(1065, "42000", "Query was empty")), quit()];
    reset_connection, "cmd-reset-connection", MODERN, [
        ok("set @a=1"), (Act::Reset, Reply::new().ok(2)),
        (Act::Query("select @a"), one_column("@a").row(&[None]).end(2)), quit()];
    init_one, "init-one", MODERN, [
        ok("set @a=1"), (Act::Query("select @a"), one_column("@a").row(&[Some("1")]).end(2)), quit()];
    init_second_fails, "init-second-fails", MODERN, [
        ok("set @a=1"), (Act::Query("select * from odb.nope"), no_table()), (Act::Close, Reply::none())];
    init_three_resultset, "init-three-resultset", MODERN, [
        ok("set @a=1"),
        (Act::Query("select a from odb.t1"), ["1", "2", "3", "4", "5"].into_iter()
            .fold(Reply::new().columns(&[&t1()[0]]), |reply, a| reply.row(&[Some(a)])).end(2)),
        ok("set @b=2"), quit()];
    eof_resultset, "eof-resultset", WITH_EOF, [
        (Act::Query("select a,b from t1 order by a"), t1_rows(t1_columns().eof(2)).eof(2)),
        (Act::Query("select a from t1 where a>99"), Reply::new().columns(&[&t1()[0]]).eof(2).eof(2)),
        (Act::Query("selec"), syntax_error("selec")), quit()];
    optional_metadata, "optional-metadata", MODERN.union(CapabilityFlags::CLIENT_OPTIONAL_RESULTSET_METADATA), [
        ok("set resultset_metadata=none"),
        (Act::Query("select a,b from odb.t1"), t1_rows(Reply::new().packet([2, 0])).end(34)), quit()];
    query_attributes, "query-attributes", MODERN, [
        (Act::QueryWith("select 1", &[("k1", "v1")]), one_column("1").row(&[Some("1")]).end(2)), quit()];
    ps_cursor, "ps-cursor", MODERN, ps_cursor_script();
    ps_long_data, "ps-long-data", MODERN, [
        (Act::Prepare("insert into big(t) values(?)"), prepared_insert()),
        (Act::LongData("hello"), Reply::none()), (Act::LongData(" world"), Reply::none()),
        (Act::Bound(false, vec![Arg::Long]), Reply::new().ok(2)),
        (Act::StmtReset, Reply::new().ok(2)), (Act::StmtClose, Reply::none()), quit()];
    ps_params_no_result, "ps-params-no-result", MODERN, [
        (Act::Prepare("insert into big(t) values(?)"), prepared_insert()),
        (Act::Bound(false, vec![Arg::Value(Value::Text("text".into()))]), Reply::new().ok(2)),
        (Act::Bound(false, vec![Arg::Value(Value::Null)]), Reply::new().ok(2)),
        (Act::StmtClose, Reply::none()), quit()];
    ps_params_result, "ps-params-result", MODERN, ps_params_result_script();
}

#[test]
fn statistics() {
    // The text's length differs from server to server, so it was not recorded.
    let script = [(Act::Statistics, Reply::new().packet(b"Uptime: 7")), quit()];
    let mut trace = play_every_way(MODERN, &script).trace;
    let mut recorded = recorded(include_str!("../../../../tests/golden/cmd-statistics.jsonl"));
    let (ours, theirs) = (trace.remove(3), recorded.remove(3));
    assert_eq!(trace, recorded);
    let same = "{\"t\": \"event\", \"stage\": \"WAIT_FOR_PACKET\", \"event\": \"PACKET_RECEIVED\"";
    assert!(ours.starts_with(same) && theirs.starts_with(same), "{ours} {theirs}");
}

/// Statement 1 takes one parameter and has no result.
fn prepared_insert() -> Reply {
    let prepared = [0x00, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0];
    Reply::new().packet(prepared).packet(column("", "", "?", VAR_STRING))
}

/// A row of `odb.t1` in binary: 00 | bitmap | `int<4>` | `string<lenenc>`
fn binary_row(a: u8, b: Option<&str>) -> Vec<u8> {
    let nulls = if b.is_none() { 1 << 3 } else { 0 };
    let mut row = vec![0x00, nulls, a, 0, 0, 0];
    if let Some(text) = b {
        row.push(short(text.len()));
        row.extend_from_slice(text.as_bytes());
    }
    row
}

fn ps_cursor_script() -> [Exchange; 7] {
    let [a, b] = t1();
    let prepared = [0x00, 1, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0];
    let (exists, last) = (0x42, 0x82);
    [
        (Act::Prepare("select a,b from t1 order by a"), Reply::new().packet(prepared).packet(&a).packet(&b)),
        (Act::Bound(true, vec![]), t1_columns().end(exists)),
        (
            Act::Fetch(2),
            Reply::new().packet(binary_row(1, Some("one"))).packet(binary_row(2, Some("two"))).end(exists),
        ),
        (Act::Fetch(2), Reply::new().packet(binary_row(3, None)).packet(binary_row(4, Some(""))).end(exists)),
        (Act::Fetch(2), Reply::new().packet(binary_row(5, Some("five"))).end(last)),
        (Act::StmtClose, Reply::none()),
        quit(),
    ]
}

fn ps_params_result_script() -> [Exchange; 5] {
    let [a, b] = t1();
    let prepared = [0x00, 1, 0, 0, 0, 2, 0, 1, 0, 0, 0, 0];
    let description =
        Reply::new().packet(prepared).packet(column("", "", "?", VAR_STRING)).packet(&a).packet(&b);
    let parameter = |value| vec![Arg::Value(Value::Int(value))];
    let rows = |reply: Reply, rows: &[(u8, &str)]| {
        rows.iter().fold(reply, |reply, (a, b)| reply.packet(binary_row(*a, Some(b)))).end(2)
    };
    [
        (Act::Prepare("select a,b from t1 where a>? and b is not null"), description),
        (Act::Bound(false, parameter(1)), rows(t1_columns(), &[(2, "two"), (4, ""), (5, "five")])),
        (Act::Bound(false, parameter(2)), rows(t1_columns(), &[(4, ""), (5, "five")])),
        (Act::StmtClose, Reply::none()),
        quit(),
    ]
}
