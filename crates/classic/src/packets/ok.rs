use porpoise_wire::{Reader, WireError};

use super::{SessionState, header};
use crate::{CapabilityFlags, StatusFlags};

/// OK: a command succeeded, or, with the header 0xFE, a result set is over.
///
/// | type | field | condition |
/// |---|---|---|
/// | `int<1>` | header: 0x00, or 0xFE in place of EOF | |
/// | `int<lenenc>` | affected_rows | means nothing with the header 0xFE |
/// | `int<lenenc>` | last_insert_id | means nothing with the header 0xFE |
/// | `int<2>` | status_flags | CLIENT_PROTOCOL_41 or CLIENT_TRANSACTIONS |
/// | `int<2>` | warnings | CLIENT_PROTOCOL_41 |
/// | `string<lenenc>` | info | if bytes are left |
/// | `string<lenenc>` | session state | CLIENT_SESSION_TRACK and SERVER_SESSION_STATE_CHANGED |
///
/// Follows "MySQL Source Code Documentation: OK_Packet". Real servers differ from it: they leave `info` out when
/// there is neither info nor state, and send its length also without CLIENT_SESSION_TRACK, where the page has a
/// `string<EOF>`. Both forms are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OkPacket<'a> {
    affected_rows: u64,
    last_insert_id: u64,
    status: StatusFlags,
    warnings: u16,
    info: &'a [u8],
    state: &'a [u8],
}

impl<'a> OkPacket<'a> {
    /// The header of a command that succeeded.
    pub const HEADER: u8 = 0x00;
    /// The header in place of EOF, under CLIENT_DEPRECATE_EOF.
    pub const HEADER_EOF: u8 = 0xfe;

    /// Parses a payload.
    ///
    /// # Errors
    /// [`WireError::BadValue`] for another header, [`WireError::Truncated`] and [`WireError::BadLengthEncoding`]
    /// for fields that do not fit. The session state is not looked into: [`SessionState`] does that.
    #[inline]
    pub fn parse(payload: &'a [u8], capabilities: CapabilityFlags) -> Result<Self, WireError> {
        match *payload {
            // What most commands are answered with: small numbers, and nothing worth telling.
            [
                Self::HEADER | Self::HEADER_EOF,
                rows @ ..0xfb,
                id @ ..0xfb,
                status_low,
                status_high,
                warnings_low,
                warnings_high,
            ] if capabilities.contains(CapabilityFlags::CLIENT_PROTOCOL_41) => Ok(Self {
                affected_rows: rows.into(),
                last_insert_id: id.into(),
                status: StatusFlags::from_bits(u16::from_le_bytes([status_low, status_high])),
                warnings: u16::from_le_bytes([warnings_low, warnings_high]),
                info: &[],
                state: &[],
            }),
            _ => Self::parse_any(payload, capabilities),
        }
    }

    fn parse_any(payload: &'a [u8], capabilities: CapabilityFlags) -> Result<Self, WireError> {
        let mut r = Reader::new(payload);
        header(&mut r, "OK header", &[Self::HEADER, Self::HEADER_EOF])?;
        let affected_rows = r.lenenc_int("affected_rows")?;
        let last_insert_id = r.lenenc_int("last_insert_id")?;
        let modern = capabilities.contains(CapabilityFlags::CLIENT_PROTOCOL_41);
        let status = if modern || capabilities.contains(CapabilityFlags::CLIENT_TRANSACTIONS) {
            StatusFlags::from_bits(r.u16("status_flags")?)
        } else {
            StatusFlags::empty()
        };
        let warnings = if modern { r.u16("warnings")? } else { 0 };
        let (mut info, mut state): (&[u8], &[u8]) = (&[], &[]);
        if r.is_empty() {
            // The common case of a statement that changes nothing worth telling.
        } else if capabilities.contains(CapabilityFlags::CLIENT_SESSION_TRACK) {
            info = r.lenenc_bytes("info")?;
            if status.contains(StatusFlags::SERVER_SESSION_STATE_CHANGED) && !r.is_empty() {
                state = r.lenenc_bytes("session_state_info")?;
            }
        } else {
            info = untracked_info(r);
        }
        Ok(Self { affected_rows, last_insert_id, status, warnings, info, state })
    }

    /// Rows that the statement changed, or matched under CLIENT_FOUND_ROWS.
    #[must_use]
    pub const fn affected_rows(&self) -> u64 {
        self.affected_rows
    }

    /// The first AUTO_INCREMENT value that the statement made; 0 if none.
    #[must_use]
    pub const fn last_insert_id(&self) -> u64 {
        self.last_insert_id
    }

    /// The server's status.
    #[must_use]
    pub const fn status(&self) -> StatusFlags {
        self.status
    }

    /// How many warnings `SHOW WARNINGS` would list.
    #[must_use]
    pub const fn warnings(&self) -> u16 {
        self.warnings
    }

    /// A text for people, such as `Rows matched: 2  Changed: 0  Warnings: 0`.
    #[must_use]
    pub const fn info(&self) -> &'a [u8] {
        self.info
    }

    /// Changes of the session state.
    #[must_use]
    pub const fn session_state(&self) -> SessionState<'a> {
        SessionState::new(self.state)
    }

    pub(crate) const fn state_bytes(&self) -> &'a [u8] {
        self.state
    }
}

/// The info of a server that tracks no state: with its length as servers send it, or bare as documented.
fn untracked_info(r: Reader<'_>) -> &[u8] {
    let mut counted = r;
    match counted.lenenc_bytes("info") {
        Ok(info) if counted.is_empty() => info,
        _ => { r }.rest(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, proptest};

    use super::*;
    use crate::StateChange;

    const TRACK: CapabilityFlags =
        CapabilityFlags::CLIENT_PROTOCOL_41.union(CapabilityFlags::CLIENT_SESSION_TRACK);

    #[test]
    fn the_shortest_ok() {
        // header | affected_rows 0 | last_insert_id 0 | status AUTOCOMMIT | warnings 0
        let payload = [0x00, 0x00, 0x00, 0x02, 0x00, 0x00, 0x00];
        for capabilities in [TRACK, CapabilityFlags::CLIENT_PROTOCOL_41] {
            let ok = OkPacket::parse(&payload, capabilities).unwrap();
            assert_eq!(ok.status(), StatusFlags::SERVER_STATUS_AUTOCOMMIT);
            assert_eq!((ok.affected_rows(), ok.last_insert_id(), ok.warnings()), (0, 0, 0));
            assert_eq!(ok.info(), b"");
            assert_eq!(ok.session_state().count(), 0);
        }
    }

    #[test]
    fn info_and_session_state() {
        // affected_rows 300 (fc 2c 01) | last_insert_id 7 | status AUTOCOMMIT|STATE_CHANGED | warnings 1
        // | info "hi" | state of 7 bytes: SCHEMA (1), 5 bytes of data, les "test"
        let payload = b"\x00\xfc\x2c\x01\x07\x02\x40\x01\x00\x02hi\x07\x01\x05\x04test";
        let ok = OkPacket::parse(payload, TRACK).unwrap();
        assert_eq!((ok.affected_rows(), ok.last_insert_id(), ok.warnings()), (300, 7, 1));
        assert_eq!(ok.info(), b"hi");
        let state: Vec<_> = ok.session_state().collect();
        assert_eq!(state, [Ok(StateChange::Schema(b"test"))]);
        // A state that reaches past the packet.
        assert!(OkPacket::parse(&payload[..payload.len() - 1], TRACK).is_err());
    }

    #[test]
    fn the_status_decides_whether_there_is_a_state() {
        // The flag is set, but nothing follows the info.
        let ok = OkPacket::parse(b"\x00\x00\x00\x02\x40\x00\x00\x02hi", TRACK).unwrap();
        assert_eq!((ok.info(), ok.session_state().count()), (&b"hi"[..], 0));
        // The flag is not set: what follows is nobody's business.
        let ok = OkPacket::parse(b"\x00\x00\x00\x02\x00\x00\x00\x02hi\x09", TRACK).unwrap();
        assert_eq!((ok.info(), ok.session_state().count()), (&b"hi"[..], 0));
    }

    #[test]
    fn info_without_session_track_with_and_without_its_length() {
        let capabilities = CapabilityFlags::CLIENT_PROTOCOL_41;
        for payload in [&b"\x00\x02\x00\x02\x00\x00\x00\x04info"[..], b"\x00\x02\x00\x02\x00\x00\x00info"] {
            assert_eq!(OkPacket::parse(payload, capabilities).unwrap().info(), b"info");
        }
    }

    #[test]
    fn before_4_1_there_are_no_warnings() {
        let ok = OkPacket::parse(b"\x00\x01\x02", CapabilityFlags::empty()).unwrap();
        assert_eq!((ok.affected_rows(), ok.last_insert_id()), (1, 2));
        let ok = OkPacket::parse(b"\x00\x01\x02\x03\x00", CapabilityFlags::CLIENT_TRANSACTIONS).unwrap();
        assert_eq!(ok.status().bits(), 3);
    }

    #[test]
    fn other_headers_are_refused() {
        assert_eq!(
            OkPacket::parse(&[0xff; 9], TRACK),
            Err(WireError::BadValue { field: "OK header", value: 0xff })
        );
        assert!(OkPacket::parse(&[], TRACK).is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(mut payload in any::<Vec<u8>>(), capabilities in any::<u32>()) {
            payload.insert(0, 0);
            if let Ok(ok) = OkPacket::parse(&payload, CapabilityFlags::from_bits(capabilities)) {
                let _ = ok.session_state().count();
            }
        }
    }
}
