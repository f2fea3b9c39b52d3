//! Packets of several frames.

use bytes::{Buf, BytesMut};

use crate::packet::{Reading, header};
use crate::{Frame, Framer, HEADER_LEN, MAX_FRAME_PAYLOAD, WireError};

/// How much of a packet of several frames is waited for at a time.
const JOIN_STEP: usize = 32 << 10;

/// A packet of several frames on its way. Its bytes are taken as they come: of a frame that is received whole before, there
/// would be two copies.
#[derive(Debug)]
pub(crate) struct Join {
    pub(crate) payload: Vec<u8>,
    /// What is still to come of the current frame.
    pub(crate) left: usize,
    /// Another frame follows.
    pub(crate) full: bool,
}

impl Default for Join {
    fn default() -> Self {
        Self { payload: Vec::new(), left: 0, full: true }
    }
}

impl Join {
    pub(crate) const fn is_complete(&self) -> bool {
        self.left == 0 && !self.full
    }

    /// Takes what there is of the current frame.
    fn take(&mut self, rx: &mut BytesMut) {
        let here = self.left.min(rx.len());
        self.payload.extend_from_slice(rx.get(..here).unwrap_or_default());
        rx.advance(here);
        self.left -= here;
    }
}

impl Framer {
    /// Takes what is there of a packet off `rx` until it is whole.
    pub(crate) fn poll_join(&mut self, rx: &mut BytesMut) -> Result<Frame, WireError> {
        loop {
            self.join.take(rx);
            if self.join.left > 0 {
                return Ok(Frame::Need(self.join.left.min(JOIN_STEP)));
            }
            if !self.join.full {
                return Ok(Frame::Ready);
            }
            let Some((len, id)) = header(rx) else { return Ok(Frame::Need(HEADER_LEN)) };
            let size = self.join.payload.len() + len;
            if size > self.max_packet {
                return Err(WireError::PacketTooLarge { size, limit: self.max_packet });
            }
            if id != self.sequence {
                self.tolerate(id, None)?;
            }
            rx.advance(HEADER_LEN);
            self.sequence = self.sequence.wrapping_add(1);
            // So much and no more: what doubles would hold three times as much.
            self.join.payload.reserve_exact(len);
            (self.join.left, self.join.full) = (len, len == MAX_FRAME_PAYLOAD);
        }
    }

    pub(crate) fn end_join(&mut self) -> Vec<u8> {
        self.reading = Reading::Whole;
        std::mem::take(&mut self.join).payload
    }
}
