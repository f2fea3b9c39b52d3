use bytes::{BufMut, BytesMut};
use porpoise_classic::CapabilityFlags;
use porpoise_wire::Put;

use super::SslRequest;

/// The client's answer to the greeting.
///
/// | field | type | condition |
/// |---|---|---|
/// | client flag, max packet size, character set, filler | as [`SslRequest`] | |
/// | username | `string<NUL>` | |
/// | auth response | `string<lenenc>`; or `int<1>` length and bytes; or `string<NUL>` | `CLIENT_PLUGIN_AUTH_LENENC_CLIENT_DATA`; `CLIENT_SECURE_CONNECTION`; neither |
/// | database | `string<NUL>` | `CLIENT_CONNECT_WITH_DB` |
/// | client plugin name | `string<NUL>` | `CLIENT_PLUGIN_AUTH` |
/// | attributes | `int<lenenc>` bytes in all, then `string<lenenc>` key and value each | `CLIENT_CONNECT_ATTRS` |
/// | zstd compression level | `int<1>` | `CLIENT_ZSTD_COMPRESSION_ALGORITHM` |
///
/// Follows "MySQL Source Code Documentation: Protocol::HandshakeResponse41".
#[derive(Clone, Copy)]
#[expect(clippy::exhaustive_structs, reason = "callers build it; its layout is fixed by the protocol")]
pub struct HandshakeResponse41<'a> {
    /// What the SSLRequest says too.
    pub head: SslRequest,
    /// The user.
    pub user: &'a [u8],
    /// The plugin's first data; holds secrets.
    pub auth_response: &'a [u8],
    /// The initial database; written only with `CLIENT_CONNECT_WITH_DB`.
    pub database: &'a [u8],
    /// The plugin's name.
    pub plugin: &'a str,
    /// Encoded attributes: keys and values, without their length in all.
    pub attributes: &'a [u8],
    /// 1 to 22; written only with `CLIENT_ZSTD_COMPRESSION_ALGORITHM`, even if zlib is used.
    pub zstd_level: u8,
}

impl HandshakeResponse41<'_> {
    /// Whether the authentication data can be told to a server with these capabilities: 255 bytes at most
    /// without `CLIENT_PLUGIN_AUTH_LENENC_CLIENT_DATA`.
    #[must_use]
    pub fn fits(&self) -> bool {
        self.head.capabilities.contains(CapabilityFlags::CLIENT_PLUGIN_AUTH_LENENC_CLIENT_DATA)
            || u8::try_from(self.auth_response.len()).is_ok()
    }

    /// Bytes that the payload needs at most.
    #[must_use]
    pub const fn size(&self) -> usize {
        // Four fields end in 0x00 or begin with a length of up to 9 bytes.
        64 + self.user.len()
            + self.auth_response.len()
            + self.database.len()
            + self.plugin.len()
            + self.attributes.len()
    }

    /// Appends the payload. The caller has asked [`fits`](Self::fits).
    pub fn encode(&self, buf: &mut BytesMut) {
        let has = |flag| self.head.capabilities.contains(flag);
        self.head.encode(buf);
        buf.put_nul_bytes(self.user);
        if has(CapabilityFlags::CLIENT_PLUGIN_AUTH_LENENC_CLIENT_DATA) {
            buf.put_lenenc_bytes(self.auth_response);
        } else if has(CapabilityFlags::CLIENT_SECURE_CONNECTION) {
            buf.put_u8(u8::try_from(self.auth_response.len()).unwrap_or(u8::MAX));
            buf.put_slice(self.auth_response);
        } else {
            buf.put_nul_bytes(self.auth_response);
        }
        if has(CapabilityFlags::CLIENT_CONNECT_WITH_DB) {
            buf.put_nul_bytes(self.database);
        }
        if has(CapabilityFlags::CLIENT_PLUGIN_AUTH) {
            buf.put_nul_bytes(self.plugin.as_bytes());
        }
        if has(CapabilityFlags::CLIENT_CONNECT_ATTRS) {
            buf.put_lenenc_bytes(self.attributes);
        }
        if has(CapabilityFlags::CLIENT_ZSTD_COMPRESSION_ALGORITHM) {
            buf.put_u8(self.zstd_level);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(capabilities: CapabilityFlags) -> Vec<u8> {
        let head = SslRequest { capabilities, max_packet: 0, collation: 45 };
        let response = HandshakeResponse41 {
            head,
            user: b"u",
            auth_response: &[1, 2],
            database: b"db",
            plugin: "p",
            attributes: b"\x01k\x01v",
            zstd_level: 7,
        };
        assert!(response.fits());
        let mut buf = BytesMut::new();
        response.encode(&mut buf);
        assert!(buf.len() <= response.size());
        buf[32..].to_vec()
    }

    #[test]
    fn each_capability_has_its_field() {
        type Caps = CapabilityFlags;
        assert_eq!(response(Caps::CLIENT_PROTOCOL_41), b"u\0\x01\x02\0");
        assert_eq!(response(Caps::CLIENT_SECURE_CONNECTION), b"u\0\x02\x01\x02");
        let all = Caps::CLIENT_PLUGIN_AUTH_LENENC_CLIENT_DATA
            | Caps::CLIENT_SECURE_CONNECTION
            | Caps::CLIENT_CONNECT_WITH_DB
            | Caps::CLIENT_PLUGIN_AUTH
            | Caps::CLIENT_CONNECT_ATTRS
            | Caps::CLIENT_ZSTD_COMPRESSION_ALGORITHM;
        // user | 2 bytes of auth | database | plugin | 4 bytes of attributes | level
        assert_eq!(response(all), b"u\0\x02\x01\x02db\0p\0\x04\x01k\x01v\x07");
    }
}
