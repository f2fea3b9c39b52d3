//! The client of the X Protocol.
//!
//! * [`Options`] say where to connect and how; [`Options::from_url`] reads a `mysqlx://` URL.
//! * [`Connecting`] is a future that is one connect: in as few flights as the server allows, or
//!   [raw](Connecting::raw), which only opens the transport.
//! * [`Session`] is what it gives.
//!
//! The loop, dialing, deadlines, TLS, rows in batches and the trace are the same as of the [classic client](crate::Client).

mod connecting;
mod error;
mod notices;
mod options;
mod raw;
mod run;
mod session;

pub use connecting::Connecting;
pub use error::Error;
pub use notices::Notices;
pub use options::{Options, OptionsBuilder};
pub use session::Session;
