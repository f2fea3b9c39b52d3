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

mod args;
mod ask;
mod batch;
mod cancel;
mod care;
mod collection;
mod commands;
mod connecting;
mod cursor;
mod error;
mod notices;
mod options;
mod outcome;
mod pipeline;
mod raw;
mod results;
mod run;
mod schema;
mod session;
mod settle;
mod sql;
mod statement;
mod table;
mod transaction;

pub use ask::{Ask, Asking, Did, Exists, First, Names, NamesOf, Number, Read, Said};
pub use batch::BatchDone;
pub use cancel::CancelHandle;
pub use collection::Collection;
pub use commands::ClientInfo;
pub use connecting::Connecting;
pub use cursor::Cursor;
pub use error::Error;
pub use notices::Notices;
pub use options::{Options, OptionsBuilder};
pub use outcome::Outcome;
pub use pipeline::{Pipeline, Replies, Ticket};
/// Builders of statements, and the server's own commands.
pub use porpoise_xproto::{admin, crud};
pub use results::Results;
pub use schema::Schema;
pub use session::Session;
pub use sql::Sql;
pub use statement::Statement;
pub use table::Table;
pub use transaction::{Savepoint, Transaction};
