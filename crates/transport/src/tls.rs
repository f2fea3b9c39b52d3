//! A TLS connection without I/O. The only file that names rustls' connection type.
//!
//! rustls' unbuffered connection decrypts in the buffer that the adapter read into, and what it has to send goes
//! straight into the buffer that the adapter writes from.
//!
//! Its verifier checks chain and signature. The name is checked here, when rustls has accepted the certificate and
//! before anything that follows from that leaves. So the name need not be one that rustls' own type can hold, need not
//! be the one told by SNI, and is checked for resumed sessions too, where no verifier is asked.

use bytes::{Buf, BytesMut};
use rustls::HandshakeKind;
use rustls::client::{ClientConnectionData, UnbufferedClientConnection};
use rustls::unbuffered::{
    ConnectionState, EncodeError, EncodeTlsData, EncryptError, UnbufferedStatus, WriteTraffic,
};

pub use crate::client::TlsClient;
use crate::outgoing::{Outgoing, Refused};
use crate::room::{Room, grow};
use crate::rustls_error::from_rustls;
use crate::{SslMode, TlsError, TlsFacts, TlsState, TlsVersion, names, suites};

/// No more is encrypted ahead of what the socket takes.
const OUTGOING_LIMIT: usize = 64 * 1024;

/// What may be left over when all complete records have been processed. rustls accepts handshake messages up to
/// 64 KiB, which may come in small fragments.
const INCOMING_LIMIT: usize = 128 * 1024;

/// The largest plaintext of a record, and more than a record of any suite adds to it.
const RECORD: usize = 16 * 1024;
const RECORD_OVERHEAD: usize = 64;

/// Content type, version, length.
const RECORD_HEADER: usize = 5;

pub(crate) struct Tls {
    conn: UnbufferedClientConnection,
    incoming: BytesMut,
    outgoing: Outgoing,
    /// The name to check the certificate against; gone when that is done.
    host: Option<Box<str>>,
    checks_name: bool,
    verified: bool,
    state: TlsState,
    failure: Option<TlsError>,
    facts: Option<TlsFacts>,
    goodbye: Goodbye,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Goodbye {
    No,
    Wanted,
    Said,
}

/// What the owner lends for one run.
struct Lent<'a> {
    /// Plaintext to encrypt; none while only receiving.
    tx: Option<&'a [u8]>,
    rx: &'a mut BytesMut,
    room: Room,
}

/// What came out of one state of rustls.
enum Turn {
    /// There may be more.
    Again,
    /// The handshake is done.
    HandshakeDone,
    /// The server will send nothing more.
    PeerClosed,
    /// Nothing more can be done now; so many bytes of plaintext were taken.
    Wait(usize),
}

impl Tls {
    /// `buffer` is used for received ciphertext.
    pub(crate) fn start(client: &TlsClient, host: &str, buffer: BytesMut) -> Result<Self, TlsError> {
        let (config, name) = client.config(host)?;
        let conn = UnbufferedClientConnection::new(config, name).map_err(|error| from_rustls(error, true))?;
        let checks_name = client.mode() == SslMode::VerifyIdentity;
        let mut tls = Self {
            conn,
            incoming: buffer,
            outgoing: Outgoing::default(),
            host: checks_name.then(|| host.into()),
            checks_name,
            verified: client.verified(),
            state: TlsState::Handshaking,
            failure: None,
            facts: None,
            goodbye: Goodbye::No,
        };
        tls.run(Lent { tx: None, rx: &mut BytesMut::new(), room: Room::new(0) })?;
        Ok(tls)
    }

    pub(crate) fn recv_buf(&mut self, room: usize) -> &mut BytesMut {
        let missing = match self.incoming.get(..RECORD_HEADER) {
            Some(&[_, _, _, high, low]) => (RECORD_HEADER + usize::from(u16::from_be_bytes([high, low])))
                .saturating_sub(self.incoming.len()),
            _ => RECORD_HEADER,
        };
        if self.incoming.capacity() - self.incoming.len() < missing.max(room.div_ceil(2)) {
            grow(&mut self.incoming, missing.max(room));
        }
        &mut self.incoming
    }

    /// Gives back the memory of buffers that hold nothing.
    pub(crate) fn park(&mut self) {
        if self.incoming.is_empty() {
            self.incoming = BytesMut::new();
        }
        if self.outgoing.is_empty() {
            self.outgoing = Outgoing::default();
        }
    }

    pub(crate) fn received_len(&self) -> usize {
        self.incoming.len()
    }

    pub(crate) fn received(&mut self, rx: &mut BytesMut, room: Room) -> Result<(), TlsError> {
        self.run(Lent { tx: None, rx, room }).map(|_| ())
    }

    pub(crate) fn eof(&mut self) -> Result<(), TlsError> {
        if let Some(failure) = &self.failure {
            return Err(failure.clone());
        }
        match self.state {
            TlsState::Handshaking => Err(self.fail(TlsError::HandshakeEof)),
            // Who has said goodbye waits for nothing that could be cut off.
            TlsState::Established if self.goodbye != Goodbye::Said => Err(self.fail(TlsError::Truncated)),
            _ => Ok(()),
        }
    }

    /// Encrypts from `tx` as far as there is room; tells how much.
    pub(crate) fn encrypt(&mut self, tx: &[u8], rx: &mut BytesMut, room: Room) -> Result<usize, TlsError> {
        let possible = self.facts.is_some() && self.failure.is_none() && self.outgoing.len() < OUTGOING_LIMIT;
        let needed = self.goodbye == Goodbye::Wanted || (self.goodbye == Goodbye::No && !tx.is_empty());
        let result = match &self.failure {
            Some(failure) => Err(failure.clone()),
            None if possible && needed => self.run(Lent { tx: Some(tx), rx, room }),
            None => Ok(0),
        };
        // The alert comes first.
        if self.outgoing.is_empty() { result } else { Ok(result.unwrap_or(0)) }
    }

    pub(crate) fn pending(&self) -> &[u8] {
        self.outgoing.bytes()
    }

    pub(crate) fn transmitted(&mut self, n: usize) {
        self.outgoing.sent(n);
    }

    pub(crate) fn wants_write(&self, more: bool) -> bool {
        let live = self.facts.is_some() && self.failure.is_none();
        !self.outgoing.is_empty()
            || (live && (self.goodbye == Goodbye::Wanted || (self.goodbye == Goodbye::No && more)))
    }

    pub(crate) fn close(&mut self) {
        if self.goodbye == Goodbye::No {
            self.goodbye = Goodbye::Wanted;
        }
    }

    pub(crate) fn state(&self) -> TlsState {
        self.state
    }

    pub(crate) fn facts(&self) -> Option<TlsFacts> {
        self.facts
    }

    pub(crate) fn peer_certificates(&self) -> impl Iterator<Item = &[u8]> {
        let chain = self.facts.and_then(|_| self.conn.peer_certificates()).unwrap_or_default();
        chain.iter().map(AsRef::as_ref)
    }

    /// Processes all complete records received, answers what needs one, and encrypts from `tx`.
    fn run(&mut self, mut lent: Lent<'_>) -> Result<usize, TlsError> {
        if let Some(failure) = &self.failure {
            return Err(failure.clone());
        }
        loop {
            let turn = self.turn(&mut lent).map_err(|error| self.fail(error))?;
            self.check_name().map_err(|error| self.refuse(error))?;
            match turn {
                Turn::Again => {}
                Turn::HandshakeDone => self.established()?,
                Turn::PeerClosed => self.state = TlsState::Closed,
                Turn::Wait(_) if self.incoming.len() > INCOMING_LIMIT => {
                    let reason = "a handshake message in too many fragments".to_owned();
                    return Err(self.fail(TlsError::Protocol { reason }));
                }
                Turn::Wait(taken) => return Ok(taken),
            }
        }
    }

    /// One state of rustls.
    fn turn(&mut self, lent: &mut Lent<'_>) -> Result<Turn, TlsError> {
        let handshaking = self.facts.is_none();
        let UnbufferedStatus { mut discard, state } = self.conn.process_tls_records(&mut self.incoming);
        let turn = match state {
            Ok(ConnectionState::ReadTraffic(mut traffic)) => loop {
                match traffic.next_record() {
                    Some(Ok(record)) => {
                        discard += record.discard;
                        lent.room.append(lent.rx, record.payload);
                    }
                    Some(Err(error)) => break Err(from_rustls(error, handshaking)),
                    None => break Ok(Turn::Again),
                }
            },
            Ok(ConnectionState::EncodeTlsData(mut data)) => {
                encode(&mut data, &mut self.outgoing).map(|()| Turn::Again)
            }
            Ok(ConnectionState::TransmitTlsData(data)) => {
                // What was encoded is in the send buffer and leaves before anything else does.
                data.done();
                Ok(Turn::Again)
            }
            Ok(ConnectionState::WriteTraffic(_)) if handshaking => Ok(Turn::HandshakeDone),
            Ok(ConnectionState::WriteTraffic(traffic)) => match lent.tx {
                Some(tx) => write(traffic, tx, &mut self.outgoing, &mut self.goodbye).map(Turn::Wait),
                None => Ok(Turn::Wait(0)),
            },
            Ok(ConnectionState::PeerClosed) => Ok(Turn::PeerClosed),
            Ok(ConnectionState::BlockedHandshake | ConnectionState::Closed) => Ok(Turn::Wait(0)),
            Ok(other) => Err(TlsError::Internal { reason: format!("unexpected state {other:?}") }),
            Err(error) => Err(from_rustls(error, handshaking)),
        };
        self.incoming.advance(discard.min(self.incoming.len()));
        turn
    }

    /// Checks the certificate's name once rustls has accepted the certificate.
    fn check_name(&mut self) -> Result<(), TlsError> {
        if let Some(host) = &self.host
            && let Some([certificate, ..]) = self.conn.peer_certificates()
        {
            names::check(certificate, host)?;
            self.host = None;
        }
        Ok(())
    }

    /// Ends it, telling the server why by the alert that rustls has prepared.
    fn fail(&mut self, error: TlsError) -> TlsError {
        while self.conn.wants_write() {
            let Ok(ConnectionState::EncodeTlsData(mut data)) =
                self.conn.process_tls_records(&mut self.incoming).state
            else {
                break;
            };
            if encode(&mut data, &mut self.outgoing).is_err() {
                break;
            }
        }
        self.state = TlsState::Failed;
        self.failure.insert(error).clone()
    }

    /// Ends it without a word: what rustls has prepared would accept the server.
    fn refuse(&mut self, error: TlsError) -> TlsError {
        self.outgoing.clear();
        self.state = TlsState::Failed;
        self.failure.insert(error).clone()
    }

    fn established(&mut self) -> Result<(), TlsError> {
        if let Some(host) = self.host.take() {
            // Unreachable with servers that must present a certificate, which is all that rustls talks to.
            return Err(self.refuse(TlsError::NameMismatch { host: host.into(), presented: Vec::new() }));
        }
        self.state = TlsState::Established;
        let version = match self.conn.protocol_version() {
            Some(rustls::ProtocolVersion::TLSv1_2) => TlsVersion::Tls12,
            _ => TlsVersion::Tls13,
        };
        self.facts = Some(TlsFacts {
            version: version.name(),
            cipher_suite: self
                .conn
                .negotiated_cipher_suite()
                .map_or("unknown", |suite| suites::name(suite.suite())),
            group: self.conn.negotiated_key_exchange_group().and_then(|group| group.name().as_str()),
            resumed: self.conn.handshake_kind() == Some(HandshakeKind::Resumed),
            verified: self.verified,
            name_verified: self.checks_name,
        });
        Ok(())
    }
}

fn encode(
    data: &mut EncodeTlsData<'_, ClientConnectionData>,
    outgoing: &mut Outgoing,
) -> Result<(), TlsError> {
    outgoing.append(RECORD_OVERHEAD, |space| {
        data.encode(space).map_err(|error| match error {
            EncodeError::InsufficientSize(needs) => Refused::TooSmall(needs.required_size),
            error @ EncodeError::AlreadyEncoded => {
                Refused::Failed(TlsError::Internal { reason: error.to_string() })
            }
        })
    })
}

/// Encrypts as much as may be sent ahead, and says goodbye after all of `tx` if that is wanted.
fn write(
    mut traffic: WriteTraffic<'_, ClientConnectionData>,
    tx: &[u8],
    outgoing: &mut Outgoing,
    goodbye: &mut Goodbye,
) -> Result<usize, TlsError> {
    let refused = |error: EncryptError| match error {
        EncryptError::InsufficientSize(needs) => Refused::TooSmall(needs.required_size),
        EncryptError::EncryptExhausted => Refused::Failed(TlsError::KeysExhausted),
    };
    if *goodbye == Goodbye::Said {
        return Ok(0);
    }
    let taken = tx.len().min(OUTGOING_LIMIT.saturating_sub(outgoing.len()));
    let (now, later) = tx.split_at(taken);
    if !now.is_empty() {
        let size = taken + RECORD_OVERHEAD * (taken / RECORD + 1);
        outgoing.append(size, |space| traffic.encrypt(now, space).map_err(refused))?;
    }
    if *goodbye == Goodbye::Wanted && later.is_empty() {
        outgoing.append(RECORD_OVERHEAD, |space| traffic.queue_close_notify(space).map_err(refused))?;
        *goodbye = Goodbye::Said;
    }
    Ok(taken)
}
