//! The pipe: plaintext buffers on one side, wire bytes on the other.

use std::fmt;

use bytes::{Buf, BytesMut};
use zeroize::{Zeroize, optimization_barrier};

use crate::backend::{Tls, TlsClient};
use crate::room::Room;
use crate::{SslMode, TlsError};

/// Room for received bytes, unless told otherwise: a full TLS record with what encryption adds to it.
const RX_CAPACITY: usize = RECORD_ROOM;

/// A full TLS record with what encryption adds to it.
const RECORD_ROOM: usize = 17 * 1024;

/// Room for bytes to send, unless told otherwise: a login packet with its attributes.
const TX_CAPACITY: usize = 2 * 1024;

/// A send buffer that grew beyond this for one big packet is given back once that packet has left.
const TX_KEPT: usize = 256 * 1024;

/// How far TLS is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TlsState {
    /// Bytes travel as they are.
    Plain,
    /// The handshake is going on; nothing that is put into the send buffer leaves before it is done.
    Handshaking,
    /// The server is who the options want it to be, and bytes travel encrypted.
    Established,
    /// The server said goodbye (`close_notify`): it will send nothing more, but may still read.
    Closed,
    /// TLS ended in an error, which every call repeats. An alert for the server may still wait to be sent.
    Failed,
}

/// What a handshake agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TlsFacts {
    /// `TLSv1.2` or `TLSv1.3`
    pub version: &'static str,
    /// The cipher suite by OpenSSL's name, as in the server's status variable `Ssl_cipher`. For TLS 1.3 it is also
    /// IANA's: `TLS_AES_256_GCM_SHA384`.
    pub cipher_suite: &'static str,
    /// The key exchange group (`secp256r1`); none when a TLS 1.2 session was resumed.
    pub group: Option<&'static str>,
    /// Whether an earlier session was resumed.
    pub resumed: bool,
    /// Whether the certificate's chain was checked against a CA, now or when the resumed session began.
    pub verified: bool,
    /// Whether the certificate was checked to be for the host.
    pub name_verified: bool,
}

/// Turns plaintext buffers into wire bytes and back, plain or through TLS, without any I/O.
///
/// Its owner, an adapter, moves bytes between the pipe and a socket:
///
/// - **In:** read into [`recv_buf`](Self::recv_buf), then call [`received`](Self::received); plaintext is now in `rx`
///   of [`buffers`](Self::buffers). On end of stream call [`eof`](Self::eof).
/// - **Out:** put plaintext into `tx` of [`buffers`](Self::buffers), then as long as
///   [`wants_write`](Self::wants_write) says so write what [`transmit`](Self::transmit) gives and tell
///   [`transmitted`](Self::transmitted) how much of it was taken.
/// - **TLS:** after [`start_tls`](Self::start_tls) do the same until [`tls_state`](Self::tls_state) is no longer
///   [`Handshaking`](TlsState::Handshaking). What is then left to send may go together with the first data.
/// - **End:** [`close`](Self::close), then send what is left.
///
/// All progress is kept here: a future that is dropped between any two calls loses nothing.
///
/// # Memory
///
/// Buffers are allocated when first used. Everything that has been received is decrypted at once, so plaintext can grow
/// by no more than was read, and reading is limited by the room that `recv_buf` offers: an owner that reads only when
/// it lacks bytes has the same back-pressure with TLS as without, and nothing can stall behind a full buffer. `rx` grows
/// to what is [expected](Self::expect), in one step.
/// Received ciphertext is at most one handshake message (64 KiB) and one read; ciphertext to send about 64 KiB.
pub struct Pipe {
    rx: BytesMut,
    tx: BytesMut,
    tls: Option<Box<Tls>>,
    room: Room,
    tx_capacity: usize,
    tx_peak: usize,
    /// Bytes in the buffer that the adapter reads into which are in `bytes_in` already.
    counted: usize,
    bytes_in: u64,
    bytes_out: u64,
    wipe: bool,
}

impl Default for Pipe {
    fn default() -> Self {
        Self::new()
    }
}

impl Pipe {
    /// A plain pipe.
    #[must_use]
    pub fn new() -> Self {
        Self::with_capacity(RX_CAPACITY, TX_CAPACITY)
    }

    /// A plain pipe whose buffers are made with room for so many bytes when they are first used. `rx` is also the most
    /// that is commonly read in one go.
    #[must_use]
    pub fn with_capacity(rx: usize, tx: usize) -> Self {
        Self {
            rx: BytesMut::new(),
            tx: BytesMut::new(),
            tls: None,
            room: Room::new(rx.max(1)),
            tx_capacity: tx,
            tx_peak: 0,
            counted: 0,
            bytes_in: 0,
            bytes_out: 0,
            wipe: true,
        }
    }

    /// From now on, room is made for so many bytes at a time. A login needs little, rows need much.
    pub fn set_read_size(&mut self, rx: usize) {
        self.room.read = rx.max(1);
        self.room.ample = self.room.ample.max(self.room.read);
    }

    /// Without TLS, room is made for so many bytes at a time as long as all the room there is gets filled, as it is by a large
    /// result of small packets: fewer system calls.
    pub fn set_ample_read_size(&mut self, rx: usize) {
        self.room.ample = rx.max(self.room.read);
    }

    /// The owner waits until `rx` holds so many bytes: room for them is made in one piece, so that a large packet is
    /// not moved while it grows. Whoever trusts a length that a peer has sent compares it with a limit first.
    #[inline]
    pub fn expect(&mut self, rx: usize) {
        self.room.wanted = rx;
    }

    /// The buffer to append received bytes to; it has room for some. What is in it already must stay.
    #[inline]
    pub fn recv_buf(&mut self) -> &mut BytesMut {
        let buf = match &mut self.tls {
            None => {
                self.room.before_reading(&mut self.rx);
                &mut self.rx
            }
            Some(tls) => tls.recv_buf(self.room.read),
        };
        self.counted = buf.len();
        buf
    }

    /// Takes note of bytes appended to [`recv_buf`](Self::recv_buf): decrypts them into `rx`, goes on with the
    /// handshake. Harmless when there are none.
    ///
    /// # Errors
    ///
    /// What ends TLS; final. An alert may wait to be sent, see [`transmit`](Self::transmit).
    #[inline]
    pub fn received(&mut self) -> Result<(), TlsError> {
        if self.tls.is_some() {
            return self.decrypt();
        }
        let now = self.rx.len();
        let read = now.saturating_sub(self.counted);
        self.room.note(read, self.rx.capacity() - now);
        self.bytes_in += read as u64;
        self.counted = now;
        Ok(())
    }

    fn decrypt(&mut self) -> Result<(), TlsError> {
        let Some(tls) = &mut self.tls else { return Ok(()) };
        self.bytes_in += tls.received_len().saturating_sub(self.counted) as u64;
        let result = tls.received(&mut self.rx, self.room);
        self.counted = tls.received_len();
        result
    }

    /// Takes note that the stream ended.
    ///
    /// # Errors
    ///
    /// [`TlsError::HandshakeEof`] inside a handshake, [`TlsError::Truncated`] if the server did not say goodbye before.
    /// The latter can be how a server ends a session it is tired of; without TLS one could not tell.
    pub fn eof(&mut self) -> Result<(), TlsError> {
        self.tls.as_mut().map_or(Ok(()), |tls| tls.eof())
    }

    /// Bytes that are ready for the wire, encrypting from `tx` if need be. Empty when there is nothing to send, which
    /// during a handshake also holds when `tx` has something.
    ///
    /// # Errors
    ///
    /// What ended TLS. The alert that tells the server comes first: after a failure, bytes are given out until they
    /// have been [`transmitted`](Self::transmitted), and only then is the error repeated.
    #[inline]
    pub fn transmit(&mut self) -> Result<&[u8], TlsError> {
        self.tx_peak = self.tx_peak.max(self.tx.len());
        match &mut self.tls {
            None => Ok(&self.tx),
            Some(tls) => {
                let taken = tls.encrypt(&self.tx, &mut self.rx, self.room)?;
                consume(&mut self.tx, taken, self.wipe, &mut self.tx_peak);
                Ok(tls.pending())
            }
        }
    }

    /// Takes note that the first `n` bytes of what [`transmit`](Self::transmit) gave have left. `n` may be less than
    /// all of it.
    #[inline]
    pub fn transmitted(&mut self, n: usize) {
        self.bytes_out += n as u64;
        match &mut self.tls {
            None => {
                debug_assert!(n <= self.tx.len(), "more bytes sent than there were");
                let n = n.min(self.tx.len());
                consume(&mut self.tx, n, self.wipe, &mut self.tx_peak);
            }
            Some(tls) => tls.transmitted(n),
        }
    }

    /// Whether [`transmit`](Self::transmit) has something to give.
    #[inline]
    #[must_use]
    pub fn wants_write(&self) -> bool {
        match &self.tls {
            None => !self.tx.is_empty(),
            Some(tls) => tls.wants_write(!self.tx.is_empty()),
        }
    }

    /// Plaintext for a protocol machine: received bytes, and the place for bytes to send.
    #[inline]
    pub fn buffers(&mut self) -> (&mut BytesMut, &mut BytesMut) {
        if self.tx.capacity() == 0 {
            self.make_tx();
        }
        (&mut self.rx, &mut self.tx)
    }

    /// Once or twice in a pipe's life; its buffers are asked for all the time.
    #[cold]
    fn make_tx(&mut self) {
        self.tx = BytesMut::with_capacity(self.tx_capacity);
    }

    /// Starts TLS as a client. The first bytes of the handshake are ready to be sent when this returns.
    ///
    /// `host` is the host as the user gave it; with `VERIFY_IDENTITY` the certificate must be for it. It is not told to
    /// the server.
    ///
    /// # Errors
    ///
    /// [`TlsError::PlaintextInjected`] if `rx` holds bytes: what comes in the clear after the protocol's request for TLS
    /// was not sent by the server. Errors whose fault is [`Fault::Caller`](crate::Fault::Caller) leave the pipe as it
    /// was.
    pub fn start_tls(&mut self, tls: &TlsClient, host: &str) -> Result<(), TlsError> {
        if self.tls.is_some() {
            return Err(TlsError::AlreadyStarted);
        }
        if !self.tx.is_empty() {
            return Err(TlsError::Unsent { bytes: self.tx.len() });
        }
        if tls.mode() == SslMode::Disabled {
            return Err(TlsError::Disabled);
        }
        if !self.rx.is_empty() {
            return Err(TlsError::PlaintextInjected { bytes: self.rx.len() });
        }
        self.room.read = self.room.read.max(RECORD_ROOM);
        // The empty plaintext buffer becomes the one for ciphertext, which saves an allocation for each connect.
        let buffer = std::mem::take(&mut self.rx);
        self.counted = 0;
        self.tls = Some(Box::new(Tls::start(tls, host, buffer)?));
        Ok(())
    }

    /// How far TLS is.
    #[must_use]
    pub fn tls_state(&self) -> TlsState {
        self.tls.as_ref().map_or(TlsState::Plain, |tls| tls.state())
    }

    /// What the handshake agreed on, once it is done.
    #[must_use]
    pub fn tls_facts(&self) -> Option<TlsFacts> {
        self.tls.as_ref().and_then(|tls| tls.facts())
    }

    /// The server's certificates (DER), its own first, once the handshake is done. Those of the first session when it
    /// was resumed.
    pub fn peer_certificates(&self) -> impl Iterator<Item = &[u8]> {
        self.tls.iter().flat_map(|tls| tls.peer_certificates())
    }

    /// Says goodbye to the server (`close_notify`) after what is in `tx` now. Nothing put into `tx` later is sent.
    /// Without TLS, or before it is established, there is nothing to say.
    pub fn close(&mut self) {
        if let Some(tls) = &mut self.tls {
            tls.close();
        }
    }

    /// Gives back the memory of all buffers that hold nothing, as is fit for a connection that will be idle for long. They
    /// are made anew when they are used.
    pub fn park(&mut self) {
        if self.rx.is_empty() {
            self.rx = BytesMut::new();
        }
        if self.tx.is_empty() {
            // What has left it was overwritten then, if it was to be.
            self.tx = BytesMut::new();
            self.tx_peak = 0;
        }
        if let Some(tls) = &mut self.tls {
            tls.park();
        }
    }

    /// Whether bytes are overwritten when they have left the send buffer, which they are unless told otherwise: those
    /// of a login can hold a password. Whoever knows that the login is over can save the work.
    pub fn wipe_sent(&mut self, on: bool) {
        self.wipe = on;
    }

    /// Bytes received from the wire.
    #[must_use]
    pub fn bytes_in(&self) -> u64 {
        self.bytes_in
    }

    /// Bytes sent to the wire.
    #[must_use]
    pub fn bytes_out(&self) -> u64 {
        self.bytes_out
    }
}

/// Removes the first `n` bytes of `tx`, which have left it.
#[inline]
fn consume(tx: &mut BytesMut, n: usize, wipe: bool, peak: &mut usize) {
    if wipe && let Some(sent) = tx.get_mut(..n) {
        // As `zeroize` does it, but not byte by byte.
        sent.fill(0);
        optimization_barrier(sent);
    }
    if n < tx.len() {
        tx.advance(n);
        return;
    }
    // Cheaper than to advance, and its room is not used up.
    tx.clear();
    if *peak > TX_KEPT {
        *tx = BytesMut::new();
        *peak = 0;
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        if self.wipe {
            self.tx.zeroize();
        }
    }
}

/// Lengths only: the buffers can hold secrets.
impl fmt::Debug for Pipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pipe")
            .field("tls", &self.tls_state())
            .field("rx", &self.rx.len())
            .field("tx", &self.tx.len())
            .field("bytes_in", &self.bytes_in)
            .field("bytes_out", &self.bytes_out)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_bytes_are_not_copied() {
        let mut pipe = Pipe::with_capacity(64, 64);
        let buf = pipe.recv_buf();
        buf.extend_from_slice(b"greeting");
        let address = buf.as_ptr();
        pipe.received().unwrap();
        let (rx, tx) = pipe.buffers();
        assert_eq!((&rx[..], rx.as_ptr()), (&b"greeting"[..], address));
        tx.extend_from_slice(b"login");
        let address = tx.as_ptr();
        let wire = pipe.transmit().unwrap();
        assert_eq!((wire, wire.as_ptr()), (&b"login"[..], address));
    }

    #[test]
    fn partial_writes_are_remembered() {
        let mut pipe = Pipe::new();
        pipe.buffers().1.extend_from_slice(b"abc");
        let mut seen = Vec::new();
        while pipe.wants_write() {
            seen.push(pipe.transmit().unwrap()[0]);
            pipe.transmitted(1);
        }
        assert_eq!(seen, b"abc");
        assert_eq!(pipe.transmit(), Ok(&b""[..]));
        assert_eq!(pipe.bytes_out(), 3);
    }

    #[test]
    fn bytes_are_counted_once() {
        let mut pipe = Pipe::with_capacity(8, 8);
        pipe.recv_buf().extend_from_slice(b"12345");
        pipe.received().unwrap();
        pipe.received().unwrap();
        assert_eq!(pipe.bytes_in(), 5);
        // A read that brought nothing, then some of the bytes are taken, then more come.
        pipe.recv_buf();
        pipe.buffers().0.advance(4);
        pipe.recv_buf().extend_from_slice(b"67");
        pipe.received().unwrap();
        assert_eq!(pipe.bytes_in(), 7);
        assert_eq!(&pipe.buffers().0[..], b"567");
    }

    #[test]
    fn buffers_are_made_when_used_and_reused() {
        let mut pipe = Pipe::with_capacity(4096, 512);
        assert_eq!((pipe.rx.capacity(), pipe.tx.capacity()), (0, 0));
        let address = pipe.recv_buf().as_ptr();
        for _ in 0..1000 {
            pipe.recv_buf().extend_from_slice(&[7; 100]);
            pipe.received().unwrap();
            let (rx, tx) = pipe.buffers();
            rx.advance(100);
            tx.extend_from_slice(&[1; 100]);
            let n = pipe.transmit().unwrap().len();
            pipe.transmitted(n);
        }
        let buf = pipe.recv_buf();
        buf.reserve(4096);
        assert_eq!((buf.as_ptr(), buf.capacity()), (address, 4096));
        let tx = pipe.buffers().1;
        tx.reserve(512);
        assert_eq!(tx.capacity(), 512);
    }

    #[test]
    fn recv_buf_always_has_room() {
        let mut pipe = Pipe::with_capacity(64, 0);
        for _ in 0..100 {
            let buf = pipe.recv_buf();
            assert!(buf.capacity() - buf.len() >= 32);
            buf.extend_from_slice(&[0; 17]);
            pipe.received().unwrap();
        }
        assert_eq!(pipe.buffers().0.len(), 1700);
    }

    #[test]
    fn a_big_packet_does_not_keep_its_memory() {
        let mut pipe = Pipe::new();
        pipe.buffers().1.resize(TX_KEPT + 1, 1);
        let n = pipe.transmit().unwrap().len();
        pipe.transmitted(n);
        assert_eq!(pipe.tx.capacity(), 0);
        pipe.buffers().1.resize(1000, 1);
        pipe.transmit().unwrap();
        pipe.transmitted(1000);
        assert_eq!(pipe.tx_peak, 1000);
    }

    #[test]
    fn a_parked_pipe_holds_no_memory_but_what_is_in_it() {
        let mut pipe = Pipe::with_capacity(4096, 512);
        pipe.recv_buf().extend_from_slice(b"rest");
        pipe.received().unwrap();
        pipe.buffers().1.extend_from_slice(b"x");
        pipe.transmit().unwrap();
        pipe.transmitted(1);
        pipe.park();
        assert_eq!((pipe.tx.capacity(), &pipe.rx[..]), (0, &b"rest"[..]));
        pipe.buffers().0.clear();
        pipe.park();
        assert_eq!((pipe.rx.capacity(), pipe.bytes_in()), (0, 4));
        pipe.recv_buf().extend_from_slice(b"more");
        pipe.received().unwrap();
        assert_eq!(&pipe.buffers().0[..], b"more");
        assert_eq!(pipe.bytes_in(), 8);
    }

    #[test]
    fn plain_has_no_tls() {
        let mut pipe = Pipe::default();
        assert_eq!(pipe.tls_state(), TlsState::Plain);
        assert_eq!(pipe.tls_facts(), None);
        assert_eq!(pipe.peer_certificates().count(), 0);
        pipe.close();
        assert_eq!(pipe.eof(), Ok(()));
        assert!(!pipe.wants_write());
        pipe.buffers().1.extend_from_slice(b"secret");
        assert!(!format!("{pipe:?}").contains("secret"));
    }
}
