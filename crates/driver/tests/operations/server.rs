//! A server that answers commands, so that a reply tells which command it is for.

use std::cell::Cell;
use std::sync::Arc;

use porpoise_driver::blocking::BLOCKING;
use porpoise_driver::{Client, Connecting, Error, Options, OptionsBuilder, Results};
use porpoise_hostile_tests::connects;
use porpoise_hostile_tests::packets::{column, end, err, ok, row};
use porpoise_hostile_tests::{Act, Peer, watch};

/// Options of the script that [`connect`] begins with.
pub(crate) fn options(change: impl FnOnce(OptionsBuilder) -> OptionsBuilder) -> Arc<Options> {
    connects::fast().options_with(change)
}

/// A client of a server that goes on like this after the connect.
pub(crate) fn connect(options: &Arc<Options>, then: &[Act], moods: Option<u64>) -> (Client, Peer) {
    let script: Vec<Act> = connects::fast().script.iter().chain(then).cloned().collect();
    let mut peer = Peer::new(&script);
    if let Some(seed) = moods {
        peer = peer.with_moods(seed);
    }
    let client = watch::run(Connecting::over(peer.link(), BLOCKING, Arc::clone(options)));
    (client.unwrap(), peer)
}

/// A client of a server that answers as [`answer`] does.
pub(crate) fn answered(moods: Option<u64>) -> (Client, Peer) {
    connect(&options(|options| options), &[Act::Answer(answer)], moods)
}

/// | command | reply |
/// |---|---|
/// | `COM_QUERY` of `rows NAME N` | N rows that hold the name |
/// | `COM_QUERY` of `fail NAME` | ERR 1064 |
/// | `COM_QUERY` of `LOAD NAME` | a request for that file |
/// | `COM_STMT_PREPARE` | a statement without columns; its id is the length of its text, it has as many parameters as `?` |
/// | `COM_STMT_CLOSE`, `COM_STMT_SEND_LONG_DATA` | none |
/// | a block of a file | none; the empty one OK |
///
/// | `COM_STMT_EXECUTE` and `COM_STMT_FETCH` of `cursor` | a cursor of four rows, two each |
///
/// All else is answered by OK.
pub(crate) fn answer(packet: &[u8]) -> Vec<Vec<u8>> {
    match packet {
        [3, 0, 1, sql @ ..] => query(&String::from_utf8_lossy(sql)),
        [0x16, sql @ ..] => {
            let params = sql.iter().filter(|byte| **byte == b'?').count();
            let id = u8::try_from(sql.len()).unwrap();
            let header = vec![0, id, 0, 0, 0, 0, 0, u8::try_from(params).unwrap(), 0, 0, 0, 0];
            std::iter::once(header).chain(std::iter::repeat_n(column("?"), params)).collect()
        }
        // COM_QUERY with attributes
        [3, count, 1, attributes @ ..] if *count > 0 => {
            let at = attributes.windows(5).position(|window| window == b"rows ").unwrap();
            query(&String::from_utf8_lossy(&attributes[at..]))
        }
        // A cursor is opened for the statement `cursor`; it has two fetches of two rows.
        [0x17, 6, ..] => vec![vec![1], column("a"), ended(CURSOR_EXISTS)],
        [0x1c, 6, ..] => {
            let last = FETCHES.with(|fetches| {
                fetches.set(!fetches.get());
                !fetches.get()
            });
            let row = b"\x00\x00\x01a".to_vec();
            vec![row.clone(), row, ended(if last { CURSOR_EXISTS | LAST_ROW_SENT } else { CURSOR_EXISTS })]
        }
        [0x1a, ..] => {
            FETCHES.with(|fetches| fetches.set(false));
            vec![ok()]
        }
        [0x18 | 0x19, ..] => Vec::new(),
        // What a file holds here.
        [b'#', ..] => Vec::new(),
        _ => vec![ok()],
    }
}

const CURSOR_EXISTS: u8 = 0x40;
const LAST_ROW_SENT: u8 = 0x80;

thread_local! {
    /// Whether an odd number of fetches was heard.
    static FETCHES: Cell<bool> = const { Cell::new(false) };
}

fn ended(status: u8) -> Vec<u8> {
    vec![0xfe, 0, 0, 0x02 | status, 0, 0, 0]
}

fn query(sql: &str) -> Vec<Vec<u8>> {
    let mut words = sql.split(' ');
    let (what, name) = (words.next().unwrap(), words.next().unwrap_or_default());
    let count = words.next().and_then(|count| count.parse().ok()).unwrap_or(1);
    match what {
        "rows" => [vec![1], column(name)]
            .into_iter()
            .chain(std::iter::repeat_n(row(name), count))
            .chain([end()])
            .collect(),
        "fail" => vec![err(1064, name)],
        "LOAD" => vec![[b"\xfb", name.as_bytes()].concat()],
        _ => vec![ok()],
    }
}

/// What the server heard after the login, as text: commands by their first byte, and what follows it.
pub(crate) fn heard(peer: &Peer) -> Vec<String> {
    let packets = peer.heard().packets;
    packets
        .iter()
        .skip(1)
        .map(|packet| match packet.as_slice() {
            [3, 0, 1, sql @ ..] => String::from_utf8_lossy(sql).into_owned(),
            [0x0e] => "ping".into(),
            [0x16, sql @ ..] => format!("prepare {}", String::from_utf8_lossy(sql)),
            [0x17, id, ..] => format!("execute {id}"),
            [0x18, id, _, _, _, param, _, data @ ..] => format!("long {id} {param} {}", data.len()),
            [0x19, id, ..] => format!("close {id}"),
            [0x1a, id, ..] => format!("reset {id}"),
            [0x1c, id, ..] => format!("fetch {id}"),
            [0x1f] => "reset".into(),
            other => String::from_utf8_lossy(other).into_owned(),
        })
        .collect()
}

/// All cells of the rows of a query.
pub(crate) async fn cells(client: &mut Client, sql: &str) -> Result<Vec<String>, Error> {
    let mut results = client.query(sql).await?;
    read(&mut results).await
}

pub(crate) async fn read(results: &mut Results<'_>) -> Result<Vec<String>, Error> {
    let mut cells = Vec::new();
    while let Some(batch) = results.next_batch().await? {
        for row in &batch {
            cells.push(String::from_utf8_lossy(row.get(0).unwrap().unwrap()).into_owned());
        }
    }
    Ok(cells)
}
