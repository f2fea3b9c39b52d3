use bytes::{BufMut, BytesMut};

use crate::disclose::{Disclosed, by_fetched_key, disclose};
use crate::scramble::{self, NONCE_LEN, nonce};
use crate::{AuthError, AuthPath, AuthStep, Channel, Exchange, Input, Mechanism};

/// The account is in the server's cache.
const FAST_AUTH_SUCCESS: u8 = 0x03;
/// It is not, or the password is wrong, or there is no such account: the server does not tell.
const PERFORM_FULL_AUTHENTICATION: u8 = 0x04;
const REQUEST_PUBLIC_KEY: u8 = 0x02;

/// `caching_sha2_password`, MySQL's default: SHA-256, one round if the server has the account in its cache, else
/// the password itself, on a secure channel or encrypted by RSA.
///
/// | from | bytes | when |
/// |---|---|---|
/// | server | `nonce(20) 00` | |
/// | client | `00` | empty password; the verdict follows |
/// | client | [`scramble(32)`](scramble::caching_sha2_password) | |
/// | server | `03` | in the cache; the verdict follows |
/// | server | `04` | the password is wanted |
/// | client | `password 00` | over TLS or a Unix socket; the verdict follows |
/// | client | `RSA((password 00) XOR nonce)` | the key is pinned; the verdict follows |
/// | client | `02` | the key may be fetched |
/// | server | PEM | |
/// | client | `RSA((password 00) XOR nonce)` | the verdict follows |
///
/// Page "MySQL Source Code Documentation: Caching_sha2_password information".
#[derive(Debug, Default)]
pub struct CachingSha2Password {
    state: State,
    path: AuthPath,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Start,
    Challenge,
    /// The hash is sent.
    Scrambled([u8; NONCE_LEN]),
    /// The server's key is asked for.
    KeyRequested([u8; NONCE_LEN]),
    Over,
}

impl CachingSha2Password {
    /// The plugin's name.
    pub const NAME: &str = "caching_sha2_password";

    /// A mechanism for one exchange.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn reply(
        &mut self,
        challenge: &[u8],
        exchange: &Exchange<'_>,
        out: &mut BytesMut,
    ) -> Result<AuthStep, AuthError> {
        let nonce = nonce(challenge)?;
        if exchange.password.is_empty() {
            out.put_u8(0);
            self.path = AuthPath::Empty;
            return Ok(AuthStep::Reply { last: true });
        }
        out.put_slice(&scramble::caching_sha2_password(exchange.password.expose(), &nonce));
        self.path = AuthPath::Scramble;
        self.state = State::Scrambled(nonce);
        Ok(AuthStep::Reply { last: false })
    }

    /// What the server says about the hash.
    fn judged(
        &mut self,
        nonce: [u8; NONCE_LEN],
        packet: &[u8],
        exchange: &Exchange<'_>,
        out: &mut BytesMut,
    ) -> Result<AuthStep, AuthError> {
        match *packet {
            [FAST_AUTH_SUCCESS] => {
                self.path = AuthPath::Fast;
                Ok(AuthStep::Done)
            }
            [PERFORM_FULL_AUTHENTICATION] => {
                let secure = match exchange.channel {
                    Channel::Tls { .. } => Some(AuthPath::FullTls),
                    Channel::UnixSocket => Some(AuthPath::FullSocket),
                    Channel::Plain => None,
                };
                match disclose(&nonce, exchange, secure, REQUEST_PUBLIC_KEY, out)? {
                    Disclosed::Password(path) => {
                        self.path = path;
                        Ok(AuthStep::Reply { last: true })
                    }
                    Disclosed::KeyRequest => {
                        self.state = State::KeyRequested(nonce);
                        Ok(AuthStep::Reply { last: false })
                    }
                }
            }
            _ => Err(AuthError::Unexpected { expected: "03 or 04", len: packet.len() }),
        }
    }
}

impl Mechanism for CachingSha2Password {
    fn name(&self) -> &str {
        Self::NAME
    }

    fn step(
        &mut self,
        input: Input<'_>,
        exchange: &Exchange<'_>,
        out: &mut BytesMut,
    ) -> Result<AuthStep, AuthError> {
        match (std::mem::replace(&mut self.state, State::Over), input) {
            (State::Start, Input::Start { challenge: None }) => {
                self.state = State::Challenge;
                Ok(AuthStep::Wait)
            }
            (State::Start, Input::Start { challenge: Some(challenge) })
            | (State::Challenge, Input::Packet(challenge)) => self.reply(challenge, exchange, out),
            (State::Scrambled(nonce), Input::Packet(packet)) => self.judged(nonce, packet, exchange, out),
            (State::KeyRequested(nonce), Input::Packet(pem)) => {
                by_fetched_key(&nonce, pem, exchange, out)?;
                self.path = AuthPath::FullRsaFetched;
                Ok(AuthStep::Reply { last: true })
            }
            _ => Err(AuthError::OutOfTurn),
        }
    }

    fn path(&self) -> AuthPath {
        self.path
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Policy;
    use crate::testing::{CHALLENGE, Client, TLS};

    const SCRAMBLE: &str = "send bba72b6ea68850c2339b2a9a4e630970907bb59b0cc74734bfd01e978708a1ac";

    fn client() -> Client {
        Client::new(CachingSha2Password::new(), "pw-sha2")
    }

    #[test]
    fn in_the_cache() {
        let mut client = client();
        assert_eq!(client.start(), SCRAMBLE);
        assert_eq!(client.path(), AuthPath::Scramble);
        assert_eq!(client.packet(&[FAST_AUTH_SUCCESS]), "done");
        assert_eq!(client.path(), AuthPath::Fast);
        assert_eq!(client.packet(&[FAST_AUTH_SUCCESS]), "error 2000: the mechanism was called out of turn");
    }

    #[test]
    fn full_on_a_secure_channel() {
        for (channel, path) in [
            (TLS, AuthPath::FullTls),
            (Channel::Tls { verified: false }, AuthPath::FullTls),
            (Channel::UnixSocket, AuthPath::FullSocket),
        ] {
            let mut client = client().on(channel);
            assert_eq!(client.start(), SCRAMBLE);
            // "pw-sha2" 00
            assert_eq!(client.packet(&[PERFORM_FULL_AUTHENTICATION]), "send 70772d7368613200, last");
            assert_eq!(client.path(), path);
        }
    }

    #[test]
    fn full_on_plain_tcp_without_a_key_sends_nothing() {
        let mut client = client();
        assert_eq!(client.start(), SCRAMBLE);
        let step = client.packet(&[PERFORM_FULL_AUTHENTICATION]);
        assert_eq!(step, "error 2061: authentication requires a secure connection");
    }

    #[test]
    fn an_empty_password_is_one_zero_byte() {
        let mut client = Client::new(CachingSha2Password::new(), "");
        assert_eq!(client.start(), "send 00, last");
        assert_eq!(client.path(), AuthPath::Empty);
        // The password is not wanted from who has none.
        assert_eq!(
            client.packet(&[PERFORM_FULL_AUTHENTICATION]),
            "error 2000: the mechanism was called out of turn"
        );
    }

    #[test]
    fn without_a_challenge_it_waits_for_one() {
        let mut client = client().on(TLS);
        assert_eq!(client.step(Input::Start { challenge: None }), "wait");
        assert_eq!(client.packet(&CHALLENGE), SCRAMBLE);
        assert_eq!(client.packet(&[PERFORM_FULL_AUTHENTICATION]), "send 70772d7368613200, last");
    }

    #[test]
    fn the_password_is_not_sent_before_the_hash() {
        let mut client = client().on(TLS);
        assert_eq!(client.step(Input::Start { challenge: None }), "wait");
        let step = client.packet(&[PERFORM_FULL_AUTHENTICATION]);
        assert_eq!(step, "error 2012: the server's nonce has 1 bytes, or no terminator, 20 are expected");
    }

    #[test]
    fn anything_but_03_and_04_is_refused() {
        for packet in [&[][..], &[0], &[5], &[3, 3], &[4, 0]] {
            let mut client = client().on(TLS);
            assert_eq!(client.start(), SCRAMBLE);
            let step = client.packet(packet);
            assert_eq!(
                step,
                format!("error 2000: 03 or 04 expected, {} bytes came that are none", packet.len())
            );
        }
    }

    #[cfg(not(feature = "rsa"))]
    #[test]
    fn without_rsa_the_key_is_not_even_asked_for() {
        let mut client = client().policy(Policy::default().get_server_public_key(true));
        assert_eq!(client.start(), SCRAMBLE);
        let step = client.packet(&[PERFORM_FULL_AUTHENTICATION]);
        assert_eq!(step, "error 2059: left out of this build: feature `rsa` is off");
    }

    #[cfg(feature = "rsa")]
    mod rsa {
        use super::*;
        use crate::public_key::tests::{PUBLIC_PEM, decrypt, public_key};

        #[test]
        fn with_a_pinned_key() {
            // May it also be fetched: what is pinned is what counts.
            let policy = Policy::default().server_public_key(public_key()).get_server_public_key(true);
            let mut client = client().policy(policy);
            assert_eq!(client.start(), SCRAMBLE);
            assert!(client.packet(&[PERFORM_FULL_AUTHENTICATION]).ends_with(", last"));
            assert_eq!(decrypt(&client.sent), b"pw-sha2\0");
            assert_eq!(client.path(), AuthPath::FullRsaPinned);
        }

        #[test]
        fn with_a_fetched_key() {
            let mut client = client().policy(Policy::default().get_server_public_key(true));
            assert_eq!(client.start(), SCRAMBLE);
            assert_eq!(client.packet(&[PERFORM_FULL_AUTHENTICATION]), "send 02");
            assert_eq!(client.path(), AuthPath::Scramble);
            assert!(client.packet(PUBLIC_PEM).ends_with(", last"));
            assert_eq!(decrypt(&client.sent), b"pw-sha2\0");
            assert_eq!(client.path(), AuthPath::FullRsaFetched);
        }

        #[test]
        fn a_secure_channel_needs_no_key() {
            let mut client = client().policy(Policy::default().server_public_key(public_key())).on(TLS);
            assert_eq!(client.start(), SCRAMBLE);
            assert_eq!(client.packet(&[PERFORM_FULL_AUTHENTICATION]), "send 70772d7368613200, last");
        }

        #[test]
        fn a_key_that_is_none_ends_it() {
            let mut client = client().policy(Policy::default().get_server_public_key(true));
            assert_eq!(client.start(), SCRAMBLE);
            assert_eq!(client.packet(&[PERFORM_FULL_AUTHENTICATION]), "send 02");
            let step = client.packet(&[PERFORM_FULL_AUTHENTICATION]);
            assert_eq!(step, "error 2000: the server's RSA key is not usable: it is no PEM block PUBLIC KEY");
        }
    }
}
