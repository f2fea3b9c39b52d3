//! All messages of the protocol, as prost made them of `xtask/proto`. Fields and enums have the names and numbers that
//! MySQL documents.

pub use crate::generated::mysqlx::{
    ClientMessages, Error, Ok, ServerMessages, client_messages, connection, crud, cursor, datatypes, error,
    expect, expr, notice, prepare, resultset, server_messages, session, sql,
};
