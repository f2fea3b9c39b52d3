use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use porpoise_classic_connect::{
    CompressionAlgorithm, ConnectOptions, ConnectOptionsBuilder, ConnectStage, OptionsError, TlsUse,
};
use porpoise_transport::SslMode;

use crate::endpoint::{Endpoint, EndpointBuilder, endpoint_setters};

/// The classic protocol's port.
const DEFAULT_PORT: u16 = 3306;

/// Where to connect.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Target {
    /// TCP.
    Tcp {
        /// A name or an address literal.
        host: String,
        /// The port.
        port: u16,
    },
    /// A Unix socket.
    Unix(PathBuf),
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "{host}:{port}"),
            Self::Unix(path) => write!(f, "{}", path.display()),
        }
    }
}

/// Where to connect and how. Built once, shared by any number of connects; TLS sessions are resumed among them.
#[derive(Clone)]
pub struct Options {
    pub(crate) endpoint: Endpoint,
    pub(crate) connect: Arc<ConnectOptions>,
    pub(crate) stage_timeouts: Vec<(ConnectStage, Duration)>,
    /// Shared by the clones: see [`OptionsBuilder::pipelining`].
    pipelining: Arc<AtomicBool>,
    local_infile: bool,
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("target", &self.endpoint.target)
            .field("connect", &self.connect)
            .finish_non_exhaustive()
    }
}

impl Options {
    /// Starts with MySQL's defaults: TCP to `localhost`, TLS if the server offers it.
    #[must_use]
    pub fn builder() -> OptionsBuilder {
        OptionsBuilder::default()
    }

    /// Reads `mysql://user:password@host:port/database?ssl-mode=REQUIRED&...`; the keys are MySQL's long option
    /// names.
    ///
    /// # Errors
    /// [`ConfigError::Url`] says what cannot be read, and suggests the nearest key for an unknown one.
    pub fn from_url(url: &str) -> Result<Self, ConfigError> {
        OptionsBuilder::from_url(url)?.build()
    }

    /// Where to connect.
    #[must_use]
    pub const fn target(&self) -> &Target {
        &self.endpoint.target
    }

    /// The protocol's part of the options.
    #[must_use]
    pub const fn connect(&self) -> &Arc<ConnectOptions> {
        &self.connect
    }

    /// Whether files may be sent to the server. Each statement has to allow it as well:
    /// [`Session::allow_infile`](porpoise_classic::Session::allow_infile).
    #[must_use]
    pub const fn local_infile(&self) -> bool {
        self.local_infile
    }

    /// Whether commands are sent before the replies to earlier ones were read.
    #[must_use]
    pub fn is_pipelining(&self) -> bool {
        self.pipelining.load(Ordering::Relaxed)
    }

    /// Something between here and the server mixes replies up.
    pub(crate) fn stop_pipelining(&self) {
        self.pipelining.store(false, Ordering::Relaxed);
    }

    /// The same server, found at this address.
    pub(crate) fn at_address(&self, address: Option<SocketAddr>) -> Self {
        let mut options = self.clone();
        options.endpoint.set_address(address);
        options
    }
}

/// Why options cannot be used.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ConfigError {
    /// The URL cannot be read.
    Url(crate::UrlError),
    /// A protocol option cannot be used.
    Options(OptionsError),
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url(error) => error.fmt(f),
            Self::Options(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ConfigError {}

impl From<OptionsError> for ConfigError {
    fn from(error: OptionsError) -> Self {
        Self::Options(error)
    }
}

/// Builds [`Options`].
#[derive(Clone)]
pub struct OptionsBuilder {
    pub(crate) endpoint: EndpointBuilder,
    connect: ConnectOptionsBuilder,
    stage_timeouts: Vec<(ConnectStage, Duration)>,
    pipelining: bool,
    local_infile: bool,
}

impl fmt::Debug for OptionsBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OptionsBuilder")
            .field("host", &self.endpoint.host)
            .field("port", &self.endpoint.port)
            .finish_non_exhaustive()
    }
}

impl Default for OptionsBuilder {
    fn default() -> Self {
        Self {
            endpoint: EndpointBuilder::new(DEFAULT_PORT, None),
            connect: ConnectOptions::builder(),
            stage_timeouts: Vec::new(),
            pipelining: true,
            local_infile: false,
        }
    }
}

impl OptionsBuilder {
    endpoint_setters!();

    /// Changes the protocol's options: user, password, database, character set, plugins, init commands.
    #[must_use]
    pub fn connect(mut self, change: impl FnOnce(ConnectOptionsBuilder) -> ConnectOptionsBuilder) -> Self {
        self.connect = change(self.connect);
        self
    }

    /// The user.
    #[must_use]
    pub fn user(self, user: &str) -> Self {
        self.connect(|connect| connect.user(user))
    }

    /// The password.
    #[must_use]
    pub fn password(self, password: impl Into<porpoise_auth::Secret>) -> Self {
        self.connect(|connect| connect.password(password))
    }

    /// The initial database.
    #[must_use]
    pub fn database(self, database: &str) -> Self {
        self.connect(|connect| connect.database(database))
    }

    /// The compression algorithms that may be used; only `uncompressed` by default. The first that the server knows
    /// of zlib, zstd and uncompressed is taken, whatever their order here.
    ///
    /// zlib and zstd are features: [`build`](Self::build) fails without them.
    #[must_use]
    pub fn compression_algorithms(self, algorithms: &[CompressionAlgorithm]) -> Self {
        self.connect(|connect| connect.compression_algorithms(algorithms))
    }

    /// How hard zstd tries, 1 to 22; 3 by default.
    #[must_use]
    pub fn zstd_compression_level(self, level: u8) -> Self {
        self.connect(|connect| connect.zstd_compression_level(level))
    }

    /// How long the whole connect may take, name lookup included. No limit by default, as in MySQL's library.
    #[must_use]
    pub fn connect_timeout(mut self, limit: Duration) -> Self {
        self.endpoint.connect_timeout = (!limit.is_zero()).then_some(limit);
        self
    }

    /// How long one stage may take.
    #[must_use]
    pub fn stage_timeout(mut self, stage: ConnectStage, limit: Duration) -> Self {
        self.stage_timeouts.retain(|(other, _)| *other != stage);
        self.stage_timeouts.push((stage, limit));
        self
    }

    /// Whether commands may be sent before the replies to earlier ones were read: those of a
    /// [`Pipeline`](crate::Pipeline) and of [`exec_batch`](crate::Client::exec_batch). On by default.
    ///
    /// A proxy that cannot do with that shows itself by replies that are out of order. The connection where that happens ends
    /// with [`Error::Pipelined`](crate::Error::Pipelined), and from then on it is off for all connections made from the same
    /// [`Options`] and their clones.
    #[must_use]
    pub fn pipelining(mut self, on: bool) -> Self {
        self.pipelining = on;
        self
    }

    /// Whether files may be sent to the server, for [`Options::local_infile`]; off by default.
    #[must_use]
    pub const fn local_infile(mut self, on: bool) -> Self {
        self.local_infile = on;
        self
    }

    /// Checks the options and reads the files they name.
    ///
    /// TLS settings that cannot work do not fail here but in the connect that comes to need them, in
    /// ESTABLISH_SSL and before anything is sent: with `PREFERRED`, a server without TLS needs none.
    ///
    /// # Errors
    /// [`ConfigError::Options`].
    pub fn build(self) -> Result<Options, ConfigError> {
        let tracking = self.endpoint.session.tracking();
        let connect = tracking.iter().fold(self.connect, |connect, sql| connect.init_command(sql));
        let mut connect = connect.tls(match self.endpoint.tls.mode {
            SslMode::Disabled => TlsUse::Disabled,
            SslMode::Preferred => TlsUse::Preferred,
            _ => TlsUse::Required,
        });
        let (endpoint, fault) = self.endpoint.build();
        if let Some(fault) = fault {
            connect = connect.tls_fault(Arc::new(fault));
        }
        Ok(Options {
            endpoint,
            connect: Arc::new(connect.build()?),
            stage_timeouts: self.stage_timeouts,
            pipelining: Arc::new(AtomicBool::new(self.pipelining)),
            local_infile: self.local_infile,
        })
    }
}
