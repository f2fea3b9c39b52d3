//! MySQL's wire protocols as pick-and-choose crates: the facade.
//!
//! | you want | take |
//! |---|---|
//! | a client on tokio, async-std, smol or plain threads | this crate with `tokio`, `async-std` or `blocking` |
//! | the same for the X Protocol, with collections and tables | `porpoise::x` with `xproto` |
//! | clients on a runtime of your own | [`driver`]: implement [`driver::Runtime`], some hundred lines |
//! | the connect or the command phase over your own I/O | [`classic_connect::Connector`], [`classic::Session`] |
//! | authentication plugins, to use or to add | [`auth`] |
//! | packets, for a proxy or a dissector | [`wire`], [`classic`] |
//! | to see what a connection does | [`trace`], [`FlightRecord`] |
//!
//! ```no_run
//! # #[cfg(feature = "blocking")]
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use std::sync::Arc;
//!
//! use porpoise::Options;
//!
//! let options = Options::from_url("mysql://user:password@db.example/test?ssl-mode=REQUIRED")?;
//! let mut client = porpoise::blocking::connect(Arc::new(options))?;
//! let deep: Vec<(String, Option<u32>)> =
//!     client.exec_all("SELECT name, depth FROM dolphins WHERE depth > ?", (200,))?;
//! println!("{deep:?}");
//! client.close()?;
//! # Ok(())
//! # }
//! # #[cfg(not(feature = "blocking"))]
//! # fn main() {}
//! ```
//!
//! # A tour of the client
//!
//! [`Client`] is the same on every runtime; [`driver::blocking`] has its calls without one. Every future may be
//! dropped at any await, and its documentation says what that leaves.
//!
//! | for | take |
//! |---|---|
//! | statements as text | [`query`](Client::query), [`query_all`](Client::query_all), [`query_first`](Client::query_first), [`query_drop`](Client::query_drop) |
//! | statements with parameters | [`exec`](Client::exec) and its like; they are prepared once, and kept in a cache: [`prepare`](Client::prepare), [`Statement`] |
//! | parameters | tuples, slices, [`Named`]; types of your own: [`ToValue`] |
//! | rows | tuples, `#[derive(FromRow)]`, [`Value`]; types of your own: [`FromValue`] |
//! | results, one after the other; OUT parameters | [`Results`] |
//! | many rows | [`Results::rows`], a stream of values; [`Results::batches`], rows as they were received; [`exec_cursor`](Client::exec_cursor), so many at a time |
//! | many executions, or different commands, in one round trip | [`exec_batch`](Client::exec_batch), [`pipeline`](Client::pipeline) |
//! | values larger than memory | [`query_big`](Client::query_big), [`exec_big`](Client::exec_big), [`send_long_data`](Client::send_long_data) |
//! | files for LOAD DATA LOCAL | [`query_infile`](Client::query_infile) |
//! | transactions | [`begin`](Client::begin): rolled back unless committed |
//! | to end what takes too long | [`cancel_handle`](Client::cancel_handle), [`set_timeout`](Client::set_timeout) |
//! | query attributes | [`query_with`](Client::query_with), [`exec_with`](Client::exec_with) |
//! | a pool | [`needs_reset`](Client::needs_reset), [`reset`](Client::reset), [`change_user`](Client::change_user), [`park`](Client::park), [`is_usable`](Client::is_usable) |
//! | replicas | [`last_gtid`](Client::last_gtid), [`wait_for_gtid`](Client::wait_for_gtid) |
//! | anything else of the protocol | [`command`](Client::command), [`next_event`](Client::next_event) |

pub use porpoise_auth as auth;
#[cfg(feature = "classic")]
pub use porpoise_classic as classic;
#[cfg(feature = "classic")]
pub use porpoise_classic_connect as classic_connect;
/// Makes [`FromRow`](trait@FromRow) for a struct.
#[cfg(feature = "derive")]
pub use porpoise_derive::FacadeFromRow as FromRow;
pub use porpoise_driver as driver;
#[cfg(feature = "classic")]
pub use porpoise_driver::{
    BatchDone, BatchStream, BigPiece, BigRows, CancelHandle, Client, ConfigError, Connecting, Cursor, Error,
    FlightRecord, Isolation, Operation, Options, OptionsBuilder, Pipeline, Replies, Responder, Results,
    RowStream, StageRecord, Statement, StatementRef, Target, TrackGtids, Transaction, TxOptions, Usage,
};
pub use porpoise_trace as trace;
pub use porpoise_transport as transport;
pub use porpoise_value as value;
pub use porpoise_value::{FromRow, FromValue, Kind, Named, NamedSql, Params, ToValue, Value, ValueRef};
pub use porpoise_wire as wire;
#[cfg(feature = "xproto")]
pub use porpoise_xproto as xproto;

/// The client of the X Protocol.
#[cfg(feature = "xproto")]
pub use porpoise_driver::x;

#[cfg(feature = "blocking")]
pub use porpoise_driver::blocking;

/// Clients on tokio.
#[cfg(feature = "tokio")]
pub use porpoise_rt_tokio as tokio;

/// Clients on async-std and smol.
#[cfg(feature = "async-std")]
pub use porpoise_rt_async_std as async_std;

/// The README's examples, so that they stay ones that compile.
#[cfg(all(doctest, feature = "blocking", feature = "tokio", feature = "xproto"))]
#[doc = include_str!("../../../README.md")]
pub struct Readme;
