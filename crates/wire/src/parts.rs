//! Packets that are taken before they are whole.

use bytes::{Buf, Bytes, BytesMut};

use crate::packet::{Reading, header};
use crate::{Framer, HEADER_LEN, MAX_FRAME_PAYLOAD, WireError};

/// A piece of a packet, given before the packet is whole: see [`Framer::take_part`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Part {
    /// The bytes. Only the last part can be empty.
    pub bytes: Bytes,
    /// The packet begins here.
    pub first: bool,
    /// The packet ends here.
    pub last: bool,
}

/// What can be told of a packet before it is there: see [`Framer::peek`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Peek {
    /// The payload's length; [`MAX_FRAME_PAYLOAD`] stands for this much or more.
    pub len: usize,
    /// The payload's first byte; an empty packet has none.
    pub first: Option<u8>,
}

impl Framer {
    /// What the packet at the start of `rx` says of itself. `None` as long as its header, or its first byte, is not
    /// there, or while it is taken [in parts](Self::take_part). Nothing is checked and nothing is taken.
    ///
    /// # Errors
    /// Those of compressed frames, if there are any; a plain packet gives none.
    pub fn peek(&mut self, rx: &mut BytesMut) -> Result<Option<Peek>, WireError> {
        if self.reading == Reading::Compressed {
            return self.peek_compressed(rx);
        }
        if self.reading != Reading::Whole {
            let complete = self.join.is_complete();
            let len = if complete { self.join.payload.len() } else { MAX_FRAME_PAYLOAD };
            let first = self.join.payload.first().copied();
            return Ok(first.map(|first| Peek { len, first: Some(first) }));
        }
        Ok(header(rx).and_then(|(len, _)| {
            let first = rx.get(HEADER_LEN).copied().filter(|_| len > 0);
            (len == 0 || first.is_some()).then_some(Peek { len, first })
        }))
    }

    /// Takes what is there of the next packet, without waiting for its end: `None` until more bytes are received.
    /// The packet may have any size: the limit of packets is not applied, because nothing of it is kept here. Nothing
    /// is copied. Once begun, go on until the [last](Part::last) part; [`poll`](Self::poll) finds nothing before that.
    ///
    /// # Errors
    /// [`WireError::OutOfOrder`].
    pub fn take_part(&mut self, rx: &mut BytesMut) -> Result<Option<Part>, WireError> {
        if self.reading == Reading::Compressed {
            return self.take_part_compressed(rx);
        }
        let first = !matches!(self.reading, Reading::Parts { .. });
        if self.reading == Reading::Joined && !self.join.payload.is_empty() {
            // A look at the packet has already taken some of it.
            let (last, left, full) = (self.join.is_complete(), self.join.left, self.join.full);
            let bytes = self.end_join().into();
            self.reading = if last { Reading::Whole } else { Reading::Parts { left, full } };
            return Ok(Some(Part { bytes, first: true, last }));
        }
        let (left, full) = match self.reading {
            Reading::Parts { left, full } if left > 0 => (left, full),
            // Its header was looked at.
            Reading::Joined if self.join.left > 0 => {
                if rx.is_empty() {
                    return Ok(None);
                }
                (std::mem::take(&mut self.join).left, true)
            }
            _ => {
                let Some((len, id)) = header(rx) else { return Ok(None) };
                let byte = rx.get(HEADER_LEN).copied().filter(|_| len > 0);
                if len > 0 && byte.is_none() {
                    return Ok(None);
                }
                if id != self.sequence {
                    self.tolerate(id, byte.filter(|_| first))?;
                }
                self.sequence = self.sequence.wrapping_add(1);
                rx.advance(HEADER_LEN);
                (len, len == MAX_FRAME_PAYLOAD)
            }
        };
        let bytes = rx.split_to(left.min(rx.len())).freeze();
        let left = left - bytes.len();
        let last = left == 0 && !full;
        self.reading = if last { Reading::Whole } else { Reading::Parts { left, full } };
        Ok(Some(Part { bytes, first, last }).filter(|part| last || !part.bytes.is_empty()))
    }
}

#[cfg(test)]
mod tests {
    use bytes::BufMut;

    use super::*;
    use crate::{Frame, Limits};

    fn framer(max: usize) -> Framer {
        let mut framer = Framer::new(Limits::default());
        framer.set_max_packet(max);
        framer
    }

    #[test]
    fn a_packet_is_taken_in_parts_as_they_come() {
        let mut f = framer(10);
        // 5 bytes in all, after them a packet of one
        let mut rx = BytesMut::from(&[5, 0, 0, 0][..]);
        assert_eq!(f.peek(&mut rx), Ok(None));
        assert_eq!(f.take_part(&mut rx), Ok(None));
        rx.extend_from_slice(b"ab");
        assert_eq!(f.peek(&mut rx), Ok(Some(Peek { len: 5, first: Some(b'a') })));
        let part = |bytes, first, last| Ok(Some(Part { bytes: Bytes::from_static(bytes), first, last }));
        assert_eq!(f.take_part(&mut rx), part(b"ab", true, false));
        assert_eq!(f.take_part(&mut rx), Ok(None));
        assert_eq!((f.poll(&mut rx), f.peek(&mut rx)), (Ok(Frame::Need(1)), Ok(None)));
        rx.extend_from_slice(b"cde\x01\0\0\x01f");
        assert_eq!(f.take_part(&mut rx), part(b"cde", false, true));
        assert_eq!(f.poll(&mut rx), Ok(Frame::Ready));
        assert_eq!(f.payload(&rx), b"f");
    }

    #[test]
    fn parts_go_over_any_number_of_frames_and_past_the_limit() {
        let size = 2 * MAX_FRAME_PAYLOAD;
        let mut wire = BytesMut::new();
        let mut f = framer(100);
        f.write(&mut wire, |p| p.put_bytes(7, size));
        f.write(&mut wire, |p| p.put_slice(b""));
        f.begin_command();
        let (mut rx, mut got, mut lasts) = (BytesMut::new(), 0, 0);
        while lasts < 2 {
            match f.take_part(&mut rx).unwrap() {
                Some(part) => {
                    assert_eq!(part.first, got == 0 || lasts == 1);
                    assert!(part.last || part.bytes.iter().all(|byte| *byte == 7) && !part.bytes.is_empty());
                    got += part.bytes.len();
                    lasts += usize::from(part.last);
                }
                None => rx.unsplit(wire.split_to(wire.len().min(1 << 20))),
            }
        }
        assert_eq!((got, rx.len(), wire.len()), (size, 0, 0));
    }

    #[test]
    fn parts_follow_on_what_a_look_has_taken() {
        let size = MAX_FRAME_PAYLOAD + 3;
        let mut all = BytesMut::new();
        framer(1 << 30).write(&mut all, |p| p.put_bytes(7, size));
        // Two headers of 4 bytes: the first frame is cut in its header, in its middle, at its end, and the second one too.
        for cut in [4, 5, 1000, size + 1, size + 4, size + 5, size + 7, size + 8] {
            let mut f = framer(1 << 30);
            let mut rx = BytesMut::from(&all[..cut]);
            let mut behind = &all[cut..];
            let complete = f.poll(&mut rx) == Ok(Frame::Ready);
            assert_eq!(complete, behind.is_empty());
            if let Some(peek) = f.peek(&mut rx).unwrap() {
                assert_eq!(
                    peek,
                    Peek { len: if complete { size } else { MAX_FRAME_PAYLOAD }, first: Some(7) }
                );
            }
            let (mut got, mut over) = (0, false);
            while !over {
                match f.take_part(&mut rx).unwrap() {
                    Some(part) => {
                        assert_eq!(
                            (part.first, part.last),
                            (got == 0, got + part.bytes.len() == size),
                            "{cut}"
                        );
                        assert!(part.bytes.iter().all(|byte| *byte == 7));
                        (got, over) = (got + part.bytes.len(), part.last);
                    }
                    None => rx.extend_from_slice(std::mem::take(&mut behind)),
                }
            }
            assert!(got == size && rx.is_empty() && f.poll(&mut rx) == Ok(Frame::Need(HEADER_LEN)), "{cut}");
        }
    }

    #[test]
    fn parts_have_their_ids_checked() {
        let mut rx = BytesMut::from(&[1, 0, 0, 3, 0x00][..]);
        assert_eq!(framer(9).take_part(&mut rx), Err(WireError::OutOfOrder { expected: 0, got: 3 }));
        let mut rx = BytesMut::from(&[1, 0, 0, 3, 0xff][..]);
        let mut f = framer(9);
        assert!(matches!(f.take_part(&mut rx), Ok(Some(Part { first: true, last: true, .. }))));
        assert!(f.is_out_of_step());
        // The second frame of a packet is no ERR.
        let mut wire = BytesMut::new();
        let mut f = framer(9);
        f.write(&mut wire, |p| p.put_bytes(0xff, MAX_FRAME_PAYLOAD + 1));
        f.begin_command();
        let at = wire.len() - 2;
        wire[at] = 9;
        assert!(matches!(f.take_part(&mut wire), Ok(Some(Part { last: false, .. }))));
        assert_eq!(f.take_part(&mut wire), Err(WireError::OutOfOrder { expected: 1, got: 9 }));
    }
}
