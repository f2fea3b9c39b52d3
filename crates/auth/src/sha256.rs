use bytes::{BufMut, BytesMut};

use crate::disclose::{Disclosed, by_fetched_key, disclose};
use crate::scramble::{NONCE_LEN, nonce};
use crate::{AuthError, AuthPath, AuthStep, Exchange, Input, Mechanism};

/// Not the 0x02 of `caching_sha2_password`.
const REQUEST_PUBLIC_KEY: u8 = 0x01;

/// `sha256_password`: the password itself, each time; in clear inside TLS, else encrypted by RSA. A Unix socket is
/// not secure to it.
///
/// | from | bytes | when |
/// |---|---|---|
/// | server | `nonce(20) 00` | |
/// | client | `00` | empty password; the verdict follows |
/// | client | `password 00` | over TLS; the verdict follows |
/// | client | `RSA((password 00) XOR nonce)` | the key is pinned; the verdict follows |
/// | client | `01` | the key may be fetched |
/// | server | PEM | |
/// | client | `RSA((password 00) XOR nonce)` | the verdict follows |
///
/// MySQL's own client asks for the key without being allowed to; this one does not.
///
/// Page "MySQL Source Code Documentation: Authentication Methods", section "SHA256".
#[derive(Debug, Default)]
pub struct Sha256Password {
    state: State,
    path: AuthPath,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Start,
    Challenge,
    KeyRequested([u8; NONCE_LEN]),
    Over,
}

impl Sha256Password {
    /// The plugin's name.
    pub const NAME: &str = "sha256_password";

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
        let secure = exchange.channel.is_tls().then_some(AuthPath::FullTls);
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
}

impl Mechanism for Sha256Password {
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
    use crate::testing::{CHALLENGE, Client, TLS};
    use crate::{Channel, Policy};

    fn client() -> Client {
        Client::new(Sha256Password::new(), "pw-256")
    }

    #[test]
    fn inside_tls() {
        for verified in [false, true] {
            let mut client = client().on(Channel::Tls { verified });
            // "pw-256" 00
            assert_eq!(client.start(), "send 70772d32353600, last");
            assert_eq!(client.path(), AuthPath::FullTls);
        }
    }

    #[test]
    fn nothing_else_is_secure_to_it() {
        for channel in [Channel::Plain, Channel::UnixSocket] {
            let mut client = client().on(channel);
            assert_eq!(client.start(), "error 2061: authentication requires a secure connection");
        }
    }

    #[test]
    fn an_empty_password_is_one_zero_byte() {
        let mut client = Client::new(Sha256Password::new(), "");
        assert_eq!(client.start(), "send 00, last");
        assert_eq!(client.path(), AuthPath::Empty);
    }

    #[test]
    fn without_a_challenge_it_waits_for_one() {
        let mut client = client().on(TLS);
        assert_eq!(client.step(Input::Start { challenge: None }), "wait");
        assert_eq!(client.packet(&CHALLENGE), "send 70772d32353600, last");
        assert_eq!(client.packet(&CHALLENGE), "error 2000: the mechanism was called out of turn");
    }

    #[cfg(not(feature = "rsa"))]
    #[test]
    fn without_rsa_the_key_is_not_even_asked_for() {
        let mut client = client().policy(Policy::default().get_server_public_key(true));
        assert_eq!(client.start(), "error 2059: left out of this build: feature `rsa` is off");
    }

    #[cfg(feature = "rsa")]
    mod rsa {
        use super::*;
        use crate::public_key::tests::{PUBLIC_PEM, decrypt, public_key};

        #[test]
        fn with_a_pinned_key() {
            for channel in [Channel::Plain, Channel::UnixSocket] {
                let policy = Policy::default().server_public_key(public_key());
                let mut client = client().policy(policy).on(channel);
                assert!(client.start().ends_with(", last"));
                assert_eq!(decrypt(&client.sent), b"pw-256\0");
                assert_eq!(client.path(), AuthPath::FullRsaPinned);
            }
        }

        #[test]
        fn with_a_fetched_key() {
            let mut client = client().policy(Policy::default().get_server_public_key(true));
            // Not the 02 of the other plugin.
            assert_eq!(client.start(), "send 01");
            assert_eq!(client.path(), AuthPath::Unknown);
            assert!(client.packet(PUBLIC_PEM).ends_with(", last"));
            assert_eq!(decrypt(&client.sent), b"pw-256\0");
            assert_eq!(client.path(), AuthPath::FullRsaFetched);
        }
    }
}
