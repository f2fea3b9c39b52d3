//! MySQL's X Protocol, sans-I/O: messages, frames, and the life cycle of a connection.
//!
//! A [`Connection`] is a plain value without I/O. It is lent received bytes and a place for bytes to send, encodes
//! messages, as many ahead as the caller likes, and tells their replies as [`Event`]s in the same order. What the server
//! could not take is refused before it is written, by one [table](LifeCycle::reaction) of what is legal where.
//!
//! A login, a statement and the goodbye in one flight:
//!
//! ```
//! use bytes::{Bytes, BytesMut};
//! use porpoise_trace::NoTrace;
//! use porpoise_wire::{Cx, Limits, Machine, Step};
//! use porpoise_xproto::{Connection, Event, messages::sql};
//!
//! // The buffers stand for a Unix socket, which is safe for PLAIN.
//! let (mut rx, mut tx, mut trace) = (BytesMut::new(), BytesMut::new(), NoTrace);
//! let mut cx = Cx::new(&mut rx, &mut tx, &mut trace);
//! let mut connection = Connection::new(Limits::default());
//! connection.connected(&mut cx);
//! connection.authenticate_start("PLAIN", Some(b"test\0app\0secret"), false, &mut cx)?;
//! connection.send(&sql::StmtExecute { stmt: Bytes::from_static(b"SELECT 1"), ..Default::default() }, &mut cx)?;
//! connection.close(&mut cx)?;
//! assert_eq!(connection.replies_owed(), 3);
//! cx.tx.clear(); // sent
//!
//! // What the server answers: AuthenticateOk | a column, SINT "1" | a row | FetchDone | StmtExecuteOk | Ok.
//! cx.rx.extend_from_slice(b"\x03\0\0\0\x04\x0a\0");
//! cx.rx.extend_from_slice(b"\x06\0\0\0\x0c\x08\x01\x12\x011\x04\0\0\0\x0d\x0a\x01\x02\x01\0\0\0\x0e");
//! cx.rx.extend_from_slice(b"\x01\0\0\0\x11\x01\0\0\0\0");
//!
//! let mut values = Vec::new();
//! while let Step::Event(event) = connection.advance(&mut cx)? {
//!     match event {
//!         Event::Columns(columns) => assert_eq!(columns.get(0).unwrap().name, b"1"),
//!         Event::Rows(batch) => {
//!             for row in &batch {
//!                 values.extend(row.iter().map(|cell| cell.unwrap().map(<[u8]>::to_vec)));
//!             }
//!         }
//!         Event::Error(error) => panic!("{error}"),
//!         _ => {} // AuthenticateOk, Fetched, StmtExecuteOk, Ok: notices, too, can come at any time
//!     }
//! }
//! assert_eq!(values, [Some(vec![2])]); // 1, as a zigzag varint
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [`connect`] goes from an open transport to a session in as few flights as the server allows: capabilities, TLS, a
//! mechanism that suits the channel, compression.
//!
//! [`crud`] builds statements on collections and tables, [`admin`] the commands of the server's own namespace. [`expr`]
//! parses the expressions of the document and the table model that they take.
//!
//! # Messages
//!
//! [`messages`] has all of them, made by prost of porpoise's own `.proto` files. Those that come in great numbers are read
//! on borrowed bytes instead: [`ColumnMetaData`], [`RowRef`], [`Notice`]. [`ClientKind`] and [`ServerKind`] are the type bytes.
//!
//! # Compression
//!
//! Whoever has CapabilitiesSet `compression` accepted gets it with the session: what the server compresses is inflated on
//! the way, and a write above a [threshold](Connection::set_compression_threshold) is compressed, however many messages it
//! has.
//!
//! | feature | algorithm |
//! |---|---|
//! | `deflate` | [`Algorithm::DeflateStream`] |
//! | `lz4` | [`Algorithm::Lz4Message`] |
//! | `zstd` | [`Algorithm::ZstdStream`] |
//!
//! # Trust
//!
//! No bytes make a connection panic, and no length is believed before it is held against the frame and the
//! [`Limits`](porpoise_wire::Limits). A frame above the limit is refused from its length alone. Authentication data is
//! written straight into the send buffer, and neither `Debug` nor a trace shows it. Bytes that come in clear where the TLS
//! handshake begins end the connection.

pub mod admin;
mod any;
mod capability;
mod columns;
mod compress;
pub mod connect;
mod connection;
pub mod crud;
mod decode;
mod error;
mod event;
pub mod expr;
mod field;
#[expect(clippy::module_inception, reason = "the protocol's own names")]
mod generated;
mod kind;
pub mod messages;
mod notice;
mod owed;
mod packing;
mod param;
mod reply;
mod row;
mod server_code;
mod typed;

pub use columns::{ColumnFormat, ColumnMetaData, Columns, FieldType};
pub use compress::Algorithm;
pub use connection::Connection;
pub use error::{Misuse, ServerError, XError, XErrorKind};
pub use event::{Event, Fetched};
pub use generated::life_cycle::{LifeCycle, Reaction};
pub use kind::{ClientKind, ClientMessage, ServerKind};
pub use notice::{Notice, NoticeBody};
pub use row::{Cells, RowBatch, RowRef, Rows};
pub use typed::{ColumnIndex, RowError, Typed, TypedCells};
