use std::fmt;
use std::sync::Arc;

use porpoise_auth::Channel;
use porpoise_classic::{CapabilityFlags, Session, StatusFlags};
use porpoise_transport::TlsFacts;

use crate::care::Care;
use crate::io::Io;
use crate::{Connecting, FlightRecord, Operation, Options, Runtime};

mod admin;
mod query;
mod run;
mod settle;

/// What is read from the wire in one go, in bytes: a full TLS record.
const READ_SIZE: usize = 17 << 10;

/// The same while a large result comes. More would not keep to the bound of memory that holds for any server: two of these
/// are alive at a time.
const AMPLE_READ_SIZE: usize = 40 << 10;

/// A session with a server.
///
/// # Dropping
///
/// Every call may be dropped at any await; each says what that leaves. All have this in common:
///
/// - Before its first poll, a call has done nothing. The session is *clean*.
/// - After it, what the call sent may or may not be done by the server. The rest of its reply is read by the next call, within
///   [a budget](crate::OptionsBuilder::drain_budget): the session is *drained*. No call ever gets an earlier one's reply.
/// - A reply that is larger or slower than the budget, and the few calls of which nobody could tell what they left, have
///   the connection *closed*. All later calls fail with [`Error::Unusable`](crate::Error::Unusable), which says why.
///
/// Dropping a client closes its socket without `COM_QUIT`; [`close`](Self::close) says goodbye.
pub struct Client {
    phase: Phase,
    pub(crate) io: Io,
    options: Arc<Options>,
    runtime: &'static dyn Runtime,
    channel: Channel,
    record: Option<Box<FlightRecord>>,
    /// What plain statements have no need of, once something else was asked for.
    pub(crate) care: Option<Box<Care>>,
    /// A command was sent that may leave something in the session.
    touched: bool,
    /// The collation that the connect agreed on.
    first_charset: u16,
}

/// What the connection is used for. In the client, never in a future, so that no drop can lose it.
enum Phase {
    Ready(Box<Session>),
    ChangingUser,
    Closed(Operation),
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("target", &self.options.target())
            .field("runtime", &self.runtime)
            .finish_non_exhaustive()
    }
}

impl Client {
    pub(crate) fn new(
        session: Box<Session>,
        mut io: Io,
        options: Arc<Options>,
        runtime: &'static dyn Runtime,
        channel: Channel,
        record: Option<Box<FlightRecord>>,
    ) -> Self {
        // The login is over: no password is left to be wiped.
        io.pipe.wipe_sent(false);
        io.pipe.set_read_size(READ_SIZE);
        io.pipe.set_ample_read_size(AMPLE_READ_SIZE);
        let care = Care::for_options(&options);
        let first_charset = session.charset();
        let phase = Phase::Ready(session);
        Self { phase, io, options, runtime, channel, record, care, touched: false, first_charset }
    }

    /// Connects, when it is awaited. Fails with [`Error::Connect`](crate::Error::Connect), which names the stage in which
    /// the connect died.
    pub fn connect(runtime: &'static dyn Runtime, options: Arc<Options>) -> Connecting {
        Connecting::new(runtime, options)
    }

    /// What the connect did, if it was recorded.
    #[must_use]
    pub fn flight_record(&self) -> Option<&FlightRecord> {
        self.record.as_deref()
    }

    /// Whether the bytes are encrypted.
    #[must_use]
    pub const fn is_encrypted(&self) -> bool {
        matches!(self.channel, Channel::Tls { .. })
    }

    /// What TLS agreed on; none when the bytes are not encrypted.
    #[must_use]
    pub fn tls_facts(&self) -> Option<TlsFacts> {
        self.io.pipe.tls_facts()
    }

    /// Whether this client can be used further.
    #[must_use]
    pub const fn is_usable(&self) -> bool {
        match &self.phase {
            Phase::Ready(session) => !session.is_out_of_step(),
            _ => false,
        }
    }

    /// The server's id of this connection; 0 once it is closed.
    #[must_use]
    pub fn connection_id(&self) -> u32 {
        self.session().map_or(0, Session::connection_id)
    }

    /// The server's version; empty once the connection is closed.
    #[must_use]
    pub fn server_version(&self) -> &str {
        self.session().map_or("", Session::server_version)
    }

    /// The capabilities agreed on.
    #[must_use]
    pub fn capabilities(&self) -> CapabilityFlags {
        self.session().map_or(CapabilityFlags::empty(), Session::capabilities)
    }

    /// The id of the connection's collation; 0 once the connection is closed.
    #[must_use]
    pub fn charset(&self) -> u16 {
        self.session().map_or(0, Session::charset)
    }

    /// The server's status after the last reply.
    #[must_use]
    pub fn status(&self) -> StatusFlags {
        self.session().map_or(StatusFlags::empty(), Session::status)
    }

    pub(crate) const fn options(&self) -> &Arc<Options> {
        &self.options
    }

    pub(crate) fn runtime(&self) -> &'static dyn Runtime {
        self.runtime
    }

    /// Whether a command was sent that may have left something in the session.
    pub(crate) const fn is_touched(&self) -> bool {
        self.touched
    }

    fn session(&self) -> Option<&Session> {
        match &self.phase {
            Phase::Ready(session) => Some(session),
            _ => None,
        }
    }
}
