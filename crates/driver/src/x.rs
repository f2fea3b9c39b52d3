//! The client of the X Protocol.
//!
//! * [`Options`] say where to connect and how; [`Options::from_url`] reads a `mysqlx://` URL.
//! * [`Connecting`] is a future that is one connect: in as few flights as the server allows, or
//!   [raw](Connecting::raw), which only opens the transport.
//! * [`Session`] is what it gives.
//! * [`Schema`], [`Collection`] and [`Table`] are names that make requests: statements on documents and rows, and what the
//!   server does with the objects themselves. [`Session::execute`] carries them out.
//!
//! The loop, dialing, deadlines, TLS, rows in batches and the trace are the same as of the [classic client](crate::Client), and so
//! are row types, values and parameters.
//!
//! ```no_run
//! use std::sync::Arc;
//!
//! use porpoise_driver::TxOptions;
//! use porpoise_driver::blocking::{BLOCKING, block_on};
//! use porpoise_driver::x::{Options, Session};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let options = Options::from_url("mysqlx://user:password@db.example/sea?ssl-mode=REQUIRED")?;
//! block_on(async {
//!     let mut session = Session::connect(BLOCKING, Arc::new(options)).await?;
//!     let deep: Vec<(String, u32)> =
//!         session.exec_all("SELECT name, depth FROM dolphins WHERE depth > ?", (200,)).await?;
//!     let mut tx = session.begin(TxOptions::new()).await?;
//!     let done = tx.sql("UPDATE dolphins SET depth = depth + ?").args((10,)).run().await?;
//!     println!("{deep:?}, then {:?} changed", done.affected);
//!     tx.commit().await?;
//!     Ok(session.close().await?)
//! })
//! # }
//! ```
//!
//! | for | take |
//! |---|---|
//! | statements as text, with arguments that the server puts in | [`Session::sql`] |
//! | prepared statements, with a cache | [`exec_sql`](Session::exec_sql) and its like, [`prepare`](Session::prepare), [`exec`](Session::exec) |
//! | results: one after the other, OUT parameters, streams of rows and of batches | [`Results`] |
//! | affected rows, generated ids, warnings | [`Outcome`] |
//! | so many rows at a time | [`cursor_sql`](Session::cursor_sql), [`Cursor`] |
//! | different messages in one write; expectations | [`Session::pipeline`], [`Pipeline::expect`] |
//! | any number of messages of one kind | [`exec_batch`](Session::exec_batch), [`execute_batch`](Session::execute_batch) |
//! | a login and a statement in one flight | [`Connecting::with_statement`] |
//! | transactions, savepoints | [`Session::begin`], [`Transaction::savepoint`] |
//! | what the server tells of itself | [`Session::next_notice`], [`Session::notices`] |
//! | to end what takes too long | [`Session::cancel_handle`], [`Session::set_timeout`] |
//! | to use a connection again | [`Session::reset`]; for another user [`Session::authenticate`] |
//! | single messages, for tools | [`Connecting::raw`], [`Session::message`], [`Session::next_event`], [`Session::recv`] |

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
