use std::fmt;
use std::sync::Arc;

use porpoise_wire::WireError;

use crate::{ColumnDefinition41, ColumnFormat};

/// Bytes before each definition in [`Set::raw`]: its length.
const PREFIX: usize = 4;

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

struct Entry {
    start: usize,
    end: usize,
    format: ColumnFormat,
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

    /// The definitions in order; none if the server sent none.
    pub fn iter(&self) -> impl Iterator<Item = ColumnDefinition41<'_>> {
        let set = self.set.as_deref();
        set.into_iter().flat_map(|set| set.entries.iter().filter_map(|entry| set.definition(entry)))
    }
}

impl Set {
    fn definition(&self, entry: &Entry) -> Option<ColumnDefinition41<'_>> {
        // It was parsed before, so the error cannot come.
        ColumnDefinition41::parse(self.raw.get(entry.start..entry.end)?).ok()
    }

    /// Parses all of [`raw`](Self::raw).
    fn index(&mut self) -> Result<(), WireError> {
        self.entries.clear();
        let mut start = 0;
        while let Some((prefix, left)) =
            self.raw.get(start..).and_then(|left| left.split_first_chunk::<PREFIX>())
        {
            let len = u32::from_le_bytes(*prefix) as usize;
            let format = ColumnDefinition41::parse(left.get(..len).unwrap_or_default())?.format();
            start += PREFIX;
            self.entries.push(Entry { start, end: start + len, format });
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
}

impl Collector {
    /// How many are there.
    pub(crate) const fn len(&self) -> usize {
        self.count
    }

    /// Forgets what came.
    pub(crate) fn clear(&mut self) {
        self.raw.clear();
        self.count = 0;
    }

    /// Adds one. All of them together must not be larger than one packet may be.
    pub(crate) fn push(&mut self, payload: &[u8], max_packet: usize) -> Result<(), WireError> {
        let size = self.raw.len() + PREFIX + payload.len();
        let prefix = u32::try_from(payload.len()).ok().filter(|_| size <= max_packet);
        let prefix = prefix.ok_or(WireError::PacketTooLarge { size, limit: max_packet })?;
        self.raw.extend_from_slice(&prefix.to_le_bytes());
        self.raw.extend_from_slice(payload);
        self.count += 1;
        Ok(())
    }

    /// Makes columns of all that came, or gives the last ones again if they are the same. What nobody holds any
    /// more is used again.
    pub(crate) fn finish(&mut self, last: &mut Columns) -> Result<Columns, WireError> {
        let count = std::mem::take(&mut self.count);
        if last.count == count && last.set.as_deref().is_some_and(|set| set.raw == self.raw) {
            self.raw.clear();
            return Ok(last.clone());
        }
        let unshared = |mut set: Arc<Set>| Arc::get_mut(&mut set).is_some().then_some(set);
        let mut shared = std::mem::take(last).set.and_then(unshared).unwrap_or_default();
        if let Some(set) = Arc::get_mut(&mut shared) {
            std::mem::swap(&mut set.raw, &mut self.raw);
            self.raw.clear();
            set.index()?;
        }
        *last = Columns { count, set: Some(shared) };
        Ok(last.clone())
    }
}
