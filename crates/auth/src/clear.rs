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
        let Input::Start { .. } = input else { return Err(AuthError::OutOfTurn) };
        if std::mem::replace(&mut self.over, true) {
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
