use std::net::SocketAddr;
use std::time::{Duration, Instant};

use porpoise_classic::CapabilityFlags;
use porpoise_trace::{MachineKind, StageId, XEvent};
use porpoise_transport::TlsFacts;

/// What one connect did, stage by stage.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct FlightRecord {
    /// The stages in the order in which they were entered. Of the X Protocol they are the states of its life cycle, and
    /// CONNECT and TLS_HANDSHAKE before what these lead to.
    pub stages: Vec<StageRecord>,
    /// From the first stage's entry to the last one's end.
    pub total: Duration,
    /// The address that was connected to; absent for a Unix socket.
    pub address: Option<SocketAddr>,
    /// The server's version, as its greeting gave it; the X Protocol has none.
    pub server_version: String,
    /// What TLS agreed on.
    pub tls: Option<TlsFacts>,
    /// The authentication plugin or mechanism that ran last.
    pub auth_plugin: String,
    /// The mechanisms that ran, one for each AUTHENTICATING of the X Protocol; none in the classic protocol.
    pub mechanisms: Vec<String>,
    /// The way it took: fast, full in TLS, full by RSA.
    pub auth_path: Option<&'static str>,
    /// How many factors the login had.
    pub auth_factors: usize,
    /// The capabilities agreed on, of the classic protocol.
    pub capabilities: CapabilityFlags,
}

/// One stage of a [`FlightRecord`].
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct StageRecord {
    /// The stage.
    pub stage: StageId,
    /// When it was entered, from the connect's start.
    pub enter: Duration,
    /// When it was left.
    pub leave: Duration,
    /// Bytes received meanwhile, as they were on the wire.
    pub bytes_in: u64,
    /// Bytes sent meanwhile, as they were on the wire.
    pub bytes_out: u64,
    /// How often this side sent something and had to wait for an answer.
    pub round_trips: u32,
}

impl FlightRecord {
    /// Round trips of all stages.
    #[must_use]
    pub fn round_trips(&self) -> u32 {
        self.stages.iter().map(|stage| stage.round_trips).sum()
    }

    /// Bytes received and sent in all stages.
    #[must_use]
    pub fn bytes(&self) -> (u64, u64) {
        self.stages.iter().fold((0, 0), |(r, s), stage| (r + stage.bytes_in, s + stage.bytes_out))
    }
}

/// Dialing is no state of the X Protocol's life cycle, nor is the handshake, but each takes its time.
const CONNECT: StageId = StageId::new(MachineKind::X, 10, "CONNECT");
const TLS_HANDSHAKE: StageId = StageId::new(MachineKind::X, 11, "TLS_HANDSHAKE");

/// Fills a [`FlightRecord`] while the connect runs.
#[derive(Debug)]
pub(crate) struct Recorder {
    start: Instant,
    pub(crate) record: FlightRecord,
    open: bool,
    unanswered: bool,
    over: bool,
}

impl Recorder {
    pub(crate) fn new() -> Self {
        Self {
            start: Instant::now(),
            record: FlightRecord::default(),
            open: false,
            unanswered: false,
            over: false,
        }
    }

    pub(crate) fn enter(&mut self, stage: StageId) {
        // What follows a connect of the X Protocol is told by the same machine.
        if self.over || !matches!(stage.machine, MachineKind::Connect | MachineKind::X) {
            return;
        }
        if self.record.stages.is_empty() {
            self.start = Instant::now();
        }
        let enter = self.start.elapsed();
        self.leave(enter);
        self.open = true;
        let fresh = StageRecord { stage, enter, leave: enter, bytes_in: 0, bytes_out: 0, round_trips: 0 };
        self.record.stages.push(fresh);
    }

    pub(crate) fn x_event(&mut self, event: &XEvent<'_>) {
        match event {
            XEvent::Connecting => self.enter(CONNECT),
            XEvent::TlsConnect => self.enter(TLS_HANDSHAKE),
            XEvent::Mechanism { name } if !self.over => self.record.mechanisms.push((*name).to_owned()),
            _ => {}
        }
    }

    fn leave(&mut self, now: Duration) {
        self.record.total = now;
        if let Some(last) = self.record.stages.last_mut().filter(|_| self.open) {
            last.leave = now;
        }
        self.open = false;
    }

    /// The connect is over, one way or the other.
    pub(crate) fn finish(&mut self) {
        self.leave(self.start.elapsed());
        self.over = true;
    }

    pub(crate) fn sent(&mut self, bytes: usize) {
        self.unanswered = true;
        if let Some(last) = self.record.stages.last_mut() {
            last.bytes_out += bytes as u64;
        }
    }

    pub(crate) fn received(&mut self, bytes: usize) {
        if let Some(last) = self.record.stages.last_mut() {
            last.bytes_in += bytes as u64;
            last.round_trips += u32::from(self.unanswered);
        }
        self.unanswered = false;
    }
}
