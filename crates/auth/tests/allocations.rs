//! The budget of a login: one allocation, which is the mechanism itself.

use allocation_counter::measure;
use bytes::BytesMut;
use porpoise_auth::{AuthError, AuthPath, Channel, Exchange, Input, Policy, Registry, Secret};

/// Logs in with a nonce and the packets that follow, and counts what is allocated from the making of the
/// mechanism on.
fn allocations(plugin: &str, channel: Channel, challenge: &[u8], packets: &[&[u8]], path: AuthPath) -> u64 {
    let (registry, policy, password) = (Registry::default(), Policy::default(), Secret::from("pw"));
    let exchange = Exchange::new(channel, &policy, "user", &password);
    // The owner's buffer is there already.
    let mut out = BytesMut::with_capacity(512);
    let mut login = || {
        let mut mechanism = registry.make(plugin)?;
        let _ = mechanism.step(Input::Start { challenge: Some(challenge) }, &exchange, &mut out)?;
        for packet in packets {
            let _ = mechanism.step(Input::Packet(packet), &exchange, &mut out)?;
        }
        Ok::<_, AuthError>(mechanism.path())
    };
    let mut taken = Ok(AuthPath::Unknown);
    let counted = measure(|| taken = login());
    assert!(matches!(taken, Ok(taken) if taken == path), "{plugin}: {taken:?}");
    assert_eq!(counted.count_current, 0, "{plugin} leaks");
    counted.count_total
}

#[test]
fn one_box_a_login() {
    const TLS: Channel = Channel::Tls { verified: true };
    let nonce = [[1; 20].as_slice(), &[0]].concat();
    let count =
        |plugin, channel, packets: &[&[u8]], path| allocations(plugin, channel, &nonce, packets, path);
    assert_eq!(count("caching_sha2_password", Channel::Plain, &[&[3]], AuthPath::Fast), 1);
    assert_eq!(count("caching_sha2_password", TLS, &[&[4]], AuthPath::FullTls), 1);
    assert_eq!(count("caching_sha2_password", Channel::UnixSocket, &[&[4]], AuthPath::FullSocket), 1);
    assert_eq!(count("mysql_native_password", Channel::Plain, &[], AuthPath::Scramble), 1);
    assert_eq!(count("sha256_password", TLS, &[], AuthPath::FullTls), 1);
    assert_eq!(count("auth_socket", Channel::UnixSocket, &[], AuthPath::Peer), 1);
    #[cfg(feature = "ed25519")]
    assert_eq!(allocations("client_ed25519", Channel::Plain, &[1; 32], &[], AuthPath::Signature), 1);
}

#[test]
fn a_registry_is_shared_until_it_is_changed() {
    let registry = Registry::default();
    let counted = measure(|| {
        let copy = registry.clone();
        assert!(copy.names().eq(Registry::default().names()));
    });
    assert_eq!(counted.count_total, 0);
}
