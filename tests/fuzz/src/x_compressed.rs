//! X Protocol: compressed messages.

use std::io::Write as _;

use bytes::{Bytes, BytesMut};
use flate2::{Compress, FlushCompress};
use porpoise_trace::NoTrace;
use porpoise_wire::{Cx, Limits, Lost, Machine, Step, XFramer};
use porpoise_xproto::messages::{connection, resultset, sql};
use porpoise_xproto::{Algorithm, Connection, Event};
use prost::Message;

use crate::paths::Path;
use crate::script::Script;

/// The limit of a message, and of all that are compressed together.
const MAX_PACKET: usize = 4096;

/// Rows that come compressed: however the bytes are cut they are the same, and those that were put in, if what holds them is
/// good.
///
/// `algorithm | cut | acts`, an act: `kind | length | bytes`.
pub fn x_compressed(input: &[u8]) -> Vec<u64> {
    let mut script = Script(input);
    let choice = script.byte();
    let algorithm = Algorithm::ALL[usize::from(choice % 3)];
    let step = usize::from(script.byte()) + 1;
    let mut packer = Packer::new(algorithm);
    let mut path = Path::default();
    path.passes(&algorithm);
    let (mut wire, mut rows, mut good) = (column(), Vec::new(), true);
    while !script.0.is_empty() {
        let kind = script.byte();
        let len = usize::from(script.byte());
        let bytes = script.bytes(len);
        path.passes(&(kind % 16));
        // Rows of one cell, some of them empty.
        let cells = || bytes.chunks(usize::from(kind >> 4) + 1);
        let frames: Vec<u8> = cells().flat_map(row).collect();
        match kind % 16 {
            15 => {
                wire.extend_from_slice(bytes);
                good = false;
            }
            // A payload that is none, with any size.
            14 => {
                wire.extend(message(Some(u64::from(kind) * 3), bytes));
                good = false;
            }
            // What is inflated is no frames.
            13 => {
                let payload = packer.pack(bytes);
                wire.extend(message(None, &payload));
                good &= bytes.is_empty() && !payload.is_empty();
            }
            // A size that is wrong.
            12 => {
                wire.extend(message(
                    Some(frames.len() as u64 + 1 + u64::from(kind >> 4)),
                    &packer.pack(&frames),
                ));
                good = false;
            }
            // A bomb.
            11 => {
                wire.extend(message(None, &packer.pack(&vec![kind; 1 << 20])));
                good = false;
            }
            // Compressed again.
            10 => {
                let inner = message(None, &packer.pack(&frames));
                wire.extend(message(None, &packer.pack(&inner)));
                good = false;
            }
            // As they are.
            kind if kind < 3 => {
                wire.extend(&frames);
                rows.extend(cells().map(<[u8]>::to_vec));
            }
            kind => {
                let size = (kind < 7).then_some(frames.len() as u64);
                let payload = packer.pack(&frames);
                wire.extend(message(size, &payload));
                // A stream that was just flushed has nothing to say of nothing.
                good &= frames.len() <= MAX_PACKET && !payload.is_empty();
                rows.extend(cells().map(<[u8]>::to_vec));
            }
        }
        good &= frames.is_empty() || !packer.broken;
    }
    let whole = read(algorithm, &wire, usize::MAX);
    for step in [step, 1] {
        let cut = read(algorithm, &wire, step);
        assert_eq!(whole, cut, "it depends on how bytes are cut");
    }
    if good {
        assert_eq!(whole, (rows, None));
    }
    path.counts(whole.0.len());
    path.tells(&whole.1);
    path.steps()
}

/// One direction's compression.
struct Packer {
    algorithm: Algorithm,
    stream: Compress,
    broken: bool,
}

impl Packer {
    fn new(algorithm: Algorithm) -> Self {
        Self { algorithm, stream: Compress::new(flate2::Compression::fast(), true), broken: false }
    }

    fn pack(&mut self, plain: &[u8]) -> Vec<u8> {
        match self.algorithm {
            Algorithm::DeflateStream => {
                let mut out = Vec::with_capacity(plain.len() + 100);
                let status = self.stream.compress_vec(plain, &mut out, FlushCompress::Sync);
                self.broken |= status.is_err();
                out
            }
            Algorithm::Lz4Message => {
                let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
                encoder.write_all(plain).expect("a Vec takes it");
                encoder.finish().expect("a Vec takes it")
            }
            _ => zstd::bulk::compress(plain, 1).expect("a Vec takes it"),
        }
    }
}

fn frame(kind: u8, message: &impl Message) -> Vec<u8> {
    let mut wire = BytesMut::new();
    XFramer::write(&mut wire, kind, |tx| message.encode_raw(tx)).expect("a short one");
    wire.to_vec()
}

fn column() -> Vec<u8> {
    frame(12, &resultset::ColumnMetaData { r#type: 7, ..Default::default() })
}

fn row(cell: &[u8]) -> Vec<u8> {
    frame(13, &resultset::Row { field: vec![Bytes::copy_from_slice(cell)] })
}

fn message(uncompressed_size: Option<u64>, payload: &[u8]) -> Vec<u8> {
    let payload = Bytes::copy_from_slice(payload);
    frame(19, &connection::Compression { uncompressed_size, payload, ..Default::default() })
}

/// The cells, and what ended them, if it was no end.
fn read(algorithm: Algorithm, mut bytes: &[u8], step: usize) -> (Vec<Vec<u8>>, Option<String>) {
    let mut machine = Connection::new(Limits::default().with_max_packet(MAX_PACKET));
    let (mut rx, mut tx, mut trace) = (BytesMut::new(), BytesMut::new(), NoTrace);
    let mut cx = Cx::new(&mut rx, &mut tx, &mut trace);
    machine.connected(&mut cx);
    let set = connection::CapabilitiesSet::default().with_compression(algorithm, None);
    let sent = machine.send(&set, &mut cx);
    let sent = sent.and_then(|()| machine.authenticate_start("PLAIN", Some(b"x"), false, &mut cx));
    let statement = sql::StmtExecute { stmt: Bytes::from_static(b"x"), ..Default::default() };
    assert_eq!(sent.and_then(|()| machine.send(&statement, &mut cx)), Ok(()));
    // Ok, AuthenticateOk
    cx.rx.extend_from_slice(b"\x01\0\0\0\0\x01\0\0\0\x04");
    let mut cells = Vec::new();
    loop {
        match machine.advance(&mut cx) {
            Ok(Step::Event(Event::Rows(batch))) => {
                for cell in batch.iter().flatten() {
                    cells.push(cell.expect("a row that is sound").unwrap_or_default().to_vec());
                }
            }
            Ok(Step::Event(_)) => {}
            Ok(_) if bytes.is_empty() => {
                // Nothing is kept but what is no whole message.
                let lost = machine.lost(Lost::Closed, &mut cx);
                return (cells, (!cx.rx.is_empty()).then(|| lost.to_string()));
            }
            Ok(_) => {
                let (now, later) = bytes.split_at(step.min(bytes.len()));
                cx.rx.extend_from_slice(now);
                bytes = later;
            }
            Err(error) => return (cells, Some(error.to_string())),
        }
    }
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for algorithm in 0..3 {
        let seed = |acts: &[(u8, &[u8])]| {
            let mut seed = vec![algorithm, 3];
            for (kind, bytes) in acts {
                seed.extend([*kind, u8::try_from(bytes.len()).expect("a short one")]);
                seed.extend_from_slice(bytes);
            }
            seed
        };
        seeds.push(seed(&[(0x30, b"abcd"), (0x33, b"efghijkl"), (0x37, b"mnop"), (0x17, &[b'x'; 200])]));
        for bad in 10..=15 {
            seeds.push(seed(&[(0x33, b"efghijkl"), (bad, b"mnop"), (0x33, b"qr")]));
        }
        seeds.push(seed(&[(13, b""), (0x33, b"efghijkl")]));
    }
    seeds
}
