//! The command phase of MySQL's classic protocol: packets, commands, results.
//!
//! A [`Session`] is a plain value without I/O. It is lent received bytes and a place for bytes to send, encodes
//! commands, and tells replies as [`Event`]s. It does not know how the connection was made: whoever has
//! authenticated one, by whatever means, [resumes](Session::resume) a session from a [`SessionSeed`]. All packets can
//! also be parsed by themselves, as a proxy or a fuzzer would.
//!
//! ```
//! use bytes::BytesMut;
//! use porpoise_classic::{CapabilityFlags, Event, Session, SessionSeed};
//! use porpoise_trace::NoTrace;
//! use porpoise_wire::{Cx, Framer, Limits, Machine, Step};
//!
//! // The buffers stand for any socket; connecting has agreed on the capabilities.
//! let (mut rx, mut tx, mut trace) = (BytesMut::new(), BytesMut::new(), NoTrace);
//! let limits = Limits::default();
//! let capabilities = CapabilityFlags::CLIENT_PROTOCOL_41 | CapabilityFlags::CLIENT_DEPRECATE_EOF;
//! let mut session = Session::resume(SessionSeed::new(Framer::new(limits), capabilities, limits));
//!
//! session.query("SELECT 1", &mut Cx::new(&mut rx, &mut tx, &mut trace))?;
//! assert_eq!(&tx[..], b"\x09\x00\x00\x00\x03SELECT 1");
//! tx.clear(); // sent
//!
//! // What a server answers: one column; its definition; one row; OK in place of EOF.
//! rx.extend_from_slice(b"\x01\x00\x00\x01\x01");
//! rx.extend_from_slice(b"\x17\x00\x00\x02\x03def\x00\x00\x00\x011\x00\x0c\x3f\x00\x02\x00\x00\x00\x08\x81\x00\x00\x00\x00");
//! rx.extend_from_slice(b"\x02\x00\x00\x03\x011");
//! rx.extend_from_slice(b"\x07\x00\x00\x04\xfe\x00\x00\x02\x00\x00\x00");
//!
//! let mut values = Vec::new();
//! loop {
//!     match session.advance(&mut Cx::new(&mut rx, &mut tx, &mut trace))? {
//!         Step::Event(Event::Columns(columns)) => assert_eq!(columns.get(0).unwrap().name(), b"1"),
//!         Step::Event(Event::Rows(batch)) => {
//!             for row in &batch {
//!                 values.push(row.get(0)?.map(<[u8]>::to_vec));
//!             }
//!         }
//!         Step::Event(Event::Err(err)) => panic!("{err}"),
//!         Step::Event(_) => {} // Event::End: the result set is over
//!         Step::Idle => break, // the reply is over
//!         _ => unreachable!("all bytes are there"), // NeedRead: write `tx`, then read into `rx`
//!     }
//! }
//! assert_eq!(values, [Some(b"1".to_vec())]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Replies
//!
//! | command | events |
//! |---|---|
//! | [`query`](Session::query), [`query_with`](Session::query_with), [`stmt_execute_with`](Session::stmt_execute_with), [`stmt_execute`](Session::stmt_execute), [`process_info`](Session::process_info) | for each result [`Ok`](Event::Ok), or [`Columns`](Event::Columns), [`Rows`](Event::Rows)..., [`End`](Event::End) |
//! | [`stmt_prepare`](Session::stmt_prepare) | [`Prepared`](Event::Prepared) |
//! | [`stmt_fetch`](Session::stmt_fetch) | [`Rows`](Event::Rows)..., [`End`](Event::End) |
//! | [`field_list`](Session::field_list) | [`Columns`](Event::Columns), [`End`](Event::End) |
//! | [`statistics`](Session::statistics) | [`Statistics`](Event::Statistics) |
//! | [`binlog_dump`](Session::binlog_dump), [`binlog_dump_gtid`](Session::binlog_dump_gtid) | [`Binlog`](Event::Binlog)..., [`End`](Event::End) if asked for |
//! | [`ping`](Session::ping), [`init_db`](Session::init_db), [`reset_connection`](Session::reset_connection), [`set_option`](Session::set_option), [`debug`](Session::debug), [`process_kill`](Session::process_kill), [`stmt_reset`](Session::stmt_reset), [`register_replica`](Session::register_replica), [`simple_command`](Session::simple_command) | [`Ok`](Event::Ok) |
//! | [`stmt_close`](Session::stmt_close), [`stmt_send_long_data`](Session::stmt_send_long_data), [`quit`](Session::quit) | none |
//!
//! [`Err`](Event::Err) may come in place of any of these and ends the reply. The next command may be sent at
//! [`Step::Idle`](porpoise_wire::Step::Idle), or as soon as [`is_idle`](Session::is_idle) says so.
//!
//! # Prepared statements
//!
//! [`stmt_prepare`](Session::stmt_prepare) gives an id, which an [`Execute`] takes with parameters of any type that
//! [`porpoise_value`] knows. A large parameter can be [sent ahead](Session::stmt_send_long_data) in pieces; errors in that
//! show when the statement is executed, and its execution uses it up. With a [cursor](Execute::cursor) the rows stay on the
//! server until they are [fetched](Session::stmt_fetch). [`stmt_reset`](Session::stmt_reset) drops long data and closes the
//! cursor; the statement stays. [`reset_connection`](Session::reset_connection) drops all statements.
//!
//! # Pipelines
//!
//! After [`set_pipelining`](Session::set_pipelining) commands may be sent while replies are owed. The replies come in
//! order, and [`replies_owed`](Session::replies_owed) tells whose events are whose. An ERR is the reply to its command
//! alone: those behind it run.
//!
//! # Files
//!
//! LOAD DATA LOCAL makes the server ask for a file, and any server may ask for any file at any statement. Such a request
//! is refused ([`InfileRefused`]) unless [`allow_infile`](Session::allow_infile) was called for this very statement; then
//! [`LocalInfile`](Event::LocalInfile) is answered by [`send_file`](Session::send_file) and
//! [`end_file`](Session::end_file).
//!
//! # Rows
//!
//! Rows come in [batches](RowBatch): all that were received together, in one refcounted piece of the receive buffer.
//! Nothing is copied but packets of more than one frame. A [`RowRef`] borrows from its batch;
//! [`detach`](RowRef::detach) copies a row that is to be kept.
//!
//! Cells are bytes ([`RowRef::get`]), values ([`RowRef::value`]), or whatever type is asked for
//! ([`RowRef::get_as`], by position or name). Whole rows are read [typed](RowBatch::typed), by a [plan](RowBatch::plan) made
//! once for a result set; which kinds become which types says the page of [`porpoise_value`].
//!
//! Rows too large to be held are [streamed](Session::stream_rows): [`RowPart`]s of what was received, in which a
//! [`RowReader`] finds the cells.
//!
//! # Result sets without definitions
//!
//! Under CLIENT_OPTIONAL_RESULTSET_METADATA and `resultset_metadata=NONE` the server sends the number of columns alone.
//! Text rows can be read; binary ones with the definitions that came when the statement was prepared. If their number is
//! not the result's, that is [`ColumnsChanged`]; a type of another width shows as a row that does not end with its packet;
//! what has changed in neither cannot be seen.
//!
//! # Trust
//!
//! No bytes make a session panic, and no length is believed before it is held against the packet and the
//! [`Limits`](porpoise_wire::Limits). An ERR that comes unasked, as servers send before they drop an idle connection, is
//! told, and no further command is sent.

#[cfg(test)]
mod arbitrary;
mod big_row;
mod binlog;
mod cells;
mod columns;
mod command;
mod decode;
mod error;
mod event;
mod execute;
mod generated;
mod gtid;
mod infile;
mod packets;
mod param;
mod pipeline;
mod prepare;
mod reply;
mod row;
mod session;
mod state;
mod statement;
mod typed;
mod width;

pub use big_row::{RowPart, RowPiece, RowReader};
pub use binlog::{BinlogDump, RegisterReplica};
pub use cells::Cells;
pub use columns::Columns;
pub use error::{ClassicError, ClassicErrorKind, Misuse};
pub use event::{ColumnsChanged, Event, InfileRefused, OkReply, Prepared, ResultEnd};
pub use execute::{Execute, ExecuteError};
pub use generated::capability::CapabilityFlags;
pub use generated::client_error::ClientError;
pub use generated::collation::Collation;
pub use generated::column_flag::ColumnFlags;
pub use generated::column_type::ColumnType;
pub use generated::command::Command;
pub use generated::server_error::ServerError;
pub use generated::status::StatusFlags;
pub use gtid::{GtidError, GtidSet};
pub use packets::{
    ColumnDefinition41, ColumnFormat, EofPacket, ErrPacket, LocalInfileRequest, OkPacket, ResultSetHeader,
    SessionState, StateChange, StmtPrepareOk, TransactionState,
};
pub use param::encode_params;
pub use row::{Encoding, Row, RowBatch, RowError, RowRef, Rows};
pub use session::{Session, SessionSeed};
pub use typed::{ColumnIndex, Typed, TypedCells};
