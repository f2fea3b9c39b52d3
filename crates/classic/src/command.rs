//! Commands: each is encoded into `tx` at once, and its reply is read by `advance`.

use porpoise_trace::{ProtocolStage, TraceEvent, TraceSink};
use porpoise_wire::{Cx, Mark};

use crate::error::Misuse;
use crate::row::Encoding;
use crate::session::{Session, open};
use crate::state::State;
use crate::{Columns, Command};

/// The empty block of query attributes: no parameters, one set of them.
const NO_ATTRIBUTES: [u8; 2] = [0, 1];

impl Session {
    /// COM_QUERY: runs SQL.
    ///
    /// The reply is [`Event::Ok`](crate::Event::Ok) or [`Event::Columns`](crate::Event::Columns),
    /// [`Event::Rows`](crate::Event::Rows) as often as needed and [`Event::End`](crate::Event::End); again for
    /// each further result; or [`Event::Err`](crate::Event::Err), which ends all.
    ///
    /// # Errors
    /// [`Misuse`] when no command can be sent now.
    #[inline]
    pub fn query<T: TraceSink>(&mut self, sql: impl AsRef<[u8]>, cx: &mut Cx<'_, T>) -> Result<(), Misuse> {
        let hdr: &[u8] = if self.has_query_attributes() { &NO_ATTRIBUTES } else { &[] };
        self.send(Command::Query, hdr, sql.as_ref(), State::Result(Encoding::Text), cx)
    }

    /// COM_PING: asks whether the server is alive. The reply is [`Event::Ok`](crate::Event::Ok).
    ///
    /// # Errors
    /// [`Misuse`] when no command can be sent now.
    #[inline]
    pub fn ping<T: TraceSink>(&mut self, cx: &mut Cx<'_, T>) -> Result<(), Misuse> {
        self.send(Command::Ping, &[], &[], State::Acknowledgement, cx)
    }

    /// COM_INIT_DB: changes the default database. The reply is [`Event::Ok`](crate::Event::Ok) or
    /// [`Event::Err`](crate::Event::Err).
    ///
    /// # Errors
    /// [`Misuse`] when no command can be sent now.
    pub fn init_db<T: TraceSink>(
        &mut self,
        schema: impl AsRef<[u8]>,
        cx: &mut Cx<'_, T>,
    ) -> Result<(), Misuse> {
        self.send(Command::InitDb, &[], schema.as_ref(), State::Acknowledgement, cx)
    }

    /// COM_RESET_CONNECTION: resets the session without a new login. Prepared statements, variables, temporary
    /// tables and the open transaction are dropped, and the character set becomes the server's default. The reply
    /// is [`Event::Ok`](crate::Event::Ok) or [`Event::Err`](crate::Event::Err).
    ///
    /// # Errors
    /// [`Misuse`] when no command can be sent now.
    pub fn reset_connection<T: TraceSink>(&mut self, cx: &mut Cx<'_, T>) -> Result<(), Misuse> {
        self.send(Command::ResetConnection, &[], &[], State::Acknowledgement, cx)
    }

    /// COM_STATISTICS: short statistics. The reply is [`Event::Statistics`](crate::Event::Statistics) or
    /// [`Event::Err`](crate::Event::Err).
    ///
    /// # Errors
    /// [`Misuse`] when no command can be sent now.
    pub fn statistics<T: TraceSink>(&mut self, cx: &mut Cx<'_, T>) -> Result<(), Misuse> {
        self.send(Command::Statistics, &[], &[], State::Statistics, cx)
    }

    /// COM_SET_OPTION: turns several statements in one command on or off, as CLIENT_MULTI_STATEMENTS does. The
    /// reply is [`Event::Ok`](crate::Event::Ok) or [`Event::Err`](crate::Event::Err).
    ///
    /// # Errors
    /// [`Misuse`] when no command can be sent now.
    pub fn set_option<T: TraceSink>(
        &mut self,
        multi_statements: bool,
        cx: &mut Cx<'_, T>,
    ) -> Result<(), Misuse> {
        // int<2>: 0 MYSQL_OPTION_MULTI_STATEMENTS_ON, 1 ..._OFF
        self.send(Command::SetOption, &[], &[u8::from(!multi_statements), 0], State::Acknowledgement, cx)
    }

    /// COM_DEBUG: writes debug information to the server's log. The reply is [`Event::Ok`](crate::Event::Ok) or
    /// [`Event::Err`](crate::Event::Err).
    ///
    /// # Errors
    /// [`Misuse`] when no command can be sent now.
    pub fn debug<T: TraceSink>(&mut self, cx: &mut Cx<'_, T>) -> Result<(), Misuse> {
        self.send(Command::Debug, &[], &[], State::Acknowledgement, cx)
    }

    /// COM_PROCESS_KILL: ends another connection; servers from 9.0 on refuse it. The reply is
    /// [`Event::Ok`](crate::Event::Ok) or [`Event::Err`](crate::Event::Err).
    ///
    /// # Errors
    /// [`Misuse`] when no command can be sent now.
    pub fn process_kill<T: TraceSink>(
        &mut self,
        connection_id: u32,
        cx: &mut Cx<'_, T>,
    ) -> Result<(), Misuse> {
        self.send(Command::ProcessKill, &[], &connection_id.to_le_bytes(), State::Acknowledgement, cx)
    }

    /// COM_PROCESS_INFO: lists connections; servers from 9.0 on refuse it. The reply is that of [`query`](Self::query).
    ///
    /// # Errors
    /// [`Misuse`] when no command can be sent now.
    pub fn process_info<T: TraceSink>(&mut self, cx: &mut Cx<'_, T>) -> Result<(), Misuse> {
        self.send(Command::ProcessInfo, &[], &[], State::Result(Encoding::Text), cx)
    }

    /// A command that has no call of its own here and whose reply is [`Event::Ok`](crate::Event::Ok) or
    /// [`Event::Err`](crate::Event::Err), such as COM_REFRESH with a byte of flags. Servers of today refuse most of them.
    ///
    /// # Errors
    /// [`Misuse`] when no command can be sent now; [`Misuse::NotSimple`] for a command that has another reply.
    pub fn simple_command<T: TraceSink>(
        &mut self,
        command: Command,
        argument: &[u8],
        cx: &mut Cx<'_, T>,
    ) -> Result<(), Misuse> {
        match command {
            Command::Sleep
            | Command::CreateDb
            | Command::DropDb
            | Command::Refresh
            | Command::Shutdown
            | Command::Connect
            | Command::Time
            | Command::DelayedInsert
            | Command::ConnectOut
            | Command::Daemon => self.send(command, &[], argument, State::Acknowledgement, cx),
            _ => Err(Misuse::NotSimple),
        }
    }

    /// COM_FIELD_LIST: lists the columns of a table whose names match a wildcard; deprecated. The reply is
    /// [`Event::Columns`](crate::Event::Columns) with default values, then [`Event::End`](crate::Event::End); or
    /// [`Event::Err`](crate::Event::Err).
    ///
    /// # Errors
    /// [`Misuse`] when no command can be sent now, or for a table's name that holds a 0x00.
    pub fn field_list<T: TraceSink>(
        &mut self,
        table: impl AsRef<[u8]>,
        wildcard: impl AsRef<[u8]>,
        cx: &mut Cx<'_, T>,
    ) -> Result<(), Misuse> {
        let (table, wildcard) = (table.as_ref(), wildcard.as_ref());
        if table.contains(&0) {
            return Err(Misuse::NulInName);
        }
        let argument = [table, &[0], wildcard].concat();
        self.send(Command::FieldList, &[], &argument, State::FieldList, cx)
    }

    /// COM_QUIT: ends the connection. There is no reply, and none that is still owed is read any more: write what
    /// is in `tx`, close the transport, and call [`closed`](Self::closed).
    ///
    /// # Errors
    /// [`Misuse::Closed`].
    pub fn quit<T: TraceSink>(&mut self, cx: &mut Cx<'_, T>) -> Result<(), Misuse> {
        match self.state {
            State::Quitting | State::Closed | State::Failed(_) => return Err(Misuse::Closed),
            // It would be taken for a part of the file.
            State::FileRequest(_) => return Err(Misuse::Busy),
            _ => {}
        }
        self.queue.clear();
        self.state = State::Idle;
        self.write(Command::Quit, &[], &[], State::Quitting, Columns::default(), cx);
        Ok(())
    }

    #[inline]
    pub(crate) fn send<T: TraceSink>(
        &mut self,
        command: Command,
        hdr: &[u8],
        pkt: &[u8],
        next: State,
        cx: &mut Cx<'_, T>,
    ) -> Result<(), Misuse> {
        self.admit()?;
        self.write(command, hdr, pkt, next, Columns::default(), cx);
        Ok(())
    }

    /// Whether a command may be sent now.
    #[inline]
    pub(crate) fn admit(&self) -> Result<(), Misuse> {
        match self.state {
            State::Quitting | State::Closed | State::Failed(_) => Err(Misuse::Closed),
            _ if self.is_out_of_step() => Err(Misuse::OutOfStep),
            State::Idle => Ok(()),
            State::FileRequest(_) | State::Orphaned => Err(Misuse::Busy),
            _ if self.pipelining => Ok(()),
            _ => Err(Misuse::Busy),
        }
    }

    /// `hdr` and `pkt` are the fixed part and the argument, as a trace tells them apart; `columns` those that the
    /// reply will have.
    #[inline]
    pub(crate) fn write<T: TraceSink>(
        &mut self,
        command: Command,
        hdr: &[u8],
        pkt: &[u8],
        next: State,
        columns: Columns,
        cx: &mut Cx<'_, T>,
    ) {
        let stage = ProtocolStage::ReadyForCommand;
        self.emit_in(stage, cx, || TraceEvent::SendCommand {
            cmd: command.byte(),
            cmd_name: command.name(),
            hdr: open(hdr),
            pkt: open(pkt),
        });
        let reading = self.framer.mark();
        self.framer.write_command(cx.tx, command.byte(), hdr, pkt);
        self.emit_in(stage, cx, || TraceEvent::PacketSent { pkt_len: hdr.len() + pkt.len() });
        self.written(next, columns, reading);
    }

    /// A command was written; `reading` are the sequence ids as they were before.
    #[inline(always)]
    pub(crate) fn written(&mut self, next: State, columns: Columns, reading: Mark) {
        self.sent = self.sent.wrapping_add(1);
        let infile_allowed = std::mem::take(&mut self.infile_armed);
        if !self.is_idle() {
            self.queue(next, columns, infile_allowed, reading);
        } else if !matches!(next, State::Idle) {
            self.begin_reply(next, self.sent, infile_allowed, columns);
        }
    }
}
