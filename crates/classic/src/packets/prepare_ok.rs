use porpoise_wire::{Reader, WireError};

use super::{header, result_header};
use crate::CapabilityFlags;

/// The first packet of the reply to COM_STMT_PREPARE.
///
/// | type | field | condition |
/// |---|---|---|
/// | `int<1>` | status: 0x00 | |
/// | `int<4>` | statement_id | |
/// | `int<2>` | num_columns | |
/// | `int<2>` | num_params | |
/// | `int<1>` | reserved_1 | |
/// | `int<2>` | warning_count | |
/// | `int<1>` | metadata_follows | CLIENT_OPTIONAL_RESULTSET_METADATA |
///
/// Definitions of the parameters follow, and then those of the columns. Follows "MySQL Source Code Documentation:
/// COM_STMT_PREPARE Response".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StmtPrepareOk {
    statement_id: u32,
    num_columns: u16,
    num_params: u16,
    warnings: u16,
    metadata_follows: bool,
}

impl StmtPrepareOk {
    /// The header.
    pub const HEADER: u8 = 0x00;

    /// Parses a payload.
    ///
    /// # Errors
    /// [`WireError::BadValue`] for another header or an unknown metadata_follows, [`WireError::Truncated`],
    /// [`WireError::TrailingBytes`].
    pub fn parse(payload: &[u8], capabilities: CapabilityFlags) -> Result<Self, WireError> {
        let mut r = Reader::new(payload);
        header(&mut r, "COM_STMT_PREPARE status", &[Self::HEADER])?;
        let statement_id = r.u32("statement_id")?;
        let num_columns = r.u16("num_columns")?;
        let num_params = r.u16("num_params")?;
        r.u8("reserved_1")?;
        // Servers before 5.0 end here.
        let warnings = if r.is_empty() { 0 } else { r.u16("warning_count")? };
        let metadata_follows = result_header::metadata_follows(&mut r, capabilities)?;
        r.finish()?;
        Ok(Self { statement_id, num_columns, num_params, warnings, metadata_follows })
    }

    /// The statement's id in this session.
    #[must_use]
    pub const fn statement_id(&self) -> u32 {
        self.statement_id
    }

    /// How many columns its result has; 0 if it gives none, or if only execution tells.
    #[must_use]
    pub const fn num_columns(&self) -> u16 {
        self.num_columns
    }

    /// How many parameters it takes.
    #[must_use]
    pub const fn num_params(&self) -> u16 {
        self.num_params
    }

    /// How many warnings `SHOW WARNINGS` would list.
    #[must_use]
    pub const fn warnings(&self) -> u16 {
        self.warnings
    }

    /// Whether definitions follow.
    #[must_use]
    pub const fn metadata_follows(&self) -> bool {
        self.metadata_follows
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_come_before_parameters_in_the_header() {
        // 00 | id 7 | 2 columns | 1 parameter | reserved | 3 warnings
        let payload = [0x00, 7, 0, 0, 0, 2, 0, 1, 0, 0, 3, 0];
        let ok = StmtPrepareOk::parse(&payload, CapabilityFlags::empty()).unwrap();
        assert_eq!((ok.statement_id(), ok.num_columns(), ok.num_params(), ok.warnings()), (7, 2, 1, 3));
        assert!(ok.metadata_follows());
    }

    #[test]
    fn the_metadata_byte() {
        let capabilities = CapabilityFlags::CLIENT_OPTIONAL_RESULTSET_METADATA;
        let payload = [0x00, 7, 0, 0, 0, 2, 0, 1, 0, 0, 0, 0, 0];
        assert!(!StmtPrepareOk::parse(&payload, capabilities).unwrap().metadata_follows());
        assert!(StmtPrepareOk::parse(&payload[..12], capabilities).is_err());
        assert!(StmtPrepareOk::parse(&payload, CapabilityFlags::empty()).is_err());
    }
}
