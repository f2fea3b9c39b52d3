use std::io::{Read, Write};

use bytes::BytesMut;
use lz4_flex::frame::{BlockSize, FrameDecoder, FrameEncoder, FrameInfo};
use porpoise_wire::WireError;

use super::Algorithm;
use super::bounded::bounded;
use super::codec::{Codec, Decode, Encode};

/// What a frame begins with.
const MAGIC: [u8; 4] = [0x04, 0x22, 0x4d, 0x18];

/// Where a frame says how large its blocks are, in bits 4 to 6: behind the magic number and the flags.
const BLOCK_SIZE: usize = 5;

/// The smallest size that it can say: code 4. Each code is four times the one before.
const SMALLEST: usize = 64 << 10;

/// There is one level, and nothing is kept from message to message.
pub(super) fn codec() -> Codec {
    (Box::new(Lz4), Box::new(Lz4))
}

const fn failed() -> WireError {
    WireError::Inflate { algorithm: Algorithm::Lz4Message.name() }
}

struct Lz4;

impl Encode for Lz4 {
    fn encode(&mut self, frames: &[u8], out: &mut Vec<u8>) -> Result<(), WireError> {
        // The receiver makes room for a block.
        let info = FrameInfo::new().block_size(BlockSize::Max64KB);
        let mut encoder = FrameEncoder::with_frame_info(info, out);
        encoder.write_all(frames).map_err(|_| failed())?;
        encoder.finish().map(|_| ()).map_err(|_| failed())
    }
}

impl Decode for Lz4 {
    fn decode(&mut self, payload: &[u8], most: usize, out: &mut BytesMut) -> Result<(), WireError> {
        // Servers put one frame into a payload; a second one must not get lost.
        let mut left = payload;
        while !left.is_empty() {
            // A decoder takes less than this for the end.
            if !left.starts_with(&MAGIC) {
                return Err(failed());
            }
            left = frame(left, most, out)?;
        }
        Ok(())
    }
}

/// Inflates the first frame, and gives what is behind it.
fn frame<'a>(payload: &'a [u8], most: usize, out: &mut BytesMut) -> Result<&'a [u8], WireError> {
    // A decoder makes room for a whole block before it has seen any of it.
    let code = payload.get(BLOCK_SIZE).map_or(0, |byte| u32::from(byte >> 4 & 7));
    let size = SMALLEST << (2 * code.saturating_sub(4));
    if size > most.max(SMALLEST) {
        return Err(WireError::WindowTooLarge { size: size as u64, limit: most });
    }
    let mut decoder = FrameDecoder::new(payload);
    bounded(most, out, |room| decoder.read(room).map_err(|_| failed()))?;
    Ok(decoder.into_inner())
}
