use std::fmt;

use zeroize::Zeroizing;

/// A password or token. Wiped when dropped; neither its bytes nor its length show in `Debug`.
///
/// There is no `PartialEq` and no `Display` on purpose. What is given as `String` or `Vec<u8>` is taken over,
/// not copied, so that no second copy is left behind; what is given as `&str` stays the caller's to wipe.
#[derive(Clone, Default)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// The bytes. The name is meant to stand out where it is called.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// Whether there is none: MySQL takes no password and an empty one for the same.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

impl From<Vec<u8>> for Secret {
    fn from(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        text.into_bytes().into()
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        text.as_bytes().into()
    }
}

impl From<&[u8]> for Secret {
    fn from(bytes: &[u8]) -> Self {
        bytes.to_vec().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_neither_bytes_nor_length() {
        let (short, long) = (Secret::from("a"), Secret::from("a much longer password"));
        assert_eq!(format!("{short:?}"), "Secret(..)");
        assert_eq!(format!("{short:#?}"), format!("{long:#?}"));
    }

    #[test]
    fn every_source_gives_the_same_bytes() {
        for secret in [
            Secret::from("p\u{e4}"),
            Secret::from(String::from("p\u{e4}")),
            Secret::from(vec![0x70, 0xc3, 0xa4]),
            Secret::from(&[0x70, 0xc3, 0xa4][..]),
        ] {
            assert_eq!(secret.expose(), [0x70, 0xc3, 0xa4]);
            assert!(!secret.is_empty());
        }
        assert!(Secret::default().is_empty());
    }

    #[test]
    fn an_owned_source_is_not_copied() {
        let bytes = vec![1, 2, 3];
        let place = bytes.as_ptr();
        assert_eq!(Secret::from(bytes).expose().as_ptr(), place);
    }
}
