use bytes::BytesMut;

use crate::{AuthError, AuthPath, AuthStep, Exchange, Input, Mechanism};

/// `auth_socket`, and MariaDB's `unix_socket`: the server asks the operating system which user is at the other
/// end of the Unix socket. The client has nothing to say.
///
/// | from | bytes |
/// |---|---|
/// | server | anything or nothing; ignored |
/// | client | nothing (an empty packet) |
///
/// Page "MySQL Reference Manual: Socket Peer-Credential Pluggable Authentication".
#[derive(Debug)]
pub struct PeerCredentials {
    name: &'static str,
    over: bool,
    path: AuthPath,
}

impl PeerCredentials {
    /// MySQL's name of it.
    pub const AUTH_SOCKET: &str = "auth_socket";
    /// MariaDB's name of it.
    pub const UNIX_SOCKET: &str = "unix_socket";

    /// MySQL's `auth_socket`, for one exchange.
    #[must_use]
    pub const fn auth_socket() -> Self {
        Self { name: Self::AUTH_SOCKET, over: false, path: AuthPath::Unknown }
    }

    /// MariaDB's `unix_socket`, for one exchange.
    #[must_use]
    pub const fn unix_socket() -> Self {
        Self { name: Self::UNIX_SOCKET, over: false, path: AuthPath::Unknown }
    }
}

impl Mechanism for PeerCredentials {
    fn name(&self) -> &str {
        self.name
    }

    fn wants_password(&self) -> bool {
        false
    }

    fn step(&mut self, input: Input<'_>, _: &Exchange<'_>, _: &mut BytesMut) -> Result<AuthStep, AuthError> {
        let over = std::mem::replace(&mut self.over, true);
        if over || !matches!(input, Input::Start { .. }) {
            return Err(AuthError::OutOfTurn);
        }
        self.path = AuthPath::Peer;
        Ok(AuthStep::Reply { last: true })
    }

    fn path(&self) -> AuthPath {
        self.path
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Client;

    #[test]
    fn it_says_nothing_once() {
        for challenge in [None, Some(&b""[..]), Some(&[1; 21])] {
            let mut client = Client::new(PeerCredentials::auth_socket(), "not sent");
            assert_eq!(client.path(), AuthPath::Unknown);
            assert_eq!(client.step(Input::Start { challenge }), "send , last");
            assert_eq!(client.path(), AuthPath::Peer);
            assert_eq!(client.packet(b""), "error 2000: the mechanism was called out of turn");
        }
    }

    #[test]
    fn two_names() {
        assert_eq!(PeerCredentials::auth_socket().name(), "auth_socket");
        assert_eq!(PeerCredentials::unix_socket().name(), "unix_socket");
    }
}
