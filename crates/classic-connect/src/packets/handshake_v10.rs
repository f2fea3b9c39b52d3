use porpoise_classic::{CapabilityFlags, StatusFlags};
use porpoise_wire::{Reader, WireError};

/// The protocol version that every server since 3.21 speaks.
const PROTOCOL_VERSION: u8 = 10;
/// Bytes of the scramble that are hashed.
const SCRAMBLE_LEN: usize = 20;
/// The scramble as plugins get it: with a final 0x00.
const CHALLENGE_LEN: usize = SCRAMBLE_LEN + 1;

/// The server's greeting.
///
/// | field | type | condition |
/// |---|---|---|
/// | protocol version | `int<1>` | 10 |
/// | server version | `string<NUL>` | MariaDB prefixes `5.5.5-` |
/// | connection id | `int<4>` | |
/// | auth-plugin-data-part-1 | `string[8]` | |
/// | filler | `int<1>` | 0x00 |
/// | capability flags, lower half | `int<2>` | ancient servers end here |
/// | character set | `int<1>` | |
/// | status flags | `int<2>` | |
/// | capability flags, upper half | `int<2>` | |
/// | length of auth-plugin-data | `int<1>` | 0 without `CLIENT_PLUGIN_AUTH` |
/// | reserved | `string[10]` | MariaDB: the last 4 hold its extended capabilities |
/// | auth-plugin-data-part-2 | `string[max(13, length - 8)]` | `CLIENT_SECURE_CONNECTION` |
/// | auth plugin name | `string<NUL>` | `CLIENT_PLUGIN_AUTH`; some servers leave the 0x00 out |
///
/// Follows "MySQL Source Code Documentation: Protocol::HandshakeV10".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HandshakeV10<'a> {
    /// The server's version as it gives it.
    pub server_version: &'a str,
    /// The connection's id, lower 32 bits.
    pub connection_id: u32,
    /// What the server can do.
    pub capabilities: CapabilityFlags,
    /// MariaDB's extended capabilities; 0 elsewhere.
    pub mariadb_capabilities: u32,
    /// The server's default collation, lower 8 bits.
    pub collation: u8,
    /// The server's status.
    pub status: StatusFlags,
    /// The plugin that the server starts with, if it names one.
    pub auth_plugin: Option<&'a str>,
    challenge: [u8; CHALLENGE_LEN],
    challenge_len: usize,
}

impl<'a> HandshakeV10<'a> {
    /// Parses a greeting. An ERR that comes instead is the caller's to notice: its first byte is 0xFF.
    ///
    /// # Errors
    /// [`WireError::BadValue`] for another protocol version or a scramble length that cannot be,
    /// [`WireError::Truncated`], [`WireError::MissingTerminator`], [`WireError::NotUtf8`].
    pub fn parse(payload: &'a [u8]) -> Result<Self, WireError> {
        let mut r = Reader::new(payload);
        let version = r.u8("protocol_version")?;
        if version != PROTOCOL_VERSION {
            return Err(WireError::BadValue { field: "protocol_version", value: u64::from(version) });
        }
        let server_version = utf8("server_version", r.nul_bytes("server_version")?)?;
        let connection_id = r.u32("connection_id")?;
        let part1: [u8; 8] = r.array("auth_plugin_data_part_1")?;
        r.u8("filler")?;
        let low = r.u16("capability_flags_lower")?;
        let mut greeting = Self {
            server_version,
            connection_id,
            capabilities: CapabilityFlags::from_bits(u32::from(low)),
            mariadb_capabilities: 0,
            collation: 0,
            status: StatusFlags::empty(),
            auth_plugin: None,
            challenge: [0; CHALLENGE_LEN],
            challenge_len: 0,
        };
        greeting.set_challenge(&part1, &[]);
        if !r.is_empty() {
            greeting.parse_second_half(&mut r, low, &part1)?;
        }
        Ok(greeting)
    }

    fn parse_second_half(&mut self, r: &mut Reader<'a>, low: u16, part1: &[u8]) -> Result<(), WireError> {
        self.collation = r.u8("character_set")?;
        self.status = StatusFlags::from_bits(r.u16("status_flags")?);
        let high = r.u16("capability_flags_upper")?;
        self.capabilities = CapabilityFlags::from_bits(u32::from(high) << 16 | u32::from(low));
        let data_len = r.u8("auth_plugin_data_len")?;
        if data_len > 127 {
            // The reference reads it as a signed byte and refuses what is negative.
            return Err(WireError::BadValue { field: "auth_plugin_data_len", value: u64::from(data_len) });
        }
        let reserved: [u8; 10] = r.array("reserved")?;
        if !self.capabilities.contains(CapabilityFlags::CLIENT_LONG_PASSWORD) {
            let [.., a, b, c, d] = reserved;
            self.mariadb_capabilities = u32::from_le_bytes([a, b, c, d]);
        }
        if self.capabilities.contains(CapabilityFlags::CLIENT_SECURE_CONNECTION) {
            if r.left() < SCRAMBLE_LEN - 8 {
                // No scramble and no plugin that could be started with: the login begins with an empty response.
                self.challenge_len = 0;
                return Ok(());
            }
            let len = usize::from(data_len).saturating_sub(8).max(13).min(r.left());
            self.set_challenge(part1, r.bytes("auth_plugin_data_part_2", len)?);
        }
        if self.capabilities.contains(CapabilityFlags::CLIENT_PLUGIN_AUTH) {
            let name = utf8("auth_plugin_name", r.nul_or_rest())?;
            self.auth_plugin = (!name.is_empty()).then_some(name);
        }
        Ok(())
    }

    /// Both parts in one, cut to 20 bytes and the final 0x00 that plugins expect.
    fn set_challenge(&mut self, part1: &[u8], part2: &[u8]) {
        let bytes = part1.iter().chain(part2.iter().take(SCRAMBLE_LEN - 8));
        self.challenge = [0; CHALLENGE_LEN];
        self.challenge_len = part1.len() + part2.len().min(CHALLENGE_LEN - 8);
        for (to, from) in self.challenge.iter_mut().zip(bytes) {
            *to = *from;
        }
    }

    /// The scramble as a plugin gets it: 20 bytes and a 0x00; 8 bytes from ancient servers.
    #[must_use]
    pub fn challenge(&self) -> &[u8] {
        self.challenge.get(..self.challenge_len).unwrap_or_default()
    }

    /// Whether this is MariaDB.
    #[must_use]
    pub fn is_mariadb(&self) -> bool {
        self.server_version.starts_with("5.5.5-") || self.server_version.contains("MariaDB")
    }
}

fn utf8<'a>(field: &'static str, bytes: &'a [u8]) -> Result<&'a str, WireError> {
    std::str::from_utf8(bytes).map_err(|_| WireError::NotUtf8 { field })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, proptest};

    use super::*;

    /// A greeting of MySQL 9.7.
    pub(crate) const MYSQL: &[u8] = b"\x0a\
        9.7.4\0\
        \x08\0\0\0\
        ABCDEFGH\0\
        \xff\xff\
        \xff\
        \x02\0\
        \xff\xdf\
        \x15\
        \0\0\0\0\0\0\0\0\0\0\
        IJKLMNOPQRST\0\
        caching_sha2_password\0";

    #[test]
    fn mysql() {
        let g = HandshakeV10::parse(MYSQL).unwrap();
        assert_eq!(g.server_version, "9.7.4");
        assert_eq!(g.connection_id, 8);
        assert_eq!(g.capabilities.bits(), 0xdfff_ffff);
        assert_eq!(g.challenge(), b"ABCDEFGHIJKLMNOPQRST\0");
        assert_eq!(g.auth_plugin, Some("caching_sha2_password"));
        assert!(!g.is_mariadb());
    }

    #[test]
    fn mariadb_hides_its_capabilities_in_the_reserved_bytes() {
        let mut bytes = MYSQL.to_vec();
        // bit 0 (CLIENT_LONG_PASSWORD) is clear, 1d 00 00 00 at the end of the reserved bytes
        let low = bytes.iter().position(|b| *b == 0xff).unwrap();
        bytes[low] = 0xfe;
        bytes[low + 14] = 0x1d;
        let g = HandshakeV10::parse(&bytes).unwrap();
        assert_eq!(g.mariadb_capabilities, 0x1d);
    }

    #[test]
    fn a_plugin_name_without_its_terminator() {
        let g = HandshakeV10::parse(&MYSQL[..MYSQL.len() - 1]).unwrap();
        assert_eq!(g.auth_plugin, Some("caching_sha2_password"));
    }

    #[test]
    fn a_greeting_that_ends_after_the_lower_flags() {
        // 3.23: 8 bytes of scramble and 16 flags
        let g = HandshakeV10::parse(b"\x0a3.23.58\0\x01\0\0\0ABCDEFGH\0\x2c\0").unwrap();
        assert_eq!(g.challenge(), b"ABCDEFGH");
        assert_eq!(g.auth_plugin, None);
    }

    #[test]
    fn what_cannot_be() {
        let field = "protocol_version";
        assert_eq!(HandshakeV10::parse(b"\x09x\0"), Err(WireError::BadValue { field, value: 9 }));
        let mut bytes = MYSQL.to_vec();
        let len = bytes.iter().position(|b| *b == 0x15).unwrap();
        bytes[len] = 0x80;
        assert!(HandshakeV10::parse(&bytes).is_err());
        // A packet may end behind the lower flags, at 22, and anywhere behind the reserved bytes, at 38.
        for cut in 0..MYSQL.len() {
            assert_eq!(HandshakeV10::parse(&MYSQL[..cut]).is_err(), cut != 22 && cut < 38, "{cut}");
        }
        let cut = HandshakeV10::parse(&MYSQL[..45]).unwrap();
        assert_eq!((cut.challenge(), cut.auth_plugin), (&b""[..], None));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in any::<Vec<u8>>()) {
            let _ = HandshakeV10::parse(&bytes);
            let mut prefixed = MYSQL[..20].to_vec();
            prefixed.extend(bytes);
            let _ = HandshakeV10::parse(&prefixed);
        }
    }
}
