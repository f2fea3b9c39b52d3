use std::fmt;
use std::iter::FusedIterator;

use porpoise_wire::{Reader, WireError};

const SYSTEM_VARIABLES: u64 = 0;
const SCHEMA: u64 = 1;
const STATE_CHANGE: u64 = 2;
const GTIDS: u64 = 3;
const TRANSACTION_CHARACTERISTICS: u64 = 4;
const TRANSACTION_STATE: u64 = 5;

/// Changes of the session state that an OK packet carries: reads them one by one, when asked.
///
/// Each is `int<lenenc>` type and `string<lenenc>` data; the data depends on the type:
///
/// | type | data |
/// |---|---|
/// | 0 SESSION_TRACK_SYSTEM_VARIABLES | pairs of `string<lenenc>` name and value; MySQL sends one pair |
/// | 1 SESSION_TRACK_SCHEMA | `string<lenenc>` |
/// | 2 SESSION_TRACK_STATE_CHANGE | the character `1` or `0`, without a length |
/// | 3 SESSION_TRACK_GTIDS | `int<lenenc>` encoding, `string<lenenc>` |
/// | 4 SESSION_TRACK_TRANSACTION_CHARACTERISTICS | `string<lenenc>` |
/// | 5 SESSION_TRACK_TRANSACTION_STATE | `string<lenenc>` of 8 characters |
///
/// Follows "MySQL Source Code Documentation: OK_Packet, Session State Information". Iteration ends after an error.
#[derive(Clone, Debug)]
pub struct SessionState<'a> {
    entries: Reader<'a>,
    variables: Reader<'a>,
}

/// One change of the session state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StateChange<'a> {
    /// A system variable has a new value.
    #[non_exhaustive]
    SystemVariable {
        /// Its name.
        name: &'a [u8],
        /// Its value as text.
        value: &'a [u8],
    },
    /// Another default database; empty if there is none now.
    Schema(&'a [u8]),
    /// Whether something of the session's state changed that a new connection would lack.
    StateChange(bool),
    /// GTIDs of what was committed.
    #[non_exhaustive]
    Gtids {
        /// How they are written; 0 is the only known way.
        encoding: u64,
        /// The GTID set as text.
        text: &'a [u8],
    },
    /// SQL that begins the active transaction elsewhere; empty if there is none.
    TransactionCharacteristics(&'a [u8]),
    /// The state of the active transaction.
    TransactionState(TransactionState<'a>),
    /// A type that this list does not know.
    #[non_exhaustive]
    Unknown {
        /// The type.
        kind: u64,
        /// Its data.
        data: &'a [u8],
    },
}

/// What a transaction has done so far, in 8 characters: `T_R_____`.
///
/// | position | character | meaning |
/// |---|---|---|
/// | 0 | `T`, `I` | begun by START TRANSACTION, or by a statement without autocommit |
/// | 1 | `r` | read tables that know no transactions |
/// | 2 | `R` | read tables that do |
/// | 3 | `w` | wrote to tables that know no transactions |
/// | 4 | `W` | wrote to tables that do |
/// | 5 | `s` | ran a statement that is unsafe to repeat elsewhere, such as one with `RAND()` |
/// | 6 | `S` | sent a result set |
/// | 7 | `L` | locked tables |
///
/// `_` in place of a character: no. Follows "MySQL Reference Manual: Server Tracking of Client Session State".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TransactionState<'a>(&'a [u8]);

impl<'a> TransactionState<'a> {
    /// The characters as they came.
    #[must_use]
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.0
    }

    fn has(&self, position: usize, character: u8) -> bool {
        self.0.get(position) == Some(&character)
    }

    /// Whether there is a transaction.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.is_explicit() || self.is_implicit()
    }

    /// Whether it was begun by START TRANSACTION or BEGIN.
    #[must_use]
    pub fn is_explicit(&self) -> bool {
        self.has(0, b'T')
    }

    /// Whether it was begun by a statement, because autocommit is off.
    #[must_use]
    pub fn is_implicit(&self) -> bool {
        self.has(0, b'I')
    }

    /// Whether it has read from tables, transactional or not.
    #[must_use]
    pub fn has_read(&self) -> bool {
        self.has(1, b'r') || self.has(2, b'R')
    }

    /// Whether it has written to tables that know transactions: what a rollback would undo.
    #[must_use]
    pub fn has_written(&self) -> bool {
        self.has(4, b'W')
    }

    /// Whether it has written to tables that know none: what no rollback undoes.
    #[must_use]
    pub fn has_written_for_good(&self) -> bool {
        self.has(3, b'w')
    }

    /// Whether it ran a statement that is unsafe to repeat elsewhere.
    #[must_use]
    pub fn is_unsafe(&self) -> bool {
        self.has(5, b's')
    }

    /// Whether it has sent a result set.
    #[must_use]
    pub fn has_sent_results(&self) -> bool {
        self.has(6, b'S')
    }

    /// Whether tables are locked by LOCK TABLES.
    #[must_use]
    pub fn has_locked_tables(&self) -> bool {
        self.has(7, b'L')
    }
}

impl fmt::Display for TransactionState<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.escape_ascii().fmt(f)
    }
}

impl<'a> SessionState<'a> {
    /// Reads the data of an OK packet's session state field.
    #[must_use]
    pub const fn new(data: &'a [u8]) -> Self {
        Self { entries: Reader::new(data), variables: Reader::new(&[]) }
    }

    /// Whether no changes are left.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.variables.is_empty()
    }

    fn read(&mut self) -> Result<Option<StateChange<'a>>, WireError> {
        loop {
            if !self.variables.is_empty() {
                let name = self.variables.lenenc_bytes("system variable name")?;
                let value = self.variables.lenenc_bytes("system variable value")?;
                return Ok(Some(StateChange::SystemVariable { name, value }));
            }
            if self.entries.is_empty() {
                return Ok(None);
            }
            let kind = self.entries.lenenc_int("session state type")?;
            let data = self.entries.lenenc_bytes("session state data")?;
            let mut r = Reader::new(data);
            return Ok(Some(match kind {
                SYSTEM_VARIABLES => {
                    self.variables = r;
                    continue;
                }
                SCHEMA => StateChange::Schema(r.lenenc_bytes("schema")?),
                STATE_CHANGE => StateChange::StateChange(r.u8("state change")? == b'1'),
                GTIDS => StateChange::Gtids {
                    encoding: r.lenenc_int("gtids encoding")?,
                    text: r.lenenc_bytes("gtids")?,
                },
                TRANSACTION_CHARACTERISTICS => {
                    StateChange::TransactionCharacteristics(r.lenenc_bytes("transaction characteristics")?)
                }
                TRANSACTION_STATE => {
                    StateChange::TransactionState(TransactionState(r.lenenc_bytes("transaction state")?))
                }
                kind => StateChange::Unknown { kind, data },
            }));
        }
    }
}

impl<'a> Iterator for SessionState<'a> {
    type Item = Result<StateChange<'a>, WireError>;

    fn next(&mut self) -> Option<Self::Item> {
        let change = self.read();
        if change.is_err() {
            *self = Self::new(&[]);
        }
        change.transpose()
    }
}

impl FusedIterator for SessionState<'_> {}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop_assert, proptest};

    use super::*;

    #[test]
    fn every_type_as_servers_send_it() {
        let data = [
            &b"\x00\x0f\x0aautocommit\x03OFF"[..], // system variable
            b"\x01\x06\x05mysql",                  // schema
            b"\x01\x01\x00",                       // no schema
            b"\x02\x011",                          // state change: a bare character
            b"\x03\x05\x00\x03u:1",                // gtids
            b"\x04\x01\x00",                       // transaction characteristics: reset
            b"\x05\x09\x08T_R_____",               // transaction state
            b"\x63\x02ab",                         // a type of the future
            b"\x00\x08\x01a\x01b\x01c\x01d",       // two pairs in one entry
        ]
        .concat();
        let changes: Result<Vec<_>, _> = SessionState::new(&data).collect();
        assert_eq!(
            changes.unwrap(),
            [
                StateChange::SystemVariable { name: b"autocommit", value: b"OFF" },
                StateChange::Schema(b"mysql"),
                StateChange::Schema(b""),
                StateChange::StateChange(true),
                StateChange::Gtids { encoding: 0, text: b"u:1" },
                StateChange::TransactionCharacteristics(b""),
                StateChange::TransactionState(TransactionState(b"T_R_____")),
                StateChange::Unknown { kind: 0x63, data: b"ab" },
                StateChange::SystemVariable { name: b"a", value: b"b" },
                StateChange::SystemVariable { name: b"c", value: b"d" },
            ]
        );
    }

    #[test]
    fn what_a_transaction_did() {
        let all = TransactionState(b"TrRwWsSL");
        assert!(all.is_explicit() && all.is_active() && all.has_read() && all.has_written());
        assert!(all.has_written_for_good() && all.is_unsafe() && all.has_sent_results());
        assert!(all.has_locked_tables() && !all.is_implicit());
        assert_eq!(all.to_string(), "TrRwWsSL");
        assert!(TransactionState(b"I_______").is_implicit() && TransactionState(b"I_______").is_active());
        assert!(TransactionState(b"Tr______").has_read() && TransactionState(b"T_R_____").has_read());
        for none in [&b"________"[..], b"", b"________TrRwWsSL", b"L"] {
            let none = TransactionState(none);
            assert!(!none.is_active() && !none.has_read() && !none.has_written() && !none.is_unsafe());
            assert!(!none.has_written_for_good() && !none.has_sent_results() && !none.has_locked_tables());
        }
    }

    #[test]
    fn it_is_empty_when_all_is_read() {
        // one entry of two pairs
        let mut state = SessionState::new(b"\x00\x08\x01a\x01b\x01c\x01d");
        for left in [false, true] {
            assert!(!state.is_empty());
            assert!(matches!(state.next(), Some(Ok(StateChange::SystemVariable { .. }))));
            assert_eq!(state.is_empty(), left);
        }
    }

    #[test]
    fn an_error_ends_it() {
        // SCHEMA with data of 1 byte that promises 9 more; a good entry follows
        let mut state = SessionState::new(b"\x01\x01\x09\x01\x01\x00");
        assert!(matches!(state.next(), Some(Err(WireError::Truncated { field: "schema", .. }))));
        assert_eq!(state.next(), None);
    }

    proptest! {
        #[test]
        fn any_bytes_end(data in any::<Vec<u8>>()) {
            prop_assert!(SessionState::new(&data).count() <= data.len() + 1);
        }
    }
}
