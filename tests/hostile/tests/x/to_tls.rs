//! The switch to TLS: what a server, or somebody between, can do there. Whatever becomes of it, no byte of the login is to be
//! read by anybody.

use std::sync::Arc;

use libtest_mimic::Trial;
use porpoise_driver::x::OptionsBuilder;
use porpoise_hostile_tests::cases::{SECRET, USER};
use porpoise_hostile_tests::tls::{server, server_for};
use porpoise_hostile_tests::x::{
    NONCE, authenticated, challenge, changed, clear, connecting, error, executed, fatal, frame, hello,
    mechanisms, ok, tls,
};
use porpoise_hostile_tests::{Act, Heard, Peer, watch};
use porpoise_transport::{CaSource, PemSource, SslMode};
use porpoise_xproto::connect::Auth;
use porpoise_xproto::messages::connection::CapabilitiesSet;
use porpoise_xproto::messages::notice::session_state_changed::Parameter;
use prost::Message as _;

use crate::trial;

const CR_SSL_CONNECTION_ERROR: u16 = 2026;

pub(crate) fn trials() -> Vec<Trial> {
    let hear = || vec![Act::Say(hello()), Act::Hear];
    let then = |acts: &[Act]| [&hear()[..], acts].concat();
    let raw = |messages: &[Vec<u8>]| Act::Raw(messages.iter().flat_map(|message| frame(message)).collect());
    let (other, _) = server();
    let (own, pem) = server();
    let refused = [
        ("refused", then(&[Act::Say(error(5001))]), CR_SSL_CONNECTION_ERROR),
        ("refused for another reason", then(&[Act::Say(error(5002))]), 5002),
        ("a fatal refusal", then(&[Act::Say(fatal(5001))]), 5001),
        ("closed", then(&[Act::Close]), 2013),
        ("success behind Ok", then(&[raw(&[ok(), authenticated()])]), CR_SSL_CONNECTION_ERROR),
        ("an error behind Ok", then(&[raw(&[ok(), fatal(1045)])]), CR_SSL_CONNECTION_ERROR),
        ("a notice behind Ok", then(&[raw(&[ok(), hello()])]), CR_SSL_CONNECTION_ERROR),
        ("a byte behind Ok", then(&[Act::Raw([frame(&ok()), vec![0]].concat())]), CR_SSL_CONNECTION_ERROR),
        (
            "a nonce in place of ServerHello",
            then(&[Act::Say(ok()), Act::HearBytes, Act::Say(challenge(NONCE))]),
            CR_SSL_CONNECTION_ERROR,
        ),
        (
            "an alert",
            then(&[Act::Say(ok()), Act::HearBytes, Act::Raw(vec![0x15, 3, 3, 0, 2, 2, 40])]),
            CR_SSL_CONNECTION_ERROR,
        ),
        (
            "closed in the handshake",
            then(&[Act::Say(ok()), Act::HearBytes, Act::Close]),
            CR_SSL_CONNECTION_ERROR,
        ),
        ("another success", then(&[Act::Say(authenticated())]), 2027),
        ("a result", then(&[Act::Say(executed())]), 2027),
    ];
    let refused = refused.into_iter().map(|(name, script, code)| {
        trial(format!("tls: {name}"), move || fails(&script, tls(), code, hello_at_most))
    });
    let verified = tls().ssl_mode(SslMode::VerifyCa).tls(|tls| tls.ca.push(CaSource::Pem(pem.clone())));
    let ca = verified.clone();
    let certificate = then(&[Act::Say(ok()), Act::Tls(other), Act::Hear, Act::Say(authenticated())]);
    let mut trials: Vec<Trial> = refused.collect();
    trials.push(trial("tls: a certificate of another CA", move || {
        fails(&certificate, ca, CR_SSL_CONNECTION_ERROR, hello_at_most);
    }));
    let script = then(&[Act::Say(ok()), Act::Tls(Arc::clone(&own)), Act::Hear]);
    let host = verified.clone().ssl_mode(SslMode::VerifyIdentity).host("db.example");
    trials.push(trial("tls: a certificate of another host", move || {
        fails(&script, host, CR_SSL_CONNECTION_ERROR, hello_at_most);
    }));
    let config = Arc::clone(&own);
    trials.push(trial("tls: what is planned goes inside", move || inside(config, verified)));
    trials.push(trial("tls: a client certificate and EXTERNAL", external));
    trials.push(trial("tls: preferred, refused, and PLAIN is named", preferred_plain));
    trials.push(trial("tls: preferred and refused", preferred));
    trials
}

/// The connect fails with this number, however its bytes come; and this holds of what was sent.
fn fails(script: &[Act], options: OptionsBuilder, code: u16, sent: fn(&Heard)) {
    let options = Arc::new(options.build());
    for peer in [Peer::x(script), Peer::x(script).in_pieces_of(3), Peer::x(script).with_moods(5)] {
        let outcome = watch::run(connecting(&peer, &options));
        let error = outcome.err().unwrap_or_else(|| panic!("connected"));
        // In pieces what is behind the Ok may come too late to be seen there; then it is no TLS record.
        assert_eq!(error.code(), code, "{error:?}");
        assert!(
            error.advice().is_none_or(|advice| !advice.is_empty()) && !error.to_string().contains(SECRET)
        );
        sent(&peer.heard());
    }
}

/// Nothing left in clear but the request for TLS, and then records of TLS; and no login at all.
fn hello_at_most(heard: &Heard) {
    assert!(!heard.leaks(USER) && !heard.leaks(SECRET), "{:?}", heard.clear);
    assert!(heard.decrypted.is_empty(), "{:?}", heard.decrypted);
    let [set, ..] = &heard.packets[..] else { panic!("nothing was heard") };
    let names = names(set);
    assert_eq!(names.last().map(String::as_str), Some("tls"), "{names:?}");
    let length = 4 + set.len();
    let records = heard.clear.get(length..).unwrap_or_default();
    // alert, handshake, or the one that changes ciphers
    assert!(records.first().is_none_or(|kind| matches!(kind, 0x14..=0x16)), "{records:?}");
}

/// The names that a CapabilitiesSet sets.
fn names(set: &[u8]) -> Vec<String> {
    let Some((2, payload)) = set.split_first() else { panic!("{set:?}") };
    let set = CapabilitiesSet::decode(payload).expect("a CapabilitiesSet");
    set.capabilities.capabilities.into_iter().map(|capability| capability.name).collect()
}

/// Attributes, compression and login of a connect with TLS.
fn inside(config: Arc<rustls::ServerConfig>, options: OptionsBuilder) {
    let options = options.connect(|connect| {
        connect.attributes = vec![("secret".into(), "attribute".into())];
        connect.interactive = true;
    });
    let script = [Act::Hear, Act::Say(ok()), Act::Tls(config), Act::Hear, Act::Say(ok()), Act::Hear];
    let success = [Act::Say(changed(Parameter::ClientIdAssigned, 7)), Act::Say(authenticated())];
    let peer = Peer::x(&[&script[..], &success].concat());
    let session = watch::run(connecting(&peer, &Arc::new(options.build()))).expect("a session");
    assert!(session.is_encrypted());
    let heard = peer.heard();
    assert!(!heard.leaks(SECRET) && !heard.leaks(USER) && !heard.leaks("attribute"));
    let [clear, set, start] = &heard.packets[..] else { panic!("{:?}", heard.packets) };
    assert_eq!(names(clear), ["client.interactive", "tls"]);
    assert_eq!(names(set), ["session_connect_attrs"]);
    assert!(start.windows(SECRET.len()).any(|window| window == SECRET.as_bytes()));
}

/// The scenario of the documents: the user is in the client's certificate, without which there is no TLS, and authentication is
/// one step.
fn external() {
    let (config, cert, key) = server_for(USER);
    let script = [Act::Say(hello()), Act::Hear, Act::Say(ok()), Act::Tls(config), Act::Hear];
    let script = [&script[..], &[Act::Say(authenticated())]].concat();
    let options = tls().auth(Auth::External);
    let shown = options.clone().tls(|tls| {
        (tls.cert, tls.key) = (Some(PemSource::Pem(cert.into())), Some(PemSource::Pem(key.into())));
    });
    let peer = Peer::x(&script);
    let session = watch::run(connecting(&peer, &Arc::new(shown.build()))).expect("a session");
    assert_eq!(session.mechanism(), Some("EXTERNAL"));
    let heard = peer.heard();
    let [set, start] = &heard.packets[..] else { panic!("two flights: {:?}", heard.packets) };
    assert_eq!(names(set), ["tls"]);
    // mech_name | initial_response: nothing, who it is says the certificate
    assert_eq!(start[..], b"\x04\x0a\x08EXTERNAL\x1a\x00"[..]);
    assert!(!heard.leaks(USER) && !heard.decrypted.is_empty());
    // Without the certificate the server ends it.
    let error = watch::run(connecting(&Peer::x(&script), &Arc::new(options.build())));
    let error = error.expect_err("no certificate, no session");
    assert!(matches!(error.code(), CR_SSL_CONNECTION_ERROR | 2013), "{error:?}");
}

/// A password never goes where TLS was refused.
fn preferred_plain() {
    let options = clear().ssl_mode(SslMode::Preferred).auth(Auth::Plain);
    fails(&[Act::Hear, Act::Say(error(5001))], options, 2061, |heard| {
        assert!(!heard.leaks(USER) && heard.packets.len() == 1, "{:?}", heard.packets);
    });
}

/// Where TLS is only preferred the login goes on in clear, by a mechanism that nobody learns the password from.
fn preferred() {
    let list = mechanisms(&["PLAIN", "SHA256_MEMORY"]);
    let script = [
        Act::Hear,
        Act::Say(error(5001)),
        Act::Hear,
        Act::Say(list),
        Act::Hear,
        Act::Say(challenge(NONCE)),
        Act::Hear,
        Act::Say(authenticated()),
    ];
    let peer = Peer::x(&script);
    let options = clear().ssl_mode(SslMode::Preferred).build();
    let session = watch::run(connecting(&peer, &Arc::new(options))).expect("a session");
    assert_eq!((session.mechanism(), session.is_encrypted()), (Some("SHA256_MEMORY"), false));
    let heard = peer.heard();
    assert!(!heard.leaks(SECRET) && heard.leaks(USER));
    assert_eq!(heard.packets.len(), 4);
}
