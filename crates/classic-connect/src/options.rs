use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

use bytes::BytesMut;
use porpoise_auth::{Policy, Registry, Secret, ServerPublicKey};
use porpoise_classic::CapabilityFlags;
use porpoise_wire::{Limits, Put};

use crate::CompressionAlgorithm;
use crate::compression::Allowed;

/// How many factors an account can have.
pub(crate) const MAX_FACTORS: usize = 3;
/// What the server reads of a user name, in bytes.
const MAX_USER: usize = 96;
/// The client's own bound for all attributes together, in bytes.
const MAX_ATTRIBUTES: usize = 64 << 10;

/// Whether TLS is used. What is verified inside TLS is the transport's concern, not this machine's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum TlsUse {
    /// Never (`ssl-mode=DISABLED`).
    Disabled,
    /// If the server offers it (`ssl-mode=PREFERRED`); not on a Unix socket. A man in the middle can take the
    /// offer away, so this protects against listeners only.
    #[default]
    Preferred,
    /// Always: a server without it is refused, before anything is sent (`ssl-mode=REQUIRED` and above).
    Required,
}

/// The connection's character set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Charset {
    /// `utf8mb4` with the server's default collation for it.
    #[default]
    Default,
    /// A character set or a collation by its name: `latin1`, `utf8mb4_0900_as_cs`.
    Name(Box<str>),
    /// A collation by its id.
    Id(u16),
}

/// What a [`Connector`](crate::Connector) connects with. Built once, shared by any number of connects.
#[derive(Clone)]
pub struct ConnectOptions {
    pub(crate) user: Box<str>,
    pub(crate) passwords: [Secret; MAX_FACTORS],
    pub(crate) asked: [bool; MAX_FACTORS],
    pub(crate) database: Box<str>,
    pub(crate) charset: Charset,
    pub(crate) tls: TlsUse,
    pub(crate) tls_fault: Option<Arc<dyn StdError + Send + Sync>>,
    pub(crate) default_auth: Option<Box<str>>,
    pub(crate) policy: Policy,
    pub(crate) registry: Registry,
    pub(crate) attributes: Box<[u8]>,
    pub(crate) init_commands: Box<[Box<str>]>,
    pub(crate) wanted: CapabilityFlags,
    pub(crate) compression: Allowed,
    pub(crate) max_auth_switches: u8,
    pub(crate) limits: Limits,
}

impl fmt::Debug for ConnectOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectOptions")
            .field("user", &self.user)
            .field("database", &self.database)
            .field("charset", &self.charset)
            .field("tls", &self.tls)
            .field("wanted", &self.wanted)
            .finish_non_exhaustive()
    }
}

impl ConnectOptions {
    /// Starts with MySQL's defaults.
    #[must_use]
    pub fn builder() -> ConnectOptionsBuilder {
        ConnectOptionsBuilder::default()
    }

    /// The user.
    #[must_use]
    pub fn user(&self) -> &str {
        &self.user
    }

    /// The initial database; empty if none.
    #[must_use]
    pub fn database(&self) -> &str {
        &self.database
    }

    /// Whether TLS is used.
    #[must_use]
    pub const fn tls(&self) -> TlsUse {
        self.tls
    }

    /// The limits.
    #[must_use]
    pub const fn limits(&self) -> &Limits {
        &self.limits
    }
}

/// Why options cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OptionsError {
    /// A text that is sent with a terminating 0x00 holds one itself.
    HoldsNul {
        /// The option.
        option: &'static str,
    },
    /// A text is too long.
    TooLong {
        /// The option.
        option: &'static str,
        /// The limit, in bytes.
        limit: usize,
    },
    /// An attribute has no name.
    NamelessAttribute,
    /// An attribute is given twice.
    DuplicateAttribute(String),
    /// A factor other than 1, 2 and 3.
    NoSuchFactor(usize),
    /// The list of compression algorithms is empty; no compression is `uncompressed`.
    NoAlgorithm,
    /// This build lacks a compression algorithm: the feature of its name is not on.
    NotBuiltIn {
        /// The algorithm and the feature.
        algorithm: &'static str,
    },
    /// A compression level that the algorithm does not have.
    NoSuchLevel {
        /// The algorithm.
        algorithm: &'static str,
        /// The highest level; 1 is the lowest.
        max: u8,
    },
}

impl fmt::Display for OptionsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::HoldsNul { option } => write!(f, "{option} holds a 0x00"),
            Self::TooLong { option, limit } => write!(f, "{option} is longer than {limit} bytes"),
            Self::NamelessAttribute => f.write_str("a connection attribute has no name"),
            Self::DuplicateAttribute(name) => write!(f, "the connection attribute {name} is given twice"),
            Self::NoAlgorithm => f.write_str("the list of compression algorithms is empty"),
            Self::NotBuiltIn { algorithm } => {
                write!(f, "this build has no compression by {algorithm}: turn on the feature `{algorithm}`")
            }
            Self::NoSuchLevel { algorithm, max } => {
                write!(f, "a compression level of {algorithm} is a number from 1 to {max}")
            }
            Self::NoSuchFactor(n) => write!(f, "there is no authentication factor {n}, only 1, 2 and 3"),
        }
    }
}

impl StdError for OptionsError {}

/// Builds [`ConnectOptions`].
#[derive(Clone)]
pub struct ConnectOptionsBuilder {
    options: ConnectOptions,
    attributes: Vec<(Box<str>, Box<str>)>,
    init_commands: Vec<Box<str>>,
    fault: Option<OptionsError>,
}

impl fmt::Debug for ConnectOptionsBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.options.fmt(f)
    }
}

/// What is asked for unless it is opted out of; what the server does not offer is dropped.
const fn default_capabilities() -> CapabilityFlags {
    CapabilityFlags::CLIENT_LONG_PASSWORD
        .union(CapabilityFlags::CLIENT_LONG_FLAG)
        // Always told, as the reference does: without it the server answers LOAD DATA LOCAL with an error of its
        // own. Whether a file is ever sent is decided when the server asks for it.
        .union(CapabilityFlags::CLIENT_LOCAL_FILES)
        .union(CapabilityFlags::CLIENT_PROTOCOL_41)
        .union(CapabilityFlags::CLIENT_TRANSACTIONS)
        .union(CapabilityFlags::CLIENT_SECURE_CONNECTION)
        .union(CapabilityFlags::CLIENT_MULTI_RESULTS)
        .union(CapabilityFlags::CLIENT_PS_MULTI_RESULTS)
        .union(CapabilityFlags::CLIENT_PLUGIN_AUTH)
        .union(CapabilityFlags::CLIENT_CONNECT_ATTRS)
        .union(CapabilityFlags::CLIENT_PLUGIN_AUTH_LENENC_CLIENT_DATA)
        .union(CapabilityFlags::CLIENT_SESSION_TRACK)
        .union(CapabilityFlags::CLIENT_DEPRECATE_EOF)
        .union(CapabilityFlags::CLIENT_QUERY_ATTRIBUTES)
        .union(CapabilityFlags::MULTI_FACTOR_AUTHENTICATION)
}

impl Default for ConnectOptionsBuilder {
    fn default() -> Self {
        Self {
            options: ConnectOptions {
                user: Box::default(),
                passwords: Default::default(),
                asked: [false; MAX_FACTORS],
                database: Box::default(),
                charset: Charset::Default,
                tls: TlsUse::Preferred,
                tls_fault: None,
                default_auth: None,
                policy: Policy::default(),
                registry: Registry::default(),
                attributes: Box::default(),
                init_commands: Box::default(),
                wanted: default_capabilities(),
                compression: Allowed::default(),
                max_auth_switches: 1,
                limits: Limits::default(),
            },
            attributes: default_attributes(),
            init_commands: Vec::new(),
            fault: None,
        }
    }
}

/// What the server may show of this client in `performance_schema.session_connect_attrs`.
fn default_attributes() -> Vec<(Box<str>, Box<str>)> {
    [
        ("_client_name", "porpoise".to_owned()),
        ("_client_version", env!("CARGO_PKG_VERSION").to_owned()),
        ("_os", std::env::consts::OS.to_owned()),
        ("_platform", std::env::consts::ARCH.to_owned()),
        ("_pid", std::process::id().to_string()),
    ]
    .map(|(name, value)| (name.into(), value.into()))
    .into()
}

impl ConnectOptionsBuilder {
    /// The user; 96 bytes at most.
    #[must_use]
    pub fn user(mut self, user: &str) -> Self {
        self.options.user = user.into();
        self
    }

    /// The password of the first factor. The empty password is the default.
    #[must_use]
    pub fn password(self, password: impl Into<Secret>) -> Self {
        self.factor_password(1, password)
    }

    /// The password of a factor, 1 to 3.
    #[must_use]
    pub fn factor_password(self, factor: usize, password: impl Into<Secret>) -> Self {
        self.set_password(factor, password.into(), false)
    }

    /// The password of a factor, 1 to 3, is asked for when it is needed: see
    /// [`ConnectEvent::Ask`](crate::ConnectEvent::Ask).
    #[must_use]
    pub fn ask_password(self, factor: usize) -> Self {
        self.set_password(factor, Secret::default(), true)
    }

    fn set_password(mut self, factor: usize, password: Secret, asked: bool) -> Self {
        let index = factor.wrapping_sub(1);
        let options = &mut self.options;
        match (options.passwords.get_mut(index), options.asked.get_mut(index)) {
            (Some(password_slot), Some(asked_slot)) => (*password_slot, *asked_slot) = (password, asked),
            _ => self.fault = Some(OptionsError::NoSuchFactor(factor)),
        }
        self
    }

    /// The initial database.
    #[must_use]
    pub fn database(mut self, database: &str) -> Self {
        self.options.database = database.into();
        self
    }

    /// The character set or collation. Collations above 255 are set by `SET NAMES` after the login.
    #[must_use]
    pub fn charset(mut self, charset: Charset) -> Self {
        self.options.charset = charset;
        self
    }

    /// Whether TLS is used.
    #[must_use]
    pub fn tls(mut self, tls: TlsUse) -> Self {
        self.options.tls = tls;
        self
    }

    /// TLS cannot work with the settings given: a connect that comes to need it ends with this error in
    /// `ESTABLISH_SSL`, before anything is sent.
    #[must_use]
    pub fn tls_fault(mut self, fault: Arc<dyn StdError + Send + Sync>) -> Self {
        self.options.tls_fault = Some(fault);
        self
    }

    /// The plugin to start with, whatever the server's greeting names.
    #[must_use]
    pub fn default_auth(mut self, plugin: &str) -> Self {
        self.options.default_auth = Some(plugin.into());
        self
    }

    /// `mysql_clear_password` may be used, on channels that the [`Policy`] accepts.
    #[must_use]
    pub fn enable_cleartext_plugin(mut self, enable: bool) -> Self {
        self.options.policy.cleartext_plugin = enable;
        self
    }

    /// The server's RSA key, known beforehand.
    #[must_use]
    pub fn server_public_key(mut self, key: ServerPublicKey) -> Self {
        self.options.policy.server_public_key = Some(key);
        self
    }

    /// The server may be asked for its RSA key. A man in the middle can answer with a key of his own and read
    /// the password.
    #[must_use]
    pub fn get_server_public_key(mut self, allow: bool) -> Self {
        self.options.policy.get_server_public_key = allow;
        self
    }

    /// The plugins that are known. All of [`porpoise_auth`] by default.
    #[must_use]
    pub fn registry(mut self, registry: Registry) -> Self {
        self.options.registry = registry;
        self
    }

    /// Adds a connection attribute. Names that start with `_` are MySQL's own.
    #[must_use]
    pub fn attribute(mut self, name: &str, value: &str) -> Self {
        self.attributes.push((name.into(), value.into()));
        self
    }

    /// Drops all attributes given so far, the default ones too.
    #[must_use]
    pub fn clear_attributes(mut self) -> Self {
        self.attributes.clear();
        self
    }

    /// Adds a statement that is run before the connect is complete. Its results are read and dropped, its first
    /// error ends the connect.
    #[must_use]
    pub fn init_command(mut self, sql: &str) -> Self {
        self.init_commands.push(sql.into());
        self
    }

    /// Asks for capabilities that are not asked for by default: `CLIENT_MULTI_STATEMENTS`, `CLIENT_FOUND_ROWS`,
    /// `CLIENT_INTERACTIVE`, `CLIENT_IGNORE_SPACE`, `CLIENT_CAN_HANDLE_EXPIRED_PASSWORDS`,
    /// `CLIENT_OPTIONAL_RESULTSET_METADATA`. Those that say how packets are framed are not the caller's.
    #[must_use]
    pub fn with(mut self, capabilities: CapabilityFlags) -> Self {
        let askable = CapabilityFlags::CLIENT_MULTI_STATEMENTS
            .union(CapabilityFlags::CLIENT_FOUND_ROWS)
            .union(CapabilityFlags::CLIENT_INTERACTIVE)
            .union(CapabilityFlags::CLIENT_IGNORE_SPACE)
            .union(CapabilityFlags::CLIENT_NO_SCHEMA)
            .union(CapabilityFlags::CLIENT_CAN_HANDLE_EXPIRED_PASSWORDS)
            .union(CapabilityFlags::CLIENT_OPTIONAL_RESULTSET_METADATA)
            .union(default_capabilities());
        self.options.wanted = self.options.wanted.union(capabilities.intersection(askable));
        self
    }

    /// Does not ask for capabilities that are asked for by default. `CLIENT_PROTOCOL_41` cannot be left out.
    #[must_use]
    pub fn without(mut self, capabilities: CapabilityFlags) -> Self {
        let needed = CapabilityFlags::CLIENT_PROTOCOL_41;
        self.options.wanted = self.options.wanted.difference(capabilities.difference(needed));
        self
    }

    /// The compression algorithms that may be used; only `uncompressed` by default. The first that the server knows
    /// of zlib, zstd and uncompressed is taken, whatever their order here. A server that knows none of them ends the
    /// connect with `CR_COMPRESSION_WRONGLY_CONFIGURED`, before anything is sent.
    ///
    /// Compression and secrets in the same packets do not go together: who sees the lengths of compressed packets,
    /// even encrypted ones, and has a say in what is in them, can guess the rest.
    #[must_use]
    pub fn compression_algorithms(mut self, algorithms: &[CompressionAlgorithm]) -> Self {
        self.options.compression.algorithms = algorithms.into();
        self
    }

    /// How hard zstd tries, 1 to 22; 3 by default. The server is told, and uses the same.
    #[must_use]
    pub fn zstd_compression_level(mut self, level: u8) -> Self {
        self.options.compression.zstd_level = Some(level);
        self
    }

    /// How hard this side's zlib tries, 1 to 9; 6 by default. The server is not told.
    #[must_use]
    pub fn zlib_compression_level(mut self, level: u8) -> Self {
        self.options.compression.zlib_level = Some(level);
        self
    }

    /// The largest packet in bytes: told to the server, and the limit for what is received.
    #[must_use]
    pub fn max_allowed_packet(mut self, bytes: u32) -> Self {
        self.options.limits.max_packet = bytes as usize;
        self
    }

    /// What the server may make this side hold.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.options.limits = limits;
        self
    }

    /// How many AuthSwitchRequests a login may have. One is what MySQL sends; MariaDB accounts with several
    /// plugins (`VIA a OR b`) may need more.
    #[must_use]
    pub fn max_auth_switches(mut self, switches: u8) -> Self {
        self.options.max_auth_switches = switches;
        self
    }

    /// Checks the options.
    ///
    /// # Errors
    /// [`OptionsError`] says which option cannot be used.
    pub fn build(self) -> Result<ConnectOptions, OptionsError> {
        let mut options = self.options;
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        if options.user.len() > MAX_USER {
            return Err(OptionsError::TooLong { option: "user", limit: MAX_USER });
        }
        for (option, text) in [("user", &options.user), ("database", &options.database)] {
            if text.contains('\0') {
                return Err(OptionsError::HoldsNul { option });
            }
        }
        options.attributes = encode_attributes(&self.attributes)?;
        options.compression.check()?;
        options.wanted |= options.compression.wanted();
        options.init_commands = self.init_commands.into();
        options.policy.tls_is_optional = options.tls == TlsUse::Preferred;
        if !options.database.is_empty() {
            options.wanted |= CapabilityFlags::CLIENT_CONNECT_WITH_DB;
        }
        if options.tls != TlsUse::Disabled {
            options.wanted |= CapabilityFlags::CLIENT_SSL;
        }
        Ok(options)
    }
}

fn encode_attributes(attributes: &[(Box<str>, Box<str>)]) -> Result<Box<[u8]>, OptionsError> {
    let mut buf = BytesMut::new();
    for (i, (name, value)) in attributes.iter().enumerate() {
        if name.is_empty() {
            return Err(OptionsError::NamelessAttribute);
        }
        if attributes.iter().skip(i + 1).any(|(other, _)| other == name) {
            return Err(OptionsError::DuplicateAttribute(name.to_string()));
        }
        buf.put_lenenc_bytes(name.as_bytes());
        buf.put_lenenc_bytes(value.as_bytes());
    }
    if buf.len() > MAX_ATTRIBUTES {
        return Err(OptionsError::TooLong { option: "connection-attributes", limit: MAX_ATTRIBUTES });
    }
    Ok(buf[..].into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn builder() -> ConnectOptionsBuilder {
        ConnectOptions::builder()
    }

    #[test]
    fn what_cannot_be_sent_is_refused() {
        let fault = |b: ConnectOptionsBuilder| b.build().unwrap_err();
        assert_eq!(fault(builder().user("a\0b")), OptionsError::HoldsNul { option: "user" });
        assert_eq!(fault(builder().database("a\0b")), OptionsError::HoldsNul { option: "database" });
        assert_eq!(
            fault(builder().user(&"u".repeat(97))),
            OptionsError::TooLong { option: "user", limit: 96 }
        );
        assert_eq!(fault(builder().attribute("", "x")), OptionsError::NamelessAttribute);
        assert_eq!(fault(builder().factor_password(4, "x")), OptionsError::NoSuchFactor(4));
        let twice = builder().attribute("k", "1").attribute("k", "2");
        assert_eq!(fault(twice), OptionsError::DuplicateAttribute("k".to_owned()));
        let long = builder().attribute("k", &"v".repeat(65_536));
        assert_eq!(fault(long), OptionsError::TooLong { option: "connection-attributes", limit: 65_536 });
    }

    #[test]
    fn framing_is_not_the_callers() {
        let options = builder()
            .with(CapabilityFlags::CLIENT_COMPRESS | CapabilityFlags::CLIENT_FOUND_ROWS)
            .without(CapabilityFlags::CLIENT_PROTOCOL_41 | CapabilityFlags::CLIENT_DEPRECATE_EOF)
            .build()
            .unwrap();
        assert!(
            options.wanted.contains(CapabilityFlags::CLIENT_FOUND_ROWS | CapabilityFlags::CLIENT_PROTOCOL_41)
        );
        assert!(
            !options
                .wanted
                .intersects(CapabilityFlags::CLIENT_COMPRESS | CapabilityFlags::CLIENT_DEPRECATE_EOF)
        );
    }

    #[test]
    fn debug_has_no_secret() {
        let options = builder().user("u").password("open sesame").build().unwrap();
        assert!(!format!("{options:?}").contains("sesame"));
    }
}
