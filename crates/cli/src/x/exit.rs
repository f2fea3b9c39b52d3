//! Which error of the X client has which exit code.

use porpoise::wire::Lost;
use porpoise::x::Error;
use porpoise::xproto::connect::{ConnectError, ConnectErrorKind};
use porpoise::xproto::{XError, XErrorKind};

use crate::exit::Exit;

pub(crate) fn of(error: &Error) -> Exit {
    match error {
        Error::Connect(error) => of_connect(error),
        Error::Session(error) => of_session(error),
        Error::Server(_) | Error::Misuse(_) | Error::Usage(_) => Exit::Refused,
        _ => Exit::Network,
    }
}

fn of_connect(error: &ConnectError) -> Exit {
    match error.kind() {
        ConnectErrorKind::Refused(_) => Exit::Refused,
        ConnectErrorKind::NoTls(_) | ConnectErrorKind::TlsSettings(_) => Exit::Tls,
        ConnectErrorKind::Auth(_) => Exit::Authentication,
        ConnectErrorKind::NoCompression(_) => Exit::Refused,
        ConnectErrorKind::NotBuilt(_) | ConnectErrorKind::Misuse(_) => Exit::Usage,
        ConnectErrorKind::Connection(error) => of_session(error),
        _ => Exit::Protocol,
    }
}

fn of_session(error: &XError) -> Exit {
    match error.kind() {
        XErrorKind::Fatal(_) => Exit::Refused,
        XErrorKind::BytesBeforeTls { .. } | XErrorKind::Lost(Lost::Tls { .. }) => Exit::Tls,
        XErrorKind::Goodbye(_) | XErrorKind::Lost(_) => Exit::Network,
        _ => Exit::Protocol,
    }
}
