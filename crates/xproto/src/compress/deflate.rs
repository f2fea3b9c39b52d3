use bytes::BytesMut;
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};
use porpoise_wire::WireError;

use super::Algorithm;
use super::bounded::bounded;
use super::codec::{Codec, Decode, Encode};

/// What a sync flush may need behind the last byte.
const FLUSH: usize = 64;

/// The server's default.
const LEVEL: i32 = 3;

pub(super) fn codec(level: Option<i32>) -> Codec {
    let level = u32::try_from(level.unwrap_or(LEVEL).clamp(1, 9)).unwrap_or_default();
    let encoder = Encoder(Compress::new(Compression::new(level), true));
    (Box::new(encoder), Box::new(Decoder(Decompress::new(true))))
}

const fn failed() -> WireError {
    WireError::Inflate { algorithm: Algorithm::DeflateStream.name() }
}

/// One stream for the whole connection. It is never finished, or the server would drop all that follows.
struct Encoder(Compress);

impl Encode for Encoder {
    fn encode(&mut self, frames: &[u8], out: &mut Vec<u8>) -> Result<(), WireError> {
        let mut left = frames;
        loop {
            out.reserve(left.len() / 2 + FLUSH);
            let before = self.0.total_in();
            self.0.compress_vec(left, out, FlushCompress::Sync).map_err(|_| failed())?;
            let read = usize::try_from(self.0.total_in() - before).map_err(|_| failed())?;
            left = left.get(read..).unwrap_or_default();
            // A flush that did not fill the room is complete.
            if left.is_empty() && out.len() < out.capacity() {
                return Ok(());
            }
        }
    }
}

struct Decoder(Decompress);

impl Decode for Decoder {
    fn decode(&mut self, payload: &[u8], most: usize, out: &mut BytesMut) -> Result<(), WireError> {
        let mut left = payload;
        bounded(most, out, |room| {
            let (read, written) = (self.0.total_in(), self.0.total_out());
            let status = match self.0.decompress(left, room, FlushDecompress::Sync) {
                Ok(status) => status,
                // Nothing left to read, and nothing held back: that is no error.
                Err(_) if left.is_empty() => Status::BufError,
                Err(_) => return Err(failed()),
            };
            let read = usize::try_from(self.0.total_in() - read).map_err(|_| failed())?;
            left = left.get(read..).unwrap_or_default();
            let written = usize::try_from(self.0.total_out() - written).map_err(|_| failed())?;
            // The stream lasts as long as the connection.
            if status == Status::StreamEnd || (written == 0 && !left.is_empty()) {
                return Err(failed());
            }
            Ok(written)
        })
    }
}
