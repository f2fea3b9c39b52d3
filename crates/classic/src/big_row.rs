//! Rows that are given in parts, for values larger than memory.

use std::fmt;

use bytes::{Buf, Bytes};
use porpoise_trace::{Payload, TraceEvent, TraceSink};
use porpoise_wire::{Cx, HEADER_LEN, Peek, Step, WireError};

use crate::packets::{EofPacket, ErrPacket, is_short_end};
use crate::reply::{AGAIN, Read};
use crate::row::{Encoding, RowError};
use crate::session::Session;
use crate::state::State;
use crate::{CapabilityFlags, Columns, Event, width};

/// A piece of a row, in order: see [`Session::stream_rows`]. A [`RowReader`] finds the cells in it.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RowPart {
    /// The bytes, a piece of the receive buffer.
    pub bytes: Bytes,
    /// The row begins here.
    pub first: bool,
    /// The row ends here.
    pub last: bool,
}

impl fmt::Debug for RowPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RowPart")
            .field("bytes", &self.bytes.len())
            .field("first", &self.first)
            .field("last", &self.last)
            .finish()
    }
}

impl Session {
    /// From now on a row of more than `over` bytes, and any row of several frames, comes as [`Event::RowPart`]s, each of
    /// what was received together: nothing of it is held here, and [`Limits::max_packet`](porpoise_wire::Limits) is not
    /// applied to it. `None`, as at first: all rows come whole, in batches.
    pub const fn stream_rows(&mut self, over: Option<usize>) {
        self.stream_over = over;
    }

    /// Rows, when large ones come in parts.
    pub(crate) fn rows_or_parts<T: TraceSink>(
        &mut self,
        encoding: Encoding,
        over: usize,
        cx: &mut Cx<'_, T>,
    ) -> Read {
        self.tell_read(cx);
        let Some(peek) = self.framer.peek(cx.rx).map_err(|error| self.unread(error))? else {
            return Ok(Step::NeedRead { at_least: (cx.rx.len() + 1).max(HEADER_LEN + 1) });
        };
        let Some(first) = peek.first.filter(|_| is_long_row(peek, over, encoding, self.capabilities)) else {
            return self.rows(encoding, over, cx);
        };
        self.state = State::RowParts { encoding, first, size: 0 };
        Ok(AGAIN)
    }

    /// What is there of a large row.
    pub(crate) fn row_part<T: TraceSink>(
        &mut self,
        encoding: Encoding,
        first: u8,
        size: usize,
        cx: &mut Cx<'_, T>,
    ) -> Read {
        let Some(part) = self.framer.take_part(cx.rx).map_err(|error| self.unread(error))? else {
            return Ok(Step::NeedRead { at_least: cx.rx.len() + 1 });
        };
        let size = size.saturating_add(part.bytes.len());
        if part.last {
            let head = [first];
            self.emit(cx, || TraceEvent::PacketReceived { pkt: Payload::streamed(&head, size) });
            self.read_told = false;
            self.state = State::Rows(encoding);
        } else {
            self.state = State::RowParts { encoding, first, size };
        }
        let part = RowPart { bytes: part.bytes, first: part.first, last: part.last };
        Ok(Step::Event(Event::RowPart(part)))
    }
}

/// Whether the packet is a row of more than `over` bytes. What other packets are like is known from their first byte.
fn is_long_row(peek: Peek, over: usize, encoding: Encoding, capabilities: CapabilityFlags) -> bool {
    let Peek { len, first, .. } = peek;
    let several = len >= porpoise_wire::MAX_FRAME_PAYLOAD;
    let row = match (encoding, first) {
        (Encoding::Binary, first) => first == Some(0x00),
        // An OK packet is never of several frames.
        (Encoding::Text, Some(EofPacket::HEADER)) => several || !is_short_end(len, capabilities),
        (Encoding::Text, first) => first.is_some_and(|first| first != ErrPacket::HEADER),
    };
    row && (several || len > over)
}

/// Finds the cells of a row that comes in parts, without holding more than a part.
///
/// ```
/// # use bytes::Bytes;
/// # use porpoise_classic::{Columns, Encoding, RowPiece, RowReader};
/// let mut reader = RowReader::new(Columns::undefined(2), Encoding::Text);
/// let mut found = Vec::new();
/// for (part, last) in [("\u{3}a", false), ("bc\u{2}x", false), ("y", true)] {
///     reader.push(Bytes::from_static(part.as_bytes()), last);
///     while let Some(piece) = reader.next_piece()? {
///         match piece {
///             RowPiece::Cell { index, len, .. } => found.push(format!("cell {index} of {len} bytes")),
///             RowPiece::Bytes(bytes) => found.push(String::from_utf8_lossy(&bytes).into_owned()),
///             piece => found.push(format!("{piece:?}")), // NULL, or the end
///         }
///     }
/// }
/// assert_eq!(found, ["cell 0 of 3 bytes", "a", "bc", "cell 1 of 2 bytes", "x", "y", "End"]);
/// # Ok::<(), porpoise_classic::RowError>(())
/// ```
#[derive(Debug)]
pub struct RowReader {
    columns: Columns,
    encoding: Encoding,
    /// What was pushed and not read.
    part: Bytes,
    last: bool,
    /// The beginning of a length, or of a binary row's head, that goes on in the next part.
    held: Vec<u8>,
    nulls: Vec<u8>,
    index: usize,
    at: At,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    /// The head of a binary row: 0x00 and the bitmap of NULLs.
    Head,
    /// The beginning of the cell at `index`, or the end.
    Cell,
    /// In a cell that has so many bytes left.
    Bytes(u64),
    /// Behind the row, or an error.
    Over,
}

/// What a [`RowReader`] finds.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RowPiece {
    /// A cell that is NULL.
    #[non_exhaustive]
    Null {
        /// Its column.
        index: usize,
    },
    /// A cell begins; so many bytes of it follow.
    #[non_exhaustive]
    Cell {
        /// Its column.
        index: usize,
        /// Its length in bytes, without what MySQL writes before it.
        len: u64,
    },
    /// Bytes of the cell, never none.
    Bytes(Bytes),
    /// The row is over.
    End,
}

impl fmt::Debug for RowPiece {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null { index } => write!(f, "Null({index})"),
            Self::Cell { index, len } => write!(f, "Cell({index}, {len} bytes)"),
            // Values may be anything, secrets included.
            Self::Bytes(bytes) => write!(f, "Bytes({})", bytes.len()),
            Self::End => f.write_str("End"),
        }
    }
}

impl RowReader {
    /// For a row of these columns.
    #[must_use]
    pub const fn new(columns: Columns, encoding: Encoding) -> Self {
        let at = match encoding {
            Encoding::Text => At::Cell,
            Encoding::Binary => At::Head,
        };
        Self {
            columns,
            encoding,
            part: Bytes::new(),
            last: false,
            held: Vec::new(),
            nulls: Vec::new(),
            index: 0,
            at,
        }
    }

    /// Hands over the next part; all pieces of the one before must have been read.
    pub fn push(&mut self, part: Bytes, last: bool) {
        self.part = part;
        self.last = last;
    }

    /// The next piece; `None` when the next part is needed, and after [`RowPiece::End`].
    ///
    /// # Errors
    /// [`RowError`] when the row does not hold what it says. Nothing follows an error.
    pub fn next_piece(&mut self) -> Result<Option<RowPiece>, RowError> {
        let piece = self.find();
        if matches!(piece, Err(_) | Ok(Some(RowPiece::End))) {
            self.at = At::Over;
        }
        piece
    }

    fn find(&mut self) -> Result<Option<RowPiece>, RowError> {
        if self.at == At::Head {
            if !self.columns.is_defined() {
                return Err(RowError::NoDefinitions);
            }
            let len = 1 + (self.columns.len() + 7 + 2) / 8;
            if !self.hold(len, "null_bitmap")? {
                return Ok(None);
            }
            self.nulls = std::mem::take(&mut self.held);
            self.at = At::Cell;
        }
        match self.at {
            At::Bytes(left) => self.bytes(left),
            At::Cell if self.index < self.columns.len() => self.cell(),
            At::Cell if !self.part.is_empty() => {
                Err(WireError::TrailingBytes { left: self.part.len() }.into())
            }
            At::Cell if self.last => Ok(Some(RowPiece::End)),
            At::Head | At::Cell | At::Over => Ok(None),
        }
    }

    fn cell(&mut self) -> Result<Option<RowPiece>, RowError> {
        let index = self.index;
        let len = match self.encoding {
            Encoding::Text => self.lenenc()?,
            Encoding::Binary => self.binary_len()?,
        };
        let Some(len) = len else { return Ok(None) };
        self.held.clear();
        self.index += 1;
        let Some(len) = len else { return Ok(Some(RowPiece::Null { index })) };
        if len > 0 {
            self.at = At::Bytes(len);
        }
        Ok(Some(RowPiece::Cell { index, len }))
    }

    /// The length of a cell; `Some(None)` is NULL.
    fn binary_len(&mut self) -> Result<Option<Option<u64>>, RowError> {
        // The first byte is the head's, and two columns before the first have bits.
        let bit = self.index + 2;
        if self.nulls.get(1 + bit / 8).is_none_or(|byte| byte & (1 << (bit % 8)) != 0) {
            return Ok(Some(None));
        }
        let format = self.columns.format(self.index).ok_or(RowError::NoDefinitions)?;
        match width::of(format.column_type) {
            width::Width::None => Ok(Some(None)),
            width::Width::Fixed(len) => Ok(Some(Some(len.into()))),
            width::Width::Short => {
                let held = self.hold(1, "binary value")?;
                Ok(held.then(|| self.held.first().copied().map(u64::from)))
            }
            width::Width::Lenenc => self.lenenc(),
        }
    }

    /// `int<lenenc>`; `Some(None)` is NULL.
    fn lenenc(&mut self) -> Result<Option<Option<u64>>, RowError> {
        const FIELD: &str = "cell";
        if !self.hold(1, FIELD)? {
            return Ok(None);
        }
        let first = self.held.first().copied().unwrap_or_default();
        let more = match first {
            0xfc => 2,
            0xfd => 3,
            0xfe => 8,
            _ => 0,
        };
        if !self.hold(1 + more, FIELD)? {
            return Ok(None);
        }
        match first {
            0xfb if self.encoding == Encoding::Text => Ok(Some(None)),
            0xfb | 0xff => Err(WireError::BadLengthEncoding { field: FIELD, first }.into()),
            0xfc..=0xfe => {
                let digits = self.held.iter().skip(1).rev();
                Ok(Some(Some(digits.fold(0, |value, byte| value << 8 | u64::from(*byte)))))
            }
            len => Ok(Some(Some(len.into()))),
        }
    }

    /// Whether so many bytes are held together.
    fn hold(&mut self, len: usize, field: &'static str) -> Result<bool, RowError> {
        let missing = len.saturating_sub(self.held.len());
        let taken = self.part.split_to(missing.min(self.part.len()));
        self.held.extend_from_slice(&taken);
        if taken.len() < missing && self.last {
            let (needed, left) = (len as u64, self.held.len());
            return Err(WireError::Truncated { field, needed, left }.into());
        }
        Ok(taken.len() == missing)
    }

    fn bytes(&mut self, left: u64) -> Result<Option<RowPiece>, RowError> {
        if self.part.is_empty() {
            let error = WireError::Truncated { field: "cell", needed: left, left: 0 };
            return if self.last { Err(error.into()) } else { Ok(None) };
        }
        let here = usize::try_from(left).unwrap_or(usize::MAX).min(self.part.remaining());
        let bytes = self.part.split_to(here);
        let left = left - here as u64;
        self.at = if left == 0 { At::Cell } else { At::Bytes(left) };
        Ok(Some(RowPiece::Bytes(bytes)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop, prop_assert_eq, proptest};

    use super::*;
    use crate::cells::Cells;
    use crate::columns::Collector;

    fn columns(types: &[u8]) -> Columns {
        let mut collector = Collector::default();
        for column_type in types {
            // def and five empty names | 12 | collation | length | type | flags | decimals | reserved
            let head = b"\x03def\x00\x00\x00\x00\x00\x0c\x3f\x00\x0b\x00\x00\x00";
            collector.keep(&[&head[..], &[*column_type, 0, 0, 0, 0, 0]].concat());
        }
        collector.finish(&mut Columns::default()).unwrap()
    }

    /// The cells of a row that is cut like this, and whether it ends well.
    fn read(
        columns: &Columns,
        encoding: Encoding,
        row: &[u8],
        cuts: &[usize],
    ) -> (Vec<Option<Vec<u8>>>, bool) {
        let mut reader = RowReader::new(columns.clone(), encoding);
        let (mut cells, mut missing, mut at) = (Vec::new(), 0, 0);
        let mut cuts = cuts.iter().copied().chain(std::iter::repeat(usize::MAX));
        loop {
            let end = row.len().min(at + cuts.next().unwrap_or(usize::MAX).min(row.len()));
            reader.push(Bytes::copy_from_slice(&row[at..end]), end == row.len());
            at = end;
            loop {
                match reader.next_piece() {
                    Ok(Some(RowPiece::Null { index })) => {
                        assert_eq!((index, missing), (cells.len(), 0));
                        cells.push(None);
                    }
                    Ok(Some(RowPiece::Cell { index, len })) => {
                        assert_eq!((index, missing), (cells.len(), 0));
                        cells.push(Some(Vec::new()));
                        missing = len;
                    }
                    Ok(Some(RowPiece::Bytes(bytes))) => {
                        missing -= bytes.len() as u64;
                        cells.last_mut().unwrap().as_mut().unwrap().extend_from_slice(&bytes);
                    }
                    Ok(Some(RowPiece::End)) => {
                        assert_eq!((at, missing), (row.len(), 0));
                        assert_eq!(reader.next_piece(), Ok(None));
                        return (cells, true);
                    }
                    Ok(None) => break,
                    Err(_) => {
                        assert_eq!(reader.next_piece(), Ok(None), "nothing follows an error");
                        if missing > 0 {
                            cells.pop();
                        }
                        return (cells, false);
                    }
                }
            }
            assert!(at < row.len(), "the last part leads to an end or an error");
        }
    }

    #[test]
    fn what_is_wrong_with_a_row() {
        let error = |columns: Columns, encoding, row: &'static [u8]| {
            let mut reader = RowReader::new(columns, encoding);
            reader.push(Bytes::from_static(row), true);
            loop {
                match reader.next_piece() {
                    Ok(piece) => assert!(piece.is_some_and(|piece| piece != RowPiece::End)),
                    Err(error) => return error,
                }
            }
        };
        let text = |row| error(Columns::undefined(2), Encoding::Text, row);
        let truncated = |field, needed, left| RowError::from(WireError::Truncated { field, needed, left });
        assert_eq!(text(b"\x01a"), truncated("cell", 1, 0));
        assert_eq!(text(b"\x01a\x05bc"), truncated("cell", 3, 0));
        assert_eq!(text(b"\x01a\xfd\x01"), truncated("cell", 4, 2));
        assert_eq!(text(b"\x01a\xfb\x00"), WireError::TrailingBytes { left: 1 }.into());
        assert_eq!(text(b"\xff"), WireError::BadLengthEncoding { field: "cell", first: 0xff }.into());
        let binary = |row| error(columns(&[253]), Encoding::Binary, row);
        assert_eq!(binary(b"\x00"), truncated("null_bitmap", 2, 1));
        assert_eq!(
            binary(b"\x00\x00\xfb"),
            WireError::BadLengthEncoding { field: "cell", first: 0xfb }.into()
        );
        assert_eq!(error(Columns::undefined(1), Encoding::Binary, b"\x00\x00"), RowError::NoDefinitions);
    }

    #[test]
    fn debug_shows_no_values() {
        let part = RowPart { bytes: Bytes::from_static(b"\x06secret"), first: true, last: false };
        let piece = RowPiece::Bytes(Bytes::from_static(b"secret"));
        assert_eq!(format!("{part:?}"), "RowPart { bytes: 7, first: true, last: false }");
        assert_eq!(format!("{piece:?}"), "Bytes(6)");
    }

    proptest! {
        #[test]
        fn any_row_cut_anyhow_has_the_cells_that_it_has_whole(
            types in prop::collection::vec(prop::sample::select(vec![1u8, 2, 3, 6, 8, 11, 12, 252, 253]), 1..20),
            bytes in prop::collection::vec(any::<u8>(), 1..60),
            zeros in 0usize..6,
            cuts in prop::collection::vec(0usize..9, 0..40),
            binary in any::<bool>(),
        ) {
            let columns = columns(&types);
            let encoding = if binary { Encoding::Binary } else { Encoding::Text };
            let row = [vec![0; zeros], bytes].concat();
            let whole: Vec<_> = Cells::new(&row, &columns, encoding).collect();
            let ends = whole.iter().all(Result::is_ok);
            let cells: Vec<_> = whole.into_iter().flatten().map(|cell| cell.map(<[u8]>::to_vec)).collect();
            // A row whose head is wrong is no row for the machine, which is why only the reader of whole rows looks.
            if !binary || row[0] == 0 {
                prop_assert_eq!(read(&columns, encoding, &row, &cuts), (cells, ends));
            }
        }
    }
}
