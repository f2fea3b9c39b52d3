//! One loop that drives porpoise's machines over any runtime: clients, deadlines, cancellation, and a blocking link.
//!
//! A runtime offers a [`Link`] (read, write, close), a [`Timer`] and a name lookup: see [`Runtime`]. Everything
//! else is here, once: opening sockets, racing addresses, deadlines, the TLS handshake, the clients.
//!
//! * [`Options`] say where to connect and how; [`Options::from_url`] reads a `mysql://` URL.
//! * [`Connecting`] is a future that is one connect. Dropping a borrow of it loses nothing: poll it again and the
//!   connect goes on where it was.
//! * [`Client`] is the session after it.
//! * [`blocking`] has a runtime of its own, without threads: a non-blocking socket and `poll(2)`.

pub mod blocking;
mod client;
mod connecting;
mod dial;
mod error;
mod io;
mod link;
mod options;
mod record;
mod responder;
mod results;
mod socket;
mod tap;
mod url;

pub use client::Client;
pub use connecting::Connecting;
pub use error::{Error, Operation};
pub use link::{BoxFuture, Link, Runtime, Timer};
pub use options::{ConfigError, Options, OptionsBuilder, Target};
pub use record::{FlightRecord, StageRecord};
pub use responder::Responder;
pub use results::Results;
pub use socket::Socket;
pub use tap::Tap;
pub use url::{UrlError, UrlKey};
