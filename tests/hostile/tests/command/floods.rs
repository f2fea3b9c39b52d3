//! Replies without end, and replies as large as they may be: what a client holds of them at a time stays under twice the
//! packet limit and 64 KiB.

use libtest_mimic::Trial;
use porpoise_classic::{Columns, Event};
use porpoise_driver::{Client, Error, Operation};
use porpoise_hostile_tests::answers::{cells, login};
use porpoise_hostile_tests::packets::{column, column_of, end_more, err, header, ok, ok_more};
use porpoise_hostile_tests::talks::{Dialect, Send};
use porpoise_hostile_tests::{Act, Peer, watch};
use porpoise_wire::Limits;

const FULL_FRAME: usize = 0xff_ffff;

const QUERY: Send = |s, _, cx| s.query("x", cx);
const PREPARE: Send = |s, _, cx| s.stmt_prepare("x", cx);
const EXECUTE: Send = |s, _, cx| s.stmt_execute(7, 0, &[], cx);
const FETCH: Send = |s, _, cx| s.stmt_fetch(7, 1 << 30, &Columns::undefined(1), cx);
const FIELD_LIST: Send = |s, _, cx| s.field_list("t", "", cx);

pub(crate) fn trials() -> impl Iterator<Item = Trial> {
    endless().into_iter().chain(large())
}

fn client(limit: usize, acts: &[Act]) -> (Client, Peer) {
    let script: Vec<Act> = Dialect::Modern.login().iter().chain(&[Act::Hear]).chain(acts).cloned().collect();
    let peer = Peer::new(&script);
    (login(&peer, Dialect::Modern.options(Limits::default().with_max_packet(limit))), peer)
}

/// Holds what is allocated at a time against the bound.
fn bounded<T>(limit: usize, read: impl FnOnce() -> T) -> T {
    let (read, info) = watch::measure(read);
    let most = (2 * limit + (64 << 10)) as u64;
    assert!(info.bytes_max <= most, "limit {limit}: {} bytes at a time, {most} are allowed", info.bytes_max);
    read
}

fn endless() -> Vec<Trial> {
    const LIMIT: usize = 16 << 10;
    let text = |len: u16| {
        let [low, high] = len.to_le_bytes();
        [vec![0xfc, low, high], vec![b'x'; len.into()]].concat()
    };
    let binary = |len: u16| [vec![0, 0], text(len)].concat();
    let result = |end: Vec<u8>| vec![vec![1], column("c"), text(9), end];
    let columns = |column_type| vec![Act::Say(vec![1]), Act::Say(column_of("c", column_type, 0))];
    let rows = |columns: Vec<Act>, rows: Vec<Vec<u8>>| [columns, vec![Act::Round(rows)]].concat();
    let replies = [
        ("rows", QUERY, rows(columns(253), vec![text(9)])),
        ("rows of all sizes", QUERY, rows(columns(253), vec![text(1), text(16_000), text(0), text(9_000)])),
        ("binary rows", EXECUTE, rows(columns(253), vec![binary(9), binary(15_000)])),
        ("fetched rows", FETCH, vec![Act::Round(vec![binary(9), binary(0)])]),
        ("NULLs", QUERY, rows(columns(253), vec![vec![0xfb]])),
        ("OKs", QUERY, vec![Act::Round(vec![ok_more()])]),
        ("OKs with session state", EXECUTE, {
            // OK | AUTOCOMMIT, MORE_RESULTS, SESSION_STATE_CHANGED | no warnings | no text | schema
            vec![Act::Round(vec![b"\0\0\0\x0a\x40\0\0\0\x07\x01\x05\x04reef".to_vec()])]
        }),
        ("results", QUERY, vec![Act::Round(result(end_more()))]),
        ("results, each of other columns", QUERY, {
            let other = |name| vec![vec![1], column(name), text(9), end_more()];
            vec![Act::Round([other("a"), other("b"), other(&"c".repeat(200))].concat())]
        }),
        ("results without rows, and OKs", EXECUTE, {
            vec![Act::Round(vec![vec![1], column_of("c", 3, 0), end_more(), ok_more()])]
        }),
    ];
    let trial = |(name, send, acts): (&str, Send, Vec<Act>)| {
        Trial::test(format!("without end: {name}"), move || {
            let (mut client, peer) = client(LIMIT, &acts);
            bounded(LIMIT, || watch::run(read(&mut client, send, &peer)));
            // The next call reads as much as a dropped result may have, and no more.
            let before = peer.heard().given;
            let error = bounded(LIMIT, || watch::run(cells(&mut client, "rows second 1")));
            let error = error.expect_err("too much to drain");
            assert!(matches!(error, Error::Unusable(Operation::TooMuchToDrain)), "{error:?}");
            assert!(peer.heard().given - before < 2 << 20, "{} bytes", peer.heard().given - before);
            assert!(!client.is_usable() && !peer.is_linked());
            Ok(())
        })
    };
    replies.into_iter().map(trial).collect()
}

/// Reads 1 MiB of a reply.
async fn read(client: &mut Client, send: Send, peer: &Peer) {
    client.command(|session, cx| send(session, &Columns::default(), cx)).await.expect("a usable client");
    let mut events = 0;
    while peer.heard().given < 1 << 20 {
        let event = client.next_event().await.expect("a reply");
        assert!(event.is_some_and(|event| !matches!(event, Event::Err(_))), "it ends");
        events += 1;
    }
    assert!(events > 30, "{events} events");
}

/// Packets as large as the limit has them; a reply ends when the server hangs up.
fn large() -> Vec<Trial> {
    let mut trials = Vec::new();
    for limit in [16 << 10, 100 << 10, 1 << 20, 5 << 20, FULL_FRAME + 1, 20 << 20] {
        let trial = |name: &str, send, acts: fn(usize) -> Vec<Act>| {
            Trial::test(format!("large: {name}, limit {} KiB", limit >> 10), move || {
                check(limit, send, &acts(limit));
                Ok(())
            })
        };
        trials.extend([
            trial("a text row", QUERY, |limit| behind(253, vec![frames(&[0xfd], limit, 3)])),
            trial("a binary row", EXECUTE, |limit| behind(253, vec![frames(&[0, 0, 0xfd], limit, 3)])),
            trial("a fetched row", FETCH, |limit| vec![Act::Raw(frames(&[0, 0], limit, 1))]),
            trial("a row that stops", QUERY, |limit| {
                let mut row = frames(&[0xfd], limit, 3);
                row.pop();
                behind(253, vec![row])
            }),
        ]);
        if limit > FULL_FRAME {
            continue;
        }
        trials.extend([
            trial("rows of all sizes", QUERY, |limit| behind(253, sizes(&[0xfd], limit))),
            trial("binary rows of all sizes", EXECUTE, |limit| behind(253, sizes(&[0, 0, 0xfd], limit))),
            trial("small definitions", QUERY, |limit| definitions(limit, "")),
            trial("large definitions", QUERY, |limit| definitions(limit, &"c".repeat(200))),
            trial("definitions of a field list", FIELD_LIST, |limit| definitions(limit, "").split_off(1)),
            trial("definitions again and again", QUERY, |limit| {
                ["a", "b", "c"].iter().flat_map(|name| definitions(limit, name)).collect()
            }),
            trial("definitions of a statement", PREPARE, statement),
            trial("OK", QUERY, |limit| vec![Act::Raw(frames(&text_and_state(limit), limit, 1))]),
            trial("ERR", QUERY, |limit| vec![Act::Raw(frames(&err(1064, "no"), limit, 1))]),
            trial("the name of a file", QUERY, |limit| {
                vec![Act::Raw(frames(&[0xfb], limit, 1)), Act::Hear, Act::Say(ok())]
            }),
        ]);
    }
    trials
}

fn check(limit: usize, send: Send, acts: &[Act]) {
    let acts: Vec<Act> = acts.iter().cloned().chain([Act::Close]).collect();
    let (mut client, _peer) = client(limit, &acts);
    let (error, events) = bounded(limit, || {
        let mut events = 0;
        let error = watch::run(async {
            client.command(|session, cx| send(session, &Columns::default(), cx)).await?;
            while client.next_event().await?.is_some() {
                events += 1;
            }
            client.ping().await
        });
        (error.expect_err("the server hung up"), events)
    });
    assert!(matches!(error, Error::Session(_)) && matches!(error.code(), 2006 | 2013), "{error:?}");
    assert!(events > 0, "nothing was taken");
}

/// One column of this type, then these bytes.
fn behind(column_type: u8, rows: Vec<Vec<u8>>) -> Vec<Act> {
    let columns = [Act::Say(vec![1]), Act::Say(column_of("c", column_type, 0))];
    columns.into_iter().chain(rows.into_iter().map(Act::Raw)).collect()
}

/// The frames of a packet of so many bytes that begins with these; the first has this id.
fn frames(start: &[u8], len: usize, first: u8) -> Vec<u8> {
    let mut payload = start.to_vec();
    payload.resize(len, b'x');
    let (mut bytes, mut id) = (Vec::new(), first);
    for chunk in payload.chunks(FULL_FRAME) {
        bytes.extend(header(chunk.len(), id, chunk));
        id = id.wrapping_add(1);
    }
    if len.is_multiple_of(FULL_FRAME) {
        bytes.extend(header(0, id, &[]));
    }
    bytes
}

fn sizes(start: &[u8], limit: usize) -> Vec<Vec<u8>> {
    let sizes = [limit, limit / 2, start.len(), limit - 1, limit / 3, limit];
    (3..).zip(sizes).map(|(id, size)| frames(start, size, id)).collect()
}

/// How many definitions of this size may come: together they may have a quarter of the limit.
fn most(limit: usize, definition: &[u8]) -> u16 {
    u16::try_from(limit / 4 / (definition.len() + 4)).unwrap_or(u16::MAX)
}

fn definitions(limit: usize, name: &str) -> Vec<Act> {
    let one = column(name);
    let count = most(limit, &one);
    let [low, high] = count.to_le_bytes();
    let all = std::iter::repeat_n(Act::Say(one), count.into());
    [Act::Say(vec![0xfc, low, high])].into_iter().chain(all).chain([Act::Say(end_more())]).collect()
}

/// As many parameters as columns.
fn statement(limit: usize) -> Vec<Act> {
    let one = column("");
    let count = most(limit, &one);
    let [low, high] = count.to_le_bytes();
    let all = std::iter::repeat_n(Act::Say(one), 2 * usize::from(count));
    [Act::Say(vec![0, 7, 0, 0, 0, low, high, low, high, 0, 0, 0])].into_iter().chain(all).collect()
}

/// OK with a text of half its length, and state of the other half.
fn text_and_state(limit: usize) -> Vec<u8> {
    let half = (limit - 16) / 2;
    let [a, b, c, ..] = half.to_le_bytes();
    let text = [&[0xfd, a, b, c][..], &vec![b't'; half]].concat();
    [&[0, 0, 0, 2, 0x40, 0, 0][..], &text, &[0xfd, a, b, c]].concat()
}
