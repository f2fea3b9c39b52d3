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
