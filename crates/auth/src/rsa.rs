//! RSA as the feature `rsa` has it: aws-lc-rs.

use aws_lc_rs::rsa::{OAEP_SHA1_MGF1SHA1, OaepPublicEncryptingKey, PublicEncryptingKey};
use bytes::BytesMut;

use crate::{AuthError, KeyFault};

pub(crate) struct Key(OaepPublicEncryptingKey);

impl Key {
    pub(crate) fn from_pem(pem: &[u8]) -> Result<Self, AuthError> {
        let pem = pem::parse(pem).map_err(|_| AuthError::BadPublicKey(KeyFault::NotPem))?;
        if pem.tag() != "PUBLIC KEY" {
            return Err(AuthError::BadPublicKey(KeyFault::NotPem));
        }
        let key = PublicEncryptingKey::from_der(pem.contents())
            .map_err(|_| AuthError::BadPublicKey(KeyFault::NotRsa))?;
        OaepPublicEncryptingKey::new(key).map(Self).map_err(|_| AuthError::Crypto)
    }

    pub(crate) fn bits(&self) -> usize {
        self.0.key_size_bits()
    }

    /// The most bytes that can be encrypted at once.
    pub(crate) fn max_plaintext(&self) -> usize {
        self.0.max_plaintext_size(&OAEP_SHA1_MGF1SHA1)
    }

    /// Appends the ciphertext, which is as long as the key.
    pub(crate) fn encrypt(&self, plain: &[u8], out: &mut BytesMut) -> Result<(), AuthError> {
        let start = out.len();
        out.resize(start + self.0.ciphertext_size(), 0);
        let done = out
            .get_mut(start..)
            .and_then(|place| self.0.encrypt(&OAEP_SHA1_MGF1SHA1, plain, place, None).ok())
            .map(|cipher| cipher.len());
        out.truncate(start + done.unwrap_or(0));
        done.map(drop).ok_or(AuthError::Crypto)
    }
}
