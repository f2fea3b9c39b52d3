//! The hash functions of the plugins: pure, without policy and without empty passwords. Good for servers of one's
//! own in tests, for proxies and for tools.
//!
//! An empty password is never hashed: the plugins send nothing, or a single 0x00, in its place.

use sha1::Sha1;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::AuthError;

/// The bytes of a nonce, without terminator.
pub const NONCE_LEN: usize = 20;

/// `SHA1(password) XOR SHA1(nonce || SHA1(SHA1(password)))`: `mysql_native_password`, and `MYSQL41` of X Protocol.
///
/// Page "MySQL Source Code Documentation: Native Authentication".
#[must_use]
pub fn native_password(password: &[u8], nonce: &[u8; NONCE_LEN]) -> [u8; 20] {
    let (mut once, mut twice) = (Zeroizing::new([0; 20]), Zeroizing::new([0; 20]));
    let mut scramble = [0; 20];
    Sha1::new_with_prefix(password).finalize_into((&mut *once).into());
    Sha1::new_with_prefix(*once).finalize_into((&mut *twice).into());
    Sha1::new_with_prefix(nonce).chain_update(*twice).finalize_into((&mut scramble).into());
    xor(&mut scramble, &*once);
    scramble
}

/// `SHA256(password) XOR SHA256(SHA256(SHA256(password)) || nonce)`: `caching_sha2_password`, and `SHA256_MEMORY`
/// of X Protocol. The nonce comes last here, unlike in [`native_password`].
///
/// Page "MySQL Source Code Documentation: Caching_sha2_password information".
#[must_use]
pub fn caching_sha2_password(password: &[u8], nonce: &[u8; NONCE_LEN]) -> [u8; 32] {
    let (mut once, mut twice) = (Zeroizing::new([0; 32]), Zeroizing::new([0; 32]));
    let mut scramble = [0; 32];
    Sha256::new_with_prefix(password).finalize_into((&mut *once).into());
    Sha256::new_with_prefix(*once).finalize_into((&mut *twice).into());
    Sha256::new_with_prefix(*twice).chain_update(nonce).finalize_into((&mut scramble).into());
    xor(&mut scramble, &*once);
    scramble
}

/// XORs `bytes` with the repeated nonce: what is done to `password || 00` before it is encrypted by RSA. Done
/// twice, it is undone. The terminator is part of it.
pub fn xor_nonce(bytes: &mut [u8], nonce: &[u8; NONCE_LEN]) {
    for (byte, nonce) in bytes.iter_mut().zip(nonce.iter().cycle()) {
        *byte ^= nonce;
    }
}

fn xor(bytes: &mut [u8], with: &[u8]) {
    for (byte, with) in bytes.iter_mut().zip(with) {
        *byte ^= with;
    }
}

/// Copies the nonce out of a challenge: `nonce(20) || 00`. Some servers leave the terminator out.
pub(crate) fn nonce(challenge: &[u8]) -> Result<[u8; NONCE_LEN], AuthError> {
    let bare = match challenge {
        [nonce @ .., 0] if nonce.len() == NONCE_LEN => nonce,
        other => other,
    };
    bare.try_into().map_err(|_| AuthError::BadChallenge { len: challenge.len(), expected: NONCE_LEN })
}
