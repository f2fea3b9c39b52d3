use std::fmt;

/// What the values of a column are.
///
/// A protocol derives it from the column's definition: in the classic protocol from type, flags and collation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// Nothing but NULL.
    Null,
    /// TINYINT to BIGINT; BOOLEAN is a TINYINT.
    Int {
        /// 8, 16, 24, 32 or 64.
        bits: u8,
        /// Without sign.
        unsigned: bool,
    },
    /// FLOAT.
    Float,
    /// DOUBLE.
    Double,
    /// DECIMAL.
    Decimal,
    /// CHAR, VARCHAR, TEXT, in UTF-8 or in ASCII.
    Text,
    /// Text in another character set of the connection: readable as bytes only.
    OtherText,
    /// BINARY, VARBINARY, BLOB, and types that are not known.
    Bytes,
    /// DATE.
    Date,
    /// DATETIME.
    DateTime,
    /// TIMESTAMP: as DATETIME, in the time zone of the session.
    Timestamp,
    /// TIME.
    Time,
    /// YEAR.
    Year,
    /// BIT.
    Bit,
    /// JSON.
    Json,
    /// ENUM, by name.
    Enum,
    /// SET: names with commas between.
    Set,
    /// DECIMAL, packed as in the X Protocol.
    PackedDecimal,
    /// SET, member by member as in the X Protocol.
    SetMembers,
    /// A geometry of any type.
    Geometry,
    /// VECTOR.
    Vector,
}

impl Kind {
    /// Whether the values are integers: [`Int`](Self::Int) or [`Year`](Self::Year).
    #[must_use]
    pub const fn is_int(self) -> bool {
        matches!(self, Self::Int { .. } | Self::Year)
    }

    /// Whether the values are DECIMALs: [`Decimal`](Self::Decimal) or [`PackedDecimal`](Self::PackedDecimal).
    #[must_use]
    pub const fn is_decimal(self) -> bool {
        matches!(self, Self::Decimal | Self::PackedDecimal)
    }

    /// Whether the values are text in UTF-8: [`Text`](Self::Text), [`Enum`](Self::Enum), [`Set`](Self::Set) or
    /// [`Json`](Self::Json).
    #[must_use]
    pub const fn is_text(self) -> bool {
        matches!(self, Self::Text | Self::Enum | Self::Set | Self::Json)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::Null => "NULL",
            Self::Int { bits, unsigned } => {
                let name = match bits {
                    8 => "TINYINT",
                    16 => "SMALLINT",
                    24 => "MEDIUMINT",
                    32 => "INT",
                    _ => "BIGINT",
                };
                return f.pad(&format!("{name}{}", if *unsigned { " UNSIGNED" } else { "" }));
            }
            Self::Float => "FLOAT",
            Self::Double => "DOUBLE",
            Self::Decimal | Self::PackedDecimal => "DECIMAL",
            Self::Text => "text",
            Self::OtherText => "text that is not UTF-8",
            Self::Bytes => "bytes",
            Self::Date => "DATE",
            Self::DateTime => "DATETIME",
            Self::Timestamp => "TIMESTAMP",
            Self::Time => "TIME",
            Self::Year => "YEAR",
            Self::Bit => "BIT",
            Self::Json => "JSON",
            Self::Enum => "ENUM",
            Self::Set | Self::SetMembers => "SET",
            Self::Geometry => "GEOMETRY",
            Self::Vector => "VECTOR",
        };
        f.pad(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_sql() {
        assert_eq!(Kind::Int { bits: 24, unsigned: true }.to_string(), "MEDIUMINT UNSIGNED");
        assert_eq!(Kind::Int { bits: 8, unsigned: false }.to_string(), "TINYINT");
        assert_eq!(format!("{:>6}", Kind::Date), "  DATE");
        assert!(Kind::Year.is_int() && Kind::Enum.is_text() && !Kind::Bit.is_int());
    }
}
