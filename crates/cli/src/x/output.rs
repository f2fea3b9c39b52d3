//! Where messages, states and results go, in the order in which things happen.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use porpoise::trace::{ProtocolStage, StageId, TraceEvent, TraceSink, XEvent, XMessage};
use serde::Serialize;
use serde_json::ser::Serializer;

use super::reply::Outcome;
use super::text::Text;
use super::text_format::{self, Shown};
use crate::args::RunFormat;
use crate::jsonl::Spaced;

/// A sink and a printer in one, so that all is told in its order.
#[derive(Clone)]
pub(crate) struct Output(Arc<Mutex<Inner>>);

struct Inner {
    out: Box<dyn Write + Send>,
    format: RunFormat,
    /// Messages are shown.
    traced: bool,
    /// Messages that come in are, as that is what a command is for.
    wanted: bool,
    flights: Flights,
    seen: Seen,
    text: Text,
    /// What could not be written.
    error: Option<io::Error>,
}

/// Numbers writes: one belongs to a new flight if input was waited for since the last. What was read counts, not how long the
/// socket took, so that a script has the same flights each time.
#[derive(Clone, Copy, Debug, Default)]
struct Flights {
    last: u32,
    waited: bool,
}

impl Flights {
    fn sent(&mut self) -> u32 {
        // What came before anything was sent was not waited for.
        let waited = std::mem::take(&mut self.waited);
        self.last += u32::from(waited || self.last == 0);
        self.last
    }

    fn received(&mut self) -> u32 {
        self.waited = true;
        self.last
    }
}

/// Messages that came, but for those that others travel in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) count: u64,
    /// The last one's name.
    pub(crate) name: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dir {
    Out,
    In,
}

impl Dir {
    const fn name(self) -> &'static str {
        match self {
            Self::Out => "out",
            Self::In => "in",
        }
    }
}

/// The line of a message.
#[derive(Serialize)]
struct Message<'a> {
    t: &'static str,
    dir: &'static str,
    name: &'a str,
    flight: u32,
    text: &'a str,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    inner: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<Payload<'a>>,
}

/// What a notice holds.
#[derive(Serialize)]
struct Payload<'a> {
    name: &'a str,
    text: &'a str,
}

#[derive(Serialize)]
struct State {
    t: &'static str,
    name: &'static str,
}

impl Output {
    /// `room`: columns of the terminal, if it goes to one.
    pub(crate) fn new(
        out: Box<dyn Write + Send>,
        format: RunFormat,
        trace: bool,
        room: Option<usize>,
    ) -> Self {
        Self(Arc::new(Mutex::new(Inner {
            out,
            format,
            traced: trace || format == RunFormat::Jsonl,
            wanted: false,
            flights: Flights::default(),
            seen: Seen::default(),
            text: Text::new(room),
            error: None,
        })))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Another connection begins.
    pub(crate) fn anew(&self) {
        self.lock().flights = Flights::default();
    }

    /// Input is waited for, whether or not any comes.
    pub(crate) fn waited(&self) {
        self.lock().flights.waited = true;
    }

    /// Whether messages that come in are to be shown in any case.
    pub(crate) fn want(&self, wanted: bool) {
        self.lock().wanted = wanted;
    }

    /// Messages that came so far.
    pub(crate) fn seen(&self) -> Seen {
        self.lock().seen.clone()
    }

    /// Shows for people what a part of a reply holds.
    pub(crate) fn event(&self, event: &porpoise::xproto::Event) {
        let mut inner = self.lock();
        if inner.format == RunFormat::Text {
            inner.write(|inner| inner.text.event(event, &mut inner.out));
        }
    }

    /// A text for people.
    pub(crate) fn text(&self, text: &str) {
        let mut inner = self.lock();
        if inner.format == RunFormat::Text {
            inner.write(|inner| writeln!(inner.out, "{text}"));
        }
    }

    /// The end of a command.
    pub(crate) fn outcome(&self, outcome: &Outcome) {
        let mut inner = self.lock();
        match inner.format {
            RunFormat::Jsonl => inner.line(&outcome.line()),
            RunFormat::Text => inner.write(|inner| inner.text.outcome(outcome, &mut inner.out)),
        }
    }

    /// What could not be written, if anything.
    pub(crate) fn finish(&self) -> io::Result<()> {
        let mut inner = self.lock();
        match inner.error.take() {
            Some(error) => Err(error),
            None => inner.out.flush(),
        }
    }
}

impl Inner {
    fn write(&mut self, write: impl FnOnce(&mut Self) -> io::Result<()>) {
        if let Err(error) = write(self).and_then(|()| self.out.flush()) {
            self.error.get_or_insert(error);
        }
    }

    fn line(&mut self, line: &impl Serialize) {
        self.write(|inner| {
            line.serialize(&mut Serializer::with_formatter(&mut inner.out, Spaced))?;
            writeln!(inner.out)
        });
    }

    fn message(&mut self, dir: Dir, message: &XMessage<'_>) {
        let bytes = message.payload.bytes().unwrap_or_default();
        let (name, shown) = match text_format::show(message.name, bytes) {
            Some(shown) => (message.name, shown),
            None => ("bytes", Shown { text: hex(bytes), payload: None }),
        };
        let hello = matches!(&shown.payload, Some((name, _)) if *name == "Mysqlx.Notice.ServerHello");
        let flight = match dir {
            Dir::Out => self.flights.sent(),
            Dir::In => self.flights.received(),
        };
        if dir == Dir::In && message.name != "Mysqlx.Connection.Compression" {
            self.seen = Seen { count: self.seen.count + 1, name };
        }
        let line = Message {
            t: "message",
            dir: dir.name(),
            name,
            // Nobody waits for it.
            flight: if hello { 0 } else { flight },
            text: &shown.text,
            inner: message.inner,
            payload: shown.payload.as_ref().map(|(name, text)| Payload { name, text }),
        };
        match self.format {
            RunFormat::Jsonl => self.line(&line),
            RunFormat::Text if self.traced || (self.wanted && dir == Dir::In) => {
                self.write(|inner| Text::message(dir, name, line.flight, &shown, &mut inner.out));
            }
            RunFormat::Text => {}
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

impl TraceSink for Output {
    fn on(&self) -> bool {
        true
    }

    fn enter(&mut self, state: StageId) {
        let mut inner = self.lock();
        match inner.format {
            RunFormat::Jsonl => inner.line(&State { t: "state", name: state.name }),
            RunFormat::Text if inner.traced => {
                inner.write(|inner| Text::state(state.name, &mut inner.out));
            }
            RunFormat::Text => {}
        }
    }

    fn event(&mut self, _: ProtocolStage, _: &TraceEvent<'_>) {}

    fn x_event(&mut self, _: StageId, event: &XEvent<'_>) {
        match event {
            XEvent::MessageSent(message) => self.lock().message(Dir::Out, message),
            XEvent::MessageReceived(message) => self.lock().message(Dir::In, message),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_after_waiting_begins_a_flight() {
        let mut flights = Flights::default();
        // The server may greet before anything is sent.
        assert_eq!(flights.received(), 0);
        assert_eq!((flights.sent(), flights.sent(), flights.received()), (1, 1, 1));
        assert_eq!((flights.received(), flights.sent(), flights.sent()), (1, 2, 2));
    }
}
