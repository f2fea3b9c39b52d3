//! MySQL's authentication plugins as challenge/response exchanges that know no packets and no sockets.

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
pub mod scramble;
mod secret;
mod sha256;

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
pub use secret::Secret;
pub use sha256::Sha256Password;
