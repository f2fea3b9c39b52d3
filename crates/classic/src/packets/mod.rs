//! One file a packet of the command phase.

mod column_definition;
mod eof;
mod err;
mod local_infile;
mod ok;
mod prepare_ok;
mod result_header;
mod session_state;

pub use column_definition::{ColumnDefinition41, ColumnFormat};
pub use eof::EofPacket;
pub use err::ErrPacket;
pub use local_infile::LocalInfileRequest;
pub use ok::OkPacket;
pub use prepare_ok::StmtPrepareOk;
pub use result_header::ResultSetHeader;
pub use session_state::{SessionState, StateChange, TransactionState};

use porpoise_wire::{MAX_FRAME_PAYLOAD, Reader, WireError};

use crate::CapabilityFlags;
use crate::row::Encoding;

/// The fewest bytes of a row that starts with 0xFE: the length of its first cell alone has nine.
const MIN_LONG_ROW: usize = 9;

/// Reads the header byte, which must be one of a few.
fn header(r: &mut Reader<'_>, field: &'static str, allowed: &[u8]) -> Result<u8, WireError> {
    let byte = r.u8(field)?;
    if allowed.contains(&byte) { Ok(byte) } else { Err(WireError::BadValue { field, value: byte.into() }) }
}

/// Whether a packet ends rows or definitions. 0xFE may also start a text row, but only one whose first cell needs
/// a length of eight bytes; an OK packet is never larger than one frame, so that it can be told from such a row.
#[inline]
pub(crate) fn is_end(payload: &[u8], capabilities: CapabilityFlags) -> bool {
    payload.first() == Some(&EofPacket::HEADER) && is_short_end(payload.len(), capabilities)
}

/// Whether a packet that starts with 0xFE is short enough for an end.
pub(crate) const fn is_short_end(len: usize, capabilities: CapabilityFlags) -> bool {
    let ok = capabilities.contains(CapabilityFlags::CLIENT_DEPRECATE_EOF);
    if ok { len <= MAX_FRAME_PAYLOAD } else { len < MIN_LONG_ROW }
}

/// Whether a packet that comes where rows may come is one.
#[inline]
pub(crate) fn is_row(payload: &[u8], encoding: Encoding, capabilities: CapabilityFlags) -> bool {
    match (encoding, payload.first()) {
        (Encoding::Binary, first) => first == Some(&0x00),
        (Encoding::Text, Some(&EofPacket::HEADER)) => !is_end(payload, capabilities),
        (Encoding::Text, first) => first.is_some_and(|first| *first != ErrPacket::HEADER),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_row_is_no_end() {
        let none = CapabilityFlags::empty();
        let deprecate = CapabilityFlags::CLIENT_DEPRECATE_EOF;
        let mut payload = vec![0xfe; MAX_FRAME_PAYLOAD + 1];
        for (len, eof, ok) in [
            (1, true, true),
            (8, true, true),
            (9, false, true),
            (1 << 23, false, true),
            (payload.len(), false, false),
        ] {
            for (capabilities, end) in [(none, eof), (deprecate, ok)] {
                assert_eq!(is_end(&payload[..len], capabilities), end, "{len}");
                assert_eq!(is_row(&payload[..len], Encoding::Text, capabilities), !end, "{len}");
                assert!(!is_row(&payload[..len], Encoding::Binary, capabilities));
            }
        }
        payload[0] = 0xfb;
        assert!(is_row(&payload, Encoding::Text, none), "NULL in the first cell");
        assert!(!is_row(&[0xff], Encoding::Text, none));
        assert!(!is_row(&[], Encoding::Text, none));
        assert!(is_row(&[0x00], Encoding::Binary, none));
    }
}
