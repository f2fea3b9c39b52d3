//! MySQL's authentication plugins as challenge/response exchanges that know no packets and no sockets.
//!
//! A [`Mechanism`] takes what the server says and appends what is to be answered. Whoever owns the connection
//! carries the bytes: the connector of the classic protocol, X Protocol's session, a proxy, a test. Nothing here
//! blocks, reads a clock, or does I/O.
//!
//! | plugin | type | sends |
//! |---|---|---|
//! | `caching_sha2_password` | [`CachingSha2Password`] | a hash; the password if the server wants it and the channel is secure or RSA is allowed |
//! | `mysql_native_password` | [`MysqlNativePassword`] | a hash |
//! | `sha256_password` | [`Sha256Password`] | the password, inside TLS or by RSA |
//! | `mysql_clear_password` | [`MysqlClearPassword`] | the password, if enabled and the channel is accepted |
//! | `client_ed25519` (MariaDB) | [`ClientEd25519`] | a signature |
//! | `auth_socket`, `unix_socket` (MariaDB) | [`PeerCredentials`] | nothing |
//! | `mysql_old_password` | | refused by name |
//!
//! X Protocol's SASL mechanisms are the same kind of thing, in a [registry of their own](Registry::sasl):
//!
//! | mechanism | type | sends |
//! |---|---|---|
//! | `PLAIN` | [`SaslPlain`] | the password, inside TLS or over a Unix socket |
//! | `MYSQL41` | [`SaslMysql41`] | a hash |
//! | `SHA256_MEMORY` | [`SaslSha256Memory`] | a hash |
//! | `EXTERNAL` | [`SaslExternal`] | nothing: the client's certificate says who it is |
//!
//! A [`Registry`] makes them by name and takes plugins of one's own. What may be sent on which channel is decided
//! by a [`Policy`], nowhere else. Passwords are [`Secret`]s: wiped when dropped, absent from `Debug`, from errors
//! and from [`AuthPath`].
//!
//! # A whole exchange
//!
//! The server asks for `caching_sha2_password`, does not have the account in its cache, and wants the password; the
//! channel is TLS, so that it gets it.
//!
//! ```
//! use bytes::BytesMut;
//! use porpoise_auth::{
//!     AuthError, AuthPath, AuthStep, Channel, Exchange, Input, Policy, Registry, Secret, scramble,
//! };
//!
//! // The client.
//! let (policy, password) = (Policy::default(), Secret::from("hunter2"));
//! let exchange = Exchange::new(Channel::Tls { verified: true }, &policy, "app", &password);
//! let mut mechanism = Registry::default().make("caching_sha2_password")?;
//! mechanism.enabled(&policy)?;
//! let mut out = BytesMut::new();
//!
//! // The server's nonce, in its greeting or in an AuthSwitchRequest. The client answers with a hash.
//! let nonce = *b"20 bytes, not secret";
//! let challenge = [&nonce[..], &[0]].concat();
//! let step = mechanism.step(Input::Start { challenge: Some(&challenge) }, &exchange, &mut out)?;
//! assert!(matches!(step, AuthStep::Reply { last: false }));
//! assert_eq!(out.split()[..], scramble::caching_sha2_password(b"hunter2", &nonce));
//!
//! // The server: 04, perform full authentication. The client sends the password, and needs nothing more.
//! let step = mechanism.step(Input::Packet(&[0x04]), &exchange, &mut out)?;
//! assert!(matches!(step, AuthStep::Reply { last: true }));
//! assert_eq!(out.split(), "hunter2\0");
//!
//! // The server: OK.
//! assert!(mechanism.accepts_verdict());
//! assert_eq!(mechanism.path(), AuthPath::FullTls);
//! # Ok::<(), AuthError>(())
//! ```
//!
//! The same on a channel that everyone can read, where nothing is written and the error says what to do:
//!
//! ```
//! # use bytes::BytesMut;
//! # use porpoise_auth::{AuthError, Channel, Exchange, Input, Policy, Registry, Secret};
//! # let (policy, password) = (Policy::default(), Secret::from("hunter2"));
//! # let challenge = [1; 20];
//! let exchange = Exchange::new(Channel::Plain, &policy, "app", &password);
//! let mut mechanism = Registry::default().make("caching_sha2_password")?;
//! let mut out = BytesMut::new();
//! let _ = mechanism.step(Input::Start { challenge: Some(&challenge) }, &exchange, &mut out)?;
//! out.clear();
//! let error = mechanism.step(Input::Packet(&[0x04]), &exchange, &mut out).unwrap_err();
//! assert!(out.is_empty());
//! assert_eq!(error.to_string(), "authentication requires a secure connection");
//! assert_eq!(error.client_error(), 2061);
//! assert!(error.advice().is_some_and(|advice| advice.starts_with("Use TLS")));
//! # Ok::<(), AuthError>(())
//! ```
//!
//! # Features
//!
//! | feature | default | has |
//! |---|---|---|
//! | `rsa` | on | [`ServerPublicKey`], and the RSA way of `caching_sha2_password` and `sha256_password` |
//! | `ed25519` | on | `client_ed25519` |
//!
//! All types exist without them; what needs a feature that is off fails with [`AuthError::NotBuilt`], before
//! anything is written.
//!
//! # Cost
//!
//! A login by hash, by TLS or over a Unix socket allocates once: the mechanism itself. RSA and PEM allocate more.

mod caching_sha2;
mod clear;
mod disclose;
mod ed25519;
mod error;
mod mechanism;
mod native;
#[cfg(not(feature = "rsa"))]
mod no_rsa;
mod peer;
mod policy;
mod public_key;
mod registry;
#[cfg(feature = "rsa")]
mod rsa;
mod sasl;
pub mod scramble;
mod secret;
mod sha256;
#[cfg(test)]
mod testing;

pub use caching_sha2::CachingSha2Password;
pub use clear::MysqlClearPassword;
pub use ed25519::ClientEd25519;
pub use error::{AuthError, KeyFault};
pub use mechanism::{Answer, Ask, AuthPath, AuthStep, Exchange, Input, Mechanism};
pub use native::MysqlNativePassword;
pub use peer::PeerCredentials;
pub use policy::{Channel, Policy};
pub use public_key::ServerPublicKey;
pub use registry::Registry;
pub use sasl::{SaslExternal, SaslMysql41, SaslPlain, SaslSha256Memory};
pub use secret::Secret;
pub use sha256::Sha256Password;
