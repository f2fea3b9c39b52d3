//! Packets as servers send them, as payloads without header.

/// What a 9.7 server offers.
pub const ALL: u32 = 0xdfff_ffff;
/// `CLIENT_SSL`
pub const SSL: u32 = 0x800;
/// `CLIENT_PROTOCOL_41`
pub const PROTOCOL_41: u32 = 0x200;
/// `CLIENT_CONNECT_WITH_DB`
pub const CONNECT_WITH_DB: u32 = 0x8;
/// `CLIENT_DEPRECATE_EOF`
pub const DEPRECATE_EOF: u32 = 0x0100_0000;

/// The nonce of [`greeting`].
pub const NONCE: &[u8; 20] = b"ABCDEFGHIJKLMNOPQRST";

/// A greeting of MySQL 9.7 that offers `capabilities` and starts with `plugin`.
#[must_use]
pub fn greeting_of(capabilities: u32, plugin: &str) -> Vec<u8> {
    let [a, b, c, d] = capabilities.to_le_bytes();
    let mut greeting = b"\x0a9.7.4\0\x08\0\0\0ABCDEFGH\0".to_vec();
    greeting.extend([a, b, 0xff, 0x02, 0, c, d, 21]);
    greeting.extend([0; 10]);
    greeting.extend(b"IJKLMNOPQRST\0");
    greeting.extend(plugin.as_bytes());
    greeting.push(0);
    greeting
}

/// A greeting of MySQL 9.7 without TLS.
#[must_use]
pub fn greeting() -> Vec<u8> {
    greeting_of(ALL & !SSL, "caching_sha2_password")
}

/// A greeting of MySQL 9.7 that offers TLS.
#[must_use]
pub fn tls_greeting() -> Vec<u8> {
    greeting_of(ALL, "caching_sha2_password")
}

/// OK: nothing affected, autocommit.
#[must_use]
pub fn ok() -> Vec<u8> {
    vec![0, 0, 0, 0x02, 0, 0, 0]
}

/// OK, more results follow.
#[must_use]
pub fn ok_more() -> Vec<u8> {
    vec![0, 0, 0, 0x0a, 0, 0, 0]
}

/// ERR with SQLSTATE.
#[must_use]
pub fn err(code: u16, message: &str) -> Vec<u8> {
    let [low, high] = code.to_le_bytes();
    [&[0xff, low, high], &b"#08S01"[..], message.as_bytes()].concat()
}

/// AuthSwitchRequest.
#[must_use]
pub fn switch(plugin: &str, data: &[u8]) -> Vec<u8> {
    [&[0xfe], plugin.as_bytes(), &[0], data].concat()
}

/// AuthSwitchRequest with a nonce.
#[must_use]
pub fn switch_with_nonce(plugin: &str) -> Vec<u8> {
    switch(plugin, b"abcdefghijklmnopqrst\0")
}

/// AuthNextFactor.
#[must_use]
pub fn next_factor(plugin: &str) -> Vec<u8> {
    [&[0x02], plugin.as_bytes(), b"\0abcdefghijklmnopqrst\0"].concat()
}

/// AuthMoreData.
#[must_use]
pub fn more(data: &[u8]) -> Vec<u8> {
    [&[0x01], data].concat()
}

/// A text column's definition.
#[must_use]
pub fn column(name: &str) -> Vec<u8> {
    let len = u8::try_from(name.len()).unwrap_or(u8::MAX);
    let mut column = vec![3, b'd', b'e', b'f', 0, 0, 0, len];
    column.extend(name.as_bytes());
    // original name | 12 bytes: collation 255, length 1024, VAR_STRING, no flags, no decimals
    column.extend([0, 0x0c, 0xff, 0, 0, 4, 0, 0, 0xfd, 0, 0, 0, 0, 0]);
    column
}

/// The end of rows under `CLIENT_DEPRECATE_EOF`.
#[must_use]
pub fn end() -> Vec<u8> {
    vec![0xfe, 0, 0, 0x02, 0, 0, 0]
}

/// The end of rows, more results follow.
#[must_use]
pub fn end_more() -> Vec<u8> {
    vec![0xfe, 0, 0, 0x0a, 0, 0, 0]
}

/// EOF with this status.
#[must_use]
pub fn eof(status: u8) -> Vec<u8> {
    vec![0xfe, 0, 0, status, 0]
}

/// A column's definition with this type and these flags.
#[must_use]
pub fn column_of(name: &str, column_type: u8, flags: u8) -> Vec<u8> {
    let mut column = column(name);
    // type | flags | decimals | reserved
    column.truncate(column.len() - 6);
    column.extend([column_type, flags, 0, 0, 0, 0]);
    column
}

/// A text row of one short cell.
#[must_use]
pub fn row(text: &str) -> Vec<u8> {
    let len = u8::try_from(text.len()).unwrap_or(u8::MAX);
    [&[len], text.as_bytes()].concat()
}

/// A frame: header and payload.
#[must_use]
pub fn frame(id: u8, payload: &[u8]) -> Vec<u8> {
    header(payload.len(), id, payload)
}

/// A frame whose header tells another length than it has.
#[must_use]
pub fn header(len: usize, id: u8, payload: &[u8]) -> Vec<u8> {
    let [a, b, c, ..] = len.to_le_bytes();
    [&[a, b, c, id], payload].concat()
}
