use porpoise_wire::WireError;

use super::auth_switch::named;

/// The server wants another factor.
///
/// | field | type |
/// |---|---|
/// | header | `int<1>` 0x02 |
/// | plugin name | `string<NUL>` |
/// | plugin data | `string<EOF>` |
///
/// Sent only with `MULTI_FACTOR_AUTHENTICATION`, at most twice.
///
/// Follows "MySQL Source Code Documentation: Protocol::AuthNextFactor".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AuthNextFactor<'a> {
    /// The factor's plugin.
    pub plugin: &'a str,
    /// The plugin's challenge.
    pub data: &'a [u8],
}

impl<'a> AuthNextFactor<'a> {
    /// The first byte.
    pub const HEADER: u8 = 0x02;

    /// Parses the packet.
    ///
    /// # Errors
    /// [`WireError::BadValue`] for another header, [`WireError::NotUtf8`].
    pub fn parse(payload: &'a [u8]) -> Result<Self, WireError> {
        let (plugin, data) = named(payload, Self::HEADER)?;
        Ok(Self { plugin, data })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_factor() {
        let parsed = AuthNextFactor::parse(b"\x02mysql_clear_password\0\x01").unwrap();
        assert_eq!((parsed.plugin, parsed.data), ("mysql_clear_password", &b"\x01"[..]));
        assert!(AuthNextFactor::parse(b"\xfex\0").is_err());
    }
}
