use porpoise_wire::{Reader, WireError};

use super::header;
use crate::{CapabilityFlags, StatusFlags};

/// EOF: column definitions or rows are over, when CLIENT_DEPRECATE_EOF is not agreed on.
///
/// | type | field | condition |
/// |---|---|---|
/// | `int<1>` | header: 0xFE | |
/// | `int<2>` | warnings | CLIENT_PROTOCOL_41 |
/// | `int<2>` | status_flags | CLIENT_PROTOCOL_41 |
///
/// Warnings come first here, and last in [`OkPacket`](crate::OkPacket). Follows "MySQL Source Code Documentation:
/// EOF_Packet".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EofPacket {
    warnings: u16,
    status: StatusFlags,
}

impl EofPacket {
    /// The header.
    pub const HEADER: u8 = 0xfe;

    /// Bytes of its payload since 4.1.
    pub const LEN: usize = 5;

    /// Parses a payload.
    ///
    /// # Errors
    /// [`WireError::BadValue`] for another header, [`WireError::Truncated`].
    pub fn parse(payload: &[u8], capabilities: CapabilityFlags) -> Result<Self, WireError> {
        let mut r = Reader::new(payload);
        header(&mut r, "EOF header", &[Self::HEADER])?;
        if !capabilities.contains(CapabilityFlags::CLIENT_PROTOCOL_41) {
            return Ok(Self { warnings: 0, status: StatusFlags::empty() });
        }
        let warnings = r.u16("warnings")?;
        let status = StatusFlags::from_bits(r.u16("status_flags")?);
        Ok(Self { warnings, status })
    }

    /// How many warnings `SHOW WARNINGS` would list.
    #[must_use]
    pub const fn warnings(&self) -> u16 {
        self.warnings
    }

    /// The server's status.
    #[must_use]
    pub const fn status(&self) -> StatusFlags {
        self.status
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warnings_come_before_the_status() {
        // fe | warnings 1 | status AUTOCOMMIT
        let eof = EofPacket::parse(&[0xfe, 1, 0, 2, 0], CapabilityFlags::CLIENT_PROTOCOL_41).unwrap();
        assert_eq!((eof.warnings(), eof.status()), (1, StatusFlags::SERVER_STATUS_AUTOCOMMIT));
    }

    #[test]
    fn before_4_1_it_is_one_byte() {
        let eof = EofPacket::parse(&[0xfe], CapabilityFlags::empty()).unwrap();
        assert_eq!((eof.warnings(), eof.status().bits()), (0, 0));
        assert!(EofPacket::parse(&[0xfe], CapabilityFlags::CLIENT_PROTOCOL_41).is_err());
        assert!(EofPacket::parse(&[0x00, 1, 0, 2, 0], CapabilityFlags::CLIENT_PROTOCOL_41).is_err());
    }
}
