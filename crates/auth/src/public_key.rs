use std::fmt;
use std::sync::Arc;

use bytes::BytesMut;
use zeroize::Zeroizing;

#[cfg(not(feature = "rsa"))]
use crate::no_rsa as backend;
#[cfg(feature = "rsa")]
use crate::rsa as backend;
use crate::scramble::{NONCE_LEN, xor_nonce};
use crate::{AuthError, KeyFault, Secret};

/// The longest PEM text that is looked at, in bytes. A key of 8192 bits has 1,500.
const MAX_PEM: usize = 8 * 1024;

/// A server's RSA key, with which the password is encrypted where the channel is not secure.
///
/// It is the server's `public_key.pem`. Cheap to clone.
#[derive(Clone)]
pub struct ServerPublicKey {
    key: Arc<backend::Key>,
}

impl ServerPublicKey {
    /// Reads a PEM block `PUBLIC KEY` (X.509 `SubjectPublicKeyInfo`) with an RSA key of 2048 to 8192 bits. What
    /// stands around the block, such as the 0x00 that servers put at its end, does not matter.
    ///
    /// # Errors
    /// [`AuthError::BadPublicKey`]; [`AuthError::NotBuilt`] without the feature `rsa`.
    pub fn from_pem(pem: &[u8]) -> Result<Self, AuthError> {
        if pem.len() > MAX_PEM {
            return Err(AuthError::BadPublicKey(KeyFault::TooLarge));
        }
        Ok(Self { key: Arc::new(backend::Key::from_pem(pem)?) })
    }

    /// The size of the key, in bits.
    #[must_use]
    pub fn bits(&self) -> usize {
        self.key.bits()
    }

    /// Appends `password || 00`, XORed with the nonce and encrypted by RSA-OAEP with SHA-1.
    pub(crate) fn encrypt(
        &self,
        password: &Secret,
        nonce: &[u8; NONCE_LEN],
        out: &mut BytesMut,
    ) -> Result<(), AuthError> {
        let password = password.expose();
        let limit = self.key.max_plaintext().saturating_sub(1);
        if password.len() > limit {
            return Err(AuthError::PasswordTooLong { limit });
        }
        let mut plain = Zeroizing::new(Vec::with_capacity(password.len() + 1));
        plain.extend_from_slice(password);
        plain.push(0);
        xor_nonce(&mut plain, nonce);
        self.key.encrypt(&plain, out)
    }
}

impl fmt::Debug for ServerPublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ServerPublicKey(RSA, {} bits)", self.bits())
    }
}
