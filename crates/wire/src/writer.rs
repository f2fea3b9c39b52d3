use bytes::{BufMut, BytesMut};

/// Writes what [`Reader`](crate::Reader) reads.
pub trait Put {
    /// `int<3>`, little-endian; the upper byte of `value` is not written.
    fn put_u24_le(&mut self, value: u32);
    /// `int<lenenc>` in its shortest form.
    fn put_lenenc_int(&mut self, value: u64);
    /// `string<lenenc>`.
    fn put_lenenc_bytes(&mut self, value: &[u8]);
    /// `string<NUL>`. The caller has made sure that `value` holds no 0x00.
    fn put_nul_bytes(&mut self, value: &[u8]);
}

impl Put for BytesMut {
    fn put_u24_le(&mut self, value: u32) {
        let [a, b, c, _] = value.to_le_bytes();
        self.put_slice(&[a, b, c]);
    }

    fn put_lenenc_int(&mut self, value: u64) {
        match value {
            0..=0xfa => self.put_uint_le(value, 1),
            0xfb..=0xffff => {
                self.put_u8(0xfc);
                self.put_uint_le(value, 2);
            }
            0x1_0000..=0xff_ffff => {
                self.put_u8(0xfd);
                self.put_uint_le(value, 3);
            }
            _ => {
                self.put_u8(0xfe);
                self.put_u64_le(value);
            }
        }
    }

    fn put_lenenc_bytes(&mut self, value: &[u8]) {
        self.put_lenenc_int(value.len() as u64);
        self.put_slice(value);
    }

    fn put_nul_bytes(&mut self, value: &[u8]) {
        self.put_slice(value);
        self.put_u8(0);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop_assert_eq, proptest};

    use super::*;
    use crate::Reader;

    proptest! {
        #[test]
        fn what_is_written_is_read(n in any::<u64>(), shift in 0u32..64, s in any::<Vec<u8>>(), m in 0u32..1 << 24) {
            let n = n >> shift;
            let mut buf = BytesMut::new();
            buf.put_lenenc_int(n);
            buf.put_lenenc_bytes(&s);
            buf.put_u24_le(m);
            let mut r = Reader::new(&buf);
            prop_assert_eq!(r.lenenc_int("n"), Ok(n));
            prop_assert_eq!(r.lenenc_bytes("s"), Ok(&s[..]));
            prop_assert_eq!(r.u24("m"), Ok(m));
            prop_assert_eq!(r.finish(), Ok(()));
        }
    }

    #[test]
    fn the_shortest_form_is_written() {
        for (value, len) in [(250, 1), (251, 3), (65_535, 3), (65_536, 4), ((1 << 24) - 1, 4), (1 << 24, 9)] {
            let mut buf = BytesMut::new();
            buf.put_lenenc_int(value);
            assert_eq!(buf.len(), len, "{value}");
        }
    }
}
