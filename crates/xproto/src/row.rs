use std::fmt;
use std::iter::FusedIterator;

use bytes::Bytes;
use porpoise_wire::{WireError, XFRAME_HEADER_LEN};

use crate::Columns;
use crate::field::{Fields, Wire, varint};

/// Rows that were received together: one refcounted piece of the receive buffer, headers included.
///
/// Rows are borrowed from it and cost nothing but the walk over their fields, where every length is held against its
/// frame. As long as the batch lives, so does its piece of the buffer.
#[derive(Clone, PartialEq, Eq)]
pub struct RowBatch {
    bytes: Bytes,
    len: usize,
    columns: Columns,
}

impl RowBatch {
    pub(crate) const fn new(bytes: Bytes, len: usize, columns: Columns) -> Self {
        Self { bytes, len, columns }
    }

    /// How many rows there are; never 0.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "a batch is never empty")]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// The columns of each row. None if the rows were fetched from a cursor and nobody said what was opened.
    #[must_use]
    pub const fn columns(&self) -> &Columns {
        &self.columns
    }

    /// The rows.
    #[must_use]
    pub fn iter(&self) -> Rows<'_> {
        Rows { left: &self.bytes, rows_left: self.len, columns: &self.columns }
    }
}

impl<'a> IntoIterator for &'a RowBatch {
    type Item = RowRef<'a>;
    type IntoIter = Rows<'a>;

    fn into_iter(self) -> Rows<'a> {
        self.iter()
    }
}

impl fmt::Debug for RowBatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self).finish()
    }
}

/// The rows of a batch, one after another.
#[derive(Clone, Debug)]
pub struct Rows<'a> {
    left: &'a [u8],
    rows_left: usize,
    columns: &'a Columns,
}

impl<'a> Iterator for Rows<'a> {
    type Item = RowRef<'a>;

    #[inline]
    fn next(&mut self) -> Option<RowRef<'a>> {
        self.rows_left = self.rows_left.checked_sub(1)?;
        // The frames were taken by the same headers: the length counts the type byte, not itself.
        let end = XFRAME_HEADER_LEN - 1 + u32::from_le_bytes(*self.left.first_chunk()?) as usize;
        let payload = self.left.get(XFRAME_HEADER_LEN..end)?;
        self.left = self.left.get(end..)?;
        Some(RowRef { payload, columns: self.columns })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.rows_left, Some(self.rows_left))
    }
}

impl ExactSizeIterator for Rows<'_> {}
impl FusedIterator for Rows<'_> {}

/// A row, borrowed from its batch: `Mysqlx.Resultset.Row`.
#[derive(Clone, Copy)]
pub struct RowRef<'a> {
    payload: &'a [u8],
    columns: &'a Columns,
}

impl<'a> RowRef<'a> {
    /// A row of a message's payload.
    #[must_use]
    pub const fn new(payload: &'a [u8], columns: &'a Columns) -> Self {
        Self { payload, columns }
    }

    /// The columns.
    #[must_use]
    pub const fn columns(&self) -> &'a Columns {
        self.columns
    }

    /// The message's payload.
    #[must_use]
    pub const fn payload(&self) -> &'a [u8] {
        self.payload
    }

    /// The fields in order; `None` is NULL. What the bytes are is for the column's
    /// [`FieldType`](crate::FieldType) to say.
    #[inline]
    #[must_use]
    pub const fn iter(&self) -> Cells<'a> {
        Cells { left: self.payload }
    }
}

impl<'a> IntoIterator for RowRef<'a> {
    type Item = Result<Option<&'a [u8]>, WireError>;
    type IntoIter = Cells<'a>;

    fn into_iter(self) -> Cells<'a> {
        self.iter()
    }
}

impl fmt::Debug for RowRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Values may be anything, secrets included.
        f.debug_struct("RowRef").field("bytes", &self.payload.len()).finish_non_exhaustive()
    }
}

/// The fields of a row; `None` is NULL, for every type. Nothing follows an error.
#[derive(Clone, Debug)]
pub struct Cells<'a> {
    left: &'a [u8],
}

/// Field 1, length-delimited.
const FIELD: u8 = 0x0a;

impl<'a> Cells<'a> {
    /// How many bytes are left.
    pub(crate) const fn left(&self) -> usize {
        self.left.len()
    }

    /// The next field, if it has the usual tag and a length of one byte. Empty is NULL.
    #[inline(always)]
    pub(crate) fn quick(&mut self) -> Option<&'a [u8]> {
        let [FIELD, len @ 0..0x80, rest @ ..] = self.left else { return None };
        let (field, rest) = rest.split_at_checked(usize::from(*len))?;
        self.left = rest;
        Some(field)
    }

    #[inline]
    fn take(&mut self) -> Result<Option<&'a [u8]>, WireError> {
        let Some((_, rest)) = self.left.split_first() else { return Ok(None) };
        let (len, rest) = varint(rest)?;
        let short = || WireError::Truncated { field: "Row.field", needed: len, left: rest.len() };
        let len = usize::try_from(len).map_err(|_| short())?;
        let (field, rest) = rest.split_at_checked(len).ok_or_else(short)?;
        self.left = rest;
        Ok((!field.is_empty()).then_some(field))
    }

    /// What does not begin with the usual tag: a field of a later version, which gives nothing, or the same tag in another
    /// form.
    #[cold]
    fn unusual(&mut self) -> Option<Result<Option<&'a [u8]>, WireError>> {
        let mut fields = Fields::new(self.left);
        let cell = match fields.next()? {
            Ok((1, Wire::Bytes(field))) => Some(Ok((!field.is_empty()).then_some(field))),
            Ok((1, _)) => Some(Err(WireError::BadValue { field: "wire type", value: 1 })),
            Ok(_) => None,
            Err(error) => Some(Err(error)),
        };
        self.left = fields.left();
        cell
    }
}

impl<'a> Iterator for Cells<'a> {
    type Item = Result<Option<&'a [u8]>, WireError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let cell = match self.left.first()? {
                &FIELD => Some(self.take()),
                _ => self.unusual(),
            };
            if let Some(cell) = cell {
                if cell.is_err() {
                    self.left = &[];
                }
                return Some(cell);
            }
        }
    }
}

impl FusedIterator for Cells<'_> {}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;
    use porpoise_wire::XFramer;
    use proptest::prelude::{any, prop, prop_assert_eq, proptest};
    use prost::Message as _;

    use super::*;
    use crate::messages::resultset;

    fn cells(payload: &[u8]) -> Vec<Result<Option<Vec<u8>>, WireError>> {
        let row = RowRef { payload, columns: &Columns::default() };
        row.iter().map(|cell| cell.map(|cell| cell.map(<[u8]>::to_vec))).collect()
    }

    #[test]
    fn an_empty_field_is_null() {
        // field 02 | field "" | field "x\0"
        let got = cells(b"\x0a\x01\x02\x0a\x00\x0a\x02x\0");
        assert_eq!(got, [Ok(Some(vec![2])), Ok(None), Ok(Some(b"x\0".to_vec()))]);
    }

    #[test]
    fn fields_of_later_versions_are_skipped() {
        // field 2: varint 7 | field 1 | field 3: "ab"
        assert_eq!(cells(b"\x10\x07\x0a\x01\x02\x1a\x02ab"), [Ok(Some(vec![2]))]);
        assert!(cells(b"\x08\x01").pop().unwrap().is_err(), "field 1 is no number");
        // An over-long tag is still field 1.
        assert_eq!(cells(b"\x8a\x00\x01\x02\x0a\x00"), [Ok(Some(vec![2])), Ok(None)]);
    }

    #[test]
    fn a_length_beyond_the_frame_is_an_error_and_the_last() {
        for payload in [&b"\x0a\x05ab"[..], b"\x0a", b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"] {
            let got = cells(payload);
            assert_eq!(got.len(), 1, "{payload:x?}");
            assert!(got[0].is_err());
        }
    }

    proptest! {
        #[test]
        fn reads_as_prost_does(rows in prop::collection::vec(prop::collection::vec(any::<Vec<u8>>(), 0..6), 1..6)) {
            let mut wire = BytesMut::new();
            for field in &rows {
                let row = resultset::Row { field: field.iter().cloned().map(Bytes::from).collect() };
                XFramer::write(&mut wire, 13, |tx| row.encode_raw(tx)).unwrap();
            }
            let batch = RowBatch::new(wire.freeze(), rows.len(), Columns::default());
            prop_assert_eq!(batch.iter().len(), rows.len());
            for (row, want) in batch.iter().zip(&rows) {
                let got: Vec<_> = row.iter().map(|cell| cell.unwrap().unwrap_or_default().to_vec()).collect();
                prop_assert_eq!(&got, want);
            }
        }

        #[test]
        fn takes_what_prost_takes(payload in any::<Vec<u8>>()) {
            if let Ok(row) = resultset::Row::decode(&payload[..]) {
                let columns = Columns::default();
                let got: Result<Vec<_>, _> = RowRef::new(&payload, &columns).iter().collect();
                // prost knows groups, which are an error here.
                if let Ok(got) = got {
                    let got: Vec<_> = got.into_iter().map(|cell| cell.unwrap_or_default().to_vec()).collect();
                    let want: Vec<_> = row.field.iter().map(|field| field.to_vec()).collect();
                    prop_assert_eq!(got, want);
                }
            }
        }
    }
}
