use porpoise_wire::{Reader, WireError};

use crate::{ColumnFlags, ColumnType};

/// Bytes of the fixed part.
const FIXED_LEN: u64 = 12;

/// The definition of a column or a parameter.
///
/// | type | field | condition |
/// |---|---|---|
/// | `string<lenenc>` | catalog: `def` | |
/// | `string<lenenc>` | schema | |
/// | `string<lenenc>` | table, the alias in the statement | |
/// | `string<lenenc>` | org_table | |
/// | `string<lenenc>` | name, the alias in the statement | |
/// | `string<lenenc>` | org_name | |
/// | `int<lenenc>` | length of the fixed part: 12 | |
/// | `int<2>` | character_set: a collation's id; 63 for what is no text, and for JSON | |
/// | `int<4>` | column_length, in bytes | |
/// | `int<1>` | type | |
/// | `int<2>` | flags | |
/// | `int<1>` | decimals; 0x1F if not fixed | |
/// | `int<2>` | reserved | |
/// | `string<lenenc>` | default value, 0xFB for NULL | reply to COM_FIELD_LIST |
///
/// Names are in `character_set_results`. Follows "MySQL Source Code Documentation: Column Definition".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ColumnDefinition41<'a> {
    catalog: &'a [u8],
    schema: &'a [u8],
    table: &'a [u8],
    org_table: &'a [u8],
    name: &'a [u8],
    org_name: &'a [u8],
    format: ColumnFormat,
    default_value: Option<&'a [u8]>,
}

/// The part of a column's definition that says what its values are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ColumnFormat {
    /// The collation's id: that of the result, not of the column in its table. 63 for what is no text, and for JSON.
    pub collation: u16,
    /// The most bytes that a value takes.
    pub column_length: u32,
    /// The type.
    pub column_type: ColumnType,
    /// The flags.
    pub flags: ColumnFlags,
    /// Digits after the point; 31 if not fixed.
    pub decimals: u8,
}

impl<'a> ColumnDefinition41<'a> {
    /// Parses a payload.
    ///
    /// # Errors
    /// [`WireError::BadValue`] for a fixed part that does not have 12 bytes, [`WireError::Truncated`],
    /// [`WireError::BadLengthEncoding`], [`WireError::TrailingBytes`].
    pub fn parse(payload: &'a [u8]) -> Result<Self, WireError> {
        let mut r = Reader::new(payload);
        let catalog = r.lenenc_bytes("catalog")?;
        let schema = r.lenenc_bytes("schema")?;
        let table = r.lenenc_bytes("table")?;
        let org_table = r.lenenc_bytes("org_table")?;
        let name = r.lenenc_bytes("name")?;
        let org_name = r.lenenc_bytes("org_name")?;
        let field = "length of fixed length fields";
        let fixed = r.lenenc_int(field)?;
        if fixed != FIXED_LEN {
            return Err(WireError::BadValue { field, value: fixed });
        }
        let format = ColumnFormat {
            collation: r.u16("character_set")?,
            column_length: r.u32("column_length")?,
            column_type: ColumnType::from_byte(r.u8("type")?),
            flags: ColumnFlags::from_bits(r.u16("flags")?),
            decimals: r.u8("decimals")?,
        };
        r.u16("reserved")?;
        let default_value = if r.is_empty() { None } else { r.nullable_bytes("default value")? };
        r.finish()?;
        Ok(Self { catalog, schema, table, org_table, name, org_name, format, default_value })
    }

    /// The catalog: `def`.
    #[must_use]
    pub const fn catalog(&self) -> &'a [u8] {
        self.catalog
    }

    /// The database; empty for an expression.
    #[must_use]
    pub const fn schema(&self) -> &'a [u8] {
        self.schema
    }

    /// The table's alias in the statement.
    #[must_use]
    pub const fn table(&self) -> &'a [u8] {
        self.table
    }

    /// The table's own name.
    #[must_use]
    pub const fn org_table(&self) -> &'a [u8] {
        self.org_table
    }

    /// The column's alias in the statement.
    #[must_use]
    pub const fn name(&self) -> &'a [u8] {
        self.name
    }

    /// The column's own name.
    #[must_use]
    pub const fn org_name(&self) -> &'a [u8] {
        self.org_name
    }

    /// What the column's values are.
    #[must_use]
    pub const fn format(&self) -> ColumnFormat {
        self.format
    }

    /// The default value that COM_FIELD_LIST tells; `None` if it is NULL or not told.
    #[must_use]
    pub const fn default_value(&self) -> Option<&'a [u8]> {
        self.default_value
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, proptest};

    use super::*;

    /// `select a` from table `t1` alias `x` of database `odb`
    const COLUMN: &[u8] =
        b"\x03def\x03odb\x01x\x02t1\x01a\x02aa\x0c\x3f\x00\x0b\x00\x00\x00\x03\x03\x42\x00\x00\x00";

    #[test]
    fn every_field() {
        let column = ColumnDefinition41::parse(COLUMN).unwrap();
        assert_eq!(column.catalog(), b"def");
        assert_eq!(
            (column.schema(), column.table(), column.org_table()),
            (&b"odb"[..], &b"x"[..], &b"t1"[..])
        );
        assert_eq!((column.name(), column.org_name()), (&b"a"[..], &b"aa"[..]));
        let format = column.format();
        assert_eq!((format.collation, format.column_length, format.decimals), (63, 11, 0));
        assert_eq!(format.column_type, ColumnType::Long);
        assert_eq!(format.flags.bits(), 0x4203);
        assert_eq!(column.default_value(), None);
    }

    #[test]
    fn default_values_of_a_field_list() {
        let with = |default: &[u8]| [COLUMN, default].concat();
        assert_eq!(ColumnDefinition41::parse(&with(b"\xfb")).unwrap().default_value(), None);
        assert_eq!(ColumnDefinition41::parse(&with(b"\x0242")).unwrap().default_value(), Some(&b"42"[..]));
        assert_eq!(ColumnDefinition41::parse(&with(b"\x0142")), Err(WireError::TrailingBytes { left: 1 }));
    }

    #[test]
    fn every_truncation_is_an_error() {
        for len in 0..COLUMN.len() {
            assert!(ColumnDefinition41::parse(&COLUMN[..len]).is_err(), "{len}");
        }
        let mut other = COLUMN.to_vec();
        other[18] = 0x0d;
        let error = WireError::BadValue { field: "length of fixed length fields", value: 13 };
        assert_eq!(ColumnDefinition41::parse(&other), Err(error));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(payload in any::<Vec<u8>>()) {
            let _ = ColumnDefinition41::parse(&payload);
        }
    }
}
