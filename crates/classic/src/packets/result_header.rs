use porpoise_wire::{Reader, WireError};

use crate::CapabilityFlags;

/// The first packet of a result set.
///
/// | type | field | condition |
/// |---|---|---|
/// | `int<lenenc>` | column_count, not 0 | |
/// | `int<1>` | metadata_follows: 0 RESULTSET_METADATA_NONE, 1 RESULTSET_METADATA_FULL | CLIENT_OPTIONAL_RESULTSET_METADATA |
///
/// Follows "MySQL Source Code Documentation: COM_QUERY Response, Text Resultset".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResultSetHeader {
    column_count: usize,
    metadata_follows: bool,
}

impl ResultSetHeader {
    /// Parses a payload.
    ///
    /// # Errors
    /// [`WireError::BadValue`] for no columns, for more than `max_columns`, and for an unknown metadata_follows;
    /// [`WireError::BadLengthEncoding`], [`WireError::Truncated`], [`WireError::TrailingBytes`].
    pub fn parse(
        payload: &[u8],
        capabilities: CapabilityFlags,
        max_columns: usize,
    ) -> Result<Self, WireError> {
        let mut r = Reader::new(payload);
        let field = "column_count";
        let value = r.lenenc_int(field)?;
        let column_count = usize::try_from(value).ok().filter(|count| (1..=max_columns).contains(count));
        let column_count = column_count.ok_or(WireError::BadValue { field, value })?;
        let metadata_follows = metadata_follows(&mut r, capabilities)?;
        r.finish()?;
        Ok(Self { column_count, metadata_follows })
    }

    /// How many columns a row has.
    #[must_use]
    pub const fn column_count(&self) -> usize {
        self.column_count
    }

    /// Whether column definitions follow.
    #[must_use]
    pub const fn metadata_follows(&self) -> bool {
        self.metadata_follows
    }
}

/// The byte that is there if, and only if, the capability was agreed on.
pub(super) fn metadata_follows(r: &mut Reader<'_>, capabilities: CapabilityFlags) -> Result<bool, WireError> {
    if !capabilities.contains(CapabilityFlags::CLIENT_OPTIONAL_RESULTSET_METADATA) {
        return Ok(true);
    }
    let field = "metadata_follows";
    match r.u8(field)? {
        0 => Ok(false),
        1 => Ok(true),
        other => Err(WireError::BadValue { field, value: other.into() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: CapabilityFlags = CapabilityFlags::empty();
    const OPTIONAL: CapabilityFlags = CapabilityFlags::CLIENT_OPTIONAL_RESULTSET_METADATA;

    #[test]
    fn the_capability_decides_whether_there_is_a_metadata_byte() {
        let parse = |payload: &[u8], capabilities| ResultSetHeader::parse(payload, capabilities, 4096);
        let header = parse(&[2], NONE).unwrap();
        assert_eq!((header.column_count(), header.metadata_follows()), (2, true));
        assert!(!parse(&[2, 0], OPTIONAL).unwrap().metadata_follows());
        assert!(parse(&[2, 1], OPTIONAL).unwrap().metadata_follows());
        assert_eq!(
            parse(&[2, 7], OPTIONAL),
            Err(WireError::BadValue { field: "metadata_follows", value: 7 })
        );
        assert!(parse(&[2], OPTIONAL).is_err());
        assert_eq!(parse(&[2, 1], NONE), Err(WireError::TrailingBytes { left: 1 }));
    }

    #[test]
    fn impossible_counts() {
        for (payload, value) in
            [(&[0][..], 0), (&[0xfc, 0x01, 0x10], 4097), (&[0xfe; 9], 0xfefe_fefe_fefe_fefe)]
        {
            let error = WireError::BadValue { field: "column_count", value };
            assert_eq!(ResultSetHeader::parse(payload, NONE, 4096), Err(error));
        }
    }
}
