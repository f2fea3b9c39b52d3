use std::borrow::Cow;
use std::fmt::Write as _;

use porpoise::classic::{Encoding, RowError, RowRef};
use porpoise::value::{
    CellSource as _, ColumnSource, Field, FromRow, Kind, Plan, PlanError, RowSource, ValueRef,
};

/// A value, as all forms can show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Cell<'a> {
    Null,
    /// Digits as the server has them.
    Number(Cow<'a, str>),
    Text(Cow<'a, str>),
    /// A JSON document.
    Json(Cow<'a, str>),
    /// Bytes that are no text.
    Binary(Cow<'a, [u8]>),
}

pub(super) const fn is_number(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Int { .. } | Kind::Float | Kind::Double | Kind::Decimal | Kind::PackedDecimal | Kind::Year
    )
}

/// The cells of a row.
pub(super) fn cells<'a>(row: &RowRef<'a>, kinds: &[Option<Kind>]) -> Result<Vec<Cell<'a>>, RowError> {
    if row.encoding() == Encoding::Binary {
        return (0..row.len()).map(|index| row.value(index).map(value)).collect();
    }
    let mut kinds = kinds.iter().copied();
    row.iter().map(|bytes| bytes.map(|bytes| text(bytes, kinds.next().flatten()))).collect()
}

/// A cell of a row of texts.
fn text(bytes: Option<&[u8]>, kind: Option<Kind>) -> Cell<'_> {
    let Some(bytes) = bytes else { return Cell::Null };
    let Ok(text) = std::str::from_utf8(bytes) else { return Cell::Binary(bytes.into()) };
    match kind {
        Some(kind) if is_number(kind) => Cell::Number(text.into()),
        Some(Kind::Json) => Cell::Json(text.into()),
        Some(Kind::Bytes | Kind::Bit | Kind::Geometry | Kind::Vector) => Cell::Binary(bytes.into()),
        _ => Cell::Text(text.into()),
    }
}

/// All values of a row.
pub(super) struct Values<'a>(Vec<ValueRef<'a>>);

impl<'a> Values<'a> {
    pub(super) fn into_cells(self) -> Vec<Cell<'a>> {
        self.0.into_iter().map(value).collect()
    }
}

impl<'r> FromRow<'r> for Values<'r> {
    fn plan<C: ColumnSource + ?Sized>(columns: &C) -> Result<Plan, PlanError> {
        Plan::of_all(columns, Field::new::<ValueRef<'_>>(""))
    }

    fn from_row<R: RowSource<'r>>(plan: &Plan, row: R) -> Result<Self, R::Error> {
        let mut cells = row.cells(plan)?;
        let values = (0..plan.columns()).map(|_| cells.take::<ValueRef<'_>>()).collect::<Result<_, _>>()?;
        cells.finish()?;
        Ok(Self(values))
    }
}

/// A cell of a binary row.
fn value(value: ValueRef<'_>) -> Cell<'_> {
    let shown = |text: String| Cell::Text(text.into());
    // As short as it can be, without a fraction of nothing.
    let float =
        |text: String| Cell::Number(text.strip_suffix(".0").map(str::to_owned).unwrap_or(text).into());
    let string = |bytes| match std::str::from_utf8(bytes) {
        Ok(text) => Cell::Text(text.into()),
        Err(_) => Cell::Binary(Cow::Borrowed(bytes)),
    };
    match value {
        ValueRef::Null => Cell::Null,
        ValueRef::Int(n) => Cell::Number(n.to_string().into()),
        ValueRef::UInt(n) => Cell::Number(n.to_string().into()),
        ValueRef::Float(n) => float(format!("{n:?}")),
        ValueRef::Double(n) => float(format!("{n:?}")),
        ValueRef::Decimal(decimal) => Cell::Number(decimal.as_str().into()),
        ValueRef::PackedDecimal(decimal) => Cell::Number(decimal.to_string().into()),
        ValueRef::SetMembers(set) => match String::from_utf8(set.join()) {
            Ok(text) => Cell::Text(text.into()),
            Err(error) => Cell::Binary(error.into_bytes().into()),
        },
        ValueRef::Text(bytes) => string(bytes),
        ValueRef::Json(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => Cell::Json(text.into()),
            Err(_) => Cell::Binary(bytes.into()),
        },
        ValueRef::Date(date) => shown(date.to_string()),
        ValueRef::DateTime(moment) => shown(moment.to_string()),
        ValueRef::Time(time) => shown(time.to_string()),
        ValueRef::Bit(bits) => {
            let bytes = bits.to_be_bytes();
            let zeros = bytes.iter().take(bytes.len() - 1).take_while(|byte| **byte == 0).count();
            Cell::Binary(bytes.get(zeros..).unwrap_or_default().to_vec().into())
        }
        ValueRef::Bytes(_) | ValueRef::Geometry(_) | ValueRef::Vector(_) => {
            Cell::Binary(value.as_bytes().unwrap_or_default().into())
        }
        _ => Cell::Null,
    }
}

impl Cell<'_> {
    /// As text: `NULL`, and `0x` with hexadecimal digits for bytes that are none.
    pub(crate) fn plain(&self) -> Cow<'_, str> {
        match self {
            Self::Null => "NULL".into(),
            Self::Number(text) | Self::Text(text) | Self::Json(text) => Cow::Borrowed(text),
            Self::Binary(bytes) => hex(bytes).into(),
        }
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 + 2 * bytes.len());
    text.push_str("0x");
    for byte in bytes {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02X}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_by_kind() {
        let int = Some(Kind::Int { bits: 64, unsigned: true });
        assert_eq!(text(None, int), Cell::Null);
        assert_eq!(text(Some(b"18446744073709551615"), int), Cell::Number("18446744073709551615".into()));
        assert_eq!(text(Some(b"0012"), Some(Kind::Text)), Cell::Text("0012".into()));
        assert_eq!(text(Some(b"{}"), Some(Kind::Json)), Cell::Json("{}".into()));
        assert_eq!(text(Some(b"ab"), Some(Kind::Bytes)).plain(), "0x6162");
        assert_eq!(text(Some(b"\x05"), Some(Kind::Bit)).plain(), "0x05");
        assert_eq!(text(Some(b"\xe4"), Some(Kind::OtherText)).plain(), "0xE4");
        assert_eq!(text(Some(b"a"), None).plain(), "a");
    }

    #[test]
    fn binary_values() {
        assert_eq!(value(ValueRef::Int(i64::MIN)), Cell::Number("-9223372036854775808".into()));
        assert_eq!(value(ValueRef::Bit(0)).plain(), "0x00");
        assert_eq!(value(ValueRef::Bit(0x1ff)).plain(), "0x01FF");
        assert_eq!(value(ValueRef::Text(b"\xff")).plain(), "0xFF");
        assert_eq!(value(ValueRef::Double(0.1)), Cell::Number("0.1".into()));
        assert_eq!(value(ValueRef::Double(f64::MAX)).plain(), "1.7976931348623157e308");
        assert_eq!(value(ValueRef::Float(-3.0)).plain(), "-3");
        assert_eq!(value(ValueRef::Null).plain(), "NULL");
    }
}
