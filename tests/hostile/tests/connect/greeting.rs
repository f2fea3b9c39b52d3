//! READ_GREETING and PARSE_HANDSHAKE.

use std::time::Duration;

use porpoise_classic_connect::ConnectErrorKind::{Lost as Outside, NotClassic, Server, ServerTooOld, Wire};
use porpoise_classic_connect::ConnectStage::{ParseHandshake, ReadGreeting};
use porpoise_classic_connect::Stranger;
use porpoise_hostile_tests::cases::Case;
use porpoise_hostile_tests::packets::{ALL, PROTOCOL_41, SSL, frame, greeting, greeting_of, header};
use porpoise_hostile_tests::{Act, Heard};
use porpoise_wire::{Lost, WireError};

const CR_UNKNOWN_ERROR: u16 = 2000;
const CR_VERSION_ERROR: u16 = 2007;
const CR_SERVER_LOST: u16 = 2013;
const CR_NET_PACKET_TOO_LARGE: u16 = 2020;
const CR_MALFORMED_PACKET: u16 = 2027;

pub(crate) fn cases() -> Vec<Case> {
    let cases = [ends(), frames(), payloads(), errors(), strangers()];
    cases.into_iter().flatten().map(|case| case.sent(nothing)).collect()
}

/// Before a greeting nothing is sent.
fn nothing(heard: &Heard) {
    assert!(heard.clear.is_empty(), "{:?}", heard.clear);
}

fn raw(bytes: &[u8]) -> Act {
    Act::Raw(bytes.to_vec())
}

fn ends() -> Vec<Case> {
    let cut: Vec<u8> = frame(0, &greeting()).into_iter().take(30).collect();
    let closed = |kind: &_| matches!(kind, Outside(Lost::Closed));
    let ends = |name, acts: Vec<Act>| Case::new(name, acts, ReadGreeting, CR_SERVER_LOST, closed);
    let silence = Case::new("greeting never comes", [], ReadGreeting, CR_SERVER_LOST, |kind| {
        matches!(kind, Outside(Lost::Deadline { stage: true, .. }))
    });
    let stops =
        Case::new("greeting stops in the middle", [raw(&cut)], ReadGreeting, CR_SERVER_LOST, |kind| {
            matches!(kind, Outside(Lost::Deadline { stage: false, .. }))
        });
    vec![
        ends("closed before the greeting", vec![Act::Close]),
        ends("closed in the greeting's header", vec![raw(&[1, 2]), Act::Close]),
        ends("closed in the greeting", vec![raw(&cut), Act::Close]),
        Case::new("reset before the greeting", [Act::Reset], ReadGreeting, CR_SERVER_LOST, |kind| {
            matches!(kind, Outside(Lost::Read(_)))
        }),
        silence.with(|options| options.stage_timeout(ReadGreeting, Duration::from_millis(20))).slow(),
        stops.with(|options| options.connect_timeout(Duration::from_millis(20))).slow(),
    ]
}

fn frames() -> Vec<Case> {
    let frame_case =
        |name, bytes: Vec<u8>, code, kind| Case::new(name, [Act::Raw(bytes)], ReadGreeting, code, kind);
    vec![
        frame_case("greeting that is too large", header(65_537, 0, &[10]), CR_NET_PACKET_TOO_LARGE, |kind| {
            matches!(kind, Wire { error: WireError::PacketTooLarge { size: 65_537, .. }, .. })
        }),
        frame_case(
            "greeting of a full frame",
            header(0xff_ffff, 0, &[10]),
            CR_NET_PACKET_TOO_LARGE,
            |kind| matches!(kind, Wire { error: WireError::PacketTooLarge { .. }, .. }),
        ),
        frame_case("greeting with another id", frame(1, &greeting()), CR_SERVER_LOST, |kind| {
            matches!(kind, Wire { error: WireError::OutOfOrder { expected: 0, got: 1 }, .. })
        }),
        frame_case("greeting without payload", header(0, 0, &[]), CR_SERVER_LOST, |kind| {
            matches!(kind, Wire { error: WireError::EmptyPacket, .. })
        }),
    ]
}

fn payloads() -> Vec<Case> {
    let payload = |name, payload: Vec<u8>, code, kind| {
        Case::new(name, [Act::Raw(frame(0, &payload))], ParseHandshake, code, kind)
    };
    let mut negative = greeting();
    if let Some(len) = negative.iter_mut().find(|byte| **byte == 21) {
        *len = 0x80;
    }
    let cut = |len| greeting().into_iter().take(len).collect::<Vec<u8>>();
    vec![
        payload("greeting of protocol 9", vec![9, b'3', 0], CR_VERSION_ERROR, |kind| {
            matches!(kind, Wire { error: WireError::BadValue { field: "protocol_version", value: 9 }, .. })
        }),
        payload("greeting that is a version only", vec![10], CR_MALFORMED_PACKET, |kind| {
            matches!(kind, Wire { error: WireError::MissingTerminator { field: "server_version" }, .. })
        }),
        payload("greeting without the version's end", cut(4), CR_MALFORMED_PACKET, |kind| {
            matches!(kind, Wire { error: WireError::MissingTerminator { field: "server_version" }, .. })
        }),
        payload(
            "greeting whose version is no text",
            b"\x0a\xff\xfe\0".to_vec(),
            CR_MALFORMED_PACKET,
            |kind| matches!(kind, Wire { error: WireError::NotUtf8 { field: "server_version" }, .. }),
        ),
        payload("greeting without flags", cut(20), CR_MALFORMED_PACKET, |kind| {
            matches!(kind, Wire { error: WireError::Truncated { .. }, .. })
        }),
        payload("greeting with a negative scramble length", negative, CR_MALFORMED_PACKET, |kind| {
            matches!(kind, Wire { error: WireError::BadValue { field: "auth_plugin_data_len", .. }, .. })
        }),
        payload(
            "server without PROTOCOL_41",
            greeting_of(ALL & !SSL & !PROTOCOL_41, "caching_sha2_password"),
            CR_VERSION_ERROR,
            |kind| matches!(kind, ServerTooOld { missing } if missing.bits() == PROTOCOL_41),
        ),
    ]
}

fn errors() -> Vec<Case> {
    let err = |name, bytes: &[u8], code, kind| {
        Case::new(name, [Act::Raw(frame(0, bytes)), Act::Close], ReadGreeting, code, kind)
    };
    let short = |kind: &_| matches!(kind, Server(err) if err.code() == CR_UNKNOWN_ERROR);
    vec![
        // No SQLSTATE: no capabilities are agreed on yet.
        err(
            "ERR instead of a greeting",
            b"\xff\x10\x04Too many connections",
            1040,
            |kind| matches!(kind, Server(err) if err.message() == "Too many connections" && err.sqlstate() == "HY000"),
        ),
        err("ERR of one byte", &[0xff], CR_UNKNOWN_ERROR, short),
        err("ERR of two bytes", &[0xff, 0x10], CR_UNKNOWN_ERROR, short),
        err("ERR of three bytes", &[0xff, 0x10, 0x04], CR_UNKNOWN_ERROR, short),
    ]
}

fn strangers() -> Vec<Case> {
    let stranger = |name, bytes: &[u8], kind| {
        Case::new(name, [raw(bytes), Act::Close], ReadGreeting, CR_VERSION_ERROR, kind)
    };
    let text = |kind: &_| matches!(kind, NotClassic(Stranger::Text));
    let tls = |kind: &_| matches!(kind, NotClassic(Stranger::Tls));
    let mut x = stranger("X Protocol", &[5, 0, 0, 0, 0x0b, 0x08, 0x05, 0x1a, 0], |kind| {
        matches!(kind, NotClassic(Stranger::XProtocol))
    });
    // Read as a header, an X message's is a legal one.
    x.stage = ParseHandshake;
    vec![
        x,
        stranger("web server", b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n", text),
        stranger("SSH server", b"SSH-2.0-OpenSSH_9.2p1\r\n", text),
        stranger("mail server", b"220 mail.example ESMTP\r\n", text),
        // alert, TLS 1.0, 2 bytes: fatal, protocol_version
        stranger("TLS alert first", &[0x15, 3, 1, 0, 2, 2, 70], tls),
        // handshake, TLS 1.2, 16 KiB
        stranger("TLS handshake first", &[0x16, 3, 3, 0x40, 0, 2, 0, 0, 80], tls),
    ]
}
