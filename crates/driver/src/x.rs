//! The client of the X Protocol.
//!
//! * [`Options`] say where to connect and how; [`Options::from_url`] reads a `mysqlx://` URL.
//! * [`Connecting`] is a future that is one connect: in as few flights as the server allows, or
//!   [raw](Connecting::raw), which only opens the transport.
//! * [`Session`] is what it gives.
//!
//! * [`Schema`], [`Collection`] and [`Table`] are names that make requests: statements on documents and rows, and what the
//!   server does with the objects themselves. [`Session::execute`] carries them out.
//!
//! The loop, dialing, deadlines, TLS, rows in batches and the trace are the same as of the [classic client](crate::Client).

mod ask;
mod collection;
mod connecting;
mod error;
mod notices;
mod options;
mod outcome;
mod raw;
mod run;
mod schema;
mod session;
mod table;

pub use ask::{Ask, Asking, Did, Exists, First, Names, NamesOf, Number, Read, Said};
pub use collection::Collection;
pub use connecting::Connecting;
pub use error::Error;
pub use notices::Notices;
pub use options::{Options, OptionsBuilder};
pub use outcome::Outcome;
/// Builders of statements, and the server's own commands.
pub use porpoise_xproto::{admin, crud};
pub use schema::Schema;
pub use session::Session;
pub use table::Table;
