//! Commands of prepared statements.

use porpoise_trace::TraceSink;
use porpoise_wire::Cx;

use crate::error::Misuse;
use crate::row::Encoding;
use crate::session::Session;
use crate::state::State;
use crate::{Columns, Command};

impl Session {
    /// COM_STMT_PREPARE: prepares a statement. The reply is [`Event::Prepared`](crate::Event::Prepared) or
    /// [`Event::Err`](crate::Event::Err).
    ///
    /// # Errors
    /// [`Misuse`] when no command can be sent now.
    pub fn stmt_prepare<T: TraceSink>(
        &mut self,
        sql: impl AsRef<[u8]>,
        cx: &mut Cx<'_, T>,
    ) -> Result<(), Misuse> {
        self.send(Command::StmtPrepare, &[], sql.as_ref(), State::PsDescription, cx)
    }

    /// COM_STMT_EXECUTE: runs a prepared statement. `flags` are those of `enum_cursor_type`; `parameters` is what
    /// follows the nine bytes of id, flags and iteration count, in the layout that the agreed capabilities ask for.
    /// The reply is that of [`query`](Self::query) with binary rows, and without rows if a cursor was opened.
    ///
    /// # Errors
    /// [`Misuse`] when no command can be sent now.
    pub fn stmt_execute<T: TraceSink>(
        &mut self,
        statement_id: u32,
        flags: u8,
        parameters: &[u8],
        cx: &mut Cx<'_, T>,
    ) -> Result<(), Misuse> {
        let [a, b, c, d] = statement_id.to_le_bytes();
        // int<4> statement_id | int<1> flags | int<4> iteration_count, always 1
        let hdr = [a, b, c, d, flags, 1, 0, 0, 0];
        self.send(Command::StmtExecute, &hdr, parameters, State::Result(Encoding::Binary), cx)
    }

    /// COM_STMT_FETCH: fetches up to `rows` rows of the cursor of an executed statement. The server does not tell
    /// the columns again: `columns` are those that came when it was executed. The reply is
    /// [`Event::Rows`](crate::Event::Rows) and [`Event::End`](crate::Event::End), or
    /// [`Event::Err`](crate::Event::Err).
    ///
    /// # Errors
    /// [`Misuse`] when no command can be sent now.
    pub fn stmt_fetch<T: TraceSink>(
        &mut self,
        statement_id: u32,
        rows: u32,
        columns: &Columns,
        cx: &mut Cx<'_, T>,
    ) -> Result<(), Misuse> {
        let [a, b, c, d] = statement_id.to_le_bytes();
        let [e, f, g, h] = rows.to_le_bytes();
        self.admit()?;
        let hdr = [a, b, c, d, e, f, g, h];
        self.write(Command::StmtFetch, &hdr, &[], State::Rows(Encoding::Binary), columns.clone(), cx);
        Ok(())
    }

    /// COM_STMT_RESET: drops a statement's long data and closes its cursor. The reply is
    /// [`Event::Ok`](crate::Event::Ok) or [`Event::Err`](crate::Event::Err).
    ///
    /// # Errors
    /// [`Misuse`] when no command can be sent now.
    pub fn stmt_reset<T: TraceSink>(&mut self, statement_id: u32, cx: &mut Cx<'_, T>) -> Result<(), Misuse> {
        self.send(Command::StmtReset, &statement_id.to_le_bytes(), &[], State::Acknowledgement, cx)
    }

    /// COM_STMT_CLOSE: drops a prepared statement. There is no reply.
    ///
    /// # Errors
    /// [`Misuse`] when no command can be sent now.
    pub fn stmt_close<T: TraceSink>(&mut self, statement_id: u32, cx: &mut Cx<'_, T>) -> Result<(), Misuse> {
        self.send(Command::StmtClose, &[], &statement_id.to_le_bytes(), State::Idle, cx)
    }

    /// COM_STMT_SEND_LONG_DATA: sends a part of a parameter ahead. There is no reply; errors show when the
    /// statement is executed.
    ///
    /// # Errors
    /// [`Misuse`] when no command can be sent now.
    pub fn stmt_send_long_data<T: TraceSink>(
        &mut self,
        statement_id: u32,
        param_id: u16,
        data: &[u8],
        cx: &mut Cx<'_, T>,
    ) -> Result<(), Misuse> {
        let [a, b, c, d] = statement_id.to_le_bytes();
        let [e, f] = param_id.to_le_bytes();
        self.send(Command::StmtSendLongData, &[a, b, c, d, e, f], data, State::Idle, cx)
    }
}
