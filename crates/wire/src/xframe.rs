use bytes::{Buf, BufMut, Bytes, BytesMut};

use crate::{Frame, WireError};

/// Bytes of an X Protocol frame before its payload: `int<4>` length, `int<1>` message type.
pub const XFRAME_HEADER_LEN: usize = 5;

/// The length counts the type byte, not itself.
const LENGTH_LEN: usize = 4;

/// Frames of X Protocol.
///
/// ```text
/// int<4> length | int<1> message type | payload of length - 1 bytes
/// ```
///
/// Follows "MySQL Source Code Documentation: X Protocol, Life Cycle, Messages". There are no sequence ids: replies are
/// matched to requests by their order alone. A length of 0 is malformed, and one above the limit is refused before
/// anything is reserved for it.
///
/// Owns no bytes: `rx` and `tx` are lent, as to [`Framer`](crate::Framer).
#[derive(Clone, Copy, Debug)]
pub struct XFramer {
    max_frame: usize,
}

impl XFramer {
    /// A framer that accepts frames whose length field says up to `max_frame` bytes.
    #[must_use]
    pub const fn new(max_frame: usize) -> Self {
        Self { max_frame }
    }

    /// The largest length that is accepted.
    #[must_use]
    pub const fn max_frame(&self) -> usize {
        self.max_frame
    }

    /// Looks for a whole frame at the start of `rx`.
    ///
    /// # Errors
    /// [`WireError::PacketTooLarge`]; [`WireError::EmptyPacket`] for a length of 0.
    #[inline]
    pub fn poll(&self, rx: &[u8]) -> Result<Frame, WireError> {
        let Some(len) = self.length(rx)? else { return Ok(Frame::Need(XFRAME_HEADER_LEN)) };
        let end = LENGTH_LEN + len;
        Ok(if rx.len() < end { Frame::Need(end) } else { Frame::Ready })
    }

    /// The length field, if it is there and can be trusted.
    #[inline]
    fn length(&self, rx: &[u8]) -> Result<Option<usize>, WireError> {
        let Some(field) = rx.first_chunk::<LENGTH_LEN>() else { return Ok(None) };
        let size = u32::from_le_bytes(*field) as usize;
        match size {
            0 => Err(WireError::EmptyPacket),
            _ if size > self.max_frame => Err(WireError::PacketTooLarge { size, limit: self.max_frame }),
            _ => Ok(Some(size)),
        }
    }

    /// The type and the payload of the frame that [`poll`](Self::poll) found ready.
    #[inline]
    #[must_use]
    pub fn message<'a>(&self, rx: &'a [u8]) -> Option<(u8, &'a [u8])> {
        let len = self.length(rx).ok()??;
        let (kind, payload) = rx.get(LENGTH_LEN..LENGTH_LEN + len)?.split_first()?;
        Some((*kind, payload))
    }

    /// Takes the frame that is ready off `rx`: its type and its payload, which keeps the buffer that it came in.
    #[must_use]
    pub fn take(&self, rx: &mut BytesMut) -> Option<(u8, Bytes)> {
        let (kind, payload) = self.message(rx)?;
        let end = XFRAME_HEADER_LEN + payload.len();
        let mut frame = rx.split_to(end).freeze();
        frame.advance(XFRAME_HEADER_LEN);
        Some((kind, frame))
    }

    /// Takes the frame that is ready off `rx`.
    #[inline]
    pub fn consume(&self, rx: &mut BytesMut) {
        if let Some((_, payload)) = self.message(rx) {
            rx.advance(XFRAME_HEADER_LEN + payload.len());
        }
    }

    /// Takes the frame that is ready and all whole frames behind it, as long as `belongs` says so of each. They come
    /// in one piece, headers included; nothing is copied. `None` when the first does not belong.
    pub fn take_run(&self, rx: &mut BytesMut, mut belongs: impl FnMut(u8, &[u8]) -> bool) -> Option<Bytes> {
        let mut end = 0;
        while let Some((kind, payload)) = rx.get(end..).and_then(|rest| self.message(rest))
            && belongs(kind, payload)
        {
            end += XFRAME_HEADER_LEN + payload.len();
        }
        (end > 0).then(|| rx.split_to(end).freeze())
    }

    /// Appends one frame to `tx`: `body` writes the payload, the length is patched after. Returns the length field,
    /// which is what a server holds against its own limit.
    ///
    /// A server that has the header waits half a second for the rest, so that what is appended here must not be
    /// written in two parts with a pause between.
    ///
    /// # Errors
    /// [`WireError::PacketTooLarge`] for what no length field can say; `tx` is as it was then.
    pub fn write(tx: &mut BytesMut, kind: u8, body: impl FnOnce(&mut BytesMut)) -> Result<usize, WireError> {
        let start = tx.len();
        tx.put_slice(&[0; LENGTH_LEN]);
        tx.put_u8(kind);
        body(tx);
        let size = tx.len() - start - LENGTH_LEN;
        match (u32::try_from(size), tx.get_mut(start..).and_then(|frame| frame.first_chunk_mut())) {
            (Ok(length), Some(field)) => {
                *field = length.to_le_bytes();
                Ok(size)
            }
            _ => {
                tx.truncate(start);
                Err(WireError::PacketTooLarge { size, limit: u32::MAX as usize })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop, prop_assert_eq, proptest};

    use super::*;

    const FRAMER: XFramer = XFramer::new(100);

    // length 5, type 11 NOTICE, type = 5 ServerHello, payload empty
    const HELLO: [u8; 9] = [5, 0, 0, 0, 0x0b, 0x08, 0x05, 0x1a, 0x00];

    #[test]
    fn a_frame_is_ready_when_all_of_it_is_there() {
        for end in 0..HELLO.len() {
            let need = if end < LENGTH_LEN { XFRAME_HEADER_LEN } else { HELLO.len() };
            assert_eq!(FRAMER.poll(&HELLO[..end]), Ok(Frame::Need(need)), "{end}");
            assert_eq!(FRAMER.message(&HELLO[..end]), None);
        }
        let mut rx = BytesMut::from(&[&HELLO[..], &[1]].concat()[..]);
        assert_eq!(FRAMER.poll(&rx), Ok(Frame::Ready));
        assert_eq!(FRAMER.message(&rx), Some((11, &[0x08, 0x05, 0x1a, 0x00][..])));
        let taken = FRAMER.take(&mut rx);
        assert_eq!(taken, Some((11, Bytes::from_static(&[0x08, 0x05, 0x1a, 0x00]))));
        assert_eq!(rx[..], [1]);
    }

    #[test]
    fn a_length_is_judged_before_its_frame_came() {
        assert_eq!(FRAMER.poll(&[0, 0, 0, 0]), Err(WireError::EmptyPacket));
        assert_eq!(FRAMER.poll(&[100, 0, 0, 0]), Ok(Frame::Need(104)));
        let error = WireError::PacketTooLarge { size: 101, limit: 100 };
        assert_eq!(FRAMER.poll(&[101, 0, 0, 0]), Err(error));
        assert_eq!(FRAMER.take(&mut BytesMut::from(&[101, 0, 0, 0, 1][..])), None);
    }

    #[test]
    fn a_run_ends_before_what_does_not_belong_or_is_not_whole() {
        let mut rx = BytesMut::new();
        for (kind, payload) in [(13, &b"a"[..]), (13, b""), (14, b"")] {
            XFramer::write(&mut rx, kind, |tx| tx.put_slice(payload)).unwrap();
        }
        let run = FRAMER.take_run(&mut rx, |kind, _| kind == 13);
        assert_eq!(run.as_deref(), Some(&[2, 0, 0, 0, 13, b'a', 1, 0, 0, 0, 13][..]));
        assert_eq!(FRAMER.take_run(&mut rx, |kind, _| kind == 13), None);
        FRAMER.consume(&mut rx);
        assert!(rx.is_empty());
        rx.extend_from_slice(&[1, 0, 0, 0, 13, 2, 0, 0, 0, 13]);
        assert_eq!(FRAMER.take_run(&mut rx, |_, _| true).map(|run| run.len()), Some(5));
        assert_eq!(FRAMER.poll(&rx), Ok(Frame::Need(6)));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(messages in prop::collection::vec((any::<u8>(), prop::collection::vec(any::<u8>(), 0..90)), 0..10)) {
            let mut wire = BytesMut::new();
            for (kind, payload) in &messages {
                let size = XFramer::write(&mut wire, *kind, |tx| tx.put_slice(payload));
                prop_assert_eq!(size, Ok(payload.len() + 1));
            }
            for (kind, payload) in &messages {
                prop_assert_eq!(FRAMER.poll(&wire), Ok(Frame::Ready));
                prop_assert_eq!(FRAMER.take(&mut wire), Some((*kind, Bytes::copy_from_slice(payload))));
            }
            prop_assert_eq!(wire.len(), 0);
        }
    }
}
