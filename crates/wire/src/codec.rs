//! The algorithms behind the same few calls: only the files under this one name their crates.

use crate::{Compression, WireError};

#[cfg(feature = "zlib")]
mod zlib;
#[cfg(feature = "zstd")]
mod zstd;

/// What one step of inflating did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Inflated {
    /// Bytes taken off the input.
    pub(crate) read: usize,
    /// Bytes written to the output.
    pub(crate) written: usize,
    /// The stream is over, and its checksum, if it has one, is right.
    pub(crate) ended: bool,
}

/// Inflates one stream after another, step by step.
pub(crate) trait Inflate: Send + Sync {
    /// A new stream begins.
    fn reset(&mut self);

    /// How many bytes [`check`](Self::check) must see of a stream, if it is that long.
    fn head(&self) -> usize {
        0
    }

    /// Judges a stream by how it begins, before any memory is taken for it.
    fn check(&self, _head: &[u8], _limit: usize) -> Result<(), WireError> {
        Ok(())
    }

    /// Inflates as far as input and output go.
    fn step(&mut self, input: &[u8], output: &mut [u8]) -> Result<Inflated, WireError>;

    /// The stream is not valid.
    fn invalid(&self) -> WireError;
}

/// Deflates one stream after another, each at once.
pub(crate) trait Deflate: Send + Sync {
    /// Deflates all of `input`; gives how much was written. `None` when `output` is too small for it.
    fn deflate(&mut self, input: &[u8], output: &mut [u8]) -> Option<usize>;
}

pub(crate) fn inflater(compression: Compression) -> Box<dyn Inflate> {
    match compression {
        #[cfg(feature = "zlib")]
        Compression::Zlib { .. } => Box::new(zlib::Inflater::new()),
        #[cfg(feature = "zstd")]
        Compression::Zstd { .. } => Box::new(zstd::Inflater::new()),
    }
}

pub(crate) fn deflater(compression: Compression) -> Box<dyn Deflate> {
    match compression {
        #[cfg(feature = "zlib")]
        Compression::Zlib { level } => Box::new(zlib::Deflater::new(level)),
        #[cfg(feature = "zstd")]
        Compression::Zstd { level } => Box::new(zstd::Deflater::new(level)),
    }
}
