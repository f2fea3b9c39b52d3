use std::borrow::Cow;
use std::fmt;

use porpoise_wire::{Reader, WireError};

use super::header;
use crate::{CapabilityFlags, ClientError};

/// The SQLSTATE of errors that have none of their own.
const GENERAL_ERROR: [u8; 5] = *b"HY000";

/// Bytes of a message that are kept.
const MAX_MESSAGE: usize = 16 << 10;

/// ERR: the server could not do what was asked.
///
/// | type | field | condition |
/// |---|---|---|
/// | `int<1>` | header: 0xFF | |
/// | `int<2>` | error_code | |
/// | `string<1>` | `#` | CLIENT_PROTOCOL_41, and the byte is there |
/// | `string<5>` | sql_state | as before |
/// | `string<EOF>` | error_message, in `character_set_results` | |
///
/// Follows "MySQL Source Code Documentation: ERR_Packet". A server that has no capabilities yet sends no SQLSTATE,
/// and so do some later ones: the byte is tested. Without one it is `HY000`, as in MySQL's own library.
/// A packet of three bytes or less is the unknown error 2000, as in MySQL's own library. MySQL's messages have up to
/// 512 bytes; of longer ones the first 16 KiB are kept.
#[derive(Clone, PartialEq, Eq)]
pub struct ErrPacket {
    code: u16,
    sqlstate: [u8; 5],
    message: Box<[u8]>,
}

impl ErrPacket {
    /// The header.
    pub const HEADER: u8 = 0xff;

    /// Parses a payload. Copies the message.
    ///
    /// # Errors
    /// [`WireError::BadValue`] for another header, [`WireError::Truncated`] for an empty payload.
    pub fn parse(payload: &[u8], capabilities: CapabilityFlags) -> Result<Self, WireError> {
        let mut r = Reader::new(payload);
        header(&mut r, "ERR header", &[Self::HEADER])?;
        let (Ok(code), false) = (r.u16("error_code"), r.is_empty()) else {
            return Ok(Self {
                code: ClientError::CR_UNKNOWN_ERROR,
                sqlstate: GENERAL_ERROR,
                message: Box::default(),
            });
        };
        let sqlstate =
            if capabilities.contains(CapabilityFlags::CLIENT_PROTOCOL_41) { sqlstate(&mut r) } else { None };
        let sqlstate = sqlstate.unwrap_or(GENERAL_ERROR);
        let message = r.rest();
        Ok(Self { code, sqlstate, message: message.get(..MAX_MESSAGE).unwrap_or(message).into() })
    }

    /// The error number: 1045.
    #[must_use]
    pub const fn code(&self) -> u16 {
        self.code
    }

    /// The SQLSTATE, five characters: `28000`.
    #[must_use]
    pub fn sqlstate(&self) -> &str {
        std::str::from_utf8(&self.sqlstate).unwrap_or("HY000")
    }

    /// The message. Bytes that are not UTF-8 are shown as U+FFFD.
    #[must_use]
    pub fn message(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.message)
    }

    /// The message in the character set that the connection has for results.
    #[must_use]
    pub fn message_bytes(&self) -> &[u8] {
        &self.message
    }
}

/// Takes `#` and five characters; whatever else is there belongs to the message.
fn sqlstate(r: &mut Reader<'_>) -> Option<[u8; 5]> {
    let mut marked = *r;
    if marked.u8("sql_state_marker") != Ok(b'#') {
        return None;
    }
    let state: [u8; 5] = marked.array("sql_state").ok()?;
    if !state.iter().all(u8::is_ascii_alphanumeric) {
        return None;
    }
    *r = marked;
    Some(state)
}

impl fmt::Debug for ErrPacket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ErrPacket")
            .field("code", &self.code)
            .field("sqlstate", &self.sqlstate())
            .field("message", &self.message())
            .finish()
    }
}

impl fmt::Display for ErrPacket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ERROR {} ({}): {}", self.code, self.sqlstate(), self.message())
    }
}

impl std::error::Error for ErrPacket {}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, proptest};

    use super::*;

    const P41: CapabilityFlags = CapabilityFlags::CLIENT_PROTOCOL_41;

    #[test]
    fn with_sqlstate() {
        // ff | 1064 | '#' "42000" | message
        let err = ErrPacket::parse(b"\xff\x28\x04#42000syntax", P41).unwrap();
        assert_eq!((err.code(), err.sqlstate(), &*err.message()), (1064, "42000", "syntax"));
        assert_eq!(err.to_string(), "ERROR 1064 (42000): syntax");
    }

    #[test]
    fn without_sqlstate_the_whole_text_is_the_message() {
        // ff | 1040 | message: an ERR in place of the greeting
        for capabilities in [P41, CapabilityFlags::empty()] {
            let err = ErrPacket::parse(b"\xff\x10\x04Too many connections", capabilities).unwrap();
            assert_eq!(
                (err.code(), err.sqlstate(), &*err.message()),
                (1040, "HY000", "Too many connections")
            );
        }
        // A '#' with too little behind it, or with what no SQLSTATE has.
        for text in ["#420", "#42 00 x"] {
            let payload = [b"\xff\xff\xff", text.as_bytes()].concat();
            let err = ErrPacket::parse(&payload, P41).unwrap();
            assert_eq!((err.code(), err.sqlstate(), &*err.message()), (0xffff, "HY000", text));
        }
    }

    #[test]
    fn too_short_for_a_code_is_the_unknown_error() {
        for payload in [&b"\xff"[..], b"\xff\x10", b"\xff\x10\x04"] {
            let err = ErrPacket::parse(payload, P41).unwrap();
            assert_eq!((err.code(), err.sqlstate(), &*err.message()), (2000, "HY000", ""));
        }
        assert!(ErrPacket::parse(b"", P41).is_err());
        assert!(ErrPacket::parse(b"\x00\x10\x04x", P41).is_err());
    }

    #[test]
    fn endless_messages_are_cut() {
        for (len, kept) in [(MAX_MESSAGE, MAX_MESSAGE), (MAX_MESSAGE + 1, MAX_MESSAGE)] {
            let payload = [&b"\xff\x28\x04#42000"[..], &vec![b'x'; len]].concat();
            assert_eq!(ErrPacket::parse(&payload, P41).unwrap().message_bytes().len(), kept);
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(mut payload in any::<Vec<u8>>(), capabilities in any::<u32>()) {
            payload.insert(0, 0xff);
            let err = ErrPacket::parse(&payload, CapabilityFlags::from_bits(capabilities)).unwrap();
            let _ = format!("{err} {err:?}");
        }
    }
}
