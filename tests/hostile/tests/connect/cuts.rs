//! Connects that would succeed, cut off: the stream at every byte, and each packet at every one of its own.

use std::sync::Arc;

use libtest_mimic::Trial;
use porpoise_classic_connect::ConnectStage::{
    AuthHandleMultiAuthResponse, AuthHandleSecondAuthenticateUser, AuthReadChangeUserResult,
    AuthRunFirstAuthenticateUser, EstablishSsl, PrepSelectDatabase, ReadGreeting, SendOneInitCommand,
};
use porpoise_classic_connect::{ConnectErrorKind, ConnectStage};
use porpoise_driver::Connecting;
use porpoise_driver::blocking::BLOCKING;
use porpoise_hostile_tests::cases::fails_clearly;
use porpoise_hostile_tests::connects::{self, Connect};
use porpoise_hostile_tests::{Act, Peer, watch};
use porpoise_transport::TlsError;
use porpoise_wire::Lost;

pub(crate) fn trials() -> Vec<Trial> {
    let trial = |what, name, test: fn(&Connect), connect: Connect| {
        Trial::test(format!("{what}: {name}"), move || {
            test(&connect);
            Ok(())
        })
    };
    let all = connects::all();
    let streams = all.iter().map(|c| trial("closed at every byte", c.name, closed_at_every_byte, c.clone()));
    let packets = all.iter().map(|c| trial("each packet cut off", c.name, each_packet_cut_off, c.clone()));
    streams.chain(packets).collect()
}

fn over(peer: &Peer, connect: &Connect) -> Connecting {
    Connecting::over(peer.link(), BLOCKING, Arc::clone(&connect.options))
}

fn closed_at_every_byte(connect: &Connect) {
    let mut stages = Vec::new();
    for cut in 0.. {
        let peer = Peer::new(&connect.script).cut_after(cut);
        let outcome = watch::run(over(&peer, connect));
        if outcome.is_ok() {
            break;
        }
        let error = fails_clearly(outcome, &peer.heard());
        let (kind, stage) = (error.kind(), error.stage());
        let in_tls = matches!(kind, ConnectErrorKind::Lost(Lost::Tls { error, .. })
            if matches!(error.downcast_ref(), Some(TlsError::HandshakeEof)));
        assert_eq!(in_tls, stage == EstablishSsl, "{cut}: {error:?}");
        assert!(in_tls || matches!(kind, ConnectErrorKind::Lost(Lost::Closed)), "{cut}: {error:?}");
        assert_eq!(error.code(), if in_tls { 2026 } else { 2013 }, "{cut}: {error:?}");
        // The length of a TLS handshake varies by some bytes.
        if !stages.contains(&stage) {
            stages.push(stage);
        }
    }
    // The more the server said, the further the connect came.
    let expected: &[ConnectStage] = match connect.name {
        "fast" | "full by RSA, key fetched" => &[AuthRunFirstAuthenticateUser, AuthReadChangeUserResult],
        "full by TLS" => &[EstablishSsl, AuthRunFirstAuthenticateUser, AuthReadChangeUserResult],
        "switched" => &[AuthRunFirstAuthenticateUser, AuthHandleSecondAuthenticateUser],
        "three factors" => {
            &[AuthRunFirstAuthenticateUser, AuthReadChangeUserResult, AuthHandleMultiAuthResponse]
        }
        "prepared" => {
            &[AuthRunFirstAuthenticateUser, AuthReadChangeUserResult, PrepSelectDatabase, SendOneInitCommand]
        }
        other => panic!("{other}: {stages:?}"),
    };
    assert_eq!(stages, [&[ReadGreeting], expected].concat());
}

fn each_packet_cut_off(connect: &Connect) {
    for (place, act) in connect.script.iter().enumerate() {
        let Act::Say(payload) = act else { continue };
        // The end of rows in its older form is accepted.
        let is_eof = |cut| payload.first() == Some(&0xfe) && cut == 5 && payload.len() == 7;
        for cut in (0..payload.len()).filter(|cut| !is_eof(*cut)) {
            let short = Act::Say(payload.iter().copied().take(cut).collect());
            let before = connect.script.iter().take(place).cloned();
            let script: Vec<Act> = before.chain([short, Act::Close]).collect();
            let peer = Peer::new(&script);
            let outcome = watch::run(over(&peer, connect));
            assert!(outcome.is_err(), "{cut} of {payload:?}");
            fails_clearly(outcome, &peer.heard());
        }
    }
}
