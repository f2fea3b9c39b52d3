use bytes::{BufMut, BytesMut};

use crate::scramble::{self, nonce};
use crate::{AuthError, AuthPath, AuthStep, Exchange, Input, Mechanism};

/// `mysql_native_password`: SHA-1, one round. Never shows the password, but its hash on the server is all that an
/// impostor needs who also sees one login.
///
/// | from | bytes |
/// |---|---|
/// | server | `nonce(20) 00` |
/// | client | [`scramble(20)`](scramble::native_password), or nothing for an empty password |
///
/// Page "MySQL Source Code Documentation: Native Authentication".
#[derive(Debug, Default)]
pub struct MysqlNativePassword {
    state: State,
    path: AuthPath,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Start,
    Challenge,
    Over,
}

impl MysqlNativePassword {
    /// The plugin's name.
    pub const NAME: &str = "mysql_native_password";

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
        self.path = AuthPath::Empty;
        if !exchange.password.is_empty() {
            out.put_slice(&scramble::native_password(exchange.password.expose(), &nonce));
            self.path = AuthPath::Scramble;
        }
        Ok(AuthStep::Reply { last: true })
    }
}

impl Mechanism for MysqlNativePassword {
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
    use crate::testing::{CHALLENGE, Client};

    fn client(password: &str) -> Client {
        Client::new(MysqlNativePassword::new(), password)
    }

    #[test]
    fn scramble_is_all_it_sends() {
        let mut client = client("pw-sha2");
        assert_eq!(client.path(), AuthPath::Unknown);
        // SHA1(pw) XOR SHA1(nonce || SHA1(SHA1(pw)))
        assert_eq!(client.start(), "send 8d7cdd833a35a16cf75aac74aad35d543aa78801, last");
        assert_eq!(client.path(), AuthPath::Scramble);
    }

    #[test]
    fn an_empty_password_is_an_empty_packet() {
        let mut client = client("");
        assert_eq!(client.start(), "send , last");
        assert_eq!(client.path(), AuthPath::Empty);
    }

    #[test]
    fn without_a_challenge_it_waits_for_one() {
        let mut client = client("pw-sha2");
        assert_eq!(client.step(Input::Start { challenge: None }), "wait");
        assert_eq!(client.packet(&CHALLENGE), "send 8d7cdd833a35a16cf75aac74aad35d543aa78801, last");
    }

    #[test]
    fn a_nonce_of_another_length_is_refused() {
        let mut client = client("pw-sha2");
        let step = client.step(Input::Start { challenge: Some(b"12345678\0") });
        assert_eq!(step, "error 2012: the server's nonce has 9 bytes, or no terminator, 20 are expected");
        assert_eq!(client.start(), "error 2000: the mechanism was called out of turn");
    }
}
