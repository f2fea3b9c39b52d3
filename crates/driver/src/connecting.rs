use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::BytesMut;
use porpoise_auth::Answer;
use porpoise_classic::Session;
use porpoise_classic_connect::{ConnectError, ConnectEvent, ConnectStage, Connector, Transport};
use porpoise_trace::{Bus, TraceSink};
use porpoise_transport::Pipe;
use porpoise_wire::{Cx, Lost, Machine};

use crate::dial::{Dial, Dialed};
use crate::io::Io;
use crate::{BoxFuture, Client, Error, FlightRecord, Link, Operation, Options, Runtime, Tap, Target, Timer};

/// Room for what a login receives and sends: small enough to be cheap to allocate, and more than most need.
const LOGIN_ROOM: usize = 1000;

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
    machine: Connector,
    phase: Phase,
    /// The link and all that belongs to it, once there is one.
    io: Option<Io>,
    /// The sink, until then.
    tap: Tap,
    deadline: Option<Deadline>,
    /// The deadline of the stage that was last waited in.
    stage_deadline: Option<(ConnectStage, Option<Deadline>)>,
    timer: Option<Box<dyn Timer>>,
    record: Option<Box<FlightRecord>>,
}

#[derive(Clone, Copy)]
struct Deadline {
    at: Instant,
    after: Duration,
    of_stage: bool,
}

/// What is being waited for.
enum Phase {
    Start,
    /// The caller brought a link.
    Linked(Box<dyn Link>),
    Resolve(BoxFuture<io::Result<Vec<SocketAddr>>>),
    Dial(Dial),
    Drive,
    Answer(BoxFuture<Answer>),
}

impl fmt::Debug for Connecting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connecting")
            .field("target", &self.options.target)
            .field("stage", &self.stage())
            .finish()
    }
}

impl Connecting {
    /// A connect that begins when it is first polled.
    #[must_use]
    pub fn new(runtime: &'static dyn Runtime, options: Arc<Options>) -> Self {
        let transport = match options.target {
            Target::Tcp { .. } => Transport::Tcp,
            Target::Unix(_) => Transport::UnixSocket,
        };
        let mut tap = Tap::default();
        for subscriber in &options.subscribers {
            tap.bus().subscribe(Arc::clone(subscriber));
        }
        if Bus::new().on() {
            // Somebody subscribed to all connections.
            tap.bus();
        }
        if options.flight_record {
            tap.record();
        }
        let machine = Connector::new(Arc::clone(&options.connect), transport);
        Self {
            options,
            runtime,
            machine,
            phase: Phase::Start,
            io: None,
            tap,
            deadline: None,
            stage_deadline: None,
            timer: None,
            record: None,
        }
    }

    /// A connect over a stream that exists already: a tunnel, a proxy, a test's pipe. `options` names the host
    /// for TLS. It, too, begins when it is first polled.
    #[must_use]
    pub fn over(link: Box<dyn Link>, runtime: &'static dyn Runtime, options: Arc<Options>) -> Self {
        Self { phase: Phase::Linked(link), ..Self::new(runtime, options) }
    }

    /// Tells every event to a sink of the caller's own as well. A sink sees the stages that are entered after
    /// DISCONNECTED too; a bus's subscribers do not.
    #[must_use]
    pub fn with_sink(mut self, sink: Box<dyn TraceSink + Send>) -> Self {
        self.io.as_mut().map_or(&mut self.tap, |io| &mut io.tap).set_sink(sink);
        self
    }

    /// The stage that the connect is in.
    #[must_use]
    pub fn stage(&self) -> ConnectStage {
        self.machine.stage()
    }

    /// What the connect did, if [`OptionsBuilder::flight_record`](crate::OptionsBuilder::flight_record) asked for
    /// it. Complete when the connect is over, with success or without.
    #[must_use]
    pub fn flight_record(&self) -> Option<&FlightRecord> {
        self.record.as_deref()
    }

    /// NET_BEGIN_CONNECT.
    fn begin(&mut self) {
        self.deadline = self.options.connect_timeout.and_then(|limit| deadline(limit, false));
        tell(&mut self.tap, |cx| self.machine.dialing(cx));
    }

    /// What to wait for first. The link, if there is one at once.
    fn start(&mut self) -> Result<Phase, Lost> {
        let dial = |error: io::Error| Lost::Dial(Arc::new(error));
        let Target::Tcp { host, port } = &self.options.target else {
            return Ok(Phase::Dial(Dial::default()));
        };
        let Some(ip) = self.options.address else {
            return Ok(Phase::Resolve(self.runtime.resolve(host, *port)));
        };
        tell(&mut self.tap, |cx| self.machine.dial_pending(cx));
        let address = SocketAddr::new(ip, *port);
        let (attempt, connected) = Dial::to_one(address, &self.options.socket, self.runtime).map_err(dial)?;
        Ok(match connected {
            Some(dialed) => self.dialed(dialed),
            None => Phase::Dial(attempt),
        })
    }

    /// NET_COMPLETE_CONNECT.
    fn dialed(&mut self, (link, address): Dialed) -> Phase {
        if let Some(recorder) = self.tap.recorder() {
            recorder.record.address = address;
        }
        tell(&mut self.tap, |cx| self.machine.connected(cx));
        let mut io =
            Io::new(link, std::mem::take(&mut self.tap), Pipe::with_capacity(LOGIN_ROOM, LOGIN_ROOM));
        io.address = address;
        self.io = Some(io);
        Phase::Drive
    }

    /// What comes before a link, and between two calls of the machine.
    fn poll_outside(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Lost>> {
        loop {
            self.phase = match &mut self.phase {
                Phase::Start => {
                    self.begin();
                    self.start()?
                }
                Phase::Linked(_) => {
                    self.begin();
                    let Phase::Linked(link) = std::mem::replace(&mut self.phase, Phase::Drive) else {
                        continue;
                    };
                    self.dialed((link, None))
                }
                Phase::Resolve(lookup) => {
                    let addresses =
                        ready!(lookup.as_mut().poll(cx)).map_err(|e| Lost::Resolve(Arc::new(e)))?;
                    tell(&mut self.tap, |cx| self.machine.dial_pending(cx));
                    Phase::Dial(Dial::to(addresses))
                }
                Phase::Dial(dial) => {
                    let dialed = match &self.options.target {
                        Target::Tcp { .. } => dial.poll(&self.options.socket, self.runtime, cx),
                        Target::Unix(path) => dial.poll_unix(path, self.runtime, cx),
                    };
                    let dialed = ready!(dialed).map_err(|e| Lost::Dial(Arc::new(e)))?;
                    self.dialed(dialed)
                }
                Phase::Answer(answer) => {
                    let answer = ready!(answer.as_mut().poll(cx));
                    // The connector asked, so it takes an answer.
                    let _ = self.machine.answer(answer);
                    Phase::Drive
                }
                Phase::Drive => return Poll::Ready(Ok(())),
            };
        }
    }

    fn poll_connect(&mut self, cx: &mut Context<'_>) -> Poll<Result<Box<Session>, ConnectError>> {
        loop {
            match self.poll_outside(cx) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(why)) => return Poll::Ready(Err(self.lost(why))),
                Poll::Pending => return self.poll_deadlines(cx),
            }
            let Some(io) = &mut self.io else { return self.poll_deadlines(cx) };
            match io.poll_drive(&mut self.machine, &self.options, cx) {
                Poll::Ready(Ok(Some(ConnectEvent::Ready(session)))) => return Poll::Ready(Ok(session)),
                Poll::Ready(Ok(Some(ConnectEvent::Ask(ask)))) => {
                    self.phase = Phase::Answer(match &self.options.responder {
                        Some(responder) => responder.respond(&ask),
                        None => Box::pin(std::future::ready(Answer::Refused)),
                    });
                }
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return self.poll_deadlines(cx),
            }
        }
    }

    /// Pending, unless a deadline has passed.
    fn poll_deadlines<R>(&mut self, cx: &mut Context<'_>) -> Poll<Result<R, ConnectError>> {
        if self.deadline.is_none() && self.options.stage_timeouts.is_empty() {
            return Poll::Pending;
        }
        let stage = self.machine.stage();
        if self.stage_deadline.is_none_or(|(of, _)| of != stage) {
            let limit =
                self.options.stage_timeouts.iter().find(|(of, _)| *of == stage).map(|(_, limit)| *limit);
            self.stage_deadline = Some((stage, limit.and_then(|limit| deadline(limit, true))));
        }
        let stage = self.stage_deadline.and_then(|(_, deadline)| deadline);
        let Some(next) = [self.deadline, stage].into_iter().flatten().min_by_key(|deadline| deadline.at)
        else {
            return Poll::Pending;
        };
        let timer = self.timer.get_or_insert_with(|| self.runtime.timer());
        ready!(timer.poll_until(cx, next.at));
        Poll::Ready(Err(self.lost(Lost::Deadline { after: next.after, stage: next.of_stage })))
    }

    /// The outside failed.
    fn lost(&mut self, why: Lost) -> ConnectError {
        match &mut self.io {
            Some(io) => self.machine.lost(why, &mut io.lend()),
            None => tell(&mut self.tap, |cx| self.machine.lost(why, cx)),
        }
    }

    /// Closes the flight record, if there is one.
    fn finish_record(&mut self, session: Option<&Session>) {
        let tap = self.io.as_mut().map_or(&mut self.tap, |io| &mut io.tap);
        let Some(recorder) = tap.recorder() else { return };
        recorder.finish();
        let mut record = std::mem::take(&mut recorder.record);
        record.tls = self.io.as_ref().and_then(|io| io.pipe.tls_facts());
        self.machine.auth_plugin().clone_into(&mut record.auth_plugin);
        record.auth_path = self.machine.auth_path().map(|path| path.name());
        record.auth_factors = self.machine.auth_factors();
        record.capabilities = self.machine.capabilities();
        record.server_version =
            session.map_or_else(|| self.machine.server_version(), Session::server_version).to_owned();
        self.record = Some(Box::new(record));
    }
}

impl Future for Connecting {
    type Output = Result<Client, Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let done = ready!(this.poll_connect(cx));
        this.finish_record(done.as_deref().ok());
        let io = this.io.take();
        Poll::Ready(match (done, io) {
            (Ok(session), Some(io)) => {
                let record = this.record.clone();
                Ok(Client::new(
                    session,
                    io,
                    Arc::clone(&this.options),
                    this.runtime,
                    this.machine.channel(),
                    record,
                ))
            }
            (Ok(_), None) => Err(Error::Unusable(Operation::Closed)),
            (Err(error), _) => Err(error.into()),
        })
    }
}

fn deadline(after: Duration, of_stage: bool) -> Option<Deadline> {
    let at = Instant::now().checked_add(after)?;
    Some(Deadline { at, after, of_stage })
}

/// Tells the machine something before there is a link.
fn tell<R>(tap: &mut Tap, f: impl FnOnce(&mut Cx<'_, Tap>) -> R) -> R {
    f(&mut Cx::new(&mut BytesMut::new(), &mut BytesMut::new(), tap))
}
