use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use porpoise_transport::SslMode;
use porpoise_xproto::connect::{Auth, ConnectOptions, Use};

use crate::endpoint::{Endpoint, EndpointBuilder, endpoint_setters};
use crate::url::{set, with_url};
use crate::{Target, UrlError};

/// X Plugin's port.
const DEFAULT_PORT: u16 = 33060;
/// How long a connect may take unless something else is said.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Where to connect and how. Built once, shared by any number of connects; TLS sessions are resumed among them.
#[derive(Clone)]
pub struct Options {
    pub(crate) endpoint: Endpoint,
    pub(super) connect: Arc<ConnectOptions>,
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("target", self.target())
            .field("connect", &self.connect)
            .finish_non_exhaustive()
    }
}

impl Options {
    /// Starts with TCP to `localhost`, port 33060, TLS if the server offers it.
    #[must_use]
    pub fn builder() -> OptionsBuilder {
        OptionsBuilder::default()
    }

    /// Reads `mysqlx://user:password@host:port/schema?ssl-mode=REQUIRED&...`: see [`OptionsBuilder::from_url`].
    ///
    /// # Errors
    /// [`UrlError`].
    pub fn from_url(url: &str) -> Result<Self, UrlError> {
        OptionsBuilder::from_url(url).map(OptionsBuilder::build)
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

    /// The same server, found at this address.
    pub(super) fn at_address(&self, address: Option<SocketAddr>) -> Self {
        let mut options = self.clone();
        options.endpoint.set_address(address);
        options
    }
}

/// Builds [`Options`].
#[derive(Clone)]
pub struct OptionsBuilder {
    pub(crate) endpoint: EndpointBuilder,
    pub(crate) connect: ConnectOptions,
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
            endpoint: EndpointBuilder::new(DEFAULT_PORT, Some(CONNECT_TIMEOUT)),
            connect: ConnectOptions::default(),
        }
    }
}

impl OptionsBuilder {
    endpoint_setters!();

    /// Reads `mysqlx://user:password@host:port/schema?key=value&...`, or `mysqlx://user@/schema?socket=PATH`.
    ///
    /// The grammar is that of [`mysql://`](crate::OptionsBuilder::from_url). Keys are [`UrlKey::X`](crate::UrlKey::X) and
    /// those of both protocols.
    ///
    /// # Errors
    /// [`UrlError`] says what cannot be read; it never shows a password.
    pub fn from_url(url: &str) -> Result<Self, UrlError> {
        Self::default().with_url(url)
    }

    /// As [`from_url`](Self::from_url), on top of what is set already: what the URL leaves out, its user excepted, stays.
    ///
    /// # Errors
    /// [`UrlError`].
    pub fn with_url(self, url: &str) -> Result<Self, UrlError> {
        with_url(self, url)
    }

    /// Sets what one key of a URL sets; `value` is not percent-encoded. A list grows.
    ///
    /// # Errors
    /// [`UrlError`].
    pub fn set(self, key: &str, value: &str) -> Result<Self, UrlError> {
        set(self, key, value)
    }

    /// Changes the protocol's options: user, password, schema, mechanism, compression, attributes, limits. TLS is set by
    /// [`tls`](Self::tls).
    #[must_use]
    pub fn connect(mut self, change: impl FnOnce(&mut ConnectOptions)) -> Self {
        change(&mut self.connect);
        self
    }

    /// The user.
    #[must_use]
    pub fn user(self, user: &str) -> Self {
        self.connect(|connect| user.clone_into(&mut connect.user))
    }

    /// The password.
    #[must_use]
    pub fn password(self, password: impl Into<porpoise_auth::Secret>) -> Self {
        self.connect(|connect| connect.password = password.into())
    }

    /// The default schema.
    #[must_use]
    pub fn schema(self, schema: &str) -> Self {
        self.connect(|connect| schema.clone_into(&mut connect.schema))
    }

    /// How to log in.
    #[must_use]
    pub fn auth(self, auth: Auth) -> Self {
        self.connect(|connect| connect.auth = auth)
    }

    /// Whether messages are compressed; not by default.
    #[must_use]
    pub fn compression(self, compression: Use) -> Self {
        self.connect(|connect| connect.compression = compression)
    }

    /// How long the whole connect may take, name lookup included; 10 s unless told otherwise, no limit if zero.
    #[must_use]
    pub fn connect_timeout(mut self, limit: Duration) -> Self {
        self.set_connect_timeout(limit);
        self
    }

    pub(crate) fn set_connect_timeout(&mut self, limit: Duration) {
        self.endpoint.connect_timeout = (!limit.is_zero()).then_some(limit);
    }

    /// How long one operation may take; see [`Session::set_timeout`](super::Session::set_timeout). No limit by default, or
    /// if zero.
    #[must_use]
    pub fn operation_timeout(mut self, limit: Duration) -> Self {
        self.endpoint.session.operation_timeout = (!limit.is_zero()).then_some(limit);
        self
    }

    /// How many statements each session keeps prepared; 64 unless told otherwise, none if 0.
    #[must_use]
    pub fn statement_cache(mut self, size: usize) -> Self {
        self.endpoint.session.statement_cache = size;
        self
    }

    /// The options. TLS settings that cannot work do not fail here but in the connect that comes to need them, before
    /// anything is sent.
    #[must_use]
    pub fn build(self) -> Options {
        let mut connect = self.connect;
        connect.tls = match self.endpoint.tls.mode {
            SslMode::Disabled => Use::Disabled,
            SslMode::Preferred => Use::Preferred,
            _ => Use::Required,
        };
        let (endpoint, fault) = self.endpoint.build();
        connect.tls_fault = fault.map(|fault| Arc::new(fault) as _);
        Options { endpoint, connect: Arc::new(connect) }
    }
}
