use porpoise_wire::{Reader, WireError};

/// The server wants another plugin.
///
/// | field | type |
/// |---|---|
/// | header | `int<1>` 0xFE |
/// | plugin name | `string<NUL>`; some servers leave the 0x00 out |
/// | plugin data | `string<EOF>`, often 20 bytes and a 0x00, and for some plugins nothing |
///
/// A packet of the header alone asks for `mysql_old_password`, which is refused.
///
/// Follows "MySQL Source Code Documentation: Protocol::AuthSwitchRequest" and "Protocol::OldAuthSwitchRequest".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AuthSwitchRequest<'a> {
    /// The plugin; `mysql_old_password` for the old, one-byte form.
    pub plugin: &'a str,
    /// The plugin's challenge.
    pub data: &'a [u8],
}

impl<'a> AuthSwitchRequest<'a> {
    /// The first byte.
    pub const HEADER: u8 = 0xfe;

    /// Parses the packet.
    ///
    /// # Errors
    /// [`WireError::BadValue`] for another header, [`WireError::NotUtf8`].
    pub fn parse(payload: &'a [u8]) -> Result<Self, WireError> {
        let (plugin, data) = named(payload, Self::HEADER)?;
        let plugin = if payload.len() == 1 { "mysql_old_password" } else { plugin };
        Ok(Self { plugin, data })
    }
}

/// `header | plugin name | data`, which an AuthNextFactor has too.
pub(super) fn named(payload: &[u8], header: u8) -> Result<(&str, &[u8]), WireError> {
    let mut r = Reader::new(payload);
    let first = r.u8("header")?;
    if first != header {
        return Err(WireError::BadValue { field: "header", value: u64::from(first) });
    }
    let plugin =
        std::str::from_utf8(r.nul_or_rest()).map_err(|_| WireError::NotUtf8 { field: "plugin_name" })?;
    Ok((plugin, r.rest()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn with_data_without_data_and_old() {
        let parsed = AuthSwitchRequest::parse(b"\xfemysql_native_password\0abc\0").unwrap();
        assert_eq!((parsed.plugin, parsed.data), ("mysql_native_password", &b"abc\0"[..]));
        let parsed = AuthSwitchRequest::parse(b"\xfemysql_clear_password").unwrap();
        assert_eq!((parsed.plugin, parsed.data), ("mysql_clear_password", &b""[..]));
        assert_eq!(AuthSwitchRequest::parse(b"\xfe").unwrap().plugin, "mysql_old_password");
        assert!(AuthSwitchRequest::parse(b"\x01x\0").is_err());
        assert!(AuthSwitchRequest::parse(b"").is_err());
        assert_eq!(
            AuthSwitchRequest::parse(b"\xfe\xff\xff\0"),
            Err(WireError::NotUtf8 { field: "plugin_name" })
        );
    }
}
