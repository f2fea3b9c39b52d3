use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

use porpoise_auth::{Policy, Registry, SaslExternal, SaslMysql41, SaslPlain, SaslSha256Memory, Secret};
use porpoise_wire::Limits;

use crate::Algorithm;

/// Whether something is used that the server may not have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Use {
    /// Never.
    #[default]
    Disabled,
    /// If the server has it.
    Preferred,
    /// Or the connect fails.
    Required,
}

/// What the connection travels through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Transport {
    /// TCP.
    Tcp,
    /// A Unix socket: TLS is used there only if it is required.
    Unix,
}

/// How to log in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Auth {
    /// PLAIN where nobody reads it, else SHA256_MEMORY, and then MYSQL41 if the server lists it.
    #[default]
    Auto,
    /// `PLAIN`; refused on a channel that others can read.
    Plain,
    /// `MYSQL41`.
    Mysql41,
    /// `SHA256_MEMORY`.
    Sha256Memory,
    /// `EXTERNAL`.
    External,
    /// Another mechanism of the [registry](ConnectOptions::registry).
    Other(Box<str>),
}

impl Auth {
    /// The mechanism's name.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        Some(match self {
            Self::Auto => return None,
            Self::Plain => SaslPlain::NAME,
            Self::Mysql41 => SaslMysql41::NAME,
            Self::Sha256Memory => SaslSha256Memory::NAME,
            Self::External => SaslExternal::NAME,
            Self::Other(name) => name,
        })
    }
}

/// What a connect is to do. The default logs in as nobody, without a password, and uses TLS if the server has it.
#[derive(Clone)]
#[non_exhaustive]
pub struct ConnectOptions {
    /// Who logs in.
    pub user: String,
    /// The password; empty for none.
    pub password: Secret,
    /// The default schema; empty for none.
    pub schema: String,
    /// How to log in.
    pub auth: Auth,
    /// TLS.
    pub tls: Use,
    /// Why TLS cannot be used: the connect fails with it, before anything is sent, if it comes to need TLS.
    pub tls_fault: Option<Arc<dyn StdError + Send + Sync>>,
    /// Compression.
    pub compression: Use,
    /// The algorithms to ask for, one after the other.
    pub compression_algorithms: Vec<Algorithm>,
    /// The level to ask for; the server's own by default.
    pub compression_level: Option<i32>,
    /// Writes of at least this many bytes are compressed.
    pub compression_threshold: usize,
    /// Connection attributes (`session_connect_attrs`). Sent inside TLS if there is any.
    pub attributes: Vec<(String, String)>,
    /// `client.interactive`: the server waits as long as for people.
    pub interactive: bool,
    /// `client.pwd_expire_ok`: an expired password lets in, to set a new one.
    pub expired_password_ok: bool,
    /// What may be sent on which channel.
    pub policy: Policy,
    /// The mechanisms.
    pub registry: Registry,
    /// What the server may make this side hold.
    pub limits: Limits,
}

impl Default for ConnectOptions {
    fn default() -> Self {
        Self {
            user: String::new(),
            password: Secret::default(),
            schema: String::new(),
            auth: Auth::Auto,
            tls: Use::Preferred,
            tls_fault: None,
            compression: Use::Disabled,
            compression_algorithms: Algorithm::ALL.into_iter().filter(|known| known.is_built()).collect(),
            compression_level: None,
            compression_threshold: 1000,
            attributes: Vec::new(),
            interactive: false,
            expired_password_ok: false,
            policy: Policy::default(),
            registry: Registry::sasl(),
            limits: Limits::default(),
        }
    }
}

impl ConnectOptions {
    /// The default for a user and a password.
    #[must_use]
    pub fn new(user: impl Into<String>, password: impl Into<Secret>) -> Self {
        Self { user: user.into(), password: password.into(), ..Self::default() }
    }
}

impl fmt::Debug for ConnectOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectOptions")
            .field("user", &self.user)
            .field("schema", &self.schema)
            .field("auth", &self.auth)
            .field("tls", &self.tls)
            .field("compression", &self.compression)
            .finish_non_exhaustive()
    }
}
