//! One plain sentence for each way a connect can die: what to do next.

use porpoise_wire::Lost;

use crate::ConnectStage;
use crate::error::{ConnectErrorKind, Stranger};

/// What a stage waits for or does, as an error's "expected".
pub(crate) const fn expected(stage: ConnectStage) -> &'static str {
    match stage {
        ConnectStage::NetBeginConnect => "an address for the host name",
        ConnectStage::NetWaitConnect | ConnectStage::NetCompleteConnect => {
            "a connection to the server's port"
        }
        ConnectStage::ReadGreeting | ConnectStage::ParseHandshake => "the server's greeting",
        ConnectStage::EstablishSsl => "a TLS session",
        ConnectStage::AuthBegin => "a plugin to start the authentication with",
        ConnectStage::AuthRunFirstAuthenticateUser
        | ConnectStage::AuthHandleFirstAuthenticateUser
        | ConnectStage::AuthRunSecondAuthenticateUser
        | ConnectStage::AuthInitMultiAuth
        | ConnectStage::AuthDoMultiPluginAuth => "data of the authentication plugin",
        ConnectStage::PrepSelectDatabase => "OK to COM_INIT_DB",
        ConnectStage::PrepInitCommands | ConnectStage::SendOneInitCommand => "the result of an init command",
        _ => "the server's verdict on the authentication",
    }
}

/// What to do, if there is anything to say.
pub(crate) fn advice(stage: ConnectStage, kind: &ConnectErrorKind) -> Option<&'static str> {
    Some(match kind {
        ConnectErrorKind::Server(err) => match (for_server(err.code()), stage) {
            (Some(advice), _) => advice,
            (None, ConnectStage::PrepSelectDatabase) => {
                "The login succeeded: look at the database that was asked for."
            }
            (None, ConnectStage::SendOneInitCommand) => "The login succeeded: look at the init commands.",
            (None, _) => "The server gives its reason in its message; its error log may have more.",
        },
        ConnectErrorKind::NotClassic(Stranger::XProtocol) => {
            "This is the X Protocol's port (33060 by default): use the classic port, 3306 by default."
        }
        ConnectErrorKind::NotClassic(_) => "Check host and port: something other than MySQL listens there.",
        ConnectErrorKind::Wire { .. } if stage == ConnectStage::ParseHandshake => {
            "Check host and port: what answers is not a MySQL server, or a damaged one."
        }
        ConnectErrorKind::Wire { .. } | ConnectErrorKind::Unexpected { .. } => {
            "The server or something between breaks the protocol: connect without it, or report it with a trace."
        }
        ConnectErrorKind::ServerTooOld { .. } => "Servers before MySQL 4.1 are not supported.",
        ConnectErrorKind::UnknownCharset(_) => {
            "Name a character set such as utf8mb4, or one of its collations."
        }
        ConnectErrorKind::NoCompression => {
            "Add `uncompressed` to compression-algorithms, or zlib, which nearly all servers know."
        }
        ConnectErrorKind::TlsNotOffered => {
            "Let the server offer TLS, or accept a connection that anybody can read with ssl-mode=PREFERRED."
        }
        ConnectErrorKind::TlsSettings(_) => "Check the ssl-* options: nothing was sent.",
        ConnectErrorKind::PlaintextInjected => {
            "Somebody between may be planting answers: do not trust this network path."
        }
        ConnectErrorKind::Auth { error, .. } => return error.advice(),
        ConnectErrorKind::TooManyAuthSwitches { .. } => {
            "MariaDB accounts with several plugins need a higher max-auth-switches; MySQL never sends a second one."
        }
        ConnectErrorKind::TooManyFactors | ConnectErrorKind::EndlessAuthentication => {
            "The server does not behave like MySQL: do not send it a password."
        }
        ConnectErrorKind::Session(_) => "The login succeeded: look at the init commands.",
        ConnectErrorKind::InfileRefused(_) => {
            "No file is sent for an init command: take LOAD DATA LOCAL out of them; if there is none, distrust the server."
        }
        ConnectErrorKind::Lost(lost) => return for_lost(stage, lost),
    })
}

fn for_lost(stage: ConnectStage, lost: &Lost) -> Option<&'static str> {
    Some(match (lost, stage) {
        (Lost::Resolve(_), _) => "Check the host name and the name service.",
        (Lost::Dial(_), _) => {
            "Check that the server runs, listens on this address and port, and is not behind a firewall."
        }
        (Lost::Deadline { .. }, ConnectStage::NetBeginConnect) => "The name service does not answer in time.",
        (Lost::Deadline { .. }, ConnectStage::NetWaitConnect) => {
            "Nothing answers at this address: a firewall that drops packets, or a host that is down."
        }
        (Lost::Deadline { .. }, ConnectStage::ReadGreeting) => {
            "Something accepts connections but does not greet: a stuck server, a proxy without one, or the X port."
        }
        (Lost::Deadline { .. }, ConnectStage::EstablishSsl) => {
            "The TLS handshake hangs: look for a middlebox."
        }
        (Lost::Deadline { .. }, ConnectStage::SendOneInitCommand) => {
            "An init command takes longer than the deadline."
        }
        (Lost::Deadline { .. }, _) => {
            "The server is slow to authenticate: look at its load and its name resolution."
        }
        (Lost::Closed | Lost::Read(_), ConnectStage::ReadGreeting) => {
            "The server hangs up before greeting: it is starting or stopping, out of resources, or this is a proxy without a server."
        }
        (Lost::Closed | Lost::Read(_) | Lost::Write(_), ConnectStage::EstablishSsl) => {
            "The server gave up during TLS: look for its reason in its error log."
        }
        (Lost::Closed | Lost::Read(_) | Lost::Write(_), _) => {
            "The connection broke during the login: look in the server's error log, and for its connect_timeout."
        }
        // The TLS error tells its own.
        _ => return None,
    })
}

fn for_server(code: u16) -> Option<&'static str> {
    Some(match code {
        1040 => "The server has no connection left: raise max_connections, or find who holds them.",
        1044 => {
            "The password is right, but the account has no right to this database: GRANT it, or leave the database out."
        }
        1045 => {
            "Check user and password, and from which host the account may connect; an account with REQUIRE SSL or X509 gives this too."
        }
        1049 => "The password is right, the database does not exist: check its name, or leave it out.",
        1053 | 1152 => "The server is shutting down or has aborted the connection: try again later.",
        1129 => {
            "The server blocks this host after too many failed connects: FLUSH HOSTS, or TRUNCATE performance_schema.host_cache, on the server."
        }
        1130 => "No account may connect from this host: create 'user'@'host' for it.",
        1156 | 1158 | 1159 | 1160 | 1161 => {
            "The server lost track of the conversation or waited too long: look at the network between."
        }
        1203 | 1226 => {
            "The account has reached its limit of connections: close some, or raise the account's limits."
        }
        1251 => {
            "The server wants an older authentication than this client gives: change the account's plugin."
        }
        1524 => "The account's authentication plugin is not loaded on the server.",
        1698 => {
            "The account logs in by the operating system's user over the Unix socket: use the socket, or another account."
        }
        1862 => "The password has expired: connect with connect-expired-password=true and set a new one.",
        3118 => "The account is locked: ALTER USER ... ACCOUNT UNLOCK on the server.",
        3159 => {
            "The server takes encrypted connections only: use ssl-mode=REQUIRED or better, or the Unix socket."
        }
        3955 => {
            "The account is locked for some time after too many wrong passwords: wait, or unlock it on the server."
        }
        _ => return None,
    })
}
