use bytes::Bytes;

use crate::messages::connection;
use crate::{Columns, Notice, RowBatch, ServerError, ServerKind};

/// What a connection has to say.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// A request without a result of its own succeeded. Ends its reply.
    Ok(Option<Box<str>>),
    /// A request failed. Ends its reply.
    Error(ServerError),
    /// The server's capabilities. Ends the reply.
    Capabilities(connection::Capabilities),
    /// The mechanism's next challenge: to be answered by an AuthenticateContinue. Ends the reply.
    AuthenticateContinue(Bytes),
    /// The session is there, with what the mechanism is told along with success. Ends the reply.
    AuthenticateOk(Bytes),
    /// The definition of a column came; only when [messages are counted](crate::Connection::one_by_one).
    Column,
    /// A result begins.
    Columns(Columns),
    /// Rows of it.
    Rows(RowBatch),
    /// It is over, or stops.
    Fetched(Fetched),
    /// The statement is over. Ends the reply.
    StmtExecuteOk,
    /// The server tells something. Belongs to the running statement if it is local.
    Notice(Notice),
    /// A message came that nobody waits for; only when such ones are [let
    /// through](crate::Connection::let_through).
    Unasked(ServerKind, Bytes),
}

/// How rows end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fetched {
    /// There are no more.
    Done,
    /// There are more, to be fetched from the cursor.
    Suspended,
    /// Another result follows, or none and [`Done`](Self::Done).
    MoreResultsets,
    /// The OUT parameters follow.
    MoreOutParams,
}
