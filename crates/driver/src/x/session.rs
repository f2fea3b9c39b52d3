use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use porpoise_auth::Channel;
use porpoise_transport::TlsFacts;
use porpoise_xproto::connect::Connector;
use porpoise_xproto::messages::connection::Capabilities;
use porpoise_xproto::{Connection, LifeCycle, Notice};

use super::care::Care;
use super::{Connecting, Options};
use crate::io::Io;
use crate::{FlightRecord, Operation, Runtime, Target};

/// What is read from the wire in one go, in bytes: a full TLS record.
const READ_SIZE: usize = 17 << 10;

/// A session with a server over the X Protocol.
///
/// # Dropping
///
/// Every call may be dropped at any await; each says what that leaves. All have this in common:
///
/// - Before its first poll, a call has done nothing. The session is *clean*.
/// - After it, what the call sent may or may not be done by the server. The rest of its replies is read by the next call,
///   within [a budget](super::OptionsBuilder::drain_budget): the session is *drained*. No call ever gets an earlier one's
///   reply.
/// - Replies that are larger or slower than the budget, and the few calls of which nobody could tell what they left, have
///   the connection *closed*. All later calls fail with [`Error::Unusable`](super::Error::Unusable), which says why.
///
/// Dropping a session closes its socket without Connection.Close; [`close`](Self::close) says goodbye.
pub struct Session {
    pub(super) phase: Phase,
    pub(super) io: Io,
    pub(super) options: Arc<Options>,
    pub(super) runtime: &'static dyn Runtime,
    pub(super) facts: Box<Facts>,
    /// Global notices that nobody has asked for yet.
    pub(super) notices: VecDeque<Notice>,
    /// What plain statements have no need of, once something else was asked for.
    pub(super) care: Option<Box<Care>>,
    /// So many replies come first that nobody waits for.
    pub(super) unwanted: usize,
    record: Option<Box<FlightRecord>>,
}

/// What the connection is used for. In the session, never in a future, so that no drop can lose it.
pub(super) enum Phase {
    Ready(Box<Connection>),
    Closed(Operation),
}

/// What is known since the login.
#[derive(Default)]
pub(super) struct Facts {
    pub(super) client_id: Option<u64>,
    pub(super) expired: bool,
    pub(super) mechanism: Option<String>,
    pub(super) capabilities: Option<Capabilities>,
    /// Global notices that came meanwhile.
    pub(super) notices: Vec<Notice>,
}

impl Facts {
    pub(super) fn of(connector: &mut Connector) -> Self {
        Self {
            client_id: connector.client_id(),
            expired: connector.is_expired(),
            mechanism: connector.mechanism().map(str::to_owned),
            capabilities: connector.capabilities().cloned(),
            notices: connector.take_notices(),
        }
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("target", self.options.target())
            .field("runtime", &self.runtime)
            .field("state", &self.state())
            .finish_non_exhaustive()
    }
}

impl Session {
    pub(super) fn new(
        connection: Box<Connection>,
        mut io: Io,
        options: Arc<Options>,
        runtime: &'static dyn Runtime,
        mut facts: Facts,
        record: Option<Box<FlightRecord>>,
    ) -> Self {
        // Where the login is over, no password is left to be wiped.
        io.pipe.wipe_sent(connection.state() != LifeCycle::Session);
        io.pipe.set_read_size(READ_SIZE);
        let notices = std::mem::take(&mut facts.notices).into();
        let phase = Phase::Ready(connection);
        let care = Care::for_timeout(options.endpoint.session.operation_timeout);
        let facts = Box::new(facts);
        Self { phase, io, options, runtime, facts, notices, care, unwanted: 0, record }
    }

    /// Connects, when it is awaited. Fails with [`Error::Connect`](super::Error::Connect), which names the state in which the
    /// connect died.
    pub fn connect(runtime: &'static dyn Runtime, options: Arc<Options>) -> Connecting {
        Connecting::new(runtime, options)
    }

    /// What the connect did, if it was recorded.
    #[must_use]
    pub fn flight_record(&self) -> Option<&FlightRecord> {
        self.record.as_deref()
    }

    /// The options that it was made with.
    #[must_use]
    pub const fn options(&self) -> &Arc<Options> {
        &self.options
    }

    /// Where the connection is in its life.
    #[must_use]
    pub fn state(&self) -> LifeCycle {
        self.connection().map_or(LifeCycle::Closed, Connection::state)
    }

    /// The protocol's machine: what is owed, whether compression is on. None once the connection is closed.
    #[must_use]
    pub fn connection(&self) -> Option<&Connection> {
        match &self.phase {
            Phase::Ready(connection) => Some(connection),
            Phase::Closed(_) => None,
        }
    }

    /// Whether this session can be used further.
    #[must_use]
    pub fn is_usable(&self) -> bool {
        self.state() == LifeCycle::Session
    }

    /// Whether the bytes are encrypted.
    #[must_use]
    pub fn is_encrypted(&self) -> bool {
        self.connection().is_some_and(Connection::is_tls)
    }

    /// Who can read what is sent.
    pub(super) fn channel(&self) -> Channel {
        match (self.tls_facts(), self.options.target()) {
            (Some(facts), _) => Channel::Tls { verified: facts.verified },
            (None, Target::Unix(_)) => Channel::UnixSocket,
            (None, _) => Channel::Plain,
        }
    }

    /// What TLS agreed on; none when the bytes are not encrypted.
    #[must_use]
    pub fn tls_facts(&self) -> Option<TlsFacts> {
        self.io.pipe.tls_facts()
    }

    /// Whether messages may travel compressed.
    #[must_use]
    pub fn is_compressed(&self) -> bool {
        self.connection().is_some_and(Connection::is_compressed)
    }

    /// The server's number of this connection, as `list_clients` shows it. It stays the same when the session is reset;
    /// `CONNECTION_ID()` does not.
    #[must_use]
    pub fn client_id(&self) -> Option<u64> {
        self.facts.client_id
    }

    /// Whether the password had expired at the login: all that the session can do is set a new one.
    #[must_use]
    pub fn is_expired(&self) -> bool {
        self.facts.expired
    }

    /// The mechanism that the login ended with.
    #[must_use]
    pub fn mechanism(&self) -> Option<&str> {
        self.facts.mechanism.as_deref()
    }

    /// The capabilities that the server listed last, if it was asked for them.
    #[must_use]
    pub fn capabilities(&self) -> Option<&Capabilities> {
        self.facts.capabilities.as_ref()
    }

    /// Bytes received and sent so far, inside of TLS: as they were written by either side, compressed ones as such.
    #[must_use]
    pub fn bytes(&self) -> (u64, u64) {
        (self.io.pipe.bytes_in(), self.io.pipe.bytes_out())
    }
}
