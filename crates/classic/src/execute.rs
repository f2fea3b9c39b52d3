//! Commands that carry values: prepared statements with their parameters, and query attributes.

use std::fmt;

use bytes::{BufMut, BytesMut};
use porpoise_trace::TraceSink;
use porpoise_value::{ParamError, Params, Placeholders, ToValue, Value};
use porpoise_wire::{Cx, Put};

use crate::error::Misuse;
use crate::row::Encoding;
use crate::session::Session;
use crate::state::State;
use crate::{CapabilityFlags, Columns, Command, encode_params};

/// `enum_cursor_type`, and a flag that shares its byte.
const CURSOR_TYPE_READ_ONLY: u8 = 1;
const PARAMETER_COUNT_AVAILABLE: u8 = 8;

/// Servers before took any flag for a cursor, this one included.
const FLAGS_ARE_FLAGS: [u32; 3] = [8, 0, 26];

/// An execution of a prepared statement: what COM_STMT_EXECUTE carries.
///
/// ```
/// # use porpoise_classic::Execute;
/// # use porpoise_value::Placeholders;
/// let params = (7, "orca");
/// let execute = Execute::new(1, Placeholders::positional(2), &params)
///     .attributes(&[("trace_id", "4bf92f35")])
///     .cursor(true);
/// # let _ = execute;
/// ```
#[derive(Debug)]
pub struct Execute<'a, P: ?Sized, N = &'static str, V = Value> {
    statement_id: u32,
    placeholders: Placeholders<'a>,
    params: &'a P,
    attributes: &'a [(N, V)],
    cursor: bool,
    columns: Option<&'a Columns>,
}

impl<P: ?Sized, N, V> Clone for Execute<'_, P, N, V> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<P: ?Sized, N, V> Copy for Execute<'_, P, N, V> {}

impl<'a, P: Params + ?Sized> Execute<'a, P> {
    /// Runs a statement with these parameters, without attributes and without a cursor.
    #[must_use]
    pub const fn new(statement_id: u32, placeholders: Placeholders<'a>, params: &'a P) -> Self {
        Self { statement_id, placeholders, params, attributes: &[], cursor: false, columns: None }
    }
}

impl<'a, P: ?Sized, N, V> Execute<'a, P, N, V> {
    /// Adds query attributes: see [`Session::query_with`].
    #[must_use]
    pub const fn attributes<M, W>(self, attributes: &'a [(M, W)]) -> Execute<'a, P, M, W> {
        let Self { statement_id, placeholders, params, cursor, columns, .. } = self;
        Execute { statement_id, placeholders, params, attributes, cursor, columns }
    }

    /// Whether a cursor is opened: the rows stay on the server, and are fetched as many as wanted at a time by
    /// [`stmt_fetch`](Session::stmt_fetch). The server may decide against it, and sends the rows.
    #[must_use]
    pub const fn cursor(mut self, cursor: bool) -> Self {
        self.cursor = cursor;
        self
    }

    /// The columns that came when the statement was prepared, for a server that does not define them again under
    /// `resultset_metadata=NONE`; see [`Event::ColumnsChanged`](crate::Event::ColumnsChanged). Without effect where it
    /// does.
    #[must_use]
    pub const fn columns(mut self, columns: &'a Columns) -> Self {
        self.columns = Some(columns);
        self
    }
}

impl Session {
    /// COM_QUERY with query attributes: named values that components of the server can read while the statement runs, as
    /// `mysql_query_attribute_string('name')` does. A server that does not know them
    /// ([`CLIENT_QUERY_ATTRIBUTES`](CapabilityFlags::CLIENT_QUERY_ATTRIBUTES)) gets the bare statement.
    ///
    /// The reply is that of [`query`](Self::query).
    ///
    /// # Errors
    /// [`Misuse`] when no command can be sent now; [`ParamError`] for a value that MySQL has no form for. Nothing was sent
    /// then.
    pub fn query_with<N: AsRef<str>, V: ToValue, T: TraceSink>(
        &mut self,
        sql: impl AsRef<[u8]>,
        attributes: &[(N, V)],
        cx: &mut Cx<'_, T>,
    ) -> Result<(), ExecuteError> {
        if attributes.is_empty() || !self.has_query_attributes() {
            return Ok(self.query(sql, cx)?);
        }
        self.admit()?;
        let encode = |out: &mut BytesMut| {
            let start = out.len();
            out.put_lenenc_int(attributes.len() as u64);
            out.put_lenenc_int(1);
            encode_params(out, &(), Placeholders::positional(0), attributes, true)?;
            let hdr_len = out.len() - start;
            out.put_slice(sql.as_ref());
            Ok(hdr_len)
        };
        self.write_with(Command::Query, State::Result(Encoding::Text), Columns::default(), encode, cx)
    }

    /// COM_STMT_EXECUTE: runs a prepared statement. The parameters are encoded where they are sent from, and a value sent
    /// ahead by [`stmt_send_long_data`](Self::stmt_send_long_data) is [`ParamRef::LongData`](porpoise_value::ParamRef).
    /// The reply is that of [`query`](Self::query) with binary rows, and without rows if a cursor was opened: then its
    /// [`End`](crate::Event::End) has the status SERVER_STATUS_CURSOR_EXISTS.
    ///
    /// # Errors
    /// [`Misuse`] when no command can be sent now; [`ParamError`] for parameters that are not those of the statement, or
    /// that MySQL has no form for. Nothing was sent then.
    pub fn stmt_execute_with<P: Params + ?Sized, N: AsRef<str>, V: ToValue, T: TraceSink>(
        &mut self,
        execute: &Execute<'_, P, N, V>,
        cx: &mut Cx<'_, T>,
    ) -> Result<(), ExecuteError> {
        let Execute { statement_id, placeholders, params, mut attributes, cursor, columns } = *execute;
        self.admit()?;
        let names = self.has_query_attributes();
        let mut flags = if cursor { CURSOR_TYPE_READ_ONLY } else { 0 };
        if names && self.flags_are_flags {
            flags |= PARAMETER_COUNT_AVAILABLE;
        }
        // The server reads a number of parameters if the statement has some, or the flag says so.
        let counted = names && (placeholders.count > 0 || flags & PARAMETER_COUNT_AVAILABLE != 0);
        if !counted {
            attributes = &[];
        }
        let encode = |out: &mut BytesMut| {
            // int<4> statement_id | int<1> flags | int<4> iteration_count, always 1
            out.put_u32_le(statement_id);
            out.put_u8(flags);
            out.put_u32_le(1);
            if counted {
                out.put_lenenc_int((placeholders.count + attributes.len()) as u64);
            }
            encode_params(out, params, placeholders, attributes, names)?;
            Ok(HEAD)
        };
        // A fixed part, as a trace tells it apart.
        const HEAD: usize = 9;
        let columns = columns.cloned().unwrap_or_default();
        self.write_with(Command::StmtExecute, State::Result(Encoding::Binary), columns, encode, cx)
    }

    pub(crate) const fn has_query_attributes(&self) -> bool {
        self.capabilities.contains(CapabilityFlags::CLIENT_QUERY_ATTRIBUTES)
    }

    /// Sends a command whose argument is encoded where it is sent from. `encode` gives the length of the fixed part.
    #[inline]
    fn write_with<T: TraceSink>(
        &mut self,
        command: Command,
        next: State,
        columns: Columns,
        encode: impl FnOnce(&mut BytesMut) -> Result<usize, ParamError>,
        cx: &mut Cx<'_, T>,
    ) -> Result<(), ExecuteError> {
        if self.is_traced(cx) {
            // What is sent may be compressed or in several frames, so the trace is told from a copy.
            let mut argument = BytesMut::new();
            let hdr_len = encode(&mut argument)?;
            let (hdr, pkt) = argument.split_at(hdr_len.min(argument.len()));
            self.write(command, hdr, pkt, next, columns, cx);
            return Ok(());
        }
        let reading = self.framer.mark();
        self.framer.begin_command();
        let written = self.framer.try_write(cx.tx, |payload| {
            payload.put_u8(command.byte());
            encode(payload).map(drop)
        });
        if let Err(error) = written {
            self.framer.restore(reading);
            return Err(error.into());
        }
        self.written(next, columns, reading);
        Ok(())
    }
}

/// Whether the server tells the flags of COM_STMT_EXECUTE apart.
pub(crate) fn flags_are_flags(server_version: &str) -> bool {
    let (mut numbers, mut place) = ([0_u32; 3], 0);
    for byte in server_version.bytes() {
        match (byte, numbers.get_mut(place)) {
            (b'0'..=b'9', Some(number)) => {
                let more = number.checked_mul(10).and_then(|tens| tens.checked_add((byte - b'0').into()));
                let Some(more) = more else { return false };
                *number = more;
            }
            (b'.', Some(_)) => place += 1,
            _ => break,
        }
    }
    numbers >= FLAGS_ARE_FLAGS
}

/// Why a command with values was not sent.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExecuteError {
    /// No command can be sent now.
    Misuse(Misuse),
    /// A value cannot be sent.
    Params(ParamError),
}

impl From<Misuse> for ExecuteError {
    fn from(misuse: Misuse) -> Self {
        Self::Misuse(misuse)
    }
}

impl From<ParamError> for ExecuteError {
    fn from(error: ParamError) -> Self {
        Self::Params(error)
    }
}

impl fmt::Display for ExecuteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Misuse(misuse) => misuse.fmt(f),
            Self::Params(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ExecuteError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Misuse(misuse) => Some(misuse),
            Self::Params(error) => Some(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_that_tell_flags_apart() {
        for version in ["8.0.26", "8.0.26-debug", "8.0.100", "8.4.0", "9.7.4", "10.0"] {
            assert!(flags_are_flags(version), "{version}");
        }
        for version in ["8.0.25", "8.0.23-log", "8.0", "5.7.44", "", "x", "-", "8.0.99999999999999999999"] {
            assert!(!flags_are_flags(version), "{version}");
        }
    }
}
