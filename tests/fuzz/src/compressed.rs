//! Compressed frames.

use std::io::Write as _;

use bytes::{Buf, BytesMut};
use porpoise_wire::{Compression, Frame, Framer, Limits, WireError};

use crate::paths::Path;
use crate::script::{Script, framed};

/// More than any input can announce, so that the limit is of packets and not of windows.
const MAX_PACKET: usize = 300;

/// The reader of compressed frames: however the bytes are cut, and whether packets are taken one by one, as a run or in
/// parts, they are the same; and they are those that were put into the frames, if all of these are good.
///
/// `algorithm | cut | frames`, a frame: `kind | length | bytes`.
pub fn compressed(input: &[u8]) -> Vec<u64> {
    let mut script = Script(input);
    let zstd = script.byte() & 1 == 1;
    let compression = if zstd { Compression::Zstd { level: 3 } } else { Compression::Zlib { level: 6 } };
    let step = usize::from(script.byte()) + 1;
    let mut path = Path::default();
    let (mut wire, mut plain, mut id, mut good) = (Vec::new(), Vec::new(), 0u8, true);
    while !script.0.is_empty() {
        let kind = script.byte();
        let len = usize::from(script.byte());
        let bytes = script.bytes(len);
        path.passes(&(kind % 16));
        match kind % 16 {
            // Bytes as they are.
            15 => {
                wire.extend_from_slice(bytes);
                good = false;
            }
            // A frame that announces something else, or whose stream is none.
            14 => {
                frame(&mut wire, id, usize::from(kind) * 3, bytes);
                good = false;
            }
            13 => {
                frame(&mut wire, id, bytes.len() + usize::from(kind >> 4) + 1, &deflated(zstd, bytes));
                good = false;
            }
            // A wrong id.
            12 => {
                frame(&mut wire, kind, 0, bytes);
                good = false;
            }
            kind if kind < 6 => {
                frame(&mut wire, id, 0, bytes);
                plain.extend_from_slice(bytes);
            }
            // Many times as much in a small frame.
            kind => {
                let bytes = bytes.repeat(if kind < 10 { 1 } else { 100 });
                let announced = bytes.len();
                frame(&mut wire, id, announced, &deflated(zstd, &bytes));
                plain.extend_from_slice(&bytes);
                // An empty stream announces nothing, which says that it is stored.
                good &= announced > 0;
            }
        }
        id = id.wrapping_add(1);
    }
    let whole = read(compression, &wire, usize::MAX, Way::Packets);
    let mut all = vec![read(compression, &wire, step, Way::Packets)];
    all.push(read(compression, &wire, step, Way::Runs));
    all.push(read(compression, &wire, usize::MAX, Way::Runs));
    all.push(read(compression, &wire, 1, Way::Packets));
    for other in &all {
        // A stream that breaks tells so sooner or later, by how much of it is there.
        assert_eq!(whole.1.is_some(), other.1.is_some(), "{:?} {:?}", whole.1, other.1);
        assert!(whole.0.iter().zip(&other.0).all(|(one, other)| one == other));
        assert!(whole.1.is_some() || whole.0.len() == other.0.len());
    }
    if good {
        let expected = packets(&plain);
        assert_eq!(whole.0, expected.0);
        assert_eq!(whole.1.is_some(), expected.1, "{:?}", whole.1);
        if whole.1.is_none() {
            assert_eq!(read(compression, &wire, step, Way::Parts).0, expected.0);
        }
    }
    path.counts(whole.0.len());
    path.tells(&whole.1);
    path.steps()
}

/// How packets are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Packets,
    Runs,
    Parts,
}

fn deflated(zstd: bool, plain: &[u8]) -> Vec<u8> {
    if zstd {
        return zstd::bulk::compress(plain, 1).expect("a Vec takes it");
    }
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(plain).and_then(|()| encoder.finish()).expect("a Vec takes it")
}

fn frame(wire: &mut Vec<u8>, id: u8, announced: usize, body: &[u8]) {
    let ([a, b, c, ..], [d, e, f, ..]) = (body.len().to_le_bytes(), announced.to_le_bytes());
    wire.extend([a, b, c, id, d, e, f]);
    wire.extend_from_slice(body);
}

/// The packets in these bytes up to one that is too large, and whether there is such a one.
fn packets(mut plain: &[u8]) -> (Vec<Vec<u8>>, bool) {
    let mut packets = Vec::new();
    while let Some((header, rest)) = plain.split_at_checked(4) {
        let len = usize::try_from((&header[..3]).get_uint_le(3)).expect("24 bits");
        if len > MAX_PACKET {
            return (packets, true);
        }
        let Some((payload, rest)) = rest.split_at_checked(len) else { break };
        packets.push(payload.to_vec());
        plain = rest;
    }
    (packets, false)
}

/// The payloads, and what ended them.
fn read(
    compression: Compression,
    mut bytes: &[u8],
    step: usize,
    way: Way,
) -> (Vec<Vec<u8>>, Option<WireError>) {
    let mut framer = Framer::new(Limits::default().with_max_packet(MAX_PACKET));
    framer.compress(compression);
    let (mut rx, mut packets) = (BytesMut::new(), Vec::new());
    let mut begun = false;
    loop {
        let looked = match way {
            Way::Parts => framer.take_part(&mut rx).map(|part| match part {
                Some(part) => {
                    if part.first {
                        packets.push(Vec::new());
                    }
                    packets.last_mut().expect("a first part").extend_from_slice(&part.bytes);
                    begun = !part.last;
                    None
                }
                None => Some(rx.len() + 1),
            }),
            Way::Packets | Way::Runs => framer.poll(&mut rx).map(|frame| match frame {
                Frame::Need(needed) => Some(needed),
                _ if way == Way::Packets => {
                    packets.push(framer.payload(&rx).to_vec());
                    framer.consume(&mut rx);
                    None
                }
                _ => {
                    let run = framer.take_run(&mut rx, |_| true).expect("it was ready").expect("and belongs");
                    let mut frames = run.into_bytes();
                    while !frames.is_empty() {
                        let len = usize::try_from(frames.get_uint_le(3)).expect("24 bits");
                        frames.advance(1);
                        packets.push(frames.split_to(len).to_vec());
                    }
                    None
                }
            }),
        };
        assert!(
            packets.last().is_none_or(|packet: &Vec<u8>| way == Way::Parts || packet.len() <= MAX_PACKET)
        );
        match looked {
            Ok(None) => {}
            Ok(Some(needed)) => {
                assert!(needed > rx.len());
                if bytes.is_empty() {
                    if begun {
                        packets.pop();
                    }
                    return (packets, None);
                }
                let (now, later) = bytes.split_at(step.min(bytes.len()));
                rx.extend_from_slice(now);
                bytes = later;
            }
            Err(error) => return (packets, Some(error)),
        }
    }
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let plain = [framed(b"abc", 0), framed(b"", 1), framed(&[b'x'; 60], 9)].concat();
    let len = u8::try_from(plain.len()).expect("a small one");
    let (start, rest) = plain.split_at(6);
    let mut seeds = Vec::new();
    for algorithm in [0, 1] {
        for kind in [0, 6, 11] {
            seeds.push([&[algorithm, 3, kind, len], &plain[..]].concat());
            seeds.push([&[algorithm, 0, kind, 6], start, &[6 - kind.min(6), len - 6], rest].concat());
        }
        let err = framed(b"\xff\xbf\x0f#HY000bye", 0);
        seeds.push([&[algorithm, 9, 6, len], &plain[..], &[12, 17], &err[..]].concat());
        for kind in [12, 13, 14, 15] {
            seeds.push([&[algorithm, 9, kind, len], &plain[..]].concat());
        }
        // The header of a zstd frame without a content size; a stored block of zlib.
        seeds.push([&[algorithm, 1, 14, 9], &b"\x28\xb5\x2f\xfd\x00\x58\x01\x00\x00"[..]].concat());
        seeds.push([&[algorithm, 1, 14, 9], &b"\x78\x01\x01\x00\x00\xff\xff\x00\x00"[..]].concat());
    }
    seeds
}
