//! What one connect did, as plain data: what every format shows.

use std::borrow::Cow;
use std::time::Duration;

use porpoise::classic::Collation;
use porpoise::classic_connect::{ConnectError, ConnectErrorKind, ConnectStage, TlsUse};
use porpoise::transport::TlsFacts;
use porpoise::{Client, Error, FlightRecord, Options, Target};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::exit::{self, Exit};
use crate::text::Part;

/// One connect.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) target: String,
    pub(crate) user: String,
    pub(crate) runtime: &'static str,
    pub(crate) connected: bool,
    #[serde(rename = "total_us", serialize_with = "micros")]
    pub(crate) total: Duration,
    pub(crate) round_trips: u32,
    pub(crate) bytes_in: u64,
    pub(crate) bytes_out: u64,
    pub(crate) stages: Vec<Row>,
    pub(crate) server: Server,
    pub(crate) tls: Option<Tls>,
    pub(crate) auth: Option<Auth>,
    pub(crate) session: Option<Session>,
    /// What a connect of the X Protocol gave.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) x: Option<XSession>,
    pub(crate) error: Option<Fault>,
    /// Why there is no TLS, if there is none and the connect came that far.
    #[serde(skip)]
    pub(crate) plain: Option<&'static str>,
    #[serde(skip)]
    pub(crate) exit: Exit,
}

/// A stage that was entered.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Row {
    #[serde(rename = "n")]
    pub(crate) number: u8,
    pub(crate) name: &'static str,
    /// The mechanism that ran in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) mechanism: Option<String>,
    #[serde(skip)]
    pub(crate) part: Part,
    #[serde(rename = "enter_us", serialize_with = "micros")]
    pub(crate) enter: Duration,
    #[serde(rename = "leave_us", serialize_with = "micros")]
    pub(crate) leave: Duration,
    pub(crate) bytes_in: u64,
    pub(crate) bytes_out: u64,
    pub(crate) round_trips: u32,
}

impl Row {
    pub(crate) fn time(&self) -> Duration {
        self.leave.saturating_sub(self.enter)
    }

    /// Its name, with the mechanism.
    pub(crate) fn title(&self) -> Cow<'static, str> {
        match &self.mechanism {
            Some(mechanism) => format!("{} {mechanism}", self.name).into(),
            None => self.name.into(),
        }
    }
}

/// Who answered.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Server {
    pub(crate) address: Option<String>,
    pub(crate) version: Option<String>,
}

/// What TLS agreed on.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Tls {
    pub(crate) version: &'static str,
    pub(crate) cipher: &'static str,
    pub(crate) group: Option<&'static str>,
    pub(crate) resumed: bool,
    pub(crate) chain_verified: bool,
    pub(crate) name_verified: bool,
}

impl Tls {
    pub(crate) const fn of(facts: &TlsFacts) -> Self {
        Self {
            version: facts.version,
            cipher: facts.cipher_suite,
            group: facts.group,
            resumed: facts.resumed,
            chain_verified: facts.verified,
            name_verified: facts.name_verified,
        }
    }
}

/// How the login went.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Auth {
    pub(crate) plugin: String,
    pub(crate) path: Option<&'static str>,
    pub(crate) factors: usize,
}

/// What a connect that succeeded gave.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Session {
    pub(crate) connection_id: u32,
    pub(crate) database: Option<String>,
    pub(crate) charset: Option<&'static str>,
    pub(crate) collation: Option<&'static str>,
    pub(crate) collation_id: u16,
    pub(crate) capabilities: Vec<&'static str>,
}

/// What a connect of the X Protocol gave.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct XSession {
    pub(crate) client_id: Option<u64>,
    pub(crate) schema: Option<String>,
    pub(crate) expired: bool,
    pub(crate) compressed: bool,
    /// As the server lists them, if it was asked.
    pub(crate) capabilities: Option<Map<String, Value>>,
}

/// Why a connect failed.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Fault {
    pub(crate) stage: Option<&'static str>,
    pub(crate) expected: Option<&'static str>,
    pub(crate) got: String,
    pub(crate) errno: u16,
    pub(crate) name: Option<&'static str>,
    pub(crate) sqlstate: String,
    pub(crate) message: String,
    pub(crate) advice: Option<&'static str>,
    pub(crate) exit_code: u8,
}

impl Report {
    pub(crate) fn new(
        options: &Options,
        runtime: &'static str,
        record: &FlightRecord,
        result: &Result<Client, Error>,
    ) -> Self {
        let (bytes_in, bytes_out) = record.bytes();
        let client = result.as_ref().ok();
        let version = client.map_or(&*record.server_version, Client::server_version);
        Self {
            target: options.target().to_string(),
            user: options.connect().user().to_owned(),
            runtime,
            connected: client.is_some(),
            total: record.total,
            round_trips: record.round_trips(),
            bytes_in,
            bytes_out,
            stages: rows(record),
            server: Server {
                address: record.address.map(|address| address.to_string()),
                version: (!version.is_empty()).then(|| version.to_owned()),
            },
            tls: record.tls.as_ref().map(Tls::of),
            auth: (!record.auth_plugin.is_empty()).then(|| Auth {
                plugin: record.auth_plugin.clone(),
                path: record.auth_path,
                factors: record.auth_factors,
            }),
            session: client.map(|client| Session::new(client, options)),
            x: None,
            error: result.as_ref().err().map(Fault::new),
            plain: record.tls.is_none().then(|| plain(options, record)).flatten(),
            exit: result.as_ref().err().map_or(Exit::Connected, Exit::of),
        }
    }
}

fn rows(record: &FlightRecord) -> Vec<Row> {
    let row = |stage: &porpoise::StageRecord| Row {
        number: stage.stage.number,
        name: stage.stage.name,
        mechanism: None,
        part: Part::of(stage.stage.number),
        enter: stage.enter,
        leave: stage.leave,
        bytes_in: stage.bytes_in,
        bytes_out: stage.bytes_out,
        round_trips: stage.round_trips,
    };
    record.stages.iter().map(row).collect()
}

/// Why a login went without TLS.
fn plain(options: &Options, record: &FlightRecord) -> Option<&'static str> {
    let past = record.stages.iter().any(|stage| stage.stage.number >= ConnectStage::Authenticate.number());
    past.then(|| match (options.connect().tls(), options.target()) {
        (TlsUse::Disabled, _) => "ssl-mode=DISABLED",
        (_, Target::Unix(_)) => "not needed on a Unix socket",
        _ => "the server offers none",
    })
}

impl Session {
    fn new(client: &Client, options: &Options) -> Self {
        let id = client.charset();
        let collation = if client.server_version().contains("MariaDB") {
            Collation::by_id_mariadb(id)
        } else {
            Collation::by_id(id)
        };
        let database = options.connect().database();
        Self {
            connection_id: client.connection_id(),
            database: (!database.is_empty()).then(|| database.to_owned()),
            charset: collation.map(|collation| collation.charset),
            collation: collation.map(|collation| collation.name),
            collation_id: id,
            capabilities: client.capabilities().iter_names().collect(),
        }
    }
}

impl Fault {
    pub(crate) fn new(error: &Error) -> Self {
        let exit_code = Exit::of(error).code();
        let (errno, name, advice) = (error.code(), exit::code_name(error), error.advice());
        match error {
            Error::Connect(error) => Self {
                stage: Some(error.stage().name()),
                expected: Some(error.expected()),
                got: error.got(),
                errno,
                name,
                sqlstate: error.sqlstate().to_owned(),
                message: message(error),
                advice,
                exit_code,
            },
            error => Self {
                stage: None,
                expected: None,
                got: error.to_string(),
                errno,
                name,
                sqlstate: match error {
                    Error::Server(err) => err.sqlstate().to_owned(),
                    _ => "HY000".to_owned(),
                },
                message: match error {
                    Error::Server(err) => err.message().into_owned(),
                    error => error.to_string(),
                },
                advice,
                exit_code,
            },
        }
    }
}

/// The server's own words, or ours.
fn message(error: &ConnectError) -> String {
    match error.kind() {
        ConnectErrorKind::Server(err) => err.message().into_owned(),
        kind => kind.to_string(),
    }
}

/// Microseconds, with a fraction.
pub(crate) fn micros<S: serde::Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(time.as_nanos() as f64 / 1e3)
}

#[cfg(test)]
pub(crate) mod samples {
    use super::*;

    /// Rows from name, number, microseconds, bytes in, bytes out, round trips.
    fn rows(stages: &[(&'static str, u8, u64, u64, u64, u32)]) -> Vec<Row> {
        let mut now = Duration::ZERO;
        let row = |&(name, number, micros, bytes_in, bytes_out, round_trips)| {
            let enter = now;
            now += Duration::from_micros(micros);
            let (mechanism, part) = (None, Part::of(number));
            Row { number, name, mechanism, part, enter, leave: now, bytes_in, bytes_out, round_trips }
        };
        stages.iter().map(row).collect()
    }

    fn report(stages: Vec<Row>) -> Report {
        Report {
            target: "db.example:3306".to_owned(),
            user: "app".to_owned(),
            runtime: "tokio",
            connected: false,
            total: stages.last().map_or(Duration::ZERO, |row| row.leave),
            round_trips: stages.iter().map(|row| row.round_trips).sum(),
            bytes_in: stages.iter().map(|row| row.bytes_in).sum(),
            bytes_out: stages.iter().map(|row| row.bytes_out).sum(),
            stages,
            server: Server::default(),
            tls: None,
            auth: None,
            session: None,
            x: None,
            error: None,
            plain: None,
            exit: Exit::Connected,
        }
    }

    /// A login over TLS.
    pub(crate) fn connected() -> Report {
        let stages = rows(&[
            ("NET_BEGIN_CONNECT", 2, 1_250, 0, 0, 0),
            ("NET_WAIT_CONNECT", 3, 4_100, 0, 0, 0),
            ("NET_COMPLETE_CONNECT", 4, 0, 0, 0, 0),
            ("READ_GREETING", 5, 4_350, 79, 0, 0),
            ("PARSE_HANDSHAKE", 6, 9, 0, 0, 0),
            ("ESTABLISH_SSL", 7, 12_400, 2_201, 295, 1),
            ("AUTHENTICATE", 8, 0, 0, 0, 0),
            ("AUTH_BEGIN", 9, 3, 0, 0, 0),
            ("AUTH_RUN_FIRST_AUTHENTICATE_USER", 10, 4_300, 506, 277, 1),
            ("AUTH_HANDLE_FIRST_AUTHENTICATE_USER", 11, 0, 0, 0, 0),
            ("AUTH_READ_CHANGE_USER_RESULT", 12, 5_020, 41, 34, 1),
            ("AUTH_HANDLE_CHANGE_USER_REQUEST", 13, 5, 0, 0, 0),
            ("AUTH_FINISH_AUTH", 16, 1, 0, 0, 0),
            ("PREP_SELECT_DATABASE", 20, 4, 0, 0, 0),
            ("PREP_INIT_COMMANDS", 21, 1, 0, 0, 0),
            ("COMPLETE", 23, 1, 0, 0, 0),
        ]);
        Report {
            connected: true,
            server: Server {
                address: Some("198.51.100.7:3306".to_owned()),
                version: Some("9.7.4".to_owned()),
            },
            tls: Some(Tls {
                version: "TLSv1.3",
                cipher: "TLS_AES_128_GCM_SHA256",
                group: Some("X25519MLKEM768"),
                resumed: false,
                chain_verified: true,
                name_verified: true,
            }),
            auth: Some(Auth {
                plugin: "caching_sha2_password".to_owned(),
                path: Some("full by TLS"),
                factors: 2,
            }),
            session: Some(Session {
                connection_id: 42,
                database: Some("shop".to_owned()),
                charset: Some("utf8mb4"),
                collation: Some("utf8mb4_0900_ai_ci"),
                collation_id: 255,
                capabilities: vec![
                    "CLIENT_LONG_PASSWORD",
                    "CLIENT_PROTOCOL_41",
                    "CLIENT_SSL",
                    "CLIENT_PLUGIN_AUTH",
                ],
            }),
            ..report(stages)
        }
    }

    /// A server that does not greet, and says something odd.
    pub(crate) fn failed() -> Report {
        let stages = rows(&[
            ("NET_BEGIN_CONNECT", 2, 31, 0, 0, 0),
            ("NET_WAIT_CONNECT", 3, 212, 0, 0, 0),
            ("NET_COMPLETE_CONNECT", 4, 0, 0, 0, 0),
            ("READ_GREETING", 5, 499_757, 0, 0, 0),
        ]);
        Report {
            error: Some(Fault {
                stage: Some("READ_GREETING"),
                expected: Some("the server's greeting"),
                got: "the stage's deadline of 500ms passed\u{1b}[2J".to_owned(),
                errno: 2013,
                name: Some("CR_SERVER_LOST"),
                sqlstate: "HY000".to_owned(),
                message: "the stage's deadline of 500ms passed".to_owned(),
                advice: Some(
                    "Something accepts connections but does not greet: a stuck server, a proxy without one, or the X port.",
                ),
                exit_code: 3,
            }),
            exit: Exit::Network,
            ..report(stages)
        }
    }
}
