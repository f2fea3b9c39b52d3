//! What a MySQL 9.7 server says to a client whose account it has in its cache.

use bytes::{BufMut as _, BytesMut};

/// The greeting.
pub const GREETING: &[u8] = b"\x49\0\0\x00\x0a\
    9.7.4\0\
    \x08\0\0\0\
    ABCDEFGH\0\
    \xff\xff\
    \xff\
    \x02\0\
    \xff\xdf\
    \x15\
    \0\0\0\0\0\0\0\0\0\0\
    IJKLMNOPQRST\0\
    caching_sha2_password\0";

/// The answer to the login: it is in the cache; OK.
pub const LOGIN_REPLY: &[u8] = b"\x02\0\0\x02\x01\x03\
    \x07\0\0\x03\0\0\0\x02\0\0\0";

/// The answer to a ping.
pub const OK: &[u8] = b"\x07\0\0\x01\0\0\0\x02\0\0\0";

/// The answer to `SELECT 1`.
#[must_use]
pub fn one() -> BytesMut {
    // one column: def, four empty names, "1" | 12 bytes: collation 63, length 2, LONGLONG, flags NOT_NULL BINARY
    BytesMut::from(
        &b"\x01\0\0\x01\x01\
        \x17\0\0\x02\x03def\0\0\0\x011\0\x0c\x3f\0\x02\0\0\0\x08\x81\0\0\0\0\
        \x02\0\0\x03\x011\
        \x07\0\0\x04\xfe\0\0\x02\0\0\0"[..],
    )
}

/// The answer to a query: `SELECT a, b, c, s` with three numbers and a short text in each of `n` rows.
#[must_use]
pub fn rows(n: usize) -> BytesMut {
    let mut out = BytesMut::new();
    let mut id = 0_u8;
    let mut packet = |payload: &[u8]| {
        id = id.wrapping_add(1);
        out.put_uint_le(payload.len() as u64, 3);
        out.put_u8(id);
        out.put_slice(payload);
    };
    packet(b"\x04");
    // def, schema, table, table, name, name, 12 bytes: collation 63, length 11, LONG, flags, decimals
    let column =
        b"\x03def\x08pf_bench\x09pf_narrow\x09pf_narrow\x01a\x01a\x0c\x3f\0\x0b\0\0\0\x03\x01\x10\0\0\0";
    for _ in 0..3 {
        packet(column);
    }
    // collation 255, length 64, VAR_STRING
    packet(b"\x03def\x08pf_bench\x09pf_narrow\x09pf_narrow\x01s\x01s\x0c\xff\0\x40\0\0\0\xfd\x01\x10\0\0\0");
    for row in 0..n {
        let cells = [row, row * 7919 % 100_003, row % 997].map(|number| number.to_string());
        let text = format!("v{:X}", row * 31 % 0x0010_0000);
        let mut payload = Vec::new();
        for cell in cells.iter().chain([&text]) {
            payload.push(cell.len().to_le_bytes()[0]);
            payload.extend_from_slice(cell.as_bytes());
        }
        packet(&payload);
    }
    // OK in place of EOF
    packet(b"\xfe\0\0\x02\0\0\0");
    out
}
