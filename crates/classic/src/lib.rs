//! The command phase of MySQL's classic protocol: packets, commands, results.

mod cells;
mod columns;
mod command;
mod error;
mod event;
mod generated;
mod packets;
mod reply;
mod row;
mod session;
mod state;

pub use cells::Cells;
pub use columns::Columns;
pub use error::{ClassicError, ClassicErrorKind, Misuse};
pub use event::{Event, InfileRefused, OkReply, Prepared, ResultEnd};
pub use generated::capability::CapabilityFlags;
pub use generated::client_error::ClientError;
pub use generated::collation::Collation;
pub use generated::column_flag::ColumnFlags;
pub use generated::column_type::ColumnType;
pub use generated::command::Command;
pub use generated::server_error::ServerError;
pub use generated::status::StatusFlags;
pub use packets::{
    ColumnDefinition41, ColumnFormat, EofPacket, ErrPacket, LocalInfileRequest, OkPacket, ResultSetHeader,
    SessionState, StateChange, StmtPrepareOk,
};
pub use row::{Encoding, Row, RowBatch, RowError, RowRef, Rows};
pub use session::{Session, SessionSeed};
