//! Where to connect, and what is the same there for both protocols.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use porpoise_trace::Subscriber;
use porpoise_transport::{SslMode, TlsClient, TlsError, TlsOptions};

use crate::session_options::SessionOptions;
use crate::socket::SocketOptions;
use crate::{Responder, Target};

/// The part of options that no protocol has to do with.
#[derive(Clone)]
pub(crate) struct Endpoint {
    pub(crate) target: Target,
    /// The target's, if it is a literal or was found before.
    pub(crate) address: Option<IpAddr>,
    tls: Option<TlsClient>,
    pub(crate) socket: SocketOptions,
    pub(crate) connect_timeout: Option<Duration>,
    pub(crate) subscribers: Vec<Arc<dyn Subscriber>>,
    pub(crate) responder: Option<Arc<dyn Responder>>,
    pub(crate) flight_record: bool,
    pub(crate) session: SessionOptions,
}

impl Endpoint {
    pub(crate) const fn tls_client(&self) -> Option<&TlsClient> {
        self.tls.as_ref()
    }

    /// The name that a certificate is checked against.
    pub(crate) fn tls_name(&self) -> &str {
        match &self.target {
            Target::Tcp { host, .. } => host,
            Target::Unix(_) => "localhost",
        }
    }

    /// From now on the same server, found at this address.
    pub(crate) fn set_address(&mut self, address: Option<SocketAddr>) {
        if let (Some(found), Target::Tcp { port, .. }) = (address, &mut self.target) {
            self.address = Some(found.ip());
            *port = found.port();
        }
    }
}

/// Builds an [`Endpoint`].
#[derive(Clone)]
pub(crate) struct EndpointBuilder {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) socket_path: Option<PathBuf>,
    pub(crate) tls: TlsOptions,
    pub(crate) socket: SocketOptions,
    pub(crate) connect_timeout: Option<Duration>,
    pub(crate) subscribers: Vec<Arc<dyn Subscriber>>,
    pub(crate) responder: Option<Arc<dyn Responder>>,
    pub(crate) flight_record: bool,
    pub(crate) session: SessionOptions,
}

impl EndpointBuilder {
    pub(crate) fn new(port: u16, connect_timeout: Option<Duration>) -> Self {
        Self {
            host: "localhost".to_owned(),
            port,
            socket_path: None,
            tls: TlsOptions::default(),
            socket: SocketOptions::default(),
            connect_timeout,
            subscribers: Vec::new(),
            responder: None,
            flight_record: false,
            session: SessionOptions::default(),
        }
    }

    pub(crate) fn set_host(&mut self, host: &str) {
        host.trim_start_matches('[').trim_end_matches(']').clone_into(&mut self.host);
    }

    /// The endpoint, and why it can have no TLS if that is so.
    pub(crate) fn build(self) -> (Endpoint, Option<TlsError>) {
        let (tls, fault) = match self.tls.mode {
            SslMode::Disabled => (None, None),
            _ => match TlsClient::new(&self.tls) {
                Ok(client) => (Some(client), None),
                Err(error) => (None, Some(error)),
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
        let endpoint = Endpoint {
            target,
            address,
            tls,
            socket: self.socket,
            connect_timeout: self.connect_timeout,
            subscribers: self.subscribers,
            responder: self.responder,
            flight_record: self.flight_record,
            session: self.session,
        };
        (endpoint, fault)
    }
}

/// The setters that the builders of both protocols have, for a type with a field `endpoint`.
macro_rules! endpoint_setters {
    () => {
        /// The server's host: a name or an address literal.
        #[must_use]
        pub fn host(mut self, host: &str) -> Self {
            self.endpoint.set_host(host);
            self
        }

        /// The server's port.
        #[must_use]
        pub fn port(mut self, port: u16) -> Self {
            self.endpoint.port = port;
            self
        }

        /// A Unix socket instead of TCP.
        #[must_use]
        pub fn unix_socket(mut self, path: impl AsRef<std::path::Path>) -> Self {
            self.endpoint.socket_path = Some(path.as_ref().to_owned());
            self
        }

        /// Changes the TLS options.
        #[must_use]
        pub fn tls(mut self, change: impl FnOnce(&mut porpoise_transport::TlsOptions)) -> Self {
            change(&mut self.endpoint.tls);
            self
        }

        /// Whether TLS is used, and what is checked in it.
        #[must_use]
        pub fn ssl_mode(self, mode: porpoise_transport::SslMode) -> Self {
            self.tls(|tls| tls.mode = mode)
        }

        /// Whether small packets leave at once (TCP_NODELAY); on by default.
        #[must_use]
        pub fn tcp_nodelay(mut self, on: bool) -> Self {
            self.endpoint.socket.nodelay = on;
            self
        }

        /// After how much silence the operating system probes the connection, or `None` for never. Without a word of
        /// this it does so after its own time, commonly two hours.
        #[must_use]
        pub fn tcp_keepalive(mut self, idle: Option<std::time::Duration>) -> Self {
            self.endpoint.socket.keepalive = $crate::socket::Keepalive::of(idle);
            self
        }

        /// A local address to connect from. Given several times, the first of the server's family that can be bound.
        #[must_use]
        pub fn bind_address(mut self, address: std::net::IpAddr) -> Self {
            self.endpoint.socket.bind.push(address);
            self
        }

        /// Traces every connection made with these options.
        #[must_use]
        pub fn subscriber(mut self, subscriber: std::sync::Arc<dyn porpoise_trace::Subscriber>) -> Self {
            self.endpoint.subscribers.push(subscriber);
            self
        }

        /// Answers what logins ask.
        #[must_use]
        pub fn responder(mut self, responder: std::sync::Arc<dyn $crate::Responder>) -> Self {
            self.endpoint.responder = Some(responder);
            self
        }

        /// Keeps a [`FlightRecord`](crate::FlightRecord) of each connect.
        #[must_use]
        pub fn flight_record(mut self, on: bool) -> Self {
            self.endpoint.flight_record = on;
            self
        }

        /// How much of a dropped call's reply the next call reads for nothing, in bytes, and for how long; 1 MiB and 1 s
        /// unless told otherwise, and no limit of time if that is zero. What is larger or slower has the connection closed.
        ///
        /// The limit of time needs the runtime's clock, and only where a reply is waited for.
        #[must_use]
        pub fn drain_budget(mut self, bytes: u64, time: std::time::Duration) -> Self {
            self.endpoint.session.drain_bytes = bytes;
            self.endpoint.session.drain_time = (!time.is_zero()).then_some(time);
            self
        }

        /// How long the server may take to obey when an operation's time is over and it is cancelled; 5 s unless told
        /// otherwise. The connection that the cancel needs is made in it. After that the operation's own connection is closed.
        #[must_use]
        pub fn cancel_time(mut self, limit: std::time::Duration) -> Self {
            self.endpoint.session.cancel_time = limit;
            self
        }
    };
}

pub(crate) use endpoint_setters;
