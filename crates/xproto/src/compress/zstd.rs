use bytes::BytesMut;
use porpoise_wire::WireError;
use zstd::zstd_safe::{CCtx, DCtx, DParameter, InBuffer, OutBuffer, compress_bound};

use super::Algorithm;
use super::bounded::bounded;
use super::codec::{Codec, Decode, Encode};

/// The server's default.
const LEVEL: i32 = 3;

/// What a decoder may keep behind what it inflated, as a power of two: the largest window of any level up to 11. No
/// message needs more than it holds.
const WINDOW_LOG: u32 = 23;

/// The smallest window that zstd knows.
const MIN_WINDOW_LOG: u32 = 10;

pub(super) fn codec(level: Option<i32>, limit: usize) -> Option<Codec> {
    let mut decoder = DCtx::create();
    let window = limit.checked_next_power_of_two().map_or(WINDOW_LOG, usize::trailing_zeros);
    decoder.set_parameter(DParameter::WindowLogMax(window.clamp(MIN_WINDOW_LOG, WINDOW_LOG))).ok()?;
    let level = level.filter(|level| *level != 0).unwrap_or(LEVEL).clamp(-100, 11);
    Some((Box::new(Encoder { context: CCtx::create(), level }), Box::new(Decoder(decoder))))
}

const fn failed() -> WireError {
    WireError::Inflate { algorithm: Algorithm::ZstdStream.name() }
}

/// A frame for each payload.
struct Encoder {
    context: CCtx<'static>,
    level: i32,
}

impl Encode for Encoder {
    fn encode(&mut self, frames: &[u8], out: &mut Vec<u8>) -> Result<(), WireError> {
        out.reserve(compress_bound(frames.len()));
        self.context.compress(out, frames, self.level).map(|_| ()).map_err(|_| failed())
    }
}

/// A frame may end in a payload, or go on in the next one.
struct Decoder(DCtx<'static>);

impl Decode for Decoder {
    fn decode(&mut self, payload: &[u8], most: usize, out: &mut BytesMut) -> Result<(), WireError> {
        let mut input = InBuffer::around(payload);
        bounded(most, out, |room| {
            let mut output = OutBuffer::around(room);
            loop {
                let before = input.pos();
                self.0.decompress_stream(&mut output, &mut input).map_err(|_| failed())?;
                // Between two frames a call may give nothing and still get on.
                if output.pos() > 0 || input.pos() == before {
                    return Ok(output.pos());
                }
            }
        })
    }
}
