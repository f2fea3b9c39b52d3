//! Bytes through the pipe: every split, back-pressure, sessions, ends.

use std::sync::Arc;

use porpoise_transport::{Pipe, SslMode, TlsClient, TlsError, TlsFacts, TlsOptions, TlsState, TlsVersion};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::{ServerConfig, sign::CertifiedKey};

use crate::support::{Authority, BOTH, Pair, TLS12, connect, options, server_config};

const HOST: &str = "db.example.com";

fn server(versions: &[&'static rustls::SupportedProtocolVersion]) -> (Authority, Arc<ServerConfig>) {
    let ca = Authority::new("The CA");
    let config = Arc::new(server_config(ca.server(HOST), versions));
    (ca, config)
}

/// A client that checks everything, so that certificates are looked at, and resumes nothing, so that each connect is
/// the same.
fn client(ca: &Authority) -> TlsClient {
    let mut options = options(SslMode::VerifyIdentity, Some(ca));
    options.resume = false;
    TlsClient::new(&options).unwrap()
}

#[test]
fn the_first_flight_is_ready_at_once() {
    let (ca, _) = server(BOTH);
    let mut pipe = Pipe::new();
    pipe.start_tls(&client(&ca), HOST).unwrap();
    assert_eq!(pipe.tls_state(), TlsState::Handshaking);
    assert!(pipe.wants_write());
    let hello = pipe.transmit().unwrap();
    assert_eq!(hello[..2], [0x16, 0x03], "a handshake record");
    // No name is told, and one key share goes with it.
    assert!(!hello.windows(HOST.len()).any(|part| part == HOST.as_bytes()));
    assert!(hello.len() < 400, "{}", hello.len());
    // What is put into the send buffer waits for the handshake.
    let hello = hello.to_vec();
    pipe.buffers().1.extend_from_slice(b"password");
    assert_eq!(pipe.transmit().unwrap(), hello);
    pipe.transmitted(hello.len());
    assert_eq!(pipe.transmit().unwrap(), b"");
    assert!(!pipe.wants_write());
}

#[test]
fn facts() {
    for (versions, version, suite) in
        [(BOTH, "TLSv1.3", "TLS_AES_256_GCM_SHA384"), (TLS12, "TLSv1.2", "ECDHE-ECDSA-AES256-GCM-SHA384")]
    {
        let (ca, config) = server(versions);
        let mut pair = Pair::new(&client(&ca), HOST, &config);
        assert_eq!(pair.pipe.tls_facts(), None);
        assert_eq!(pair.pipe.peer_certificates().count(), 0);
        pair.exchange(usize::MAX).unwrap();
        let TlsFacts { version: v, cipher_suite, group, resumed, verified, name_verified, .. } =
            pair.pipe.tls_facts().unwrap();
        assert_eq!((v, cipher_suite, group), (version, suite, Some("secp256r1")));
        assert_eq!((resumed, verified, name_verified), (false, true, true));
        assert_eq!(pair.pipe.peer_certificates().count(), 1);
    }
}

#[test]
fn versions_and_suites_can_be_chosen() {
    let (ca, config) = server(BOTH);
    let facts = |change: &dyn Fn(&mut TlsOptions)| {
        let mut options = options(SslMode::VerifyCa, Some(&ca));
        change(&mut options);
        connect(&options, HOST, &config).0.pipe.tls_facts().map(|facts| (facts.version, facts.cipher_suite))
    };
    let aes128 = || vec!["TLS_AES_128_GCM_SHA256".to_owned()];
    assert_eq!(
        facts(&|options| options.ciphersuites = Some(aes128())),
        Some(("TLSv1.3", "TLS_AES_128_GCM_SHA256"))
    );
    assert_eq!(
        facts(&|options| options.versions = vec![TlsVersion::Tls12]),
        Some(("TLSv1.2", "ECDHE-ECDSA-AES256-GCM-SHA384"))
    );
    let chacha = vec!["ECDHE-ECDSA-CHACHA20-POLY1305".to_owned()];
    assert_eq!(
        facts(&|options| {
            options.ciphersuites = Some(Vec::new());
            options.ciphers = Some(chacha.clone());
        }),
        Some(("TLSv1.2", "ECDHE-ECDSA-CHACHA20-POLY1305"))
    );

    let mut nothing = options(SslMode::Required, None);
    nothing.versions = vec![TlsVersion::Tls13];
    nothing.ciphersuites = Some(Vec::new());
    assert_eq!(TlsClient::new(&nothing).unwrap_err(), TlsError::NothingToOffer);
}

/// The server's flight comes split in two at each point.
#[test]
fn every_split() {
    for versions in [BOTH, TLS12] {
        let (ca, config) = server(versions);
        let client = client(&ca);
        // A signature's length varies by a few bytes from one connect to the next.
        for at in 1.. {
            let mut pair = Pair::new(&client, HOST, &config);
            pair.client_to_server(usize::MAX).unwrap();
            pair.server.write_tls(&mut pair.from_server).unwrap();
            let flight = std::mem::take(&mut pair.from_server);
            let Some((one, two)) = flight.split_at_checked(at) else {
                assert!(at > 500, "{at}");
                break;
            };
            for part in [one, two] {
                pair.pipe.recv_buf().extend_from_slice(part);
                pair.pipe.received().unwrap();
            }
            pair.exchange(usize::MAX).unwrap();
            pair.chat();
        }
    }
}

#[test]
fn one_byte_at_a_time_both_ways() {
    for versions in [BOTH, TLS12] {
        let (ca, config) = server(versions);
        let mut pair = Pair::new(&client(&ca), HOST, &config);
        pair.exchange(1).unwrap();
        assert_eq!(pair.pipe.tls_state(), TlsState::Established);
        let bytes = (0..=255).cycle().take(40_000).collect::<Vec<u8>>();
        pair.say(&bytes);
        pair.exchange(1).unwrap();
        assert!(pair.server_heard() == bytes);
        pair.server_say(&bytes);
        pair.exchange(1).unwrap();
        assert!(pair.heard() == bytes);
    }
}

#[test]
fn wire_bytes_are_counted() {
    let (ca, config) = server(BOTH);
    let mut pair = Pair::new(&client(&ca), HOST, &config);
    pair.exchange(usize::MAX).unwrap();
    let (sent, received) = (pair.pipe.bytes_out(), pair.pipe.bytes_in());
    pair.say(&[0; 100]);
    pair.server_say(&[0; 1000]);
    pair.exchange(7).unwrap();
    // Header, content type, tag.
    assert_eq!(pair.pipe.bytes_out() - sent, 100 + 22);
    assert_eq!(pair.pipe.bytes_in() - received, 1000 + 22);
}

/// The rest of the handshake and the first data leave in one write.
#[test]
fn the_last_flight_takes_data_along() {
    let (ca, config) = server(BOTH);
    let mut pair = Pair::new(&client(&ca), HOST, &config);
    pair.client_to_server(usize::MAX).unwrap();
    pair.server_to_client(usize::MAX).unwrap();
    assert_eq!(pair.pipe.tls_state(), TlsState::Established);
    let rest = pair.pipe.transmit().unwrap().len();
    assert!(rest > 0);
    pair.say(b"login");
    assert_eq!(pair.pipe.transmit().unwrap().len(), rest + 5 + 22);
    pair.exchange(usize::MAX).unwrap();
    assert_eq!(pair.server_heard(), b"login");
}

#[test]
fn large_transfers_do_not_make_buffers_grow() {
    const TOTAL: usize = 24 << 20;
    let (ca, config) = server(BOTH);
    let mut pair = Pair::new(&client(&ca), HOST, &config);
    pair.exchange(usize::MAX).unwrap();
    let bytes = (0..TOTAL).map(|at| (at >> 7 ^ at).to_le_bytes()[0]).collect::<Vec<u8>>();

    // To the server: all at once in the send buffer, encrypted piece by piece.
    pair.say(&bytes);
    let mut heard = Vec::with_capacity(TOTAL);
    while pair.pipe.wants_write() {
        let n = pair.pipe.transmit().unwrap().len();
        assert!(n <= 65 * 1024, "{n}");
        pair.client_to_server(n.div_ceil(3)).unwrap();
        heard.extend(pair.server_heard());
    }
    assert!(heard == bytes);

    // From the server, read as a socket would be: as much as there is room for.
    let mut heard = Vec::with_capacity(TOTAL);
    for part in bytes.chunks(60_000) {
        pair.server_say(part);
        while pair.server.wants_write() {
            pair.server.write_tls(&mut pair.from_server).unwrap();
        }
        let mut wire = &pair.from_server[..];
        while !wire.is_empty() {
            let buf = pair.pipe.recv_buf();
            let (free, capacity) = (buf.capacity() - buf.len(), buf.capacity());
            assert!(free > 0 && capacity <= 64 * 1024, "{free} {capacity}");
            let (now, later) = wire.split_at(wire.len().min(free));
            buf.extend_from_slice(now);
            wire = later;
            let before = pair.pipe.buffers().0.len();
            pair.pipe.received().unwrap();
            // No more than what a read can bring.
            assert!(pair.pipe.buffers().0.len() - before <= 64 * 1024);
            heard.extend_from_slice(&pair.pipe.buffers().0.split());
        }
        pair.from_server.clear();
    }
    assert!(heard == bytes);
}

/// A packet larger than any buffer: the reader takes nothing away until all of it is there.
#[test]
fn plaintext_may_pile_up() {
    let (ca, config) = server(BOTH);
    let mut pair = Pair::new(&client(&ca), HOST, &config);
    pair.exchange(usize::MAX).unwrap();
    let bytes = vec![7; 3 << 20];
    for part in bytes.chunks(60_000) {
        pair.server_say(part);
        pair.server_to_client(5000).unwrap();
    }
    assert!(pair.heard() == bytes);
}

#[test]
fn sessions_are_resumed() {
    for versions in [BOTH, TLS12] {
        let (ca, config) = server(versions);
        let client = TlsClient::new(&options(SslMode::VerifyIdentity, Some(&ca))).unwrap();
        for expected in [false, true, true] {
            let mut pair = Pair::new(&client.clone(), HOST, &config);
            pair.exchange(usize::MAX).unwrap();
            // With TLS 1.3 the ticket comes after the handshake.
            pair.chat();
            let facts = pair.pipe.tls_facts().unwrap();
            assert_eq!((facts.resumed, facts.verified, facts.name_verified), (expected, true, true));
            assert_eq!(pair.pipe.peer_certificates().count(), 1);
        }
        let fresh = TlsClient::new(&options(SslMode::VerifyIdentity, Some(&ca))).unwrap();
        let mut pair = Pair::new(&fresh, HOST, &config);
        pair.exchange(usize::MAX).unwrap();
        assert!(!pair.pipe.tls_facts().unwrap().resumed);
    }
}

#[test]
fn resuming_can_be_switched_off() {
    let (ca, config) = server(BOTH);
    let client = client(&ca);
    for _ in 0..2 {
        let mut pair = Pair::new(&client, HOST, &config);
        pair.exchange(usize::MAX).unwrap();
        pair.chat();
        assert!(!pair.pipe.tls_facts().unwrap().resumed);
    }
}

/// Sessions are kept by the name that rustls knows. Under one SNI name that may be several hosts, and a session with
/// one of them must not stand for another.
#[test]
fn a_resumed_session_is_for_its_own_host_only() {
    let (ca, config) = server(BOTH);
    let mut options = options(SslMode::VerifyIdentity, Some(&ca));
    options.sni = Some("shared.example.com".to_owned());
    let client = TlsClient::new(&options).unwrap();
    for _ in 0..2 {
        let mut pair = Pair::new(&client, HOST, &config);
        pair.exchange(usize::MAX).unwrap();
        pair.chat();
    }
    let mut pair = Pair::new(&client, "other.example.com", &config);
    let error = pair.exchange(usize::MAX).unwrap_err();
    assert!(matches!(error, TlsError::NameMismatch { .. }), "{error}");
    assert_eq!(pair.server.handshake_kind(), Some(rustls::HandshakeKind::Resumed));
}

#[derive(Debug)]
struct NameSeen(Arc<CertifiedKey>, std::sync::Mutex<Vec<Option<String>>>);

impl ResolvesServerCert for NameSeen {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.1.lock().unwrap().push(hello.server_name().map(str::to_owned));
        Some(Arc::clone(&self.0))
    }
}

#[test]
fn sni_is_sent_only_when_asked_for() {
    let ca = Authority::new("The CA");
    let identity = ca.server(HOST);
    let key = rustls::pki_types::PrivateKeyDer::try_from(identity.key.serialize_der()).unwrap();
    let key = rustls::crypto::aws_lc_rs::sign::any_supported_type(&key).unwrap();
    let seen = Arc::new(NameSeen(Arc::new(CertifiedKey::new(identity.chain, key)), Default::default()));
    let mut config = server_config(ca.server(HOST), BOTH);
    config.cert_resolver = seen.clone();
    let config = Arc::new(config);
    let mut options = options(SslMode::VerifyIdentity, Some(&ca));
    connect(&options, HOST, &config).1.unwrap();
    options.sni = Some("tenant.example.com".to_owned());
    connect(&options, HOST, &config).1.unwrap();
    assert_eq!(*seen.1.lock().unwrap(), [None, Some("tenant.example.com".to_owned())]);
    for bad in ["127.0.0.1", "a b"] {
        options.sni = Some(bad.to_owned());
        assert_eq!(TlsClient::new(&options).unwrap_err(), TlsError::BadSni { name: bad.to_owned() });
    }
}

#[test]
fn goodbye_from_the_client() {
    let (ca, config) = server(BOTH);
    let mut pair = Pair::new(&client(&ca), HOST, &config);
    pair.exchange(usize::MAX).unwrap();
    pair.say(b"quit");
    pair.pipe.close();
    assert!(pair.pipe.wants_write());
    // Something is received before anything is sent: the goodbye must not overtake what was there before it.
    pair.server_say(b"bye");
    pair.server_to_client(usize::MAX).unwrap();
    pair.exchange(usize::MAX).unwrap();
    assert_eq!(pair.server_heard(), b"quit");
    assert!(pair.server.process_new_packets().unwrap().peer_has_closed());
    pair.say(b"too late");
    assert!(!pair.pipe.wants_write());
    assert_eq!(pair.pipe.transmit().unwrap(), b"");
    // Who has said goodbye does not mind how the stream ends.
    assert_eq!(pair.pipe.eof(), Ok(()));
}

#[test]
fn goodbye_alone() {
    let (ca, config) = server(BOTH);
    let mut pair = Pair::new(&client(&ca), HOST, &config);
    pair.pipe.close();
    pair.exchange(usize::MAX).unwrap();
    assert!(!pair.pipe.wants_write());
    assert!(pair.server.process_new_packets().unwrap().peer_has_closed());
}

#[test]
fn goodbye_from_the_server() {
    let (ca, config) = server(BOTH);
    let mut pair = Pair::new(&client(&ca), HOST, &config);
    pair.exchange(usize::MAX).unwrap();
    pair.server_say(b"last words");
    pair.server.send_close_notify();
    pair.exchange(usize::MAX).unwrap();
    assert_eq!(pair.pipe.tls_state(), TlsState::Closed);
    assert_eq!(pair.heard(), b"last words");
    assert_eq!(pair.pipe.eof(), Ok(()));
    // The other direction is still open.
    pair.say(b"quit");
    pair.pipe.close();
    pair.exchange(usize::MAX).unwrap();
    assert_eq!(pair.server_heard(), b"quit");
    assert!(pair.pipe.tls_facts().is_some());
}
