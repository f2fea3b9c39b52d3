//! AUTHENTICATE and AUTH_*.

use std::time::Duration;

use bytes::BytesMut;
use porpoise_auth::{AuthError, AuthStep, Exchange, Input, Mechanism, Registry};
use porpoise_classic_connect::ConnectErrorKind::{
    self, Auth, EndlessAuthentication, Lost as Outside, Server, TooManyAuthSwitches, TooManyFactors,
    Unexpected, Wire,
};
use porpoise_classic_connect::ConnectStage::{
    self, AuthDoMultiPluginAuth, AuthHandleChangeUserRequest, AuthHandleFirstAuthenticateUser,
    AuthHandleMultiAuthResponse, AuthHandleSecondAuthenticateUser, AuthInitMultiAuth,
    AuthReadChangeUserResult, AuthRunFirstAuthenticateUser, AuthRunSecondAuthenticateUser,
};
use porpoise_driver::OptionsBuilder;
use porpoise_hostile_tests::cases::{Case, SECRET, tls};
use porpoise_hostile_tests::packets::{
    ALL, SSL, err, frame, greeting, greeting_of, header, more, next_factor, ok, switch, switch_with_nonce,
    tls_greeting,
};
use porpoise_hostile_tests::tls::server;
use porpoise_hostile_tests::{Act, Heard};
use porpoise_transport::SslMode;
use porpoise_wire::{Lost, WireError};

const CR_SERVER_HANDSHAKE_ERR: u16 = 2012;
const CR_UNKNOWN_ERROR: u16 = 2000;
const CR_SERVER_LOST: u16 = 2013;
const CR_NET_PACKET_TOO_LARGE: u16 = 2020;
const CR_MALFORMED_PACKET: u16 = 2027;
const CR_AUTH_PLUGIN_CANNOT_LOAD: u16 = 2059;
const CR_AUTH_PLUGIN_ERR: u16 = 2061;

pub(crate) fn cases() -> Vec<Case> {
    [ends(), silences(), packets(), verdicts(), switches(), clear_text(), factors(), endless(), keys()]
        .into_iter()
        .flatten()
        .collect()
}

/// A greeting, the client's response, and then this.
fn after_response(acts: impl IntoIterator<Item = Act>) -> Vec<Act> {
    [Act::Say(greeting()), Act::Hear].into_iter().chain(acts).collect()
}

fn case(
    name: &'static str,
    acts: impl IntoIterator<Item = Act>,
    stage: ConnectStage,
    code: u16,
    kind: fn(&ConnectErrorKind) -> bool,
) -> Case {
    Case::new(name, after_response(acts), stage, code, kind)
}

fn closed(kind: &ConnectErrorKind) -> bool {
    matches!(kind, Outside(Lost::Closed))
}

fn ends() -> Vec<Case> {
    let run = AuthRunFirstAuthenticateUser;
    vec![
        case("closed at the response", [Act::Close], run, CR_SERVER_LOST, closed),
        case(
            "closed in a packet of the login",
            [Act::Raw(vec![7, 0]), Act::Close],
            run,
            CR_SERVER_LOST,
            closed,
        ),
        case(
            "closed before the verdict",
            [Act::Say(more(&[3])), Act::Close],
            AuthReadChangeUserResult,
            CR_SERVER_LOST,
            closed,
        ),
        case("reset at the response", [Act::Reset], run, CR_SERVER_LOST, |kind| {
            matches!(kind, Outside(Lost::Read(_) | Lost::Write(_)))
        }),
    ]
}

/// Whoever is silent runs into the deadline of the stage in which it is.
fn silences() -> Vec<Case> {
    let silence = |name, acts: Vec<Act>, stage| {
        let case = Case::new(name, acts, stage, CR_SERVER_LOST, |kind| {
            matches!(kind, Outside(Lost::Deadline { stage: true, .. }))
        });
        case.with(|options| options.stage_timeout(stage, Duration::from_millis(20))).slow()
    };
    let native = || Act::Say(switch_with_nonce("mysql_native_password"));
    let factor = || Act::Say(next_factor("mysql_native_password"));
    vec![
        silence("silence after the response", after_response([]), AuthRunFirstAuthenticateUser),
        silence("no verdict", after_response([Act::Say(more(&[3]))]), AuthReadChangeUserResult),
        silence("no verdict after a switch", after_response([native()]), AuthHandleSecondAuthenticateUser),
        silence(
            "no verdict after a factor",
            after_response([Act::Say(more(&[3])), factor()]),
            AuthHandleMultiAuthResponse,
        ),
        silence(
            "a response that is never read",
            vec![Act::Say(greeting()), Act::Deaf],
            AuthRunFirstAuthenticateUser,
        ),
    ]
}

fn packets() -> Vec<Case> {
    let run = AuthRunFirstAuthenticateUser;
    let raw = |bytes: Vec<u8>| [Act::Raw(bytes)];
    vec![
        case("login packet with another id", raw(frame(7, &ok())), run, CR_SERVER_LOST, |kind| {
            matches!(kind, Wire { error: WireError::OutOfOrder { expected: 2, got: 7 }, .. })
        }),
        case("login packet without payload", raw(header(0, 2, &[])), run, CR_SERVER_LOST, |kind| {
            matches!(kind, Wire { error: WireError::EmptyPacket, .. })
        }),
        case(
            "login packet that is too large",
            raw(header(65_537, 2, &[1])),
            run,
            CR_NET_PACKET_TOO_LARGE,
            |kind| matches!(kind, Wire { error: WireError::PacketTooLarge { size: 65_537, .. }, .. }),
        ),
        case(
            "login packet of a full frame",
            raw(header(0xff_ffff, 2, &[1])),
            run,
            CR_NET_PACKET_TOO_LARGE,
            |kind| matches!(kind, Wire { error: WireError::PacketTooLarge { .. }, .. }),
        ),
    ]
}

fn verdicts() -> Vec<Case> {
    let judge = AuthHandleChangeUserRequest;
    let fast = |verdict: Act| [Act::Say(more(&[3])), verdict];
    let refused = |kind: &_| matches!(kind, Server(err) if err.code() == 1045 && err.sqlstate() == "08S01");
    let short = |kind: &_| matches!(kind, Server(err) if err.code() == CR_UNKNOWN_ERROR);
    let unexpected = |kind: &_| matches!(kind, Unexpected { .. });
    vec![
        case(
            "ERR at the response",
            [Act::Say(err(1045, "no"))],
            AuthHandleFirstAuthenticateUser,
            1045,
            refused,
        ),
        case("ERR as verdict", fast(Act::Say(err(1045, "no"))), judge, 1045, refused),
        case("ERR as verdict, id 0", fast(Act::Raw(frame(0, &err(1045, "no")))), judge, 1045, refused),
        case("ERR of one byte as verdict", fast(Act::Say(vec![0xff])), judge, CR_UNKNOWN_ERROR, short),
        case(
            "ERR of three bytes as verdict",
            fast(Act::Say(vec![0xff, 1, 2])),
            judge,
            CR_UNKNOWN_ERROR,
            short,
        ),
        case("OK that is cut off", fast(Act::Say(vec![0])), judge, CR_MALFORMED_PACKET, |kind| {
            matches!(kind, Wire { expected: "an OK packet", error: WireError::Truncated { .. } })
        }),
        case(
            "OK with lengths that lie",
            fast(Act::Say(vec![0, 0xfd, 0xff])),
            judge,
            CR_MALFORMED_PACKET,
            |kind| matches!(kind, Wire { error: WireError::Truncated { .. }, .. }),
        ),
        case("verdict of no kind", fast(Act::Say(vec![5, 5])), judge, CR_MALFORMED_PACKET, unexpected),
        case(
            "a file request as verdict",
            fast(Act::Say(b"\xfb/etc/passwd".to_vec())),
            judge,
            CR_MALFORMED_PACKET,
            unexpected,
        ),
        case("AuthMoreData as verdict", fast(Act::Say(more(&[3]))), judge, CR_MALFORMED_PACKET, unexpected),
        case(
            "OK with another id",
            fast(Act::Raw(frame(9, &ok()))),
            AuthReadChangeUserResult,
            CR_SERVER_LOST,
            |kind| matches!(kind, Wire { error: WireError::OutOfOrder { .. }, .. }),
        ),
        case(
            "OK before the proof",
            [Act::Say(switch("proving", b"")), Act::Hear, Act::Say(ok())],
            AuthHandleSecondAuthenticateUser,
            CR_AUTH_PLUGIN_ERR,
            |kind| matches!(kind, Auth { error: AuthError::ServerNotProven, .. }),
        )
        .with(own_plugins),
    ]
}

fn switches() -> Vec<Case> {
    let second = AuthRunSecondAuthenticateUser;
    let old = |kind: &_| matches!(kind, Auth { error: AuthError::OldPassword, .. });
    let native = || Act::Say(switch_with_nonce("mysql_native_password"));
    vec![
        case("switch to the old password", [Act::Say(vec![0xfe])], second, CR_AUTH_PLUGIN_CANNOT_LOAD, old),
        case(
            "switch to the old password by name",
            [Act::Say(switch("mysql_old_password", b"abcdefgh\0"))],
            second,
            CR_AUTH_PLUGIN_CANNOT_LOAD,
            old,
        ),
        case(
            "switch to an unknown plugin",
            [Act::Say(switch("no_such_plugin", b""))],
            second,
            CR_AUTH_PLUGIN_CANNOT_LOAD,
            |kind| matches!(kind, Auth { error: AuthError::UnknownPlugin, plugin } if &**plugin == "no_such_plugin"),
        ),
        case(
            "switch without a nonce",
            [Act::Say(switch("mysql_native_password", b""))],
            AuthHandleSecondAuthenticateUser,
            CR_SERVER_HANDSHAKE_ERR,
            |kind| matches!(kind, Auth { error: AuthError::BadChallenge { len: 0, .. }, .. }),
        ),
        case(
            "switch with a nonce of 60 KiB",
            [Act::Say(switch("mysql_native_password", &[7; 60 << 10]))],
            AuthHandleSecondAuthenticateUser,
            CR_SERVER_HANDSHAKE_ERR,
            |kind| matches!(kind, Auth { error: AuthError::BadChallenge { len: 61_440, .. }, .. }),
        ),
        case(
            "switch whose plugin is no text",
            [Act::Say(vec![0xfe, 0xc3, 0x28, 0])],
            AuthHandleChangeUserRequest,
            CR_MALFORMED_PACKET,
            |kind| matches!(kind, Wire { error: WireError::NotUtf8 { .. }, .. }),
        ),
        case(
            "second switch",
            [native(), Act::Hear, native()],
            AuthHandleSecondAuthenticateUser,
            CR_MALFORMED_PACKET,
            |kind| matches!(kind, TooManyAuthSwitches { plugin } if &**plugin == "mysql_native_password"),
        ),
        case(
            "third switch of two",
            [native(), Act::Hear, native(), Act::Hear, native()],
            AuthHandleSecondAuthenticateUser,
            CR_MALFORMED_PACKET,
            |kind| matches!(kind, TooManyAuthSwitches { .. }),
        )
        .with(|options| options.connect(|connect| connect.max_auth_switches(2))),
        case(
            "AuthNextFactor that was not agreed on",
            [Act::Say(next_factor("mysql_native_password"))],
            AuthHandleFirstAuthenticateUser,
            CR_UNKNOWN_ERROR,
            |kind| matches!(kind, Auth { .. }),
        )
        .with(|options| {
            options.connect(|connect| {
                connect.without(porpoise_classic::CapabilityFlags::MULTI_FACTOR_AUTHENTICATION)
            })
        }),
    ]
}

fn clear_text() -> Vec<Case> {
    let second = AuthHandleSecondAuthenticateUser;
    let clear = || Act::Say(switch("mysql_clear_password", b""));
    let not_enabled = |kind: &_| matches!(kind, Auth { error: AuthError::NotEnabled, .. });
    let not_here = |kind: &_| matches!(kind, Auth { error: AuthError::ChannelNotAcceptable { .. }, .. });
    let (config, _) = server();
    let in_tls = vec![Act::Say(tls_greeting()), Act::Hear, Act::Tls(config), Act::Hear, clear()];
    let full = |name, acts: Vec<Act>| {
        case(name, acts, AuthHandleFirstAuthenticateUser, CR_AUTH_PLUGIN_ERR, |kind| {
            matches!(kind, Auth { error: AuthError::RequiresSecureConnection, .. })
        })
    };
    vec![
        case(
            "switch to clear text",
            [clear()],
            AuthRunSecondAuthenticateUser,
            CR_AUTH_PLUGIN_CANNOT_LOAD,
            not_enabled,
        )
        .sent(no_password),
        case("switch to clear text on plain TCP", [clear()], second, CR_AUTH_PLUGIN_ERR, not_here)
            .with(enabled)
            .sent(no_password),
        case("switch to clear text when TLS was stripped", [clear()], second, CR_AUTH_PLUGIN_ERR, not_here)
            .with(|options| enabled(options).ssl_mode(SslMode::Preferred))
            .sent(no_password),
        Case::new(
            "switch to clear text in TLS that was optional",
            in_tls,
            second,
            CR_AUTH_PLUGIN_ERR,
            not_here,
        )
        .options(enabled(tls().ssl_mode(SslMode::Preferred)))
        .sent(no_password),
        Case::new(
            "greeting that asks for clear text",
            [Act::Say(greeting_of(ALL & !SSL, "mysql_clear_password"))],
            AuthHandleFirstAuthenticateUser,
            CR_AUTH_PLUGIN_ERR,
            not_here,
        )
        .with(enabled)
        .sent(no_password),
        full("the password itself is wanted on plain TCP", vec![Act::Say(more(&[4]))]).sent(no_password),
    ]
}

fn factors() -> Vec<Case> {
    let native = || Act::Say(next_factor("mysql_native_password"));
    let clear = || Act::Say(next_factor("mysql_clear_password"));
    vec![
        case(
            "AuthNextFactor too often",
            [Act::Say(more(&[3])), native(), Act::Hear, native(), Act::Hear, native()],
            AuthHandleMultiAuthResponse,
            CR_MALFORMED_PACKET,
            |kind| matches!(kind, TooManyFactors),
        ),
        case(
            "switch in a factor",
            [Act::Say(more(&[3])), native(), Act::Hear, Act::Say(switch_with_nonce("mysql_native_password"))],
            AuthHandleMultiAuthResponse,
            CR_MALFORMED_PACKET,
            |kind| matches!(kind, TooManyAuthSwitches { .. }),
        ),
        case(
            "factor in clear text",
            [Act::Say(more(&[3])), clear()],
            AuthInitMultiAuth,
            CR_AUTH_PLUGIN_CANNOT_LOAD,
            |kind| matches!(kind, Auth { error: AuthError::NotEnabled, .. }),
        )
        .sent(no_password),
        case(
            "factor in clear text on plain TCP",
            [Act::Say(more(&[3])), clear()],
            AuthHandleMultiAuthResponse,
            CR_AUTH_PLUGIN_ERR,
            |kind| matches!(kind, Auth { error: AuthError::ChannelNotAcceptable { .. }, .. }),
        )
        .with(|options| enabled(options).connect(|connect| connect.factor_password(2, SECRET)))
        .sent(no_password),
        case(
            "factor of an unknown plugin",
            [Act::Say(more(&[3])), Act::Say(next_factor("no_such_plugin"))],
            AuthInitMultiAuth,
            CR_AUTH_PLUGIN_CANNOT_LOAD,
            |kind| matches!(kind, Auth { error: AuthError::UnknownPlugin, .. }),
        ),
        case(
            "endless factor",
            [Act::Say(more(&[3])), Act::Say(next_factor("patient")), Act::Endless(more(b"x"))],
            AuthDoMultiPluginAuth,
            CR_MALFORMED_PACKET,
            |kind| matches!(kind, EndlessAuthentication),
        )
        .with(own_plugins),
    ]
}

fn endless() -> Vec<Case> {
    let gives_up = |kind: &_| matches!(kind, EndlessAuthentication);
    let patient = |name, packet: Vec<u8>| {
        case(
            name,
            [Act::Say(switch("patient", b"")), Act::Endless(packet)],
            AuthRunSecondAuthenticateUser,
            CR_MALFORMED_PACKET,
            gives_up,
        )
        .with(own_plugins)
    };
    vec![
        // 16 packets are read, the switch among them, and one more to know.
        patient("endless AuthMoreData", more(b"x"))
            .sent(|heard| assert!(heard.given < 400, "{}", heard.given)),
        patient("endless AuthMoreData without prefix", b"xxx".to_vec()),
        // 64 KiB are read, and one packet more to know.
        patient("endless AuthMoreData in large packets", more(&[7; 20_000]))
            .sent(|heard| assert!(heard.given < (64 << 10) + 20_100 + 17 * 1024, "{}", heard.given)),
        case(
            "endless AuthMoreData, caching_sha2_password",
            [Act::Endless(more(b"x"))],
            AuthHandleFirstAuthenticateUser,
            CR_UNKNOWN_ERROR,
            |kind| matches!(kind, Auth { error: AuthError::Unexpected { .. }, .. }),
        ),
        case(
            "endless fast success",
            [Act::Endless(more(&[3]))],
            AuthHandleChangeUserRequest,
            CR_MALFORMED_PACKET,
            |kind| matches!(kind, Unexpected { .. }),
        ),
    ]
}

fn keys() -> Vec<Case> {
    let key = |name, pem: &[u8]| {
        case(
            name,
            [Act::Say(more(&[4])), Act::Hear, Act::Say(more(pem))],
            AuthHandleFirstAuthenticateUser,
            CR_UNKNOWN_ERROR,
            |kind| matches!(kind, Auth { error: AuthError::BadPublicKey(_), .. }),
        )
        .with(|options| options.connect(|connect| connect.get_server_public_key(true)))
        .sent(no_password)
    };
    vec![
        key("RSA key that is none", b"no key"),
        key("RSA key of nothing", b"-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----\n"),
        key("RSA key that is too large", &[b'A'; 60 << 10]),
    ]
}

fn enabled(options: OptionsBuilder) -> OptionsBuilder {
    options.connect(|connect| connect.enable_cleartext_plugin(true))
}

/// Neither in clear nor inside TLS.
fn no_password(heard: &Heard) {
    assert!(!heard.leaks(SECRET));
    assert!(!heard.decrypted.windows(SECRET.len()).any(|window| window == SECRET.as_bytes()));
}

fn own_plugins(options: OptionsBuilder) -> OptionsBuilder {
    let mut registry = Registry::default();
    registry.register("patient", || Box::new(Patient)).register("proving", || Box::new(Proving));
    options.connect(|connect| connect.registry(registry))
}

/// Listens to whatever the server says.
struct Patient;

impl Mechanism for Patient {
    fn name(&self) -> &str {
        "patient"
    }

    fn step(&mut self, _: Input<'_>, _: &Exchange<'_>, _: &mut BytesMut) -> Result<AuthStep, AuthError> {
        Ok(AuthStep::Wait)
    }
}

/// Is owed a proof by the server.
struct Proving;

impl Mechanism for Proving {
    fn name(&self) -> &str {
        "proving"
    }

    fn step(&mut self, _: Input<'_>, _: &Exchange<'_>, _: &mut BytesMut) -> Result<AuthStep, AuthError> {
        Ok(AuthStep::Reply { last: false })
    }

    fn accepts_verdict(&self) -> bool {
        false
    }
}
