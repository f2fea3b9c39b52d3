//! The messages of both directions by their type bytes.

use std::fmt;

use crate::messages::{
    client_messages, connection, crud, cursor, expect, prepare, server_messages, session, sql,
};

/// A message that a client sends: it knows its frame's type byte.
pub trait ClientMessage: prost::Message + 'static {
    /// The frame's type byte.
    const KIND: ClientKind;
}

/// The type byte of a client's frame. Numbers without a name are kept.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ClientKind(u8);

/// The type byte of a server's frame. Numbers without a name are kept.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ServerKind(u8);

/// Constants, names and implementations of one direction.
macro_rules! kinds {
    ($kind:ident: $($constant:ident = $number:path, $name:literal;)*) => {
        impl $kind {
            $(
                #[doc = concat!("`", $name, "`.")]
                pub const $constant: Self = Self($number as u8);
            )*

            /// The type byte of a number, known or not.
            #[must_use]
            pub const fn new(number: u8) -> Self {
                Self(number)
            }

            /// The number on the wire.
            #[must_use]
            pub const fn number(self) -> u8 {
                self.0
            }

            /// The full name of its message, such as `Mysqlx.Session.Reset`.
            #[must_use]
            pub const fn name(self) -> Option<&'static str> {
                match self {
                    $(Self::$constant => Some($name),)*
                    _ => None,
                }
            }

            /// All that have a name, in the order of their numbers.
            pub const ALL: &[Self] = &[$(Self::$constant),*];
        }

        impl fmt::Display for $kind {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self.name() {
                    Some(name) => f.write_str(name),
                    None => write!(f, "message type {}", self.0),
                }
            }
        }

        impl fmt::Debug for $kind {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
    };
}

kinds! { ClientKind:
    CON_CAPABILITIES_GET = client_messages::Type::ConCapabilitiesGet, "Mysqlx.Connection.CapabilitiesGet";
    CON_CAPABILITIES_SET = client_messages::Type::ConCapabilitiesSet, "Mysqlx.Connection.CapabilitiesSet";
    CON_CLOSE = client_messages::Type::ConClose, "Mysqlx.Connection.Close";
    SESS_AUTHENTICATE_START = client_messages::Type::SessAuthenticateStart, "Mysqlx.Session.AuthenticateStart";
    SESS_AUTHENTICATE_CONTINUE = client_messages::Type::SessAuthenticateContinue, "Mysqlx.Session.AuthenticateContinue";
    SESS_RESET = client_messages::Type::SessReset, "Mysqlx.Session.Reset";
    SESS_CLOSE = client_messages::Type::SessClose, "Mysqlx.Session.Close";
    SQL_STMT_EXECUTE = client_messages::Type::SqlStmtExecute, "Mysqlx.Sql.StmtExecute";
    CRUD_FIND = client_messages::Type::CrudFind, "Mysqlx.Crud.Find";
    CRUD_INSERT = client_messages::Type::CrudInsert, "Mysqlx.Crud.Insert";
    CRUD_UPDATE = client_messages::Type::CrudUpdate, "Mysqlx.Crud.Update";
    CRUD_DELETE = client_messages::Type::CrudDelete, "Mysqlx.Crud.Delete";
    EXPECT_OPEN = client_messages::Type::ExpectOpen, "Mysqlx.Expect.Open";
    EXPECT_CLOSE = client_messages::Type::ExpectClose, "Mysqlx.Expect.Close";
    CRUD_CREATE_VIEW = client_messages::Type::CrudCreateView, "Mysqlx.Crud.CreateView";
    CRUD_MODIFY_VIEW = client_messages::Type::CrudModifyView, "Mysqlx.Crud.ModifyView";
    CRUD_DROP_VIEW = client_messages::Type::CrudDropView, "Mysqlx.Crud.DropView";
    PREPARE_PREPARE = client_messages::Type::PreparePrepare, "Mysqlx.Prepare.Prepare";
    PREPARE_EXECUTE = client_messages::Type::PrepareExecute, "Mysqlx.Prepare.Execute";
    PREPARE_DEALLOCATE = client_messages::Type::PrepareDeallocate, "Mysqlx.Prepare.Deallocate";
    CURSOR_OPEN = client_messages::Type::CursorOpen, "Mysqlx.Cursor.Open";
    CURSOR_CLOSE = client_messages::Type::CursorClose, "Mysqlx.Cursor.Close";
    CURSOR_FETCH = client_messages::Type::CursorFetch, "Mysqlx.Cursor.Fetch";
    COMPRESSION = client_messages::Type::Compression, "Mysqlx.Connection.Compression";
}

kinds! { ServerKind:
    OK = server_messages::Type::Ok, "Mysqlx.Ok";
    ERROR = server_messages::Type::Error, "Mysqlx.Error";
    CONN_CAPABILITIES = server_messages::Type::ConnCapabilities, "Mysqlx.Connection.Capabilities";
    SESS_AUTHENTICATE_CONTINUE = server_messages::Type::SessAuthenticateContinue, "Mysqlx.Session.AuthenticateContinue";
    SESS_AUTHENTICATE_OK = server_messages::Type::SessAuthenticateOk, "Mysqlx.Session.AuthenticateOk";
    NOTICE = server_messages::Type::Notice, "Mysqlx.Notice.Frame";
    RESULTSET_COLUMN_META_DATA = server_messages::Type::ResultsetColumnMetaData, "Mysqlx.Resultset.ColumnMetaData";
    RESULTSET_ROW = server_messages::Type::ResultsetRow, "Mysqlx.Resultset.Row";
    RESULTSET_FETCH_DONE = server_messages::Type::ResultsetFetchDone, "Mysqlx.Resultset.FetchDone";
    RESULTSET_FETCH_SUSPENDED = server_messages::Type::ResultsetFetchSuspended, "Mysqlx.Resultset.FetchSuspended";
    RESULTSET_FETCH_DONE_MORE_RESULTSETS = server_messages::Type::ResultsetFetchDoneMoreResultsets, "Mysqlx.Resultset.FetchDoneMoreResultsets";
    SQL_STMT_EXECUTE_OK = server_messages::Type::SqlStmtExecuteOk, "Mysqlx.Sql.StmtExecuteOk";
    RESULTSET_FETCH_DONE_MORE_OUT_PARAMS = server_messages::Type::ResultsetFetchDoneMoreOutParams, "Mysqlx.Resultset.FetchDoneMoreOutParams";
    COMPRESSION = server_messages::Type::Compression, "Mysqlx.Connection.Compression";
}

macro_rules! client_messages {
    ($($message:ty = $constant:ident;)*) => {
        $(impl ClientMessage for $message {
            const KIND: ClientKind = ClientKind::$constant;
        })*
    };
}

client_messages! {
    connection::CapabilitiesGet = CON_CAPABILITIES_GET;
    connection::CapabilitiesSet = CON_CAPABILITIES_SET;
    connection::Close = CON_CLOSE;
    connection::Compression = COMPRESSION;
    session::AuthenticateStart = SESS_AUTHENTICATE_START;
    session::AuthenticateContinue = SESS_AUTHENTICATE_CONTINUE;
    session::Reset = SESS_RESET;
    session::Close = SESS_CLOSE;
    sql::StmtExecute = SQL_STMT_EXECUTE;
    crud::Find = CRUD_FIND;
    crud::Insert = CRUD_INSERT;
    crud::Update = CRUD_UPDATE;
    crud::Delete = CRUD_DELETE;
    crud::CreateView = CRUD_CREATE_VIEW;
    crud::ModifyView = CRUD_MODIFY_VIEW;
    crud::DropView = CRUD_DROP_VIEW;
    expect::Open = EXPECT_OPEN;
    expect::Close = EXPECT_CLOSE;
    prepare::Prepare = PREPARE_PREPARE;
    prepare::Execute = PREPARE_EXECUTE;
    prepare::Deallocate = PREPARE_DEALLOCATE;
    cursor::Open = CURSOR_OPEN;
    cursor::Fetch = CURSOR_FETCH;
    cursor::Close = CURSOR_CLOSE;
}

impl fmt::Debug for session::AuthenticateStart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthenticateStart").field("mech_name", &self.mech_name).finish_non_exhaustive()
    }
}

impl fmt::Debug for session::AuthenticateContinue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthenticateContinue").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    #[test]
    fn every_number_has_one_name() {
        for (all, count) in [(ClientKind::ALL.len(), 24), (ServerKind::ALL.len(), 14)] {
            assert_eq!(all, count);
        }
        assert!(ServerKind::ALL.is_sorted_by_key(|kind| kind.number()));
        let known = (0..=u8::MAX).filter(|number| ClientKind::new(*number).name().is_some());
        assert_eq!(known.count(), ClientKind::ALL.len());
        assert_eq!(ClientKind::new(6).to_string(), "Mysqlx.Session.Reset");
        assert_eq!(ServerKind::new(200).to_string(), "message type 200");
    }

    #[test]
    fn debug_shows_no_authentication_data() {
        let secret = Bytes::from_static(b"hunter2");
        let start = session::AuthenticateStart {
            mech_name: "PLAIN".to_owned(),
            auth_data: Some(secret.clone()),
            initial_response: Some(secret.clone()),
        };
        let shown = format!("{start:?} {:?}", session::AuthenticateContinue { auth_data: secret });
        assert!(shown.contains("PLAIN") && !shown.contains("hunter2"), "{shown}");
    }
}
