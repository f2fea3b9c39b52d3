//! The bytes of the least that a correct client can do: one account of `caching_sha2_password`, one character set,
//! no attributes, no errors worth the name. Nothing here is general; it bounds what any client can reach.

mod cells;

use anyhow::{Context as _, Result, bail, ensure};
use bench_harness::Args;
use sha2::{Digest as _, Sha256};

pub use self::cells::{Param, binary_len, command, execute, field, int, lenenc};

/// LONG_PASSWORD, CONNECT_WITH_DB, PROTOCOL_41, TRANSACTIONS, SECURE_CONNECTION, MULTI_STATEMENTS, MULTI_RESULTS,
/// PS_MULTI_RESULTS, PLUGIN_AUTH, PLUGIN_AUTH_LENENC_CLIENT_DATA, DEPRECATE_EOF
const CAPABILITIES: u32 = 0x012f_a209;
const CLIENT_SSL: u32 = 0x800;
const MAX_PACKET: u32 = 1 << 24;
const UTF8MB4_0900_AI_CI: u8 = 255;

/// COM_QUIT.
pub const QUIT: &[u8] = b"\x01\0\0\0\x01";
/// COM_PING.
pub const PING: &[u8] = b"\x01\0\0\0\x0e";
/// COM_QUERY.
pub const SELECT_1: &[u8] = b"\x09\0\0\0\x03SELECT 1";
/// Packets of the answer to [`SELECT_1`]: column count, column, row, OK.
pub const SELECT_1_PACKETS: usize = 4;

/// Received bytes, taken packet by packet.
#[derive(Debug)]
pub struct Inbox {
    buf: Vec<u8>,
    start: usize,
    end: usize,
}

impl Inbox {
    /// With room for packets of so many bytes.
    #[must_use]
    pub fn new(room: usize) -> Self {
        Self { buf: vec![0; room], start: 0, end: 0 }
    }

    /// Forgets everything: the next bytes come from another connection.
    pub fn clear(&mut self) {
        (self.start, self.end) = (0, 0);
    }

    /// How long the payload of the next packet is, once all of it is there.
    #[inline]
    #[must_use]
    pub fn ready(&self) -> Option<usize> {
        let received = &self.buf[self.start..self.end];
        let [a, b, c, _] = *received.first_chunk()?;
        let len = u32::from_le_bytes([a, b, c, 0]) as usize;
        (received.len() >= 4 + len).then_some(len)
    }

    /// The next packet's sequence id and payload, whose length [`ready`](Self::ready) said.
    #[inline]
    pub fn take(&mut self, len: usize) -> (u8, &[u8]) {
        let (id, start) = (self.buf[self.start + 3], self.start + 4);
        self.start = start + len;
        (id, &self.buf[start..start + len])
    }

    /// All that is there.
    #[must_use]
    pub fn received_bytes(&self) -> &[u8] {
        &self.buf[self.start..self.end]
    }

    /// Takes so many bytes off, and gives how many it could not take.
    pub fn skip(&mut self, n: usize) -> usize {
        let there = n.min(self.end - self.start);
        self.start += there;
        n - there
    }

    /// Where the next bytes go.
    pub fn room(&mut self) -> &mut [u8] {
        if self.start > 0 {
            self.buf.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        &mut self.buf[self.end..]
    }

    /// So many came.
    ///
    /// # Errors
    /// None did: the server is gone.
    pub fn received(&mut self, n: usize) -> Result<()> {
        ensure!(n > 0, "the server closed the connection");
        self.end += n;
        Ok(())
    }
}

/// The scramble of a greeting.
///
/// # Errors
/// It is none.
pub fn nonce(greeting: &[u8]) -> Result<[u8; 20]> {
    let version = greeting.iter().skip(1).position(|byte| *byte == 0).context("no greeting")?;
    // behind the version's 0x00: connection id (4), 8 bytes, then filler (1), flags (2), charset (1), status (2),
    // flags (2), length (1), reserved (10), 12 bytes
    let tail = greeting.get(version + 6..version + 45).context("a short greeting")?;
    let mut nonce = [0; 20];
    nonce[..8].copy_from_slice(&tail[..8]);
    nonce[8..].copy_from_slice(&tail[27..]);
    Ok(nonce)
}

fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part);
    }
    hash.finalize().into()
}

/// What proves the password.
#[must_use]
pub fn mask(password: &str, nonce: &[u8; 20]) -> [u8; 32] {
    let once = sha256(&[password.as_bytes()]);
    let mask = sha256(&[&sha256(&[&once]), nonce]);
    std::array::from_fn(|i| once[i] ^ mask[i])
}

fn head(out: &mut Vec<u8>, len: u8, id: u8, capabilities: u32) {
    out.extend_from_slice(&[len, 0, 0, id]);
    out.extend_from_slice(&capabilities.to_le_bytes());
    out.extend_from_slice(&MAX_PACKET.to_le_bytes());
    out.push(UTF8MB4_0900_AI_CI);
    out.extend_from_slice(&[0; 23]);
}

/// Appends an SSLRequest.
pub fn ssl_request(out: &mut Vec<u8>) {
    head(out, 32, 1, CAPABILITIES | CLIENT_SSL);
}

/// Appends a HandshakeResponse41.
///
/// # Errors
/// The account's names are too long for this.
pub fn login(out: &mut Vec<u8>, args: &Args, nonce: &[u8; 20], tls: bool) -> Result<()> {
    let scramble = mask(&args.pass, nonce);
    let start = out.len();
    let (id, ssl) = if tls { (2, CLIENT_SSL) } else { (1, 0) };
    head(out, 0, id, CAPABILITIES | ssl);
    out.extend_from_slice(args.user.as_bytes());
    out.extend_from_slice(&[0, 32]);
    out.extend_from_slice(&scramble);
    out.extend_from_slice(args.db.as_bytes());
    out.extend_from_slice(b"\0caching_sha2_password\0");
    out[start] = u8::try_from(out.len() - start - 4).context("long names")?;
    Ok(())
}

/// Takes a packet that comes after the login.
///
/// `Ok(true)`: in. `Ok(false)`: more comes. What is to be sent is appended to `out`; without `secure` nothing is.
///
/// # Errors
/// The login failed.
pub fn verdict((id, payload): (u8, &[u8]), args: &Args, secure: bool, out: &mut Vec<u8>) -> Result<bool> {
    match *payload {
        [0, ..] => Ok(true),
        // in the server's cache
        [1, 3] => Ok(false),
        // not in the cache
        [1, 4] if secure => {
            out.extend_from_slice(&[u8::try_from(args.pass.len() + 1)?, 0, 0, id + 1]);
            out.extend_from_slice(args.pass.as_bytes());
            out.push(0);
            Ok(false)
        }
        _ => bail!("login: {}", String::from_utf8_lossy(payload)),
    }
}
