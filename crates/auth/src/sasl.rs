//! The SASL mechanisms of X Protocol. They are [`Mechanism`]s like the classic plugins; what a step appends to the first
//! message and what to those behind it is the caller's to tell apart.
//!
//! The nonce is 20 bytes of which the last is 0x00; all of them are hashed. Where SASL has the authorization identity, X
//! Protocol has the default schema.

use bytes::{BufMut, BytesMut};
use zeroize::Zeroizing;

use crate::scramble::{self, NONCE_LEN};
use crate::{AuthError, AuthPath, AuthStep, Channel, Exchange, Input, Mechanism};

/// `PLAIN`: the password as it is, on a channel that nobody else reads.
///
/// | message | bytes |
/// |---|---|
/// | AuthenticateStart | `schema 00 user 00 password` |
///
/// Follows RFC 4616, and "MySQL Source Code Documentation: X Protocol, Authentication, PLAIN authentication". Refused on
/// [`Channel::Plain`], whatever the policy says.
#[derive(Debug, Default)]
pub struct SaslPlain {
    path: AuthPath,
    over: bool,
}

impl SaslPlain {
    /// The mechanism's name.
    pub const NAME: &str = "PLAIN";

    /// A mechanism for one exchange.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

impl Mechanism for SaslPlain {
    fn name(&self) -> &str {
        Self::NAME
    }

    fn step(
        &mut self,
        input: Input<'_>,
        exchange: &Exchange<'_>,
        out: &mut BytesMut,
    ) -> Result<AuthStep, AuthError> {
        let over = std::mem::replace(&mut self.over, true);
        if over || !matches!(input, Input::Start { .. }) {
            return Err(AuthError::OutOfTurn);
        }
        let path = match exchange.channel {
            Channel::Plain => return Err(AuthError::RequiresSecureConnection),
            Channel::UnixSocket => AuthPath::FullSocket,
            Channel::Tls { .. } => AuthPath::FullTls,
        };
        let password = exchange.password.expose();
        put_identity(exchange, password.len(), out)?;
        out.put_slice(password);
        self.path = path;
        Ok(AuthStep::Reply { last: true })
    }

    fn path(&self) -> AuthPath {
        self.path
    }
}

/// `MYSQL41`: SHA-1, as [`native_password`](scramble::native_password) has it, for accounts of `mysql_native_password`.
///
/// | from | bytes |
/// |---|---|
/// | server | `nonce(20)` |
/// | client | `schema 00 user 00`, then `*` and 40 hexadecimal digits, or nothing for an empty password |
///
/// Page "MySQL Source Code Documentation: X Protocol, Authentication, MYSQL41 authentication". Servers from 9.0 on have no
/// such accounts, but answer as if the password were wrong.
#[derive(Debug, Default)]
pub struct SaslMysql41 {
    challenge: Challenge,
    path: AuthPath,
}

impl SaslMysql41 {
    /// The mechanism's name.
    pub const NAME: &str = "MYSQL41";

    /// A mechanism for one exchange.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

impl Mechanism for SaslMysql41 {
    fn name(&self) -> &str {
        Self::NAME
    }

    fn step(
        &mut self,
        input: Input<'_>,
        exchange: &Exchange<'_>,
        out: &mut BytesMut,
    ) -> Result<AuthStep, AuthError> {
        let Some(nonce) = self.challenge.take(&input)? else { return Ok(AuthStep::Wait) };
        put_identity(exchange, 1 + 2 * 20, out)?;
        self.path = AuthPath::Empty;
        if !exchange.password.is_empty() {
            let scramble = Zeroizing::new(scramble::native_password(exchange.password.expose(), &nonce));
            out.put_u8(b'*');
            put_hex(&*scramble, out);
            self.path = AuthPath::Scramble;
        }
        Ok(AuthStep::Reply { last: true })
    }

    fn path(&self) -> AuthPath {
        self.path
    }
}

/// `SHA256_MEMORY`: SHA-256, as [`caching_sha2_password`](scramble::caching_sha2_password) has it, for accounts that the
/// server keeps in memory since they logged in by `PLAIN`.
///
/// | from | bytes |
/// |---|---|
/// | server | `nonce(20)` |
/// | client | `schema 00 user 00`, then 64 hexadecimal digits, also for an empty password |
///
/// Page "MySQL Source Code Documentation: X Protocol, Authentication, SHA256_MEMORY authentication".
#[derive(Debug, Default)]
pub struct SaslSha256Memory {
    challenge: Challenge,
    path: AuthPath,
}

impl SaslSha256Memory {
    /// The mechanism's name.
    pub const NAME: &str = "SHA256_MEMORY";

    /// A mechanism for one exchange.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

impl Mechanism for SaslSha256Memory {
    fn name(&self) -> &str {
        Self::NAME
    }

    fn step(
        &mut self,
        input: Input<'_>,
        exchange: &Exchange<'_>,
        out: &mut BytesMut,
    ) -> Result<AuthStep, AuthError> {
        let Some(nonce) = self.challenge.take(&input)? else { return Ok(AuthStep::Wait) };
        put_identity(exchange, 2 * 32, out)?;
        let scramble = Zeroizing::new(scramble::caching_sha2_password(exchange.password.expose(), &nonce));
        put_hex(&*scramble, out);
        self.path = AuthPath::Scramble;
        Ok(AuthStep::Reply { last: true })
    }

    fn path(&self) -> AuthPath {
        self.path
    }
}

/// `EXTERNAL`: the server knows who it is from what is below it, such as the client's certificate.
///
/// | message | bytes |
/// |---|---|
/// | AuthenticateStart, as its initial response | nothing: the server is to take whom it knows |
///
/// Follows RFC 4422, appendix A, and "MySQL Internals Manual: X Protocol, Authentication, EXTERNAL". No server up to 9.7
/// has it: it is never chosen unless a server lists it.
#[derive(Debug, Default)]
pub struct SaslExternal {
    over: bool,
}

impl SaslExternal {
    /// The mechanism's name.
    pub const NAME: &str = "EXTERNAL";

    /// A mechanism for one exchange.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

impl Mechanism for SaslExternal {
    fn name(&self) -> &str {
        Self::NAME
    }

    fn wants_password(&self) -> bool {
        false
    }

    fn step(&mut self, input: Input<'_>, _: &Exchange<'_>, _: &mut BytesMut) -> Result<AuthStep, AuthError> {
        let over = std::mem::replace(&mut self.over, true);
        if over || !matches!(input, Input::Start { .. }) {
            return Err(AuthError::OutOfTurn);
        }
        Ok(AuthStep::Reply { last: true })
    }

    fn path(&self) -> AuthPath {
        if self.over { AuthPath::Peer } else { AuthPath::Unknown }
    }
}

/// Where the exchange of a mechanism is that answers one nonce.
#[derive(Debug, Default)]
enum Challenge {
    #[default]
    Unasked,
    Asked,
    Over,
}

impl Challenge {
    /// The nonce, or nothing if the server is to be asked for it.
    fn take(&mut self, input: &Input<'_>) -> Result<Option<[u8; NONCE_LEN]>, AuthError> {
        match (std::mem::replace(self, Self::Over), input) {
            (Self::Unasked, Input::Start { .. }) => {
                *self = Self::Asked;
                Ok(None)
            }
            (Self::Asked, Input::Packet(nonce)) => match <[u8; NONCE_LEN]>::try_from(*nonce) {
                Ok(nonce) => Ok(Some(nonce)),
                Err(_) => Err(AuthError::BadChallenge { len: nonce.len(), expected: NONCE_LEN }),
            },
            _ => Err(AuthError::OutOfTurn),
        }
    }
}

/// `schema 00 user 00`, with room for a secret behind it: a buffer that grows leaves a copy of it behind.
fn put_identity(exchange: &Exchange<'_>, secret: usize, out: &mut BytesMut) -> Result<(), AuthError> {
    let (schema, user) = (exchange.schema.as_bytes(), exchange.user.as_bytes());
    if schema.contains(&0) || user.contains(&0) {
        return Err(AuthError::NulInName);
    }
    out.reserve(schema.len() + user.len() + 2 + secret);
    out.put_slice(schema);
    out.put_u8(0);
    out.put_slice(user);
    out.put_u8(0);
    Ok(())
}

fn put_hex(bytes: &[u8], out: &mut BytesMut) {
    let digit = |nibble: u8| if nibble < 10 { b'0' + nibble } else { b'A' + nibble - 10 };
    for byte in bytes {
        out.put_slice(&[digit(byte >> 4), digit(byte & 0xf)]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Client, NONCE, TLS};

    /// As servers send it: the last byte is 0x00.
    const CHALLENGE: [u8; 20] = {
        let mut nonce = NONCE;
        nonce[19] = 0;
        nonce
    };

    fn begin(client: &mut Client) -> String {
        client.step(Input::Start { challenge: None })
    }

    fn text(client: &Client) -> String {
        String::from_utf8(client.sent.clone()).unwrap()
    }

    #[test]
    fn plain_needs_a_channel_that_is_secure() {
        let mut client = Client::new(SaslPlain::new(), "secret");
        assert_eq!(begin(&mut client), "error 2061: authentication requires a secure connection");
        assert_eq!(begin(&mut client), "error 2000: the mechanism was called out of turn");
        for (channel, path) in [(TLS, AuthPath::FullTls), (Channel::UnixSocket, AuthPath::FullSocket)] {
            let mut client = Client::new(SaslPlain::new(), "secret").on(channel).schema("xtest");
            assert!(begin(&mut client).ends_with(", last"));
            assert_eq!(text(&client), "xtest\0user\0secret");
            assert_eq!(client.path(), path);
            assert_eq!(client.packet(b""), "error 2000: the mechanism was called out of turn");
        }
    }

    #[test]
    fn nobody_slips_a_name_into_the_next_field() {
        for mechanism in [Client::new(SaslPlain::new(), ""), Client::new(SaslMysql41::new(), "")] {
            let mut client = mechanism.on(TLS).schema("a\0root");
            let first = begin(&mut client);
            let last = if first == "wait" { client.packet(&CHALLENGE) } else { first };
            assert_eq!(last, "error 2000: a user's or schema's name holds a 0x00");
        }
    }

    // Computed by the formulas with Python's hashlib: nonce 01 02 .. 13 00, password "secret".
    #[test]
    fn mysql41_answers_the_nonce() {
        let mut client = Client::new(SaslMysql41::new(), "secret").schema("xtest");
        assert_eq!(begin(&mut client), "wait");
        assert!(client.packet(&CHALLENGE).ends_with(", last"));
        assert_eq!(text(&client), "xtest\0user\0*365D9F6927A9A60839A589391C67C687DE4CA1EC");
        assert_eq!(client.path(), AuthPath::Scramble);
        assert_eq!(client.packet(&CHALLENGE), "error 2000: the mechanism was called out of turn");
        let mut client = Client::new(SaslMysql41::new(), "");
        assert_eq!(begin(&mut client), "wait");
        assert!(client.packet(&CHALLENGE).ends_with(", last"));
        assert_eq!((text(&client).as_str(), client.path()), ("\0user\0", AuthPath::Empty));
    }

    #[test]
    fn sha256_memory_answers_the_nonce_also_without_a_password() {
        for (password, digits) in [
            ("secret", "3D0DE795E992E43F648CE1EE764E1B3EBFAAD4B6A6882561B6B94FEE16B98621"),
            ("", "32A0DAEBA2C1746F16C6381C7A61D68849826B148FBE415D50E929724D4A3B17"),
        ] {
            let mut client = Client::new(SaslSha256Memory::new(), password);
            assert_eq!(begin(&mut client), "wait");
            assert!(client.packet(&CHALLENGE).ends_with(", last"));
            assert_eq!(text(&client), format!("\0user\0{digits}"));
        }
    }

    #[test]
    fn a_nonce_of_another_length_is_refused() {
        for len in [0, 19, 21] {
            for mut client in
                [Client::new(SaslMysql41::new(), "x"), Client::new(SaslSha256Memory::new(), "x")]
            {
                assert_eq!(begin(&mut client), "wait");
                assert!(client.packet(&vec![1; len]).starts_with("error 2012"), "{len}");
            }
        }
    }

    #[test]
    fn external_leaves_it_to_the_server_who_it_is() {
        let mut client = Client::new(SaslExternal::new(), "secret");
        assert_eq!(client.path(), AuthPath::Unknown);
        assert!(begin(&mut client).ends_with(", last"));
        assert_eq!((text(&client).as_str(), client.path()), ("", AuthPath::Peer));
        assert_eq!(begin(&mut client), "error 2000: the mechanism was called out of turn");
    }
}
