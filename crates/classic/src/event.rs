use std::fmt;

use bytes::Bytes;

use crate::{
    ClientError, Columns, EofPacket, ErrPacket, OkPacket, RowBatch, RowPart, SessionState, StatusFlags,
};

/// What a session has to say.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A command or a statement without rows succeeded.
    Ok(OkReply),
    /// The server could not do what was asked. Ends all results of the command.
    Err(ErrPacket),
    /// A result set begins, or a field list came.
    Columns(Columns),
    /// Rows of it.
    Rows(RowBatch),
    /// A part of a large row, if these are [streamed](crate::Session::stream_rows).
    RowPart(RowPart),
    /// A result set begins, in place of [`Columns`](Self::Columns), that does not have the columns that its statement
    /// was [executed](crate::Execute::columns) with. Its rows are skipped; its [`End`](Self::End) follows.
    ColumnsChanged(ColumnsChanged),
    /// It is over.
    End(ResultEnd),
    /// A statement is prepared.
    Prepared(Box<Prepared>),
    /// The text of COM_STATISTICS.
    Statistics(Box<[u8]>),
    /// An event of the binary log as it is written there: a header of 19 bytes, then what its type has.
    Binlog(Bytes),
    /// The server asked for this file, by its name in the connection's character set. Send it by
    /// [`send_file`](crate::Session::send_file), and end it by [`end_file`](crate::Session::end_file); the
    /// statement's [`Ok`](Self::Ok) or [`Err`](Self::Err) follows. Only after
    /// [`allow_infile`](crate::Session::allow_infile).
    LocalInfile(Box<[u8]>),
    /// The server asked for a file, which was refused; in place of the statement's [`Ok`](Self::Ok) or
    /// [`Err`](Self::Err).
    InfileRefused(Box<InfileRefused>),
}

/// What ends a result set.
///
/// An [`OkPacket`] with the header 0xFE or an [`EofPacket`], whichever was agreed on.
#[derive(Clone, PartialEq, Eq)]
pub struct ResultEnd {
    status: StatusFlags,
    warnings: u16,
    /// `info`, then the session state. Most replies have neither, and then nothing is allocated.
    tail: Box<[u8]>,
    info_len: usize,
}

impl ResultEnd {
    /// The server's status.
    #[must_use]
    pub const fn status(&self) -> StatusFlags {
        self.status
    }

    /// What a packet before it said of OUT parameters.
    pub(crate) const fn add_status(&mut self, before: StatusFlags) {
        let kept = StatusFlags::SERVER_PS_OUT_PARAMS.union(StatusFlags::SERVER_MORE_RESULTS_EXISTS);
        self.status.insert(before.intersection(kept));
    }

    /// How many warnings `SHOW WARNINGS` would list.
    #[must_use]
    pub const fn warnings(&self) -> u16 {
        self.warnings
    }

    /// Whether another result of the same command follows.
    #[must_use]
    pub const fn has_more_results(&self) -> bool {
        self.status.contains(StatusFlags::SERVER_MORE_RESULTS_EXISTS)
    }

    /// A text for people, such as `Rows matched: 2  Changed: 0  Warnings: 0`.
    #[must_use]
    pub fn info(&self) -> &[u8] {
        self.tail.get(..self.info_len).unwrap_or_default()
    }

    pub(crate) const fn has_session_state(&self) -> bool {
        self.info_len < self.tail.len()
    }

    /// Changes of the session state.
    #[must_use]
    pub fn session_state(&self) -> SessionState<'_> {
        SessionState::new(self.tail.get(self.info_len..).unwrap_or_default())
    }
}

impl From<&OkPacket<'_>> for ResultEnd {
    #[inline(always)]
    fn from(ok: &OkPacket<'_>) -> Self {
        let (info, state) = (ok.info(), ok.state_bytes());
        let tail = if info.is_empty() && state.is_empty() { Box::default() } else { joined(info, state) };
        Self { status: ok.status(), warnings: ok.warnings(), tail, info_len: info.len() }
    }
}

#[cold]
fn joined(info: &[u8], state: &[u8]) -> Box<[u8]> {
    [info, state].concat().into()
}

impl From<&EofPacket> for ResultEnd {
    fn from(eof: &EofPacket) -> Self {
        Self { status: eof.status(), warnings: eof.warnings(), tail: Box::default(), info_len: 0 }
    }
}

impl fmt::Debug for ResultEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResultEnd")
            .field("status", &self.status)
            .field("warnings", &self.warnings)
            .field("info", &String::from_utf8_lossy(self.info()))
            .field("session_state", &self.session_state().count())
            .finish()
    }
}

/// What an [`OkPacket`] said, kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OkReply {
    affected_rows: u64,
    last_insert_id: u64,
    end: ResultEnd,
}

impl OkReply {
    /// Rows that the statement changed, or matched under CLIENT_FOUND_ROWS.
    #[must_use]
    pub const fn affected_rows(&self) -> u64 {
        self.affected_rows
    }

    /// The first AUTO_INCREMENT value that the statement made; 0 if none.
    #[must_use]
    pub const fn last_insert_id(&self) -> u64 {
        self.last_insert_id
    }

    /// All that a result set's end has, too.
    #[must_use]
    pub const fn end(&self) -> &ResultEnd {
        &self.end
    }

    /// The server's status.
    #[must_use]
    pub const fn status(&self) -> StatusFlags {
        self.end.status()
    }

    /// How many warnings `SHOW WARNINGS` would list.
    #[must_use]
    pub const fn warnings(&self) -> u16 {
        self.end.warnings()
    }

    /// Whether another result of the same command follows.
    #[must_use]
    pub const fn has_more_results(&self) -> bool {
        self.end.has_more_results()
    }

    /// A text for people, such as `Rows matched: 2  Changed: 0  Warnings: 0`.
    #[must_use]
    pub fn info(&self) -> &[u8] {
        self.end.info()
    }

    /// Changes of the session state.
    #[must_use]
    pub fn session_state(&self) -> SessionState<'_> {
        self.end.session_state()
    }
}

impl From<&OkPacket<'_>> for OkReply {
    #[inline]
    fn from(ok: &OkPacket<'_>) -> Self {
        Self { affected_rows: ok.affected_rows(), last_insert_id: ok.last_insert_id(), end: ok.into() }
    }
}

impl From<ResultEnd> for OkReply {
    fn from(end: ResultEnd) -> Self {
        Self { affected_rows: 0, last_insert_id: 0, end }
    }
}

/// A prepared statement.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Prepared {
    /// Its id in this session.
    pub statement_id: u32,
    /// Its parameters.
    pub params: Columns,
    /// The columns of its result as far as known now; each execution tells them anew.
    pub columns: Columns,
    /// How many warnings `SHOW WARNINGS` would list.
    pub warnings: u16,
}

/// A prepared statement's result has another number of columns than the definitions that were kept of it: the schema
/// has changed since. Prepare it again, with metadata.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ColumnsChanged {
    /// How many columns were kept.
    pub kept: usize,
    /// How many the result has.
    pub sent: usize,
}

impl fmt::Display for ColumnsChanged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kept, sent } = self;
        write!(f, "the result has {sent} columns, but {kept} definitions were kept: the schema has changed")
    }
}

impl std::error::Error for ColumnsChanged {}

/// A file that the server asked for and did not get.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct InfileRefused {
    /// The file that the server named, in the connection's character set.
    pub file_name: Box<[u8]>,
    /// What the server made of the empty file.
    pub verdict: Result<OkReply, ErrPacket>,
}

impl InfileRefused {
    /// The number that MySQL's own library gives.
    #[must_use]
    pub const fn client_error(&self) -> u16 {
        ClientError::CR_LOAD_DATA_LOCAL_INFILE_REJECTED
    }
}

impl fmt::Display for InfileRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the server asked for the file {:?}, which was refused",
            String::from_utf8_lossy(&self.file_name)
        )
    }
}
