use std::fmt;

/// The bytes of a packet as an event shows them.
///
/// A payload that may hold secrets (authentication data, the whole of `COM_CHANGE_USER`) is *sensitive*: its
/// length can be asked for, its bytes can not. `Debug` never shows bytes at all, because a plain query may hold
/// a password too.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Payload<'a> {
    /// All bytes, or the first few of a payload that was never held whole.
    bytes: &'a [u8],
    len: usize,
    sensitive: bool,
}

impl<'a> Payload<'a> {
    /// A payload that subscribers may read.
    #[must_use]
    pub const fn open(bytes: &'a [u8]) -> Self {
        Self { bytes, len: bytes.len(), sensitive: false }
    }

    /// A payload of which subscribers learn the length only.
    #[must_use]
    pub const fn sensitive(bytes: &'a [u8]) -> Self {
        Self { bytes, len: bytes.len(), sensitive: true }
    }

    /// A payload that went by in parts and was never held whole: subscribers learn its first byte and its length.
    #[must_use]
    pub const fn streamed(first: &'a [u8; 1], len: usize) -> Self {
        Self { bytes: first, len, sensitive: false }
    }

    /// A payload that holds secrets, of which not even its bytes are needed: subscribers learn the length.
    #[must_use]
    pub const fn withheld(len: usize) -> Self {
        Self { bytes: &[], len, sensitive: true }
    }

    /// The payload's length in bytes.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether the payload is empty.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether the bytes are withheld.
    #[must_use]
    pub const fn is_sensitive(&self) -> bool {
        self.sensitive
    }

    /// The bytes, unless the payload is sensitive or was streamed.
    #[must_use]
    pub const fn bytes(&self) -> Option<&'a [u8]> {
        if self.sensitive || self.bytes.len() != self.len { None } else { Some(self.bytes) }
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
        let streamed = Payload::streamed(b"S", 1 << 30);
        assert_eq!((streamed.len(), streamed.first(), streamed.bytes()), (1 << 30, Some(b'S'), None));
        let withheld = Payload::withheld(9);
        assert_eq!((withheld.len(), withheld.is_sensitive(), withheld.bytes()), (9, true, None));
        assert_eq!(Payload::streamed(b"S", 1).bytes(), Some(&b"S"[..]));
        assert!(!open.is_sensitive() && !open.is_empty());
    }

    #[test]
    fn debug_shows_lengths_only() {
        assert_eq!(format!("{:?}", Payload::sensitive(b"hunter2")), "7 bytes");
        assert_eq!(format!("{:?}", Payload::open(b"SET PASSWORD = 'hunter2'")), "24 bytes");
    }
}
