//! What all algorithms have in common.

use bytes::BytesMut;
use porpoise_wire::WireError;

use super::Algorithm;

/// One direction's state, kept from message to message. Each payload can be inflated when it has come.
pub(super) trait Encode: Send {
    /// Compresses frames into `out`, which is empty.
    fn encode(&mut self, frames: &[u8], out: &mut Vec<u8>) -> Result<(), WireError>;
}

/// The other direction's.
pub(super) trait Decode: Send {
    /// Appends what `payload` holds to `out`, `most` bytes at most.
    fn decode(&mut self, payload: &[u8], most: usize, out: &mut BytesMut) -> Result<(), WireError>;
}

pub(super) type Codec = (Box<dyn Encode>, Box<dyn Decode>);

/// Both directions of an algorithm; `None` for one that this build lacks. The level is the server's own default if it is
/// absent, and bounded as servers bound it. What a decoder keeps is bounded by `limit`.
pub(super) fn codec(algorithm: Algorithm, level: Option<i32>, limit: usize) -> Option<Codec> {
    match algorithm {
        #[cfg(feature = "deflate")]
        Algorithm::DeflateStream => Some(super::deflate::codec(level)),
        #[cfg(feature = "lz4")]
        Algorithm::Lz4Message => Some(super::lz4::codec()),
        #[cfg(feature = "zstd")]
        Algorithm::ZstdStream => super::zstd::codec(level, limit),
        #[cfg(not(all(feature = "deflate", feature = "lz4", feature = "zstd")))]
        _ => {
            let _ = (level, limit);
            None
        }
    }
}
