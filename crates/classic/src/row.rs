use std::fmt;
use std::iter::FusedIterator;

use bytes::Bytes;
use porpoise_value::{CellError, PlanError};
use porpoise_wire::{HEADER_LEN, Run, WireError};

use crate::Columns;
use crate::cells::Cells;

/// How the values of a row are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Encoding {
    /// As text: replies to COM_QUERY.
    Text,
    /// In the form of each type: replies to COM_STMT_EXECUTE and COM_STMT_FETCH.
    Binary,
}

/// Rows that were received together: one refcounted piece of the receive buffer, headers included.
///
/// Rows are borrowed from it and cost nothing but the walk over their cells, where every length is held against
/// its packet. As long as the batch or a [share](RowRef::share) of it lives, so does its piece of the buffer:
/// [detach](RowRef::detach) rows that are kept for long.
#[derive(Clone, PartialEq, Eq)]
pub struct RowBatch {
    bytes: Bytes,
    /// The bytes are one payload, not frames with headers.
    joined: bool,
    len: usize,
    columns: Columns,
    encoding: Encoding,
}

impl RowBatch {
    pub(crate) fn new(run: Run, len: usize, columns: Columns, encoding: Encoding) -> Self {
        let joined = run.is_joined();
        Self { bytes: run.into_bytes(), joined, len, columns, encoding }
    }

    /// How many rows there are; never 0.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "a batch is never empty")]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// The columns of each row.
    #[must_use]
    pub const fn columns(&self) -> &Columns {
        &self.columns
    }

    /// How the values are written.
    #[must_use]
    pub const fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// The rows.
    #[must_use]
    pub fn iter(&self) -> Rows<'_> {
        Rows { left: &self.bytes, rows_left: self.len, batch: self }
    }
}

impl fmt::Debug for RowBatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self).finish()
    }
}

impl<'a> IntoIterator for &'a RowBatch {
    type Item = RowRef<'a>;
    type IntoIter = Rows<'a>;

    fn into_iter(self) -> Rows<'a> {
        self.iter()
    }
}

/// The rows of a batch, one after another.
#[derive(Clone, Debug)]
pub struct Rows<'a> {
    left: &'a [u8],
    rows_left: usize,
    batch: &'a RowBatch,
}

impl<'a> Iterator for Rows<'a> {
    type Item = RowRef<'a>;

    #[inline]
    fn next(&mut self) -> Option<RowRef<'a>> {
        self.rows_left = self.rows_left.checked_sub(1)?;
        let batch = self.batch;
        let payload = if batch.joined {
            self.left
        } else {
            // The framer took these frames by the same headers.
            let (header, left) = self.left.split_first_chunk::<HEADER_LEN>()?;
            let len = u32::from_le_bytes(*header) & 0xff_ffff;
            let (payload, left) = left.split_at_checked(len as usize)?;
            self.left = left;
            payload
        };
        Some(RowRef { payload, whole: &batch.bytes, columns: &batch.columns, encoding: batch.encoding })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.rows_left, Some(self.rows_left))
    }
}

impl ExactSizeIterator for Rows<'_> {}
impl FusedIterator for Rows<'_> {}

/// A row, borrowed from its batch.
#[derive(Clone, Copy)]
pub struct RowRef<'a> {
    payload: &'a [u8],
    whole: &'a Bytes,
    columns: &'a Columns,
    encoding: Encoding,
}

impl<'a> RowRef<'a> {
    /// How many cells the row has.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.columns.len()
    }

    /// Whether it has none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.columns.is_empty()
    }

    /// The columns.
    #[must_use]
    pub const fn columns(&self) -> &'a Columns {
        self.columns
    }

    /// How the values are written.
    #[must_use]
    pub const fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// The packet's payload.
    #[must_use]
    pub const fn payload(&self) -> &'a [u8] {
        self.payload
    }

    /// The cells in order; `None` is NULL. See [`Cells`] for what the bytes are.
    #[inline]
    #[must_use]
    pub fn iter(&self) -> Cells<'a> {
        Cells::new(self.payload, self.columns, self.encoding)
    }

    /// One cell; `None` is NULL. Walks over those before it: [`iter`](Self::iter) reads a whole row faster.
    ///
    /// # Errors
    /// [`RowError`] when there is no such column, or the packet does not hold what it says.
    #[inline]
    pub fn get(&self, index: usize) -> Result<Option<&'a [u8]>, RowError> {
        let cell = if index < self.len() { self.iter().nth(index) } else { None };
        cell.unwrap_or_else(|| Err(RowError::no_such_column(index, self.len())))
    }

    /// An owned row that shares its batch's bytes and keeps all of them alive.
    #[must_use]
    pub fn share(&self) -> Row {
        Row {
            payload: self.whole.slice_ref(self.payload),
            columns: self.columns.clone(),
            encoding: self.encoding,
        }
    }

    /// An owned row of its own bytes.
    #[must_use]
    pub fn detach(&self) -> Row {
        let payload = Bytes::copy_from_slice(self.payload);
        Row { payload, columns: self.columns.clone(), encoding: self.encoding }
    }
}

impl<'a> IntoIterator for RowRef<'a> {
    type Item = Result<Option<&'a [u8]>, RowError>;
    type IntoIter = Cells<'a>;

    fn into_iter(self) -> Cells<'a> {
        self.iter()
    }
}

impl fmt::Debug for RowRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Values may be anything, secrets included.
        f.debug_struct("RowRef").field("cells", &self.len()).field("bytes", &self.payload.len()).finish()
    }
}

/// A row that owns its bytes, or shares those of its batch.
#[derive(Clone, PartialEq, Eq)]
pub struct Row {
    payload: Bytes,
    columns: Columns,
    encoding: Encoding,
}

impl Row {
    /// The row, borrowed.
    #[must_use]
    pub fn borrow(&self) -> RowRef<'_> {
        RowRef {
            payload: &self.payload,
            whole: &self.payload,
            columns: &self.columns,
            encoding: self.encoding,
        }
    }

    /// One cell; see [`RowRef::get`].
    ///
    /// # Errors
    /// As there.
    pub fn get(&self, index: usize) -> Result<Option<&[u8]>, RowError> {
        self.borrow().get(index)
    }

    /// The cells in order; see [`RowRef::iter`].
    #[must_use]
    pub fn iter(&self) -> Cells<'_> {
        self.borrow().iter()
    }
}

impl<'a> IntoIterator for &'a Row {
    type Item = Result<Option<&'a [u8]>, RowError>;
    type IntoIter = Cells<'a>;

    fn into_iter(self) -> Cells<'a> {
        self.iter()
    }
}

impl fmt::Debug for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.borrow().fmt(f)
    }
}

/// Why a cell cannot be read.
///
/// No larger than two words: it is a part of what every cell is read into.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RowError {
    /// There are fewer columns.
    #[non_exhaustive]
    NoSuchColumn {
        /// The column asked for, from 0.
        index: u32,
        /// How many there are.
        columns: u32,
    },
    /// Binary rows cannot be taken apart without column definitions, and the server sent none.
    NoDefinitions,
    /// The packet does not hold what it says. The server is at fault.
    Malformed(Box<WireError>),
    /// A cell does not fit the type that it was asked for as.
    Cell(CellError),
    /// The columns are not those that the type needs, or that its plan was made for.
    Plan(Box<PlanError>),
}

impl From<CellError> for RowError {
    fn from(error: CellError) -> Self {
        Self::Cell(error)
    }
}

impl From<PlanError> for RowError {
    #[cold]
    fn from(error: PlanError) -> Self {
        Self::Plan(Box::new(error))
    }
}

impl RowError {
    #[cold]
    pub(crate) fn no_such_column(index: usize, columns: usize) -> Self {
        let small = |n| u32::try_from(n).unwrap_or(u32::MAX);
        Self::NoSuchColumn { index: small(index), columns: small(columns) }
    }
}

impl From<WireError> for RowError {
    #[cold]
    #[inline(never)]
    fn from(error: WireError) -> Self {
        Self::Malformed(Box::new(error))
    }
}

impl fmt::Display for RowError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSuchColumn { index, columns } => write!(f, "no column {index}: the row has {columns}"),
            Self::NoDefinitions => {
                f.write_str("a binary row needs column definitions, and the server sent none")
            }
            Self::Malformed(error) => write!(f, "malformed row: {error}"),
            Self::Cell(error) => error.fmt(f),
            Self::Plan(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for RowError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Malformed(error) => Some(error),
            Self::Cell(error) => error.source(),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two rows of two cells: "1", "one" and "2", NULL.
    fn batch() -> RowBatch {
        let frames = b"\x06\x00\x00\x05\x011\x03one\x03\x00\x00\x06\x012\xfb";
        RowBatch::new(Run::Frames(Bytes::from_static(frames)), 2, Columns::undefined(2), Encoding::Text)
    }

    #[test]
    fn rows_of_a_batch() {
        let batch = batch();
        let mut rows = batch.iter();
        assert_eq!((batch.len(), rows.len()), (2, 2));
        let (one, two) = (rows.next().unwrap(), rows.next().unwrap());
        assert!(rows.next().is_none());
        assert_eq!((one.get(0), one.get(1)), (Ok(Some(&b"1"[..])), Ok(Some(&b"one"[..]))));
        assert_eq!((two.get(0), two.get(1)), (Ok(Some(&b"2"[..])), Ok(None)));
        assert_eq!(two.get(2), Err(RowError::NoSuchColumn { index: 2, columns: 2 }));
        let trailing = RowRef { payload: b"\x011\xfb\x00", ..two };
        assert_eq!(trailing.get(2), Err(RowError::NoSuchColumn { index: 2, columns: 2 }));
        assert_eq!((one.payload(), two.len()), (&b"\x011\x03one"[..], 2));
    }

    #[test]
    fn a_packet_of_several_frames_is_one_row_without_a_header() {
        let joined = Run::Joined(Bytes::from_static(b"\x011\x03one"));
        let batch = RowBatch::new(joined, 1, Columns::undefined(2), Encoding::Text);
        let rows: Vec<_> = batch.iter().map(|row| row.get(1)).collect();
        assert_eq!(rows, [Ok(Some(&b"one"[..]))]);
    }

    #[test]
    fn owned_rows_outlive_their_batch() {
        let batch = batch();
        let row = batch.iter().next().unwrap();
        let (shared, detached) = (row.share(), row.detach());
        let place = row.payload().as_ptr();
        assert_eq!(shared.borrow().payload().as_ptr(), place, "shared bytes are not copied");
        assert_ne!(detached.borrow().payload().as_ptr(), place);
        drop(batch);
        assert_eq!(shared, detached);
        assert_eq!(shared.get(1), Ok(Some(&b"one"[..])));
        assert_eq!(shared.iter().count(), 2);
        // A row that is owned can be shared again.
        assert_eq!(shared.borrow().share(), shared);
    }

    #[test]
    fn debug_shows_no_values() {
        assert_eq!(
            format!("{:?}", batch()),
            "[RowRef { cells: 2, bytes: 6 }, RowRef { cells: 2, bytes: 3 }]"
        );
    }
}
