//! Compression: whole frames, compressed together, in one `Mysqlx.Connection.Compression`.
//!
//! | number | field | type |
//! |---|---|---|
//! | 1 | uncompressed_size | uint64: the size of the frames, headers included |
//! | 2 / 3 | server_messages / client_messages | enum: their type, if it is one and the same |
//! | 4 | payload | bytes, the last field |
//!
//! Follows "MySQL Source Code Documentation: X Protocol, Compression". Starts with AuthenticateOk, both ways, and stays
//! for the connection's life. What a peer sends is inflated no further than it says, and never beyond the limit.

#[cfg(any(feature = "deflate", feature = "lz4", feature = "zstd"))]
mod bounded;
mod codec;
#[cfg(feature = "deflate")]
mod deflate;
#[cfg(feature = "lz4")]
mod lz4;
#[cfg(feature = "zstd")]
mod zstd;

use std::fmt;

use bytes::{BufMut, Bytes, BytesMut};
use porpoise_wire::{WireError, XFramer};

use self::codec::{Decode, Encode};
use crate::ClientKind;
use crate::field::Fields;

/// How messages are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Algorithm {
    /// zlib (RFC 1950), one stream a direction for the whole connection. Feature `deflate`.
    DeflateStream,
    /// LZ4 frames, one for each payload. Feature `lz4`.
    Lz4Message,
    /// zstd frames. Feature `zstd`.
    ZstdStream,
}

impl Algorithm {
    /// All of them, in the order in which they are asked for.
    pub const ALL: [Self; 3] = [Self::ZstdStream, Self::Lz4Message, Self::DeflateStream];

    /// The name that the capability has.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::DeflateStream => "deflate_stream",
            Self::Lz4Message => "lz4_message",
            Self::ZstdStream => "zstd_stream",
        }
    }

    /// The one of this name; case does not matter.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.name().eq_ignore_ascii_case(name))
    }

    /// Whether this build has it.
    #[must_use]
    pub const fn is_built(self) -> bool {
        match self {
            Self::DeflateStream => cfg!(feature = "deflate"),
            Self::Lz4Message => cfg!(feature = "lz4"),
            Self::ZstdStream => cfg!(feature = "zstd"),
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Both directions of a connection that compresses.
pub(crate) struct Compression {
    encoder: Box<dyn Encode>,
    decoder: Box<dyn Decode>,
    /// The last compressed payload.
    packed: Vec<u8>,
    /// Inflated frames that are not read yet.
    pub(crate) inner: BytesMut,
    /// Bytes inflated so far.
    pub(crate) inflated: u64,
}

impl fmt::Debug for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Compression").field("inner", &self.inner.len()).finish_non_exhaustive()
    }
}

impl Compression {
    /// `level` is the server's own default if it is absent. `limit`: how much a message may hold.
    pub(crate) fn new(algorithm: Algorithm, level: Option<i32>, limit: usize) -> Option<Self> {
        let (encoder, decoder) = codec::codec(algorithm, level, limit)?;
        Some(Self { encoder, decoder, packed: Vec::new(), inner: BytesMut::new(), inflated: 0 })
    }

    /// Inflates the frames of a message. None of an earlier one are left. What is inflated must be frames, all of them
    /// whole, none of them compressed again.
    pub(crate) fn inflate(&mut self, message: &Bytes, framer: XFramer) -> Result<(), WireError> {
        let (mut size, mut payload) = (None, None);
        for field in Fields::new(message) {
            match field? {
                (1, value) => size = value.varint(),
                (4, value) => payload = value.bytes(),
                _ => {}
            }
        }
        let payload = payload.filter(|payload| !payload.is_empty());
        let payload = payload.ok_or(WireError::Truncated { field: "payload", needed: 1, left: 0 })?;
        let limit = framer.max_frame();
        let most = match size.map(usize::try_from) {
            Some(Ok(size)) if size <= limit => size,
            Some(_) => return Err(WireError::PacketTooLarge { size: usize::MAX, limit }),
            None => limit,
        };
        self.decoder.decode(payload, most, &mut self.inner)?;
        self.inflated += self.inner.len() as u64;
        if size.is_some() && self.inner.len() != most {
            return Err(WireError::BadValue { field: "uncompressed_size", value: most as u64 });
        }
        self.check(framer)
    }

    fn check(&self, framer: XFramer) -> Result<(), WireError> {
        let mut left = &self.inner[..];
        while !left.is_empty() {
            let Some((kind, payload)) = framer.message(left) else {
                return Err(WireError::Truncated { field: "frame", needed: 5, left: left.len() });
            };
            if kind == crate::ServerKind::COMPRESSION.number() {
                return Err(WireError::BadValue { field: "inner message type", value: kind.into() });
            }
            left = left.get(porpoise_wire::XFRAME_HEADER_LEN + payload.len()..).unwrap_or_default();
        }
        Ok(())
    }

    /// Appends one message that holds `frames`. Gives its payload without the compressed bytes, for the trace.
    pub(crate) fn deflate(&mut self, frames: &[u8], tx: &mut BytesMut) -> Result<BytesMut, WireError> {
        let mut head = BytesMut::new();
        prost::encoding::uint64::encode(1, &(frames.len() as u64), &mut head);
        if let Some(kind) = single_kind(frames) {
            prost::encoding::int32::encode(3, &kind.into(), &mut head);
        }
        self.packed.clear();
        self.encoder.encode(frames, &mut self.packed)?;
        let payload = &self.packed[..];
        XFramer::write(tx, ClientKind::COMPRESSION.number(), |tx| {
            tx.put_slice(&head);
            // The server reads up to the payload, and then lets it flow: it comes last.
            prost::encoding::encode_key(4, prost::encoding::WireType::LengthDelimited, tx);
            prost::encoding::encode_varint(payload.len() as u64, tx);
            tx.put_slice(payload);
        })?;
        Ok(head)
    }
}

/// The type of all frames, if it is one and the same.
fn single_kind(frames: &[u8]) -> Option<u8> {
    let mut kinds = each(frames).map(|(kind, _)| kind);
    let first = kinds.next()?;
    kinds.all(|kind| kind == first).then_some(first)
}

/// The types and payloads of whole frames of this side.
pub(crate) fn each(frames: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    let framer = XFramer::new(usize::MAX);
    let mut left = frames;
    std::iter::from_fn(move || {
        let (kind, payload) = framer.message(left)?;
        left = left.get(porpoise_wire::XFRAME_HEADER_LEN + payload.len()..)?;
        Some((kind, payload))
    })
}

#[cfg(test)]
#[cfg(all(feature = "deflate", feature = "lz4", feature = "zstd"))]
mod tests {
    use proptest::prelude::{any, prop, prop_assert_eq, proptest};

    use super::*;

    const FRAMER: XFramer = XFramer::new(1 << 20);

    fn frames(payloads: &[Vec<u8>]) -> BytesMut {
        let mut wire = BytesMut::new();
        for payload in payloads {
            XFramer::write(&mut wire, 13, |tx| tx.put_slice(payload)).unwrap();
        }
        wire
    }

    /// What one side sends is read by another: the message is the same in both directions but for its type.
    fn message(sender: &mut Compression, frames: &[u8]) -> Bytes {
        let mut tx = BytesMut::new();
        sender.deflate(frames, &mut tx).unwrap();
        let (kind, payload) = FRAMER.take(&mut tx).unwrap();
        assert_eq!((kind, tx.len()), (46, 0));
        payload
    }

    fn side(algorithm: Algorithm) -> Compression {
        Compression::new(algorithm, None, 1 << 20).unwrap()
    }

    fn pack(sender: &mut Compression, bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        sender.encoder.encode(bytes, &mut out).unwrap();
        out
    }

    fn raw(size: Option<u64>, payload: &[u8]) -> Bytes {
        use prost::Message as _;
        let payload = Bytes::copy_from_slice(payload);
        let message = crate::messages::connection::Compression {
            uncompressed_size: size,
            payload,
            ..Default::default()
        };
        message.encode_to_vec().into()
    }

    #[test]
    fn names() {
        for algorithm in Algorithm::ALL {
            assert_eq!(Algorithm::from_name(&algorithm.name().to_uppercase()), Some(algorithm));
            assert!(algorithm.is_built());
        }
        assert_eq!(Algorithm::from_name("brotli"), None);
    }

    #[test]
    fn a_message_says_what_it_holds() {
        let mut side = side(Algorithm::ZstdStream);
        let mut tx = BytesMut::new();
        // size 10, client_messages 13
        assert_eq!(side.deflate(&frames(&[vec![], vec![]]), &mut tx).unwrap()[..], [0x08, 10, 0x18, 13]);
        let mut mixed = frames(&[vec![]]);
        XFramer::write(&mut mixed, 14, |_| {}).unwrap();
        assert_eq!(side.deflate(&mixed, &mut tx).unwrap()[..], [0x08, 10]);
    }

    #[test]
    fn a_bomb_is_inflated_to_its_limit_and_no_further() {
        for algorithm in Algorithm::ALL {
            let zeros = vec![0; 64 << 20];
            let packed = {
                let mut sender = Compression::new(algorithm, Some(1), 1 << 20).unwrap();
                pack(&mut sender, &zeros)
            };
            assert!(packed.len() < 1 << 20, "{algorithm}");
            for size in [None, Some(1000)] {
                let mut receiver = side(algorithm);
                let error = receiver.inflate(&raw(size, &packed), FRAMER);
                assert!(
                    matches!(error, Err(WireError::PacketTooLarge { .. })),
                    "{algorithm} {size:?} {error:?}"
                );
                assert!(
                    receiver.inner.capacity() <= (1 << 20) + (64 << 10),
                    "{algorithm}: {}",
                    receiver.inner.capacity()
                );
            }
            let error = side(algorithm).inflate(&raw(Some(1 << 40), &packed), FRAMER);
            assert!(matches!(error, Err(WireError::PacketTooLarge { .. })));
        }
    }

    #[test]
    fn what_does_not_inflate_to_whole_frames_is_an_error() {
        for algorithm in Algorithm::ALL {
            let mut sender = side(algorithm);
            // Half a frame; a compressed message within; a size that is too large; nothing; garbage.
            let half = raw(None, &pack(&mut sender, &[9, 0, 0, 0, 13, 1]));
            assert!(side(algorithm).inflate(&half, FRAMER).is_err(), "{algorithm}");
            let nested = raw(None, &pack(&mut side(algorithm), &[1, 0, 0, 0, 19]));
            assert!(side(algorithm).inflate(&nested, FRAMER).is_err(), "{algorithm}");
            let short = raw(Some(6), &pack(&mut side(algorithm), &[1, 0, 0, 0, 13]));
            assert!(side(algorithm).inflate(&short, FRAMER).is_err(), "{algorithm}");
            for bytes in [&b""[..], b"garbage, garbage, garbage"] {
                assert!(side(algorithm).inflate(&raw(None, bytes), FRAMER).is_err(), "{algorithm}");
            }
        }
    }

    #[test]
    fn nothing_in_a_payload_is_lost_without_a_word() {
        for algorithm in Algorithm::ALL {
            let (mut sender, mut receiver) = (side(algorithm), side(algorithm));
            let (first, second) = (frames(&[vec![1]]), frames(&[vec![2; 300]]));
            let payload = [pack(&mut sender, &first), pack(&mut sender, &second)].concat();
            receiver.inflate(&raw(None, &payload), FRAMER).unwrap();
            assert_eq!(receiver.inner.split(), [first, second].concat(), "{algorithm}");
            // To a stream that lasts as long as the connection anything may be its next part.
            let more = side(algorithm).inflate(&raw(None, &[&payload[..], b"more"].concat()), FRAMER);
            assert_eq!(more.is_ok(), algorithm == Algorithm::DeflateStream, "{algorithm}");
        }
    }

    #[test]
    fn a_window_larger_than_a_message_is_refused() {
        // magic | no content size, no checksum | window of 2^23 | an empty raw block, the last
        let payload = [0x28, 0xb5, 0x2f, 0xfd, 0x00, (23 - 10) << 3, 0x01, 0x00, 0x00];
        for (limit, taken) in [(1 << 20, false), (8 << 20, true), (usize::MAX, true)] {
            let mut side = Compression::new(Algorithm::ZstdStream, None, limit).unwrap();
            assert_eq!(side.inflate(&raw(None, &payload), FRAMER).is_ok(), taken, "{limit}");
        }
    }

    proptest! {
        #[test]
        fn what_one_side_sends_the_other_reads(
            messages in prop::collection::vec(prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 1..6), 1..6),
            level in prop::option::of(-2i32..12),
        ) {
            for algorithm in Algorithm::ALL {
                let (mut sender, mut receiver) = (Compression::new(algorithm, level, 1 << 20).unwrap(), side(algorithm));
                for payloads in &messages {
                    let frames = frames(payloads);
                    receiver.inflate(&message(&mut sender, &frames), FRAMER).unwrap();
                    prop_assert_eq!(receiver.inner.split(), frames);
                }
            }
        }

        #[test]
        fn no_bytes_make_it_panic(size in any::<Option<u16>>(), payload in any::<Vec<u8>>()) {
            for algorithm in Algorithm::ALL {
                let _ = side(algorithm).inflate(&raw(size.map(u64::from), &payload), FRAMER);
            }
        }
    }
}
