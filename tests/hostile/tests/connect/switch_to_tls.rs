//! ESTABLISH_SSL: what a server, or somebody between, can do at the switch.

use std::time::Duration;

use porpoise_classic_connect::ConnectErrorKind::{
    Lost as Outside, PlaintextInjected, TlsNotOffered, TlsSettings,
};
use porpoise_classic_connect::ConnectStage::EstablishSsl;
use porpoise_driver::OptionsBuilder;
use porpoise_hostile_tests::cases::{Case, SECRET, USER, tls};
use porpoise_hostile_tests::packets::{err, frame, greeting, ok, tls_greeting};
use porpoise_hostile_tests::tls::server;
use porpoise_hostile_tests::{Act, Heard};
use porpoise_transport::{CaSource, SslMode, TlsError};
use porpoise_wire::Lost;

const CR_SSL_CONNECTION_ERROR: u16 = 2026;
/// Header and payload.
const SSL_REQUEST: usize = 36;

pub(crate) fn cases() -> Vec<Case> {
    let case = |name, script: Vec<Act>, kind| {
        Case::new(name, script, EstablishSsl, CR_SSL_CONNECTION_ERROR, kind).options(tls())
    };
    let greet = Act::Raw(frame(0, &tls_greeting()));
    let answers = |bytes: &[u8]| vec![greet.clone(), Act::Hear, Act::Raw(bytes.to_vec())];
    let failed = |kind: &_| tls_error(kind).is_some();
    let eof = |kind: &_| matches!(tls_error(kind), Some(TlsError::HandshakeEof));
    let alert = |kind: &_| matches!(tls_error(kind), Some(TlsError::Alert(_)));
    let injected = |kind: &_| matches!(kind, PlaintextInjected);
    let request = frame(3, b"\xfemysql_clear_password\0");
    let behind = |bytes: &[u8]| vec![Act::Raw([frame(0, &tls_greeting()), bytes.to_vec()].concat())];
    let mut cases = vec![
        case("OK behind the greeting", behind(&frame(2, &ok())), injected).whole().sent(nothing),
        case("a byte behind the greeting", behind(&[0]), injected).whole().sent(nothing),
        case("switch behind the greeting", behind(&request), injected).whole().sent(nothing),
        // What comes too late to be seen behind the greeting is no TLS record.
        case("OK soon after the greeting", behind(&frame(2, &ok())), injected_or_failed).sent(hello_at_most),
        case("OK between SSLRequest and ServerHello", answers(&frame(2, &ok())), failed).sent(hello_only),
        case("ERR in place of ServerHello", answers(&frame(2, &err(1043, "Bad handshake"))), failed)
            .sent(hello_only),
        case("switch to clear text in place of ServerHello", answers(&request), failed).sent(hello_only),
        // fatal, handshake_failure
        case("alert in place of ServerHello", answers(&[0x15, 3, 3, 0, 2, 2, 40]), alert).sent(hello_only),
        case("closed at SSLRequest", vec![greet.clone(), Act::Hear, Act::Close], eof).sent(hello_only),
        case("TLS not offered", vec![Act::Raw(frame(0, &greeting()))], |kind| matches!(kind, TlsNotOffered))
            .sent(nothing),
        case("a CA is missing", vec![greet.clone()], |kind| matches!(kind, TlsSettings(_)))
            .with(|options| options.ssl_mode(SslMode::VerifyCa))
            .sent(nothing),
    ];
    let reset = vec![greet.clone(), Act::Hear, Act::Reset];
    cases.push(
        case("reset at SSLRequest", reset, |kind| matches!(kind, Outside(Lost::Read(_) | Lost::Write(_))))
            .sent(hello_only),
    );
    for (name, acts) in [
        ("silence in place of ServerHello", vec![greet.clone(), Act::Hear]),
        ("a record that stops", answers(&[0x16, 3, 3, 0x10, 0, 2])),
        ("a request that is never read", vec![greet.clone(), Act::Deaf]),
    ] {
        let late = |kind: &_| matches!(kind, Outside(Lost::Deadline { stage: true, .. }));
        let soon = |options: OptionsBuilder| options.stage_timeout(EstablishSsl, Duration::from_millis(20));
        cases.push(case(name, acts, late).with(soon).slow().sent(hello_at_most));
    }
    // What PREFERRED does not give is a second try in clear.
    let close = vec![greet.clone(), Act::Hear, Act::Close];
    cases.push(case("no fallback to clear text", close, eof).with(preferred).sent(hello_only));
    cases.extend(certificates(&greet));
    cases
}

fn certificates(greet: &Act) -> Vec<Case> {
    let (own, pem) = server();
    let (other, _) = server();
    let script = |config| vec![greet.clone(), Act::Hear, Act::Tls(config), Act::Hear, Act::Say(ok())];
    let case = |name, script, pem: &[u8], mode| {
        let ca = CaSource::Pem(pem.to_vec());
        Case::new(name, script, EstablishSsl, CR_SSL_CONNECTION_ERROR, |kind| tls_error(kind).is_some())
            .options(tls().ssl_mode(mode).tls(|tls| tls.ca.push(ca)))
            .sent(hello_only)
    };
    vec![
        case("certificate of another CA", script(other), &pem, SslMode::VerifyCa),
        case("certificate for another host", script(own), &pem, SslMode::VerifyIdentity)
            .with(|options| options.host("db.example")),
    ]
}

fn preferred(options: OptionsBuilder) -> OptionsBuilder {
    options.ssl_mode(SslMode::Preferred)
}

fn tls_error(kind: &porpoise_classic_connect::ConnectErrorKind) -> Option<&TlsError> {
    match kind {
        Outside(Lost::Tls { error, .. }) => error.downcast_ref(),
        _ => None,
    }
}

fn injected_or_failed(kind: &porpoise_classic_connect::ConnectErrorKind) -> bool {
    matches!(kind, PlaintextInjected) || matches!(tls_error(kind), Some(TlsError::NotTls { .. }))
}

fn hello_at_most(heard: &Heard) {
    if !heard.clear.is_empty() {
        hello_only(heard);
    }
}

fn nothing(heard: &Heard) {
    assert!(heard.clear.is_empty(), "{:?}", heard.clear);
    assert!(heard.decrypted.is_empty(), "{:?}", heard.decrypted);
}

/// Nothing but the request for TLS, and then records of TLS, left in clear; and no login at all.
fn hello_only(heard: &Heard) {
    assert!(!heard.leaks(USER) && !heard.leaks(SECRET), "{:?}", heard.clear);
    assert!(heard.decrypted.is_empty(), "{:?}", heard.decrypted);
    let (request, mut records) = heard.clear.split_at_checked(SSL_REQUEST).expect("an SSLRequest");
    // 32 bytes, id 1; CLIENT_SSL is bit 11
    assert!(matches!(request, [32, 0, 0, 1, _, flags, ..] if flags & 8 != 0), "{request:?}");
    while let [kind, 3, _, high, low, rest @ ..] = records {
        // alert, handshake, or the one that changes ciphers
        assert!(matches!(kind, 0x14..=0x16), "{records:?}");
        // The last one may be cut off by the server's end.
        records = rest.get(usize::from(u16::from_be_bytes([*high, *low]))..).unwrap_or_default();
    }
    assert!(records.len() < 5, "{records:?}");
}
