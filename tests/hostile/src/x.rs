//! X Protocol: messages as servers send them, and sessions of servers that send them.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use porpoise_driver::Target;
use porpoise_driver::blocking::BLOCKING;
use porpoise_driver::x::{Connecting, Error, Options, OptionsBuilder, Session};
use porpoise_transport::SslMode;
use porpoise_wire::Limits;
use porpoise_xproto::messages::notice::session_state_changed::Parameter;
use porpoise_xproto::messages::{self, connection, datatypes, notice, resultset, session, sql};
use porpoise_xproto::{Event, LifeCycle};
use prost::Message;

use crate::cases::{SECRET, USER};
use crate::{Act, Heard, Peer, watch};

/// The nonce of [`challenge`].
pub const NONCE: &[u8; 20] = b"ABCDEFGHIJKLMNOPQRS\0";

/// A message: its type byte and its payload.
#[must_use]
pub fn message(kind: u8, message: &impl Message) -> Vec<u8> {
    [vec![kind], message.encode_to_vec()].concat()
}

/// A message with its length.
#[must_use]
pub fn frame(message: &[u8]) -> Vec<u8> {
    let len = u32::try_from(message.len()).unwrap_or(u32::MAX);
    [&len.to_le_bytes(), message].concat()
}

/// A frame's length and type, and nothing of what it announces.
#[must_use]
pub fn header(len: u32, kind: u8) -> Vec<u8> {
    [&len.to_le_bytes()[..], &[kind]].concat()
}

/// Ok.
#[must_use]
pub fn ok() -> Vec<u8> {
    message(0, &messages::Ok::default())
}

/// Ok to Connection.Close.
#[must_use]
pub fn bye() -> Vec<u8> {
    message(0, &messages::Ok { msg: Some("bye!".into()) })
}

/// Error, without a severity.
#[must_use]
pub fn error(code: u32) -> Vec<u8> {
    message(1, &messages::Error { severity: None, code, sql_state: "HY000".into(), msg: "no".into() })
}

/// Error, fatal.
#[must_use]
pub fn fatal(code: u32) -> Vec<u8> {
    message(1, &messages::Error { severity: Some(1), code, sql_state: "HY000".into(), msg: "no".into() })
}

/// Capabilities: these mechanisms.
#[must_use]
pub fn mechanisms(names: &[&str]) -> Vec<u8> {
    let names = datatypes::Array { value: names.iter().map(|name| (*name).into()).collect() };
    let set = connection::CapabilitiesSet::default().with("authentication.mechanisms", names);
    message(2, &set.capabilities)
}

/// AuthenticateContinue.
#[must_use]
pub fn challenge(nonce: &[u8]) -> Vec<u8> {
    message(3, &session::AuthenticateContinue { auth_data: Bytes::copy_from_slice(nonce) })
}

/// AuthenticateOk.
#[must_use]
pub fn authenticated() -> Vec<u8> {
    message(4, &session::AuthenticateOk { auth_data: Some(Bytes::new()) })
}

/// A notice of a type, global or local.
#[must_use]
pub fn notice(kind: u32, local: bool, payload: Vec<u8>) -> Vec<u8> {
    let scope = local.then_some(notice::frame::Scope::Local.into());
    message(11, &notice::Frame { r#type: kind, scope, payload: Some(payload.into()) })
}

/// ServerHello.
#[must_use]
pub fn hello() -> Vec<u8> {
    notice(5, false, Vec::new())
}

/// A warning; a global one of level 3 is why the connection ends.
#[must_use]
pub fn warning(level: i32, local: bool, code: u32) -> Vec<u8> {
    notice(1, local, notice::Warning { level: Some(level), code, msg: "no".into() }.encode_to_vec())
}

/// A change of the session's state.
#[must_use]
pub fn changed(param: Parameter, value: u64) -> Vec<u8> {
    let changed = notice::SessionStateChanged { param: param.into(), value: vec![value.into()] };
    notice(3, true, changed.encode_to_vec())
}

/// A column of this type.
#[must_use]
pub fn column_of(kind: i32, name: &str) -> Vec<u8> {
    let name = Some(Bytes::copy_from_slice(name.as_bytes()));
    message(12, &resultset::ColumnMetaData { r#type: kind, name, ..Default::default() })
}

/// A text column.
#[must_use]
pub fn column(name: &str) -> Vec<u8> {
    column_of(7, name)
}

/// A row.
#[must_use]
pub fn row(cells: &[&[u8]]) -> Vec<u8> {
    message(13, &resultset::Row { field: cells.iter().map(|cell| Bytes::copy_from_slice(cell)).collect() })
}

/// FetchDone.
#[must_use]
pub fn done() -> Vec<u8> {
    vec![14]
}

/// FetchDoneMoreResultsets.
#[must_use]
pub fn more() -> Vec<u8> {
    vec![16]
}

/// StmtExecuteOk.
#[must_use]
pub fn executed() -> Vec<u8> {
    vec![17]
}

/// Compression.
#[must_use]
pub fn compressed(uncompressed_size: Option<u64>, payload: &[u8]) -> Vec<u8> {
    let payload = Bytes::copy_from_slice(payload);
    message(19, &connection::Compression { uncompressed_size, payload, ..Default::default() })
}

/// A statement.
#[must_use]
pub fn statement(text: &str) -> sql::StmtExecute {
    sql::StmtExecute { stmt: Bytes::copy_from_slice(text.as_bytes()), ..Default::default() }
}

/// What a server does that lets anybody in: hello, a message is heard, the client's number, success.
#[must_use]
pub fn login() -> Vec<Act> {
    vec![
        Act::Say(hello()),
        Act::Hear,
        Act::Say(changed(Parameter::ClientIdAssigned, 7)),
        Act::Say(authenticated()),
    ]
}

/// Options without a deadline: what keeps the time is memory that stays.
#[must_use]
pub fn base() -> OptionsBuilder {
    Options::builder().connect_timeout(Duration::ZERO)
}

/// Options that lead to a Unix socket, which is safe for a password.
#[must_use]
pub fn unix() -> OptionsBuilder {
    base().unix_socket("/nowhere").user(USER).password(SECRET).ssl_mode(SslMode::Disabled)
}

/// Options that lead through a channel that others read.
#[must_use]
pub fn clear() -> OptionsBuilder {
    base().host("localhost").user(USER).password(SECRET).ssl_mode(SslMode::Disabled)
}

/// Options that ask for TLS, and check no certificate.
#[must_use]
pub fn tls() -> OptionsBuilder {
    // A session that is kept would be memory that stays.
    clear().ssl_mode(SslMode::Required).tls(|tls| tls.resume = false)
}

/// Options with messages of so many bytes at most.
#[must_use]
pub fn limited(options: OptionsBuilder, bytes: usize) -> OptionsBuilder {
    options.connect(|connect| connect.limits = Limits::default().with_max_packet(bytes))
}

/// A connect to a server.
#[must_use]
pub fn connecting(peer: &Peer, options: &Arc<Options>) -> Connecting {
    Connecting::new(BLOCKING, Arc::clone(options)).over(peer.link())
}

/// A session of this server.
///
/// # Panics
/// When the server does not let it in.
#[must_use]
pub fn session(peer: &Peer, options: OptionsBuilder) -> Session {
    let session = watch::run(connecting(peer, &Arc::new(options.build())));
    session.unwrap_or_else(|error| panic!("{error}"))
}

/// A session of a server that does this once it let the client in.
#[must_use]
pub fn session_then(then: &[Act]) -> (Session, Peer) {
    session_with(unix(), then)
}

/// The same, with options.
#[must_use]
pub fn session_with(options: OptionsBuilder, then: &[Act]) -> (Session, Peer) {
    let peer = Peer::x(&[&login()[..], then].concat());
    (session(&peer, options), peer)
}

/// Writes statements, and reads until nothing is owed or the connection is gone: the events, with each cell of each row, and
/// what ended them.
pub async fn read(session: &mut Session, statements: usize) -> (Vec<String>, Option<Error>) {
    let mut told = Vec::new();
    for _ in 0..statements {
        if let Err(error) = session.message_now(|connection, cx| connection.send(&statement("x"), cx)) {
            return (told, Some(error));
        }
    }
    let end = rest(session, &mut told).await;
    (told, end)
}

/// Reads what is owed.
pub async fn rest(session: &mut Session, told: &mut Vec<String>) -> Option<Error> {
    loop {
        match session.next_event().await {
            Ok(Some(event)) => show(&event, told),
            Ok(None) => return None,
            Err(error) => return Some(error),
        }
    }
}

/// An event, as text; rows apart.
pub fn show(event: &Event, told: &mut Vec<String>) {
    match event {
        Event::Rows(batch) => {
            for row in batch {
                let cells: Vec<String> = row
                    .iter()
                    .map(|cell| match cell {
                        Ok(Some(cell)) if cell.len() > 80 => format!("{} bytes", cell.len()),
                        Ok(Some(cell)) => cell.escape_ascii().to_string(),
                        Ok(None) => "NULL".to_owned(),
                        Err(error) => error.to_string(),
                    })
                    .collect();
                told.push(format!("row {}", cells.join(" | ")));
            }
        }
        Event::Columns(columns) => told.push(format!("{} columns", columns.len())),
        Event::Error(error) => told.push(format!("error {}", error.code)),
        Event::Notice(notice) => told.push(format!("{:?}", notice.body)),
        other => told.push(format!("{other:?}")),
    }
}

/// The type bytes of what a client sent.
#[must_use]
pub fn kinds(heard: &Heard) -> Vec<u8> {
    heard.packets.iter().filter_map(|packet| packet.first().copied()).collect()
}

/// A connect must fail, in this state and with this number, tell what it should and leak nothing.
///
/// # Panics
/// When it does not.
pub fn must_fail(
    outcome: Result<Session, Error>,
    (peer, options): (&Peer, &Options),
    state: LifeCycle,
    code: u16,
) {
    let error = match outcome {
        Ok(session) => panic!("connected: {session:?}"),
        Err(error) => error,
    };
    assert!(error.is_fatal());
    assert_eq!(error.code(), code, "{error:?}");
    let shown = format!("{error} {error:?} {:?}", error.advice());
    assert!(!shown.contains(SECRET), "the password is shown: {shown}");
    assert!(error.advice().is_none_or(|advice| advice.ends_with(['.', '?'])), "{shown}");
    let Error::Connect(error) = error else { panic!("{error:?}") };
    assert_eq!(error.state(), state, "{error}");
    assert!(error.to_string().contains(state.name()), "{error}");
    let heard = peer.heard();
    let private = matches!(options.target(), Target::Unix(_));
    assert!(!heard.leaks(SECRET) || private, "the password was sent in clear");
}
