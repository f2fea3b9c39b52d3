//! What stands in for RSA without the feature `rsa`: a key that cannot exist.

use bytes::BytesMut;

use crate::AuthError;

pub(crate) enum Key {}

impl Key {
    pub(crate) fn from_pem(_: &[u8]) -> Result<Self, AuthError> {
        Err(AuthError::NotBuilt { feature: "rsa" })
    }

    pub(crate) fn bits(&self) -> usize {
        match *self {}
    }

    pub(crate) fn max_plaintext(&self) -> usize {
        match *self {}
    }

    pub(crate) fn encrypt(&self, _: &[u8], _: &mut BytesMut) -> Result<(), AuthError> {
        match *self {}
    }
}
