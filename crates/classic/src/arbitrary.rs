//! Values and columns for tests.

use porpoise_value::{Date, DateTime, Decimal, Geometry, Time, Value};
use proptest::prelude::{Just, Strategy, any, prop, prop_oneof};

use crate::columns::Collector;
use crate::{ColumnFlags, Columns};

/// A definition's payload.
pub(crate) fn column(name: &[u8], column_type: u8, flags: u16, collation: u16) -> Vec<u8> {
    let ([a, b], [c, d]) = (flags.to_le_bytes(), collation.to_le_bytes());
    let len = u8::try_from(name.len()).unwrap();
    [b"\x03def\x00\x00\x00", &[len][..], name, &[0, 12, c, d, 0, 0, 0, 0, column_type, a, b, 0, 0, 0]]
        .concat()
}

pub(crate) fn columns(definitions: &[Vec<u8>]) -> Columns {
    let mut collector = Collector::default();
    definitions.iter().for_each(|definition| collector.keep(definition));
    collector.finish(&mut Columns::default()).unwrap()
}

pub(crate) fn value() -> impl Strategy<Value = Value> {
    let date = || (0u16..=9999, 0u8..=12, 0u8..=31).prop_map(|(y, m, d)| Date::new(y, m, d).unwrap());
    let micro = || prop_oneof![Just(0), 0u32..1_000_000];
    prop_oneof![
        Just(Value::Null),
        any::<i64>().prop_map(Value::Int),
        any::<u64>().prop_map(Value::UInt),
        any::<f32>().prop_filter("finite", |n| n.is_finite()).prop_map(Value::Float),
        any::<f64>().prop_filter("finite", |n| n.is_finite()).prop_map(Value::Double),
        "-?[0-9]{1,35}(\\.[0-9]{1,30})?".prop_map(|text| Value::Decimal(text.parse::<Decimal>().unwrap())),
        any::<String>().prop_map(Value::Text),
        any::<Vec<u8>>().prop_map(Value::Bytes),
        date().prop_map(Value::Date),
        (date(), 0u8..24, 0u8..60, 0u8..60, micro()).prop_map(|(date, h, m, s, micro)| {
            Value::DateTime(DateTime::new(date, h, m, s, micro).unwrap())
        }),
        (any::<bool>(), 0u16..=838, 0u8..60, 0u8..60, micro()).prop_map(|(negative, h, m, s, micro)| {
            Value::Time(Time::new(negative, h, m, s, micro).unwrap())
        }),
        any::<String>().prop_map(Value::Json),
        (any::<u32>(), any::<Vec<u8>>()).prop_map(|(srid, wkb)| Value::Geometry(Geometry::new(srid, &wkb))),
        prop::collection::vec(-1e30f32..1e30, 0..20).prop_map(Value::Vector),
    ]
}

/// The column that such a value would come in. A BIT travels as a number one way and as bytes the other.
pub(crate) fn column_of(value: &Value) -> Vec<u8> {
    let (column_type, flags, collation) = match value {
        Value::Int(_) => (8, 0, 63),
        Value::UInt(_) => (8, ColumnFlags::UNSIGNED_FLAG.bits(), 63),
        Value::Float(_) => (4, 0, 63),
        Value::Double(_) => (5, 0, 63),
        Value::Decimal(_) => (246, 0, 63),
        Value::Text(_) => (253, 0, 255),
        Value::Bytes(_) => (252, 0, 63),
        Value::Date(_) => (10, 0, 63),
        Value::DateTime(_) => (12, 0, 63),
        Value::Time(_) => (11, 0, 63),
        Value::Json(_) => (245, 0, 63),
        Value::Geometry(_) => (255, 0, 63),
        Value::Vector(_) => (242, 0, 63),
        _ => (6, 0, 63),
    };
    column(b"c", column_type, flags, collation)
}

/// What stands in a text row.
pub(crate) fn text_of(value: &Value) -> Option<Vec<u8>> {
    Some(match value {
        Value::Null => return None,
        Value::Bytes(bytes) => bytes.clone(),
        Value::Geometry(geometry) => geometry.borrow().as_bytes().to_vec(),
        Value::Vector(numbers) => numbers.iter().flat_map(|n| n.to_le_bytes()).collect(),
        other => other.to_string().into_bytes(),
    })
}
