//! Each authentication mechanism against a server that says anything.

use bytes::BytesMut;
use porpoise_auth::{Answer, AuthError, AuthStep, Channel, Exchange, Input, Policy, Registry, Secret};

use crate::paths::Path;
use crate::script::{Act, Script, acts};

pub(crate) const PASSWORD: &str = "open-sesame";
pub(crate) const PLUGINS: [&str; 8] = [
    "caching_sha2_password",
    "sha256_password",
    "mysql_native_password",
    "mysql_clear_password",
    "auth_socket",
    "client_ed25519",
    "unix_socket",
    "no_such_plugin",
];

/// Nothing in clear where everyone can read it, nothing written but what is to be sent, and no step after an error.
pub fn mechanisms(input: &[u8]) -> Vec<u64> {
    let mut script = Script(input);
    let (which, choice) = (usize::from(script.byte()) % PLUGINS.len(), script.byte());
    let mut path = Path::default();
    path.passes(&which);
    let Ok(mut mechanism) = Registry::default().make(PLUGINS[which]) else { return path.steps() };
    let policy = Policy::default().cleartext_plugin(choice & 1 == 1).get_server_public_key(choice & 2 == 2);
    let channel = match choice >> 2 & 3 {
        0 => Channel::Plain,
        1 => Channel::UnixSocket,
        n => Channel::Tls { verified: n == 3 },
    };
    path.passes(&(choice & 15));
    let password = Secret::from(if choice & 16 == 16 { "" } else { PASSWORD });
    let exchange = Exchange::new(channel, &policy, "u", &password);
    if mechanism.enabled(&policy).is_err() {
        return path.steps();
    }
    let (mut out, mut first, mut over) = (BytesMut::new(), true, false);
    for _ in 0..64 {
        let Some(act) = script.act() else { break };
        let input = match (act, first) {
            (Act::Packet([]), true) => Input::Start { challenge: None },
            (Act::Packet(bytes), true) => Input::Start { challenge: Some(bytes) },
            (Act::Packet(bytes), false) => Input::Packet(bytes),
            (Act::Raw([]), _) => Input::Answer(Answer::Refused),
            (Act::Raw(bytes), _) => Input::Answer(Answer::Bytes(bytes.to_vec())),
        };
        first = false;
        let kept = out.len();
        let step = mechanism.step(input, &exchange, &mut out);
        let new = &out[kept..];
        assert!(new.len() <= 4096);
        let clear = new.windows(PASSWORD.len()).any(|window| window == PASSWORD.as_bytes());
        assert!(!clear || channel.is_secure(), "the password in clear");
        assert!(new.is_empty() || matches!(step, Ok(AuthStep::Reply { .. })), "bytes that nobody sends");
        assert!(!over || step.is_err(), "it goes on after an error");
        path.tells(&step);
        path.tells(&mechanism.path());
        if let Err(error) = &step {
            assert!(!format!("{error} {error:?}").contains(PASSWORD));
            assert!(!over || matches!(error, AuthError::OutOfTurn), "{error}");
            over = true;
        }
    }
    path.passes(&mechanism.accepts_verdict());
    path.steps()
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    const NONCE: &[u8] = b"ABCDEFGHIJKLMNOPQRST\0";
    const NONCE_32: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ012345";
    const KEY: &[u8] =
        b"-----BEGIN PUBLIC KEY-----\nMFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBAJ\n-----END PUBLIC KEY-----\n";
    let mut seeds = Vec::new();
    for which in 0..7 {
        for choice in [0, 3, 7, 15, 16] {
            seeds.push(acts(&[which, choice], &[NONCE, b"\x04", KEY]));
            seeds.push(acts(&[which, choice], &[b"", NONCE, b"\x03"]));
            seeds.push(acts(&[which, choice], &[NONCE_32]));
        }
    }
    seeds
}
