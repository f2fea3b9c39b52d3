//! Every change of the protocol stage that the command phase knows, and what is told on the way.

use std::collections::BTreeSet;

use porpoise_classic::{
    CapabilityFlags, ColumnType, Columns, Encoding, Event, RowError, StateChange, StatusFlags,
};
use porpoise_trace::ProtocolStage;

use crate::support::{
    Act, Exchange, Feed, LONG, MODERN, Outcome, Reply, Told, VAR_STRING, WITH_EOF, column, play,
    play_every_way, t1,
};

const OPTIONAL: CapabilityFlags = MODERN.union(CapabilityFlags::CLIENT_OPTIONAL_RESULTSET_METADATA);

fn event(outcome: &Outcome, index: usize) -> &Event {
    match &outcome.told[index] {
        Told::Event(event) => event,
        other => panic!("{other:?}"),
    }
}

fn columns(outcome: &Outcome, index: usize) -> &Columns {
    match event(outcome, index) {
        Event::Columns(columns) => columns,
        other => panic!("{other:?}"),
    }
}

fn text_row(cells: &[Option<&str>]) -> Told {
    Told::Row(
        Encoding::Text,
        cells.iter().map(|cell| Ok(cell.map(|text| text.as_bytes().to_vec()))).collect(),
    )
}

/// COM_STMT_PREPARE_OK of statement 1.
fn prepared(columns: u8, params: u8) -> Reply {
    Reply::new().packet([0x00, 1, 0, 0, 0, columns, 0, params, 0, 0, 3, 0])
}

fn param() -> Vec<u8> {
    column("", "", "?", VAR_STRING)
}

/// Scripts that together take every edge.
fn scripts() -> Vec<(CapabilityFlags, Vec<Exchange>)> {
    let [a, b] = t1();
    let columns = || Reply::new().columns(&[&a, &b]);
    let row = [Some("1"), Some("one")];
    let binary = b"\x00\x00\x01\x00\x00\x00\x03one";
    let infile = || Reply::new().packet(b"\xfb/etc/passwd").client_packet();
    vec![
        (
            MODERN,
            vec![
                (Act::Statistics, Reply::new().packet("Uptime: 1")),
                (
                    Act::Query("select * from t1; select * from t1"),
                    columns().row(&row).end(10).columns(&[&a, &b]).end(2),
                ),
                (Act::Query("load data local infile"), infile().ok(2)),
                (Act::FieldList("t1"), Reply::new().packet(&a).packet(&b).end(2)),
                (Act::Prepare("do 1"), prepared(0, 0)),
                (Act::Prepare("do ?"), prepared(0, 1).packet(param())),
                (Act::Prepare("select 1"), prepared(1, 0).packet(&a)),
                (Act::Prepare("select ?"), prepared(1, 1).packet(param()).packet(&a)),
                (Act::Execute(1, Vec::new()), columns().end(0x42)),
                (Act::Fetch(1), Reply::new().packet(binary).end(0x82)),
                (Act::Quit, Reply::none()),
            ],
        ),
        (OPTIONAL, vec![(Act::Query("select * from t1"), Reply::new().packet([2, 0]).row(&row).end(2))]),
    ]
}

#[test]
fn every_observed_edge_of_the_command_phase_is_taken() {
    // The command phase neither connects nor authenticates.
    let ours = |stage: &ProtocolStage| *stage >= ProtocolStage::ReadyForCommand;
    let mut taken = BTreeSet::new();
    for (capabilities, script) in scripts() {
        let outcome = play_every_way(capabilities, &script);
        assert_eq!(outcome.illegal, 0);
        let stage = |line: &String| ProtocolStage::from_name(line.split('"').nth(7).unwrap()).unwrap();
        let stages: Vec<_> = outcome.trace.iter().map(stage).collect();
        taken.extend(stages.windows(2).filter(|pair| pair[0] != pair[1]).map(|pair| (pair[0], pair[1])));
    }
    let known: BTreeSet<_> = ProtocolStage::ALL
        .into_iter()
        .flat_map(|from| from.observed_next().iter().map(move |to| (from, *to)))
        .filter(|(from, to)| ours(from) && ours(to))
        .collect();
    assert!(known.len() > 15);
    assert_eq!(taken, known);
}

#[test]
fn a_text_result_set_and_more_results() {
    let [a, b] = t1();
    let reply = Reply::new().columns(&[&a, &b]).row(&[Some("1"), None]).row(&[None, Some("")]).end(10);
    let reply = reply.ok_info(7, 3, "Rows matched: 7").end(2);
    // The second result's OK has status 2, so nothing more is owed and what follows comes unasked.
    let outcome = play(MODERN, &[(Act::Query("two"), reply)], Feed::Whole);
    assert_eq!(columns(&outcome, 0).len(), 2);
    let first = columns(&outcome, 0).get(0).unwrap();
    assert_eq!((first.name(), first.schema(), first.table()), (&b"a"[..], &b"odb"[..], &b"t1"[..]));
    assert_eq!(columns(&outcome, 0).format(1).unwrap().column_type, ColumnType::VarString);
    assert_eq!(outcome.told[1..3], [text_row(&[Some("1"), None]), text_row(&[None, Some("")])]);
    let Event::End(end) = event(&outcome, 3) else { panic!() };
    assert!(end.has_more_results());
    let Event::Ok(ok) = event(&outcome, 4) else { panic!() };
    assert_eq!((ok.affected_rows(), ok.last_insert_id(), ok.info()), (7, 3, &b"Rows matched: 7"[..]));
    let error = "session lost in READY_FOR_COMMAND: no packet expected, a packet of 7 bytes came that starts with 0xfe";
    assert_eq!(outcome.told[5..], [Told::Failed(error.to_owned())]);
    // COM_QUERY | no attributes, one set | SQL
    assert_eq!(outcome.sent, *b"\x06\x00\x00\x00\x03\x00\x01two");
}

#[test]
fn without_query_attributes_the_sql_follows_at_once() {
    let capabilities = MODERN.difference(CapabilityFlags::CLIENT_QUERY_ATTRIBUTES);
    let outcome = play(capabilities, &[(Act::Query("two"), Reply::new().ok(2))], Feed::Whole);
    assert_eq!(outcome.sent, *b"\x04\x00\x00\x00\x03two");
}

#[test]
fn both_forms_of_the_end_say_the_same() {
    let query = Act::Query("select 1");
    let column = column("", "", "1", LONG);
    let columns = || Reply::new().columns(&[&column]);
    // warnings 5, status AUTOCOMMIT: the order differs
    let ok = columns().row(&[Some("1")]).packet([0xfe, 0, 0, 2, 0, 5, 0]);
    let eof = columns().eof(2).row(&[Some("1")]).packet([0xfe, 5, 0, 2, 0]);
    let modern = play_every_way(MODERN, &[(query.clone(), ok)]).told;
    assert_eq!(modern, play_every_way(WITH_EOF, &[(query.clone(), eof)]).told);
    // A proxy that agreed on one form and sends the other.
    let mixed = columns().row(&[Some("1")]).packet([0xfe, 5, 0, 2, 0]);
    assert_eq!(modern, play_every_way(MODERN, &[(query, mixed)]).told);
}

#[test]
fn commands_that_are_answered_by_eof() {
    for act in [Act::SetOption(true), Act::Debug] {
        let ok = play_every_way(MODERN, &[(act.clone(), Reply::new().end(2))]);
        let eof = play_every_way(WITH_EOF, &[(act, Reply::new().eof(2))]);
        assert_eq!(ok.told, eof.told);
        let Event::Ok(reply) = event(&ok, 0) else { panic!() };
        assert_eq!(reply.status(), StatusFlags::SERVER_STATUS_AUTOCOMMIT);
        assert_eq!(ok.told[1..], [Told::Idle]);
    }
}

#[test]
fn commands_are_encoded_as_documented() {
    let sent = |act| play(MODERN, &[(act, Reply::none())], Feed::Whole).sent;
    assert_eq!(sent(Act::Ping), [1, 0, 0, 0, 0x0e]);
    assert_eq!(sent(Act::Reset), [1, 0, 0, 0, 0x1f]);
    assert_eq!(sent(Act::Statistics), [1, 0, 0, 0, 0x09]);
    assert_eq!(sent(Act::Debug), [1, 0, 0, 0, 0x0d]);
    assert_eq!(sent(Act::Quit), [1, 0, 0, 0, 0x01]);
    assert_eq!(sent(Act::InitDb("odb")), *b"\x04\x00\x00\x00\x02odb");
    assert_eq!(sent(Act::SetOption(true)), [3, 0, 0, 0, 0x1b, 0, 0]);
    assert_eq!(sent(Act::SetOption(false)), [3, 0, 0, 0, 0x1b, 1, 0]);
    assert_eq!(sent(Act::ProcessKill(0x0102)), [5, 0, 0, 0, 0x0c, 2, 1, 0, 0]);
    assert_eq!(sent(Act::FieldList("t1")), *b"\x04\x00\x00\x00\x04t1\x00");
    assert_eq!(sent(Act::Prepare("do 1")), *b"\x05\x00\x00\x00\x16do 1");
    assert_eq!(sent(Act::Execute(1, vec![9])), [11, 0, 0, 0, 0x17, 1, 0, 0, 0, 1, 1, 0, 0, 0, 9]);
    assert_eq!(sent(Act::Fetch(5)), [9, 0, 0, 0, 0x1c, 1, 0, 0, 0, 5, 0, 0, 0]);
    assert_eq!(sent(Act::StmtReset), [5, 0, 0, 0, 0x1a, 1, 0, 0, 0]);
    assert_eq!(sent(Act::StmtClose), [5, 0, 0, 0, 0x19, 1, 0, 0, 0]);
    assert_eq!(sent(Act::LongData("x")), *b"\x08\x00\x00\x00\x18\x01\x00\x00\x00\x00\x00x");
}

#[test]
fn a_prepared_statement_in_all_its_forms() {
    let a = t1()[0].clone();
    for (columns, params) in [(0, 0), (0, 2), (1, 0), (1, 2)] {
        let definitions = |reply: Reply, count: u8, definition: &[u8], eof| {
            let reply = (0..count).fold(reply, |reply, _| reply.packet(definition));
            if eof && count > 0 { reply.eof(2) } else { reply }
        };
        let reply = |eof| {
            let reply = definitions(prepared(columns, params), params, &param(), eof);
            definitions(reply, columns, &a, eof)
        };
        let outcome = play_every_way(MODERN, &[(Act::Prepare("x"), reply(false))]);
        assert_eq!(outcome.told, play_every_way(WITH_EOF, &[(Act::Prepare("x"), reply(true))]).told);
        let Event::Prepared(statement) = event(&outcome, 0) else { panic!() };
        assert_eq!((statement.statement_id, statement.warnings), (1, 3));
        assert_eq!((statement.columns.len(), statement.params.len()), (columns.into(), params.into()));
        assert!(statement.columns.is_defined() && statement.params.is_defined());
        assert!(statement.params.iter().all(|param| param.name() == b"?"));
        assert_eq!(outcome.told[1..], [Told::Idle]);
    }
}

#[test]
fn a_prepared_statement_without_metadata() {
    let reply = Reply::new().packet([0x00, 1, 0, 0, 0, 2, 0, 1, 0, 0, 0, 0, 0]);
    let outcome = play_every_way(OPTIONAL, &[(Act::Prepare("x"), reply)]);
    let Event::Prepared(statement) = event(&outcome, 0) else { panic!() };
    assert_eq!((&statement.params, &statement.columns), (&Columns::undefined(1), &Columns::undefined(2)));
    assert_eq!(outcome.told[1..], [Told::Idle]);
}

#[test]
fn binary_rows_without_metadata_cannot_be_taken_apart() {
    let reply = Reply::new().packet([1, 0]).packet([0x00, 0x00, 1, 0, 0, 0]).end(2);
    let outcome = play_every_way(OPTIONAL, &[(Act::Execute(0, Vec::new()), reply)]);
    assert_eq!(columns(&outcome, 0), &Columns::undefined(1));
    assert_eq!(outcome.told[1], Told::Row(Encoding::Binary, vec![Err(RowError::NoDefinitions)]));
}

#[test]
fn an_eof_with_a_cursor_ends_definitions_and_result() {
    let a = t1()[0].clone();
    let script = [
        (Act::Execute(1, Vec::new()), Reply::new().columns(&[&a]).eof(0x62)),
        (Act::Fetch(1), Reply::new().packet([0x00, 0x00, 7, 0, 0, 0]).eof(0xa2)),
    ];
    let outcome = play_every_way(WITH_EOF, &script);
    let Event::End(end) = event(&outcome, 1) else { panic!() };
    assert!(end.status().contains(StatusFlags::SERVER_STATUS_CURSOR_EXISTS));
    assert_eq!(outcome.told[2], Told::Idle);
    assert_eq!(outcome.told[3], Told::Row(Encoding::Binary, vec![Ok(Some(vec![7, 0, 0, 0]))]));
    assert!(matches!(event(&outcome, 4), Event::End(_)));
}

#[test]
fn binary_rows_follow_an_eof_without_a_cursor() {
    let row = [0x00, 0x00, 7, 0, 0, 0];
    let reply = |eof| {
        let reply = Reply::new().columns(&[&t1()[0]]);
        if eof { reply.eof(2).packet(row).eof(2) } else { reply.packet(row).end(2) }
    };
    let execute = Act::Execute(0, Vec::new());
    let told = play_every_way(WITH_EOF, &[(execute.clone(), reply(true))]).told;
    assert_eq!(told[1], Told::Row(Encoding::Binary, vec![Ok(Some(vec![7, 0, 0, 0]))]));
    assert_eq!(told, play_every_way(MODERN, &[(execute, reply(false))]).told);
}

#[test]
fn a_field_list_has_default_values() {
    let [a, b] = t1();
    let list = Reply::new().packet([&a[..], b"\xfb"].concat()).packet([&b[..], b"\x01x"].concat());
    for (capabilities, reply) in [(MODERN, list.clone().end(2)), (WITH_EOF, list.eof(2))] {
        let outcome = play_every_way(capabilities, &[(Act::FieldList("t1"), reply)]);
        let defaults: Vec<_> = columns(&outcome, 0).iter().map(|column| column.default_value()).collect();
        assert_eq!(defaults, [None, Some(&b"x"[..])]);
        assert!(matches!(event(&outcome, 1), Event::End(_)));
        assert_eq!(outcome.told[2..], [Told::Idle]);
    }
    let outcome = play_every_way(MODERN, &[(Act::FieldList("nope"), Reply::new().err(1146, "42S02", "no"))]);
    assert!(matches!(event(&outcome, 0), Event::Err(_)));
    let outcome = play_every_way(MODERN, &[(Act::FieldList("t1"), Reply::new().end(2))]);
    assert!(columns(&outcome, 0).is_empty());
}

#[test]
fn an_err_ends_everything_wherever_it_comes() {
    let a = t1()[0].clone();
    let err = |reply: Reply| reply.err(1317, "70100", "interrupted");
    let replies = [
        (Act::Query("x"), Reply::new()),
        (Act::Query("x"), Reply::new().packet([2]).packet(&a)),
        (Act::Query("x"), Reply::new().columns(&[&a])),
        (Act::Query("x"), Reply::new().columns(&[&a]).row(&[Some("1")])),
        (Act::Query("x"), Reply::new().ok(10)),
        (Act::Prepare("x"), Reply::new()),
        (Act::Prepare("x"), prepared(1, 1)),
        (Act::FieldList("x"), Reply::new().packet(&a)),
        (Act::Statistics, Reply::new()),
        (Act::Ping, Reply::new()),
        (Act::Fetch(1), Reply::new()),
    ];
    for (act, reply) in replies {
        // What was collected before the error must not show in the next result.
        let next = (Act::Query("select 1"), Reply::new().columns(&[&a]).end(2));
        let outcome = play_every_way(MODERN, &[(act, err(reply)), next]);
        let [
            ..,
            Told::Event(Event::Err(last)),
            Told::Idle,
            Told::Event(Event::Columns(columns)),
            Told::Event(Event::End(_)),
            Told::Idle,
        ] = &outcome.told[..]
        else {
            panic!("{:?}", outcome.told)
        };
        assert_eq!((last.code(), columns.len()), (1317, 1));
        assert_eq!(outcome.illegal, 0);
    }
}

#[test]
fn a_refused_file_leaves_the_session_in_step() {
    let infile = || Reply::new().packet(b"\xfb/etc/passwd").client_packet();
    let next = (Act::Ping, Reply::new().ok(2));
    for act in [Act::Query("x"), Act::Execute(0, Vec::new())] {
        let outcome = play_every_way(MODERN, &[(act.clone(), infile().ok(2)), next.clone()]);
        let Event::InfileRefused(refused) = event(&outcome, 0) else { panic!() };
        assert_eq!(&*refused.file_name, b"/etc/passwd");
        assert_eq!(refused.client_error(), 2068);
        assert!(refused.verdict.is_ok());
        assert!(outcome.sent.ends_with(&[0, 0, 0, 2, 1, 0, 0, 0, 0x0e]), "an empty packet, then COM_PING");
        assert!(matches!(event(&outcome, 2), Event::Ok(_)));

        let outcome =
            play_every_way(MODERN, &[(act.clone(), infile().err(1148, "42000", "no")), next.clone()]);
        let Event::InfileRefused(refused) = event(&outcome, 0) else { panic!() };
        assert_eq!(refused.verdict.as_ref().unwrap_err().code(), 1148);

        let outcome = play_every_way(MODERN, &[(act, infile().ok(10).ok(2)), next.clone()]);
        assert!(matches!(event(&outcome, 1), Event::Ok(_)), "more results follow");
    }
}

#[test]
fn session_state_is_kept_and_the_character_set_followed() {
    // status AUTOCOMMIT | SESSION_STATE_CHANGED, info "", state: character_set_client = latin1
    let state = b"\x00\x1c\x14character_set_client\x06latin1";
    let mut payload = b"\x00\x00\x00\x02\x40\x00\x00\x00\x1e".to_vec();
    payload.extend_from_slice(state);
    let outcome = play_every_way(MODERN, &[(Act::Query("set names latin1"), Reply::new().packet(payload))]);
    let Event::Ok(ok) = event(&outcome, 0) else { panic!() };
    let changes: Vec<_> = ok.session_state().collect();
    assert!(matches!(
        changes[..],
        [Ok(StateChange::SystemVariable { name: b"character_set_client", value: b"latin1", .. })]
    ));
}

#[test]
fn a_row_of_several_frames() {
    let long = "x".repeat(0xff_ffff);
    // The cell's length takes four bytes, so that the row is longer than one frame.
    let mut payload = vec![0xfd, 0xff, 0xff, 0xff];
    payload.extend_from_slice(long.as_bytes());
    let reply = Reply::new().columns(&[&column("", "", "x", VAR_STRING)]).row(&[Some("short")]);
    let reply = reply.packet_in_frames(&payload).row(&[Some("short")]).end(2);
    let outcome = play(MODERN, &[(Act::Query("x"), reply)], Feed::Chunks(1 << 20));
    let short = text_row(&[Some("short")]);
    assert_eq!(outcome.told[1], short);
    assert!(outcome.told[2] == text_row(&[Some(&long)]));
    assert_eq!(outcome.told[3], short);
    assert!(matches!(event(&outcome, 4), Event::End(_)));
    let told = "\"PACKET_RECEIVED\", \"pkt_len\": 16777219, \"first\": \"fd\"}";
    assert_eq!(outcome.trace.iter().filter(|line| line.ends_with(told)).count(), 1);
}
