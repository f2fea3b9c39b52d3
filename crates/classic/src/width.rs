use crate::ColumnType;

/// How many bytes a value of a type has in a binary row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Width {
    /// No bytes: it is NULL.
    None,
    /// As many as this.
    Fixed(u8),
    /// A byte says how many.
    Short,
    /// A length-encoded integer does.
    Lenenc,
}

/// Follows "MySQL Source Code Documentation: Binary Protocol Value".
#[inline]
pub(crate) const fn of(column_type: ColumnType) -> Width {
    match column_type {
        ColumnType::Null => Width::None,
        ColumnType::Tiny => Width::Fixed(1),
        ColumnType::Short | ColumnType::Year => Width::Fixed(2),
        // INT24 has three bytes in its name only.
        ColumnType::Long | ColumnType::Int24 | ColumnType::Float => Width::Fixed(4),
        ColumnType::LongLong | ColumnType::Double => Width::Fixed(8),
        ColumnType::Date | ColumnType::Time | ColumnType::DateTime | ColumnType::Timestamp => Width::Short,
        // Everything that is not listed, types of the future included, is a string.
        _ => Width::Lenenc,
    }
}
