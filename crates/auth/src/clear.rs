use bytes::BytesMut;

use crate::disclose::put_clear;
use crate::{AuthError, AuthPath, AuthStep, Exchange, Input, Mechanism, Policy};

/// `mysql_clear_password`: the password as it is, for servers that hand it on (LDAP, PAM, IAM tokens).
///
/// | from | bytes |
/// |---|---|
/// | server | anything or nothing; ignored |
/// | client | `password 00` |
///
/// Refused unless the [`Policy`] enables it *and* accepts the channel: [`Policy::clear_password`].
///
/// Page "MySQL Source Code Documentation: Clear text client plugin".
#[derive(Debug, Default)]
pub struct MysqlClearPassword {
    over: bool,
    path: AuthPath,
}

impl MysqlClearPassword {
    /// The plugin's name.
    pub const NAME: &str = "mysql_clear_password";

    /// A mechanism for one exchange.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

impl Mechanism for MysqlClearPassword {
    fn name(&self) -> &str {
        Self::NAME
    }

    fn enabled(&self, policy: &Policy) -> Result<(), AuthError> {
        if policy.cleartext_plugin { Ok(()) } else { Err(AuthError::NotEnabled) }
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
        exchange.policy.clear_password(exchange.channel)?;
        put_clear(exchange.password, out);
        self.path = AuthPath::Clear;
        Ok(AuthStep::Reply { last: true })
    }

    fn path(&self) -> AuthPath {
        self.path
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Channel;
    use crate::testing::{Client, TLS};

    fn client(policy: Policy) -> Client {
        Client::new(MysqlClearPassword::new(), "pw-clear").policy(policy)
    }

    #[test]
    fn enabled_only_by_name() {
        let mechanism = MysqlClearPassword::new();
        let error = mechanism.enabled(&Policy::default()).unwrap_err();
        assert_eq!((error.client_error(), error.to_string()), (2059, "plugin not enabled".into()));
        assert!(mechanism.enabled(&Policy::default().cleartext_plugin(true)).is_ok());
        // An owner who does not ask gets no further.
        assert_eq!(client(Policy::default()).on(TLS).start(), "error 2059: plugin not enabled");
    }

    #[test]
    fn the_challenge_does_not_matter() {
        for challenge in [None, Some(&b""[..]), Some(&[0; 21])] {
            let mut client = client(Policy::default().cleartext_plugin(true)).on(TLS);
            // "pw-clear" 00
            assert_eq!(client.step(Input::Start { challenge }), "send 70772d636c65617200, last");
            assert_eq!(client.path(), AuthPath::Clear);
            assert_eq!(client.packet(b""), "error 2000: the mechanism was called out of turn");
            assert_eq!(client.start(), "error 2000: the mechanism was called out of turn");
        }
    }

    #[test]
    fn not_over_plain_tcp() {
        let policy = Policy::default().cleartext_plugin(true);
        assert_eq!(
            client(policy.clone()).start(),
            "error 2061: the password is not sent in clear over a connection without TLS"
        );
        let mut client = client(policy.cleartext_without_tls(true));
        assert_eq!(client.start(), "send 70772d636c65617200, last");
    }

    #[test]
    fn not_over_tls_that_was_optional() {
        let policy = Policy::default().cleartext_plugin(true).tls_is_optional(true);
        assert_eq!(
            client(policy.clone()).on(TLS).start(),
            "error 2061: the password is not sent in clear over TLS that a man in the middle could have prevented"
        );
        // It has no bearing on a socket.
        assert_eq!(client(policy).on(Channel::UnixSocket).start(), "send 70772d636c65617200, last");
    }

    #[test]
    fn an_empty_password_is_a_terminator() {
        let mut client = Client::new(MysqlClearPassword::new(), "").on(TLS);
        client.policy.cleartext_plugin = true;
        assert_eq!(client.start(), "send 00, last");
    }
}
