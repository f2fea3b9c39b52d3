use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

use super::{Deflate, Inflate, Inflated};
use crate::WireError;

pub(super) struct Inflater(Decompress);

impl Inflater {
    pub(super) fn new() -> Self {
        Self(Decompress::new(true))
    }
}

impl Inflate for Inflater {
    fn reset(&mut self) {
        self.0.reset(true);
    }

    fn step(&mut self, input: &[u8], output: &mut [u8]) -> Result<Inflated, WireError> {
        let (read, written) = (self.0.total_in(), self.0.total_out());
        let status = self.0.decompress(input, output, FlushDecompress::None).map_err(|_| self.invalid())?;
        Ok(Inflated {
            read: usize::try_from(self.0.total_in() - read).unwrap_or(input.len()),
            written: usize::try_from(self.0.total_out() - written).unwrap_or(output.len()),
            ended: status == Status::StreamEnd,
        })
    }

    fn invalid(&self) -> WireError {
        WireError::Inflate { algorithm: "zlib" }
    }
}

pub(super) struct Deflater(Compress);

impl Deflater {
    pub(super) fn new(level: u8) -> Self {
        Self(Compress::new(Compression::new(u32::from(level.min(9))), true))
    }
}

impl Deflate for Deflater {
    fn deflate(&mut self, input: &[u8], output: &mut [u8]) -> Option<usize> {
        self.0.reset();
        match self.0.compress(input, output, FlushCompress::Finish) {
            Ok(Status::StreamEnd) => usize::try_from(self.0.total_out()).ok(),
            _ => None,
        }
    }
}
