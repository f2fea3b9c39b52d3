//! Servers that attack through compressed frames: bombs, frames that lie about what they hold, replies that were not asked
//! for. What a client holds at a time stays under twice the packet limit and 64 KiB; zstd has 256 KiB more, whatever comes.

use std::io::Write as _;

use libtest_mimic::{Arguments, Trial};
use porpoise_classic::{ClassicErrorKind, Event};
use porpoise_classic_connect::CompressionAlgorithm;
use porpoise_driver::{Client, Error, Operation};
use porpoise_hostile_tests::answers::login;
use porpoise_hostile_tests::cases::plain;
use porpoise_hostile_tests::packets::{column, end, err, frame, ok, row};
use porpoise_hostile_tests::talks::Dialect;
use porpoise_hostile_tests::{Act, Peer, watch};
use porpoise_wire::{Limits, WireError};

/// The most that one frame can hold.
const FULL: usize = 0xff_ffff;

/// Packet limits: below and above what is inflated ahead, and above a frame.
const LIMITS: [usize; 3] = [128 << 10, 3 << 20, 20 << 20];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Codec {
    Zlib,
    Zstd,
}

impl Codec {
    const ALL: [Self; 2] = [Self::Zlib, Self::Zstd];

    fn deflate(self, plain: &[u8]) -> Vec<u8> {
        match self {
            Self::Zlib => {
                let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
                encoder.write_all(plain).and_then(|()| encoder.finish()).expect("a Vec takes it")
            }
            Self::Zstd => zstd::bulk::compress(plain, 3).expect("a Vec takes it"),
        }
    }

    /// What the decoder needs beyond that, whatever it is given, in bytes; zlib's 48 KiB fit in.
    const fn fixed(self) -> usize {
        match self {
            Self::Zlib => 0,
            Self::Zstd => 256 << 10,
        }
    }

    const fn algorithm(self) -> CompressionAlgorithm {
        match self {
            Self::Zlib => CompressionAlgorithm::Zlib,
            Self::Zstd => CompressionAlgorithm::Zstd,
        }
    }
}

/// A compressed frame that announces so much.
fn announced(id: u8, announced: usize, body: &[u8]) -> Vec<u8> {
    let ([a, b, c, ..], [d, e, f, ..]) = (body.len().to_le_bytes(), announced.to_le_bytes());
    [&[a, b, c, id, d, e, f], body].concat()
}

fn stored(id: u8, plain: &[u8]) -> Vec<u8> {
    announced(id, 0, plain)
}

fn deflated(codec: Codec, id: u8, plain: &[u8]) -> Vec<u8> {
    announced(id, plain.len(), &codec.deflate(plain))
}

/// As many frames as it takes, from this id on.
fn frames(codec: Codec, mut id: u8, plain: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for piece in plain.chunks(FULL) {
        bytes.extend(deflated(codec, id, piece));
        id = id.wrapping_add(1);
    }
    bytes
}

/// One column, up to its rows.
fn columns() -> Vec<u8> {
    [frame(1, &[1]), frame(2, &column("c"))].concat()
}

/// The frames of a row that has so many bytes.
fn large_row(len: usize) -> Vec<u8> {
    // A cell whose length nobody looks at: x, x and x.
    let mut payload = vec![0xfd];
    payload.resize(len, b'x');
    let mut bytes: Vec<u8> = payload.chunks(FULL).flat_map(|piece| frame(9, piece)).collect();
    if len.is_multiple_of(FULL) {
        bytes.extend(frame(9, &[]));
    }
    bytes
}

/// A client of a server that sends these bytes in reply to the first command, and hangs up.
fn client(codec: Codec, limit: usize, reply: Vec<u8>) -> (Client, Peer) {
    let then = [Act::Hear, Act::Raw(reply), Act::Close];
    let script: Vec<Act> = Dialect::Modern.login().into_iter().chain(then).collect();
    let peer = Peer::new(&script);
    let limits = Limits::default().with_max_packet(limit);
    let options = plain().compression_algorithms(&[codec.algorithm()]).connect(|c| c.limits(limits));
    let options = options.build().unwrap_or_else(|error| panic!("options: {error}"));
    (login(&peer, options.into()), peer)
}

/// Reads all there is. The number of rows, and what ended it.
fn read(codec: Codec, limit: usize, reply: Vec<u8>) -> (usize, Error) {
    let (mut client, _peer) = client(codec, limit, reply);
    let ((rows, error), info) = watch::measure(|| {
        let mut rows = 0;
        let error = watch::run(async {
            client.command(|session, cx| session.query("x", cx)).await?;
            while let Some(event) = client.next_event().await? {
                if let Event::Rows(batch) = event {
                    rows += batch.len();
                }
            }
            client.ping().await
        });
        (rows, error.expect_err("the server hung up"))
    });
    let most = (2 * limit + (64 << 10) + codec.fixed()) as u64;
    assert!(
        info.bytes_max <= most,
        "{codec:?}, limit {limit}: {} bytes at a time, not {most}",
        info.bytes_max
    );
    (rows, error)
}

/// What is wrong with the packet that ended it.
fn wire(error: &Error) -> WireError {
    match error {
        Error::Session(error) => match error.kind() {
            ClassicErrorKind::Packet { error, .. } => *error,
            kind => panic!("{kind:?}"),
        },
        error => panic!("{error:?}"),
    }
}

fn trial(name: &str, codec: Codec, test: impl FnOnce(Codec) + Send + 'static) -> Trial {
    Trial::test(format!("{codec:?}: {name}"), move || {
        test(codec);
        Ok(())
    })
}

fn bombs(codec: Codec) -> Vec<Trial> {
    let each = |test: fn(Codec, usize)| move |codec| LIMITS.into_iter().for_each(|limit| test(codec, limit));
    vec![
        trial(
            "frames of 16 MiB, full of rows",
            codec,
            each(|codec, limit| {
                let rows: Vec<u8> = (0..FULL / 104).flat_map(|_| frame(7, &row(&"x".repeat(99)))).collect();
                let first = frames(codec, 1, &columns());
                let more: Vec<u8> = (2..6).flat_map(|id| deflated(codec, id, &rows)).collect();
                assert!(more.len() < FULL / 10, "{} bytes", more.len());
                let (rows, error) = read(codec, limit, [first, more].concat());
                // The window of a zstd frame may not be larger than a packet.
                if codec == Codec::Zstd && limit < 2 << 20 {
                    let refused = WireError::WindowTooLarge { size: 2 << 20, limit };
                    assert_eq!((rows, wire(&error)), (0, refused));
                } else {
                    assert_eq!((rows, error.code()), (4 * (FULL / 104), 2013), "{error:?}");
                }
            }),
        ),
        trial(
            "rows as large as they may be",
            codec,
            each(|codec, limit| {
                let rows: Vec<u8> = [limit, 5, limit - 1, limit / 2, limit]
                    .into_iter()
                    .flat_map(|len| if len < 250 { frame(3, &row("four")) } else { large_row(len) })
                    .collect();
                // Each row begins in the frame of the one before.
                let plain = [columns(), rows].concat();
                let reply: Vec<u8> = (1..)
                    .zip(plain.chunks(limit.min(FULL)))
                    .flat_map(|(id, piece)| deflated(codec, id, piece))
                    .collect();
                let (rows, error) = read(codec, limit, reply);
                assert_eq!((rows, error.code()), (5, 2013), "{error:?}");
            }),
        ),
        trial(
            "a row above the limit",
            codec,
            each(|codec, limit| {
                let reply = [frames(codec, 1, &columns()), stored(2, &[3, 0]), stored(3, &[0xff])].concat();
                let (_, error) = read(codec, limit, reply);
                assert_eq!(error.code(), 2013);
                let size = limit + 1;
                let plain = [columns(), large_row(size)].concat();
                let reply: Vec<u8> = (1..)
                    .zip(plain.chunks(limit.min(FULL) / 2))
                    .flat_map(|(id, piece)| deflated(codec, id, piece))
                    .collect();
                let (rows, error) = read(codec, limit, reply);
                assert!(matches!(wire(&error), WireError::PacketTooLarge { .. }), "{error:?}");
                assert_eq!(rows, 0);
            }),
        ),
        trial(
            "16 MiB of empty packets",
            codec,
            each(|codec, limit| {
                let reply = [frames(codec, 1, &columns()), deflated(codec, 2, &vec![0; FULL])].concat();
                let (rows, error) = read(codec, limit, reply);
                assert_eq!(rows, 0);
                assert!(
                    matches!(wire(&error), WireError::EmptyPacket | WireError::WindowTooLarge { .. }),
                    "{error:?}"
                );
            }),
        ),
        trial("drained by a call that does not want it", codec, |codec| {
            let rows: Vec<u8> = (0..FULL / 104).flat_map(|_| frame(7, &row(&"x".repeat(99)))).collect();
            let more: Vec<u8> = (2..60).flat_map(|id| deflated(codec, id, &rows)).collect();
            let (mut client, peer) = client(codec, 3 << 20, [frames(codec, 1, &columns()), more].concat());
            let error = watch::run(async {
                drop(client.query("x").await.expect("columns"));
                client.ping().await.expect_err("too much to drain")
            });
            assert!(matches!(error, Error::Unusable(Operation::TooMuchToDrain)), "{error:?}");
            // A budget of 1 MiB is not 1 GiB because it came compressed.
            assert!(peer.heard().given < 256 << 10, "{} bytes were read", peer.heard().given);
        }),
    ]
}

fn lies(codec: Codec) -> Vec<Trial> {
    let plain = || [columns(), frame(3, &row("pearl")), frame(4, &end())].concat();
    let refused = |name: &str, reply: Vec<u8>, fits: fn(WireError) -> bool| {
        trial(name, codec, move |codec| {
            let (_, error) = read(codec, 128 << 10, reply);
            assert!(fits(wire(&error)), "{error:?}");
        })
    };
    let body = codec.deflate(&plain());
    let mut broken = body.clone();
    let middle = broken.len() / 2;
    for byte in broken.get_mut(4..middle).unwrap_or_default() {
        *byte ^= 0x55;
    }
    let inflated = |error| matches!(error, WireError::InflatedSize { .. });
    let any = |error| matches!(error, WireError::InflatedSize { .. } | WireError::Inflate { .. });
    vec![
        refused("more than announced", announced(1, plain().len() - 1, &body), inflated),
        refused("less than announced", announced(1, plain().len() + 1, &body), inflated),
        refused("16 MiB announced", announced(1, FULL, &body), inflated),
        refused("nothing in it", announced(1, FULL, &[]), any),
        refused("no stream", announced(1, 100, &[0xa5; 60]), any),
        refused("a broken stream", announced(1, plain().len(), &broken), any),
        refused(
            "bytes behind the stream",
            announced(1, plain().len(), &[&body[..], b"more"].concat()),
            |error| matches!(error, WireError::TrailingBytes { left: 4 }),
        ),
        refused("a wrong id", deflated(codec, 2, &plain()), |error| {
            error == WireError::OutOfOrder { expected: 1, got: 2 }
        }),
        refused(
            "a wrong id later on",
            [deflated(codec, 1, &columns()), stored(1, &plain())].concat(),
            |error| error == WireError::OutOfOrder { expected: 2, got: 1 },
        ),
        trial("no frame is needed for a frame without anything", codec, |codec| {
            let nothing: Vec<u8> = (1..=255).flat_map(|id| stored(id, &[])).collect();
            let (rows, error) =
                read(codec, 128 << 10, [nothing, deflated(codec, 0, &plain_result())].concat());
            assert_eq!((rows, error.code()), (1, 2013), "{error:?}");
        }),
        trial("a reply to no command, behind one", codec, |codec| {
            let both = [plain_result(), frame(1, &ok())].concat();
            let (mut client, _peer) = client(codec, 128 << 10, deflated(codec, 1, &both));
            let error = watch::run(async {
                client.query("x").await?.finish().await?;
                client.ping().await
            });
            let error = error.expect_err("an OK that nobody asked for");
            assert!(matches!(error, Error::Session(_)), "{error:?}");
        }),
        trial("an ERR that nobody asked for, behind a reply", codec, |codec| {
            let both = [plain_result(), frame(0, &err(1053, "shutdown"))].concat();
            let (mut client, _peer) = client(codec, 128 << 10, deflated(codec, 1, &both));
            let error = watch::run(async {
                client.query("x").await?.finish().await?;
                client.ping().await
            });
            assert_eq!(error.expect_err("the server's last word").code(), 1053);
            assert!(!client.is_usable());
        }),
    ]
}

fn plain_result() -> Vec<u8> {
    [columns(), frame(3, &row("pearl")), frame(4, &end())].concat()
}

/// Every byte of a reply changed, and the reply ended behind every byte: an error or the same row, nothing else.
fn broken(codec: Codec) -> [Trial; 2] {
    let run = move |reply: Vec<u8>| {
        let (mut client, _peer) = client(codec, 128 << 10, reply);
        watch::run(async {
            let mut results = client.query("x").await?;
            let mut rows = 0;
            while let Some(batch) = results.next_batch().await? {
                rows += batch.len();
            }
            results.finish().await?;
            Ok::<usize, Error>(rows)
        })
    };
    let good = move || {
        let rest = [frame(3, &row("pearl")), frame(4, &end())].concat();
        let (start, rest) = rest.split_at(3);
        [deflated(codec, 1, &columns()), stored(2, start), deflated(codec, 3, rest)].concat()
    };
    [
        trial("every byte changed", codec, move |_| {
            assert_eq!(run(good()).expect("a good reply"), 1);
            for at in 0..good().len() {
                for change in [1, 0x80, 0xff] {
                    let mut reply = good();
                    if let Some(byte) = reply.get_mut(at) {
                        *byte ^= change;
                    }
                    drop(run(reply));
                }
            }
        }),
        trial("ended behind every byte", codec, move |_| {
            for end in 0..good().len() {
                let mut reply = good();
                reply.truncate(end);
                let error = run(reply).expect_err("not all of it");
                assert_eq!(error.code(), 2013, "{end}: {error:?}");
            }
        }),
    ]
}

/// What one frame leaves of memory when the codec is given back.
fn parked(codec: Codec) -> Trial {
    trial("a parked client", codec, |codec| {
        let (mut client, _peer) = client(codec, 1 << 20, deflated(codec, 1, &plain_result()));
        let ((), info) = watch::measure(|| {
            watch::run(async {
                let mut results = client.query(&"x".repeat(1000)).await.expect("columns");
                while results.next_batch().await.expect("rows").is_some() {}
                results.finish().await.expect("the end");
            });
            client.park();
        });
        assert!(info.bytes_current <= 4 << 10, "{} bytes stay", info.bytes_current);
    })
}

fn main() {
    let of = |codec| bombs(codec).into_iter().chain(lies(codec)).chain(broken(codec)).chain([parked(codec)]);
    let trials = Codec::ALL.into_iter().flat_map(of).collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}
