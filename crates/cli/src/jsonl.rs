//! One object a line for each stage, event and step, as they happen.

use std::io::{self, Write};

use porpoise::trace::{ProtocolStage, Record, StageId, TraceEvent, TraceSink};
use serde::Serialize;
use serde_json::ser::{Formatter, Serializer};

use crate::report::Report;

/// Prints what a trace tells. The lines are those of [`Record`].
pub(crate) struct Lines<W> {
    record: Record,
    out: W,
}

impl<W: Write> Lines<W> {
    pub(crate) fn new(out: W) -> Self {
        Self { record: Record::new(), out }
    }

    fn print(&mut self) {
        for entry in self.record.take() {
            // A reader that has gone is noticed at the step's line.
            let _ = writeln!(self.out, "{entry}");
        }
        let _ = self.out.flush();
    }
}

impl<W: Write> TraceSink for Lines<W> {
    fn on(&self) -> bool {
        true
    }

    fn enter(&mut self, stage: StageId) {
        self.record.enter(stage);
        self.print();
    }

    fn event(&mut self, stage: ProtocolStage, event: &TraceEvent<'_>) {
        self.record.event(stage, event);
        self.print();
    }
}

/// The result of a connect.
#[derive(Serialize)]
struct Step<'a> {
    t: &'static str,
    step: &'static str,
    rc: u8,
    errno: u16,
    sqlstate: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tls: Option<bool>,
}

pub(crate) fn step(out: &mut impl Write, report: &Report) -> io::Result<()> {
    let fault = report.error.as_ref();
    let step = Step {
        t: "step",
        step: "connect",
        rc: u8::from(fault.is_some()),
        errno: fault.map_or(0, |fault| fault.errno),
        sqlstate: fault.map_or("00000", |fault| &fault.sqlstate),
        error: fault.map(|fault| &*fault.message),
        tls: report.connected.then_some(report.tls.is_some()),
    };
    step.serialize(&mut Serializer::with_formatter(&mut *out, Spaced))?;
    writeln!(out)?;
    out.flush()
}

/// The line's shape is that of the trace's lines: a blank after each comma and colon.
pub(crate) struct Spaced;

impl Formatter for Spaced {
    fn begin_object_key<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        if first { Ok(()) } else { out.write_all(b", ") }
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        out.write_all(b": ")
    }
}

#[cfg(test)]
mod tests {
    use porpoise::trace::MachineKind;

    use super::*;
    use crate::report::samples;

    #[test]
    fn lines_come_at_once() {
        let mut out = Vec::new();
        let mut lines = Lines::new(&mut out);
        lines.enter(StageId::new(MachineKind::Connect, 5, "READ_GREETING"));
        lines.event(ProtocolStage::WaitForInitPacket, &TraceEvent::ReadPacket);
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "{\"t\": \"stage\", \"n\": 5, \"name\": \"READ_GREETING\"}\n\
             {\"t\": \"event\", \"stage\": \"WAIT_FOR_INIT_PACKET\", \"event\": \"READ_PACKET\"}\n"
        );
    }

    #[test]
    fn steps() {
        let line = |report: &Report| {
            let mut out = Vec::new();
            step(&mut out, report).unwrap();
            String::from_utf8(out).unwrap()
        };
        assert_eq!(
            line(&samples::connected()),
            "{\"t\": \"step\", \"step\": \"connect\", \"rc\": 0, \"errno\": 0, \"sqlstate\": \"00000\", \"tls\": true}\n"
        );
        assert_eq!(
            line(&samples::failed()),
            "{\"t\": \"step\", \"step\": \"connect\", \"rc\": 1, \"errno\": 2013, \"sqlstate\": \"HY000\", \
             \"error\": \"the stage's deadline of 500ms passed\"}\n"
        );
    }
}
