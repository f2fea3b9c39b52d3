//! Replies: one packet, or one run of rows, at a time.

use bytes::BytesMut;
use porpoise_trace::{TraceEvent, TraceSink};
use porpoise_wire::{Cx, Frame, Step, WireError};

use crate::error::{ClassicError, ClassicErrorKind};
use crate::event::{ColumnsChanged, InfileRefused, OkReply, ResultEnd};
use crate::packets::{is_end, is_row};
use crate::row::{Encoding, RowBatch};
use crate::session::{Session, open};
use crate::state::State;
use crate::{
    CapabilityFlags, Collation, Columns, EofPacket, ErrPacket, Event, LocalInfileRequest, OkPacket,
    ResultSetHeader, StateChange, StatusFlags,
};

/// What came of a packet. The same type as that of `advance`, so that an event is written where it is wanted and not moved.
pub(crate) type Read = Result<Step<Event>, ClassicError>;

/// Nothing came of it: look again. No reader is ever asked for no bytes.
pub(crate) const AGAIN: Step<Event> = Step::NeedRead { at_least: 0 };

/// The name of a system variable that a session follows.
const CHARACTER_SET_CLIENT: &[u8] = b"character_set_client";

/// Servers send some 150 bytes.
const MAX_STATISTICS: usize = 64 << 10;

impl Session {
    /// What is asked for most often goes the shortest way. One function, which writes what it gives where its caller's caller
    /// wants it.
    #[inline(never)]
    pub(crate) fn run<T: TraceSink>(&mut self, cx: &mut Cx<'_, T>) -> Read {
        match self.state {
            State::Idle if cx.rx.is_empty() && self.framer.is_drained() => Ok(Step::Idle),
            State::Acknowledgement => self.packet(cx),
            State::RowsEnd(_) => {
                if self.is_traced(cx) {
                    self.packet(cx)
                } else {
                    self.untold_end(cx)
                }
            }
            State::Rows(encoding) if self.stream_over.is_none() => {
                if self.is_traced(cx) {
                    self.rows(encoding, usize::MAX, cx)
                } else {
                    self.untold_rows(encoding, usize::MAX, cx)
                }
            }
            State::Result(encoding) => {
                if self.is_traced(cx) {
                    self.steps(cx)
                } else {
                    self.untold_result(encoding, cx)
                }
            }
            _ => self.steps(cx),
        }
    }

    /// Reads until there is something to say.
    fn steps<T: TraceSink>(&mut self, cx: &mut Cx<'_, T>) -> Read {
        loop {
            let step = match self.state {
                State::Quitting | State::FileRequest(_) if !cx.tx.is_empty() => return Ok(Step::NeedWrite),
                State::Quitting | State::FileRequest(_) | State::Closed => return Ok(Step::Idle),
                State::Failed(ref error) => return Err(error.clone()),
                State::Orphaned => {
                    let kind = ClassicErrorKind::OutOfStep { owed: self.queue.len() };
                    return Err(self.error(kind, false));
                }
                State::Rows(encoding) => match self.stream_over {
                    None => self.rows(encoding, usize::MAX, cx),
                    Some(over) => self.rows_or_parts(encoding, over, cx),
                },
                State::RowParts { encoding, first, size } => self.row_part(encoding, first, size, cx),
                State::SkippedRows(encoding) => match self.rows(encoding, usize::MAX, cx) {
                    Ok(Step::Event(Event::Rows(_))) => continue,
                    step => step,
                },
                State::Binlog => self.binlog(cx),
                _ => self.packet(cx),
            };
            if !matches!(step, Ok(Step::NeedRead { at_least: 0 })) {
                return step;
            }
        }
    }

    /// The packet behind the rows, which is there.
    #[inline]
    fn untold_end<T: TraceSink>(&mut self, cx: &mut Cx<'_, T>) -> Read {
        let end = self.framer.poll(cx.rx) == Ok(Frame::Ready)
            && is_end(self.framer.payload(cx.rx), self.capabilities);
        if end { self.result_end(cx) } else { self.packet(cx) }
    }

    /// The first packet of a result. When it and all definitions came just as they did with the last result, they are
    /// passed over as one piece.
    #[inline(always)]
    fn untold_result<T: TraceSink>(&mut self, encoding: Encoding, cx: &mut Cx<'_, T>) -> Read {
        if let Some((frames, count)) = self.columns.frames()
            && self.framer.take_again(cx.rx, frames, count)
        {
            result_begins(&mut self.status);
            return self.columns_event(self.columns.clone(), encoding);
        }
        self.steps(cx)
    }

    /// The columns of a result are known.
    #[inline]
    fn columns_event(&mut self, columns: Columns, encoding: Encoding) -> Read {
        self.state = self.behind_definitions(encoding, false);
        Ok(Step::Event(Event::Columns(columns)))
    }

    /// What follows definitions, or the place where they would be.
    #[inline]
    const fn behind_definitions(&self, encoding: Encoding, skip: bool) -> State {
        match skip {
            _ if self.has_eof() => State::FieldDefsEof { encoding, skip },
            true => State::SkippedRows(encoding),
            false => State::Rows(encoding),
        }
    }

    /// Waits for one packet, tells it to the trace, and reads it.
    pub(crate) fn packet<T: TraceSink>(&mut self, cx: &mut Cx<'_, T>) -> Read {
        let idle = self.is_idle();
        if !idle {
            self.tell_read(cx);
        }
        if let Frame::Need(at_least) = self.framer.poll(cx.rx).map_err(|error| self.unread(error))? {
            // When nothing is owed, nothing is waited for.
            return Ok(if idle { Step::Idle } else { Step::NeedRead { at_least } });
        }
        self.tell_read(cx);
        let payload = self.framer.payload(cx.rx);
        let Some(&first) = payload.first() else { return Err(self.unread(WireError::EmptyPacket)) };
        if matches!(self.state, State::FieldList) && is_end(payload, self.capabilities) {
            // The list is told before its end, for which the packet is looked at again.
            self.state = State::FieldListEnd;
            return self.field_list_columns();
        }
        if self.is_traced(cx) {
            cx.trace.event(self.protocol_stage(), &TraceEvent::PacketReceived { pkt: open(payload) });
        }
        self.read_told = false;
        if first == ErrPacket::HEADER {
            return self.err(cx);
        }
        match self.state {
            State::Acknowledgement | State::Registration => self.acknowledgement(first, cx),
            State::Result(encoding) => self.result(first, encoding, cx),
            State::InfileVerdict { .. } => self.infile_verdict(first, cx),
            State::FieldDefs { left, encoding } => self.field_def(first, left, encoding, cx),
            State::FieldDefsEof { encoding, skip } => self.field_defs_eof(encoding, skip, cx),
            State::Statistics => self.statistics_text(cx),
            State::PsDescription => self.ps_description(first, cx),
            State::PsDefs(_) => self.ps_def(first, cx),
            State::FieldList => self.field_list_def(cx),
            State::Rows(_)
            | State::RowsEnd(_)
            | State::SkippedRows(_)
            | State::FieldListEnd
            | State::Binlog => self.result_end(cx),
            State::Idle
            | State::FileRequest(_)
            | State::RowParts { .. }
            | State::Orphaned
            | State::Quitting
            | State::Closed
            | State::Failed(_) => Err(self.unexpected(cx)),
        }
    }

    /// Takes all rows that are there, up to the first of more than `max` bytes.
    #[cold]
    pub(crate) fn rows<T: TraceSink>(&mut self, encoding: Encoding, max: usize, cx: &mut Cx<'_, T>) -> Read {
        self.tell_read(cx);
        if !self.is_traced(cx) {
            return self.untold_rows(encoding, max, cx);
        }
        let (stage, row_by_row) = (self.protocol_stage(), self.row_by_row);
        let Cx { rx, trace, .. } = cx;
        let rows = self.take_rows(encoding, max, rx, |before, payload| {
            if before > 0 {
                if row_by_row {
                    return false;
                }
                trace.event(stage, &TraceEvent::ReadPacket);
            }
            trace.event(stage, &TraceEvent::PacketReceived { pkt: open(payload) });
            true
        });
        match rows? {
            Some(rows) => Ok(Step::Event(Event::Rows(rows))),
            None => self.packet(cx),
        }
    }

    /// The same when nobody is told.
    #[inline(always)]
    fn untold_rows<T: TraceSink>(&mut self, encoding: Encoding, max: usize, cx: &mut Cx<'_, T>) -> Read {
        match self.take_rows(encoding, max, cx.rx, |_, _| true)? {
            Some(rows) => Ok(Step::Event(Event::Rows(rows))),
            None => self.packet(cx),
        }
    }

    /// `takes` is given the number of rows before and the row, and says whether it is taken too. One that only says yes
    /// costs nothing: it holds neither sink nor stage.
    #[inline(always)]
    fn take_rows(
        &mut self,
        encoding: Encoding,
        max: usize,
        rx: &mut BytesMut,
        mut takes: impl FnMut(usize, &[u8]) -> bool,
    ) -> Result<Option<RowBatch>, ClassicError> {
        let (capabilities, mut len, mut ended) = (self.capabilities, 0, false);
        let bound = match encoding {
            Encoding::Text => EofPacket::HEADER,
            Encoding::Binary => 1,
        };
        let run = self.framer.take_run(rx, |payload| {
            // What most rows start with tells it at once.
            let is_row = payload.first().is_some_and(|first| *first < bound)
                || is_row(payload, encoding, capabilities);
            ended = !is_row;
            let taken = is_row && payload.len() <= max && takes(len, payload);
            len += usize::from(taken);
            taken
        });
        let Some(run) = run.map_err(|error| self.unread(error))? else { return Ok(None) };
        self.read_told = false;
        if ended && matches!(self.state, State::Rows(_)) {
            self.state = State::RowsEnd(encoding);
        }
        Ok(Some(RowBatch::new(run, len, self.columns.clone(), encoding)))
    }

    #[inline]
    pub(crate) fn tell_read<T: TraceSink>(&mut self, cx: &mut Cx<'_, T>) {
        if cx.on() && !self.read_told {
            self.read_told = true;
            self.emit(cx, || TraceEvent::ReadPacket);
        }
    }

    /// The packet is read: take it off `rx`, wait for what comes next, and tell what it said.
    #[inline(always)]
    pub(crate) fn taken<T>(&mut self, next: State, event: Event, cx: &mut Cx<'_, T>) -> Read {
        self.framer.consume(cx.rx);
        match next {
            State::Idle => self.over(),
            next => self.state = next,
        }
        Ok(Step::Event(event))
    }

    /// ERR: ends all results of a command.
    fn err<T: TraceSink>(&mut self, cx: &mut Cx<'_, T>) -> Read {
        let payload = self.framer.payload(cx.rx);
        let err = ErrPacket::parse(payload, self.capabilities).map_err(|error| self.malformed(error))?;
        self.status.remove(StatusFlags::SERVER_MORE_RESULTS_EXISTS);
        self.collector.clear();
        // A dump that is refused is none, and the server goes on.
        self.served_out = !matches!(self.state, State::Binlog) && (self.served_out || self.is_idle());
        let event = match std::mem::replace(&mut self.state, State::Idle) {
            State::InfileVerdict { refused: Some(file_name), .. } => {
                Event::InfileRefused(Box::new(InfileRefused { file_name, verdict: Err(err) }))
            }
            _ => Event::Err(err),
        };
        self.taken(State::Idle, event, cx)
    }

    /// Takes over what the end of a result says.
    #[inline]
    fn follow(&mut self, end: &ResultEnd) {
        self.status = end.status();
        if !end.has_session_state() {
            return;
        }
        for change in end.session_state().flatten() {
            if let StateChange::SystemVariable { name: CHARACTER_SET_CLIENT, value } = change
                && let Some(collation) = std::str::from_utf8(value).ok().and_then(Collation::default_of)
                // The collation is not told: one of the same character set may well be still in force.
                && Collation::by_id(self.charset).is_none_or(|known| known.charset != collation.charset)
            {
                self.charset = collation.id;
            }
        }
    }

    /// The end of a result; gives what to wait for.
    #[inline]
    pub(crate) fn ended(&mut self, end: &ResultEnd, encoding: Encoding) -> State {
        self.follow(end);
        if end.has_more_results() { State::Result(encoding) } else { State::Idle }
    }

    /// The end of a reply that has no more results, whatever the status says.
    #[inline]
    fn ended_alone(&mut self, end: &ResultEnd) -> State {
        self.follow(end);
        self.status.remove(StatusFlags::SERVER_MORE_RESULTS_EXISTS);
        State::Idle
    }

    /// OK or, for COM_SET_OPTION and COM_DEBUG, EOF.
    fn acknowledgement<T: TraceSink>(&mut self, first: u8, cx: &mut Cx<'_, T>) -> Read {
        let payload = self.framer.payload(cx.rx);
        let ok = match first {
            OkPacket::HEADER => OkPacket::parse(payload, self.capabilities).map(|ok| OkReply::from(&ok)),
            OkPacket::HEADER_EOF => end(payload, self.capabilities).map(OkReply::from),
            _ => return Err(self.unexpected(cx)),
        };
        let ok = ok.map_err(|error| self.malformed(error))?;
        let next = self.ended_alone(ok.end());
        self.taken(next, Event::Ok(ok), cx)
    }

    pub(crate) fn ok(&self, payload: &[u8]) -> Result<OkReply, ClassicError> {
        match OkPacket::parse(payload, self.capabilities) {
            Ok(ok) => Ok(OkReply::from(&ok)),
            Err(error) => Err(self.malformed(error)),
        }
    }

    /// The first packet of a result.
    #[inline(always)]
    fn result<T: TraceSink>(&mut self, first: u8, encoding: Encoding, cx: &mut Cx<'_, T>) -> Read {
        let payload = self.framer.payload(cx.rx);
        match first {
            OkPacket::HEADER => {
                let ok = self.ok(payload)?;
                let next = self.ended(ok.end(), encoding);
                self.taken(next, Event::Ok(ok), cx)
            }
            LocalInfileRequest::HEADER => self.infile_request(encoding, cx),
            _ => {
                let header = ResultSetHeader::parse(payload, self.capabilities, self.limits.max_columns);
                let header = header.map_err(|error| self.malformed(error))?;
                let left = header.column_count();
                result_begins(&mut self.status);
                if header.metadata_follows() {
                    self.collector.begin(&mut self.columns);
                    self.collector.push_head(self.framer.header(payload.len()), payload);
                    self.framer.consume(cx.rx);
                    self.state = State::FieldDefs { left, encoding };
                    return Ok(AGAIN);
                }
                self.undefined_columns(left, encoding, cx)
            }
        }
    }

    /// A result set that the server does not define. Text rows need no definitions; for binary ones those will do that
    /// the statement was executed with, if there are as many.
    #[cold]
    fn undefined_columns<T: TraceSink>(
        &mut self,
        sent: usize,
        encoding: Encoding,
        cx: &mut Cx<'_, T>,
    ) -> Read {
        // Further results of the command are of other statements.
        let kept = std::mem::take(&mut self.cached);
        if !kept.is_empty() && kept.len() != sent {
            let changed = ColumnsChanged { kept: kept.len(), sent };
            let next = self.behind_definitions(encoding, true);
            return self.taken(next, Event::ColumnsChanged(changed), cx);
        }
        self.columns = if kept.is_empty() { Columns::undefined(sent) } else { kept };
        let next = self.behind_definitions(encoding, false);
        self.taken(next, Event::Columns(self.columns.clone()), cx)
    }

    /// Keeps a definition.
    pub(crate) fn collect<T: TraceSink>(&mut self, cx: &mut Cx<'_, T>) -> Result<(), ClassicError> {
        if self.collector.is_empty() {
            self.collector.begin(&mut self.columns);
        }
        let payload = self.framer.payload(cx.rx);
        let (header, max) = (self.framer.header(payload.len()), self.limits.max_packet);
        let kept = match self.state {
            // A statement's definitions are not those of a result.
            State::PsDefs(_) => self.collector.push(header, payload, max),
            _ => self.collector.push_again(header, payload, max, &self.columns),
        };
        kept.map_err(|error| self.malformed(error))?;
        self.framer.consume(cx.rx);
        Ok(())
    }

    #[inline(always)]
    fn field_def<T: TraceSink>(
        &mut self,
        first: u8,
        left: usize,
        encoding: Encoding,
        cx: &mut Cx<'_, T>,
    ) -> Read {
        if first == EofPacket::HEADER {
            return Err(self.unexpected(cx));
        }
        self.collect(cx)?;
        if left > 1 {
            self.state = State::FieldDefs { left: left - 1, encoding };
            return Ok(AGAIN);
        }
        let columns = self.collector.finish(&mut self.columns).map_err(|error| self.malformed(error))?;
        self.columns_event(columns, encoding)
    }

    fn field_defs_eof<T: TraceSink>(&mut self, encoding: Encoding, skip: bool, cx: &mut Cx<'_, T>) -> Read {
        let payload = self.framer.payload(cx.rx);
        if !is_end(payload, self.capabilities) {
            return Err(self.unexpected(cx));
        }
        let eof = EofPacket::parse(payload, self.capabilities).map_err(|error| self.malformed(error))?;
        if encoding == Encoding::Binary && eof.status().contains(StatusFlags::SERVER_STATUS_CURSOR_EXISTS) {
            // A cursor is open, so no rows come, and no second EOF.
            return self.result_end(cx);
        }
        self.status = eof.status();
        self.framer.consume(cx.rx);
        self.state = if skip { State::SkippedRows(encoding) } else { State::Rows(encoding) };
        Ok(AGAIN)
    }

    /// What ends rows, definitions with a cursor, or a field list.
    #[inline(always)]
    fn result_end<T: TraceSink>(&mut self, cx: &mut Cx<'_, T>) -> Read {
        let payload = self.framer.payload(cx.rx);
        if !is_end(payload, self.capabilities) {
            return Err(self.unexpected(cx));
        }
        let mut end = end(payload, self.capabilities).map_err(|error| self.malformed(error))?;
        if self.has_eof() && self.status.contains(StatusFlags::SERVER_PS_OUT_PARAMS) {
            // Of OUT parameters, only the EOF behind the definitions says so, and that more results follow.
            end.add_status(self.status);
        }
        let next = match self.state {
            State::Rows(encoding) | State::RowsEnd(encoding) | State::SkippedRows(encoding) => {
                self.ended(&end, encoding)
            }
            _ => self.ended_alone(&end),
        };
        self.taken(next, Event::End(end), cx)
    }

    fn statistics_text<T: TraceSink>(&mut self, cx: &mut Cx<'_, T>) -> Read {
        let payload = self.framer.payload(cx.rx);
        if payload.len() > MAX_STATISTICS {
            let error = WireError::PacketTooLarge { size: payload.len(), limit: MAX_STATISTICS };
            return Err(self.malformed(error));
        }
        let text = payload.into();
        self.taken(State::Idle, Event::Statistics(text), cx)
    }

    fn field_list_def<T: TraceSink>(&mut self, cx: &mut Cx<'_, T>) -> Read {
        let count = self.collector.len() + 1;
        if count > self.limits.max_columns {
            return Err(self.malformed(WireError::BadValue { field: "column count", value: count as u64 }));
        }
        self.collect(cx)?;
        Ok(AGAIN)
    }

    fn field_list_columns(&mut self) -> Read {
        let columns = self.collector.finish(&mut self.columns).map_err(|error| self.malformed(error))?;
        Ok(Step::Event(Event::Columns(columns)))
    }

    #[cold]
    pub(crate) fn malformed(&self, error: WireError) -> ClassicError {
        self.error(ClassicErrorKind::Packet { expected: self.state.expected(), error }, true)
    }

    #[cold]
    pub(crate) fn unread(&self, error: WireError) -> ClassicError {
        self.error(ClassicErrorKind::Packet { expected: self.state.expected(), error }, false)
    }

    #[cold]
    pub(crate) fn unexpected<T>(&self, cx: &Cx<'_, T>) -> ClassicError {
        let payload = self.framer.payload(cx.rx);
        let first = payload.first().copied().unwrap_or_default();
        let (expected, len) = (self.state.expected(), payload.len());
        self.error(ClassicErrorKind::Unexpected { expected, first, len }, true)
    }

    pub(crate) fn error(&self, kind: ClassicErrorKind, told: bool) -> ClassicError {
        ClassicError::new(self.protocol_stage(), kind, told)
    }
}

/// A statement with a result begins a transaction, unless each statement is one.
#[inline]
fn result_begins(status: &mut StatusFlags) {
    if !status.contains(StatusFlags::SERVER_STATUS_AUTOCOMMIT) {
        status.insert(StatusFlags::SERVER_STATUS_IN_TRANS);
    }
}

/// What ends a result set: OK in place of EOF, or EOF.
#[inline(always)]
fn end(payload: &[u8], capabilities: CapabilityFlags) -> Result<ResultEnd, WireError> {
    // Some proxies agree on CLIENT_DEPRECATE_EOF and send EOF; five bytes are too few for an OK.
    if capabilities.contains(CapabilityFlags::CLIENT_DEPRECATE_EOF) && payload.len() != EofPacket::LEN {
        OkPacket::parse(payload, capabilities).map(|ok| ResultEnd::from(&ok))
    } else {
        EofPacket::parse(payload, capabilities).map(|eof| ResultEnd::from(&eof))
    }
}
