use std::fmt;
use std::sync::Arc;

use porpoise_value::{ColumnSource, Kind, PlanError};
use porpoise_wire::WireError;

use crate::decode::quick::Shape;
use crate::width::{self, Width};
use crate::{ColumnDefinition41, ColumnFormat};

/// Bytes before each definition in [`Set::raw`]: its length.
const PREFIX: usize = 4;

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
    /// The payloads as they came, each behind its length: equal bytes mean equal definitions.
    raw: Vec<u8>,
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
    fn definition(&self, entry: &Entry) -> Option<ColumnDefinition41<'_>> {
        // It was parsed before, so the error cannot come.
        ColumnDefinition41::parse(self.raw.get(entry.start..entry.end)?).ok()
    }

    /// Parses all of [`raw`](Self::raw).
    fn index(&mut self, count: usize) -> Result<(), WireError> {
        self.entries.clear();
        self.entries.reserve_exact(count);
        let mut start = 0;
        while let Some((prefix, left)) =
            self.raw.get(start..).and_then(|left| left.split_first_chunk::<PREFIX>())
        {
            let len = u32::from_le_bytes(*prefix) as usize;
            let format = ColumnDefinition41::parse(left.get(..len).unwrap_or_default())?.format();
            start += PREFIX;
            self.entries.push(Entry::new(start, start + len, format));
            start += len;
        }
        Ok(())
    }
}

impl PartialEq for Columns {
    fn eq(&self, other: &Self) -> bool {
        let same = match (&self.set, &other.set) {
            (Some(one), Some(two)) => one.raw == two.raw,
            (one, two) => one.is_none() && two.is_none(),
        };
        same && self.count == other.count
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
    raw: Vec<u8>,
    count: usize,
    /// In place of [`raw`](Self::raw): so many bytes of the last definitions are what came.
    same: usize,
}

impl Collector {
    /// How many are there.
    pub(crate) const fn len(&self) -> usize {
        self.count
    }

    /// Forgets what came.
    pub(crate) fn clear(&mut self) {
        self.raw.clear();
        (self.count, self.same) = (0, 0);
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

    /// Adds one that may be the next of the last definitions, as it is when a statement runs again: then nothing is
    /// copied. Until [`finish`](Self::finish), `last` must stay the same.
    #[inline]
    pub(crate) fn push_again(
        &mut self,
        payload: &[u8],
        max_packet: usize,
        last: &Columns,
    ) -> Result<(), WireError> {
        if !self.raw.is_empty() {
            return self.push(payload, max_packet);
        }
        let known = last.set.as_deref().map_or(&[][..], |set| &set.raw);
        if let Some((prefix, rest)) =
            known.get(self.same..).and_then(|rest| rest.split_first_chunk::<PREFIX>())
            && u32::from_le_bytes(*prefix) as usize == payload.len()
            && rest.starts_with(payload)
        {
            self.same += PREFIX + payload.len();
            self.count += 1;
            return Ok(());
        }
        self.part(last);
        self.push(payload, max_packet)
    }

    /// From here on it differs from the last definitions.
    fn part(&mut self, last: &Columns) {
        let known = last.set.as_deref().and_then(|set| set.raw.get(..std::mem::take(&mut self.same)));
        self.raw.extend_from_slice(known.unwrap_or_default());
    }

    /// Adds one. All of them together, with what is made of them, must be smaller than one packet may be: so they
    /// get a quarter.
    pub(crate) fn push(&mut self, payload: &[u8], max_packet: usize) -> Result<(), WireError> {
        let size = self.raw.len() + PREFIX + payload.len();
        let limit = (max_packet / 4).max(SMALL);
        let prefix = u32::try_from(payload.len()).ok().filter(|_| size <= limit);
        let prefix = prefix.ok_or(WireError::PacketTooLarge { size, limit })?;
        self.raw.extend_from_slice(&prefix.to_le_bytes());
        self.raw.extend_from_slice(payload);
        self.count += 1;
        Ok(())
    }

    /// Makes columns of all that came, or gives the last ones again if they are the same. What nobody holds any
    /// more is used again.
    pub(crate) fn finish(&mut self, last: &mut Columns) -> Result<Columns, WireError> {
        let count = std::mem::take(&mut self.count);
        if self.same > 0 {
            if last.count == count {
                self.same = 0;
                return Ok(last.clone());
            }
            self.part(last);
        }
        if last.count == count && last.set.as_deref().is_some_and(|set| set.raw == self.raw) {
            self.raw.clear();
            return Ok(last.clone());
        }
        let unshared = |mut set: Arc<Set>| Arc::get_mut(&mut set).is_some().then_some(set);
        let mut shared = std::mem::take(last).set.and_then(unshared).unwrap_or_default();
        if let Some(set) = Arc::get_mut(&mut shared) {
            std::mem::swap(&mut set.raw, &mut self.raw);
            self.raw.clear();
            set.index(count)?;
        }
        *last = Columns { count, set: Some(shared) };
        Ok(last.clone())
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

    fn collect(collector: &mut Collector, definitions: &[Vec<u8>]) {
        for definition in definitions {
            collector.push(definition, MAX).unwrap();
        }
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
        collect(&mut collector, &[definition(b'a', 3)]);
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
            definitions.iter().for_each(|one| collector.push_again(one, MAX, &last).unwrap());
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
        collector.push_again(&a, MAX, &last).unwrap();
        collector.push_again(&c, MAX, &last).unwrap();
        collector.clear();
        collector.push_again(&b, MAX, &last).unwrap();
        assert_eq!(collector.finish(&mut last).unwrap().get(0).unwrap().name(), b"b");
    }

    #[test]
    fn equal_bytes_with_other_bounds_are_other_definitions() {
        let (mut one, mut two) = (Collector::default(), Collector::default());
        one.push(&[0; 8], MAX).unwrap();
        two.push(&[0; 2], MAX).unwrap();
        two.push(&[0; 2], MAX).unwrap();
        assert_eq!(one.raw.len(), two.raw.len());
        assert_ne!(one.raw, two.raw);
    }

    #[test]
    fn nothing_is_left_of_what_was_cleared_or_malformed() {
        let (mut collector, mut last) = (Collector::default(), Columns::default());
        collect(&mut collector, &[definition(b'a', 3)]);
        collector.clear();
        assert_eq!(collector.finish(&mut last).unwrap().len(), 0);
        collector.push(&[3], MAX).unwrap();
        assert!(collector.finish(&mut last).is_err());
        assert_eq!(last, Columns::default());
    }

    #[test]
    fn all_definitions_together_get_a_quarter_of_a_packet() {
        let mut collector = Collector::default();
        collector.push(&[0; SMALL - PREFIX], 100).unwrap();
        let error = WireError::PacketTooLarge { size: SMALL + PREFIX, limit: SMALL };
        assert_eq!(collector.push(&[], 100), Err(error));
        collector.push(&[0; SMALL - PREFIX], 8 * SMALL).unwrap();
        let error = WireError::PacketTooLarge { size: 2 * SMALL + PREFIX + 1, limit: 2 * SMALL };
        assert_eq!(collector.push(&[0], 8 * SMALL), Err(error));
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
