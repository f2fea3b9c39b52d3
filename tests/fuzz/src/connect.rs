use std::sync::Arc;

use bytes::BytesMut;
use porpoise_auth::{Answer, AuthStep, Channel, Exchange, Input, Policy, Registry, Secret};
use porpoise_classic_connect::{ConnectEvent, ConnectOptions, Connector, TlsUse, Transport};
use porpoise_trace::Record;
use porpoise_wire::{Cx, Lost, Machine, Step, TlsInfo};

use crate::parsers::GREETING;
use crate::script::{Act, Script, acts, framed};

const PASSWORD: &str = "open-sesame";
const PLUGINS: [&str; 7] = [
    "caching_sha2_password",
    "sha256_password",
    "mysql_native_password",
    "mysql_clear_password",
    "auth_socket",
    "client_ed25519",
    "no_such_plugin",
];
/// What a login, its trace and its init commands can come to; all else is runaway output.
const MUCH: usize = 64 << 10;
const TURNS: usize = 10_000;

fn options(choice: u8, plugin: u8) -> Arc<ConnectOptions> {
    let bit = |n: u8| choice >> n & 1 == 1;
    let mut builder =
        ConnectOptions::builder().user("u").enable_cleartext_plugin(bit(0)).get_server_public_key(bit(1));
    builder = if bit(2) { builder.ask_password(1) } else { builder.password(PASSWORD) };
    builder = builder.factor_password(2, PASSWORD).factor_password(3, PASSWORD);
    builder = builder
        .tls([TlsUse::Disabled, TlsUse::Preferred, TlsUse::Required][usize::from(choice >> 3 & 3).min(2)]);
    if bit(5) {
        builder = builder.database("db").init_command("set @a = 1").init_command("select 1");
    }
    if bit(6) {
        builder = builder.max_auth_switches(3);
    }
    if let Some(name) = PLUGINS.get(usize::from(plugin)) {
        builder = builder.default_auth(name);
    }
    Arc::new(builder.build().expect("these options are sound"))
}

/// The whole connector against a server that says anything.
pub fn connector(input: &[u8]) {
    let mut script = Script(input);
    let (choice, plugin) = (script.byte(), script.byte());
    let transport = if choice >> 7 == 1 { Transport::UnixSocket } else { Transport::Tcp };
    let mut connector = Connector::new(options(choice, plugin), transport);
    let (mut rx, mut tx, mut record) = (BytesMut::new(), BytesMut::new(), Record::new());
    let (mut ids, mut secure) = (0_u8, transport == Transport::UnixSocket);
    for _ in 0..TURNS {
        let sent = tx.len();
        let step = connector.advance(&mut Cx::new(&mut rx, &mut tx, &mut record));
        assert!(tx.len() <= MUCH, "too much to send");
        let clear =
            tx.get(sent..).is_some_and(|new| new.windows(PASSWORD.len()).any(|w| w == PASSWORD.as_bytes()));
        assert!(!clear || secure, "the password in clear");
        match step {
            Ok(Step::NeedRead { at_least }) => {
                assert!(at_least > rx.len());
                // Every packet that was sent used an id; what is written is answered from the one after it.
                if tx.len() >= 4 {
                    ids = last_id(&tx).wrapping_add(1);
                    tx.clear();
                }
                let Some(act) = script.next() else {
                    connector.lost(Lost::Closed, &mut Cx::new(&mut rx, &mut tx, &mut record));
                    break;
                };
                match act {
                    Act::Packet(payload) => {
                        rx.extend_from_slice(&framed(payload, ids));
                        ids = ids.wrapping_add(1);
                    }
                    Act::Raw(bytes) => rx.extend_from_slice(bytes),
                }
            }
            Ok(Step::StartTls) => {
                assert!(rx.is_empty());
                ids = last_id(&tx).wrapping_add(1);
                tx.clear();
                secure = true;
                connector.tls_ready(&TlsInfo::new(true), &mut Cx::new(&mut rx, &mut tx, &mut record));
            }
            Ok(Step::Event(ConnectEvent::Ask(_))) => {
                let answer =
                    if choice & 1 == 1 { Answer::Secret(Secret::from(PASSWORD)) } else { Answer::Refused };
                connector.answer(answer).expect("it asked");
            }
            Ok(Step::NeedWrite) => tx.clear(),
            Ok(_) => break,
            Err(error) => {
                let again = connector.advance(&mut Cx::new(&mut rx, &mut tx, &mut record));
                assert!(again.is_err_and(|again| again.to_string() == error.to_string()));
                assert!(!error.to_string().contains(PASSWORD) && !format!("{error:?}").contains(PASSWORD));
                break;
            }
        }
    }
    assert!(record.illegal_edges().is_empty(), "{:?}", record.illegal_edges());
    assert!(!record.to_jsonl().contains(PASSWORD));
}

/// The id of the last frame in what was written.
fn last_id(tx: &[u8]) -> u8 {
    let (mut rest, mut id) = (tx, 0);
    while let Some(([a, b, c, this], body)) = rest.split_first_chunk::<4>().map(|(h, b)| (*h, b)) {
        id = this;
        let len = u32::from_le_bytes([a, b, c, 0]) as usize;
        rest = body.get(len..).unwrap_or_default();
    }
    id
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    const OK: &[u8] = b"\0\0\0\x02\0\0\0";
    let switch = b"\xfemysql_native_password\0ABCDEFGHIJKLMNOPQRST\0";
    vec![
        acts(&[0, 9], &[GREETING, b"\x01\x03", OK]),
        acts(&[0, 9], &[GREETING, b"\x01\x04"]),
        acts(&[0x10, 9], &[GREETING, b"\x01\x04", OK]),
        acts(&[0, 9], &[GREETING, switch, OK]),
        acts(
            &[0x11, 9],
            &[GREETING, b"\x01\x03", b"\x02mysql_clear_password\0", b"\x02mysql_clear_password\0", OK],
        ),
        acts(&[0x20, 9], &[GREETING, b"\x01\x03", OK, OK, OK, OK]),
        acts(&[0x80, 9], &[GREETING, b"\x01\x04", b"\xff\x15\x04#28000no"]),
        acts(&[0x05, 1], &[GREETING, switch, OK]),
    ]
}

/// Each mechanism against a server that says anything: nothing in clear on a plain channel.
pub fn mechanisms(input: &[u8]) {
    let mut script = Script(input);
    let (which, choice) = (script.byte(), script.byte());
    let Ok(mut mechanism) = Registry::default().make(PLUGINS[usize::from(which) % PLUGINS.len()]) else {
        return;
    };
    let policy = Policy::default().cleartext_plugin(choice & 1 == 1).get_server_public_key(choice & 2 == 2);
    let channel = match choice >> 2 & 3 {
        0 => Channel::Plain,
        1 => Channel::UnixSocket,
        n => Channel::Tls { verified: n == 3 },
    };
    let password = Secret::from(PASSWORD);
    let exchange = Exchange::new(channel, &policy, "u", &password);
    let (mut out, mut first) = (BytesMut::new(), true);
    for act in script.take(64) {
        let (Act::Packet(bytes) | Act::Raw(bytes)) = act;
        let input = match (first, bytes.is_empty()) {
            (true, true) => Input::Start { challenge: None },
            (true, false) => Input::Start { challenge: Some(bytes) },
            (false, _) => Input::Packet(bytes),
        };
        first = false;
        out.clear();
        let step = mechanism.step(input, &exchange, &mut out);
        assert!(out.len() <= 4096);
        let clear = out.windows(PASSWORD.len()).any(|window| window == PASSWORD.as_bytes());
        assert!(!clear || channel.is_secure(), "the password in clear");
        match step {
            Ok(AuthStep::Reply { .. } | AuthStep::Wait | AuthStep::Done) => {}
            Ok(_) => return,
            Err(error) => return assert!(!format!("{error} {error:?}").contains(PASSWORD)),
        }
    }
}

pub(crate) fn mechanism_seeds() -> Vec<Vec<u8>> {
    const NONCE: &[u8] = b"ABCDEFGHIJKLMNOPQRST\0";
    let mut seeds = Vec::new();
    for which in 0..6 {
        for choice in [0, 3, 7, 15] {
            seeds.push(acts(&[which, choice], &[NONCE, b"\x04", b"-----BEGIN PUBLIC KEY-----\n"]));
        }
    }
    seeds
}
