use std::convert::Infallible;

use bytes::{Buf, BufMut, Bytes, BytesMut};

use crate::compress::Compressed;
use crate::join::Join;
use crate::{Limits, WireError};

/// Bytes of a packet header: `int<3>` payload length, `int<1>` sequence id.
pub const HEADER_LEN: usize = 4;

/// The largest payload of one frame. A frame of just this size says that another follows.
pub const MAX_FRAME_PAYLOAD: usize = 0xff_ffff;

const ERR_HEADER: u8 = 0xff;

/// What [`Framer::poll`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Frame {
    /// A whole logical packet is there: see [`Framer::payload`].
    Ready,
    /// `rx` must hold this many bytes before another look can help.
    Need(usize),
}

/// Several packets that were received together, in one refcounted piece.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Run {
    /// Whole frames, each with its header.
    Frames(Bytes),
    /// The payload of one packet that came in several frames, joined.
    Joined(Bytes),
}

impl Run {
    /// Whether the bytes are one payload, not frames with headers.
    #[must_use]
    pub const fn is_joined(&self) -> bool {
        matches!(self, Self::Joined(_))
    }

    /// The bytes.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        match self {
            Self::Frames(bytes) | Self::Joined(bytes) => bytes,
        }
    }
}

/// The counters of a [`Framer`] at some moment: see [`Framer::mark`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    sequence: u8,
}

/// Packets: split and joined at 0xFFFFFF bytes, with sequence ids kept for both directions.
///
/// ```text
/// int<3> payload_length | int<1> sequence_id | payload
/// ```
///
/// Follows "MySQL Source Code Documentation: MySQL Packets". The ids count frames, wrap at 255, go on through TLS
/// and authentication, and start again at 0 with every command. A wrong id is an error, but an ERR packet is
/// taken with any id: a server that ends an idle session sends one unasked, with id 0, and it meets whatever the
/// client has just sent. Such a connection is [out of step](Framer::is_out_of_step) and must not be used again.
///
/// The framer owns no bytes of `rx` and `tx`. `poll`, `payload` and `consume` are the only way from received
/// bytes to packets and `write` the only way back, so [compressed framing](Self::compress), which goes between the
/// two, changes nothing for callers. Then the ids are those of compressed frames.
#[derive(Debug)]
pub struct Framer {
    pub(crate) max_packet: usize,
    pub(crate) sequence: u8,
    pub(crate) out_of_step: bool,
    /// The ids of frames are not checked.
    pub(crate) unnumbered: bool,
    pub(crate) reading: Reading,
    pub(crate) join: Join,
    pub(crate) compressed: Option<Box<Compressed>>,
}

/// How the packet at the start of what was received is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    /// In place, when it is whole.
    Whole,
    /// It has several frames and is put together in [`Framer::join`].
    Joined,
    /// In parts: so many payload bytes of its current frame are still to come, and behind a full frame another.
    Parts { left: usize, full: bool },
    /// By another framer, out of what compressed frames hold.
    Compressed,
}

impl Framer {
    /// A framer that accepts packets up to [`Limits::max_handshake_packet`].
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            max_packet: limits.max_handshake_packet.min(limits.max_packet),
            sequence: 0,
            out_of_step: false,
            unnumbered: false,
            reading: Reading::Whole,
            join: Join::default(),
            compressed: None,
        }
    }

    /// From now on packets up to `bytes` are accepted.
    pub fn set_max_packet(&mut self, bytes: usize) {
        self.max_packet = bytes;
        if let Some(compressed) = &mut self.compressed {
            compressed.inner.max_packet = bytes;
        }
    }

    /// The next packet written is a command: its sequence id is 0.
    pub fn begin_command(&mut self) {
        self.sequence = 0;
    }

    /// The sequence ids as they are now.
    ///
    /// A session that sends a command while replies are owed marks where the ids are when the command is written,
    /// and [restores](Self::restore) them when its reply is the next to come.
    #[must_use]
    pub const fn mark(&self) -> Mark {
        Mark { sequence: self.sequence }
    }

    /// Goes back to the sequence ids of `mark`. Between two packets only.
    pub fn restore(&mut self, mark: Mark) {
        self.sequence = mark.sequence;
    }

    /// Whether an ERR came with a wrong sequence id: the connection is not to be used again.
    #[must_use]
    pub const fn is_out_of_step(&self) -> bool {
        self.out_of_step
    }

    /// Looks for a whole logical packet at the start of `rx`. Asking again changes nothing. Never ready while a
    /// packet is taken [in parts](Self::take_part).
    ///
    /// # Errors
    /// [`WireError::PacketTooLarge`] before anything is reserved for it, [`WireError::OutOfOrder`].
    #[inline]
    pub fn poll(&mut self, rx: &mut BytesMut) -> Result<Frame, WireError> {
        if self.reading != Reading::Whole {
            return self.poll_slow(rx);
        }
        let Some((len, id)) = header(rx) else { return Ok(Frame::Need(HEADER_LEN)) };
        if len > self.max_packet {
            return Err(WireError::PacketTooLarge { size: len, limit: self.max_packet });
        }
        if len == MAX_FRAME_PAYLOAD {
            self.reading = Reading::Joined;
            return self.poll_join(rx);
        }
        if rx.len() < HEADER_LEN + len {
            return Ok(Frame::Need(HEADER_LEN + len));
        }
        if id != self.sequence {
            self.tolerate(
                id,
                rx.get(HEADER_LEN..HEADER_LEN + len).and_then(|payload| payload.first()).copied(),
            )?;
        }
        Ok(Frame::Ready)
    }

    fn poll_slow(&mut self, rx: &mut BytesMut) -> Result<Frame, WireError> {
        match self.reading {
            // Nothing is whole before the last part was taken.
            Reading::Parts { .. } => Ok(Frame::Need(rx.len() + 1)),
            Reading::Whole | Reading::Joined => self.poll_join(rx),
            Reading::Compressed => self.poll_compressed(rx),
        }
    }

    /// A wrong id has come with a packet that begins with this byte.
    pub(crate) fn tolerate(&mut self, id: u8, first: Option<u8>) -> Result<(), WireError> {
        if self.unnumbered {
            self.sequence = id;
            return Ok(());
        }
        if first != Some(ERR_HEADER) {
            return Err(WireError::OutOfOrder { expected: self.sequence, got: id });
        }
        self.out_of_step = true;
        self.sequence = id;
        Ok(())
    }

    /// The packet that [`poll`](Self::poll) found ready; empty if it found none.
    #[inline]
    #[must_use]
    pub fn payload<'a>(&'a self, rx: &'a BytesMut) -> &'a [u8] {
        if self.reading != Reading::Whole {
            return self.payload_slow();
        }
        let len = header(rx).map_or(0, |(len, _)| len);
        rx.get(HEADER_LEN..HEADER_LEN + len).unwrap_or_default()
    }

    /// Takes the packet that [`poll`](Self::poll) found ready off `rx`.
    #[inline]
    pub fn consume(&mut self, rx: &mut BytesMut) {
        if self.reading != Reading::Whole {
            self.consume_slow();
            return;
        }
        if let Some((len, _)) = header(rx) {
            if HEADER_LEN + len >= rx.len() {
                // Nothing is left that the buffer's start would have to be moved for.
                rx.clear();
            } else {
                rx.advance(HEADER_LEN + len);
            }
            self.sequence = self.sequence.wrapping_add(1);
        }
    }

    /// The header of the packet that is ready, if it has so many bytes and came in one frame.
    #[inline]
    #[must_use]
    pub const fn header(&self, len: usize) -> [u8; HEADER_LEN] {
        let [a, b, c, ..] = len.to_le_bytes();
        [a, b, c, self.sequence]
    }

    /// Takes packets off `rx` that came before, byte for byte: `frames` are `count` whole frames with their headers, which
    /// were accepted one after another. Whether `rx` begins with just these, and the first is the next to come. For what a
    /// server sends again and again: it need not be looked at packet by packet.
    #[inline]
    pub fn take_again(&mut self, rx: &mut BytesMut, frames: &[u8], count: usize) -> bool {
        let next = header(frames).is_some_and(|(_, id)| id == self.sequence);
        if !next || self.unnumbered || self.reading != Reading::Whole || !rx.starts_with(frames) {
            return false;
        }
        rx.advance(frames.len());
        // Ids wrap.
        let [count, ..] = count.to_le_bytes();
        self.sequence = self.sequence.wrapping_add(count);
        true
    }

    /// Takes the packet that is ready, and all whole packets behind it, as long as `belongs` says so of each
    /// payload, each asked of once. `None` when the first does not belong. Nothing is copied but packets of several frames.
    ///
    /// # Errors
    /// As [`poll`](Self::poll).
    #[inline(always)]
    pub fn take_run(
        &mut self,
        rx: &mut BytesMut,
        mut belongs: impl FnMut(&[u8]) -> bool,
    ) -> Result<Option<Run>, WireError> {
        if self.poll(rx)? != Frame::Ready {
            return Ok(None);
        }
        if self.reading != Reading::Whole {
            return self.take_run_slow(belongs);
        }
        // Whatever is unusual is left where it is, for `poll` to judge. The first packet was judged already.
        let (limit, unnumbered) = (self.max_packet.min(MAX_FRAME_PAYLOAD - 1), self.unnumbered);
        let (mut rest, mut sequence) = (&rx[..], self.sequence);
        while let Some((&[a, b, c, id], behind)) = rest.split_first_chunk::<HEADER_LEN>() {
            let len = u32::from_le_bytes([a, b, c, 0]) as usize;
            let Some((payload, behind)) = behind.split_at_checked(len) else { break };
            if (id != sequence && !unnumbered) || len > limit || !belongs(payload) {
                break;
            }
            (rest, sequence) = (behind, id.wrapping_add(1));
        }
        let end = rx.len() - rest.len();
        if end == 0 {
            return Ok(None);
        }
        self.sequence = sequence;
        Ok(Some(Run::Frames(rx.split_to(end).freeze())))
    }

    /// The same for a packet of several frames, or what compressed frames hold.
    #[cold]
    fn take_run_slow(&mut self, mut belongs: impl FnMut(&[u8]) -> bool) -> Result<Option<Run>, WireError> {
        if self.reading == Reading::Compressed {
            return self.take_run_compressed(belongs);
        }
        let taken = belongs(self.payload_slow());
        Ok(taken.then(|| Run::Joined(self.end_join().into())))
    }

    /// Whether some of a packet was taken already, and more is to come.
    pub(crate) fn is_reading(&self) -> bool {
        self.reading != Reading::Whole
    }

    /// Whether a packet is taken in parts, and its end is to come.
    pub(crate) const fn is_in_parts(&self) -> bool {
        matches!(self.reading, Reading::Parts { .. })
    }

    fn payload_slow(&self) -> &[u8] {
        self.compressed.as_ref().map_or(&self.join.payload, |compressed| compressed.payload())
    }

    fn consume_slow(&mut self) {
        match &mut self.compressed {
            Some(compressed) => compressed.consume(),
            None if self.reading == Reading::Joined => drop(self.end_join()),
            None => {}
        }
    }

    /// Appends a command to `tx`: its byte, and two pieces behind it. Returns the payload's length. The ids begin anew.
    #[inline]
    pub fn write_command(&mut self, tx: &mut BytesMut, command: u8, head: &[u8], tail: &[u8]) -> usize {
        self.begin_command();
        let len = 1 + head.len() + tail.len();
        if self.reading == Reading::Compressed || len >= MAX_FRAME_PAYLOAD {
            return self.write(tx, |payload| {
                payload.put_u8(command);
                payload.put_slice(head);
                payload.put_slice(tail);
            });
        }
        tx.reserve(HEADER_LEN + len);
        let [a, b, c, id] = self.next_header(len);
        tx.extend_from_slice(&[a, b, c, id, command]);
        if !head.is_empty() {
            tx.extend_from_slice(head);
        }
        if !tail.is_empty() {
            tx.extend_from_slice(tail);
        }
        len
    }

    /// Appends one logical packet to `tx`: `body` writes the payload, the header is patched after. Returns the
    /// payload's length.
    #[inline]
    pub fn write(&mut self, tx: &mut BytesMut, body: impl FnOnce(&mut BytesMut)) -> usize {
        let written = self.try_write(tx, |payload| {
            body(payload);
            Ok::<(), Infallible>(())
        });
        match written {
            Ok(len) => len,
            Err(never) => match never {},
        }
    }

    /// The same for a payload that may turn out to be none: on an error `tx` and the sequence ids are as before.
    ///
    /// # Errors
    /// Those of `body`.
    #[inline]
    pub fn try_write<E>(
        &mut self,
        tx: &mut BytesMut,
        body: impl FnOnce(&mut BytesMut) -> Result<(), E>,
    ) -> Result<usize, E> {
        if self.reading == Reading::Compressed {
            return self.write_compressed(tx, body);
        }
        let start = tx.len();
        tx.put_slice(&[0; HEADER_LEN]);
        if let Err(error) = body(tx) {
            tx.truncate(start);
            return Err(error);
        }
        let len = tx.len() - start - HEADER_LEN;
        if len >= MAX_FRAME_PAYLOAD {
            self.split(tx, start);
        } else if let Some(header) = tx.get_mut(start..).and_then(|packet| packet.first_chunk_mut()) {
            *header = self.next_header(len);
        }
        Ok(len)
    }

    /// Breaks the packet that starts at `start` into frames; the slow path of 16 MiB and more.
    fn split(&mut self, tx: &mut BytesMut, start: usize) {
        let mut payload = tx.split_off(start);
        payload.advance(HEADER_LEN);
        loop {
            let frame = payload.split_to(payload.len().min(MAX_FRAME_PAYLOAD));
            tx.put_slice(&self.next_header(frame.len()));
            tx.put_slice(&frame);
            // A full frame says that another follows, so a packet of N * 0xFFFFFF bytes ends with an empty one.
            if frame.len() < MAX_FRAME_PAYLOAD {
                return;
            }
        }
    }

    fn next_header(&mut self, len: usize) -> [u8; HEADER_LEN] {
        let header = self.header(len);
        self.sequence = self.sequence.wrapping_add(1);
        header
    }
}

/// The payload length and sequence id of the frame that starts here.
#[inline]
pub(crate) fn header(frame: &[u8]) -> Option<(usize, u8)> {
    let [a, b, c, id] = *frame.first_chunk()?;
    Some((u32::from_le_bytes([a, b, c, 0]) as usize, id))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop, prop_assert_eq, proptest};

    use super::*;

    fn framer(max: usize) -> Framer {
        let mut framer = Framer::new(Limits::default());
        framer.set_max_packet(max);
        framer
    }

    #[test]
    fn a_packet_of_exactly_one_full_frame_ends_with_an_empty_one() {
        for (size, frames) in [(MAX_FRAME_PAYLOAD - 1, 1), (MAX_FRAME_PAYLOAD, 2), (MAX_FRAME_PAYLOAD + 1, 2)]
        {
            let mut tx = BytesMut::new();
            let mut writer = framer(1 << 30);
            assert_eq!(writer.write(&mut tx, |p| p.put_bytes(0x5a, size)), size);
            assert_eq!(tx.len(), size + frames * HEADER_LEN);
            assert_eq!(usize::from(writer.sequence), frames);
            let mut reader = framer(1 << 30);
            assert_eq!(reader.poll(&mut tx), Ok(Frame::Ready));
            assert_eq!(reader.payload(&tx).len(), size);
            assert!(reader.payload(&tx).iter().all(|byte| *byte == 0x5a));
            reader.consume(&mut tx);
            assert!(tx.is_empty());
            assert_eq!(usize::from(reader.sequence), frames);
        }
    }

    #[test]
    fn a_packet_that_turns_out_to_be_none_leaves_nothing() {
        let (mut f, mut tx) = (framer(100), BytesMut::from(&b"before"[..]));
        f.write(&mut tx, |p| p.put_u8(1));
        let (mark, sent) = (f.mark(), tx.clone());
        let failed = f.try_write(&mut tx, |p| {
            p.put_bytes(0, 50);
            Err("no")
        });
        assert_eq!((failed, f.mark(), tx), (Err("no"), mark, sent));
    }

    #[test]
    fn a_length_above_the_limit_is_refused_from_the_header_alone() {
        // 11 bytes announced, limit 10
        let mut rx = BytesMut::from(&[11, 0, 0, 0][..]);
        assert_eq!(framer(10).poll(&mut rx), Err(WireError::PacketTooLarge { size: 11, limit: 10 }));
        // a full frame is followed by one more byte than allowed
        let mut rx = BytesMut::new();
        framer(1 << 30).write(&mut rx, |p| p.put_bytes(0, MAX_FRAME_PAYLOAD + 1));
        let limit = MAX_FRAME_PAYLOAD;
        assert_eq!(framer(limit).poll(&mut rx), Err(WireError::PacketTooLarge { size: limit + 1, limit }));
    }

    #[test]
    fn a_wrong_id_is_an_error_but_an_err_packet_is_taken() {
        let mut f = framer(100);
        f.begin_command();
        f.write(&mut BytesMut::new(), |p| p.put_u8(0x0e));
        let mut rx = BytesMut::from(&[1, 0, 0, 0, 0x00][..]);
        assert_eq!(f.poll(&mut rx), Err(WireError::OutOfOrder { expected: 1, got: 0 }));
        // An empty packet is no ERR, whatever byte the next one begins with.
        let mut rx = BytesMut::from(&[0, 0, 0, 9, 0xff, 0, 0, 0][..]);
        assert_eq!(f.poll(&mut rx), Err(WireError::OutOfOrder { expected: 1, got: 9 }));
        let mut rx = BytesMut::from(&[1, 0, 0, 0, 0xff][..]);
        assert_eq!(f.poll(&mut rx), Ok(Frame::Ready));
        assert!(f.is_out_of_step());
    }

    #[test]
    fn ids_wrap_at_255() {
        let mut f = framer(100);
        let mut wire = BytesMut::new();
        for _ in 0..300 {
            f.write(&mut wire, |p| p.put_u8(1));
        }
        let mut reader = framer(100);
        for _ in 0..300 {
            assert_eq!(reader.poll(&mut wire), Ok(Frame::Ready));
            reader.consume(&mut wire);
        }
        assert!(wire.is_empty());
    }

    #[test]
    fn a_run_stops_before_what_does_not_belong() {
        let mut f = framer(100);
        let mut wire = BytesMut::new();
        for byte in [1, 2, 3, 0xfe] {
            f.write(&mut wire, |p| p.put_u8(byte));
        }
        wire.extend_from_slice(&[9, 0]); // half a header
        let mut reader = framer(100);
        let run = reader.take_run(&mut wire, |p| p[0] != 0xfe);
        let Ok(Some(Run::Frames(frames))) = run else { panic!("{run:?}") };
        assert_eq!(frames[..], [1, 0, 0, 0, 1, 1, 0, 0, 1, 2, 1, 0, 0, 2, 3]);
        assert!(matches!(reader.take_run(&mut wire, |p| p[0] != 0xfe), Ok(None)));
        assert_eq!(reader.payload(&wire), [0xfe]);
        reader.consume(&mut wire);
        assert_eq!(reader.poll(&mut wire), Ok(Frame::Need(HEADER_LEN)));
    }

    #[test]
    fn frames_that_came_before_are_taken_as_one_piece() {
        let frames = [1, 0, 0, 1, 2, 2, 0, 0, 2, 8, 9];
        let take = |rx: &[u8], sequence| {
            let (mut f, mut rx) = (Framer { sequence, ..framer(100) }, BytesMut::from(rx));
            let taken = f.take_again(&mut rx, &frames, 2);
            assert_eq!(f.sequence, if taken { 3 } else { sequence });
            (taken, rx.to_vec())
        };
        assert_eq!(take(&[&frames[..], &[7]].concat(), 1), (true, vec![7]));
        // Not all is there, it is other bytes, or the next packet has another id.
        for (rx, sequence) in [(&frames[..10], 1), (&[1, 0, 0, 1, 3, 2, 0, 0, 2, 8, 9][..], 1), (&frames, 2)]
        {
            assert_eq!(take(rx, sequence), (false, rx.to_vec()));
        }
        assert!(!framer(100).take_again(&mut BytesMut::new(), &[], 0));
    }

    #[test]
    fn a_mark_brings_the_ids_back() {
        let mut f = framer(100);
        let mut tx = BytesMut::new();
        f.write(&mut tx, |p| p.put_u8(0x0e));
        let mark = f.mark();
        // The second command is written before the first one's reply is read: its ids start at 0 again.
        f.begin_command();
        f.write(&mut tx, |p| p.put_bytes(3, 9));
        f.restore(mark);
        assert_eq!(f.mark(), mark);
        let mut rx = BytesMut::from(&[1, 0, 0, 1, 0x00][..]);
        assert_eq!(f.poll(&mut rx), Ok(Frame::Ready));
    }

    proptest! {
        #[test]
        fn any_split_gives_the_same_packets(
            sizes in prop::collection::vec(0usize..300, 1..20),
            cuts in prop::collection::vec(1usize..50, 1..40),
        ) {
            let mut f = framer(1000);
            let mut wire = BytesMut::new();
            for (i, size) in sizes.iter().enumerate() {
                f.write(&mut wire, |p| p.put_bytes(u8::try_from(i).unwrap(), *size));
            }
            let mut reader = framer(1000);
            let mut rx = BytesMut::new();
            let mut got = Vec::new();
            let mut cuts = cuts.iter().cycle();
            loop {
                match reader.poll(&mut rx) {
                    Ok(Frame::Ready) => {
                        got.push(reader.payload(&rx).to_vec());
                        reader.consume(&mut rx);
                    }
                    Ok(Frame::Need(n)) if wire.is_empty() => { prop_assert_eq!(n, HEADER_LEN); break }
                    Ok(Frame::Need(_)) => rx.extend_from_slice(&{ let n = *cuts.next().unwrap(); wire.split_to(n.min(wire.len())) }),
                    Err(e) => panic!("{e}"),
                }
            }
            let want: Vec<_> = sizes.iter().enumerate().map(|(i, size)| vec![u8::try_from(i).unwrap(); *size]).collect();
            prop_assert_eq!(got, want);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in any::<Vec<u8>>()) {
            let mut rx = BytesMut::from(&bytes[..]);
            let mut reader = framer(64);
            for _ in 0..20 {
                match reader.poll(&mut rx) {
                    Ok(Frame::Ready) => reader.consume(&mut rx),
                    _ => break,
                }
            }
        }
    }
}
