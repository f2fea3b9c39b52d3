//! Replies that lie: about their columns, about their rows, about whose reply they are.

use libtest_mimic::Trial;
use porpoise_classic::RowError;
use porpoise_driver::{Client, Error, Operation};
use porpoise_hostile_tests::connects;
use porpoise_hostile_tests::packets::{column, end, err, frame, header, ok, row};
use porpoise_hostile_tests::{Act, watch};
use porpoise_wire::Limits;

use porpoise_hostile_tests::answers::{answer, cells, connect, connect_with};

const CR_SERVER_LOST: u16 = 2013;
const CR_NET_PACKET_TOO_LARGE: u16 = 2020;
const CR_MALFORMED_PACKET: u16 = 2027;

pub(crate) fn trials() -> impl Iterator<Item = Trial> {
    let one = || vec![Act::Say(vec![1]), Act::Say(column("c"))];
    let behind = |act| [one(), vec![act]].concat();
    let lies = [
        ("a column count of 2^64 - 1", vec![say(&[&[0xfe][..], &[0xff; 8]].concat())], CR_MALFORMED_PACKET),
        ("a column count of 2^24 - 1", vec![say(&[0xfd, 0xff, 0xff, 0xff])], CR_MALFORMED_PACKET),
        ("a column count that is cut off", vec![say(&[0xfc, 1])], CR_MALFORMED_PACKET),
        ("a column count with more behind it", vec![say(&[1, 1, 1])], CR_MALFORMED_PACKET),
        (
            "more columns than come",
            vec![say(&[2]), Act::Say(column("c")), Act::Say(end())],
            CR_MALFORMED_PACKET,
        ),
        ("a column that is none", vec![say(&[1]), say(&[3, b'd', b'e', b'f', 0xfb])], CR_MALFORMED_PACKET),
        (
            "a column longer than its packet",
            vec![say(&[1]), say(&[0xfe, 1, 0, 0, 0, 0, 0, 0, 0])],
            CR_MALFORMED_PACKET,
        ),
        ("an OK that is cut off", vec![say(&[0, 0xfc])], CR_MALFORMED_PACKET),
        ("an empty reply", vec![Act::Raw(header(0, 1, &[]))], CR_SERVER_LOST),
        ("an empty row", behind(Act::Raw(header(0, 3, &[]))), CR_SERVER_LOST),
        ("a reply with another id", vec![Act::Raw(frame(2, &ok()))], CR_SERVER_LOST),
        ("a row with another id", behind(Act::Raw(frame(9, &row("x")))), CR_SERVER_LOST),
        ("a row above the limit", behind(Act::Raw(header(0x0f_ffff, 3, &[]))), CR_NET_PACKET_TOO_LARGE),
        ("a row of a full frame", behind(Act::Raw(header(0xff_ffff, 3, &[]))), CR_NET_PACKET_TOO_LARGE),
        ("a reply that stops", vec![Act::Raw(vec![5, 0, 0, 1, 0]), Act::Close], CR_SERVER_LOST),
        ("rows that stop", behind(Act::Close), CR_SERVER_LOST),
        ("rows that break off", behind(Act::Reset), CR_SERVER_LOST),
    ];
    let lies = lies.into_iter().map(|(name, acts, code)| {
        Trial::test(name, move || {
            fatal(&acts, code);
            Ok(())
        })
    });
    let trial = |name, test: fn()| {
        Trial::test(name, move || {
            test();
            Ok(())
        })
    };
    lies.chain([
        trial("cells that reach out of their row", cells_out_of_row),
        trial("ERR unasked, before a command", err_before_a_command),
        trial("ERR unasked, in place of a reply", err_in_place_of_a_reply),
        trial("a packet unasked", packet_unasked),
        trial("a file that nobody offered", file),
    ])
}

fn say(payload: &[u8]) -> Act {
    Act::Say(payload.to_vec())
}

/// The lie ends the session with this number, is told again by nobody, and costs no memory.
fn fatal(acts: &[Act], code: u16) {
    const LIMIT: usize = 64 << 10;
    let limits = Limits::default().with_max_packet(LIMIT);
    let then: Vec<Act> = [Act::Hear].iter().chain(acts).cloned().collect();
    for moods in [None, Some(1), Some(2), Some(3)] {
        let (mut client, peer) = connect_with(&connects::fast(), &then, moods, limits);
        let (outcome, info) = watch::measure(|| watch::run(cells(&mut client, "rows x")));
        let error = outcome.expect_err("a lie");
        assert_eq!(error.code(), code, "{error:?}");
        assert!(error.is_fatal() && matches!(error, Error::Session(_)), "{error:?}");
        assert!(info.bytes_max <= (2 * LIMIT + (64 << 10)) as u64, "{} bytes at a time", info.bytes_max);
        closed(&mut client);
        assert!(!peer.is_linked(), "the connection is not closed");
    }
}

fn closed(client: &mut Client) {
    assert!(!client.is_usable());
    let error = watch::run(client.ping()).expect_err("a closed session");
    assert!(matches!(error, Error::Unusable(Operation::Closed)), "{error:?}");
}

/// The row is at fault, not the session.
fn cells_out_of_row() {
    let lies: [&[u8]; 8] = [
        &[5, b'x'],
        &[0xfc, 0xff],
        &[0xfd, 0xff, 0xff, 0xff],
        &[0xfd, 1, 0, 0],
        &[1, b'x', 1],
        &[1, b'x', 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
        &[0],
        &[1, b'x', 1, b'y', 1, b'z'],
    ];
    for lie in lies {
        let then = [
            Act::Hear,
            say(&[2]),
            Act::Say(column("a")),
            Act::Say(column("b")),
            say(lie),
            Act::Say(end()),
            Act::Answer(answer),
        ];
        let (mut client, _peer) = connect(&connects::fast(), &then, None);
        watch::run(async {
            let mut results = client.query("rows").await.expect("a result");
            let batch = results.next_batch().await.expect("rows").expect("a row");
            let read: Vec<Result<_, RowError>> = batch.iter().flatten().collect();
            assert!(read.iter().any(Result::is_err), "{lie:?}: {read:?}");
            assert!(batch.iter().all(|row| row.get(2).is_err()), "{lie:?}");
        });
        assert_eq!(watch::run(cells(&mut client, "rows next 1")).expect("rows"), ["next"]);
    }
}

/// It is told, and then nothing is sent any more.
fn unasked(client: &mut Client, code: u16) {
    let error = watch::run(cells(client, "rows x")).expect_err("ERR");
    assert!(matches!(&error, Error::Server(err) if err.code() == code), "{error:?}");
    closed(client);
}

fn err_before_a_command() {
    let (mut client, peer) = connect(&connects::fast(), &[], None);
    peer.then(&[Act::Raw(frame(0, &err(4031, "you were silent for too long"))), Act::Close]);
    unasked(&mut client, 4031);
}

fn err_in_place_of_a_reply() {
    let then = [Act::Hear, Act::Raw(frame(0, &err(1053, "shutdown"))), Act::Close];
    let (mut client, _peer) = connect(&connects::fast(), &then, None);
    unasked(&mut client, 1053);
}

fn packet_unasked() {
    let (mut client, peer) = connect(&connects::fast(), &[], None);
    peer.then(&[Act::Raw(frame(1, &ok())), Act::Raw(frame(1, &ok())), Act::Answer(answer)]);
    // It is taken for the reply to the next command, as no client can tell; what follows it cannot be.
    let first = watch::run(client.ping());
    let second = watch::run(cells(&mut client, "rows x 1"));
    assert!(first.is_err() || second.is_err(), "{first:?} {second:?}");
    assert!(!client.is_usable());
}

fn file() {
    let (mut client, peer) = connect(&connects::fast(), &[Act::Answer(answer)], None);
    let error = watch::run(cells(&mut client, "file passwd")).expect_err("a refusal");
    let Error::InfileRefused(refused) = &error else { panic!("{error:?}") };
    assert_eq!(&*refused.file_name, b"/etc/passwd");
    assert!(!error.is_fatal());
    // Nothing was sent but the empty packet that keeps the session in step.
    assert_eq!(peer.heard().packets.last(), Some(&Vec::new()));
    assert_eq!(watch::run(cells(&mut client, "rows next 1")).expect("rows"), ["next"]);
}
