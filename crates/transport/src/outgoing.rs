//! The buffer that wire bytes are encrypted into and written from.

use crate::TlsError;

/// Small enough for idle connections, large enough for a handshake and a login.
const LEAST: usize = 1024;

/// Bytes on their way out. All of `buf` is initialised once and then kept, so that an encoder that wants a slice to
/// write to does not cost clearing it each time.
#[derive(Default)]
pub(crate) struct Outgoing {
    buf: Vec<u8>,
    start: usize,
    end: usize,
}

/// Why an encoder wrote nothing.
pub(crate) enum Refused {
    /// It needs so many bytes.
    TooSmall(usize),
    Failed(TlsError),
}

impl Outgoing {
    pub(crate) fn bytes(&self) -> &[u8] {
        self.buf.get(self.start..self.end).unwrap_or_default()
    }

    pub(crate) fn len(&self) -> usize {
        self.end - self.start
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// Has `encode` write at the end, into at least `size` bytes, or as many as it asks for.
    pub(crate) fn append(
        &mut self,
        mut size: usize,
        mut encode: impl FnMut(&mut [u8]) -> Result<usize, Refused>,
    ) -> Result<(), TlsError> {
        loop {
            let space = self.space(size);
            let limit = space.len();
            match encode(space) {
                Ok(n) => {
                    self.end += n.min(limit);
                    return Ok(());
                }
                Err(Refused::TooSmall(required)) if required > limit => size = required,
                Err(Refused::TooSmall(_)) => {
                    return Err(TlsError::Internal { reason: "an encoder is never content".to_owned() });
                }
                Err(Refused::Failed(error)) => return Err(error),
            }
        }
    }

    /// The first `n` bytes have left.
    pub(crate) fn sent(&mut self, n: usize) {
        debug_assert!(n <= self.len(), "more bytes sent than there were");
        self.start += n.min(self.len());
        if self.is_empty() {
            self.clear();
        }
    }

    pub(crate) fn clear(&mut self) {
        (self.start, self.end) = (0, 0);
    }

    fn space(&mut self, size: usize) -> &mut [u8] {
        if self.buf.len() - self.end < size && self.start > 0 {
            self.buf.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.len());
        }
        if self.buf.len() - self.end < size {
            self.buf.resize((self.end + size).max(LEAST), 0);
        }
        self.buf.get_mut(self.end..).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(outgoing: &mut Outgoing, bytes: &[u8]) {
        let encode = |space: &mut [u8]| match space.get_mut(..bytes.len()) {
            Some(space) => {
                space.copy_from_slice(bytes);
                Ok(bytes.len())
            }
            None => Err(Refused::TooSmall(bytes.len())),
        };
        outgoing.append(1, encode).unwrap();
    }

    #[test]
    fn first_in_first_out() {
        let mut outgoing = Outgoing::default();
        let mut expected = Vec::new();
        let mut seen = Vec::new();
        for i in 0..2000_u16 {
            let bytes = vec![i.to_le_bytes()[0]; usize::from(i % 700)];
            put(&mut outgoing, &bytes);
            expected.extend(bytes);
            let n = (usize::from(i) * 7919 % 700).min(outgoing.len());
            seen.extend_from_slice(&outgoing.bytes()[..n]);
            outgoing.sent(n);
        }
        seen.extend_from_slice(outgoing.bytes());
        assert!(seen == expected);
    }

    #[test]
    fn space_is_reused() {
        let mut outgoing = Outgoing::default();
        for _ in 0..1000 {
            put(&mut outgoing, &[1; 600]);
            outgoing.sent(500);
            put(&mut outgoing, &[1; 100]);
            outgoing.sent(200);
        }
        assert_eq!((outgoing.buf.len(), outgoing.is_empty()), (LEAST, true));
    }

    #[test]
    fn an_encoder_that_fails_leaves_nothing() {
        let mut outgoing = Outgoing::default();
        let failed = outgoing.append(1, |_| Err(Refused::Failed(TlsError::KeysExhausted)));
        assert_eq!(failed, Err(TlsError::KeysExhausted));
        assert!(outgoing.append(1, |_| Err(Refused::TooSmall(5))).is_err());
        assert!(outgoing.is_empty());
    }
}
