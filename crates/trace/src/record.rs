//! A recorder: what a trace tells, kept as values and written as lines.

use std::fmt::{self, Write as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::{
    Flow, MachineKind, Payload, ProtocolStage, StageId, Subscriber, TraceEvent, TraceEventKind, TraceSink,
    Tracing, XEvent,
};

/// One line of a record.
///
/// It holds what can be compared between runs: lengths of the greeting and of authentication packets are left
/// out, because they depend on versions, attributes and secrets. No payload byte is kept but the first one of a
/// received packet.
///
/// `Display` writes the line as JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RecordEntry {
    /// A machine entered a stage.
    #[non_exhaustive]
    Stage {
        /// The machine.
        machine: MachineKind,
        /// The stage's number.
        number: u8,
        /// The stage's name.
        name: &'static str,
    },
    /// A trace event happened.
    #[non_exhaustive]
    Event {
        /// The protocol stage in which it happened.
        stage: ProtocolStage,
        /// Which event.
        kind: TraceEventKind,
        /// AUTH_PLUGIN: the plugin's name.
        plugin_name: Option<String>,
        /// SEND_COMMAND: the command byte.
        cmd: Option<u8>,
        /// SEND_COMMAND: the command's name.
        cmd_name: Option<&'static str>,
        /// SEND_COMMAND: the length of the fixed part.
        hdr_len: Option<usize>,
        /// The length of the payload.
        pkt_len: Option<usize>,
        /// PACKET_RECEIVED: the first byte of the payload.
        first: Option<u8>,
        /// ERROR: the error number.
        errno: Option<u16>,
    },
    /// An event of the X Protocol happened.
    #[non_exhaustive]
    X {
        /// The state in which it happened.
        state: &'static str,
        /// Which event.
        event: &'static str,
        /// MECHANISM: the mechanism; MESSAGE_SENT, MESSAGE_RECEIVED: the message's name.
        name: Option<String>,
        /// MESSAGE_SENT, MESSAGE_RECEIVED: the frame's type byte.
        kind: Option<u8>,
        /// MESSAGE_SENT, MESSAGE_RECEIVED: the length of the payload, unless it is sensitive.
        len: Option<usize>,
        /// ERROR: the error number.
        errno: Option<u16>,
    },
}

impl RecordEntry {
    fn stage(stage: StageId) -> Self {
        Self::Stage { machine: stage.machine, number: stage.number, name: stage.name }
    }

    fn x_event(state: StageId, event: &XEvent<'_>) -> Self {
        let (mut name, mut kind, mut len, mut number) = (None, None, None, None);
        match event {
            XEvent::Mechanism { name: mechanism } => name = Some((*mechanism).to_owned()),
            XEvent::MessageSent(message) | XEvent::MessageReceived(message) => {
                name = Some(message.name.to_owned());
                kind = Some(message.kind);
                len = (!message.payload.is_sensitive()).then_some(message.payload.len());
            }
            XEvent::Error { errno } => number = Some(*errno),
            XEvent::Connecting
            | XEvent::Connected
            | XEvent::TlsConnect
            | XEvent::TlsConnected
            | XEvent::Authenticated
            | XEvent::Disconnected => {}
        }
        Self::X { state: state.name, event: event.name(), name, kind, len, errno: number }
    }

    /// `hidden`: the packet being sent is a command whose length is not told.
    fn event(at: ProtocolStage, event: &TraceEvent<'_>, hidden: bool) -> Self {
        let (mut name, mut command, mut hdr_len, mut pkt_len) = (None, None, None, None);
        let (mut first, mut number) = (None, None);
        let told = |pkt: &Payload<'_>| (!pkt.is_sensitive()).then_some(pkt.len());
        let authenticating = at < ProtocolStage::ReadyForCommand;
        match event {
            TraceEvent::Error { errno } => number = Some(*errno),
            TraceEvent::AuthPlugin { plugin_name } => name = Some((*plugin_name).to_owned()),
            TraceEvent::SendCommand { cmd, cmd_name, hdr, pkt } => {
                command = Some((*cmd, *cmd_name));
                hdr_len = Some(hdr.len());
                pkt_len = told(pkt);
            }
            TraceEvent::SendFile { pkt } => pkt_len = told(pkt).filter(|len| *len > 0),
            TraceEvent::PacketReceived { pkt } => {
                pkt_len = told(pkt).filter(|_| !authenticating);
                first = event.first();
            }
            TraceEvent::PacketSent { pkt_len: len } => pkt_len = (!authenticating && !hidden).then_some(*len),
            TraceEvent::Connecting
            | TraceEvent::Connected
            | TraceEvent::Disconnected
            | TraceEvent::SendSslRequest { .. }
            | TraceEvent::SslConnect
            | TraceEvent::SslConnected
            | TraceEvent::InitPacketReceived { .. }
            | TraceEvent::SendAuthResponse { .. }
            | TraceEvent::SendAuthData { .. }
            | TraceEvent::Authenticated
            | TraceEvent::ReadPacket => {}
        }
        Self::Event {
            stage: at,
            kind: event.kind(),
            plugin_name: name,
            cmd: command.map(|(cmd, _)| cmd),
            cmd_name: command.map(|(_, cmd_name)| cmd_name),
            hdr_len,
            pkt_len,
            first,
            errno: number,
        }
    }
}

impl fmt::Display for RecordEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stage { number, name, .. } => {
                write!(f, "{{\"t\": \"stage\", \"n\": {number}, \"name\": \"{name}\"}}")
            }
            Self::Event { stage, kind, plugin_name, cmd, cmd_name, hdr_len, pkt_len, first, errno } => {
                write!(f, "{{\"t\": \"event\", \"stage\": \"{stage}\", \"event\": \"{kind}\"")?;
                if let Some(name) = plugin_name {
                    write!(f, ", \"plugin_name\": {}", JsonString(name))?;
                }
                if let (Some(cmd), Some(name)) = (cmd, cmd_name) {
                    write!(f, ", \"cmd\": {cmd}, \"cmd_name\": \"{name}\"")?;
                }
                if let Some(len) = hdr_len {
                    write!(f, ", \"hdr_len\": {len}")?;
                }
                if let Some(len) = pkt_len {
                    write!(f, ", \"pkt_len\": {len}")?;
                }
                if let Some(first) = first {
                    write!(f, ", \"first\": \"{first:02x}\"")?;
                }
                if let Some(errno) = errno {
                    write!(f, ", \"errno\": {errno}")?;
                }
                f.write_char('}')
            }
            Self::X { state, event, name, kind, len, errno } => {
                write!(f, "{{\"t\": \"x_event\", \"state\": \"{state}\", \"event\": \"{event}\"")?;
                if let Some(name) = name {
                    write!(f, ", \"name\": {}", JsonString(name))?;
                }
                if let Some(kind) = kind {
                    write!(f, ", \"type\": {kind}")?;
                }
                if let Some(len) = len {
                    write!(f, ", \"len\": {len}")?;
                }
                if let Some(errno) = errno {
                    write!(f, ", \"errno\": {errno}")?;
                }
                f.write_char('}')
            }
        }
    }
}

/// A string between quotes, escaped as JSON wants it. Names of plugins come from the server.
struct JsonString<'a>(&'a str);

impl fmt::Display for JsonString<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        for letter in self.0.chars() {
            match letter {
                '"' | '\\' => write!(f, "\\{letter}")?,
                control if u32::from(control) < 0x20 => write!(f, "\\u{:04x}", u32::from(control))?,
                other => f.write_char(other)?,
            }
        }
        f.write_char('"')
    }
}

/// Keeps what a trace tells. Clones share what they keep.
///
/// It is a [`TraceSink`] by itself, and a [`Subscriber`] that writes the connections of a bus one after another.
#[derive(Clone, Debug, Default)]
pub struct Record {
    kept: Arc<Mutex<Kept>>,
}

#[derive(Debug, Default)]
struct Kept {
    entries: Vec<RecordEntry>,
    /// The last command's length was withheld, so that of its PACKET_SENT is, too.
    hidden: bool,
}

impl Record {
    /// A record without entries.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The entries so far.
    #[must_use]
    pub fn entries(&self) -> Vec<RecordEntry> {
        self.lock().entries.clone()
    }

    /// The entries so far, which the record forgets.
    #[must_use]
    pub fn take(&self) -> Vec<RecordEntry> {
        std::mem::take(&mut self.lock().entries)
    }

    /// The entries as lines of JSON, each with its line feed.
    #[must_use]
    pub fn to_jsonl(&self) -> String {
        let mut out = String::new();
        for entry in &self.lock().entries {
            // Writing to a string cannot fail.
            let _ = writeln!(out, "{entry}");
        }
        out
    }

    /// Changes of the protocol stage that neither the documentation nor the reference client knows.
    ///
    /// Changes are counted between consecutive events; after the event DISCONNECTED only CONNECTING may follow.
    #[must_use]
    pub fn illegal_edges(&self) -> Vec<(ProtocolStage, ProtocolStage)> {
        let mut illegal = Vec::new();
        let mut last = None;
        for entry in &self.lock().entries {
            let RecordEntry::Event { stage, kind, .. } = entry else { continue };
            if let Some(from) = last
                && !legal(from, *stage)
            {
                illegal.push((from, *stage));
            }
            last = Some(match kind {
                TraceEventKind::Disconnected => ProtocolStage::Disconnected,
                _ => *stage,
            });
        }
        illegal
    }

    fn push_event(&self, stage: ProtocolStage, event: &TraceEvent<'_>) {
        let mut kept = self.lock();
        if let TraceEvent::SendCommand { pkt, .. } = event {
            kept.hidden = pkt.is_sensitive();
        }
        let entry = RecordEntry::event(stage, event, kept.hidden);
        kept.entries.push(entry);
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn legal(from: ProtocolStage, to: ProtocolStage) -> bool {
    match from {
        ProtocolStage::Disconnected => to == ProtocolStage::Connecting,
        _ => from == to || from.documented_next().contains(&to) || from.observed_next().contains(&to),
    }
}

impl TraceSink for Record {
    fn on(&self) -> bool {
        true
    }

    fn enter(&mut self, stage: StageId) {
        self.lock().entries.push(RecordEntry::stage(stage));
    }

    fn event(&mut self, stage: ProtocolStage, event: &TraceEvent<'_>) {
        self.push_event(stage, event);
    }

    fn x_event(&mut self, state: StageId, event: &XEvent<'_>) {
        self.lock().entries.push(RecordEntry::x_event(state, event));
    }
}

impl Tracing for Record {
    fn connect_stage(&mut self, stage: StageId) -> Flow {
        self.enter(stage);
        Flow::Continue
    }

    fn trace_event(&mut self, stage: ProtocolStage, event: &TraceEvent<'_>) -> Flow {
        self.push_event(stage, event);
        Flow::Continue
    }

    fn x_event(&mut self, state: StageId, event: &XEvent<'_>) -> Flow {
        TraceSink::x_event(self, state, event);
        Flow::Continue
    }
}

impl Subscriber for Record {
    fn tracing_start(&self, _: u64, _: ProtocolStage) -> Option<Box<dyn Tracing>> {
        Some(Box::new(self.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::{Record, RecordEntry};
    use crate::{MachineKind, Payload, ProtocolStage, StageId, TraceEvent, TraceSink, XEvent, XMessage};

    const COM_PING: u8 = 0x0E;
    const COM_CHANGE_USER: u8 = 0x11;

    fn line(stage: ProtocolStage, event: &TraceEvent<'_>) -> String {
        let mut record = Record::new();
        record.event(stage, event);
        record.to_jsonl()
    }

    #[test]
    fn lines_have_the_fields_and_order_of_the_recordings() {
        let mut record = Record::new();
        let (nothing, four) = (Payload::open(b""), Payload::open(b"\xFFabc"));
        record.enter(StageId::new(MachineKind::Connect, 5, "READ_GREETING"));
        record.event(ProtocolStage::WaitForInitPacket, &TraceEvent::PacketReceived { pkt: four });
        record.event(ProtocolStage::Authenticate, &TraceEvent::AuthPlugin { plugin_name: "sha256_password" });
        record.event(ProtocolStage::Authenticate, &TraceEvent::PacketSent { pkt_len: 7 });
        let ping =
            TraceEvent::SendCommand { cmd: COM_PING, cmd_name: "COM_PING", hdr: nothing, pkt: nothing };
        record.event(ProtocolStage::ReadyForCommand, &ping);
        record.event(ProtocolStage::ReadyForCommand, &TraceEvent::PacketSent { pkt_len: 0 });
        record.event(ProtocolStage::WaitForResult, &TraceEvent::PacketReceived { pkt: four });
        record.event(ProtocolStage::Authenticate, &TraceEvent::Error { errno: 2061 });
        assert_eq!(
            record.to_jsonl(),
            r#"{"t": "stage", "n": 5, "name": "READ_GREETING"}
{"t": "event", "stage": "WAIT_FOR_INIT_PACKET", "event": "PACKET_RECEIVED", "first": "ff"}
{"t": "event", "stage": "AUTHENTICATE", "event": "AUTH_PLUGIN", "plugin_name": "sha256_password"}
{"t": "event", "stage": "AUTHENTICATE", "event": "PACKET_SENT"}
{"t": "event", "stage": "READY_FOR_COMMAND", "event": "SEND_COMMAND", "cmd": 14, "cmd_name": "COM_PING", "hdr_len": 0, "pkt_len": 0}
{"t": "event", "stage": "READY_FOR_COMMAND", "event": "PACKET_SENT", "pkt_len": 0}
{"t": "event", "stage": "WAIT_FOR_RESULT", "event": "PACKET_RECEIVED", "pkt_len": 4, "first": "ff"}
{"t": "event", "stage": "AUTHENTICATE", "event": "ERROR", "errno": 2061}
"#
        );
    }

    #[test]
    fn lengths_of_change_user_are_left_out() {
        let mut record = Record::new();
        let (hdr, pkt) = (Payload::open(b""), Payload::sensitive(b"user"));
        let command = TraceEvent::SendCommand { cmd: COM_CHANGE_USER, cmd_name: "COM_CHANGE_USER", hdr, pkt };
        record.event(ProtocolStage::ReadyForCommand, &command);
        record.event(ProtocolStage::ReadyForCommand, &TraceEvent::PacketSent { pkt_len: 4 });
        let command = TraceEvent::SendCommand { cmd: COM_PING, cmd_name: "COM_PING", hdr, pkt: hdr };
        record.event(ProtocolStage::ReadyForCommand, &command);
        record.event(ProtocolStage::ReadyForCommand, &TraceEvent::PacketSent { pkt_len: 0 });
        let lengths: Vec<_> = record.to_jsonl().lines().map(|line| line.contains("pkt_len")).collect();
        assert_eq!(lengths, [false, false, true, true]);
    }

    #[test]
    fn the_closing_packet_of_a_file_has_no_length() {
        let block = TraceEvent::SendFile { pkt: Payload::open(b"1,a\n2,b\n") };
        let end = TraceEvent::SendFile { pkt: Payload::open(b"") };
        assert!(line(ProtocolStage::FileRequest, &block).ends_with("\"SEND_FILE\", \"pkt_len\": 8}\n"));
        assert!(line(ProtocolStage::FileRequest, &end).ends_with("\"SEND_FILE\"}\n"));
    }

    #[test]
    fn secrets_leave_no_byte() {
        let pkt = Payload::sensitive(b"\x41secret");
        for event in [
            TraceEvent::SendAuthResponse { pkt },
            TraceEvent::SendAuthData { pkt },
            TraceEvent::SendCommand { cmd: COM_CHANGE_USER, cmd_name: "COM_CHANGE_USER", hdr: pkt, pkt },
        ] {
            let mut record = Record::new();
            record.event(ProtocolStage::Authenticate, &event);
            let shown = format!("{} {record:?}", record.to_jsonl());
            assert!(!shown.contains("secret") && !shown.contains("41") && !shown.contains("65"), "{shown}");
        }
    }

    #[test]
    fn names_from_the_server_are_escaped() {
        let event = TraceEvent::AuthPlugin { plugin_name: "a\"b\\c\nd\u{e9}" };
        assert!(line(ProtocolStage::Authenticate, &event).ends_with("\"a\\\"b\\\\c\\u000ad\u{e9}\"}\n"));
    }

    #[test]
    fn messages_of_the_x_protocol_keep_their_name_and_length() {
        let mut record = Record::new();
        let state = StageId::new(MachineKind::X, 5, "SESSION");
        let message = |payload| XMessage::new(4, "Mysqlx.Session.AuthenticateStart", payload);
        for event in [
            XEvent::MessageSent(message(Payload::sensitive(b"hunter2"))),
            XEvent::MessageReceived(XMessage::new(17, "Mysqlx.Sql.StmtExecuteOk", Payload::open(b""))),
            XEvent::Mechanism { name: "PLAIN" },
            XEvent::Error { errno: 2013 },
        ] {
            TraceSink::x_event(&mut record, state, &event);
        }
        assert_eq!(
            record.to_jsonl(),
            r#"{"t": "x_event", "state": "SESSION", "event": "MESSAGE_SENT", "name": "Mysqlx.Session.AuthenticateStart", "type": 4}
{"t": "x_event", "state": "SESSION", "event": "MESSAGE_RECEIVED", "name": "Mysqlx.Sql.StmtExecuteOk", "type": 17, "len": 0}
{"t": "x_event", "state": "SESSION", "event": "MECHANISM", "name": "PLAIN"}
{"t": "x_event", "state": "SESSION", "event": "ERROR", "errno": 2013}
"#
        );
    }

    #[test]
    fn a_change_that_no_graph_has_is_found() {
        let mut record = Record::new();
        record.event(ProtocolStage::Connecting, &TraceEvent::Connecting);
        record.event(ProtocolStage::Connecting, &TraceEvent::Connected);
        record.event(ProtocolStage::WaitForInitPacket, &TraceEvent::ReadPacket);
        record.event(ProtocolStage::ReadyForCommand, &TraceEvent::Disconnected);
        record.event(ProtocolStage::Connecting, &TraceEvent::Connecting);
        assert_eq!(record.illegal_edges(), []);
        record.event(ProtocolStage::WaitForRow, &TraceEvent::Disconnected);
        record.event(ProtocolStage::WaitForRow, &TraceEvent::ReadPacket);
        assert_eq!(
            record.illegal_edges(),
            [
                (ProtocolStage::Connecting, ProtocolStage::WaitForRow),
                (ProtocolStage::Disconnected, ProtocolStage::WaitForRow),
            ]
        );
    }

    #[test]
    fn clones_share_and_take_forgets() {
        let mut record = Record::new();
        let reader = record.clone();
        record.enter(StageId::new(MachineKind::Connect, 6, "PARSE_HANDSHAKE"));
        assert!(matches!(reader.entries()[..], [RecordEntry::Stage { number: 6, .. }]));
        assert_eq!(reader.take().len(), 1);
        assert!(record.entries().is_empty());
    }
}
