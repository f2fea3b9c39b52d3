//! From a cell's bytes to its value.

pub(crate) mod binary;
mod digits;
pub(crate) mod quick;
pub(crate) mod text;

use porpoise_value::{ConvertError, Kind};
use porpoise_wire::WireError;

use crate::{Collation, ColumnFlags, ColumnFormat, ColumnType};

/// Why a cell has no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The row cannot be taken apart.
    Wire(WireError),
    /// This cell's bytes are not what its kind has, or it does not fit.
    Cell(ConvertError),
}

impl From<WireError> for Fault {
    fn from(error: WireError) -> Self {
        Self::Wire(error)
    }
}

impl From<ConvertError> for Fault {
    fn from(error: ConvertError) -> Self {
        Self::Cell(error)
    }
}

/// The collation of bytes.
const BINARY: u16 = 63;
/// utf8mb3_general_ci, utf8mb4_general_ci, utf8mb4_unicode_ci, utf8mb4_0900_ai_ci: what connections use.
const USUAL: [u16; 4] = [33, 45, 224, 255];

impl ColumnFormat {
    /// What the column's values are.
    ///
    /// | type | kind |
    /// |---|---|
    /// | CHAR, VARCHAR, TEXT and BLOB types | with ENUM_FLAG `Enum`, with SET_FLAG `Set`; with collation 63 `Bytes`; in utf8mb4, utf8mb3 or ascii `Text`, else `OtherText` |
    /// | INVALID, BOOL, TYPED_ARRAY, those of binary logs and of the future | `Bytes` |
    /// | all else | that of the type |
    #[must_use]
    pub fn kind(&self) -> Kind {
        let unsigned = self.flags.contains(ColumnFlags::UNSIGNED_FLAG);
        let int = |bits| Kind::Int { bits, unsigned };
        match self.column_type {
            ColumnType::Tiny => int(8),
            ColumnType::Short => int(16),
            ColumnType::Int24 => int(24),
            ColumnType::Long => int(32),
            ColumnType::LongLong => int(64),
            ColumnType::Float => Kind::Float,
            ColumnType::Double => Kind::Double,
            ColumnType::Decimal | ColumnType::NewDecimal => Kind::Decimal,
            ColumnType::Null => Kind::Null,
            ColumnType::Timestamp => Kind::Timestamp,
            ColumnType::DateTime => Kind::DateTime,
            ColumnType::Date => Kind::Date,
            ColumnType::Time => Kind::Time,
            ColumnType::Year => Kind::Year,
            ColumnType::Bit => Kind::Bit,
            // Its collation is 63, and it is text all the same.
            ColumnType::Json => Kind::Json,
            ColumnType::Geometry => Kind::Geometry,
            ColumnType::Vector => Kind::Vector,
            ColumnType::Enum => self.text(Kind::Enum),
            ColumnType::Set => self.text(Kind::Set),
            ColumnType::VarChar
            | ColumnType::VarString
            | ColumnType::String
            | ColumnType::TinyBlob
            | ColumnType::MediumBlob
            | ColumnType::LongBlob
            | ColumnType::Blob => self.string(),
            _ => Kind::Bytes,
        }
    }

    fn string(&self) -> Kind {
        if self.flags.contains(ColumnFlags::ENUM_FLAG) {
            self.text(Kind::Enum)
        } else if self.flags.contains(ColumnFlags::SET_FLAG) {
            self.text(Kind::Set)
        } else if self.collation == BINARY {
            Kind::Bytes
        } else {
            self.text(Kind::Text)
        }
    }

    /// `kind`, if the character set is UTF-8 or a part of it.
    fn text(&self, kind: Kind) -> Kind {
        let utf8 = USUAL.contains(&self.collation)
            || self.collation == BINARY
            || Collation::by_id(self.collation)
                .is_none_or(|collation| matches!(collation.charset, "utf8mb4" | "utf8mb3" | "ascii"));
        if utf8 { kind } else { Kind::OtherText }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(column_type: ColumnType, flags: ColumnFlags, collation: u16) -> Kind {
        ColumnFormat { collation, column_length: 0, column_type, flags, decimals: 0 }.kind()
    }

    #[test]
    fn flags_and_collations_decide() {
        let (none, unsigned) = (ColumnFlags::empty(), ColumnFlags::UNSIGNED_FLAG);
        assert_eq!(kind(ColumnType::Int24, unsigned, 63), Kind::Int { bits: 24, unsigned: true });
        assert_eq!(kind(ColumnType::Blob, ColumnFlags::BLOB_FLAG, 255), Kind::Text);
        assert_eq!(kind(ColumnType::Blob, ColumnFlags::BLOB_FLAG, 63), Kind::Bytes);
        // A binary collation of text is text: utf8mb4_bin.
        assert_eq!(kind(ColumnType::VarString, ColumnFlags::BINARY_FLAG, 46), Kind::Text);
        assert_eq!(kind(ColumnType::VarString, none, 8), Kind::OtherText);
        assert_eq!(kind(ColumnType::VarString, none, 11), Kind::Text);
        assert_eq!(kind(ColumnType::String, ColumnFlags::ENUM_FLAG, 255), Kind::Enum);
        assert_eq!(kind(ColumnType::String, ColumnFlags::SET_FLAG, 8), Kind::OtherText);
        assert_eq!(kind(ColumnType::Json, ColumnFlags::BLOB_FLAG, 63), Kind::Json);
        assert_eq!(kind(ColumnType::Unknown(100), none, 255), Kind::Bytes);
        assert_eq!(kind(ColumnType::NewDate, none, 63), Kind::Bytes);
    }
}
