//! Results that begin as the last one did, or nearly so.

use porpoise_classic::{CapabilityFlags, Event};

use crate::support::{Act, Exchange, LONG, MODERN, Reply, Told, WITH_EOF, column, play_every_way, t1};

const OPTIONAL: CapabilityFlags = MODERN.union(CapabilityFlags::CLIENT_OPTIONAL_RESULTSET_METADATA);

/// A result of these columns with one row of texts, and what ends it.
fn result(reply: Reply, capabilities: CapabilityFlags, columns: &[&[u8]], status: u8) -> Reply {
    let count = u8::try_from(columns.len()).unwrap();
    let optional = capabilities.contains(CapabilityFlags::CLIENT_OPTIONAL_RESULTSET_METADATA);
    let head: &[u8] = if optional { &[count, 1] } else { &[count] };
    let reply = columns.iter().fold(reply.packet(head), |reply, column| reply.packet(column));
    let row = vec![Some("7"); columns.len()];
    if capabilities.contains(CapabilityFlags::CLIENT_DEPRECATE_EOF) {
        return reply.row(&row).end(status);
    }
    reply.eof(status).row(&row).eof(status)
}

/// The columns of each result, and how many events and rows there were in all.
fn told(capabilities: CapabilityFlags, script: &[Exchange]) -> (Vec<Vec<String>>, usize) {
    let outcome = play_every_way(capabilities, script);
    let columns = outcome.told.iter().filter_map(|told| match told {
        Told::Event(Event::Columns(columns)) => {
            Some(columns.iter().map(|column| String::from_utf8_lossy(column.name()).into_owned()).collect())
        }
        _ => None,
    });
    (columns.collect(), outcome.told.len())
}

#[test]
fn columns_are_those_that_came_whatever_came_before() {
    let [a, b] = t1();
    let c = column("odb", "t1", "c", LONG);
    for capabilities in [MODERN, WITH_EOF, OPTIONAL] {
        let query =
            |columns: &[&[u8]]| (Act::Query("SELECT"), result(Reply::new(), capabilities, columns, 2));
        let sequence: [&[&[u8]]; 9] =
            [&[&a, &b], &[&a, &b], &[&a], &[&a], &[&a, &b], &[&a, &c], &[&a, &c], &[&b], &[&a, &b]];
        let script: Vec<_> = sequence.iter().map(|columns| query(columns)).collect();
        let (columns, events) = told(capabilities, &script);
        let names = ["ab", "ab", "a", "a", "ab", "ac", "ac", "b", "ab"];
        assert_eq!(columns.iter().map(|names| names.concat()).collect::<Vec<_>>(), names);
        // Columns, a row, the end; and idle.
        assert_eq!(events, 4 * names.len());
    }
}

#[test]
fn further_results_have_other_ids() {
    let [a, b] = t1();
    let two = |columns: &[&[u8]]| {
        (Act::Query("CALL p()"), result(result(Reply::new(), MODERN, columns, 10), MODERN, columns, 2))
    };
    let (columns, events) = told(MODERN, &[two(&[&a]), two(&[&a]), two(&[&a, &b]), two(&[&a, &b])]);
    let names: Vec<_> = columns.iter().map(|names| names.concat()).collect();
    assert_eq!(names, ["a", "a", "a", "a", "ab", "ab", "ab", "ab"]);
    assert_eq!(events, 4 * (2 * 3 + 1));
}

#[test]
fn the_same_bytes_with_a_wrong_id_are_an_error() {
    let [a, _] = t1();
    let first = (Act::Query("SELECT"), result(Reply::new(), MODERN, &[&a], 2));
    let wrong = (Act::Query("SELECT"), result(Reply::new().id(2), MODERN, &[&a], 2));
    let outcome = play_every_way(MODERN, &[first, wrong]);
    assert!(matches!(outcome.told.last(), Some(Told::Failed(_))), "{:?}", outcome.told);
}

#[test]
fn a_field_list_is_no_result() {
    let [a, _] = t1();
    let list = (Act::FieldList("t1"), Reply::new().packet(&a).end(2));
    let query = (Act::Query("SELECT"), result(Reply::new(), MODERN, &[&a], 2));
    // What a list begins with is no column count, though it came just so before.
    let bad = (Act::Query("SELECT"), Reply::new().packet(&a).end(2));
    let outcome = play_every_way(MODERN, &[list.clone(), query, list, bad]);
    assert!(matches!(outcome.told.last(), Some(Told::Failed(_))), "{:?}", outcome.told);
}

#[test]
fn without_definitions_their_eof_comes_all_the_same() {
    let optional = WITH_EOF.union(CapabilityFlags::CLIENT_OPTIONAL_RESULTSET_METADATA);
    // Two columns, no metadata; EOF, a row, EOF
    let reply = Reply::new().packet([2, 0]).eof(2).row(&[Some("7"), None]).eof(2);
    // COM_STMT_PREPARE_OK: id 1 | columns 2 | params 1 | filler | warnings 0 | no metadata; two EOFs
    let prepared = Reply::new().packet([0, 1, 0, 0, 0, 2, 0, 1, 0, 0, 0, 0, 0]).eof(2).eof(2);
    let script = [(Act::Query("SELECT"), reply), (Act::Prepare("SELECT ?"), prepared)];
    let told = play_every_way(optional, &script).told;
    let [
        Told::Event(Event::Columns(columns)),
        Told::Row(..),
        Told::Event(Event::End(_)),
        Told::Idle,
        rest @ ..,
    ] = &told[..]
    else {
        panic!("{told:?}")
    };
    assert_eq!((columns.len(), columns.is_defined()), (2, false));
    let [Told::Event(Event::Prepared(prepared)), Told::Idle] = rest else { panic!("{rest:?}") };
    let known = [&prepared.params, &prepared.columns].map(|found| (found.len(), found.is_defined()));
    assert_eq!(known, [(1, false), (2, false)]);
}
