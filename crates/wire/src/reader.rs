use crate::WireError;

/// Reads a packet's fields in order. Borrows, never allocates, never reads past the packet.
///
/// Every method names the field it reads, so that an error says what was missing.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    left: &'a [u8],
}

impl<'a> Reader<'a> {
    /// A reader of one packet's payload.
    #[must_use]
    pub const fn new(payload: &'a [u8]) -> Self {
        Self { left: payload }
    }

    /// Bytes not yet read.
    #[must_use]
    pub const fn left(&self) -> usize {
        self.left.len()
    }

    /// Whether all is read.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.left.is_empty()
    }

    /// The next byte, which stays unread.
    #[must_use]
    pub fn peek(&self) -> Option<u8> {
        self.left.first().copied()
    }

    /// All that is left (`string<EOF>`).
    pub fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.left)
    }

    /// The next `len` bytes (`string<fix>`).
    ///
    /// # Errors
    /// [`WireError::Truncated`].
    #[inline]
    pub fn bytes(&mut self, field: &'static str, len: usize) -> Result<&'a [u8], WireError> {
        let Some((taken, left)) = self.left.split_at_checked(len) else {
            return Err(WireError::Truncated { field, needed: len as u64, left: self.left.len() });
        };
        self.left = left;
        Ok(taken)
    }

    /// The next `N` bytes as an array.
    ///
    /// # Errors
    /// [`WireError::Truncated`].
    #[inline]
    pub fn array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], WireError> {
        let Some((taken, left)) = self.left.split_first_chunk::<N>() else {
            return Err(WireError::Truncated { field, needed: N as u64, left: self.left.len() });
        };
        self.left = left;
        Ok(*taken)
    }

    /// `int<1>`.
    ///
    /// # Errors
    /// [`WireError::Truncated`].
    #[inline]
    pub fn u8(&mut self, field: &'static str) -> Result<u8, WireError> {
        self.array::<1>(field).map(|[byte]| byte)
    }

    /// `int<2>`, little-endian.
    ///
    /// # Errors
    /// [`WireError::Truncated`].
    #[inline]
    pub fn u16(&mut self, field: &'static str) -> Result<u16, WireError> {
        self.array(field).map(u16::from_le_bytes)
    }

    /// `int<3>`, little-endian.
    ///
    /// # Errors
    /// [`WireError::Truncated`].
    #[inline]
    pub fn u24(&mut self, field: &'static str) -> Result<u32, WireError> {
        self.array(field).map(|[a, b, c]| u32::from_le_bytes([a, b, c, 0]))
    }

    /// `int<4>`, little-endian.
    ///
    /// # Errors
    /// [`WireError::Truncated`].
    #[inline]
    pub fn u32(&mut self, field: &'static str) -> Result<u32, WireError> {
        self.array(field).map(u32::from_le_bytes)
    }

    /// `int<8>`, little-endian.
    ///
    /// # Errors
    /// [`WireError::Truncated`].
    #[inline]
    pub fn u64(&mut self, field: &'static str) -> Result<u64, WireError> {
        self.array(field).map(u64::from_le_bytes)
    }

    /// `int<lenenc>`: below 0xFB the byte itself, 0xFC + 2, 0xFD + 3, 0xFE + 8 bytes. Longer forms than needed
    /// are accepted.
    ///
    /// # Errors
    /// [`WireError::Truncated`], or [`WireError::BadLengthEncoding`] for 0xFB and 0xFF.
    #[inline]
    pub fn lenenc_int(&mut self, field: &'static str) -> Result<u64, WireError> {
        match self.u8(field)? {
            small @ 0..=0xfa => Ok(u64::from(small)),
            0xfc => self.u16(field).map(u64::from),
            0xfd => self.u24(field).map(u64::from),
            0xfe => self.u64(field),
            first => Err(WireError::BadLengthEncoding { field, first }),
        }
    }

    /// `string<lenenc>`.
    ///
    /// # Errors
    /// As [`lenenc_int`](Self::lenenc_int), and [`WireError::Truncated`] for a length past the packet.
    #[inline]
    pub fn lenenc_bytes(&mut self, field: &'static str) -> Result<&'a [u8], WireError> {
        match self.short_bytes() {
            Some(taken) => Ok(taken),
            None => self.long_bytes(field),
        }
    }

    /// A text row's cell: 0xFB is NULL, all else a `string<lenenc>`.
    ///
    /// # Errors
    /// As [`lenenc_bytes`](Self::lenenc_bytes).
    #[inline]
    pub fn nullable_bytes(&mut self, field: &'static str) -> Result<Option<&'a [u8]>, WireError> {
        if let Some(taken) = self.short_bytes() {
            return Ok(Some(taken));
        }
        if let [0xfb, left @ ..] = self.left {
            self.left = left;
            return Ok(None);
        }
        self.long_bytes(field).map(Some)
    }

    /// A `string<lenenc>` whose length is one byte, as of nearly all cells.
    #[inline]
    fn short_bytes(&mut self) -> Option<&'a [u8]> {
        let [len @ 0..=0xfa, left @ ..] = self.left else { return None };
        let (taken, left) = left.split_at_checked(usize::from(*len))?;
        self.left = left;
        Some(taken)
    }

    /// Any other, malformed ones included.
    #[cold]
    fn long_bytes(&mut self, field: &'static str) -> Result<&'a [u8], WireError> {
        let len = self.lenenc_int(field)?;
        match usize::try_from(len) {
            Ok(len) => self.bytes(field, len),
            Err(_) => Err(WireError::Truncated { field, needed: len, left: self.left.len() }),
        }
    }

    /// `string<NUL>`, without its 0x00.
    ///
    /// # Errors
    /// [`WireError::MissingTerminator`].
    pub fn nul_bytes(&mut self, field: &'static str) -> Result<&'a [u8], WireError> {
        let Some(end) = self.left.iter().position(|byte| *byte == 0) else {
            return Err(WireError::MissingTerminator { field });
        };
        let taken = self.bytes(field, end)?;
        self.u8(field)?;
        Ok(taken)
    }

    /// `string<NUL>` of which some servers leave the 0x00 out at the packet's end.
    pub fn nul_or_rest(&mut self) -> &'a [u8] {
        match self.nul_bytes("string") {
            Ok(taken) => taken,
            Err(_) => self.rest(),
        }
    }

    /// Asserts that all is read.
    ///
    /// # Errors
    /// [`WireError::TrailingBytes`].
    pub const fn finish(&self) -> Result<(), WireError> {
        if self.left.is_empty() { Ok(()) } else { Err(WireError::TrailingBytes { left: self.left.len() }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn length_encoded_integers_in_every_form() {
        // 0xFA | FC 00FB | FD 010000 | FE 1<<24 | FC 0001: longer than needed
        let bytes =
            [0xfa, 0xfc, 0xfb, 0x00, 0xfd, 0x00, 0x00, 0x01, 0xfe, 0, 0, 0, 1, 0, 0, 0, 0, 0xfc, 0x01, 0x00];
        let mut r = Reader::new(&bytes);
        for want in [250, 251, 65_536, 1 << 24, 1] {
            assert_eq!(r.lenenc_int("n"), Ok(want));
        }
        assert_eq!(r.finish(), Ok(()));
        for first in [0xfb, 0xff] {
            assert_eq!(
                Reader::new(&[first]).lenenc_int("n"),
                Err(WireError::BadLengthEncoding { field: "n", first })
            );
        }
    }

    #[test]
    fn a_length_past_the_packet_is_truncated_not_reserved() {
        // FE ff..ff: 2^64-1 bytes promised, 1 there
        let bytes = [0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, b'x'];
        assert_eq!(
            Reader::new(&bytes).lenenc_bytes("s"),
            Err(WireError::Truncated { field: "s", needed: u64::MAX, left: 1 })
        );
    }

    #[test]
    fn null_cell_and_terminated_strings() {
        let mut r = Reader::new(b"\xfb\x01abc\0rest");
        assert_eq!(r.nullable_bytes("cell"), Ok(None));
        assert_eq!(r.nullable_bytes("cell"), Ok(Some(&b"a"[..])));
        assert_eq!(r.nul_bytes("name"), Ok(&b"bc"[..]));
        assert_eq!(r.clone().nul_bytes("name"), Err(WireError::MissingTerminator { field: "name" }));
        assert_eq!(r.nul_or_rest(), b"rest");
        assert!(r.is_empty());
    }
}
