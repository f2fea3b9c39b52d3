//! One loop that drives porpoise's machines over any runtime: clients, deadlines, cancellation, and a blocking link.
//!
//! A runtime offers a [`Link`] (read, write, close), a [`Timer`] and a name lookup: see [`Runtime`]. Everything
//! else is here, once: opening sockets, racing addresses, deadlines, the TLS handshake, the clients.
//!
//! * [`Options`] say where to connect and how; [`Options::from_url`] reads a `mysql://` URL.
//! * [`Connecting`] is a future that is one connect. Dropping a borrow of it loses nothing: poll it again and the
//!   connect goes on where it was.
//! * [`Client`] is the session after it: statements, rows, transactions, pipelines, cursors, values of any size.
//! * [`CancelHandle`] ends one operation from outside, and no other; timeouts are built on it.
//! * [`blocking`] has a runtime of its own, without threads: a non-blocking socket and `poll(2)`.
//!
//! A whole connect against a server of three packets:
//!
//! ```
//! use std::io::{Read, Write};
//! use std::net::TcpListener;
//! use std::sync::Arc;
//!
//! use porpoise_driver::blocking;
//! use porpoise_driver::Options;
//!
//! let listener = TcpListener::bind("127.0.0.1:0")?;
//! let port = listener.local_addr()?.port();
//! let server = std::thread::spawn(move || -> std::io::Result<()> {
//!     let (mut client, _) = listener.accept()?;
//!     client.write_all(b"\x49\0\0\x00\x0a9.7.4\0\x08\0\0\0ABCDEFGH\0\xff\xf7\xff\x02\0\xff\xdf\x15\0\0\0\0\0\0\0\0\0\0")?;
//!     client.write_all(b"IJKLMNOPQRST\0caching_sha2_password\0")?;
//!     client.read(&mut [0; 512])?; // the login
//!     client.write_all(b"\x07\0\0\x02\0\0\0\x02\0\0\0")?; // OK
//!     client.read(&mut [0; 512])?; // COM_PING
//!     client.write_all(b"\x07\0\0\x01\0\0\0\x02\0\0\0")
//! });
//!
//! let url = format!("mysql://dolphin@127.0.0.1:{port}/?connect-timeout=5");
//! let mut client = blocking::connect(Arc::new(Options::from_url(&url)?))?;
//! assert_eq!(client.client().connection_id(), 8);
//! client.ping()?;
//! client.close()?;
//! # server.join().unwrap()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod batch;
mod big;
pub mod blocking;
mod cancel;
mod care;
mod client;
mod connecting;
mod cursor;
mod dial;
mod endpoint;
mod error;
mod exec;
mod fence;
mod infile;
mod io;
mod link;
mod long_data;
mod opening;
mod options;
mod pipeline;
mod record;
mod responder;
mod results;
mod session_options;
mod socket;
mod statement;
mod stream;
mod tap;
mod tracking;
mod transaction;
mod url;
mod watch;
#[cfg(feature = "xproto")]
pub mod x;

pub use batch::BatchDone;
pub use big::{BigPiece, BigRows};
pub use cancel::CancelHandle;
pub use client::Client;
pub use connecting::Connecting;
pub use cursor::Cursor;
pub use error::{Error, Operation, Usage};
pub use exec::StatementRef;
pub use link::{BoxFuture, Link, Runtime, Timer};
pub use options::{ConfigError, Options, OptionsBuilder, Target};
pub use pipeline::{Pipeline, Replies};
pub use record::{FlightRecord, StageRecord};
pub use responder::Responder;
pub use results::Results;
pub use session_options::TrackGtids;
pub use socket::Socket;
pub use statement::Statement;
pub use stream::{Batch, BatchSource, BatchStream, RowStream};
pub use tap::Tap;
pub use transaction::{Isolation, Transaction, TxOptions};
pub use url::{UrlError, UrlKey};
