//! Replies to COM_STMT_PREPARE.

use porpoise_trace::TraceSink;
use porpoise_wire::{Cx, Step, WireError};

use crate::event::Prepared;
use crate::packets::is_end;
use crate::reply::{AGAIN, Read};
use crate::session::Session;
use crate::state::{Group, Preparing, State};
use crate::{CapabilityFlags, Columns, EofPacket, Event, StmtPrepareOk};

impl Session {
    pub(crate) fn ps_description<T: TraceSink>(&mut self, first: u8, cx: &mut Cx<'_, T>) -> Read {
        if first != StmtPrepareOk::HEADER {
            return Err(self.unexpected(cx));
        }
        let payload = self.framer.payload(cx.rx);
        let ok = StmtPrepareOk::parse(payload, self.capabilities).map_err(|error| self.malformed(error))?;
        let (params, columns) = (usize::from(ok.num_params()), usize::from(ok.num_columns()));
        if columns > self.limits.max_columns {
            return Err(self.malformed(WireError::BadValue { field: "num_columns", value: columns as u64 }));
        }
        self.framer.consume(cx.rx);
        let undefined = !ok.metadata_follows();
        let preparing = Preparing { ok, group: Group::Params, left: 0, params: Columns::undefined(params) };
        // The EOF behind each group comes also when the group does not.
        if (undefined && !self.has_eof()) || (params == 0 && columns == 0) {
            return Ok(self.prepared(&preparing, Columns::undefined(columns)));
        }
        let group = if params > 0 { Group::Params } else { Group::Columns };
        self.await_group(Box::new(preparing), group);
        Ok(AGAIN)
    }

    fn await_group(&mut self, mut preparing: Box<Preparing>, group: Group) {
        preparing.group = group;
        preparing.left = if preparing.ok.metadata_follows() { preparing.count() } else { 0 };
        self.state = State::PsDefs(preparing);
    }

    /// A definition of a prepared statement, or the EOF behind a group of them.
    pub(crate) fn ps_def<T: TraceSink>(&mut self, first: u8, cx: &mut Cx<'_, T>) -> Read {
        let has_eof = self.has_eof();
        let is_end = is_end(self.framer.payload(cx.rx), self.capabilities);
        let State::PsDefs(preparing) = &mut self.state else { return Ok(AGAIN) };
        let eof_is_due = preparing.left == 0;
        let misplaced = if eof_is_due { !is_end } else { first == EofPacket::HEADER };
        if misplaced {
            return Err(self.unexpected(cx));
        }
        if eof_is_due {
            self.framer.consume(cx.rx);
        } else {
            preparing.left -= 1;
            let last = preparing.left == 0;
            self.collect(cx)?;
            if !last || has_eof {
                return Ok(AGAIN);
            }
        }
        self.ps_group()
    }

    /// A group of definitions is complete.
    fn ps_group(&mut self) -> Read {
        // A statement's definitions are the caller's to keep: the session's are those of its last result.
        let defined =
            self.collector.finish(&mut Columns::default()).map_err(|error| self.malformed(error))?;
        let State::PsDefs(mut preparing) = std::mem::replace(&mut self.state, State::Idle) else {
            return Ok(AGAIN);
        };
        let defined =
            if preparing.ok.metadata_follows() { defined } else { Columns::undefined(preparing.count()) };
        if preparing.group == Group::Columns {
            return Ok(self.prepared(&preparing, defined));
        }
        preparing.params = defined;
        if preparing.ok.num_columns() == 0 {
            return Ok(self.prepared(&preparing, Columns::default()));
        }
        self.await_group(preparing, Group::Columns);
        Ok(AGAIN)
    }

    fn prepared(&mut self, preparing: &Preparing, columns: Columns) -> Step<Event> {
        self.over();
        Step::Event(Event::Prepared(Box::new(Prepared {
            statement_id: preparing.ok.statement_id(),
            params: preparing.params.clone(),
            columns,
            warnings: preparing.ok.warnings(),
        })))
    }

    /// Whether definitions are followed by EOF.
    pub(crate) const fn has_eof(&self) -> bool {
        !self.capabilities.contains(CapabilityFlags::CLIENT_DEPRECATE_EOF)
    }
}
