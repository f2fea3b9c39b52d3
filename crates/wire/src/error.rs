use std::fmt;

/// What is wrong with bytes that a peer sent. Always fatal for the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WireError {
    /// A field reaches past the end of its packet.
    Truncated {
        /// The field, by the name it has in MySQL's documentation.
        field: &'static str,
        /// Bytes the field needs.
        needed: u64,
        /// Bytes that were left.
        left: usize,
    },
    /// A length-encoded integer starts with 0xFB or 0xFF, which stand for NULL and ERR.
    BadLengthEncoding {
        /// The field.
        field: &'static str,
        /// The first byte.
        first: u8,
    },
    /// A string that must end in 0x00 does not.
    MissingTerminator {
        /// The field.
        field: &'static str,
    },
    /// A field holds a value that the protocol does not have.
    BadValue {
        /// The field.
        field: &'static str,
        /// The value.
        value: u64,
    },
    /// A string that must be UTF-8 is not.
    NotUtf8 {
        /// The field.
        field: &'static str,
    },
    /// Bytes are left where a packet should end.
    TrailingBytes {
        /// How many.
        left: usize,
    },
    /// A packet has no payload; the server never sends such a one.
    EmptyPacket,
    /// A packet is larger than the limit.
    PacketTooLarge {
        /// Its size as far as known, in bytes.
        size: usize,
        /// The limit, in bytes.
        limit: usize,
    },
    /// A packet has the wrong sequence id.
    OutOfOrder {
        /// The id it should have.
        expected: u8,
        /// The id it has.
        got: u8,
    },
    /// Behind a reply, in the same compressed frame, there is more, which no command asked for.
    Surplus {
        /// How many bytes are known of.
        left: usize,
    },
    /// A compressed frame cannot be inflated.
    Inflate {
        /// The algorithm.
        algorithm: &'static str,
    },
    /// A compressed frame inflates to more or less than it announces.
    InflatedSize {
        /// What it announces, in bytes.
        announced: usize,
        /// How far it was inflated, in bytes.
        got: usize,
    },
    /// A zstd frame needs more memory to be inflated than a packet may have.
    WindowTooLarge {
        /// What it needs, in bytes.
        size: u64,
        /// The limit, in bytes.
        limit: usize,
    },
}

impl fmt::Display for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Truncated { field, needed, left } => {
                write!(f, "field {field} needs {needed} bytes, the packet has {left} left")
            }
            Self::BadLengthEncoding { field, first } => {
                write!(f, "field {field} has no length-encoded integer: first byte 0x{first:02x}")
            }
            Self::MissingTerminator { field } => write!(f, "field {field} does not end in 0x00"),
            Self::BadValue { field, value } => write!(f, "field {field} has the impossible value {value}"),
            Self::NotUtf8 { field } => write!(f, "field {field} is not UTF-8"),
            Self::TrailingBytes { left } => write!(f, "{left} bytes are left at the end of the packet"),
            Self::EmptyPacket => f.write_str("a packet without payload"),
            Self::PacketTooLarge { size, limit } => {
                write!(f, "a packet of {size} bytes or more, the limit is {limit}")
            }
            Self::OutOfOrder { expected, got } => {
                write!(f, "packet out of order: sequence id {expected} expected, {got} came")
            }
            Self::Surplus { left } => write!(f, "{left} bytes behind a reply, which no command asked for"),
            Self::Inflate { algorithm } => write!(f, "a compressed frame is no valid {algorithm} data"),
            Self::InflatedSize { announced, got } if got > announced => {
                write!(f, "a compressed frame inflates to more than the {announced} bytes it announces")
            }
            Self::InflatedSize { announced, got } => {
                write!(f, "a compressed frame inflates to {got} bytes, it announces {announced}")
            }
            Self::WindowTooLarge { size, limit } => {
                write!(f, "a zstd frame needs {size} bytes to be inflated, the limit is {limit}")
            }
        }
    }
}

impl std::error::Error for WireError {}

impl WireError {
    /// The client error number that MySQL's own library gives for it (`CR_*`).
    #[must_use]
    pub const fn client_error(&self) -> u16 {
        match self {
            Self::PacketTooLarge { .. } => 2020,
            Self::EmptyPacket
            | Self::OutOfOrder { .. }
            | Self::Surplus { .. }
            | Self::Inflate { .. }
            | Self::InflatedSize { .. }
            | Self::WindowTooLarge { .. } => 2013,
            _ => 2027,
        }
    }
}
