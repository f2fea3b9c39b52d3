use std::fmt;
use std::sync::Arc;

use porpoise_value::{Kind, PlanError};
use porpoise_wire::WireError;

use crate::decode::Shape;
use crate::field::Fields;

/// Bytes before each message in [`Set::raw`]: its length.
const PREFIX: usize = 4;
/// The number of [`ColumnMetaData::name`].
const NAME: u32 = 2;

/// A column of a result: `Mysqlx.Resultset.ColumnMetaData`, borrowed.
///
/// | number | field | type |
/// |---|---|---|
/// | 1 | type | enum [`FieldType`], required |
/// | 2 to 7 | name, original_name, table, original_table, schema, catalog | bytes, absent in compact metadata |
/// | 8 | collation | uint64 |
/// | 9, 10, 11, 12 | fractional_digits, length, flags, content_type | uint32 |
///
/// Follows "MySQL Source Code Documentation: X Protocol, Mysqlx.Resultset". What is absent is empty or 0.
#[derive(Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ColumnMetaData<'a> {
    /// How values are encoded, and what they are.
    pub format: ColumnFormat,
    /// The column's name in the result.
    pub name: &'a [u8],
    /// The column's own name.
    pub original_name: &'a [u8],
    /// The table's name in the statement.
    pub table: &'a [u8],
    /// The table's own name.
    pub original_table: &'a [u8],
    /// The schema.
    pub schema: &'a [u8],
    /// The catalog.
    pub catalog: &'a [u8],
    /// How wide values can be; bytes for text.
    pub length: u32,
}

/// What a column's values are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct ColumnFormat {
    /// How they are encoded.
    pub field_type: FieldType,
    /// What BYTES (1 GEOMETRY, 2 JSON, 3 XML) or DATETIME (1 DATE, 2 DATETIME) hold.
    pub content_type: u32,
    /// The collation's id; 63 is binary, and so it is for JSON.
    pub collation: u64,
    /// Digits behind the point; 31 is as many as there are.
    pub fractional_digits: u32,
    /// 0x10 NOT_NULL, 0x20 PRIMARY_KEY, 0x40 UNIQUE_KEY, 0x80 MULTIPLE_KEY, 0x100 AUTO_INCREMENT. 0x01 is zerofill (UINT),
    /// unsigned (DOUBLE, FLOAT, DECIMAL), right-padded (BYTES), TIMESTAMP (DATETIME).
    pub flags: u32,
}

/// How a column's values are encoded. Numbers without a name are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FieldType {
    /// A signed integer: zigzag varint.
    Sint,
    /// An unsigned integer: varint.
    Uint,
    /// 8 bytes of IEEE 754, least significant first.
    Double,
    /// 4 bytes of IEEE 754, least significant first.
    Float,
    /// The bytes and one 0x00.
    Bytes,
    /// A sign byte, then varints.
    Time,
    /// Varints.
    Datetime,
    /// The elements, each behind its length.
    Set,
    /// As [`Bytes`](Self::Bytes).
    Enum,
    /// A varint.
    Bit,
    /// A scale byte, then packed decimal digits and a sign.
    Decimal,
    /// Another.
    Unknown(u32),
}

impl FieldType {
    const fn new(number: u32) -> Self {
        match number {
            1 => Self::Sint,
            2 => Self::Uint,
            5 => Self::Double,
            6 => Self::Float,
            7 => Self::Bytes,
            10 => Self::Time,
            12 => Self::Datetime,
            15 => Self::Set,
            16 => Self::Enum,
            17 => Self::Bit,
            18 => Self::Decimal,
            other => Self::Unknown(other),
        }
    }
}

impl<'a> ColumnMetaData<'a> {
    /// Reads a message's payload.
    ///
    /// # Errors
    /// What is no protobuf message, or has no type.
    pub fn parse(payload: &'a [u8]) -> Result<Self, WireError> {
        let mut field_type = None;
        let mut column = Self {
            format: ColumnFormat {
                field_type: FieldType::Unknown(0),
                content_type: 0,
                collation: 0,
                fractional_digits: 0,
                flags: 0,
            },
            name: &[],
            original_name: &[],
            table: &[],
            original_table: &[],
            schema: &[],
            catalog: &[],
            length: 0,
        };
        for field in Fields::new(payload) {
            let (number, value) = field?;
            let wrong = WireError::BadValue { field: "wire type", value: number.into() };
            let text = || value.bytes().ok_or(wrong);
            let int = || value.u32().ok_or(wrong);
            match number {
                1 => field_type = Some(int()?),
                2 => column.name = text()?,
                3 => column.original_name = text()?,
                4 => column.table = text()?,
                5 => column.original_table = text()?,
                6 => column.schema = text()?,
                7 => column.catalog = text()?,
                8 => column.format.collation = value.varint().ok_or(wrong)?,
                9 => column.format.fractional_digits = int()?,
                10 => column.length = int()?,
                11 => column.format.flags = int()?,
                12 => column.format.content_type = int()?,
                // Of a later version.
                _ => {}
            }
        }
        let missing = WireError::Truncated { field: "type", needed: 1, left: 0 };
        column.format.field_type = FieldType::new(field_type.ok_or(missing)?);
        Ok(column)
    }
}

impl fmt::Debug for ColumnMetaData<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ColumnMetaData")
            .field("name", &String::from_utf8_lossy(self.name))
            .field("table", &String::from_utf8_lossy(self.table))
            .field("format", &self.format)
            .finish_non_exhaustive()
    }
}

/// The columns of a result. A clone shares them.
///
/// A connection keeps those of its last result: when the same ones come again nothing is parsed and nothing allocated.
#[derive(Clone, Default)]
pub struct Columns {
    set: Option<Arc<Set>>,
}

#[derive(Default)]
struct Set {
    /// The payloads as they came, each behind its length: equal bytes mean equal columns.
    raw: Vec<u8>,
    entries: Vec<Entry>,
}

#[derive(Debug)]
pub(crate) struct Entry {
    start: usize,
    end: usize,
    pub(crate) format: ColumnFormat,
    pub(crate) kind: Kind,
    pub(crate) shape: Shape,
}

impl Columns {
    /// How many columns there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.set.as_deref().map_or(0, |set| set.entries.len())
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A column. Reads its message anew; [`format`](Self::format) is a mere look-up.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<ColumnMetaData<'_>> {
        let set = self.set.as_deref()?;
        set.column(set.entries.get(index)?)
    }

    /// What a column's values are.
    #[inline]
    #[must_use]
    pub fn format(&self, index: usize) -> Option<ColumnFormat> {
        Some(self.set.as_deref()?.entries.get(index)?.format)
    }

    #[inline]
    pub(crate) fn entries(&self) -> &[Entry] {
        self.set.as_deref().map_or(&[], |set| &set.entries)
    }

    /// What a column's values are, as a kind of value.
    #[must_use]
    pub fn kind(&self, index: usize) -> Option<Kind> {
        self.entries().get(index).map(|entry| entry.kind)
    }

    /// A column's name, unless the metadata is compact.
    #[must_use]
    pub fn name(&self, index: usize) -> Option<&[u8]> {
        let set = self.set.as_deref()?;
        let entry = set.entries.get(index)?;
        let mut fields = Fields::new(set.raw.get(entry.start..entry.end)?).flatten();
        fields.find(|(number, _)| *number == NAME).and_then(|(_, value)| value.bytes())
    }

    /// The position of the only column of a name. As in MySQL, ASCII letters are the same in both cases.
    ///
    /// # Errors
    /// [`PlanError::Missing`], [`PlanError::Ambiguous`], or [`PlanError::Nameless`] with compact metadata.
    pub fn position(&self, name: &str) -> Result<usize, PlanError> {
        let mut found = None;
        for index in 0..self.len() {
            let column = self.name(index).ok_or(PlanError::Nameless)?;
            if column.eq_ignore_ascii_case(name.as_bytes()) && found.replace(index).is_some() {
                return Err(PlanError::ambiguous(name, "the row"));
            }
        }
        found.ok_or_else(|| PlanError::missing(name, "the row"))
    }

    /// The columns in order.
    pub fn iter(&self) -> impl Iterator<Item = ColumnMetaData<'_>> {
        let set = self.set.as_deref();
        set.into_iter().flat_map(|set| set.entries.iter().filter_map(|entry| set.column(entry)))
    }
}

impl Set {
    fn column(&self, entry: &Entry) -> Option<ColumnMetaData<'_>> {
        // It was parsed before, so the error cannot come.
        ColumnMetaData::parse(self.raw.get(entry.start..entry.end)?).ok()
    }

    /// Parses all of [`raw`](Self::raw).
    fn index(&mut self) -> Result<(), WireError> {
        self.entries.clear();
        let mut start = 0;
        while let Some((prefix, left)) =
            self.raw.get(start..).and_then(|left| left.split_first_chunk::<PREFIX>())
        {
            let len = u32::from_le_bytes(*prefix) as usize;
            let column = ColumnMetaData::parse(left.get(..len).unwrap_or_default())?;
            let (format, kind) = (column.format, column.format.kind(column.length));
            start += PREFIX;
            self.entries.push(Entry { start, end: start + len, format, kind, shape: kind.into() });
            start += len;
        }
        Ok(())
    }
}

impl PartialEq for Columns {
    fn eq(&self, other: &Self) -> bool {
        let raw = |columns: &Self| columns.set.as_ref().map(Arc::clone);
        match (raw(self), raw(other)) {
            (Some(one), Some(two)) => one.raw == two.raw,
            _ => self.is_empty() && other.is_empty(),
        }
    }
}

impl Eq for Columns {}

impl fmt::Debug for Columns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = self
            .iter()
            .map(|column| (String::from_utf8_lossy(column.name).into_owned(), column.format.field_type));
        f.debug_map().entries(columns).finish()
    }
}

/// Columns on their way: there is no count before them, they end with what comes behind.
#[derive(Debug, Default)]
pub(crate) struct Collector {
    raw: Vec<u8>,
    count: usize,
}

/// What the columns of a result may hold in all, in bytes.
#[derive(Clone, Copy)]
pub(crate) struct Bounds {
    pub(crate) columns: usize,
    pub(crate) bytes: usize,
}

impl Collector {
    pub(crate) const fn is_empty(&self) -> bool {
        self.count == 0
    }

    pub(crate) fn clear(&mut self) {
        self.raw.clear();
        self.count = 0;
    }

    pub(crate) fn push(&mut self, payload: &[u8], bounds: Bounds) -> Result<(), WireError> {
        let size = self.raw.len() + PREFIX + payload.len();
        let prefix = u32::try_from(payload.len()).ok().filter(|_| size <= bounds.bytes);
        let prefix = prefix.ok_or(WireError::PacketTooLarge { size, limit: bounds.bytes })?;
        if self.count == bounds.columns {
            return Err(WireError::BadValue { field: "column count", value: self.count as u64 + 1 });
        }
        self.raw.extend_from_slice(&prefix.to_le_bytes());
        self.raw.extend_from_slice(payload);
        self.count += 1;
        Ok(())
    }

    /// Makes columns of all that came, or gives the last ones again if they are the same.
    pub(crate) fn finish(&mut self, last: &mut Columns) -> Result<Columns, WireError> {
        self.count = 0;
        if last.set.as_deref().is_some_and(|set| set.raw == self.raw) {
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
        last.set = Some(shared);
        Ok(last.clone())
    }
}

/// The columns of messages.
#[cfg(test)]
pub(crate) fn columns_of(payloads: &[&[u8]]) -> Columns {
    let (mut collector, mut columns) = (Collector::default(), Columns::default());
    let bounds = Bounds { columns: 100, bytes: 10_000 };
    payloads.iter().for_each(|payload| collector.push(payload, bounds).unwrap());
    collector.finish(&mut columns).unwrap()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::{any, prop, prop_assert_eq, proptest};
    use prost::Message as _;

    use super::*;
    use crate::messages::resultset;

    const BOUNDS: Bounds = Bounds { columns: 3, bytes: 4096 };

    fn message(name: &'static str, r#type: i32) -> Vec<u8> {
        let name = Some(Bytes::from_static(name.as_bytes()));
        resultset::ColumnMetaData { r#type, name, ..Default::default() }.encode_to_vec()
    }

    #[test]
    fn a_column_as_the_server_sends_it() {
        // SINT | name "1" | original_name "" | table "" | original_table "" | schema "" | catalog "def" | length 2 | flags 16
        let payload = b"\x08\x01\x12\x011\x1a\0\x22\0\x2a\0\x32\0\x3a\x03def\x50\x02\x58\x10";
        let column = ColumnMetaData::parse(payload).unwrap();
        assert_eq!((column.name, column.catalog, column.length), (&b"1"[..], &b"def"[..], 2));
        assert_eq!((column.format.field_type, column.format.flags), (FieldType::Sint, 16));
        assert!(ColumnMetaData::parse(b"\x12\x011").is_err(), "no type");
        assert!(ColumnMetaData::parse(b"\x0a\x01\x01").is_err(), "the type is no number");
        let unknown = ColumnMetaData::parse(b"\x08\x63").unwrap();
        assert_eq!(unknown.format.field_type, FieldType::Unknown(99));
    }

    #[test]
    fn the_same_columns_again_are_shared() {
        let (mut collector, mut last) = (Collector::default(), Columns::default());
        let mut collect = |names: &[&'static str]| {
            for name in names {
                collector.push(&message(name, 7), BOUNDS).unwrap();
            }
            collector.finish(&mut last).unwrap()
        };
        let (first, second, other) = (collect(&["a", "b"]), collect(&["a", "b"]), collect(&["a"]));
        assert!(Arc::ptr_eq(first.set.as_ref().unwrap(), second.set.as_ref().unwrap()));
        assert_eq!((first.len(), other.len()), (2, 1));
        assert_ne!(first, other);
        assert_eq!(first.get(1).unwrap().name, b"b");
        assert_eq!(first.format(2), None);
        assert_eq!(format!("{first:?}"), r#"{"a": Bytes, "b": Bytes}"#);
    }

    #[test]
    fn columns_are_bounded_in_number_and_size() {
        let mut collector = Collector::default();
        let large = vec![0; 4096];
        assert!(matches!(collector.push(&large, BOUNDS), Err(WireError::PacketTooLarge { .. })));
        for _ in 0..3 {
            collector.push(&message("a", 1), BOUNDS).unwrap();
        }
        let error = WireError::BadValue { field: "column count", value: 4 };
        assert_eq!(collector.push(&message("a", 1), BOUNDS), Err(error));
    }

    proptest! {
        #[test]
        fn reads_as_prost_does(
            number in any::<u8>(),
            text in prop::collection::vec(prop::option::of(any::<Vec<u8>>()), 6),
            collation in any::<Option<u64>>(),
            numbers in prop::collection::vec(any::<Option<u32>>(), 4),
        ) {
            let bytes = |i: usize| text[i].clone().map(Bytes::from);
            let message = resultset::ColumnMetaData {
                r#type: number.into(),
                name: bytes(0),
                original_name: bytes(1),
                table: bytes(2),
                original_table: bytes(3),
                schema: bytes(4),
                catalog: bytes(5),
                collation,
                fractional_digits: numbers[0],
                length: numbers[1],
                flags: numbers[2],
                content_type: numbers[3],
            };
            let payload = message.encode_to_vec();
            let column = ColumnMetaData::parse(&payload).unwrap();
            let text: Vec<&[u8]> = text.iter().map(|text| text.as_deref().unwrap_or_default()).collect();
            let got = [column.name, column.original_name, column.table, column.original_table, column.schema, column.catalog];
            prop_assert_eq!(&got[..], &text[..]);
            let format = column.format;
            prop_assert_eq!(format.field_type, FieldType::new(number.into()));
            prop_assert_eq!(format.collation, message.collation());
            let got = [format.fractional_digits, column.length, format.flags, format.content_type];
            let want = [message.fractional_digits(), message.length(), message.flags(), message.content_type()];
            prop_assert_eq!(got, want);
        }

        #[test]
        fn any_bytes_are_read_as_prost_reads_them_or_not_at_all(payload in any::<Vec<u8>>()) {
            if let (Ok(column), Ok(message)) =
                (ColumnMetaData::parse(&payload), resultset::ColumnMetaData::decode(&payload[..]))
            {
                prop_assert_eq!(column.name, message.name.unwrap_or_default());
                prop_assert_eq!(column.length, message.length.unwrap_or_default());
            }
        }
    }
}
