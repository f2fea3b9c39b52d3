use crate::{AuthError, ServerPublicKey};

/// What the bytes of the exchange travel through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Channel {
    /// TCP without TLS: whoever is on the way can read and change it.
    Plain,
    /// A Unix socket without TLS: it does not leave the machine.
    UnixSocket,
    /// TLS, over TCP or a Unix socket.
    Tls {
        /// The server's certificate was checked against a CA.
        verified: bool,
    },
}

impl Channel {
    /// What `caching_sha2_password` counts as secure: TLS, verified or not, and a Unix socket.
    #[must_use]
    pub const fn is_secure(self) -> bool {
        matches!(self, Self::UnixSocket | Self::Tls { .. })
    }

    /// What `sha256_password` counts as secure: TLS only, as MySQL's own client has it.
    #[must_use]
    pub const fn is_tls(self) -> bool {
        matches!(self, Self::Tls { .. })
    }
}

/// What may be sent on which [`Channel`].
///
/// The default is the strictest that still logs in to a MySQL server with its default plugin over TLS: no
/// clear-text plugin, no key of the server's own word.
///
/// | sends | to a server that | default | allowed by |
/// |---|---|---|---|
/// | a hash of the password and a nonce | asks for `caching_sha2_password` or `mysql_native_password` | always | - |
/// | a signature of a nonce | asks for `client_ed25519` | always | - |
/// | the password | says `01 04` (`caching_sha2_password`), over TLS or a Unix socket | always | - |
/// | the password | asks for `sha256_password`, over TLS | always | - |
/// | the password, RSA-encrypted | does one of these two on another channel | never | [`server_public_key`](Self::server_public_key), [`get_server_public_key`](Self::get_server_public_key) |
/// | the password | asks for `mysql_clear_password`, over a Unix socket, or TLS that was demanded | never | [`cleartext_plugin`](Self::cleartext_plugin) |
/// | the password | asks for `mysql_clear_password`, over plain TCP or TLS that was optional | never | that and [`cleartext_without_tls`](Self::cleartext_without_tls) |
///
/// The third and fourth row follow MySQL's own client, which takes TLS for secure even when nobody checked the certificate:
/// a man in the middle who terminates TLS himself gets the password. Only a checked certificate
/// (`VERIFY_CA`, `VERIFY_IDENTITY`) keeps him out.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Policy {
    /// `mysql_clear_password` may be used (`enable-cleartext-plugin`).
    pub cleartext_plugin: bool,
    /// `mysql_clear_password` may be used on any channel, also where everyone on the way reads the password.
    pub cleartext_without_tls: bool,
    /// The connection goes on without TLS if the server offers none (`ssl-mode=PREFERRED`): a man in the middle
    /// chooses, so that `mysql_clear_password` is refused even when TLS came about.
    pub tls_is_optional: bool,
    /// The server's RSA key as known beforehand (`server-public-key-path`): the password may be encrypted with it.
    pub server_public_key: Option<ServerPublicKey>,
    /// The server may be asked for its RSA key (`get-server-public-key`). A man in the middle answers with his
    /// own and reads the password.
    pub get_server_public_key: bool,
}

impl Policy {
    /// Sets [`cleartext_plugin`](Self::cleartext_plugin).
    #[must_use]
    pub fn cleartext_plugin(mut self, allow: bool) -> Self {
        self.cleartext_plugin = allow;
        self
    }

    /// Sets [`cleartext_without_tls`](Self::cleartext_without_tls).
    #[must_use]
    pub fn cleartext_without_tls(mut self, allow: bool) -> Self {
        self.cleartext_without_tls = allow;
        self
    }

    /// Sets [`tls_is_optional`](Self::tls_is_optional).
    #[must_use]
    pub fn tls_is_optional(mut self, optional: bool) -> Self {
        self.tls_is_optional = optional;
        self
    }

    /// Sets [`server_public_key`](Self::server_public_key).
    #[must_use]
    pub fn server_public_key(mut self, key: ServerPublicKey) -> Self {
        self.server_public_key = Some(key);
        self
    }

    /// Sets [`get_server_public_key`](Self::get_server_public_key).
    #[must_use]
    pub fn get_server_public_key(mut self, allow: bool) -> Self {
        self.get_server_public_key = allow;
        self
    }

    /// Whether a plugin that only ever sends the password itself may do so on `channel`. For mechanisms of one's
    /// own that are of this kind: ask here, then write.
    ///
    /// # Errors
    /// [`AuthError::NotEnabled`] without [`cleartext_plugin`](Self::cleartext_plugin),
    /// [`AuthError::ChannelNotAcceptable`] when the channel is none for a password.
    pub fn clear_password(&self, channel: Channel) -> Result<(), AuthError> {
        if !self.cleartext_plugin {
            return Err(AuthError::NotEnabled);
        }
        match channel {
            Channel::UnixSocket => Ok(()),
            Channel::Tls { .. } if !self.tls_is_optional => Ok(()),
            _ if self.cleartext_without_tls => Ok(()),
            _ => Err(AuthError::ChannelNotAcceptable { channel }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TLS: Channel = Channel::Tls { verified: true };
    const UNVERIFIED: Channel = Channel::Tls { verified: false };

    #[test]
    fn which_channels_are_secure() {
        for (channel, secure, tls) in [
            (Channel::Plain, false, false),
            (Channel::UnixSocket, true, false),
            (TLS, true, true),
            (UNVERIFIED, true, true),
        ] {
            assert_eq!((channel.is_secure(), channel.is_tls()), (secure, tls), "{channel:?}");
        }
    }

    #[test]
    fn clear_text_table() {
        let enabled = Policy::default().cleartext_plugin(true);
        let preferred = enabled.clone().tls_is_optional(true);
        let anywhere = preferred.clone().cleartext_without_tls(true);
        for (channel, when_enabled, when_preferred) in [
            (Channel::Plain, false, false),
            (Channel::UnixSocket, true, true),
            (TLS, true, false),
            (UNVERIFIED, true, false),
        ] {
            assert!(matches!(Policy::default().clear_password(channel), Err(AuthError::NotEnabled)));
            assert_eq!(enabled.clear_password(channel).is_ok(), when_enabled, "{channel:?}");
            assert_eq!(preferred.clear_password(channel).is_ok(), when_preferred, "{channel:?}");
            assert!(anywhere.clear_password(channel).is_ok(), "{channel:?}");
        }
    }

    #[test]
    fn the_override_alone_enables_nothing() {
        let policy = Policy::default().cleartext_without_tls(true);
        assert!(matches!(policy.clear_password(TLS), Err(AuthError::NotEnabled)));
    }
}
