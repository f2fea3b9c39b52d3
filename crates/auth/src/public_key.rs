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

#[cfg(test)]
#[cfg(feature = "rsa")]
pub(crate) mod tests {
    use aws_lc_rs::rsa::{OAEP_SHA1_MGF1SHA1, OaepPrivateDecryptingKey, PrivateDecryptingKey};

    use super::*;
    use crate::testing::NONCE;

    // Made by OpenSSL.
    pub(crate) const PUBLIC_PEM: &[u8] = include_bytes!("../tests/data/rsa_2048_public.pem");
    const PRIVATE_DER: &[u8] = include_bytes!("../tests/data/rsa_2048_private.der");

    pub(crate) fn public_key() -> ServerPublicKey {
        ServerPublicKey::from_pem(PUBLIC_PEM).unwrap()
    }

    /// What the server reads: decrypted, and the nonce taken off again.
    pub(crate) fn decrypt(cipher: &[u8]) -> Vec<u8> {
        let key = PrivateDecryptingKey::from_pkcs8(PRIVATE_DER).unwrap();
        let key = OaepPrivateDecryptingKey::new(key).unwrap();
        let mut plain = vec![0; key.min_output_size()];
        let mut plain = key.decrypt(&OAEP_SHA1_MGF1SHA1, cipher, &mut plain, None).unwrap().to_vec();
        xor_nonce(&mut plain, &NONCE);
        plain
    }

    fn encrypt(password: &str) -> Result<Vec<u8>, AuthError> {
        let mut out = BytesMut::from(&b"kept"[..]);
        let done = public_key().encrypt(&password.into(), &NONCE, &mut out);
        let cipher = out.strip_prefix(b"kept").unwrap().to_vec();
        assert!(done.is_ok() || cipher.is_empty());
        done.map(|()| cipher)
    }

    fn fault(pem: &[u8]) -> KeyFault {
        match ServerPublicKey::from_pem(pem) {
            Err(AuthError::BadPublicKey(fault)) => fault,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn cipher_is_as_long_as_the_key_and_never_the_same() {
        let (one, two) = (encrypt("pw").unwrap(), encrypt("pw").unwrap());
        assert_eq!((one.len(), two.len()), (256, 256));
        assert_ne!(one, two);
        assert_eq!(decrypt(&one), b"pw\0");
    }

    #[test]
    fn longest_password() {
        // 256 bytes of key, 42 of OAEP, 1 of terminator.
        let longest = "x".repeat(256 - 42 - 1);
        assert_eq!(decrypt(&encrypt(&longest).unwrap()), [longest.as_bytes(), b"\0"].concat());
        let error = encrypt(&(longest + "x")).unwrap_err();
        assert!(matches!(error, AuthError::PasswordTooLong { limit: 213 }), "{error}");
    }

    #[test]
    fn what_stands_around_the_block_does_not_matter() {
        for (before, after) in [("", "\0"), ("", "\n\0"), ("\r\n", "\r\n"), ("server's key\n", "\nend")] {
            let pem = [before.as_bytes(), PUBLIC_PEM.trim_ascii_end(), after.as_bytes()].concat();
            assert_eq!(ServerPublicKey::from_pem(&pem).unwrap().bits(), 2048, "{before:?} {after:?}");
        }
        let crlf = String::from_utf8(PUBLIC_PEM.to_vec()).unwrap().replace('\n', "\r\n");
        assert_eq!(ServerPublicKey::from_pem(crlf.as_bytes()).unwrap().bits(), 2048);
    }

    #[test]
    fn what_is_no_key() {
        let pem = String::from_utf8(PUBLIC_PEM.to_vec()).unwrap();
        let certificate = pem.replace("PUBLIC KEY", "CERTIFICATE");
        let damaged = pem.replace("MIIBIjAN", "MIIBIjAM");
        assert_eq!(fault(b""), KeyFault::NotPem);
        assert_eq!(fault(&PUBLIC_PEM[..200]), KeyFault::NotPem);
        assert_eq!(fault(certificate.as_bytes()), KeyFault::NotPem);
        assert_eq!(fault(damaged.as_bytes()), KeyFault::NotRsa);
        assert_eq!(fault(include_bytes!("../tests/data/ec_public.pem")), KeyFault::NotRsa);
        assert_eq!(fault(include_bytes!("../tests/data/rsa_1024_public.pem")), KeyFault::NotRsa);
        assert_eq!(fault(&[b' '; MAX_PEM + 1]), KeyFault::TooLarge);
    }

    #[test]
    fn larger_keys_are_welcome() {
        let key = ServerPublicKey::from_pem(include_bytes!("../tests/data/rsa_4096_public.pem")).unwrap();
        assert_eq!(format!("{key:?}"), "ServerPublicKey(RSA, 4096 bits)");
        let mut out = BytesMut::new();
        key.encrypt(&"x".repeat(300).as_str().into(), &NONCE, &mut out).unwrap();
        assert_eq!(out.len(), 512);
    }
}
