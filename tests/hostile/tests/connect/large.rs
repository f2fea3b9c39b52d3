//! Servers that send as much as they may: what a connect holds at a time stays under twice the packet limit and
//! 64 KiB, however the bytes come.

use std::sync::Arc;

use libtest_mimic::Trial;
use porpoise_classic_connect::{ConnectErrorKind, ConnectStage};
use porpoise_driver::blocking::BLOCKING;
use porpoise_driver::{Connecting, Options, OptionsBuilder};
use porpoise_hostile_tests::cases::{fails_clearly, plain, tls};
use porpoise_hostile_tests::packets::{column, end_more, greeting, header, more, ok, tls_greeting};
use porpoise_hostile_tests::{Act, Peer, watch};
use porpoise_wire::{Limits, Lost};

const FULL_FRAME: usize = 0xff_ffff;

pub(crate) fn trials() -> Vec<Trial> {
    let trial = |name: &str, limit: usize, acts: fn(usize) -> Vec<Act>| {
        let channels: [(_, fn() -> OptionsBuilder, _); 2] =
            [("plain", plain, plain_login as fn() -> _), ("TLS", tls, tls_login)];
        channels.map(|(channel, options, login)| {
            Trial::test(format!("{name}, limit {} KiB, {channel}", limit >> 10), move || {
                check(limit, options(), [login(), acts(limit)].concat());
                Ok(())
            })
        })
    };
    let mut trials = Vec::new();
    for limit in [16 << 10, 100 << 10, 1 << 20, 5 << 20] {
        trials.extend(trial("row", limit, row));
        trials.extend(trial("row that stops", limit, row_that_stops));
        trials.extend(trial("rows", limit, rows));
        trials.extend(trial("small column definitions", limit, small_definitions));
        trials.extend(trial("large column definitions", limit, large_definitions));
        trials.extend(trial("column definitions again and again", limit, definitions_again));
    }
    for limit in [FULL_FRAME + 1, 20 << 20] {
        trials.extend(trial("joined row", limit, row));
        trials.extend(trial("joined row that stops", limit, row_that_stops));
    }
    trials
}

fn check(limit: usize, options: OptionsBuilder, script: Vec<Act>) {
    let limits = Limits::default().with_max_packet(limit);
    let options = options.connect(|connect| connect.limits(limits).init_command("SELECT * FROM sea"));
    let options: Arc<Options> = Arc::new(options.build().expect("options"));
    let peer = Peer::new(&script);
    let (outcome, info) = watch::measure(|| watch::run(Connecting::over(peer.link(), BLOCKING, options)));
    // It came as far as it should have.
    let error = fails_clearly(outcome, &peer.heard());
    let (kind, stage) = (error.kind(), error.stage());
    assert_eq!(stage, ConnectStage::SendOneInitCommand, "{error:?}");
    assert!(matches!(kind, ConnectErrorKind::Lost(Lost::Closed)), "{error:?}");
    let is_tls = script.iter().any(|act| matches!(act, Act::Tls(_)));
    // A packet of several frames is put together from as many buffers, each of TLS's with room for two records.
    let more = if limit > FULL_FRAME && is_tls { limit.div_ceil(FULL_FRAME) as u64 } else { 0 };
    let most = 2 * limit as u64 + (64 << 10) * (1 + more);
    let peak = info.bytes_max;
    assert!(peak <= most, "{peak} bytes at a time, {most} are allowed");
}

fn plain_login() -> Vec<Act> {
    vec![Act::Say(greeting()), Act::Hear, Act::Say(more(&[3])), Act::Say(ok()), Act::Hear]
}

fn tls_login() -> Vec<Act> {
    let (config, _) = porpoise_hostile_tests::tls::server();
    let login = vec![Act::Hear, Act::Say(more(&[3])), Act::Say(ok()), Act::Hear];
    [vec![Act::Say(tls_greeting()), Act::Hear, Act::Tls(config)], login].concat()
}

fn columns() -> Vec<Act> {
    vec![Act::Say(vec![1]), Act::Say(column("c"))]
}

/// The frames of one packet, the first with this id.
fn frames(len: usize, first: u8) -> Vec<u8> {
    let mut payload = vec![b'x'; len];
    // 0xfd, three bytes of length, wherever a length is looked for
    if let Some(start) = payload.first_mut() {
        *start = 0xfd;
    }
    let mut bytes = Vec::new();
    let mut id = first;
    for chunk in payload.chunks(FULL_FRAME) {
        bytes.extend(header(chunk.len(), id, chunk));
        id = id.wrapping_add(1);
    }
    if len.is_multiple_of(FULL_FRAME) {
        bytes.extend(header(0, id, &[]));
    }
    bytes
}

/// The largest row there may be.
fn row(limit: usize) -> Vec<Act> {
    [columns(), vec![Act::Raw(frames(limit, 3)), Act::Close]].concat()
}

fn row_that_stops(limit: usize) -> Vec<Act> {
    let mut bytes = frames(limit, 3);
    bytes.pop();
    [columns(), vec![Act::Raw(bytes), Act::Close]].concat()
}

/// One after the other, of all sizes.
fn rows(limit: usize) -> Vec<Act> {
    let mut acts = columns();
    let mut id = 3_u8;
    for size in [limit, limit / 2, 1, limit - 1, limit / 3, limit] {
        let bytes = frames(size, id);
        id = id.wrapping_add(1);
        acts.push(Act::Raw(bytes));
    }
    acts.push(Act::Close);
    acts
}

/// As many as fit: together they may have a quarter of the limit.
fn definitions(limit: usize, name: &str) -> Vec<Act> {
    let one = column(name);
    let count = (limit / 4 / (one.len() + 4)).min(65_535);
    let [low, high, ..] = count.to_le_bytes();
    let mut acts = vec![Act::Say(vec![0xfc, low, high])];
    acts.extend(std::iter::repeat_n(Act::Say(one), count));
    acts.extend([Act::Say(end_more()), Act::Close]);
    acts
}

fn small_definitions(limit: usize) -> Vec<Act> {
    definitions(limit, "")
}

fn large_definitions(limit: usize) -> Vec<Act> {
    definitions(limit, &"c".repeat(200))
}

/// Each result has others, so that none is that of the one before.
fn definitions_again(limit: usize) -> Vec<Act> {
    let close = |act: &Act| matches!(act, Act::Close);
    let results = ["a", "b", "c"].iter().flat_map(|name| definitions(limit, name));
    results.filter(|act| !close(act)).chain([Act::Close]).collect()
}
