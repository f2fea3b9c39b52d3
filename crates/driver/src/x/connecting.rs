use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use porpoise_auth::Answer;
use porpoise_classic_connect::Ask;
use porpoise_trace::TraceSink;
use porpoise_value::Params;
use porpoise_wire::{Cx, Lost, Machine, Step, TlsInfo};
use porpoise_xproto::connect::{ConnectError, ConnectErrorKind, ConnectEvent, Connector, Transport};
use porpoise_xproto::{Connection, LifeCycle};

use super::session::Facts;
use super::sql::statement;
use super::{Error, Options, Session};
use crate::opening::{Came, Opening, Opens};
use crate::{FlightRecord, Link, Operation, Runtime, Tap, Target};

/// One connect, as a future that can be put down and taken up again.
///
/// All progress is in this value: `(&mut connecting).await` may be dropped at any point, and a later poll goes on
/// where it was. Dropping the value itself closes what was opened.
///
/// After it has given its result it must not be polled again; [`state`](Self::state) and
/// [`flight_record`](Self::flight_record) stay. The flights are those of [`Connector`].
pub struct Connecting {
    options: Arc<Options>,
    runtime: &'static dyn Runtime,
    opening: Opening<Start>,
    record: Option<Box<FlightRecord>>,
}

impl fmt::Debug for Connecting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connecting")
            .field("target", self.options.target())
            .field("state", &self.state())
            .finish()
    }
}

impl Connecting {
    /// A connect that begins when it is first polled, and ends with a session.
    #[must_use]
    pub fn new(runtime: &'static dyn Runtime, options: Arc<Options>) -> Self {
        let transport = match options.target() {
            Target::Tcp { .. } => Transport::Tcp,
            Target::Unix(_) => Transport::Unix,
        };
        let connector = Connector::new(Arc::clone(&options.connect), transport);
        Self::of(Start::Login(Box::new(connector)), runtime, options)
    }

    /// A connect that only opens the transport, and ends with a [`Session`] in the state CONNECTED: nothing is sent. For
    /// tools that want to send the rest message by message.
    #[must_use]
    pub fn raw(runtime: &'static dyn Runtime, options: Arc<Options>) -> Self {
        let mut connection = Connection::new(options.connect.limits);
        connection.set_compression_threshold(options.connect.compression_threshold);
        Self::of(Start::Raw(Some(Box::new(connection))), runtime, options)
    }

    fn of(start: Start, runtime: &'static dyn Runtime, options: Arc<Options>) -> Self {
        let opening = Opening::new(start, runtime, &options.endpoint);
        Self { options, runtime, opening, record: None }
    }

    /// Sends a statement with the login. On a channel that nobody else can read both leave in one flight; else it follows the
    /// login at once. Its results are read by [`Session::first_results`]; any other call drains them. If the login fails, the
    /// connect fails with the login's error, and the statement has not run.
    ///
    /// # Errors
    /// [`Error::Params`] when the arguments do not fit.
    pub fn with_statement(mut self, sql: &str, args: impl Params) -> Result<Self, Error> {
        if let Start::Login(connector) = &mut self.opening.machine {
            connector.set_first(statement(sql, &args, false)?);
        }
        Ok(self)
    }

    /// The same connect over a stream that exists already: a tunnel, a proxy, a test's pipe. The options name the host for
    /// TLS.
    #[must_use]
    pub fn over(mut self, link: Box<dyn Link>) -> Self {
        self.opening.set_link(link);
        self
    }

    /// Tells every event to a sink of the caller's own as well.
    #[must_use]
    pub fn with_sink(mut self, sink: Box<dyn TraceSink + Send>) -> Self {
        self.opening.set_sink(sink);
        self
    }

    /// Where the connection is in its life.
    #[must_use]
    pub fn state(&self) -> LifeCycle {
        self.opening.machine.stage()
    }

    /// What the connect did, if [`OptionsBuilder::flight_record`](super::OptionsBuilder::flight_record) asked for it.
    /// Complete when the connect is over, with success or without.
    #[must_use]
    pub fn flight_record(&self) -> Option<&FlightRecord> {
        self.record.as_deref()
    }

    /// Closes the flight record, if there is one.
    fn finish_record(&mut self) {
        let Some(mut record) = self.opening.finish_record() else { return };
        if let Start::Login(connector) = &self.opening.machine {
            connector.mechanism().unwrap_or_default().clone_into(&mut record.auth_plugin);
            record.auth_path = connector.mechanism().map(|_| connector.auth_path().name());
            record.auth_factors = 1;
        }
        self.record = Some(Box::new(record));
    }
}

impl Future for Connecting {
    type Output = Result<Session, Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let done = ready!(this.opening.poll(&this.options.endpoint, &[], cx));
        this.finish_record();
        let io = this.opening.take_io();
        Poll::Ready(match (done, io) {
            (Ok(connection), Some(io)) => {
                let facts = match &mut this.opening.machine {
                    Start::Login(connector) => Facts::of(connector),
                    Start::Raw(_) => Facts::default(),
                };
                let (options, record) = (Arc::clone(&this.options), this.record.clone());
                Ok(Session::new(connection, io, options, this.runtime, facts, record))
            }
            (Ok(_), None) => Err(Error::Unusable(Operation::Closed)),
            (Err(error), _) => Err(error.into()),
        })
    }
}

/// What makes a session of an open transport.
enum Start {
    Login(Box<Connector>),
    /// Nothing is to be done. Absent once it is given away.
    Raw(Option<Box<Connection>>),
}

impl Machine for Start {
    type Event = ConnectEvent;
    type Error = ConnectError;
    type Stage = LifeCycle;

    fn advance<T: TraceSink>(&mut self, cx: &mut Cx<'_, T>) -> Result<Step<ConnectEvent>, ConnectError> {
        match self {
            Self::Login(connector) => connector.advance(cx),
            Self::Raw(connection) => Ok(match connection.take() {
                Some(connection) => Step::Event(ConnectEvent::Ready(connection)),
                None => Step::Idle,
            }),
        }
    }

    fn tls_ready<T: TraceSink>(&mut self, info: &TlsInfo, cx: &mut Cx<'_, T>) {
        if let Self::Login(connector) = self {
            connector.tls_ready(info, cx);
        }
    }

    fn lost<T: TraceSink>(&mut self, why: Lost, cx: &mut Cx<'_, T>) -> ConnectError {
        match self {
            Self::Login(connector) => connector.lost(why, cx),
            Self::Raw(connection) => {
                let mut connection = connection.take().unwrap_or_default();
                let state = connection.state();
                ConnectError::new(state, None, ConnectErrorKind::Connection(connection.lost(why, cx)))
            }
        }
    }

    fn stage(&self) -> LifeCycle {
        match self {
            Self::Login(connector) => connector.stage(),
            Self::Raw(connection) => connection.as_deref().map_or(LifeCycle::Connected, Connection::state),
        }
    }
}

impl Opens for Start {
    type Session = Box<Connection>;

    fn dialing(&mut self, cx: &mut Cx<'_, Tap>) {
        match self {
            Self::Login(connector) => connector.dialing(cx),
            Self::Raw(connection) => connection.iter_mut().for_each(|connection| connection.dialing(cx)),
        }
    }

    fn dial_pending(&mut self, _: &mut Cx<'_, Tap>) {}

    fn connected(&mut self, cx: &mut Cx<'_, Tap>) {
        match self {
            Self::Login(connector) => connector.connected(cx),
            Self::Raw(connection) => connection.iter_mut().for_each(|connection| connection.connected(cx)),
        }
    }

    fn answer(&mut self, answer: Answer, cx: &mut Cx<'_, Tap>) {
        if let Self::Login(connector) = self {
            connector.answer(answer, cx);
        }
    }

    fn came(event: ConnectEvent) -> Came<Box<Connection>> {
        match event {
            ConnectEvent::Ready(connection) => Came::Session(connection),
            ConnectEvent::Ask(ask) => Came::Ask(Ask::Plugin(ask)),
            _ => Came::Nothing,
        }
    }
}
