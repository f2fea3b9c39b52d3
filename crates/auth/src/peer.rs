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
}

impl PeerCredentials {
    /// MySQL's name of it.
    pub const AUTH_SOCKET: &str = "auth_socket";
    /// MariaDB's name of it.
    pub const UNIX_SOCKET: &str = "unix_socket";

    /// MySQL's `auth_socket`, for one exchange.
    #[must_use]
    pub const fn auth_socket() -> Self {
        Self { name: Self::AUTH_SOCKET, over: false }
    }

    /// MariaDB's `unix_socket`, for one exchange.
    #[must_use]
    pub const fn unix_socket() -> Self {
        Self { name: Self::UNIX_SOCKET, over: false }
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
        match input {
            Input::Start { .. } if !std::mem::replace(&mut self.over, true) => {
                Ok(AuthStep::Reply { last: true })
            }
            _ => Err(AuthError::OutOfTurn),
        }
    }

    fn path(&self) -> AuthPath {
        if self.over { AuthPath::Peer } else { AuthPath::Unknown }
    }
}
