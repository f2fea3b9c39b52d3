//! A server that answers statements so that a reply tells which statement it is for.

use std::sync::Arc;
use std::time::Duration;

use porpoise_driver::blocking::BLOCKING;
use porpoise_driver::{Client, Connecting, Error, Options, OptionsBuilder, Results};
use porpoise_wire::Limits;

use crate::connects::{self, Connect};
use crate::packets::{column, end, end_more, eof, err, ok, ok_more, row};
use crate::{Act, Peer, watch};

/// A client of a server that does this once the client is connected.
#[must_use]
pub fn connect(connect: &Connect, then: &[Act], moods: Option<u64>) -> (Client, Peer) {
    connect_with(connect, then, moods, Limits::default())
}

/// The same, with limits.
#[must_use]
pub fn connect_with(connect: &Connect, then: &[Act], moods: Option<u64>, limits: Limits) -> (Client, Peer) {
    let script: Vec<Act> = connect.script.iter().chain(then).cloned().collect();
    let peer = Peer::new(&script);
    let peer = match moods {
        Some(seed) => peer.with_moods(seed),
        None => peer,
    };
    let options = connect
        .options_with(|options| without_drain_clock(options).connect(|connect| connect.limits(limits)));
    (login(&peer, options), peer)
}

/// The usual budget for what a dropped call left, but in bytes only: how fast a busy machine is, is not tested.
#[must_use]
pub fn without_drain_clock(options: OptionsBuilder) -> OptionsBuilder {
    options.drain_budget(1 << 20, Duration::ZERO)
}

/// A client of this server.
///
/// # Panics
/// When the server does not let it in.
#[must_use]
pub fn login(peer: &Peer, options: Arc<Options>) -> Client {
    let client = watch::run(Connecting::over(peer.link(), BLOCKING, options));
    client.unwrap_or_else(|error| panic!("{error}"))
}

/// A client of a server that answers statements as [`answer`] does.
#[must_use]
pub fn answered(moods: Option<u64>) -> (Client, Peer) {
    connect(&connects::fast(), &[Act::Answer(answer)], moods)
}

/// `COM_QUERY` with a text `WHAT NAME N`:
///
/// | what | reply |
/// |---|---|
/// | rows | N rows that hold the name |
/// | results | N results of two such rows, and an OK |
/// | fail | ERR after N such rows |
/// | file | a request for a file |
/// | long | N rows of 64 KiB that begin with the name |
///
/// All else is answered by OK.
#[must_use]
pub fn answer(packet: &[u8]) -> Vec<Vec<u8>> {
    // 03, no query attributes, one set of them
    let text = packet.strip_prefix(&[3, 0, 1]).map(String::from_utf8_lossy);
    let Some(text) = text else { return vec![ok()] };
    let mut words = text.split(' ');
    let (Some(what), Some(name)) = (words.next(), words.next()) else { return vec![ok()] };
    let count = words.next().and_then(|count| count.parse().ok()).unwrap_or(1);
    let rows = |count| std::iter::repeat_n(row(name), count);
    let header = || [vec![1], column("name")].into_iter();
    match what {
        "rows" => header().chain(rows(count)).chain([end()]).collect(),
        "results" => {
            let result = || header().chain(rows(2)).chain([end_more()]);
            (0..count).flat_map(|_| result()).chain([ok_more(), ok()]).collect()
        }
        "fail" => header().chain(rows(count)).chain([err(1317, name)]).collect(),
        "file" => vec![[b"\xfb/etc/", name.as_bytes()].concat()],
        "long" => {
            let mut long = vec![0xfd, 0, 0, 1];
            long.extend(name.as_bytes().iter().cycle().take(1 << 16));
            header().chain(std::iter::repeat_n(long, count)).chain([end()]).collect()
        }
        _ => vec![ok()],
    }
}

/// The same for `rows` alone, by a server without `CLIENT_DEPRECATE_EOF`.
#[must_use]
pub fn answer_with_eof(packet: &[u8]) -> Vec<Vec<u8>> {
    let mut packets = answer(packet);
    if packets.len() > 1 {
        packets.pop();
        packets.insert(2, eof(2));
        packets.push(eof(2));
    }
    packets
}

/// The same for `rows` alone, by a server that tells whether definitions follow.
#[must_use]
pub fn answer_with_metadata(packet: &[u8]) -> Vec<Vec<u8>> {
    let mut packets = answer(packet);
    if let (Some(header), true) = (packets.first_mut(), packet.len() > 1) {
        header.push(1);
    }
    packets
}

/// The cells of the rows of all results.
///
/// # Errors
/// The statement fails, or the session.
pub async fn cells(client: &mut Client, sql: &str) -> Result<Vec<String>, Error> {
    let mut results = client.query(sql).await?;
    let mut cells = Vec::new();
    loop {
        read(&mut results, &mut cells).await?;
        if !results.next_result().await? {
            return Ok(cells);
        }
    }
}

/// The cells of what is left of one result.
///
/// # Errors
/// The statement fails, or the session.
///
/// # Panics
/// When a row is malformed.
pub async fn read(results: &mut Results<'_>, cells: &mut Vec<String>) -> Result<(), Error> {
    while let Some(batch) = results.next_batch().await? {
        for row in &batch {
            for cell in row {
                let cell = cell.unwrap_or_else(|error| panic!("{error}"));
                cells.push(String::from_utf8_lossy(cell.unwrap_or_default()).into_owned());
            }
        }
    }
    Ok(())
}
