use std::collections::VecDeque;

use porpoise_trace::{Payload, ProtocolStage, TraceEvent, TraceSink};
use porpoise_wire::{Cx, Framer, Limits, Lost, Machine, Step, TlsInfo};

use crate::columns::Collector;
use crate::error::{ClassicError, ClassicErrorKind};
use crate::execute::flags_are_flags;
use crate::pipeline::Queued;
use crate::state::State;
use crate::{CapabilityFlags, Columns, Event, StatusFlags};

/// What a session goes on from: the outcome of connecting, or of changing the user.
#[derive(Debug)]
#[non_exhaustive]
pub struct SessionSeed {
    /// The framer, with its sequence ids, and with compression if there is any.
    pub framer: Framer,
    /// What both sides agreed on.
    pub capabilities: CapabilityFlags,
    /// The server's status.
    pub status: StatusFlags,
    /// The id of the connection's collation.
    pub charset: u16,
    /// The server's number of the connection, as KILL takes it.
    pub connection_id: u32,
    /// The server's version as it tells it.
    pub server_version: Box<str>,
    /// What the server may make this side hold.
    pub limits: Limits,
}

impl SessionSeed {
    /// A seed without status, connection id and version, whose collation is utf8mb4_general_ci.
    #[must_use]
    pub fn new(framer: Framer, capabilities: CapabilityFlags, limits: Limits) -> Self {
        Self {
            framer,
            capabilities,
            status: StatusFlags::SERVER_STATUS_AUTOCOMMIT,
            charset: 45,
            connection_id: 0,
            server_version: Box::default(),
            limits,
        }
    }
}

/// The command phase: sends commands, reads replies.
///
/// ```text
///            query                      OK, ERR
///   idle ------------> first packet ------------------> idle
///    ^                  |   ^   | 0xFB: the file is sent or refused, then OK or ERR
///    |     column count |   | more results
///    |                  v   |
///    |        column definitions -----> rows ---+
///    |                          ERR, end        |
///    +------------------------------------------+
/// ```
///
/// The commands only append to [`Cx::tx`] and are refused while a reply is owed, unless they are
/// [pipelined](Self::set_pipelining). The reply comes from [`advance`](Machine::advance), event by event, until it
/// answers [`Step::Idle`]. A `Session` must see every byte that was received, in order, and all it appends to `tx`
/// must be sent, in order.
///
/// An ERR packet is an event, and the session lives on. What is no legal reply is an error, which is final.
#[derive(Debug)]
pub struct Session {
    pub(crate) framer: Framer,
    pub(crate) capabilities: CapabilityFlags,
    pub(crate) status: StatusFlags,
    pub(crate) charset: u16,
    connection_id: u32,
    server_version: Box<str>,
    pub(crate) limits: Limits,
    pub(crate) state: State,
    /// READ_PACKET was told for the packet that is awaited.
    pub(crate) read_told: bool,
    /// Batches hold one row while a trace listens.
    pub(crate) row_by_row: bool,
    /// DISCONNECTED was told, for a dump of the binary log: nothing more is.
    pub(crate) untraced: bool,
    /// The server serves no more commands: an ERR came while no reply was owed, or it dumped its binary log.
    pub(crate) served_out: bool,
    pub(crate) flags_are_flags: bool,
    /// The columns of the last result set.
    pub(crate) columns: Columns,
    /// The columns that the result that is awaited has if the server does not define them; none if nobody knows.
    pub(crate) cached: Columns,
    pub(crate) collector: Collector,
    /// Rows of more bytes come in parts.
    pub(crate) stream_over: Option<usize>,
    pub(crate) pipelining: bool,
    /// Replies that are owed behind the one that is being read.
    pub(crate) queue: VecDeque<Queued>,
    /// How many commands were sent.
    pub(crate) sent: u32,
    /// Which of them is being replied to.
    pub(crate) replied: u32,
    /// The next command may be asked for a file.
    pub(crate) infile_armed: bool,
    /// The command that is being replied to may be asked for one.
    pub(crate) infile_allowed: bool,
}

impl Session {
    /// A session that goes on from there. No reply is owed.
    #[must_use]
    pub fn resume(seed: SessionSeed) -> Self {
        let SessionSeed { mut framer, capabilities, status, charset, connection_id, server_version, limits } =
            seed;
        framer.set_max_packet(limits.max_packet);
        let flags_are_flags = flags_are_flags(&server_version);
        Self {
            framer,
            capabilities,
            status,
            charset,
            connection_id,
            server_version,
            limits,
            state: State::Idle,
            read_told: false,
            row_by_row: false,
            untraced: false,
            served_out: false,
            flags_are_flags,
            columns: Columns::default(),
            cached: Columns::default(),
            collector: Collector::default(),
            stream_over: None,
            pipelining: false,
            queue: VecDeque::new(),
            sent: 0,
            replied: 0,
            infile_armed: false,
            infile_allowed: false,
        }
    }

    /// What is needed to go on elsewhere, as COM_CHANGE_USER does. Ask [`is_idle`](Self::is_idle) before: a reply
    /// that is still owed would be taken for another one.
    #[must_use]
    pub fn into_seed(self) -> SessionSeed {
        let Self { framer, capabilities, status, charset, connection_id, server_version, limits, .. } = self;
        SessionSeed { framer, capabilities, status, charset, connection_id, server_version, limits }
    }

    /// What both sides agreed on.
    #[must_use]
    pub const fn capabilities(&self) -> CapabilityFlags {
        self.capabilities
    }

    /// The server's status as it told it last.
    #[must_use]
    pub const fn status(&self) -> StatusFlags {
        self.status
    }

    /// The id of the connection's collation. Follows what the server tells about `character_set_client`;
    /// COM_RESET_CONNECTION changes it untold, to a default of the server's.
    #[must_use]
    pub const fn charset(&self) -> u16 {
        self.charset
    }

    /// The server's number of the connection, as KILL takes it.
    #[must_use]
    pub const fn connection_id(&self) -> u32 {
        self.connection_id
    }

    /// The server's version as it tells it.
    #[must_use]
    pub const fn server_version(&self) -> &str {
        &self.server_version
    }

    /// What the server may make this side hold.
    #[must_use]
    pub const fn limits(&self) -> Limits {
        self.limits
    }

    /// The protocol stage, as a trace has it.
    #[must_use]
    pub const fn protocol_stage(&self) -> ProtocolStage {
        self.state.stage()
    }

    /// Whether no reply is owed and a command may be sent.
    #[inline]
    #[must_use]
    pub const fn is_idle(&self) -> bool {
        matches!(self.state, State::Idle)
    }

    /// Whether no received bytes are left in it, which compressed frames can leave.
    #[inline]
    #[must_use]
    pub fn is_drained(&self) -> bool {
        self.framer.is_drained()
    }

    /// How many bytes compressed frames held in all; 0 without compression.
    #[must_use]
    pub fn inflated(&self) -> u64 {
        self.framer.inflated()
    }

    /// Whether the first packet of a reply is what it waits for.
    #[inline]
    #[must_use]
    pub fn awaits_reply(&self) -> bool {
        matches!(self.state, State::Acknowledgement | State::Result(_)) && self.is_drained()
    }

    /// Whether another result of the same command follows.
    #[must_use]
    pub const fn has_more_results(&self) -> bool {
        self.status.contains(StatusFlags::SERVER_MORE_RESULTS_EXISTS)
    }

    /// While a trace listens: one row a batch, so that a row is told when it is asked for, not when it was received.
    /// For tools that show which row was read when.
    pub const fn set_row_by_row(&mut self, on: bool) {
        self.row_by_row = on;
    }

    /// Whether the server serves no more commands: it sent an ERR unasked, because it ends the connection, or has dumped its
    /// binary log.
    #[must_use]
    pub const fn is_out_of_step(&self) -> bool {
        self.served_out || self.framer.is_out_of_step()
    }

    /// Gives back the memory that it keeps for the next reply: column definitions, queues, codecs. Does nothing while a
    /// reply is owed.
    pub fn release_memory(&mut self) {
        if self.is_idle() {
            (self.columns, self.cached) = Default::default();
            self.collector = Collector::default();
            self.queue = VecDeque::new();
            self.framer.park();
        }
    }

    /// The transport was closed by this side: tells DISCONNECTED, once. To be called after COM_QUIT was written,
    /// or when the connection is given up without it.
    pub fn closed<T: TraceSink>(&mut self, cx: &mut Cx<'_, T>) {
        if !matches!(self.state, State::Closed | State::Failed(_)) {
            self.emit(cx, || TraceEvent::Disconnected);
            self.state = State::Closed;
        }
    }

    /// Whether somebody wants to be told.
    #[inline]
    pub(crate) fn is_traced<T: TraceSink>(&self, cx: &Cx<'_, T>) -> bool {
        cx.on() && !self.untraced
    }

    #[inline]
    pub(crate) fn emit<'e, T: TraceSink>(&self, cx: &mut Cx<'_, T>, make: impl FnOnce() -> TraceEvent<'e>) {
        self.emit_in(self.state.stage(), cx, make);
    }

    #[inline]
    pub(crate) fn emit_in<'e, T: TraceSink>(
        &self,
        stage: ProtocolStage,
        cx: &mut Cx<'_, T>,
        make: impl FnOnce() -> TraceEvent<'e>,
    ) {
        if self.is_traced(cx) {
            cx.emit(stage, make);
        }
    }

    /// Ends the session. Without a packet the reference tells no ERROR, because it drops the connection, and its
    /// trace, before it looks for the reason.
    #[cold]
    fn fail<T: TraceSink>(&mut self, error: &ClassicError, cx: &mut Cx<'_, T>) {
        if error.is_told() {
            self.emit(cx, || TraceEvent::Error { errno: error.client_error() });
        }
        self.emit(cx, || TraceEvent::Disconnected);
        self.state = State::Failed(error.clone());
    }
}

impl Machine for Session {
    type Event = Event;
    type Error = ClassicError;
    type Stage = ProtocolStage;

    #[inline(always)]
    fn advance<T: TraceSink>(&mut self, cx: &mut Cx<'_, T>) -> Result<Step<Event>, ClassicError> {
        let step = self.run(cx);
        if let Err(error) = &step
            && !matches!(self.state, State::Failed(_))
        {
            self.fail(error, cx);
        }
        step
    }

    /// Does nothing: TLS is the business of connecting.
    fn tls_ready<T: TraceSink>(&mut self, _: &TlsInfo, _: &mut Cx<'_, T>) {}

    fn lost<T: TraceSink>(&mut self, why: Lost, cx: &mut Cx<'_, T>) -> ClassicError {
        if let State::Failed(error) = &self.state {
            return error.clone();
        }
        // After COM_QUIT the end of the connection is no error, however it comes.
        let read = matches!(why, Lost::Read(_) | Lost::Closed);
        let told = !read && !matches!(self.state, State::Quitting);
        let error = ClassicError::new(self.protocol_stage(), ClassicErrorKind::Lost(why), told);
        if !matches!(self.state, State::Closed) {
            self.fail(&error, cx);
        }
        error
    }

    fn stage(&self) -> ProtocolStage {
        self.protocol_stage()
    }
}

/// An open payload as an event shows it.
#[inline]
pub(crate) const fn open(bytes: &[u8]) -> Payload<'_> {
    Payload::open(bytes)
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;
    use porpoise_trace::NoTrace;

    use super::*;

    fn session() -> Session {
        let limits = Limits::default();
        let mut seed = SessionSeed::new(Framer::new(limits), CapabilityFlags::CLIENT_PROTOCOL_41, limits);
        seed.capabilities.insert(CapabilityFlags::CLIENT_SESSION_TRACK);
        seed.connection_id = 7;
        seed.server_version = "9.7.4".into();
        Session::resume(seed)
    }

    /// Sends COM_PING and reads one reply.
    fn ping(session: &mut Session, reply: &[u8]) {
        let (mut rx, mut tx, mut trace) = (BytesMut::from(reply), BytesMut::new(), NoTrace);
        let mut cx = Cx::new(&mut rx, &mut tx, &mut trace);
        session.ping(&mut cx).unwrap();
        assert_eq!(session.protocol_stage(), ProtocolStage::WaitForResult);
        assert!(matches!(session.advance(&mut cx), Ok(Step::Event(Event::Ok(_)))));
    }

    #[test]
    fn status_and_character_set_follow_the_server() {
        let mut session = session();
        assert_eq!((session.charset(), session.status()), (45, StatusFlags::SERVER_STATUS_AUTOCOMMIT));
        // OK, status SESSION_STATE_CHANGED | IN_TRANS, no info, state: character_set_client = latin1
        let reply =
            b"\x27\x00\x00\x01\x00\x00\x00\x01\x40\x00\x00\x00\x1e\x00\x1c\x14character_set_client\x06latin1";
        ping(&mut session, reply);
        assert_eq!(session.charset(), 8);
        assert_eq!(session.status().bits(), 0x4001);
        // The character set it has already is no news: latin1_german1_ci stays.
        session.charset = 5;
        ping(&mut session, reply);
        assert_eq!(session.charset(), 5);
        session.charset = 8;
        // A character set that nobody knows changes nothing.
        let reply =
            b"\x24\x00\x00\x01\x00\x00\x00\x01\x40\x00\x00\x00\x1b\x00\x19\x14character_set_client\x03new";
        ping(&mut session, reply);
        assert_eq!(session.charset(), 8);
    }

    #[test]
    fn a_reply_of_one_packet_has_no_more_results() {
        let mut session = session();
        ping(&mut session, &[7, 0, 0, 1, 0, 0, 0, 0x0a, 0, 0, 0]);
        assert!(session.is_idle() && !session.has_more_results());
    }

    #[test]
    fn a_result_set_begins_a_transaction_unless_each_statement_is_one() {
        for (autocommit, begun) in [(0x02, 0x02), (0x00, 0x01)] {
            let mut session = session();
            ping(&mut session, &[7, 0, 0, 1, 0, 0, 0, autocommit, 0, 0, 0]);
            // one column
            let (mut rx, mut tx, mut trace) =
                (BytesMut::from(&[1, 0, 0, 1, 1][..]), BytesMut::new(), NoTrace);
            let mut cx = Cx::new(&mut rx, &mut tx, &mut trace);
            session.query("SELECT 1", &mut cx).unwrap();
            assert!(matches!(session.advance(&mut cx), Ok(Step::NeedRead { .. })));
            assert_eq!(session.status().bits(), begun);
        }
    }

    #[test]
    fn rows_can_be_told_one_by_one() {
        // one column, its definition, two rows, EOF
        let reply = b"\x01\x00\x00\x01\x01\x17\x00\x00\x02\x03def\x00\x00\x00\x01a\x00\x0c\x3f\x00\x02\x00\x00\x00\x08\x81\x00\x00\x00\x00\x05\x00\x00\x03\xfe\x00\x00\x02\x00\x02\x00\x00\x04\x011\x02\x00\x00\x05\x012";
        for (one, want) in [(true, [1, 1]), (false, [2, 0])] {
            let mut session = session();
            session.set_row_by_row(one);
            let mut trace = porpoise_trace::Record::new();
            let (mut rx, mut tx) = (BytesMut::from(&reply[..]), BytesMut::new());
            let mut cx = Cx::new(&mut rx, &mut tx, &mut trace);
            session.query("SELECT a", &mut cx).unwrap();
            let mut told = Vec::new();
            while let Ok(Step::Event(event)) = session.advance(&mut cx) {
                if let Event::Rows(rows) = event {
                    let received = cx
                        .trace
                        .to_jsonl()
                        .matches("\"WAIT_FOR_ROW\", \"event\": \"PACKET_RECEIVED\"")
                        .count();
                    told.push((rows.len(), received));
                }
            }
            let mut total = 0;
            for ((rows, received), want) in told.iter().zip(want) {
                total += rows;
                assert_eq!((*rows, *received), (want, total));
            }
            assert_eq!(total, 2);
        }
    }

    #[test]
    fn only_the_first_eof_of_out_parameters_says_that_more_follows() {
        let (mut rx, mut tx, mut trace) = (BytesMut::new(), BytesMut::new(), NoTrace);
        // one column, its definition
        rx.extend_from_slice(b"\x01\x00\x00\x01\x01\x17\x00\x00\x02\x03def\x00\x00\x00\x01b\x00\x0c");
        rx.extend_from_slice(b"\x3f\x00\x02\x00\x00\x00\x08\x81\x00\x00\x00\x00");
        // EOF, status PS_OUT_PARAMS | MORE_RESULTS | AUTOCOMMIT; one row
        rx.extend_from_slice(b"\x05\x00\x00\x03\xfe\x00\x00\x0a\x10");
        rx.extend_from_slice(b"\x0a\x00\x00\x04\x00\x00\x07\x00\x00\x00\x00\x00\x00\x00");
        // EOF, status AUTOCOMMIT; OK
        rx.extend_from_slice(
            b"\x05\x00\x00\x05\xfe\x00\x00\x02\x00\x07\x00\x00\x06\x00\x00\x00\x02\x00\x00\x00",
        );
        let mut session = session();
        let mut cx = Cx::new(&mut rx, &mut tx, &mut trace);
        session.stmt_execute(1, 0, &[], &mut cx).unwrap();
        let mut ends = Vec::new();
        while let Ok(Step::Event(event)) = session.advance(&mut cx) {
            match event {
                Event::End(end) => ends.push(end.status().bits()),
                Event::Ok(ok) => ends.push(ok.status().bits()),
                _ => {}
            }
        }
        assert_eq!(ends, [0x100a, 0x0002]);
        assert!(session.is_idle() && cx.rx.is_empty());
    }

    #[test]
    fn an_err_means_that_no_more_results_follow() {
        let mut session = session();
        // OK with MORE_RESULTS, then ERR 1317
        let bytes = b"\x07\x00\x00\x01\x00\x00\x00\x0a\x00\x00\x00\x09\x00\x00\x02\xff\x25\x05#70100";
        let (mut rx, mut tx, mut trace) = (BytesMut::from(&bytes[..]), BytesMut::new(), NoTrace);
        let mut cx = Cx::new(&mut rx, &mut tx, &mut trace);
        session.query("DO 1; SELECT 2", &mut cx).unwrap();
        assert!(matches!(session.advance(&mut cx), Ok(Step::Event(Event::Ok(_)))));
        assert!(session.has_more_results() && !session.is_idle());
        assert!(matches!(session.advance(&mut cx), Ok(Step::Event(Event::Err(_)))));
        assert!(!session.has_more_results() && session.is_idle());
    }

    #[test]
    fn a_session_goes_on_from_its_seed() {
        let session = session();
        assert_eq!((session.connection_id(), session.server_version()), (7, "9.7.4"));
        let again = Session::resume(session.into_seed());
        assert_eq!((again.connection_id(), again.server_version(), again.charset()), (7, "9.7.4", 45));
        assert!(again.is_idle());
        assert_eq!(again.stage(), ProtocolStage::ReadyForCommand);
    }
}
