//! Each talk changed in every way that one packet can be: cut off, lengthened, each byte another, left out, said twice,
//! preceded by another one, with another id; and broken off at every byte.

use std::sync::Arc;

use libtest_mimic::Trial;
use porpoise_driver::Options;
use porpoise_hostile_tests::packets::{column, end, eof, err, frame, header, ok, ok_more};
use porpoise_hostile_tests::talks::{self, Talk};
use porpoise_hostile_tests::{Act, Peer, watch};

use super::played::{Ending, options, play, replaced, said, server, tell};

/// A way to break talks.
type Way = fn(&Talk, &Arc<Options>);

pub(crate) fn trials() -> impl Iterator<Item = Trial> {
    let ways: [(&str, Way); 7] = [
        ("as it should be", legal),
        ("closed at every byte", closed_at_every_byte),
        ("each packet cut off", cut_off),
        ("each packet lengthened", lengthened),
        ("each byte another", other_bytes),
        ("packets left out, twice, or of another kind", other_packets),
        ("each id another", other_ids),
    ];
    talks::all().into_iter().flat_map(move |talk| {
        ways.into_iter().map(move |(what, test)| {
            let talk = talk.clone();
            Trial::test(format!("{}, {:?}: {what}", talk.name, talk.dialect), move || {
                test(&talk, &options(&talk));
                Ok(())
            })
        })
    })
}

/// Nothing is wrong with them, however the bytes come.
fn legal(talk: &Talk, options: &Arc<Options>) {
    let whole = || server(talk, &talk.script);
    let ending = play(talk, options, &whole(), "whole");
    assert!(matches!(ending, Ending::Done), "{ending:?}");
    let run = |peer: &Peer| {
        let mut client = porpoise_hostile_tests::answers::login(peer, Arc::clone(options));
        let mut told = Vec::new();
        watch::run(talk.run(&mut client, |event| tell(&mut told, &event))).expect("a talk");
        assert!(client.is_usable());
        told
    };
    let told = run(&whole());
    assert!(!told.is_empty());
    assert_eq!(run(&whole().in_pieces_of(1)), told);
    for seed in 0..4 {
        assert_eq!(run(&whole().with_moods(seed)), told, "seed {seed}");
    }
}

fn closed_at_every_byte(talk: &Talk, options: &Arc<Options>) {
    // What is said before the first reply.
    let login = Peer::new(&talk.whole(&[]));
    drop(porpoise_hostile_tests::answers::login(&login, Arc::clone(options)));
    let mut failed = 0;
    for cut in login.heard().given.. {
        let peer = server(talk, &talk.script).cut_after(cut);
        match play(talk, options, &peer, &format!("closed after {cut} bytes")) {
            Ending::Failed(_) => failed += 1,
            Ending::Done => break,
            Ending::Waits => panic!("it waits for a server that is gone"),
        }
    }
    let bytes: usize = said(talk).map(|(_, payload)| 4 + payload.len()).sum();
    assert_eq!(failed, bytes, "a reply that is cut off");
}

/// The header tells the truth, the fields do not.
fn cut_off(talk: &Talk, options: &Arc<Options>) {
    for (place, payload) in kinds(talk) {
        for len in 0..payload.len() {
            let short = Act::Say(payload.iter().copied().take(len).collect());
            check(talk, options, place, &[short], &format!("packet {place} cut to {len} bytes"));
        }
    }
}

fn lengthened(talk: &Talk, options: &Arc<Options>) {
    for (place, payload) in said(talk) {
        for more in [&[0][..], &[0xfb], &[0xff; 9], &[1; 300]] {
            let long = Act::Say([payload, more].concat());
            check(talk, options, place, &[long], &format!("packet {place} with {more:x?} behind it"));
        }
    }
}

/// What is said, but of definitions that are alike the first only.
fn kinds(talk: &Talk) -> impl Iterator<Item = (usize, &[u8])> {
    let mut last: &[u8] = &[];
    said(talk).filter(move |(_, payload)| {
        let before = std::mem::replace(&mut last, payload);
        before.len() != payload.len() || before.get(..8).is_none() || before.get(..8) != payload.get(..8)
    })
}

fn other_bytes(talk: &Talk, options: &Arc<Options>) {
    for (place, payload) in kinds(talk) {
        // A long cell has the same byte again and again.
        for (at, was) in payload.iter().enumerate().take(120) {
            for byte in others(*was) {
                let changed = payload.iter().enumerate().map(|(i, old)| if i == at { byte } else { *old });
                let name = format!("packet {place}, byte {at} {was:02x} is {byte:02x}");
                check(talk, options, place, &[Act::Say(changed.collect())], &name);
            }
        }
    }
}

/// What stands for NULL, for lengths of each size, for ERR and EOF; and a count that is one too much, or too little.
fn others(byte: u8) -> impl Iterator<Item = u8> {
    let odd = [0, 0xfa, 0xfb, 0xfc, 0xfd, 0xfe, 0xff, byte.wrapping_add(1), byte.wrapping_sub(1)];
    odd.into_iter().filter(move |other| *other != byte)
}

fn other_packets(talk: &Talk, options: &Arc<Options>) {
    let strangers = [
        ("OK", ok()),
        ("OK, more results", ok_more()),
        ("the end", end()),
        ("the end, more results", vec![0xfe, 0, 0, 0x0a, 0, 0, 0]),
        ("the end, with a cursor", vec![0xfe, 0, 0, 0x42, 0, 0, 0]),
        ("EOF", eof(2)),
        ("EOF with a cursor", eof(0x42)),
        ("ERR", err(1317, "killed")),
        ("ERR without a message", vec![0xff, 1, 4]),
        ("ERR without a number", vec![0xff]),
        ("a file", b"\xfb/etc/passwd".to_vec()),
        ("a file without a name", vec![0xfb]),
        ("a column", column("c")),
        ("a count", vec![1]),
        ("a large count", vec![0xfd, 0xff, 0xff, 0]),
        ("a text row", b"\x05first\x05first".to_vec()),
        ("a binary row", vec![0; 40]),
        ("AuthMoreData", vec![1, 4]),
        ("nothing", Vec::new()),
    ];
    for (place, payload) in said(talk) {
        let this = Act::Say(payload.to_vec());
        check(talk, options, place, &[], &format!("without packet {place}"));
        check(talk, options, place, &[this.clone(), this.clone()], &format!("packet {place} twice"));
        for (kind, stranger) in &strangers {
            let stranger = Act::Say(stranger.clone());
            let before = [stranger, this.clone()];
            check(talk, options, place, before.split_at(1).0, &format!("{kind} for packet {place}"));
            check(talk, options, place, &before, &format!("{kind} before packet {place}"));
        }
    }
}

/// A packet whose id is not the one that is due, in words of the error that must come of it.
fn other_ids(talk: &Talk, options: &Arc<Options>) {
    let mut due = 1_u8;
    for (place, act) in talk.script.iter().enumerate() {
        let Act::Say(payload) = act else {
            // The client's packet has id 0, or the one behind a request for a file.
            let asked = place.checked_sub(1).and_then(|before| talk.script.get(before));
            let is_file = matches!(asked, Some(Act::Say(payload)) if payload.starts_with(b"\xfb/"));
            due = if is_file { due.wrapping_add(1) } else { 1 };
            continue;
        };
        let is_err = payload.first() == Some(&0xff);
        for id in [due.wrapping_add(1), due.wrapping_sub(1), due ^ 0x80, 255] {
            let script = replaced(talk, place, [Act::Raw(frame(id, payload))]);
            let at = format!("packet {place} with id {id} for {due}");
            let ending = play(talk, options, &server(talk, &script), &at);
            match ending {
                // An ERR packet is taken with any id, and nothing behind it.
                Ending::Done if is_err => {}
                Ending::Failed(error) => {
                    assert_eq!(error.code(), 2013, "{at}: {error}");
                    let told = error.to_string();
                    assert!(
                        told.contains(&id.to_string()) && told.contains(&due.to_string()),
                        "{at}: {told}"
                    );
                }
                ending => panic!("{at}: {ending:?}"),
            }
        }
        // A length that is above the limit is known from the header alone.
        for len in [super::played::LIMIT + 1, 0xff_fffe, 0xff_ffff] {
            let script = replaced(talk, place, [Act::Raw(header(len, due, payload))]);
            let ending =
                play(talk, options, &server(talk, &script), &format!("packet {place} of {len} bytes"));
            let Ending::Failed(error) = ending else { panic!("packet {place} of {len} bytes: {ending:?}") };
            assert_eq!(error.code(), 2020, "{error}");
        }
        due = due.wrapping_add(1);
    }
}

/// Plays the talk with the packet in this place replaced: all together, and then in pieces by a server that does not
/// wait for the client any more and hangs up.
fn check(talk: &Talk, options: &Arc<Options>, place: usize, by: &[Act], at: &str) {
    let script = replaced(talk, place, by.iter().cloned());
    play(talk, options, &server(talk, &script), at);
    let (before, rest) = script.split_at(place);
    let rest = rest.iter().filter(|act| !matches!(act, Act::Hear));
    let script: Vec<Act> = before.iter().chain(rest).cloned().chain([Act::Close]).collect();
    let ending = play(talk, options, &server(talk, &script).in_pieces_of(32), at);
    assert!(!matches!(ending, Ending::Waits), "{at}: it waits for a server that is gone");
}
