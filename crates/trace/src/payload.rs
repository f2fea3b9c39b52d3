use std::fmt;

/// The bytes of a packet as an event shows them.
///
/// A payload that may hold secrets (authentication data, the whole of `COM_CHANGE_USER`) is *sensitive*: its
/// length can be asked for, its bytes can not. `Debug` never shows bytes at all, because a plain query may hold
/// a password too.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Payload<'a> {
    bytes: &'a [u8],
    sensitive: bool,
}

impl<'a> Payload<'a> {
    /// A payload that subscribers may read.
    #[must_use]
    pub const fn open(bytes: &'a [u8]) -> Self {
        Self { bytes, sensitive: false }
    }

    /// A payload of which subscribers learn the length only.
    #[must_use]
    pub const fn sensitive(bytes: &'a [u8]) -> Self {
        Self { bytes, sensitive: true }
    }

    /// The payload's length in bytes.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether the payload is empty.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Whether the bytes are withheld.
    #[must_use]
    pub const fn is_sensitive(&self) -> bool {
        self.sensitive
    }

    /// The bytes, unless the payload is sensitive.
    #[must_use]
    pub const fn bytes(&self) -> Option<&'a [u8]> {
        if self.sensitive { None } else { Some(self.bytes) }
    }

    /// The first byte, sensitive or not: only [`TraceEvent::first`](crate::TraceEvent::first) may tell it.
    pub(crate) fn first(&self) -> Option<u8> {
        self.bytes.first().copied()
    }
}

impl fmt::Debug for Payload<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.len())
    }
}

#[cfg(test)]
mod tests {
    use super::Payload;

    #[test]
    fn sensitive_bytes_are_withheld() {
        let secret = Payload::sensitive(b"hunter2");
        assert_eq!(secret.bytes(), None);
        assert_eq!(secret.len(), 7);
        assert!(secret.is_sensitive());
        let open = Payload::open(b"SELECT 1");
        assert_eq!(open.bytes(), Some(b"SELECT 1".as_slice()));
        assert!(!open.is_sensitive() && !open.is_empty());
    }

    #[test]
    fn debug_shows_lengths_only() {
        assert_eq!(format!("{:?}", Payload::sensitive(b"hunter2")), "7 bytes");
        assert_eq!(format!("{:?}", Payload::open(b"SET PASSWORD = 'hunter2'")), "24 bytes");
    }
}
