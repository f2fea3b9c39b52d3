//! What a hostile server can reach: nothing it sends makes a mechanism panic, write without being asked to, or
//! show the password on a channel where the policy does not let it.

use bytes::BytesMut;
use porpoise_auth::{
    Answer, AuthError, AuthStep, Channel, ClientEd25519, Exchange, Input, Policy, Registry, Secret,
};
use proptest::prelude::{Just, Strategy, any, prop, prop_assert, prop_assert_eq, prop_oneof, proptest};

const PASSWORD: &str = "correct horse battery staple";
const PUBLIC_PEM: &[u8] = include_bytes!("data/rsa_2048_public.pem");
/// The most a step may append: an RSA key of 8192 bits gives the longest.
const LONGEST: usize = 1024;

#[derive(Clone, Debug)]
enum Said {
    Start(Option<Vec<u8>>),
    Packet(Vec<u8>),
    Answer(Answer),
}

impl Said {
    fn input(&self) -> Input<'_> {
        match self {
            Self::Start(challenge) => Input::Start { challenge: challenge.as_deref() },
            Self::Packet(bytes) => Input::Packet(bytes),
            Self::Answer(answer) => Input::Answer(answer.clone()),
        }
    }
}

/// Bytes of a server: some that lead deep into an exchange, some arbitrary.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        1 => prop::array::uniform20(any::<u8>()).prop_map(|nonce| [&nonce[..], &[0]].concat()),
        1 => prop::collection::vec(any::<u8>(), 32),
        3 => Just(vec![3]),
        3 => Just(vec![4]),
        1 => Just(PUBLIC_PEM.to_vec()),
        // A key that is almost one.
        1 => (0..PUBLIC_PEM.len(), any::<u8>()).prop_map(|(at, byte)| {
            PUBLIC_PEM.iter().enumerate().map(|(i, &old)| if i == at { byte } else { old }).collect()
        }),
        1 => (0..PUBLIC_PEM.len()).prop_map(|len| PUBLIC_PEM.iter().take(len).copied().collect()),
        1 => prop::collection::vec(any::<u8>(), 0..200),
        1 => "-----BEGIN [A-Z ]{0,12}-----\n[A-Za-z0-9+/=\n]{0,100}-----END [A-Z ]{0,12}-----"
            .prop_map(String::into_bytes),
    ]
}

fn said() -> impl Strategy<Value = Said> {
    prop_oneof![
        4 => bytes().prop_map(Said::Packet),
        1 => prop::option::of(bytes()).prop_map(Said::Start),
        1 => Just(Said::Answer(Answer::Secret(PASSWORD.into()))),
        1 => Just(Said::Answer(Answer::Refused)),
    ]
}

/// An exchange: mostly begun as it should be, then whatever.
fn exchange() -> impl Strategy<Value = Vec<Said>> {
    let begin = prop_oneof![
        4 => prop::array::uniform20(1..=255_u8).prop_map(|nonce| Some(nonce.to_vec())),
        1 => Just(None),
        1 => bytes().prop_map(Some),
    ];
    let begun = (begin, prop::collection::vec(said(), 0..6)).prop_map(|(challenge, mut rest)| {
        rest.insert(0, Said::Start(challenge));
        rest
    });
    prop_oneof![9 => begun, 1 => prop::collection::vec(said(), 1..6)]
}

fn channel() -> impl Strategy<Value = Channel> {
    prop_oneof![
        Just(Channel::Plain),
        Just(Channel::UnixSocket),
        any::<bool>().prop_map(|verified| Channel::Tls { verified }),
    ]
}

fn policy() -> impl Strategy<Value = Policy> {
    any::<[bool; 5]>().prop_map(|[clear, anywhere, optional, fetch, pinned]| {
        let policy = Policy::default()
            .cleartext_plugin(clear)
            .cleartext_without_tls(anywhere)
            .tls_is_optional(optional)
            .get_server_public_key(fetch);
        match porpoise_auth::ServerPublicKey::from_pem(PUBLIC_PEM) {
            Ok(key) if pinned => policy.server_public_key(key),
            _ => policy,
        }
    })
}

fn shows_password(bytes: &[u8]) -> bool {
    bytes.windows(PASSWORD.len()).any(|window| window == PASSWORD.as_bytes())
}

/// Whether a plugin may show the password at all, by the tables in the documentation.
fn may_show(plugin: &str, channel: Channel, policy: &Policy) -> bool {
    let tls = matches!(channel, Channel::Tls { .. });
    let socket = channel == Channel::UnixSocket;
    match plugin {
        "caching_sha2_password" => tls || socket,
        "sha256_password" => tls,
        "mysql_clear_password" => {
            policy.cleartext_plugin
                && (policy.cleartext_without_tls || socket || tls && !policy.tls_is_optional)
        }
        _ => false,
    }
}

proptest! {
    #[test]
    fn any_server_meets_a_calm_client(
        exchange in exchange(),
        channel in channel(),
        policy in policy(),
        empty in prop::bool::weighted(0.1),
    ) {
        let password = if empty { Secret::default() } else { PASSWORD.into() };
        let lent = Exchange::new(channel, &policy, "user", &password);
        let registry = Registry::default();
        for name in registry.names() {
            let Ok(mut mechanism) = registry.make(name) else { continue };
            let mut spent = false;
            for said in &exchange {
                let mut out = BytesMut::from(&b"before"[..]);
                let step = mechanism.step(said.input(), &lent, &mut out);
                let sent = out.strip_prefix(b"before").unwrap();
                prop_assert!(sent.len() <= LONGEST);
                let reply = matches!(step, Ok(AuthStep::Reply { .. }));
                prop_assert!(sent.is_empty() || reply, "{name}: {step:?} has written");
                prop_assert!(!shows_password(sent) || may_show(name, channel, &policy), "{name} on {channel:?}");
                if spent {
                    prop_assert!(matches!(step, Err(AuthError::OutOfTurn)), "{name}: {step:?} after the end");
                }
                spent |= matches!(step, Err(_) | Ok(AuthStep::Done | AuthStep::Reply { last: true }));
                let told = format!("{step:?} {lent:?} {:?}", mechanism.path());
                prop_assert!(!told.contains(PASSWORD));
            }
        }
    }

    #[test]
    fn any_bytes_are_a_key_or_an_error(bytes in bytes()) {
        if let Err(error) = porpoise_auth::ServerPublicKey::from_pem(&bytes) {
            let expected = if cfg!(feature = "rsa") { 2000 } else { 2059 };
            prop_assert_eq!(error.client_error(), expected);
        }
    }

    #[test]
    fn no_debug_shows_a_secret(text in "[!-~]{6,40}") {
        let secret = Secret::from(text.as_str());
        let (answer, bytes) = (Answer::Secret(secret.clone()), Answer::Bytes(text.clone().into_bytes()));
        let all = format!("{secret:?} {answer:?} {bytes:?} {:?}", Input::Answer(answer.clone()));
        prop_assert!(!all.contains(&text));
        let numbers = format!("{:?}", text.as_bytes());
        prop_assert!(!all.contains(numbers.trim_matches(['[', ']'])));
    }
}

/// The exchanges that hostile servers try first, each with its own error.
#[test]
fn known_attacks() {
    let password = Secret::from(PASSWORD);
    let trusting = Policy::default().get_server_public_key(true);
    let strict = Policy::default();
    let attempt = |name: &str, policy: &Policy, said: &[&[u8]]| {
        let mut mechanism = Registry::default().make(name)?;
        mechanism.enabled(policy)?;
        let lent = Exchange::new(Channel::Plain, policy, "user", &password);
        let mut out = BytesMut::new();
        let mut step = mechanism.step(Input::Start { challenge: said.first().copied() }, &lent, &mut out)?;
        for packet in &said[1..] {
            step = mechanism.step(Input::Packet(packet), &lent, &mut out)?;
        }
        Ok::<_, AuthError>(step)
    };
    let nonce = &[9; 20][..];
    let fails = |name, policy, said: &[&[u8]]| attempt(name, policy, said).unwrap_err().client_error();
    // The old plugin, by name; the clear-text one, not enabled.
    assert_eq!(fails("mysql_old_password", &strict, &[nonce]), 2059);
    assert_eq!(fails("mysql_clear_password", &strict, &[nonce]), 2059);
    // The password wanted where it must not be sent.
    assert_eq!(fails("caching_sha2_password", &strict, &[nonce, &[4]]), 2061);
    assert_eq!(fails("sha256_password", &strict, &[nonce]), 2061);
    // "Send the password" twice, and as the answer to the request for the key.
    let error = if cfg!(feature = "rsa") { 2000 } else { 2059 };
    assert_eq!(fails("caching_sha2_password", &trusting, &[nonce, &[4], &[4]]), error);
    // A key without end.
    assert_eq!(fails("caching_sha2_password", &trusting, &[nonce, &[4], &vec![b'A'; 1 << 20]]), error);
    // A nonce without the bytes to hash.
    for challenge in [&[][..], &[0], &[0; 8], &[0; 64]] {
        for name in ["caching_sha2_password", "sha256_password", "mysql_native_password"] {
            assert_eq!(fails(name, &trusting, &[challenge]), 2012, "{name}");
        }
    }
    let signing = attempt(ClientEd25519::NAME, &strict, &[nonce]).unwrap_err();
    assert!(matches!(signing, AuthError::BadChallenge { expected: 32, .. } | AuthError::NotBuilt { .. }));
}
