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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{CHALLENGE, NONCE, hex};

    // Computed by the formulas with Python's hashlib: nonce 01 02 .. 14.
    const VECTORS: [(&str, &str, &str); 3] = [
        (
            "pw-sha2",
            "8d7cdd833a35a16cf75aac74aad35d543aa78801",
            "bba72b6ea68850c2339b2a9a4e630970907bb59b0cc74734bfd01e978708a1ac",
        ),
        (
            "p\u{e4}ssw\u{f6}rd",
            "9891a8536587af22d12e126cf5f7a8ea86d63b0e",
            "8526563d365f5cb2cf44b162e5251a5cc348e1a1afeec271669611d0fdac23f7",
        ),
        (
            // Longer than a block of either hash.
            "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
            "6541a8abdddf4ef45dc85af50fea8323acc26efa",
            "4592059f364747ec3f0468a28489bf7241ae6d1460d68826af723918ecacd09f",
        ),
    ];

    #[test]
    fn known_scrambles() {
        for (password, native, sha2) in VECTORS {
            assert_eq!(hex(&native_password(password.as_bytes(), &NONCE)), native, "{password}");
            assert_eq!(hex(&caching_sha2_password(password.as_bytes(), &NONCE)), sha2, "{password}");
        }
    }

    #[test]
    fn the_terminator_is_xored_too_and_the_nonce_repeats() {
        let mut bytes = *b"pw-sha2\0";
        xor_nonce(&mut bytes, &NONCE);
        assert_eq!(hex(&bytes), "71752e776d673508");
        xor_nonce(&mut bytes, &NONCE);
        assert_eq!(&bytes, b"pw-sha2\0");
        let mut bytes = [0; 45];
        xor_nonce(&mut bytes, &NONCE);
        assert_eq!((bytes[20], bytes[44]), (1, 5));
    }

    #[test]
    fn a_nonce_has_20_bytes_and_maybe_a_terminator() {
        assert_eq!(nonce(&CHALLENGE).unwrap(), NONCE);
        assert_eq!(nonce(&NONCE).unwrap(), NONCE);
        let (mut zero_last, mut unterminated) = (NONCE, CHALLENGE);
        zero_last[19] = 0;
        unterminated[20] = 1;
        assert_eq!(nonce(&zero_last).unwrap(), zero_last);
        for bad in [&unterminated[..], &CHALLENGE[..19], &CHALLENGE[..8], &[], &[0; 22]] {
            let error = nonce(bad).unwrap_err();
            assert!(matches!(error, AuthError::BadChallenge { len, expected: 20 } if len == bad.len()));
            assert_eq!(error.client_error(), 2012);
        }
    }
}
