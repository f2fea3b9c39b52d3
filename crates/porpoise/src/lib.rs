//! MySQL's wire protocols as pick-and-choose crates: the facade.
//!
//! | you want | take |
//! |---|---|
//! | a client on tokio, async-std, smol or plain threads | this crate with `tokio`, `async-std` or `blocking` |
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
//! let mut results = client.query("SELECT name FROM dolphins")?;
//! while let Some(batch) = results.next_batch()? {
//!     for row in &batch {
//!         println!("{:?}", row.get(0)?);
//!     }
//! }
//! client.close()?;
//! # Ok(())
//! # }
//! # #[cfg(not(feature = "blocking"))]
//! # fn main() {}
//! ```

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

#[cfg(feature = "blocking")]
pub use porpoise_driver::blocking;

/// Clients on tokio.
#[cfg(feature = "tokio")]
pub use porpoise_rt_tokio as tokio;

/// Clients on async-std and smol.
#[cfg(feature = "async-std")]
pub use porpoise_rt_async_std as async_std;

/// The README's examples, so that they stay ones that compile.
#[cfg(all(doctest, feature = "blocking", feature = "tokio"))]
#[doc = include_str!("../../../README.md")]
pub struct Readme;
