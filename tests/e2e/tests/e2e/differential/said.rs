//! What a server says of a statement, in a form that both sides can be brought into.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result};
use porpoise::classic::{ColumnDefinition41, ColumnFlags, ColumnType};

/// Everything that a statement led to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Said {
    /// Its results, those without rows, too.
    pub(super) tables: Vec<Table>,
    /// What ended them.
    pub(super) failed: Option<Failed>,
}

/// An error of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failed {
    pub(super) number: u16,
    pub(super) sqlstate: String,
    pub(super) message: String,
}

/// A result.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Table {
    pub(super) columns: Vec<Column>,
    pub(super) rows: Vec<Vec<Option<String>>>,
    /// How many rows there are, if there may be any.
    pub(super) count: Option<usize>,
    /// How many were changed, else.
    pub(super) affected: Option<u64>,
    pub(super) warnings: u16,
    pub(super) info: String,
}

/// A column's definition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) schema: String,
    pub(super) table: String,
    pub(super) org_table: String,
    pub(super) column_type: String,
    pub(super) collation: u16,
    pub(super) length: u32,
    pub(super) decimals: u8,
    pub(super) flags: BTreeSet<String>,
}

/// The client's names of flags. NUM and GROUP are one bit, of its own use.
const FLAGS: [(ColumnFlags, &str); 15] = [
    (ColumnFlags::NOT_NULL_FLAG, "NOT_NULL"),
    (ColumnFlags::PRI_KEY_FLAG, "PRI_KEY"),
    (ColumnFlags::UNIQUE_KEY_FLAG, "UNIQUE_KEY"),
    (ColumnFlags::MULTIPLE_KEY_FLAG, "MULTIPLE_KEY"),
    (ColumnFlags::BLOB_FLAG, "BLOB"),
    (ColumnFlags::UNSIGNED_FLAG, "UNSIGNED"),
    (ColumnFlags::ZEROFILL_FLAG, "ZEROFILL"),
    (ColumnFlags::BINARY_FLAG, "BINARY"),
    (ColumnFlags::ENUM_FLAG, "ENUM"),
    (ColumnFlags::AUTO_INCREMENT_FLAG, "AUTO_INCREMENT"),
    (ColumnFlags::TIMESTAMP_FLAG, "TIMESTAMP"),
    (ColumnFlags::SET_FLAG, "SET"),
    (ColumnFlags::NO_DEFAULT_VALUE_FLAG, "NO_DEFAULT_VALUE"),
    (ColumnFlags::ON_UPDATE_NOW_FLAG, "ON_UPDATE_NOW"),
    (ColumnFlags::PART_KEY_FLAG, "PART_KEY"),
];

impl Column {
    /// Takes a line of the client's: `Length:     80`.
    pub(super) fn set(&mut self, key: &str, value: &str) -> Result<()> {
        let name = || value.trim_matches('`').to_owned();
        match key {
            "Database" => self.schema = name(),
            "Table" => self.table = name(),
            "Org_table" => self.org_table = name(),
            // MariaDB's client asks for its own extension of the types, and shows it behind them.
            "Type" => self.column_type = value.split(" (").next().unwrap_or_default().to_owned(),
            "Collation" => {
                let id = value.rsplit_once('(').and_then(|(_, id)| id.strip_suffix(')'));
                self.collation = id.context("a collation")?.parse()?;
            }
            "Length" => self.length = value.parse()?,
            "Decimals" => self.decimals = value.parse()?,
            "Flags" => {
                let flags =
                    value.split(' ').filter(|flag| !flag.is_empty() && !matches!(*flag, "NUM" | "GROUP"));
                self.flags = flags.map(str::to_owned).collect();
            }
            // The catalog, and what the client makes of the rows.
            _ => {}
        }
        Ok(())
    }

    pub(super) fn of(definition: &ColumnDefinition41<'_>) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let format = definition.format();
        let flags = FLAGS.iter().filter(|(flag, _)| format.flags.contains(*flag));
        Self {
            name: text(definition.name()),
            schema: text(definition.schema()),
            table: text(definition.table()),
            org_table: text(definition.org_table()),
            column_type: type_name(format.column_type),
            collation: format.collation,
            length: format.column_length,
            decimals: format.decimals,
            flags: flags.map(|(_, name)| (*name).to_owned()).collect(),
        }
    }
}

/// `MYSQL_TYPE_VAR_STRING` is `VAR_STRING` to the client.
fn type_name(column_type: ColumnType) -> String {
    column_type.name().trim_start_matches("MYSQL_TYPE_").to_owned()
}

/// A value as the client shows it: bytes in hex where the column has no characters.
pub(super) fn shown(definition: &ColumnDefinition41<'_>, value: &[u8]) -> String {
    const BINARY: u16 = 63;
    let format = definition.format();
    let is_binary = format.collation == BINARY
        && matches!(
            format.column_type,
            ColumnType::Bit
                | ColumnType::Blob
                | ColumnType::TinyBlob
                | ColumnType::MediumBlob
                | ColumnType::LongBlob
                | ColumnType::VarChar
                | ColumnType::VarString
                | ColumnType::String
                | ColumnType::Geometry
                | ColumnType::Vector
        );
    if !is_binary {
        return String::from_utf8_lossy(value).into_owned();
    }
    value.iter().fold("0x".to_owned(), |shown, byte| shown + &format!("{byte:02X}"))
}
