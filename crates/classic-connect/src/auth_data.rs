use bytes::BytesMut;
use zeroize::{Zeroize, optimization_barrier};

/// What is kept without an allocation: nonces, scrambles and most passwords. RSA's 256 bytes are not.
const INLINE: usize = 96;

/// A plugin's bytes on their way from one place to another, wiped when they are there.
pub(crate) struct AuthData {
    inline: [u8; INLINE],
    len: usize,
    heap: Vec<u8>,
}

impl AuthData {
    pub(crate) const fn empty() -> Self {
        Self { inline: [0; INLINE], len: 0, heap: Vec::new() }
    }

    pub(crate) fn copy(bytes: &[u8]) -> Self {
        let mut data = Self::empty();
        match data.inline.get_mut(..bytes.len()) {
            Some(inline) => {
                inline.copy_from_slice(bytes);
                data.len = bytes.len();
            }
            None => data.heap = bytes.to_vec(),
        }
        data
    }

    /// Takes everything behind `start` off `buf`, and leaves no trace of it there.
    pub(crate) fn cut(buf: &mut BytesMut, start: usize) -> Self {
        let tail = buf.get_mut(start..).unwrap_or_default();
        let data = Self::copy(tail);
        wipe(tail);
        buf.truncate(start);
        data
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        if self.heap.is_empty() { self.inline.get(..self.len).unwrap_or_default() } else { &self.heap }
    }
}

impl Drop for AuthData {
    fn drop(&mut self) {
        if let Some(used) = self.inline.get_mut(..self.len) {
            wipe(used);
        }
        self.heap.zeroize();
    }
}

/// As `zeroize` does it, but not byte by byte.
fn wipe(bytes: &mut [u8]) {
    bytes.fill(0);
    optimization_barrier(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_and_long_data_come_out_as_they_went_in() {
        for len in [0, 1, INLINE, INLINE + 1, 500] {
            let bytes = vec![7; len];
            assert_eq!(AuthData::copy(&bytes).bytes(), bytes);
            let mut buf = BytesMut::from(&b"kept"[..]);
            buf.extend_from_slice(&bytes);
            assert_eq!(AuthData::cut(&mut buf, 4).bytes(), bytes);
            assert_eq!(&buf[..], b"kept");
        }
    }
}
