use bytes::BytesMut;

use crate::{AuthError, AuthPath, AuthStep, Exchange, Input, Mechanism};

/// The bytes of the nonce; it has no terminator.
const NONCE_LEN: usize = 32;

/// MariaDB's `client_ed25519`: the nonce, signed. The server stores a public key only, so that neither what it
/// stores nor what is seen on the way lets anyone log in.
///
/// | from | bytes |
/// |---|---|
/// | server | `nonce(32)` |
/// | client | `signature(64)` |
///
/// The key is Ed25519 with `SHA512(password)` in the place of the expanded secret key; an empty password has a
/// key like any other.
///
/// Page "MariaDB: Authentication Plugin - ed25519".
#[derive(Debug, Default)]
pub struct ClientEd25519 {
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

impl ClientEd25519 {
    /// The plugin's name.
    pub const NAME: &str = "client_ed25519";

    /// A mechanism for one exchange. Without the feature `ed25519` its steps fail with [`AuthError::NotBuilt`].
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
        let nonce: &[u8; NONCE_LEN] = challenge
            .try_into()
            .map_err(|_| AuthError::BadChallenge { len: challenge.len(), expected: NONCE_LEN })?;
        sign(exchange.password.expose(), nonce, out)?;
        self.path = AuthPath::Signature;
        Ok(AuthStep::Reply { last: true })
    }
}

#[cfg(feature = "ed25519")]
fn sign(password: &[u8], nonce: &[u8; NONCE_LEN], out: &mut BytesMut) -> Result<(), AuthError> {
    use bytes::BufMut;
    use ed25519_dalek::hazmat::{ExpandedSecretKey, raw_sign};
    use sha2::{Digest, Sha512};
    use zeroize::Zeroizing;

    let mut expanded = Zeroizing::new([0; 64]);
    Sha512::new_with_prefix(password).finalize_into((&mut *expanded).into());
    let key = ExpandedSecretKey::from_bytes(&expanded);
    // The public key is derived from the same secret key, so that it cannot be a wrong one, which would leak it.
    let public = (&key).into();
    out.put_slice(&raw_sign::<Sha512>(&key, nonce, &public).to_bytes());
    Ok(())
}

#[cfg(not(feature = "ed25519"))]
fn sign(_: &[u8], _: &[u8; NONCE_LEN], _: &mut BytesMut) -> Result<(), AuthError> {
    Err(AuthError::NotBuilt { feature: "ed25519" })
}

impl Mechanism for ClientEd25519 {
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

    /// `00 01 .. 1f`
    const NONCE: [u8; 32] = [
        0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27,
        28, 29, 30, 31,
    ];

    fn client(password: &str) -> Client {
        Client::new(ClientEd25519::new(), password)
    }

    #[cfg(not(feature = "ed25519"))]
    #[test]
    fn left_out_it_says_so() {
        let step = client("foo").step(Input::Start { challenge: Some(&NONCE) });
        assert_eq!(step, "error 2059: left out of this build: feature `ed25519` is off");
    }

    // Computed with the formulas of RFC 8032 in Python. The one for "secret" has the public key
    // ZIgUREUg5PVgQ6LskhXmO+eZLS0nC8be6HPjYWR4YJY=, which is also in MariaDB's documentation.
    #[cfg(feature = "ed25519")]
    const VECTORS: [(&str, &str); 3] = [
        (
            "foo",
            "94220a23f706462284a3e9d9ca382751b8e47ef199b0cfc2b0af5da1e138ebb1\
             7c64fad3d1a70b07f12b1d810ed7472de63bc3bcb19fd45000bf3436d5c41101",
        ),
        (
            "secret",
            "546c3e9311d19ee389d1ae5d945821bfe459423910136f16b3bd2ae89fd7d63b\
             449e689f4be812891a85b8f999076446d92adb83d0707215aaa60b5a23220907",
        ),
        (
            "",
            "1e7e2c09c0c0e5f755a202872d95c85c4b14d23a888e9c40a0e9323e1ed28dd4\
             aee4a8197c2d2ca26942bf6496d61c60c63661959ab57706eb0bfda05749ad0f",
        ),
    ];

    #[cfg(feature = "ed25519")]
    #[test]
    fn known_signatures() {
        for (password, signature) in VECTORS {
            let mut client = client(password);
            let step = client.step(Input::Start { challenge: Some(&NONCE) });
            assert_eq!(step, format!("send {signature}, last"), "{password}");
            assert_eq!(client.path(), AuthPath::Signature);
        }
    }

    #[cfg(feature = "ed25519")]
    #[test]
    fn without_a_challenge_it_waits_for_one() {
        let mut client = client("foo");
        assert_eq!(client.step(Input::Start { challenge: None }), "wait");
        assert_eq!(client.packet(&NONCE), format!("send {}, last", VECTORS[0].1));
    }

    #[test]
    fn a_nonce_of_another_length_is_refused() {
        for challenge in [&CHALLENGE[..], &[], &[0; 33]] {
            let step = client("foo").step(Input::Start { challenge: Some(challenge) });
            let len = challenge.len();
            let expected =
                format!("error 2012: the server's nonce has {len} bytes, or no terminator, 32 are expected");
            assert_eq!(step, expected);
        }
    }
}
