//! Compressed frames, which go between the wire and the packets.

use std::fmt;

use bytes::{Buf, BufMut, Bytes, BytesMut};

use crate::codec::{Deflate, Inflate, deflater, inflater};
use crate::packet::Reading;
use crate::{Frame, Framer, Limits, MAX_FRAME_PAYLOAD, Part, Peek, Run, WireError};

/// `int<3>` compressed length, `int<1>` compressed sequence id, `int<3>` length before compression.
const FRAME_HEADER_LEN: usize = 7;

/// What is shorter is never compressed; servers do not either.
const MIN_COMPRESS_LENGTH: usize = 50;

/// How much is inflated ahead of what is looked for, so that rows come in batches.
const AHEAD: usize = 32 << 10;

/// A codec that has worked on more than this in one piece is not kept: it may hold as much again.
const KEEP: usize = 1 << 20;

const ERR_HEADER: u8 = 0xff;

/// An algorithm, and how hard it tries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Compression {
    /// zlib.
    #[cfg(feature = "zlib")]
    Zlib {
        /// 1 to 9; MySQL takes 6.
        level: u8,
    },
    /// zstd. Both sides know the level, but nothing depends on it.
    #[cfg(feature = "zstd")]
    Zstd {
        /// 1 to 22; MySQL takes 3.
        level: u8,
    },
}

/// The codecs of a connection, and what was inflated but not yet taken.
pub(crate) struct Compressed {
    /// Reads and writes the packets that are in the frames.
    pub(crate) inner: Framer,
    /// What was inflated: the `rx` of `inner`.
    plain: BytesMut,
    frame: Option<Current>,
    /// What is wrong with what comes next, unless it is an ERR packet.
    suspect: Option<WireError>,
    /// What is wrong behind what was inflated.
    failed: Option<WireError>,
    pub(crate) store_only: bool,
    /// Bytes that frames held, in all.
    total: u64,
    compression: Compression,
    inflater: Option<Box<dyn Inflate>>,
    deflater: Option<Box<dyn Deflate>>,
}

/// The compressed frame that is being read.
#[derive(Clone, Copy, Debug)]
struct Current {
    /// How much of its body is still in `rx`, or to be received.
    left: usize,
    /// What it says to inflate to; 0 when it is stored.
    announced: usize,
    inflated: usize,
    /// Its codec has begun.
    begun: bool,
}

impl fmt::Debug for Compressed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Compressed")
            .field("compression", &self.compression)
            .field("inflated", &self.plain.len())
            .field("frame", &self.frame)
            .finish_non_exhaustive()
    }
}

impl Compressed {
    pub(crate) fn new(compression: Compression, inner: Framer) -> Self {
        Self {
            inner,
            plain: BytesMut::new(),
            frame: None,
            suspect: None,
            failed: None,
            store_only: false,
            total: 0,
            compression,
            inflater: None,
            deflater: None,
        }
    }

    pub(crate) fn is_drained(&self) -> bool {
        self.plain.is_empty() && !self.inner.is_reading()
    }

    pub(crate) fn park(&mut self) {
        self.deflater = None;
        if self.frame.is_none() {
            self.inflater = None;
        }
        if self.plain.is_empty() {
            self.plain = BytesMut::new();
        }
    }

    pub(crate) fn payload(&self) -> &[u8] {
        self.inner.payload(&self.plain)
    }

    pub(crate) fn consume(&mut self) {
        self.inner.consume(&mut self.plain);
        if self.plain.is_empty() && self.plain.capacity() > KEEP {
            self.plain = BytesMut::new();
        }
    }

    /// Whether all of a frame was inflated but its end, where a checksum may be.
    fn is_unverified(&self) -> bool {
        self.frame.is_some_and(|frame| frame.announced > 0 && frame.inflated == frame.announced)
    }

    /// Inflates until `plain` holds `need` bytes, and some more if they are there. Otherwise gives how many bytes
    /// `rx` must hold before another look can help.
    fn fill(
        &mut self,
        rx: &mut BytesMut,
        need: usize,
        sequence: &mut u8,
    ) -> Result<Option<usize>, WireError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let before = self.plain.len();
        let pumped = self.pump(rx, need, sequence);
        self.total += (self.plain.len() - before) as u64;
        if let Err(error) = pumped {
            // What the frames before it held is still good.
            let bad = self.frame.map_or(0, |frame| frame.inflated);
            self.plain.truncate(self.plain.len().saturating_sub(bad));
            self.failed = Some(error);
            self.frame = None;
        }
        match (self.plain.len() >= need, self.failed) {
            (true, _) => Ok(None),
            (false, Some(error)) => Err(error),
            (false, None) => Ok(Some(self.needed(rx))),
        }
    }

    fn pump(&mut self, rx: &mut BytesMut, need: usize, sequence: &mut u8) -> Result<(), WireError> {
        let target = need.max(AHEAD);
        loop {
            let Some(mut frame) = self.frame else {
                if self.plain.len() >= target || !self.begin_frame(rx, need, sequence)? {
                    return Ok(());
                }
                continue;
            };
            let room = target.saturating_sub(self.plain.len());
            let (left, inflated) = (frame.left, frame.inflated);
            let over = if frame.announced == 0 {
                self.stored(&mut frame, rx, room);
                Ok(frame.left == 0)
            } else {
                self.inflate(&mut frame, rx, room)
            };
            self.frame = Some(frame);
            let over = over?;
            if over {
                self.frame = None;
            } else if (left, inflated) == (frame.left, frame.inflated) {
                return Ok(());
            }
        }
    }

    /// How many bytes `rx` must hold to go on.
    fn needed(&self, rx: &BytesMut) -> usize {
        match (&self.frame, &self.inflater) {
            (None, _) => FRAME_HEADER_LEN,
            (Some(frame), Some(inflater)) if frame.announced > 0 && !frame.begun => {
                frame.left.min(inflater.head())
            }
            _ => rx.len() + 1,
        }
    }

    /// Takes the header of a frame off `rx`. False when there is none, or one that is not for what is read now.
    fn begin_frame(&mut self, rx: &mut BytesMut, need: usize, sequence: &mut u8) -> Result<bool, WireError> {
        let Some(&[a, b, c, id, d, e, f]) = rx.first_chunk() else { return Ok(false) };
        if id != *sequence {
            if self.plain.len() >= need {
                // Read ahead; it may well be the first frame of the next command's reply.
                return Ok(false);
            }
            if !self.plain.is_empty() || self.inner.is_reading() || self.suspect.is_some() {
                return Err(WireError::OutOfOrder { expected: *sequence, got: id });
            }
            self.suspect = Some(WireError::OutOfOrder { expected: *sequence, got: id });
        }
        *sequence = id.wrapping_add(1);
        rx.advance(FRAME_HEADER_LEN);
        let length = |bytes: [u8; 3]| u32::from_le_bytes([bytes[0], bytes[1], bytes[2], 0]) as usize;
        let (left, announced) = (length([a, b, c]), length([d, e, f]));
        if announced > 0 {
            let inflater = self.inflater.get_or_insert_with(|| inflater(self.compression));
            inflater.reset();
        }
        self.frame =
            (left > 0 || announced > 0).then_some(Current { left, announced, inflated: 0, begun: false });
        Ok(true)
    }

    fn stored(&mut self, frame: &mut Current, rx: &mut BytesMut, room: usize) {
        let len = frame.left.min(rx.len()).min(room);
        if len > 0 {
            make_room(&mut self.plain, room);
            self.plain.extend_from_slice(&rx.split_to(len));
            frame.left -= len;
        }
    }

    /// One step; whether the frame is over.
    fn inflate(&mut self, frame: &mut Current, rx: &mut BytesMut, room: usize) -> Result<bool, WireError> {
        let Some(inflater) = &mut self.inflater else { return Ok(true) };
        let input = rx.get(..frame.left.min(rx.len())).unwrap_or_default();
        if !frame.begun {
            let head = inflater.head().min(frame.left);
            let Some(head) = input.get(..head) else { return Ok(false) };
            inflater.check(head, self.inner.max_packet.max(AHEAD))?;
            frame.begun = true;
        }
        let missing = frame.announced - frame.inflated;
        let mut beyond = [0];
        let at = self.plain.len();
        let step = if missing == 0 {
            // All is there; what follows can only be the end.
            inflater.step(input, &mut beyond)?
        } else if room == 0 {
            return Ok(false);
        } else {
            // For all that is wanted, not just for what this frame brings: packets go over frames.
            make_room(&mut self.plain, room);
            self.plain.resize(at + room.min(missing), 0);
            let step = inflater.step(input, self.plain.get_mut(at..).unwrap_or_default());
            self.plain.truncate(at + step.map_or(0, |step| step.written));
            step?
        };
        rx.advance(step.read);
        frame.left -= step.read;
        frame.inflated += step.written;
        let size = WireError::InflatedSize { announced: frame.announced, got: frame.inflated };
        if frame.inflated > frame.announced {
            return Err(size);
        }
        if step.ended {
            return match (frame.inflated == frame.announced, frame.left) {
                (false, _) => Err(size),
                (true, 0) => Ok(true),
                (true, left) => Err(WireError::TrailingBytes { left }),
            };
        }
        // The body is read, there was room, and still the stream does not end.
        if frame.left == 0 && step.read == 0 && step.written == 0 {
            return Err(if missing > 0 { size } else { inflater.invalid() });
        }
        Ok(false)
    }

    /// The next packet is the first of a reply. What is left of earlier frames is none of it, as each command has frames
    /// of its own; the ids of packets do not tell, because they are not checked.
    pub(crate) fn begin_reply(&mut self) {
        let left = self.plain.len() + self.frame.map_or(0, |frame| frame.left);
        if left > 0 {
            self.suspect = Some(WireError::Surplus { left });
        }
    }

    /// What came unasked may be an ERR packet and nothing else. Whether it was one.
    fn judge(&mut self) -> Result<bool, WireError> {
        let Some(error) = self.suspect else { return Ok(false) };
        match self.inner.peek(&mut self.plain)? {
            None => Ok(false),
            Some(Peek { first: Some(ERR_HEADER), len }) if len < MAX_FRAME_PAYLOAD => {
                self.suspect = None;
                Ok(true)
            }
            Some(_) => Err(error),
        }
    }

    /// Frames what `tx` holds from `start` on, behind room for a frame's header.
    fn frame(&mut self, tx: &mut BytesMut, start: usize, sequence: &mut u8) {
        let body = start + FRAME_HEADER_LEN;
        let len = tx.len() - body;
        if len > MAX_FRAME_PAYLOAD {
            let mut plain = tx.split_off(body);
            tx.truncate(start);
            while !plain.is_empty() {
                let piece = plain.split_to(plain.len().min(MAX_FRAME_PAYLOAD));
                let start = tx.len();
                tx.put_bytes(0, FRAME_HEADER_LEN);
                tx.extend_from_slice(&piece);
                self.frame(tx, start, sequence);
            }
            return;
        }
        let deflated =
            if len < MIN_COMPRESS_LENGTH || self.store_only { None } else { self.deflate(tx, body) };
        let [a, b, c, ..] = deflated.unwrap_or(len).to_le_bytes();
        let [d, e, f, ..] = deflated.map_or(0, |_| len).to_le_bytes();
        if let Some(header) = tx.get_mut(start..).and_then(|frame| frame.first_chunk_mut()) {
            *header = [a, b, c, *sequence, d, e, f];
        }
        *sequence = sequence.wrapping_add(1);
    }

    /// Deflates what `tx` holds from `body` on, if that makes it smaller.
    fn deflate(&mut self, tx: &mut BytesMut, body: usize) -> Option<usize> {
        let len = tx.len() - body;
        let deflater = self.deflater.get_or_insert_with(|| deflater(self.compression));
        tx.resize(body + 2 * len - 1, 0);
        let (input, output) = tx.get_mut(body..).and_then(|both| both.split_at_mut_checked(len))?;
        let deflated = deflater.deflate(input, output);
        if let Some(deflated) = deflated {
            tx.copy_within(body + len..body + len + deflated, body);
        }
        if len > KEEP {
            self.deflater = None;
        }
        tx.truncate(body + deflated.unwrap_or(len));
        deflated
    }
}

/// Makes room for so many bytes and no more: a buffer that doubles holds up to three times as much.
fn make_room(plain: &mut BytesMut, more: usize) {
    if plain.capacity() - plain.len() >= more || plain.try_reclaim(more) {
        if plain.is_empty() && more <= AHEAD && plain.capacity() > KEEP {
            // What a large packet needed is not kept for small ones.
            *plain = BytesMut::new();
            plain.reserve(more);
        }
        return;
    }
    let kept = Bytes::copy_from_slice(&std::mem::take(plain));
    *plain = BytesMut::with_capacity(kept.len() + more);
    plain.extend_from_slice(&kept);
}

impl Framer {
    /// From now on all travels in compressed frames. MySQL begins right after the OK that ends the login.
    ///
    /// The state of the codecs is made when it is first needed. For zlib it has some 50 KiB to inflate and 400 KiB to
    /// deflate. For zstd it has some 250 KiB to inflate, and as much as the window of a frame, which may not be larger than
    /// a packet; and what its level takes to deflate. A frame that announces more than a packet may have is
    /// inflated a little at a time, and never makes more memory than that.
    #[cfg_attr(
        not(any(feature = "zlib", feature = "zstd")),
        expect(unreachable_code, reason = "without algorithms there is no value to call it with")
    )]
    pub fn compress(&mut self, compression: Compression) {
        let mut inner = Self::new(Limits::default());
        inner.max_packet = self.max_packet;
        // Servers give the ids of the compressed frames to the packets in them, so they jump.
        inner.unnumbered = true;
        self.reading = Reading::Compressed;
        self.compressed = Some(Box::new(Compressed::new(compression, inner)));
    }

    /// Whether [`compress`](Self::compress) was called.
    #[must_use]
    pub const fn is_compressed(&self) -> bool {
        self.compressed.is_some()
    }

    /// Whether what is written is never deflated, only framed. For packets made of secrets, no trace of which should
    /// stay in a codec's window. Without compression it means nothing.
    pub fn store_only(&mut self, on: bool) {
        if let Some(compressed) = &mut self.compressed {
            compressed.store_only = on;
        }
    }

    /// Whether nothing of `rx`, which is empty, is left to be polled: compressed frames can hold more packets than
    /// were looked for.
    #[inline]
    #[must_use]
    pub fn is_drained(&self) -> bool {
        self.compressed.as_ref().is_none_or(|compressed| compressed.is_drained())
    }

    /// How many bytes compressed frames held in all, which is the work that they made. 0 without compression.
    #[must_use]
    pub fn inflated(&self) -> u64 {
        self.compressed.as_ref().map_or(0, |compressed| compressed.total)
    }

    /// Gives back what memory is kept for speed. To be called when no reply is owed, before a long rest.
    pub fn park(&mut self) {
        if let Some(compressed) = &mut self.compressed {
            compressed.park();
        }
    }

    /// The next packet to be read is the first one of a reply. In compressed frames only this tells it from what is left of
    /// the reply before; otherwise the ids do.
    #[inline]
    pub fn begin_reply(&mut self) {
        if let Some(compressed) = &mut self.compressed {
            compressed.begin_reply();
        }
    }
}

/// What a framer does when compression is on. Each of these is the counterpart of one without `compressed`.
impl Framer {
    /// Lets `look` look at what was inflated, and inflates more as long as it has not seen enough: then it says how
    /// many bytes it must see, the last of which it does not yet.
    fn looking<R>(
        &mut self,
        rx: &mut BytesMut,
        mut look: impl FnMut(&mut Self, &mut BytesMut) -> Result<Result<R, usize>, WireError>,
    ) -> Result<Result<R, usize>, WireError> {
        let Some(compressed) = &mut self.compressed else { return Ok(Err(rx.len() + 1)) };
        if compressed.is_unverified() {
            // Nobody goes on with what a checksum may yet belie.
            compressed.fill(rx, 0, &mut self.sequence)?;
            if compressed.is_unverified() {
                return Ok(Err(rx.len() + 1));
            }
        }
        loop {
            self.out_of_step |= compressed.judge()?;
            let need = if compressed.suspect.is_some() {
                compressed.plain.len() + 1
            } else {
                match look(&mut compressed.inner, &mut compressed.plain)? {
                    Ok(seen) => return Ok(Ok(seen)),
                    Err(need) => need,
                }
            };
            if let Some(at_least) = compressed.fill(rx, need, &mut self.sequence)? {
                // What there is may not be enough for the packet, but for a judgement.
                self.out_of_step |= compressed.judge()?;
                return Ok(Err(at_least));
            }
            if compressed.is_unverified() {
                return Ok(Err(rx.len() + 1));
            }
        }
    }

    pub(crate) fn poll_compressed(&mut self, rx: &mut BytesMut) -> Result<Frame, WireError> {
        let seen = self.looking(rx, |inner, plain| match inner.poll(plain)? {
            Frame::Ready => Ok(Ok(())),
            // In the middle of parts there is nothing to look for.
            Frame::Need(_) if inner.is_in_parts() => Ok(Ok(())),
            Frame::Need(need) => Ok(Err(need)),
        })?;
        Ok(match seen {
            Ok(()) if self.compressed.as_ref().is_some_and(|compressed| compressed.inner.is_in_parts()) => {
                Frame::Need(rx.len() + 1)
            }
            Ok(()) => Frame::Ready,
            Err(at_least) => Frame::Need(at_least),
        })
    }

    pub(crate) fn peek_compressed(&mut self, rx: &mut BytesMut) -> Result<Option<Peek>, WireError> {
        let seen = self.looking(rx, |inner, plain| {
            let peek = inner.peek(plain)?;
            Ok(if inner.is_in_parts() { Ok(None) } else { peek.map(Some).ok_or(plain.len() + 1) })
        })?;
        Ok(seen.ok().flatten())
    }

    pub(crate) fn take_part_compressed(&mut self, rx: &mut BytesMut) -> Result<Option<Part>, WireError> {
        let seen = self.looking(rx, |inner, plain| Ok(inner.take_part(plain)?.ok_or(plain.len() + 1)))?;
        Ok(seen.ok())
    }

    pub(crate) fn take_run_compressed(
        &mut self,
        belongs: impl FnMut(&[u8]) -> bool,
    ) -> Result<Option<Run>, WireError> {
        match &mut self.compressed {
            Some(compressed) => compressed.inner.take_run(&mut compressed.plain, belongs),
            None => Ok(None),
        }
    }

    #[cold]
    pub(crate) fn write_compressed<E>(
        &mut self,
        tx: &mut BytesMut,
        body: impl FnOnce(&mut BytesMut) -> Result<(), E>,
    ) -> Result<usize, E> {
        let Some(compressed) = &mut self.compressed else { return Ok(0) };
        let start = tx.len();
        tx.put_bytes(0, FRAME_HEADER_LEN);
        compressed.inner.sequence = self.sequence;
        match compressed.inner.try_write(tx, body) {
            Ok(len) => {
                compressed.frame(tx, start, &mut self.sequence);
                Ok(len)
            }
            Err(error) => {
                tx.truncate(start);
                Err(error)
            }
        }
    }
}

#[cfg(all(test, feature = "zlib", feature = "zstd"))]
mod tests;
