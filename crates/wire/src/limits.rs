/// What a peer may make this side hold.
///
/// A length that a peer sends is compared with these before it is trusted or reserved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// The largest logical packet that is accepted, in bytes (`max-allowed-packet`).
    pub max_packet: usize,
    /// The largest packet before authentication is over, in bytes. A greeting has some 80 bytes, a server's RSA
    /// key some 500; nobody who is not authenticated has a use for more.
    pub max_handshake_packet: usize,
    /// How many packets a server may send in one authentication exchange.
    pub max_auth_rounds: u32,
    /// How many bytes a server may send in one authentication exchange.
    pub max_auth_bytes: usize,
    /// How many columns a result set may have. MySQL's own bound is 4096 a table, 65535 a packet field.
    pub max_columns: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_packet: 64 << 20,
            max_handshake_packet: 64 << 10,
            max_auth_rounds: 16,
            max_auth_bytes: 64 << 10,
            max_columns: 65_535,
        }
    }
}

impl Limits {
    /// The same limits with another [`max_packet`](Self::max_packet).
    #[must_use]
    pub const fn with_max_packet(mut self, bytes: usize) -> Self {
        self.max_packet = bytes;
        self
    }
}
