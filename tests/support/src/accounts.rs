//! The accounts that the set-up SQL (`tests/sql`) makes.

use anyhow::{Context as _, Result};

use crate::read;

/// An account of a MySQL server.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Account {
    /// Its name.
    pub user: String,
    /// Its password.
    pub password: String,
    /// Whether the password has expired, so that a login with it can change it.
    pub expired: bool,
}

impl Account {
    /// All of them that have a password.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn all() -> Result<Vec<Self>> {
        Ok(read("tests/sql/setup.sql")?.lines().filter_map(Self::parse).collect())
    }

    /// The account of that name.
    ///
    /// # Errors
    /// The set-up makes none of that name with a password.
    pub fn named(user: &str) -> Result<Self> {
        let mut all = Self::all()?.into_iter();
        all.find(|account| account.user == user)
            .with_context(|| format!("the set-up makes no account {user}"))
    }

    /// `CREATE USER name IDENTIFIED WITH plugin BY 'password' ...`
    fn parse(line: &str) -> Option<Self> {
        let (user, rest) = line.strip_prefix("CREATE USER ")?.split_once(' ')?;
        let (_, rest) = rest.split_once(" BY '")?;
        let (password, rest) = rest.split_once('\'')?;
        Some(Self { user: user.into(), password: password.into(), expired: rest.contains("PASSWORD EXPIRE") })
    }

    /// Statements that make the account again what a login may have changed; empty if none can.
    #[must_use]
    pub fn restored(&self) -> String {
        let Self { user, password, expired } = self;
        if *expired {
            format!("ALTER USER {user} IDENTIFIED BY '{password}' PASSWORD EXPIRE;")
        } else {
            String::new()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Account;

    #[test]
    fn the_set_up_is_understood() {
        let all = Account::all().unwrap();
        assert!(all.len() > 8);
        assert_eq!(Account::named("s256").unwrap().password, "pw-256");
        assert_eq!(Account::named("sha2empty").unwrap().password, "");
        assert!(Account::named("sockuser").is_err());
        let expired: Vec<_> = all.iter().filter(|account| account.expired).collect();
        assert_eq!(expired.len(), 1);
        assert_eq!(expired[0].restored(), "ALTER USER sha2expired IDENTIFIED BY 'pw-sha2' PASSWORD EXPIRE;");
    }
}
