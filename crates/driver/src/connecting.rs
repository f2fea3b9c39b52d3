use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use porpoise_auth::Answer;
use porpoise_classic::Session;
use porpoise_classic_connect::{ConnectEvent, ConnectStage, Connector, Transport};
use porpoise_trace::TraceSink;
use porpoise_wire::Cx;

use crate::opening::{Came, Opening, Opens};
use crate::{Client, Error, FlightRecord, Link, Operation, Options, Runtime, Tap, Target};

/// One connect, as a future that can be put down and taken up again.
///
/// All progress is in this value: `(&mut connecting).await` may be dropped at any point, and a later poll goes on
/// where it was. Dropping the value itself closes what was opened.
///
/// After it has given its result it must not be polled again; [`stage`](Self::stage) and
/// [`flight_record`](Self::flight_record) stay.
pub struct Connecting {
    options: Arc<Options>,
    runtime: &'static dyn Runtime,
    opening: Opening<Connector>,
    record: Option<Box<FlightRecord>>,
}

impl fmt::Debug for Connecting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connecting")
            .field("target", self.options.target())
            .field("stage", &self.stage())
            .finish()
    }
}

impl Opens for Connector {
    type Session = Box<Session>;

    fn dialing(&mut self, cx: &mut Cx<'_, Tap>) {
        Self::dialing(self, cx);
    }

    fn dial_pending(&mut self, cx: &mut Cx<'_, Tap>) {
        Self::dial_pending(self, cx);
    }

    fn connected(&mut self, cx: &mut Cx<'_, Tap>) {
        Self::connected(self, cx);
    }

    fn answer(&mut self, answer: Answer, _: &mut Cx<'_, Tap>) {
        // The connector asked, so it takes an answer.
        let _ = Self::answer(self, answer);
    }

    fn came(event: ConnectEvent) -> Came<Box<Session>> {
        match event {
            ConnectEvent::Ready(session) => Came::Session(session),
            ConnectEvent::Ask(ask) => Came::Ask(ask),
            _ => Came::Nothing,
        }
    }
}

impl Connecting {
    /// A connect that begins when it is first polled.
    #[must_use]
    pub fn new(runtime: &'static dyn Runtime, options: Arc<Options>) -> Self {
        let transport = match options.target() {
            Target::Tcp { .. } => Transport::Tcp,
            Target::Unix(_) => Transport::UnixSocket,
        };
        let machine = Connector::new(Arc::clone(&options.connect), transport);
        let opening = Opening::new(machine, runtime, &options.endpoint);
        Self { options, runtime, opening, record: None }
    }

    /// A connect over a stream that exists already: a tunnel, a proxy, a test's pipe. `options` names the host
    /// for TLS. It, too, begins when it is first polled.
    #[must_use]
    pub fn over(link: Box<dyn Link>, runtime: &'static dyn Runtime, options: Arc<Options>) -> Self {
        let mut connecting = Self::new(runtime, options);
        connecting.opening.set_link(link);
        connecting
    }

    /// Tells every event to a sink of the caller's own as well. A sink sees the stages that are entered after
    /// DISCONNECTED too; a bus's subscribers do not.
    #[must_use]
    pub fn with_sink(mut self, sink: Box<dyn TraceSink + Send>) -> Self {
        self.opening.set_sink(sink);
        self
    }

    /// The stage that the connect is in.
    #[must_use]
    pub fn stage(&self) -> ConnectStage {
        porpoise_wire::Machine::stage(&self.opening.machine)
    }

    /// What the connect did, if [`OptionsBuilder::flight_record`](crate::OptionsBuilder::flight_record) asked for
    /// it. Complete when the connect is over, with success or without.
    #[must_use]
    pub fn flight_record(&self) -> Option<&FlightRecord> {
        self.record.as_deref()
    }

    /// Closes the flight record, if there is one.
    fn finish_record(&mut self, session: Option<&Session>) {
        let Some(mut record) = self.opening.finish_record() else { return };
        let machine = &self.opening.machine;
        machine.auth_plugin().clone_into(&mut record.auth_plugin);
        record.auth_path = machine.auth_path().map(|path| path.name());
        record.auth_factors = machine.auth_factors();
        record.capabilities = machine.capabilities();
        record.server_version =
            session.map_or_else(|| machine.server_version(), Session::server_version).to_owned();
        self.record = Some(Box::new(record));
    }
}

impl Future for Connecting {
    type Output = Result<Client, Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let done = ready!(this.opening.poll(&this.options.endpoint, &this.options.stage_timeouts, cx));
        this.finish_record(done.as_deref().ok());
        let io = this.opening.take_io();
        Poll::Ready(match (done, io) {
            (Ok(session), Some(io)) => {
                let record = this.record.clone();
                Ok(Client::new(
                    session,
                    io,
                    Arc::clone(&this.options),
                    this.runtime,
                    this.opening.machine.channel(),
                    record,
                ))
            }
            (Ok(_), None) => Err(Error::Unusable(Operation::Closed)),
            (Err(error), _) => Err(error.into()),
        })
    }
}
