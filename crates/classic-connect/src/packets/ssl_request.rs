use bytes::{BufMut, BytesMut};
use porpoise_classic::CapabilityFlags;

/// The client's wish to go on in TLS: the first 32 bytes of a [`HandshakeResponse41`](super::HandshakeResponse41).
///
/// | field | type |
/// |---|---|
/// | client flag | `int<4>`, with `CLIENT_SSL`; must equal that of the response that follows |
/// | max packet size | `int<4>`, bytes |
/// | character set | `int<1>`, lower 8 bits of a collation id |
/// | filler | `string[23]` of 0x00 |
///
/// Follows "MySQL Source Code Documentation: Protocol::SSLRequest".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "callers build it; its layout is fixed by the protocol")]
pub struct SslRequest {
    /// The capabilities agreed on.
    pub capabilities: CapabilityFlags,
    /// The largest packet that the client will send, in bytes.
    pub max_packet: u32,
    /// The connection's collation.
    pub collation: u8,
}

impl SslRequest {
    /// Appends the payload.
    pub fn encode(&self, buf: &mut BytesMut) {
        buf.put_u32_le(self.capabilities.bits());
        buf.put_u32_le(self.max_packet);
        buf.put_u8(self.collation);
        buf.put_slice(&[0; 23]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn has_32_bytes() {
        let mut buf = BytesMut::new();
        let capabilities = CapabilityFlags::CLIENT_SSL | CapabilityFlags::CLIENT_PROTOCOL_41;
        SslRequest { capabilities, max_packet: 1 << 24, collation: 255 }.encode(&mut buf);
        // flags 0x0a00 | max packet 16 MiB | collation 255 | filler
        let mut want = vec![0x00, 0x0a, 0, 0, 0, 0, 0, 1, 0xff];
        want.resize(32, 0);
        assert_eq!(buf[..], want);
    }
}
