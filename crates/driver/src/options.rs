use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use porpoise_classic_connect::{
    CompressionAlgorithm, ConnectOptions, ConnectOptionsBuilder, ConnectStage, OptionsError, TlsUse,
};
use porpoise_trace::Subscriber;
use porpoise_transport::{SslMode, TlsClient, TlsOptions};

use crate::Responder;
use crate::session_options::SessionOptions;
use crate::socket::{Keepalive, SocketOptions};

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
    pub(crate) target: Target,
    pub(crate) address: Option<IpAddr>,
    pub(crate) connect: Arc<ConnectOptions>,
    tls: Option<TlsClient>,
    pub(crate) socket: SocketOptions,
    pub(crate) connect_timeout: Option<Duration>,
    pub(crate) stage_timeouts: Vec<(ConnectStage, Duration)>,
    pub(crate) subscribers: Vec<Arc<dyn Subscriber>>,
    pub(crate) responder: Option<Arc<dyn Responder>>,
    pub(crate) flight_record: bool,
    pub(crate) session: SessionOptions,
    /// Shared by the clones: see [`OptionsBuilder::pipelining`].
    pipelining: Arc<AtomicBool>,
    local_infile: bool,
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("target", &self.target)
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
        &self.target
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

    pub(crate) const fn tls_client(&self) -> Option<&TlsClient> {
        self.tls.as_ref()
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
        if let (Some(found), Target::Tcp { port, .. }) = (address, &mut options.target) {
            options.address = Some(found.ip());
            *port = found.port();
        }
        options
    }

    /// The name that a certificate is checked against.
    pub(crate) fn tls_name(&self) -> &str {
        match &self.target {
            Target::Tcp { host, .. } => host,
            Target::Unix(_) => "localhost",
        }
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
    host: String,
    port: u16,
    socket_path: Option<PathBuf>,
    connect: ConnectOptionsBuilder,
    tls: TlsOptions,
    socket: SocketOptions,
    connect_timeout: Option<Duration>,
    stage_timeouts: Vec<(ConnectStage, Duration)>,
    subscribers: Vec<Arc<dyn Subscriber>>,
    responder: Option<Arc<dyn Responder>>,
    flight_record: bool,
    pub(crate) session: SessionOptions,
    pipelining: bool,
    local_infile: bool,
}

impl fmt::Debug for OptionsBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OptionsBuilder")
            .field("host", &self.host)
            .field("port", &self.port)
            .finish_non_exhaustive()
    }
}

impl Default for OptionsBuilder {
    fn default() -> Self {
        Self {
            host: "localhost".to_owned(),
            port: DEFAULT_PORT,
            socket_path: None,
            connect: ConnectOptions::builder(),
            tls: TlsOptions::default(),
            socket: SocketOptions::default(),
            connect_timeout: None,
            stage_timeouts: Vec::new(),
            subscribers: Vec::new(),
            responder: None,
            flight_record: false,
            session: SessionOptions::default(),
            pipelining: true,
            local_infile: false,
        }
    }
}

impl OptionsBuilder {
    /// The server's host: a name or an address literal.
    #[must_use]
    pub fn host(mut self, host: &str) -> Self {
        self.host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        self
    }

    /// The server's port.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// A Unix socket instead of TCP.
    #[must_use]
    pub fn unix_socket(mut self, path: impl AsRef<Path>) -> Self {
        self.socket_path = Some(path.as_ref().to_owned());
        self
    }

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

    /// Changes the TLS options.
    #[must_use]
    pub fn tls(mut self, change: impl FnOnce(&mut TlsOptions)) -> Self {
        change(&mut self.tls);
        self
    }

    /// Whether TLS is used, and what is checked in it.
    #[must_use]
    pub fn ssl_mode(self, mode: SslMode) -> Self {
        self.tls(|tls| tls.mode = mode)
    }

    /// How long the whole connect may take, name lookup included. No limit by default, as in MySQL's library.
    #[must_use]
    pub fn connect_timeout(mut self, limit: Duration) -> Self {
        self.connect_timeout = (!limit.is_zero()).then_some(limit);
        self
    }

    /// How long one stage may take.
    #[must_use]
    pub fn stage_timeout(mut self, stage: ConnectStage, limit: Duration) -> Self {
        self.stage_timeouts.retain(|(other, _)| *other != stage);
        self.stage_timeouts.push((stage, limit));
        self
    }

    /// Whether small packets leave at once (TCP_NODELAY); on by default.
    #[must_use]
    pub fn tcp_nodelay(mut self, on: bool) -> Self {
        self.socket.nodelay = on;
        self
    }

    /// After how much silence the operating system probes the connection, or `None` for never. Without a word of
    /// this it does so after its own time, commonly two hours.
    #[must_use]
    pub fn tcp_keepalive(mut self, idle: Option<Duration>) -> Self {
        self.socket.keepalive = idle.map_or(Keepalive::Off, Keepalive::After);
        self
    }

    /// A local address to connect from. Given several times, the first of the server's family that can be bound.
    #[must_use]
    pub fn bind_address(mut self, address: IpAddr) -> Self {
        self.socket.bind.push(address);
        self
    }

    /// Traces every connection made with these options.
    #[must_use]
    pub fn subscriber(mut self, subscriber: Arc<dyn Subscriber>) -> Self {
        self.subscribers.push(subscriber);
        self
    }

    /// Answers what logins ask.
    #[must_use]
    pub fn responder(mut self, responder: Arc<dyn Responder>) -> Self {
        self.responder = Some(responder);
        self
    }

    /// Keeps a [`FlightRecord`](crate::FlightRecord) of each connect.
    #[must_use]
    pub fn flight_record(mut self, on: bool) -> Self {
        self.flight_record = on;
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
        let tracking = self.session.tracking();
        let connect = tracking.iter().fold(self.connect, |connect, sql| connect.init_command(sql));
        let mut connect = connect.tls(match self.tls.mode {
            SslMode::Disabled => TlsUse::Disabled,
            SslMode::Preferred => TlsUse::Preferred,
            _ => TlsUse::Required,
        });
        let tls = match self.tls.mode {
            SslMode::Disabled => None,
            _ => match TlsClient::new(&self.tls) {
                Ok(client) => Some(client),
                Err(error) => {
                    connect = connect.tls_fault(Arc::new(error));
                    None
                }
            },
        };
        let target = match self.socket_path {
            Some(path) => Target::Unix(path),
            None => Target::Tcp { host: self.host, port: self.port },
        };
        let address = match &target {
            Target::Tcp { host, .. } => host.parse().ok(),
            Target::Unix(_) => None,
        };
        Ok(Options {
            address,
            target,
            connect: Arc::new(connect.build()?),
            tls,
            socket: self.socket,
            connect_timeout: self.connect_timeout,
            stage_timeouts: self.stage_timeouts,
            subscribers: self.subscribers,
            responder: self.responder,
            flight_record: self.flight_record,
            session: self.session,
            pipelining: Arc::new(AtomicBool::new(self.pipelining)),
            local_infile: self.local_infile,
        })
    }
}
