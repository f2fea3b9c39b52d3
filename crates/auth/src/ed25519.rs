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
