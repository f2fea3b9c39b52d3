//! Exit codes, and which error has which.

use std::fmt;
use std::io;
use std::process::ExitCode;

use porpoise::classic::{ClassicErrorKind, ClientError, RowError, ServerError};
use porpoise::classic_connect::{ConnectError, ConnectErrorKind, ConnectStage};
use porpoise::driver::UrlError;
use porpoise::wire::Lost;
use porpoise::{ConfigError, Error};

/// The exit codes. They do not change; new ones may come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    Connected = 0,
    Refused = 1,
    Usage = 2,
    Network = 3,
    Tls = 4,
    Authentication = 5,
    Protocol = 6,
    InitCommand = 7,
    Output = 8,
}

impl Exit {
    /// All of them, as the help lists them.
    pub(crate) const ALL: [(Self, &'static str); 9] = [
        (Self::Connected, "connected, and all that was asked for succeeded"),
        (Self::Refused, "the server refused: login, database, a statement; or a command failed"),
        (Self::Usage, "usage: an argument, the URL, an option or a script that cannot be used"),
        (Self::Network, "the network: no such host, nothing listens, closed, a deadline passed"),
        (Self::Tls, "TLS: none offered, certificate not accepted, handshake failed"),
        (Self::Authentication, "authentication that this side refuses or cannot do"),
        (Self::Protocol, "not MySQL, or a server that breaks the protocol"),
        (Self::InitCommand, "the login succeeded, an init command failed"),
        (Self::Output, "the output could not be written"),
    ];

    /// Of a process that Ctrl-C ended, as shells have it.
    pub(crate) const INTERRUPTED: u8 = 130;

    pub(crate) const fn code(self) -> u8 {
        self as u8
    }

    pub(crate) fn of(error: &Error) -> Self {
        match error {
            Error::Connect(error) => Self::of_connect(error),
            Error::Server(_) | Error::InfileRefused(_) | Error::Source(_) => Self::Refused,
            _ => Self::Network,
        }
    }

    fn of_connect(error: &ConnectError) -> Self {
        let preparing =
            matches!(error.stage(), ConnectStage::PrepInitCommands | ConnectStage::SendOneInitCommand);
        match error.kind() {
            ConnectErrorKind::Server(_) if preparing => Self::InitCommand,
            ConnectErrorKind::InfileRefused(_) => Self::InitCommand,
            ConnectErrorKind::Server(_) => Self::Refused,
            ConnectErrorKind::TlsNotOffered
            | ConnectErrorKind::TlsSettings(_)
            | ConnectErrorKind::PlaintextInjected
            | ConnectErrorKind::Lost(Lost::Tls { .. }) => Self::Tls,
            ConnectErrorKind::Lost(_) => Self::Network,
            ConnectErrorKind::Auth { .. } | ConnectErrorKind::TooManyAuthSwitches { .. } => {
                Self::Authentication
            }
            ConnectErrorKind::UnknownCharset(_) => Self::Usage,
            ConnectErrorKind::Session(error) => match error.kind() {
                ClassicErrorKind::Lost(_) => Self::Network,
                _ => Self::Protocol,
            },
            _ => Self::Protocol,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        exit.code().into()
    }
}

/// What ends the tool without a connect.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The URL or an option.
    Config(ConfigError),
    /// The password cannot be had.
    Password(String),
    /// A script that cannot be read, or a line in it that is no command.
    Script(String),
    /// A row that cannot be read.
    Row(RowError),
    /// The same of the X Protocol.
    XRow(Box<porpoise::xproto::RowError>),
    /// The runtime does not start.
    Runtime(io::Error),
    /// The output could not be written.
    Output(io::Error),
}

impl Failure {
    pub(crate) const fn exit(&self) -> Exit {
        match self {
            Self::Config(_) | Self::Password(_) | Self::Script(_) => Exit::Usage,
            Self::Row(_) | Self::XRow(_) => Exit::Protocol,
            Self::Runtime(_) => Exit::Network,
            Self::Output(_) => Exit::Output,
        }
    }

    pub(crate) fn is_broken_pipe(&self) -> bool {
        matches!(self, Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(error) => error.fmt(f),
            Self::Password(error) | Self::Script(error) => f.write_str(error),
            Self::Row(error) => error.fmt(f),
            Self::XRow(error) => error.fmt(f),
            Self::Runtime(error) => write!(f, "the runtime does not start: {error}"),
            Self::Output(error) => write!(f, "the output could not be written: {error}"),
        }
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::Config(error)
    }
}

impl From<UrlError> for Failure {
    fn from(error: UrlError) -> Self {
        Self::Config(error.into())
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

/// The name of an error number, the server's or the client's.
pub(crate) fn code_name(error: &Error) -> Option<&'static str> {
    match error {
        Error::Connect(error) => error.code_name(),
        error => ClientError::name(error.code()),
    }
}

/// The name of an error number of the client, or of the server.
pub(crate) fn number_name(errno: u16) -> Option<&'static str> {
    ClientError::name(errno).or_else(|| ServerError::by_code(errno).map(|known| known.name))
}

#[cfg(test)]
mod tests {
    use super::Exit;

    #[test]
    fn codes_are_what_the_help_says() {
        let codes = Exit::ALL.map(|(exit, _)| exit.code());
        assert_eq!(codes, [0, 1, 2, 3, 4, 5, 6, 7, 8]);
        let documented = include_str!("main.rs");
        for (exit, meaning) in Exit::ALL {
            assert!(documented.contains(&format!("//! | {} | {meaning} |", exit.code())), "{meaning}");
        }
    }
}
