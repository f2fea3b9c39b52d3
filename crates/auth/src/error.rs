use std::error::Error;
use std::fmt;
use std::sync::Arc;

use crate::Channel;

/// Why an exchange cannot go on. Always final; never retried with something weaker.
///
/// It holds no bytes of the exchange, so that it can be shown and logged.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum AuthError {
    /// No plugin of this name is registered.
    UnknownPlugin,
    /// `mysql_old_password`: its hash can be broken by whoever sees it.
    OldPassword,
    /// The plugin is known, but left out of this build.
    NotBuilt {
        /// The crate feature that has it.
        feature: &'static str,
    },
    /// The plugin sends the password in clear and [`Policy::cleartext_plugin`](crate::Policy::cleartext_plugin) is not set.
    NotEnabled,
    /// The plugin sends the password in clear and this channel is none for it.
    ChannelNotAcceptable {
        /// The channel.
        channel: Channel,
    },
    /// The server wants the password itself, the channel is not secure and no RSA key may be used.
    RequiresSecureConnection,
    /// The server's nonce is not as long as the plugin's nonces are, or not terminated.
    BadChallenge {
        /// Its length.
        len: usize,
        /// The length it must have, without terminator.
        expected: usize,
    },
    /// The server's data is nothing that the plugin knows at this point.
    Unexpected {
        /// What the plugin waits for.
        expected: &'static str,
        /// The length of what came.
        len: usize,
    },
    /// What should be the server's RSA key is none.
    BadPublicKey(KeyFault),
    /// The password is too long for the server's RSA key.
    PasswordTooLong {
        /// The most that fits, in bytes.
        limit: usize,
    },
    /// The authentication data is too long for the packet that takes it.
    TooLong,
    /// A user's or schema's name holds a 0x00, which would end it on the wire.
    NulInName,
    /// The cryptographic library failed.
    Crypto,
    /// The owner refused an [`Ask`](crate::Ask), or cannot serve it.
    Refused,
    /// The server accepts the login, but still owes the proof that it knows the password.
    ServerNotProven,
    /// The mechanism was called when it had nothing to do, or with another input than it waits for. The caller's fault.
    OutOfTurn,
    /// A mechanism of the user's own failed.
    Custom(Arc<dyn Error + Send + Sync>),
}

/// What is wrong with an RSA key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyFault {
    /// It is longer than any key that is accepted.
    TooLarge,
    /// It is no PEM block `PUBLIC KEY`.
    NotPem,
    /// The block holds no RSA key of 2048 to 8192 bits.
    NotRsa,
}

impl AuthError {
    /// The error of a mechanism of one's own.
    pub fn custom(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Custom(Arc::from(error.into()))
    }

    /// The client error number that MySQL's own library gives for it (`CR_*`).
    ///
    /// | number | name | when |
    /// |---|---|---|
    /// | 2000 | `CR_UNKNOWN_ERROR` | a plugin fails without saying more |
    /// | 2012 | `CR_SERVER_HANDSHAKE_ERR` | the nonce has the wrong length |
    /// | 2027 | `CR_MALFORMED_PACKET` | the data does not fit its packet |
    /// | 2059 | `CR_AUTH_PLUGIN_CANNOT_LOAD` | the plugin is unknown, left out, or not enabled |
    /// | 2061 | `CR_AUTH_PLUGIN_ERR` | the plugin refuses the channel |
    #[must_use]
    pub const fn client_error(&self) -> u16 {
        match self {
            Self::UnknownPlugin | Self::OldPassword | Self::NotBuilt { .. } | Self::NotEnabled => 2059,
            Self::ChannelNotAcceptable { .. }
            | Self::RequiresSecureConnection
            | Self::ServerNotProven
            | Self::Refused => 2061,
            Self::BadChallenge { .. } => 2012,
            Self::TooLong => 2027,
            Self::Unexpected { .. }
            | Self::BadPublicKey(_)
            | Self::PasswordTooLong { .. }
            | Self::NulInName
            | Self::Crypto
            | Self::OutOfTurn
            | Self::Custom(_) => 2000,
        }
    }

    /// What to do about it, in one sentence.
    #[must_use]
    pub const fn advice(&self) -> Option<&'static str> {
        Some(match self {
            Self::UnknownPlugin => "Register the plugin, or change the account to caching_sha2_password.",
            Self::OldPassword => {
                "Set the account's password anew with caching_sha2_password: the old hash is not safe to use."
            }
            Self::NotBuilt { .. } => "Turn the named feature of the crate on.",
            Self::NotEnabled => {
                "Set enable-cleartext-plugin if this server may see the password, and ssl-mode=VERIFY_IDENTITY."
            }
            Self::ChannelNotAcceptable { .. } => {
                "Set ssl-mode=REQUIRED or better, best VERIFY_IDENTITY: anything less lets others read the password."
            }
            Self::RequiresSecureConnection => {
                "Use TLS (ssl-mode=REQUIRED), or give the server's RSA key (server-public-key-path), \
                 or let the server send it (get-server-public-key)."
            }
            Self::BadChallenge { .. } | Self::Unexpected { .. } => {
                "The peer does not speak this plugin as MySQL does: is there a proxy between?"
            }
            Self::BadPublicKey(_) => "Compare the key with the server's public_key.pem, or use TLS.",
            Self::PasswordTooLong { .. } => "Use TLS, which has no such limit.",
            Self::ServerNotProven => "Do not trust this server: it may not be the one that has your account.",
            Self::NulInName => "Check the names: MySQL allows none with a 0x00.",
            Self::TooLong | Self::Crypto | Self::Refused | Self::OutOfTurn | Self::Custom(_) => return None,
        })
    }
}

impl fmt::Display for AuthError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownPlugin => f.write_str("the plugin is not known"),
            Self::OldPassword => f.write_str("mysql_old_password is refused"),
            Self::NotBuilt { feature } => write!(f, "left out of this build: feature `{feature}` is off"),
            Self::NotEnabled => f.write_str("plugin not enabled"),
            Self::ChannelNotAcceptable { channel } => {
                let what = match channel {
                    Channel::Tls { .. } => "TLS that a man in the middle could have prevented",
                    Channel::Plain => "a connection without TLS",
                    Channel::UnixSocket => "a Unix socket",
                };
                write!(f, "the password is not sent in clear over {what}")
            }
            Self::RequiresSecureConnection => f.write_str("authentication requires a secure connection"),
            Self::BadChallenge { len, expected } => {
                write!(f, "the server's nonce has {len} bytes, or no terminator, {expected} are expected")
            }
            Self::Unexpected { expected, len } => {
                write!(f, "{expected} expected, {len} bytes came that are none")
            }
            Self::BadPublicKey(fault) => write!(f, "the server's RSA key is not usable: {fault}"),
            Self::PasswordTooLong { limit } => {
                write!(
                    f,
                    "the password is longer than the {limit} bytes that the server's RSA key can encrypt"
                )
            }
            Self::TooLong => f.write_str("the authentication data is too long for its packet"),
            Self::NulInName => f.write_str("a user's or schema's name holds a 0x00"),
            Self::Crypto => f.write_str("the cryptographic library failed"),
            Self::Refused => f.write_str("what the plugin asked for was refused"),
            Self::ServerNotProven => {
                f.write_str("the server accepted the login without the proof that it knows the password")
            }
            Self::OutOfTurn => f.write_str("the mechanism was called out of turn"),
            Self::Custom(error) => error.fmt(f),
        }
    }
}

impl Error for AuthError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            // Its text is already this error's text.
            Self::Custom(error) => error.source(),
            _ => None,
        }
    }
}

impl fmt::Display for KeyFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLarge => "it is too large",
            Self::NotPem => "it is no PEM block PUBLIC KEY",
            Self::NotRsa => "it holds no RSA key of 2048 to 8192 bits",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Own;

    impl fmt::Display for Own {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("the token has expired")
        }
    }

    impl Error for Own {}

    #[test]
    fn an_error_of_ones_own_speaks_for_itself() {
        let error = AuthError::custom(Own);
        assert_eq!((error.to_string(), error.client_error()), ("the token has expired".into(), 2000));
        assert!(matches!(error, AuthError::Custom(own) if own.is::<Own>()));
        assert_eq!(AuthError::custom("no device").to_string(), "no device");
    }

    #[test]
    fn numbers_of_the_reference() {
        for (error, number) in [
            (AuthError::UnknownPlugin, 2059),
            (AuthError::OldPassword, 2059),
            (AuthError::NotEnabled, 2059),
            (AuthError::RequiresSecureConnection, 2061),
            (AuthError::ChannelNotAcceptable { channel: Channel::Plain }, 2061),
            (AuthError::BadChallenge { len: 8, expected: 20 }, 2012),
            (AuthError::TooLong, 2027),
            (AuthError::Unexpected { expected: "x", len: 0 }, 2000),
        ] {
            assert_eq!(error.client_error(), number, "{error}");
        }
    }

    #[test]
    fn advice_is_a_sentence() {
        for error in [
            AuthError::NotEnabled,
            AuthError::RequiresSecureConnection,
            AuthError::BadPublicKey(KeyFault::NotRsa),
            AuthError::PasswordTooLong { limit: 213 },
        ] {
            let advice = error.advice().unwrap();
            assert!(advice.ends_with('.') && !advice.contains("  "), "{advice}");
        }
    }
}
