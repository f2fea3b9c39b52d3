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
