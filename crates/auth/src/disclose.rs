//! How the password itself is sent, by the plugins that do so: in clear on a secure channel, else by RSA, else not.

use bytes::{BufMut, BytesMut};

use crate::scramble::NONCE_LEN;
use crate::{AuthError, AuthPath, Exchange, Secret, ServerPublicKey};

/// What was appended.
#[derive(Debug)]
pub(crate) enum Disclosed {
    /// The password, that way.
    Password(AuthPath),
    /// The request for the server's key.
    KeyRequest,
}

/// `secure` is the path's name when the plugin takes the channel for secure.
pub(crate) fn disclose(
    nonce: &[u8; NONCE_LEN],
    exchange: &Exchange<'_>,
    secure: Option<AuthPath>,
    key_request: u8,
    out: &mut BytesMut,
) -> Result<Disclosed, AuthError> {
    if let Some(path) = secure {
        put_clear(exchange.password, out);
        return Ok(Disclosed::Password(path));
    }
    if let Some(key) = &exchange.policy.server_public_key {
        key.encrypt(exchange.password, nonce, out)?;
        return Ok(Disclosed::Password(AuthPath::FullRsaPinned));
    }
    if !exchange.policy.get_server_public_key {
        return Err(AuthError::RequiresSecureConnection);
    }
    if !cfg!(feature = "rsa") {
        // The key could not be used: do not even ask for it.
        return Err(AuthError::NotBuilt { feature: "rsa" });
    }
    out.put_u8(key_request);
    Ok(Disclosed::KeyRequest)
}

/// The password by the key that the server sent. The key is used once and forgotten.
pub(crate) fn by_fetched_key(
    nonce: &[u8; NONCE_LEN],
    pem: &[u8],
    exchange: &Exchange<'_>,
    out: &mut BytesMut,
) -> Result<(), AuthError> {
    ServerPublicKey::from_pem(pem)?.encrypt(exchange.password, nonce, out)
}

/// `password || 00`.
pub(crate) fn put_clear(password: &Secret, out: &mut BytesMut) {
    let password = password.expose();
    // At once: a buffer that grows under a password leaves a copy of it behind.
    out.reserve(password.len() + 1);
    out.put_slice(password);
    out.put_u8(0);
}
