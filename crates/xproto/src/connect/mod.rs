//! The connect: from an open transport to a session, in as few flights as the server allows.

mod connector;
mod error;
mod flight;
mod options;

pub use connector::{ConnectEvent, Connector};
pub use error::{ConnectError, ConnectErrorKind};
pub use options::{Auth, ConnectOptions, Transport, Use};
