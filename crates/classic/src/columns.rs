use std::fmt;
use std::sync::Arc;

use porpoise_value::{ColumnSource, Kind, PlanError};
use porpoise_wire::{HEADER_LEN, MAX_FRAME_PAYLOAD, WireError};

use crate::decode::quick::Shape;
use crate::width::{self, Width};
use crate::{ColumnDefinition41, ColumnFormat};

/// Up to this many bytes of definitions are allowed whatever the limit is, and are kept from one result to the next.
const SMALL: usize = 16 << 10;

/// The columns of a result set, or the parameters of a statement. A clone shares them.
///
/// A session keeps the definitions of its last result set: when the same ones come again, as for a statement that
/// runs in a loop, nothing is parsed and nothing allocated.
#[derive(Clone, Default)]
pub struct Columns {
    count: usize,
    /// Absent when the server sent no definitions.
    set: Option<Arc<Set>>,
}

#[derive(Default)]
struct Set {
    /// The frames as they came: the column count, then the definitions. Those of a statement or of a field list have no
    /// count before them.
    raw: Vec<u8>,
    /// Length of the column count's frame.
    head: usize,
    entries: Vec<Entry>,
}

#[derive(Debug)]
pub(crate) struct Entry {
    start: usize,
    end: usize,
    pub(crate) format: ColumnFormat,
    /// That of the format, found once.
    pub(crate) kind: Kind,
    pub(crate) shape: Shape,
    /// What a value is in a binary row.
    pub(crate) width: Width,
}

impl Entry {
    fn new(start: usize, end: usize, format: ColumnFormat) -> Self {
        let kind = format.kind();
        Self { start, end, format, kind, shape: kind.into(), width: width::of(format.column_type) }
    }
}

impl Columns {
    /// Columns of which only the number is known, under CLIENT_OPTIONAL_RESULTSET_METADATA.
    #[must_use]
    pub const fn undefined(count: usize) -> Self {
        Self { count, set: None }
    }

    /// How many columns there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.count
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Whether the server sent definitions.
    #[must_use]
    pub const fn is_defined(&self) -> bool {
        self.set.is_some() || self.count == 0
    }

    /// A column's definition. Looks for its strings anew; [`format`](Self::format) is a mere look-up.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<ColumnDefinition41<'_>> {
        let set = self.set.as_deref()?;
        set.definition(set.entries.get(index)?)
    }

    /// What a column's values are.
    #[inline]
    #[must_use]
    pub fn format(&self, index: usize) -> Option<ColumnFormat> {
        Some(self.set.as_deref()?.entries.get(index)?.format)
    }

    /// What a column's values are, as [`ColumnFormat::kind`] says.
    #[inline]
    #[must_use]
    pub fn kind(&self, index: usize) -> Option<Kind> {
        Some(self.set.as_deref()?.entries.get(index)?.kind)
    }

    /// The column count and the definitions as they came with a result set, and how many frames they are.
    #[inline]
    pub(crate) fn frames(&self) -> Option<(&[u8], usize)> {
        let set = self.set.as_deref().filter(|set| set.head > 0)?;
        Some((&set.raw, self.count + 1))
    }

    /// The definition that begins so many bytes behind the first one: its header, and what comes behind that.
    fn behind(&self, at: usize) -> Option<([u8; HEADER_LEN], &[u8])> {
        let set = self.set.as_deref()?;
        let (header, rest) = set.raw.get(set.head + at..)?.split_first_chunk()?;
        Some((*header, rest))
    }

    /// One for each column; none if the server sent no definitions.
    #[inline]
    pub(crate) fn entries(&self) -> &[Entry] {
        self.set.as_deref().map_or(&[], |set| &set.entries)
    }

    /// The position of the only column of a name. As in MySQL, ASCII letters are the same in both cases.
    ///
    /// # Errors
    /// [`PlanError::Missing`], [`PlanError::Ambiguous`], or [`PlanError::Nameless`] without definitions.
    pub fn position(&self, name: &str) -> Result<usize, PlanError> {
        if !self.is_defined() {
            return Err(PlanError::Nameless);
        }
        let same = |column: &ColumnDefinition41<'_>| column.name().eq_ignore_ascii_case(name.as_bytes());
        let mut found = self.iter().enumerate().filter(|(_, column)| same(column)).map(|(index, _)| index);
        let index = found.next().ok_or_else(|| PlanError::missing(name, "the row"))?;
        if found.next().is_some() { Err(PlanError::ambiguous(name, "the row")) } else { Ok(index) }
    }

    /// The definitions in order; none if the server sent none.
    pub fn iter(&self) -> impl Iterator<Item = ColumnDefinition41<'_>> {
        let set = self.set.as_deref();
        set.into_iter().flat_map(|set| set.entries.iter().filter_map(|entry| set.definition(entry)))
    }
}

impl ColumnSource for Columns {
    fn len(&self) -> usize {
        self.count
    }

    fn name(&self, index: usize) -> Option<&[u8]> {
        self.get(index).map(|column| column.name())
    }

    fn kind(&self, index: usize) -> Option<Kind> {
        self.kind(index)
    }
}

impl Set {
    fn payload(&self, entry: &Entry) -> Option<&[u8]> {
        self.raw.get(entry.start..entry.end)
    }

    fn definition(&self, entry: &Entry) -> Option<ColumnDefinition41<'_>> {
        // It was parsed before, so the error cannot come.
        ColumnDefinition41::parse(self.payload(entry)?).ok()
    }

    /// Parses all of [`raw`](Self::raw).
    fn index(&mut self, count: usize) -> Result<(), WireError> {
        self.entries.clear();
        self.entries.reserve_exact(count);
        let mut start = self.head;
        while let Some((header, left)) =
            self.raw.get(start..).and_then(|left| left.split_first_chunk::<HEADER_LEN>())
        {
            let len = payload_len(*header);
            let format = ColumnDefinition41::parse(left.get(..len).unwrap_or_default())?.format();
            start += HEADER_LEN;
            self.entries.push(Entry::new(start, start + len, format));
            start += len;
        }
        Ok(())
    }
}

fn payload_len([a, b, c, _]: [u8; HEADER_LEN]) -> usize {
    u32::from_le_bytes([a, b, c, 0]) as usize
}

/// The same definitions, whatever they came with.
impl PartialEq for Set {
    fn eq(&self, other: &Self) -> bool {
        let payloads = self.entries.iter().map(|entry| self.payload(entry));
        payloads.eq(other.entries.iter().map(|entry| other.payload(entry)))
    }
}

impl PartialEq for Columns {
    fn eq(&self, other: &Self) -> bool {
        self.count == other.count && self.set == other.set
    }
}

impl Eq for Columns {}

impl fmt::Debug for Columns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.is_defined() {
            return write!(f, "{} columns without definitions", self.count);
        }
        let columns = self
            .iter()
            .map(|column| (String::from_utf8_lossy(column.name()).into_owned(), column.format().column_type));
        f.debug_map().entries(columns).finish()
    }
}

/// Column definitions on their way.
#[derive(Debug, Default)]
pub(crate) struct Collector {
    /// The column count's frame, if there is one, and the definitions that are not the last ones again.
    raw: Vec<u8>,
    head: usize,
    count: usize,
    /// In place of [`raw`](Self::raw): so many bytes of the last definitions are what came.
    same: usize,
}

impl Collector {
    /// How many are there.
    pub(crate) const fn len(&self) -> usize {
        self.count
    }

    /// Whether nothing came.
    pub(crate) const fn is_empty(&self) -> bool {
        self.count == 0 && self.head == 0
    }

    /// Forgets what came.
    pub(crate) fn clear(&mut self) {
        self.raw.clear();
        (self.head, self.count, self.same) = (0, 0, 0);
    }

    /// Starts anew. What a large result left behind is freed before another one comes.
    pub(crate) fn begin(&mut self, last: &mut Columns) {
        self.clear();
        if self.raw.capacity() > SMALL {
            self.raw = Vec::new();
        }
        if last.set.as_deref().is_some_and(|set| set.raw.capacity() > SMALL) {
            *last = Columns::default();
        }
    }

    /// Adds the column count, before any definition.
    pub(crate) fn push_head(&mut self, header: [u8; HEADER_LEN], payload: &[u8]) {
        self.raw.extend_from_slice(&header);
        self.raw.extend_from_slice(payload);
        self.head = self.raw.len();
    }

    /// Adds a definition that may be the next of the last ones, as it is when a statement runs again: then nothing is
    /// copied. Until [`finish`](Self::finish), `last` must stay the same.
    #[inline]
    pub(crate) fn push_again(
        &mut self,
        header: [u8; HEADER_LEN],
        payload: &[u8],
        max_packet: usize,
        last: &Columns,
    ) -> Result<(), WireError> {
        if self.raw.len() > self.head {
            return self.push(header, payload, max_packet);
        }
        if let Some((known, rest)) = last.behind(self.same)
            && payload_len(known) == payload.len()
            && rest.starts_with(payload)
        {
            self.same += HEADER_LEN + payload.len();
            self.count += 1;
            return Ok(());
        }
        self.part(last);
        self.push(header, payload, max_packet)
    }

    /// From here on it differs from the last definitions.
    fn part(&mut self, last: &Columns) {
        let same = std::mem::take(&mut self.same);
        let known = last.set.as_deref().and_then(|set| set.raw.get(set.head..set.head + same));
        self.raw.extend_from_slice(known.unwrap_or_default());
    }

    /// Adds a definition. All of them together, with what is made of them, must be smaller than one packet may be: so they
    /// get a quarter. Nor are they larger than one frame.
    pub(crate) fn push(
        &mut self,
        header: [u8; HEADER_LEN],
        payload: &[u8],
        max_packet: usize,
    ) -> Result<(), WireError> {
        let size = self.raw.len() - self.head + HEADER_LEN + payload.len();
        let limit = (max_packet / 4).clamp(SMALL, MAX_FRAME_PAYLOAD);
        if size > limit {
            return Err(WireError::PacketTooLarge { size, limit });
        }
        self.raw.extend_from_slice(&header);
        self.raw.extend_from_slice(payload);
        self.count += 1;
        Ok(())
    }

    /// Makes columns of all that came, or gives the last ones again if they are the same. What nobody holds any
    /// more is used again.
    pub(crate) fn finish(&mut self, last: &mut Columns) -> Result<Columns, WireError> {
        let (count, head) = (self.count, self.head);
        if self.same > 0 {
            if last.count == count {
                self.clear();
                return Ok(last.clone());
            }
            self.part(last);
        }
        let unshared = |mut set: Arc<Set>| Arc::get_mut(&mut set).is_some().then_some(set);
        let mut shared = std::mem::take(last).set.and_then(unshared).unwrap_or_default();
        if let Some(set) = Arc::get_mut(&mut shared) {
            std::mem::swap(&mut set.raw, &mut self.raw);
            self.clear();
            set.head = head;
            set.index(count)?;
        }
        *last = Columns { count, set: Some(shared) };
        Ok(last.clone())
    }
}

#[cfg(test)]
impl Collector {
    /// Adds a definition, whatever its sequence id is.
    pub(crate) fn keep(&mut self, payload: &[u8]) {
        self.push(tests::header(payload), payload, 1 << 20).unwrap();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ColumnType;

    const MAX: usize = 1 << 20;

    /// def, "", "", "", name, "" | 12 | collation 63 | length 11 | type | flags | decimals | reserved
    fn definition(name: u8, column_type: u8) -> Vec<u8> {
        let head = [3, b'd', b'e', b'f', 0, 0, 0, 1, name, 0];
        [&head[..], &[12, 63, 0, 11, 0, 0, 0, column_type, 0, 0, 0, 0, 0]].concat()
    }

    pub(super) fn header(payload: &[u8]) -> [u8; HEADER_LEN] {
        u32::try_from(payload.len()).unwrap().to_le_bytes()
    }

    fn push(collector: &mut Collector, payload: &[u8], max_packet: usize) -> Result<(), WireError> {
        collector.push(header(payload), payload, max_packet)
    }

    fn push_again(collector: &mut Collector, payload: &[u8], last: &Columns) {
        collector.push_again(header(payload), payload, MAX, last).unwrap();
    }

    fn collect(collector: &mut Collector, definitions: &[Vec<u8>]) {
        definitions.iter().for_each(|definition| collector.keep(definition));
    }

    #[test]
    fn definitions_are_found_by_index() {
        let mut collector = Collector::default();
        collect(&mut collector, &[definition(b'a', 3), definition(b'b', 253)]);
        assert_eq!(collector.len(), 2);
        let columns = collector.finish(&mut Columns::default()).unwrap();
        assert_eq!(collector.len(), 0);
        assert_eq!((columns.len(), columns.is_empty(), columns.is_defined()), (2, false, true));
        assert_eq!(columns.iter().map(|column| column.name()).collect::<Vec<_>>(), [b"a", b"b"]);
        assert_eq!(columns.get(1).unwrap().name(), b"b");
        assert_eq!(columns.format(1).unwrap().column_type, ColumnType::VarString);
        assert_eq!((columns.get(2), columns.format(2)), (None, None));
        assert_eq!(format!("{columns:?}"), r#"{"a": Long, "b": VarString}"#);
    }

    #[test]
    fn the_same_definitions_again_are_shared() {
        let (mut collector, mut last) = (Collector::default(), Columns::default());
        let shared = |one: &Columns, two: &Columns| match (&one.set, &two.set) {
            (Some(one), Some(two)) => Arc::ptr_eq(one, two),
            _ => false,
        };
        collect(&mut collector, &[definition(b'a', 3)]);
        let first = collector.finish(&mut last).unwrap();
        push_again(&mut collector, &definition(b'a', 3), &last);
        let second = collector.finish(&mut last).unwrap();
        assert!(shared(&first, &second));
        // Others take no part of those that are still held.
        collect(&mut collector, &[definition(b'b', 3)]);
        let third = collector.finish(&mut last).unwrap();
        assert!(!shared(&first, &third) && first != third);
        assert_eq!(first.get(0).unwrap().name(), b"a");
        // Nobody holds them: the memory is used again.
        let place = third.set.as_ref().map(Arc::as_ptr);
        drop(third);
        collect(&mut collector, &[definition(b'c', 3), definition(b'd', 3)]);
        let fourth = collector.finish(&mut last).unwrap();
        assert_eq!(fourth.set.as_ref().map(Arc::as_ptr), place);
        assert_eq!(fourth.iter().map(|column| column.name()).collect::<Vec<_>>(), [b"c", b"d"]);
    }

    #[test]
    fn definitions_that_begin_like_the_last_ones() {
        let (a, b, c) = (definition(b'a', 3), definition(b'b', 3), definition(b'c', 3));
        let (mut collector, mut last) = (Collector::default(), Columns::default());
        let mut run = |definitions: &[&Vec<u8>]| {
            collector.begin(&mut last);
            definitions.iter().for_each(|one| push_again(&mut collector, one, &last));
            let columns = collector.finish(&mut last).unwrap();
            let names: Vec<_> = columns.iter().map(|column| column.name()[0]).collect();
            assert_eq!((names.len(), columns.len()), (definitions.len(), definitions.len()));
            (names, columns.set.as_ref().map(Arc::as_ptr), columns)
        };
        let (names, place, first) = run(&[&a, &b]);
        assert_eq!(names, *b"ab");
        let (names, again, second) = run(&[&a, &b]);
        assert_eq!((names, again), (b"ab".to_vec(), place), "nothing is made anew");
        // Fewer, more, others from the second on, from the first on.
        assert_eq!(run(&[&a]).0, *b"a");
        assert_eq!(run(&[&a, &b, &c]).0, *b"abc");
        assert_eq!(run(&[&a, &c, &c]).0, *b"acc");
        assert_eq!(run(&[&b, &c, &c]).0, *b"bcc");
        assert_eq!((first.iter().count(), second), (2, first));
        // What was given up leaves nothing.
        push_again(&mut collector, &a, &last);
        push_again(&mut collector, &c, &last);
        collector.clear();
        push_again(&mut collector, &b, &last);
        assert_eq!(collector.finish(&mut last).unwrap().get(0).unwrap().name(), b"b");
    }

    #[test]
    fn equal_bytes_with_other_bounds_are_other_definitions() {
        let (mut one, mut two) = (Collector::default(), Collector::default());
        push(&mut one, &[0; 8], MAX).unwrap();
        push(&mut two, &[0; 2], MAX).unwrap();
        push(&mut two, &[0; 2], MAX).unwrap();
        assert_eq!(one.raw.len(), two.raw.len());
        assert_ne!(one.raw, two.raw);
    }

    #[test]
    fn nothing_is_left_of_what_was_cleared_or_malformed() {
        let (mut collector, mut last) = (Collector::default(), Columns::default());
        collect(&mut collector, &[definition(b'a', 3)]);
        collector.clear();
        assert_eq!(collector.finish(&mut last).unwrap().len(), 0);
        push(&mut collector, &[3], MAX).unwrap();
        assert!(collector.finish(&mut last).is_err());
        assert_eq!(last, Columns::default());
    }

    #[test]
    fn all_definitions_together_get_a_quarter_of_a_packet() {
        let mut collector = Collector::default();
        push(&mut collector, &[0; SMALL - HEADER_LEN], 100).unwrap();
        let error = WireError::PacketTooLarge { size: SMALL + HEADER_LEN, limit: SMALL };
        assert_eq!(push(&mut collector, &[], 100), Err(error));
        push(&mut collector, &[0; SMALL - HEADER_LEN], 8 * SMALL).unwrap();
        let error = WireError::PacketTooLarge { size: 2 * SMALL + HEADER_LEN + 1, limit: 2 * SMALL };
        assert_eq!(push(&mut collector, &[0], 8 * SMALL), Err(error));
    }

    #[test]
    fn a_large_result_leaves_nothing_behind() {
        let (mut collector, mut last) = (Collector::default(), Columns::default());
        let many = vec![definition(b'a', 3); 2000];
        collect(&mut collector, &many);
        let large = collector.finish(&mut last).unwrap();
        collector.begin(&mut last);
        assert_eq!((last.len(), collector.raw.capacity()), (0, 0));
        assert_eq!(large.iter().count(), 2000);
        // A small one is kept, to be told again.
        collect(&mut collector, &[definition(b'a', 3)]);
        let small = collector.finish(&mut last).unwrap();
        collector.begin(&mut last);
        assert_eq!(last, small);
    }

    #[test]
    fn columns_without_definitions() {
        let columns = Columns::undefined(2);
        assert_eq!((columns.len(), columns.is_defined()), (2, false));
        assert_eq!((columns.get(0), columns.iter().count()), (None, 0));
        assert_ne!(columns, Columns::default());
        let mut collector = Collector::default();
        collect(&mut collector, &[definition(b'a', 3), definition(b'b', 3)]);
        assert_ne!(columns, collector.finish(&mut Columns::default()).unwrap());
        assert_eq!(format!("{columns:?}"), "2 columns without definitions");
    }
}
