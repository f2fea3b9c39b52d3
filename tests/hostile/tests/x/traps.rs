//! What clients of the X Protocol are known to have got wrong, by the numbers of a list of such traps. Those about values are
//! in `values`, those about compression in `compressed`; what only a real server can show is tested there.

use std::sync::Arc;

use libtest_mimic::Trial;
use porpoise_driver::blocking::BLOCKING;
use porpoise_driver::x::Error;
use porpoise_driver::{Connecting as ClassicConnecting, x};
use porpoise_hostile_tests::x::{
    NONCE, authenticated, bye, challenge, changed, clear, column, connecting, done, error, executed, fatal,
    frame, hello, kinds, login, message, more, notice, ok, read, rest, row, session, session_then, statement,
    tls, unix, warning,
};
use porpoise_hostile_tests::{Act, Peer, cases, packets, watch};
use porpoise_transport::{CaSource, SslMode};
use porpoise_xproto::connect::Auth;
use porpoise_xproto::messages::connection::{Capabilities, Capability};
use porpoise_xproto::messages::datatypes::{Array, Object, Scalar};
use porpoise_xproto::messages::notice::session_state_changed::Parameter;
use porpoise_xproto::messages::session;
use porpoise_xproto::{Event, Fetched, LifeCycle};

use crate::trial;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("trap 1: a hello before the first reply, or none", hello_first),
        trial("trap 2: notices between all messages of a login", notices_in_login),
        trial("trap 3: a global error says why the end comes", goodbye),
        trial("trap 4: what has come is kept when more is sent", kept_when_sending),
        trial("trap 5: messages byte by byte", fragments),
        trial("trap 13: no password is an empty one", no_password),
        trial("trap 14: a mechanism that is not listed costs no attempt", no_attempt),
        trial("trap 15: nobody probes, so that no block is left open", no_probe),
        trial("trap 17: a goodbye that nobody answers", goodbye_unanswered),
        trial("trap 19: FetchDone is not the end", fetch_done),
        trial("trap 20: no result behind the last one", phantom),
        trial("trap 21: a certificate that is not trusted ends the connect", untrusted),
        trial("trap 23: numbers above 2^53", large_numbers),
        trial("trap 24: capabilities that nobody knows", unknown_capabilities),
        trial("trap 25: an error without a severity is not fatal", severity),
        trial("trap 26: what is fatal and does not end, and an end that is not fatal", fatal_5009),
        trial("trap 27: a message leaves in one write", one_write),
        trial("trap 28: the wrong port, both ways", wrong_port),
    ]
}

fn hello_first() {
    for first in [vec![], vec![Act::Say(hello())], vec![Act::Say(hello()), Act::Say(hello())]] {
        let script = [&first[..], &[Act::Hear, Act::Say(message(2, &Capabilities::default()))]].concat();
        let peer = Peer::x(&script);
        let raw = x::Connecting::raw(BLOCKING, Arc::new(clear().build())).over(peer.link());
        let mut session = watch::run(raw).expect("an open transport");
        session.message_now(|connection, cx| connection.capabilities_get(cx)).expect("it may be sent");
        let mut told = Vec::new();
        assert!(watch::run(rest(&mut session, &mut told)).is_none());
        assert!(told.last().is_some_and(|last| last.starts_with("Capabilities")), "{told:?}");
    }
}

fn notices_in_login() {
    let notices =
        || [hello(), warning(1, true, 1), notice(99, true, vec![]), warning(2, false, 1)].map(Act::Say);
    let expired = notice(3, true, vec![8, 2]);
    let script = [
        &notices()[..],
        &[Act::Hear],
        &notices(),
        &[Act::Say(challenge(NONCE))],
        &notices(),
        &[Act::Hear],
        &notices(),
        &[Act::Say(expired), Act::Say(changed(Parameter::ClientIdAssigned, 7))],
        &notices(),
        &[Act::Say(authenticated())],
    ]
    .concat();
    for peer in [Peer::x(&script), Peer::x(&script).in_pieces_of(1)] {
        let session = session(&peer, unix().auth(Auth::Sha256Memory));
        assert_eq!((session.client_id(), session.is_expired()), (Some(7), true));
    }
}

fn goodbye() {
    for code in [1053, 1810, 3169] {
        for told in [vec![Act::Close], vec![Act::Hear, Act::Close], vec![Act::Reset]] {
            let script = [&[Act::Say(warning(3, false, code))][..], &told].concat();
            let (mut session, _peer) = session_then(&script);
            let (_, error) = watch::run(read(&mut session, 1));
            let error = error.expect("it is over");
            assert_eq!(u32::from(error.code()), code, "{error:?}");
            assert!(error.to_string().contains(&code.to_string()), "{error}");
        }
    }
}

fn kept_when_sending() {
    // A notice comes late, and a second reply together with the first.
    let late =
        [warning(1, false, 1000), notice(99, false, vec![]), column("c"), row(&[b"x\0"]), done(), executed()];
    let raw: Vec<u8> = [ok(), executed()].iter().chain(&late).flat_map(|message| frame(message)).collect();
    let (mut session, _peer) = session_then(&[Act::Hear, Act::Raw(raw)]);
    session.message_now(|connection, cx| connection.session_reset(true, cx)).expect("it may be sent");
    session.message_now(|connection, cx| connection.send(&statement("x"), cx)).expect("it may be sent");
    let first = watch::run(session.next_event()).expect("a reply");
    assert_eq!(first, Some(Event::Ok(None)));
    // Its reply is in the buffer already, and so is that of the one before.
    session.message_now(|connection, cx| connection.send(&statement("y"), cx)).expect("it may be sent");
    let mut told = Vec::new();
    assert!(watch::run(rest(&mut session, &mut told)).is_none());
    let told: Vec<&str> = told.iter().map(|line| line.split(' ').next().unwrap_or_default()).collect();
    assert_eq!(
        told,
        ["StmtExecuteOk", "Warning(Warning", "Unknown", "1", "row", "Fetched(Done)", "StmtExecuteOk"]
    );
}

fn fragments() {
    let reply = || [column("c"), row(&[&[b'x'; 300]]), row(&[b""]), more(), done(), executed()].map(Act::Say);
    let script: Vec<Act> = [&login()[..], &[Act::Hear], &reply(), &[Act::Hear], &reply()].concat();
    let told = |peer: &Peer| {
        let mut session = session(peer, unix());
        let (first, error) = watch::run(read(&mut session, 1));
        assert!(error.is_none(), "{error:?}");
        let (second, error) = watch::run(read(&mut session, 1));
        assert!(error.is_none() && first == second, "{error:?}");
        first
    };
    let whole = told(&Peer::x(&script));
    assert_eq!(told(&Peer::x(&script).in_pieces_of(1)), whole);
    for seed in 0..20 {
        assert_eq!(told(&Peer::x(&script).with_moods(seed)), whole);
    }
}

fn no_password() {
    let options = || porpoise_hostile_tests::x::base().unix_socket("/nowhere").ssl_mode(SslMode::Disabled);
    let peer = Peer::x(&login());
    let session = session(&peer, options().user("u"));
    assert_eq!(session.mechanism(), Some("PLAIN"));
    // mech_name, auth_data: no schema, the user, nothing
    assert_eq!(peer.heard().packets, [b"\x04\x0a\x05PLAIN\x12\x03\0u\0".to_vec()]);
    let script = [Act::Hear, Act::Say(challenge(NONCE)), Act::Hear, Act::Say(authenticated())];
    let peer = Peer::x(&script);
    let session = porpoise_hostile_tests::x::session(&peer, options().user("u").auth(Auth::Sha256Memory));
    assert!(session.is_usable());
    let packets = peer.heard().packets;
    // 64 digits all the same
    assert_eq!(packets.last().map(Vec::len), Some(1 + 2 + 3 + 64), "{packets:?}");
}

fn no_attempt() {
    let list = porpoise_hostile_tests::x::mechanisms(&["SHA256_MEMORY"]);
    let script =
        [Act::Hear, Act::Hear, Act::Say(list), Act::Say(challenge(NONCE)), Act::Hear, Act::Say(error(1045))];
    let peer = Peer::x(&script);
    let error = watch::run(connecting(&peer, &Arc::new(clear().build()))).expect_err("a cold cache");
    assert_eq!(error.code(), 1045);
    assert!(error.advice().is_some_and(|advice| advice.contains("connect once over TLS")), "{error:?}");
    assert_eq!(kinds(&peer.heard()), [1, 4, 5]);
}

/// Whether a server can keep a session open over a reset is not asked for by opening a block that then stays.
fn no_probe() {
    let (mut session, peer) = session_then(&[Act::Hear, Act::Say(ok())]);
    session.message_now(|connection, cx| connection.session_reset(true, cx)).expect("it may be sent");
    assert!(watch::run(rest(&mut session, &mut Vec::new())).is_none());
    assert_eq!(kinds(&peer.heard()), [4, 6]);
}

/// A server that is gone when the goodbye is said, and one that just hangs up.
fn goodbye_unanswered() {
    for then in [
        vec![Act::Close],
        vec![Act::Hear, Act::Close],
        vec![Act::Reset],
        vec![Act::Hear, Act::Say(bye()), Act::Close],
    ] {
        let (session, peer) = session_then(&then);
        // The end is not waited for but where there is a server to wait for.
        drop(watch::run(session.close()));
        assert!(!peer.is_linked());
    }
}

fn fetch_done() {
    let reply = [column("c"), done(), warning(1, true, 1), changed(Parameter::RowsAffected, 3), executed()];
    let next = [changed(Parameter::RowsAffected, 4), executed()];
    let acts = [&[Act::Hear][..], &reply.map(Act::Say), &[Act::Hear], &next.map(Act::Say)].concat();
    let (mut session, _peer) = session_then(&acts);
    let (first, error) = watch::run(read(&mut session, 1));
    assert!(error.is_none() && first.last().is_some_and(|last| last == "StmtExecuteOk"), "{first:?}");
    assert_eq!(watch::run(read(&mut session, 1)).0, ["RowsAffected(4)", "StmtExecuteOk"]);
}

fn phantom() {
    let reply =
        [column("c"), row(&[b"x\0"]), more(), column("d"), row(&[b"y\0"]), more(), done(), executed()];
    let (mut session, _peer) = session_then(&[&[Act::Hear][..], &reply.map(Act::Say)].concat());
    let told = watch::run(read(&mut session, 1)).0;
    assert_eq!(told.iter().filter(|line| line.ends_with("columns")).count(), 2, "{told:?}");
    assert!(told.contains(&format!("{:?}", Event::Fetched(Fetched::Done))));
}

fn untrusted() {
    let (config, _) = porpoise_hostile_tests::tls::server();
    let (_, other) = porpoise_hostile_tests::tls::server();
    let options = tls().ssl_mode(SslMode::VerifyCa).tls(|tls| tls.ca.push(CaSource::Pem(other.clone())));
    let peer = Peer::x(&[Act::Hear, Act::Say(ok()), Act::Tls(config)]);
    let error = watch::run(connecting(&peer, &Arc::new(options.build()))).expect_err("another CA");
    assert!(error.code() == 2026 && error.advice().is_some(), "{error:?}");
}

fn large_numbers() {
    let numbers = [(1 << 53) + 1, u64::MAX];
    for number in numbers {
        let reply = [
            changed(Parameter::RowsAffected, number),
            changed(Parameter::GeneratedInsertId, number),
            executed(),
        ];
        let (mut session, _peer) = session_then(&[&[Act::Hear][..], &reply.map(Act::Say)].concat());
        let told = watch::run(read(&mut session, 1)).0;
        let expected = [format!("RowsAffected({number})"), format!("GeneratedInsertId({number})")];
        assert!(told.starts_with(&expected), "{told:?}");
    }
}

fn unknown_capabilities() {
    let one = |name: &str, value| Capability { name: name.to_owned(), value };
    let octets = |text: &'static str| Scalar::octets(text, None).into();
    let capabilities = vec![
        one("of.the.future", Object::default().with("deep", Array::default()).into()),
        one("tls", "a text".into()),
        one("node_type", octets("mysql")),
        one("authentication.mechanisms", Array { value: vec![octets("SHA256_MEMORY"), 7_u64.into()] }.into()),
        one("doc.formats", 7_u64.into()),
        one("compression", Array { value: vec![octets("zstd_stream")] }.into()),
        one("client.interactive", Default::default()),
    ];
    let list = message(2, &Capabilities { capabilities });
    let script = [
        Act::Hear,
        Act::Hear,
        Act::Say(list),
        Act::Say(challenge(NONCE)),
        Act::Hear,
        Act::Say(authenticated()),
    ];
    let session = session(&Peer::x(&script), clear());
    let listed = session.capabilities().expect("they were asked for");
    assert_eq!(listed.capabilities.len(), 7);
    assert_eq!(listed.mechanisms().collect::<Vec<_>>(), ["SHA256_MEMORY"]);
    assert_eq!((listed.node_type(), listed.doc_formats(), listed.tls()), (Some("mysql"), None, Some(false)));
    assert_eq!(listed.compression().count(), 0);
}

fn severity() {
    let (mut session, _peer) = session_then(&[
        Act::Hear,
        Act::Say(error(1064)),
        Act::Hear,
        Act::Say(error(1064)),
        Act::Hear,
        Act::Say(fatal(1064)),
    ]);
    for _ in 0..2 {
        let (told, error) = watch::run(read(&mut session, 1));
        assert!(error.is_none() && told == ["error 1064"], "{told:?}");
        assert!(session.is_usable());
    }
    let (_, error) = watch::run(read(&mut session, 1));
    assert!(error.is_some_and(|error| error.code() == 1064) && !session.is_usable());
}

fn fatal_5009() {
    let script =
        [Act::Hear, Act::Say(ok()), Act::Hear, Act::Say(fatal(5009)), Act::Hear, Act::Say(authenticated())];
    let (mut session, _peer) = session_then(&script);
    let set =
        porpoise_xproto::messages::connection::CapabilitiesSet::default().with("client.interactive", true);
    session.message_now(|connection, cx| connection.send(&session::Close {}, cx)).expect("it may be sent");
    session.message_now(|connection, cx| connection.send(&set, cx)).expect("it may be sent");
    let mut told = Vec::new();
    assert!(watch::run(rest(&mut session, &mut told)).is_none());
    assert_eq!(told, ["Ok(None)", "error 5009"]);
    assert_eq!(session.state(), LifeCycle::SessionClosed);
    session
        .message_now(|connection, cx| connection.authenticate_start("PLAIN", Some(b"\0u\0p"), false, cx))
        .expect("it may be sent");
    assert!(watch::run(rest(&mut session, &mut told)).is_none());
    assert_eq!(session.state(), LifeCycle::Session);
    // And an end without a word.
    let (mut session, _peer) = session_then(&[Act::Hear, Act::Close]);
    let (_, error) = watch::run(read(&mut session, 1));
    assert!(matches!(&error, Some(Error::Session(_))), "{error:?}");
    assert!(
        error
            .and_then(|error| error.advice())
            .is_some_and(|advice| advice.contains("mysqlx_max_allowed_packet"))
    );
}

/// Servers wait half a second for the rest of a message whose beginning they have.
fn one_write() {
    for len in [1, 5000, 3 << 20] {
        let (mut session, peer) = session_then(&[Act::Hear, Act::Say(executed())]);
        let before = peer.heard().writes.len();
        let text = "x".repeat(len);
        session.message_now(|connection, cx| connection.send(&statement(&text), cx)).expect("it may be sent");
        assert!(watch::run(rest(&mut session, &mut Vec::new())).is_none());
        let writes = peer.heard().writes;
        assert_eq!(writes.len() - before, 1, "{writes:?}");
    }
    // All messages that are sent together, too.
    let (mut session, peer) =
        session_then(&[Act::Hear, Act::Hear, Act::Say(executed()), Act::Say(executed())]);
    let before = peer.heard().writes.len();
    assert!(watch::run(read(&mut session, 2)).1.is_none());
    assert_eq!(peer.heard().writes.len() - before, 1);
}

fn wrong_port() {
    let greeting = Act::Raw(packets::frame(0, &packets::greeting()));
    for options in [unix(), clear(), tls()] {
        let peer = Peer::x(std::slice::from_ref(&greeting));
        let error = watch::run(connecting(&peer, &Arc::new(options.build()))).expect_err("a classic server");
        assert!(error.to_string().contains("classic"), "{error}");
        assert!(error.advice().is_some_and(|advice| advice.contains("33060")), "{error:?}");
        assert!(!peer.heard().leaks(cases::SECRET) || error.code() == 2007);
    }
    // The other way round: a hello is a packet of 5 bytes to the classic protocol.
    let peer = Peer::new(&[Act::Raw(frame(&hello()))]);
    let options = cases::plain().build().unwrap_or_else(|error| panic!("{error}"));
    let connecting = ClassicConnecting::over(peer.link(), BLOCKING, Arc::new(options));
    let error = watch::run(connecting).expect_err("an X server");
    let said = format!("{error} {:?}", error.advice());
    assert!(said.contains("X Protocol") && said.contains("use the classic port"), "{said}");
}
