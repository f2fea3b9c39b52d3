//! A connect, of either protocol: name lookup, dialing, the protocol's machine, deadlines.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::BytesMut;
use porpoise_auth::Answer;
use porpoise_classic_connect::Ask;
use porpoise_trace::{Bus, TraceSink};
use porpoise_transport::Pipe;
use porpoise_wire::{Cx, Lost, Machine};

use crate::dial::{Dial, Dialed};
use crate::endpoint::Endpoint;
use crate::io::Io;
use crate::{BoxFuture, FlightRecord, Link, Runtime, Tap, Target, Timer};

/// Room for what a login receives and sends: small enough to be cheap to allocate, and more than most need.
const LOGIN_ROOM: usize = 1000;

/// A machine that makes a session of an open transport.
pub(crate) trait Opens: Machine<Stage: PartialEq> {
    /// What it makes.
    type Session;

    /// The connect begins: no socket exists.
    fn dialing(&mut self, cx: &mut Cx<'_, Tap>);

    /// Name lookup is over.
    fn dial_pending(&mut self, cx: &mut Cx<'_, Tap>);

    /// The transport is open.
    fn connected(&mut self, cx: &mut Cx<'_, Tap>);

    /// Answers what was asked.
    fn answer(&mut self, answer: Answer, cx: &mut Cx<'_, Tap>);

    /// What an event means.
    fn came(event: Self::Event) -> Came<Self::Session>;
}

/// What a machine's event means for the connect.
pub(crate) enum Came<S> {
    Session(S),
    Ask(Ask),
    /// Nothing.
    Nothing,
}

/// One connect. All progress is in it.
pub(crate) struct Opening<M: Opens> {
    runtime: &'static dyn Runtime,
    pub(crate) machine: M,
    phase: Phase,
    /// The link and all that belongs to it, once there is one.
    io: Option<Io>,
    /// The sink, until then.
    tap: Tap,
    deadline: Option<Deadline>,
    /// The deadline of the stage that was last waited in.
    stage_deadline: Option<(M::Stage, Option<Deadline>)>,
    timer: Option<Box<dyn Timer>>,
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

impl<M: Opens> Opening<M> {
    pub(crate) fn new(machine: M, runtime: &'static dyn Runtime, endpoint: &Endpoint) -> Self {
        let mut tap = Tap::default();
        for subscriber in &endpoint.subscribers {
            tap.bus().subscribe(Arc::clone(subscriber));
        }
        if Bus::new().on() {
            // Somebody subscribed to all connections.
            tap.bus();
        }
        if endpoint.flight_record {
            tap.record();
        }
        Self {
            runtime,
            machine,
            phase: Phase::Start,
            io: None,
            tap,
            deadline: None,
            stage_deadline: None,
            timer: None,
        }
    }

    pub(crate) fn set_link(&mut self, link: Box<dyn Link>) {
        self.phase = Phase::Linked(link);
    }

    pub(crate) fn set_sink(&mut self, sink: Box<dyn TraceSink + Send>) {
        self.tap().set_sink(sink);
    }

    fn tap(&mut self) -> &mut Tap {
        self.io.as_mut().map_or(&mut self.tap, |io| &mut io.tap)
    }

    /// The link and all that belongs to it; absent if there is none, or it was taken.
    pub(crate) fn take_io(&mut self) -> Option<Io> {
        self.io.take()
    }

    /// NET_BEGIN_CONNECT.
    fn begin(&mut self, endpoint: &Endpoint) {
        self.deadline = endpoint.connect_timeout.and_then(|limit| deadline(limit, false));
        tell(&mut self.tap, |cx| self.machine.dialing(cx));
    }

    /// What to wait for first. The link, if there is one at once.
    fn start(&mut self, endpoint: &Endpoint) -> Result<Phase, Lost> {
        let dial = |error: io::Error| Lost::Dial(Arc::new(error));
        let Target::Tcp { host, port } = &endpoint.target else {
            return Ok(Phase::Dial(Dial::default()));
        };
        let Some(ip) = endpoint.address else {
            return Ok(Phase::Resolve(self.runtime.resolve(host, *port)));
        };
        tell(&mut self.tap, |cx| self.machine.dial_pending(cx));
        let address = SocketAddr::new(ip, *port);
        let (attempt, connected) = Dial::to_one(address, &endpoint.socket, self.runtime).map_err(dial)?;
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
        let mut io =
            Io::new(link, std::mem::take(&mut self.tap), Pipe::with_capacity(LOGIN_ROOM, LOGIN_ROOM));
        io.address = address;
        // A machine may have something to send at once.
        self.machine.connected(&mut io.lend());
        self.io = Some(io);
        Phase::Drive
    }

    /// What comes before a link, and between two calls of the machine.
    fn poll_outside(&mut self, endpoint: &Endpoint, cx: &mut Context<'_>) -> Poll<Result<(), Lost>> {
        loop {
            self.phase = match &mut self.phase {
                Phase::Start => {
                    self.begin(endpoint);
                    self.start(endpoint)?
                }
                Phase::Linked(_) => {
                    self.begin(endpoint);
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
                    let dialed = match &endpoint.target {
                        Target::Tcp { .. } => dial.poll(&endpoint.socket, self.runtime, cx),
                        Target::Unix(path) => dial.poll_unix(path, self.runtime, cx),
                    };
                    let dialed = ready!(dialed).map_err(|e| Lost::Dial(Arc::new(e)))?;
                    self.dialed(dialed)
                }
                Phase::Answer(answer) => {
                    let answer = ready!(answer.as_mut().poll(cx));
                    match &mut self.io {
                        Some(io) => self.machine.answer(answer, &mut io.lend()),
                        None => tell(&mut self.tap, |cx| self.machine.answer(answer, cx)),
                    }
                    Phase::Drive
                }
                Phase::Drive => return Poll::Ready(Ok(())),
            };
        }
    }

    /// Ready when there is a session, or none can be. `limits` are those of single stages.
    pub(crate) fn poll(
        &mut self,
        endpoint: &Endpoint,
        limits: &[(M::Stage, Duration)],
        cx: &mut Context<'_>,
    ) -> Poll<Result<M::Session, M::Error>> {
        loop {
            match self.poll_outside(endpoint, cx) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(why)) => return Poll::Ready(Err(self.lost(why))),
                Poll::Pending => return self.poll_deadlines(limits, cx),
            }
            let Some(io) = &mut self.io else { return self.poll_deadlines(limits, cx) };
            match io.poll_drive(&mut self.machine, endpoint, cx) {
                Poll::Ready(Ok(Some(event))) => match M::came(event) {
                    Came::Session(session) => return Poll::Ready(Ok(session)),
                    Came::Ask(ask) => {
                        self.phase = Phase::Answer(match &endpoint.responder {
                            Some(responder) => responder.respond(&ask),
                            None => Box::pin(std::future::ready(Answer::Refused)),
                        });
                    }
                    Came::Nothing => {}
                },
                Poll::Ready(Ok(None)) => {}
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return self.poll_deadlines(limits, cx),
            }
        }
    }

    /// Pending, unless a deadline has passed.
    fn poll_deadlines<R>(
        &mut self,
        limits: &[(M::Stage, Duration)],
        cx: &mut Context<'_>,
    ) -> Poll<Result<R, M::Error>> {
        if self.deadline.is_none() && limits.is_empty() {
            return Poll::Pending;
        }
        let stage = self.machine.stage();
        if self.stage_deadline.is_none_or(|(of, _)| of != stage) {
            let limit = limits.iter().find(|(of, _)| *of == stage).map(|(_, limit)| *limit);
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
    fn lost(&mut self, why: Lost) -> M::Error {
        match &mut self.io {
            Some(io) => self.machine.lost(why, &mut io.lend()),
            None => tell(&mut self.tap, |cx| self.machine.lost(why, cx)),
        }
    }

    /// Closes the flight record, if there is one. What the machine knows is for the caller to add.
    pub(crate) fn finish_record(&mut self) -> Option<FlightRecord> {
        let recorder = self.tap().recorder()?;
        recorder.finish();
        let mut record = std::mem::take(&mut recorder.record);
        record.tls = self.io.as_ref().and_then(|io| io.pipe.tls_facts());
        Some(record)
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
