//! Servers that attack through compressed messages: bombs, sizes that lie, payloads that are none.

use std::io::Write as _;

use flate2::{Compress, FlushCompress, FlushDecompress};
use libtest_mimic::Trial;
use porpoise_driver::x::{Error, OptionsBuilder, Session};
use porpoise_hostile_tests::x::{
    authenticated, column, compressed, done, executed, frame, hello, limited, ok, read, row, session,
    statement, unix,
};
use porpoise_hostile_tests::{Act, Peer, watch};
use porpoise_wire::WireError;
use porpoise_xproto::connect::Use;
use porpoise_xproto::messages::connection::Compression;
use porpoise_xproto::{Algorithm, XErrorKind};
use prost::Message as _;

use crate::trial;

const LIMIT: usize = 128 << 10;

pub(crate) fn trials() -> Vec<Trial> {
    type Test = fn(Algorithm);
    let tests: [(&str, Test); 10] = [
        ("a bomb", bomb),
        ("rows without end", endless),
        ("as large as it may be", large),
        ("sizes that lie", sizes),
        ("payloads that are none", garbage),
        ("every byte changed", every_byte),
        ("in pieces of one byte", pieces),
        ("what is compressed and what is not, in turn", in_turn),
        ("a second frame in a payload", second_frame),
        ("what the client sends", sent),
    ];
    let all = Algorithm::ALL.into_iter().flat_map(|algorithm| {
        tests.map(|(name, test)| trial(format!("compressed: {algorithm}, {name}"), move || test(algorithm)))
    });
    all.chain([
        trial("compressed: zstd without an end", zstd_without_end),
        trial("compressed: zstd with a large window", zstd_window),
    ])
    .collect()
}

/// A server's stream.
struct Packer {
    algorithm: Algorithm,
    deflate: Compress,
}

impl Packer {
    fn new(algorithm: Algorithm) -> Self {
        Self { algorithm, deflate: Compress::new(flate2::Compression::fast(), true) }
    }

    fn pack(&mut self, plain: &[u8]) -> Vec<u8> {
        match self.algorithm {
            Algorithm::DeflateStream => {
                let mut out = Vec::with_capacity(plain.len() / 2 + 1000);
                self.deflate.compress_vec(plain, &mut out, FlushCompress::Sync).expect("a Vec takes it");
                out
            }
            Algorithm::Lz4Message => {
                let info = lz4_flex::frame::FrameInfo::new().block_size(lz4_flex::frame::BlockSize::Max64KB);
                let mut encoder = lz4_flex::frame::FrameEncoder::with_frame_info(info, Vec::new());
                encoder.write_all(plain).expect("a Vec takes it");
                encoder.finish().expect("a Vec takes it")
            }
            _ => zstd::bulk::compress(plain, 1).expect("a Vec takes it"),
        }
    }

    /// These messages in one, with their size.
    fn message(&mut self, messages: &[Vec<u8>]) -> Vec<u8> {
        let plain = frames(messages);
        compressed(Some(plain.len() as u64), &self.pack(&plain))
    }
}

fn frames(messages: &[Vec<u8>]) -> Vec<u8> {
    messages.iter().flat_map(|message| frame(message)).collect()
}

fn options(algorithm: Algorithm) -> OptionsBuilder {
    unix().compression(Use::Required).connect(|connect| connect.compression_algorithms = vec![algorithm])
}

/// A session whose server agreed on compression, and then does this.
fn agreed(algorithm: Algorithm, limit: usize, then: &[Act]) -> (Session, Peer) {
    let peer = peer(then);
    (session(&peer, limited(options(algorithm), limit)), peer)
}

fn peer(then: &[Act]) -> Peer {
    let script = [Act::Say(hello()), Act::Hear, Act::Say(ok()), Act::Hear, Act::Say(authenticated())];
    Peer::x(&[&script[..], then].concat())
}

/// What the decoder holds beyond twice the limit: zstd's context and blocks, lz4's blocks and window, zlib's window.
const fn fixed(algorithm: Algorithm) -> usize {
    match algorithm {
        Algorithm::ZstdStream => 384 << 10,
        _ => 192 << 10,
    }
}

/// Reads the reply to one statement within its memory.
fn bounded(algorithm: Algorithm, limit: usize, then: &[Act]) -> (Vec<String>, Option<Error>) {
    let (mut session, _peer) = agreed(algorithm, limit, &[&[Act::Hear][..], then].concat());
    let (read, info) = watch::measure(|| watch::run(read(&mut session, 1)));
    let most = (2 * limit + (64 << 10) + fixed(algorithm)) as u64;
    assert!(info.bytes_max <= most, "limit {limit}: {} bytes at a time, not {most}", info.bytes_max);
    read
}

fn wire(error: &Error) -> WireError {
    match error {
        Error::Session(error) => match error.kind() {
            XErrorKind::Message { error, .. } | XErrorKind::Frame(error) => *error,
            kind => panic!("{kind:?}"),
        },
        error => panic!("{error:?}"),
    }
}

fn bomb(algorithm: Algorithm) {
    let zeros = vec![0; 64 << 20];
    let packed = Packer::new(algorithm).pack(&zeros);
    assert!(packed.len() < 1 << 20, "{} bytes", packed.len());
    for limit in [LIMIT, 1 << 20] {
        // What inflates further must not itself be too large.
        let payload: Vec<u8> = packed.iter().copied().take(limit - 100).collect();
        for size in [None, Some(1000), Some(limit as u64), Some(64 << 20), Some(u64::MAX)] {
            let (told, error) = bounded(algorithm, limit, &[Act::Say(compressed(size, &payload))]);
            let error = error.unwrap_or_else(|| panic!("{told:?}"));
            let large =
                matches!(wire(&error), WireError::PacketTooLarge { .. } | WireError::WindowTooLarge { .. });
            // lz4 and zstd may be cut off before they are too large.
            assert!(large || matches!(wire(&error), WireError::Inflate { .. }), "{size:?}: {error:?}");
        }
    }
}

/// Small messages, each of which holds much: never more at a time than the limit.
fn endless(algorithm: Algorithm) {
    let mut packer = Packer::new(algorithm);
    let rows = vec![row(&[&[b'x'; 1000]]); LIMIT / 1020];
    let round: Vec<Act> = (0..40).map(|_| Act::Say(packer.message(&rows))).collect();
    let acts = [&[Act::Say(column("c"))][..], &round, &[Act::Close]].concat();
    let (told, error) = bounded_rows(algorithm, &acts);
    assert_eq!((told, error.map(|error| error.code())), (40 * rows.len(), Some(2013)));
}

/// Counts rows, and keeps none.
fn bounded_rows(algorithm: Algorithm, acts: &[Act]) -> (usize, Option<Error>) {
    let (mut session, _peer) = agreed(algorithm, LIMIT, &[&[Act::Hear][..], acts].concat());
    let (read, info) = watch::measure(|| {
        watch::run(async {
            session
                .message_now(|connection, cx| connection.send(&statement("x"), cx))
                .expect("it may be sent");
            let mut rows = 0;
            loop {
                match session.next_event().await {
                    Ok(Some(porpoise_xproto::Event::Rows(batch))) => rows += batch.len(),
                    Ok(Some(_)) => {}
                    Ok(None) => return (rows, None),
                    Err(error) => return (rows, Some(error)),
                }
            }
        })
    });
    let most = (2 * LIMIT + (64 << 10) + fixed(algorithm)) as u64;
    assert!(info.bytes_max <= most, "{} bytes at a time, not {most}", info.bytes_max);
    read
}

fn large(algorithm: Algorithm) {
    for (len, fits) in [(LIMIT - 9, true), (LIMIT - 8, false)] {
        // The row's frame: 5, tag and length 4.
        let plain = frame(&row(&[&vec![b'x'; len]]));
        assert_eq!(plain.len() <= LIMIT, fits);
        let acts = [column("c"), compressed(None, &Packer::new(algorithm).pack(&plain)), done(), executed()];
        let (told, error) = bounded(algorithm, LIMIT, &acts.map(Act::Say));
        // Columns are whole when it is known what comes behind them.
        assert_eq!((told.len(), error.is_none()), (if fits { 4 } else { 0 }, fits), "{told:?} {error:?}");
    }
}

fn result() -> Vec<Vec<u8>> {
    vec![column("c"), row(&[b"pearl\0"]), done()]
}

fn sizes(algorithm: Algorithm) {
    let plain = frames(&result());
    for size in [0, 1, plain.len() as u64 - 1, plain.len() as u64 + 1, LIMIT as u64, LIMIT as u64 + 1] {
        let acts = [Act::Say(compressed(Some(size), &Packer::new(algorithm).pack(&plain)))];
        let (told, error) = bounded(algorithm, LIMIT, &acts);
        assert_eq!(error.unwrap_or_else(|| panic!("{told:?}")).code(), 2027, "{size}");
        assert!(told.is_empty());
    }
}

fn garbage(algorithm: Algorithm) {
    let pack = |plain: &[u8]| Packer::new(algorithm).pack(plain);
    let nested = frame(&compressed(None, &pack(&frames(&result()))));
    for (what, message) in [
        ("no payload", vec![19]),
        ("an empty payload", compressed(Some(0), &[])),
        ("bytes that are no stream", compressed(None, &[0xa5; 60])),
        ("half a frame", compressed(None, &pack(&[9, 0, 0, 0, 13, 1]))),
        ("a frame without a type", compressed(None, &pack(&[0, 0, 0, 0]))),
        ("a frame above the limit", compressed(None, &pack(&[0xff, 0xff, 0xff, 0xff, 13]))),
        ("bytes behind the last frame", compressed(None, &pack(&[frames(&result()), vec![1]].concat()))),
        ("compressed again", compressed(None, &pack(&nested))),
        ("no message", vec![19, 0x0a, 9]),
    ] {
        let (told, error) = bounded(algorithm, LIMIT, &[Act::Say(message)]);
        let error = error.unwrap_or_else(|| panic!("{what}: {told:?}"));
        assert!(told.is_empty() && matches!(error, Error::Session(_)), "{what}: {told:?} {error:?}");
    }
}

/// An error, or the same row: nothing else.
fn every_byte(algorithm: Algorithm) {
    let good = compressed(None, &Packer::new(algorithm).pack(&frames(&result())));
    for at in 1..good.len() {
        for change in [1, 0x80, 0xff] {
            let mut other = good.clone();
            other.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= change);
            let acts = [Act::Hear, Act::Say(other), Act::Say(executed()), Act::Close];
            let (mut session, _peer) = agreed(algorithm, LIMIT, &acts);
            drop(watch::run(read(&mut session, 1)));
        }
    }
}

const TOLD: [&str; 4] = ["1 columns", "row pearl\\x00", "Fetched(Done)", "StmtExecuteOk"];

/// Two layers are cut at once: frames, and what is in them.
fn pieces(algorithm: Algorithm) {
    let mut packer = Packer::new(algorithm);
    for seed in 0..10 {
        let whole = packer.message(&result());
        packer = Packer::new(algorithm);
        let peer = peer(&[Act::Hear, Act::Say(whole), Act::Say(executed())]);
        let peer = if seed == 0 { peer.in_pieces_of(1) } else { peer.with_moods(seed) };
        let mut session = session(&peer, limited(options(algorithm), LIMIT));
        let (told, error) = watch::run(read(&mut session, 1));
        assert!(error.is_none(), "{error:?}");
        assert_eq!(told, TOLD);
    }
}

fn in_turn(algorithm: Algorithm) {
    let mut packer = Packer::new(algorithm);
    let mut acts = vec![];
    for i in 0..50 {
        let messages = result();
        acts.push(Act::Hear);
        let (packed, plain) = messages.split_at(i % 4);
        if !packed.is_empty() {
            acts.push(Act::Say(packer.message(packed)));
        }
        acts.extend(plain.iter().cloned().map(Act::Say));
        acts.push(Act::Say(executed()));
    }
    let (mut session, _peer) = agreed(algorithm, LIMIT, &acts);
    for _ in 0..50 {
        let (told, error) = watch::run(read(&mut session, 1));
        assert!(error.is_none(), "{error:?}");
        assert_eq!(told, TOLD);
    }
}

/// Whatever else is in a payload is read or is an error: nothing is lost without a word.
fn second_frame(algorithm: Algorithm) {
    let result = result();
    let (first, second) = result.split_at(1);
    let (first, second) = (frames(first), frames(second));
    let mut packer = Packer::new(algorithm);
    let payload = [packer.pack(&first), packer.pack(&second)].concat();
    for size in [None, Some((first.len() + second.len()) as u64)] {
        let (told, error) =
            bounded(algorithm, LIMIT, &[compressed(size, &payload), executed()].map(Act::Say));
        assert!(error.is_some() || told == TOLD, "{told:?}");
    }
}

/// A server reads what the client sends by one stream that never ends, and by one frame for each payload.
fn sent(algorithm: Algorithm) {
    let replies: Vec<Act> =
        (0..6).flat_map(|_| [Act::Hear, Act::Say(executed()), Act::Say(executed())]).collect();
    let peer = peer(&replies);
    let builder = options(algorithm).connect(|connect| connect.compression_threshold = 1);
    let mut session = session(&peer, builder);
    for _ in 0..6 {
        let (told, error) = watch::run(read(&mut session, 2));
        assert!(error.is_none() && told == ["StmtExecuteOk"; 2], "{told:?} {error:?}");
    }
    let packets = peer.heard().packets;
    let mut inflate = flate2::Decompress::new(true);
    for packet in packets.iter().skip(2) {
        let Some((46, payload)) = packet.split_first() else { panic!("not compressed: {packet:?}") };
        let message = Compression::decode(payload).expect("a Compression");
        // StmtExecute of one letter, twice; one type, so that it is told.
        let plain = [4, 0, 0, 0, 12, 0x0a, 1, b'x'].repeat(2);
        assert_eq!(
            (message.uncompressed_size, message.client_messages),
            (Some(plain.len() as u64), Some(12))
        );
        let mut out = Vec::with_capacity(1000);
        match algorithm {
            Algorithm::DeflateStream => {
                let status = inflate.decompress_vec(&message.payload, &mut out, FlushDecompress::Sync);
                // Servers drop what comes behind the end of the stream.
                assert!(matches!(status, Ok(flate2::Status::Ok)), "{status:?}");
                assert!(message.payload.ends_with(&[0, 0, 0xff, 0xff]));
            }
            Algorithm::Lz4Message => {
                // A second frame would be dropped, too.
                assert_eq!(message.payload.windows(4).filter(|four| *four == b"\x04\x22\x4d\x18").count(), 1);
                let mut decoder = lz4_flex::frame::FrameDecoder::new(&message.payload[..]);
                std::io::copy(&mut decoder, &mut out).expect("a frame");
            }
            _ => out = zstd::stream::decode_all(&message.payload[..]).expect("a frame"),
        }
        assert_eq!(out, plain);
    }
}

/// Servers with an older zstd flush one frame that never ends.
fn zstd_without_end() {
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1).expect("an encoder");
    let mut acts = Vec::new();
    for _ in 0..20 {
        encoder.write_all(&frames(&result())).and_then(|()| encoder.flush()).expect("a Vec takes it");
        let payload = std::mem::take(encoder.get_mut());
        acts.extend([Act::Hear, Act::Say(compressed(None, &payload)), Act::Say(executed())]);
    }
    let (mut session, _peer) = agreed(Algorithm::ZstdStream, 4 << 20, &acts);
    for _ in 0..20 {
        let (told, error) = watch::run(read(&mut session, 1));
        assert!(error.is_none(), "{error:?}");
        assert_eq!(told, TOLD);
    }
}

/// A header that wants 2 GiB, and one that wants 8 MiB, of a session that may not have as much.
fn zstd_window() {
    for (window, limit) in [(31, 1 << 20), (23, 1 << 20), (23, LIMIT)] {
        // magic | no content size, no checksum | window
        let payload = [0x28, 0xb5, 0x2f, 0xfd, 0x00, (window - 10) << 3, 0x01, 0x00, 0x00];
        let acts = [Act::Say(compressed(None, &payload)), Act::Close];
        let (told, error) = bounded(Algorithm::ZstdStream, limit, &acts);
        assert!(told.is_empty() && error.is_some(), "{told:?}");
    }
}
