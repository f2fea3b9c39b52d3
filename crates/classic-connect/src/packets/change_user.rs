use bytes::{BufMut, BytesMut};
use porpoise_classic::CapabilityFlags;
use porpoise_wire::Put;

/// `COM_CHANGE_USER`: log in again on the same connection.
///
/// | field | type | condition |
/// |---|---|---|
/// | command | `int<1>` 0x11 | |
/// | user | `string<NUL>` | |
/// | auth response | `int<1>` length and bytes; or `string<NUL>` | `CLIENT_SECURE_CONNECTION`; without |
/// | database | `string<NUL>`, may be empty | |
/// | character set | `int<2>` collation id | `CLIENT_PROTOCOL_41` |
/// | plugin name | `string<NUL>` | `CLIENT_PLUGIN_AUTH` |
/// | attributes | `int<lenenc>` bytes in all, then keys and values | `CLIENT_CONNECT_ATTRS` |
///
/// The greeting's scramble is not used again: the authentication data is normally empty, and the server answers
/// with an AuthSwitchRequest that has a fresh one.
///
/// Follows "MySQL Source Code Documentation: COM_CHANGE_USER".
#[derive(Clone, Copy)]
#[expect(clippy::exhaustive_structs, reason = "callers build it; its layout is fixed by the protocol")]
pub struct ComChangeUser<'a> {
    /// The capabilities agreed on at connect.
    pub capabilities: CapabilityFlags,
    /// The new user.
    pub user: &'a [u8],
    /// The plugin's first data, at most 255 bytes.
    pub auth_response: &'a [u8],
    /// The new default database, or nothing.
    pub database: &'a [u8],
    /// The new collation.
    pub collation: u16,
    /// The plugin's name.
    pub plugin: &'a str,
    /// Encoded attributes.
    pub attributes: &'a [u8],
}

impl ComChangeUser<'_> {
    /// The command byte.
    pub const COMMAND: u8 = 0x11;

    /// Appends the payload, command byte included.
    pub fn encode(&self, buf: &mut BytesMut) {
        let has = |flag| self.capabilities.contains(flag);
        buf.put_u8(Self::COMMAND);
        buf.put_nul_bytes(self.user);
        if has(CapabilityFlags::CLIENT_SECURE_CONNECTION) {
            buf.put_u8(u8::try_from(self.auth_response.len()).unwrap_or(u8::MAX));
            buf.put_slice(self.auth_response);
        } else {
            buf.put_nul_bytes(self.auth_response);
        }
        buf.put_nul_bytes(self.database);
        buf.put_u16_le(self.collation);
        if has(CapabilityFlags::CLIENT_PLUGIN_AUTH) {
            buf.put_nul_bytes(self.plugin.as_bytes());
        }
        if has(CapabilityFlags::CLIENT_CONNECT_ATTRS) {
            buf.put_lenenc_bytes(self.attributes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_fields() {
        type Caps = CapabilityFlags;
        let packet = ComChangeUser {
            capabilities: Caps::CLIENT_SECURE_CONNECTION
                | Caps::CLIENT_PLUGIN_AUTH
                | Caps::CLIENT_CONNECT_ATTRS,
            user: b"u",
            auth_response: b"",
            database: b"db",
            collation: 309,
            plugin: "p",
            attributes: b"",
        };
        let mut buf = BytesMut::new();
        packet.encode(&mut buf);
        // command | user | no auth data | database | collation 309 | plugin | no attributes
        assert_eq!(buf[..], *b"\x11u\0\0db\0\x35\x01p\0\0");
    }
}
