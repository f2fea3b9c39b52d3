//! Peers, and those in between, that do not keep to the rules.

use std::sync::Arc;

use porpoise_transport::{
    Alert, Fault, Pipe, SslMode, TlsClient, TlsError, TlsOptions, TlsState, TlsVersion,
};
use rustls::AlertDescription;

use crate::support::{Authority, BOTH, Pair, TLS12, connect, options, server_config};

const HOST: &str = "db.example.com";

fn started() -> Pipe {
    let mut pipe = Pipe::new();
    pipe.start_tls(&TlsClient::new(&TlsOptions::new(SslMode::Required)).unwrap(), HOST).unwrap();
    pipe
}

fn established() -> Pair {
    let ca = Authority::new("The CA");
    let client = TlsClient::new(&options(SslMode::VerifyCa, Some(&ca))).unwrap();
    let mut pair = Pair::new(&client, HOST, &Arc::new(server_config(ca.server(HOST), BOTH)));
    pair.exchange(usize::MAX).unwrap();
    pair.chat();
    pair
}

fn answer(pipe: &mut Pipe, bytes: &[u8]) -> Result<(), TlsError> {
    pipe.recv_buf().extend_from_slice(bytes);
    pipe.received()
}

#[test]
fn bytes_in_the_clear_before_tls() {
    let client = TlsClient::new(&TlsOptions::new(SslMode::Required)).unwrap();
    let mut pipe = Pipe::new();
    answer(&mut pipe, b"\x07\x00\x00\x02\x00").unwrap();
    assert_eq!(pipe.start_tls(&client, HOST), Err(TlsError::PlaintextInjected { bytes: 5 }));
    assert_eq!(pipe.tls_state(), TlsState::Plain);
}

#[test]
fn misuse_changes_nothing() {
    let client = TlsClient::new(&TlsOptions::new(SslMode::Required)).unwrap();
    let disabled = TlsClient::new(&TlsOptions::new(SslMode::Disabled)).unwrap();
    let mut pipe = Pipe::new();
    assert_eq!(pipe.start_tls(&disabled, HOST), Err(TlsError::Disabled));
    pipe.buffers().1.extend_from_slice(b"SSLRequest");
    assert_eq!(pipe.start_tls(&client, HOST), Err(TlsError::Unsent { bytes: 10 }));
    assert_eq!(pipe.transmit().unwrap(), b"SSLRequest");
    pipe.transmitted(10);
    pipe.start_tls(&client, HOST).unwrap();
    let error = pipe.start_tls(&client, HOST).unwrap_err();
    assert_eq!((error.fault(), error), (Fault::Caller, TlsError::AlreadyStarted));
    assert_eq!(pipe.tls_state(), TlsState::Handshaking);
}

#[test]
fn no_tls_at_all() {
    for reply in [
        // An ERR packet: length 23, number 2.
        &b"\x17\x00\x00\x02\xff\x15\x04#28000Access denied"[..],
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        // A record that is too long.
        b"\x16\x03\x03\xff\xff",
        b"\x16\x03\x03\x00\x00",
    ] {
        let mut pipe = started();
        let error = answer(&mut pipe, reply).unwrap_err();
        assert!(matches!(error, TlsError::NotTls { .. }), "{error}");
        assert_eq!(pipe.tls_state(), TlsState::Failed);
        // The same for ever, whatever comes; and an alert has been made ready before.
        assert_eq!(answer(&mut pipe, b"more"), Err(error.clone()));
        let n = pipe.transmit().unwrap().len();
        pipe.transmitted(n);
        assert_eq!(pipe.transmit(), Err(error));
        assert!(!pipe.wants_write());
    }
}

#[test]
fn alerts() {
    for (description, text) in
        [(112, "unrecognized_name (112)"), (40, "handshake_failure (40)"), (0, "close_notify (0)")]
    {
        let mut pipe = started();
        let error = answer(&mut pipe, &[0x15, 0x03, 0x03, 0x00, 0x02, 0x02, description]).unwrap_err();
        assert_eq!(error, TlsError::Alert(Alert(description)));
        assert!(error.to_string().ends_with(text), "{error}");
    }
}

#[test]
fn no_version_in_common() {
    let ca = Authority::new("The CA");
    let config = Arc::new(server_config(ca.server(HOST), TLS12));
    let mut options = TlsOptions::new(SslMode::Required);
    options.versions = vec![TlsVersion::Tls13];
    let (_, result) = connect(&options, HOST, &config);
    let error = result.unwrap_err();
    assert!(matches!(error, TlsError::Alert(Alert(70))), "{error}");
    assert!(error.advice().contains("tls-version"));
}

#[test]
fn the_stream_ends_in_the_handshake() {
    let mut pipe = started();
    assert_eq!(pipe.eof(), Err(TlsError::HandshakeEof));
    assert_eq!(pipe.received(), Err(TlsError::HandshakeEof));
}

#[test]
fn the_stream_is_cut_off() {
    let mut pair = established();
    pair.server_say(b"half of a ");
    pair.exchange(usize::MAX).unwrap();
    assert_eq!(pair.pipe.eof(), Err(TlsError::Truncated));
    // What did come can still be read.
    assert_eq!(pair.heard(), b"half of a ");
    assert_eq!(pair.pipe.tls_state(), TlsState::Failed);
}

#[test]
fn a_changed_byte() {
    let mut pair = established();
    pair.server_say(b"the truth");
    while pair.server.wants_write() {
        pair.server.write_tls(&mut pair.from_server).unwrap();
    }
    *pair.from_server.last_mut().unwrap() ^= 1;
    let bytes = std::mem::take(&mut pair.from_server);
    let error = answer(&mut pair.pipe, &bytes).unwrap_err();
    assert!(matches!(error, TlsError::Protocol { .. }), "{error}");
    assert_eq!(pair.heard(), b"");
    // The server is told.
    assert!(pair.client_to_server(usize::MAX).is_err());
    assert_eq!(pair.server_error, Some(rustls::Error::AlertReceived(AlertDescription::BadRecordMac)));
}

#[test]
fn clear_text_after_the_handshake() {
    let mut pair = established();
    let error = answer(&mut pair.pipe, b"\x07\x00\x00\x02\x00\x00\x00\x02\x00\x00\x00").unwrap_err();
    assert!(matches!(error, TlsError::Protocol { .. }), "{error}");
    assert_eq!(pair.heard(), b"");
}

/// Handshake messages may come in fragments. One byte in each record makes much out of little.
#[test]
fn endless_fragments() {
    let mut pipe = started();
    // A ServerHello of 65,535 bytes, says its header.
    answer(&mut pipe, b"\x16\x03\x03\x00\x04\x02\x00\xff\xff").unwrap();
    let mut records = 0;
    let error = loop {
        let room = pipe.recv_buf().capacity();
        assert!(room <= 512 * 1024, "{room}");
        if let Err(error) = answer(&mut pipe, &b"\x16\x03\x03\x00\x01\x00".repeat(100)) {
            break error;
        }
        records += 100;
        assert!(records < 65_000, "accepted");
    };
    assert!(matches!(error, TlsError::Protocol { .. }), "{error}");
}

/// A server that goes on and on with messages a client must process costs no memory.
#[test]
fn endless_tickets() {
    let ca = Authority::new("The CA");
    let mut config = server_config(ca.server(HOST), BOTH);
    config.send_tls13_tickets = 1000;
    let client = TlsClient::new(&options(SslMode::VerifyCa, Some(&ca))).unwrap();
    let mut pair = Pair::new(&client, HOST, &Arc::new(config));
    pair.exchange(4096).unwrap();
    pair.chat();
    assert!(pair.pipe.bytes_in() > 50_000);
    // All tickets that come in a row are one piece to rustls, which is let go of at its end.
    let room = pair.pipe.recv_buf().capacity();
    assert!(room <= 128 * 1024, "{room}");
}
