//! What a connection does about compression.

use porpoise_trace::{Payload, TraceSink, XEvent, XMessage};
use porpoise_wire::Cx;

use crate::compress::{Compression, each};
use crate::owed::Asked;
use crate::{ClientKind, Connection, LifeCycle};

/// A write of fewer bytes is not worth compressing.
const THRESHOLD: usize = 1000;

/// What compression needs to know.
#[derive(Debug)]
pub(crate) struct Packing {
    /// What the server said Ok to. It starts with the session.
    pub(crate) agreed: Option<Asked>,
    /// On for good.
    pub(crate) on: Option<Box<Compression>>,
    /// A write of at least this many bytes is compressed.
    threshold: usize,
    /// Where in `tx` the frames begin that are still to be packed.
    start: Option<usize>,
}

impl Default for Packing {
    fn default() -> Self {
        Self { agreed: None, on: None, threshold: THRESHOLD, start: None }
    }
}

impl Connection {
    /// Writes whose frames add up to at least this many bytes are compressed, if compression is agreed on: all that was
    /// sent since the last [`advance`](porpoise_wire::Machine::advance), in one message. 1000 at first.
    pub const fn set_compression_threshold(&mut self, bytes: usize) {
        self.packing.threshold = bytes;
    }

    /// Whether compression is on.
    #[must_use]
    pub const fn is_compressed(&self) -> bool {
        self.packing.on.is_some()
    }

    /// How many bytes compressed messages have become so far.
    #[must_use]
    pub fn inflated(&self) -> u64 {
        self.packing.on.as_ref().map_or(0, |compression| compression.inflated)
    }

    /// Has what was sent since the last [`advance`](porpoise_wire::Machine::advance) compressed now, if it is to be: before
    /// it leaves without one.
    pub fn pack_written<T: TraceSink>(&mut self, cx: &mut Cx<'_, T>) {
        self.pack(cx);
    }

    /// A frame was appended at `start`.
    #[inline]
    pub(crate) fn packed_later<T: TraceSink>(&mut self, start: usize, cx: &mut Cx<'_, T>) {
        if self.packing.on.is_some() {
            // Told when it is known how it travels.
            self.packing.start.get_or_insert(start);
        } else if cx.on() {
            tell_sent(self.state, cx.tx.get(start..).unwrap_or_default(), false, cx.trace);
        }
    }

    /// Compresses what was sent since the last call, if it is much.
    #[inline]
    pub(crate) fn pack<T: TraceSink>(&mut self, cx: &mut Cx<'_, T>) {
        if let Some(start) = self.packing.start.take() {
            self.pack_from(start, cx);
        }
    }

    fn pack_from<T: TraceSink>(&mut self, start: usize, cx: &mut Cx<'_, T>) {
        // What has left already, left as it was.
        let Some(compression) = self.packing.on.as_mut().filter(|_| start <= cx.tx.len()) else { return };
        let frames = cx.tx.split_off(start);
        // The server holds what is inflated against the limit that a message has.
        let worth_it = frames.len() >= self.packing.threshold && frames.len() <= self.framer.max_frame();
        let head = if worth_it { compression.deflate(&frames, cx.tx).ok() } else { None };
        if cx.on() {
            if let Some(head) = &head {
                let kind = ClientKind::COMPRESSION;
                let message =
                    XMessage::new(kind.number(), kind.name().unwrap_or_default(), Payload::open(head));
                cx.trace.x_event(self.state.id(), &XEvent::MessageSent(message));
            }
            tell_sent(self.state, &frames, head.is_some(), cx.trace);
        }
        if head.is_none() {
            cx.tx.unsplit(frames);
        }
    }
}

/// Tells frames that are on their way.
fn tell_sent<T: TraceSink>(state: LifeCycle, frames: &[u8], inner: bool, trace: &mut T) {
    for (kind, payload) in each(frames) {
        let name = ClientKind::new(kind).name().unwrap_or_default();
        let message = XMessage::new(kind, name, Payload::open(payload)).inner(inner);
        trace.x_event(state.id(), &XEvent::MessageSent(message));
    }
}

#[cfg(all(test, any(feature = "deflate", feature = "lz4", feature = "zstd")))]
mod tests {
    use bytes::BytesMut;
    use porpoise_trace::NoTrace;
    use porpoise_wire::{Limits, Machine as _, Step, XFramer};

    use super::*;
    use crate::{Algorithm, Event, ServerKind};

    /// A server's Compression of one frame each.
    #[expect(clippy::unwrap_used, reason = "a helper of tests")]
    fn one_by_one(compression: &mut Compression, frames: &[(u8, &[u8])]) -> BytesMut {
        let mut wire = BytesMut::new();
        for (kind, payload) in frames {
            let (mut frame, mut packed) = (BytesMut::new(), BytesMut::new());
            XFramer::write(&mut frame, *kind, |tx| tx.extend_from_slice(payload)).unwrap();
            compression.deflate(&frame, &mut packed).unwrap();
            // What a client sends, with the server's type.
            if let Some(kind) = packed.get_mut(4) {
                *kind = ServerKind::COMPRESSION.number();
            }
            wire.unsplit(packed);
        }
        wire
    }

    #[test]
    fn a_result_may_be_in_many_compressed_messages() {
        for algorithm in Algorithm::ALL.into_iter().filter(|known| known.is_built()) {
            let new = || Compression::new(algorithm, None, 1 << 16).unwrap();
            let mut connection = Connection::new(Limits::default());
            // SINT "a", SINT "b" | a row | FetchDone
            let frames: [(u8, &[u8]); 4] = [
                (12, b"\x08\x01\x12\x01a"),
                (12, b"\x08\x01\x12\x01b"),
                (13, b"\x0a\x01\x02\x0a\x01\x04"),
                (14, b""),
            ];
            let (mut rx, mut tx, mut trace) = (BytesMut::new(), BytesMut::new(), NoTrace);
            let mut cx = Cx::new(&mut rx, &mut tx, &mut trace);
            connection.connected(&mut cx);
            connection.packing.on = Some(Box::new(new()));
            connection.send_unchecked(&crate::messages::sql::StmtExecute::default(), &mut cx).unwrap();
            cx.rx.unsplit(one_by_one(&mut new(), &frames));
            let mut told = Vec::new();
            while let Step::Event(event) = connection.advance(&mut cx).unwrap() {
                told.push(match event {
                    Event::Columns(columns) => format!("{} columns", columns.len()),
                    Event::Rows(rows) => format!("{} rows", rows.len()),
                    other => format!("{other:?}"),
                });
            }
            assert_eq!(told, ["2 columns", "1 rows", "Fetched(Done)"], "{algorithm}");
        }
    }
}
