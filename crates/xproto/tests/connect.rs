//! The connect over bytes in memory: what goes into each flight, on each path.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use porpoise_auth::AuthError;
use porpoise_trace::NoTrace;
use porpoise_wire::{Cx, Machine, Step, TlsInfo, XFramer};
use porpoise_xproto::connect::{
    Auth, ConnectError, ConnectErrorKind, ConnectEvent, ConnectOptions, Connector, Transport, Use,
};
use porpoise_xproto::messages::{self, connection, datatypes, session};
use porpoise_xproto::{ClientKind, Connection, LifeCycle};
use prost::Message;

const SET: ClientKind = ClientKind::CON_CAPABILITIES_SET;
const GET: ClientKind = ClientKind::CON_CAPABILITIES_GET;
const START: ClientKind = ClientKind::SESS_AUTHENTICATE_START;
const CONTINUE: ClientKind = ClientKind::SESS_AUTHENTICATE_CONTINUE;

struct Connect {
    connector: Connector,
    rx: BytesMut,
    tx: BytesMut,
}

/// How far a flight's replies bring the connect.
enum Outcome {
    Waits,
    Tls,
    Ready(Box<Connection>),
    Failed(ConnectError),
}

impl Connect {
    fn new(transport: Transport, change: impl FnOnce(&mut ConnectOptions)) -> Self {
        let mut options = ConnectOptions::new("app", "secret");
        options.schema = "xtest".to_owned();
        change(&mut options);
        let connector = Connector::new(Arc::new(options), transport);
        let mut connect = Self { connector, rx: BytesMut::new(), tx: BytesMut::new() };
        connect.call(|connector, cx| connector.connected(cx));
        connect
    }

    fn call<R>(&mut self, call: impl FnOnce(&mut Connector, &mut Cx<'_, NoTrace>) -> R) -> R {
        call(&mut self.connector, &mut Cx::new(&mut self.rx, &mut self.tx, &mut NoTrace))
    }

    /// Feeds the replies, and runs on.
    fn replies(&mut self, replies: &[Vec<u8>]) -> Outcome {
        self.rx.extend_from_slice(&replies.concat());
        match self.call(|connector, cx| connector.advance(cx)) {
            Ok(Step::Event(ConnectEvent::Ready(connection))) => Outcome::Ready(connection),
            Ok(Step::Event(other)) => panic!("{other:?}"),
            Ok(Step::StartTls) => Outcome::Tls,
            Ok(_) => Outcome::Waits,
            Err(error) => Outcome::Failed(error),
        }
    }

    /// The messages that were sent since the last call.
    fn flight(&mut self) -> Vec<(ClientKind, Vec<u8>)> {
        let mut sent = self.tx.split();
        let framer = XFramer::new(1 << 20);
        let messages = std::iter::from_fn(|| framer.take(&mut sent));
        messages.map(|(kind, payload)| (ClientKind::new(kind), payload.to_vec())).collect()
    }

    fn kinds(&mut self) -> Vec<ClientKind> {
        self.flight().into_iter().map(|(kind, _)| kind).collect()
    }

    /// The names of the capabilities that the one message sets.
    fn capabilities(&mut self) -> Vec<String> {
        let flight = self.flight();
        let set = flight.iter().find(|(kind, _)| *kind == SET).unwrap();
        let set = connection::CapabilitiesSet::decode(&set.1[..]).unwrap();
        set.capabilities.capabilities.into_iter().map(|capability| capability.name).collect()
    }
}

fn frame(kind: u8, message: &impl Message) -> Vec<u8> {
    let mut wire = BytesMut::new();
    XFramer::write(&mut wire, kind, |tx| message.encode_raw(tx)).unwrap();
    wire.to_vec()
}

fn ok() -> Vec<u8> {
    frame(0, &messages::Ok::default())
}

fn error(code: u32) -> Vec<u8> {
    frame(1, &messages::Error { severity: None, code, sql_state: "HY000".into(), msg: "no".into() })
}

fn challenge() -> Vec<u8> {
    frame(3, &session::AuthenticateContinue { auth_data: Bytes::from_static(b"1234567890123456789\0") })
}

fn authenticated() -> Vec<u8> {
    frame(4, &session::AuthenticateOk { auth_data: Some(Bytes::new()) })
}

fn mechanisms(names: &[&str]) -> Vec<u8> {
    let names = datatypes::Array { value: names.iter().map(|name| (*name).into()).collect() };
    let set = connection::CapabilitiesSet::default().with("authentication.mechanisms", names);
    frame(2, &set.capabilities)
}

fn disabled(options: &mut ConnectOptions) {
    options.tls = Use::Disabled;
}

fn failure(outcome: Outcome) -> ConnectError {
    match outcome {
        Outcome::Failed(error) => error,
        _ => panic!("it did not fail"),
    }
}

#[test]
fn a_unix_socket_takes_one_flight() {
    let mut connect = Connect::new(Transport::Unix, |_| {});
    let flight = connect.flight();
    let start = session::AuthenticateStart::decode(&flight[0].1[..]).unwrap();
    assert_eq!((flight.len(), flight[0].0, &*start.mech_name), (1, START, "PLAIN"));
    assert_eq!(start.auth_data.as_deref(), Some(&b"xtest\0app\0secret"[..]));
    let Outcome::Ready(connection) = connect.replies(&[authenticated()]) else { panic!() };
    assert_eq!(connection.state(), LifeCycle::Session);
}

#[test]
fn what_is_set_rides_along_and_may_be_refused() {
    for reply in [ok(), error(5002)] {
        let mut connect = Connect::new(Transport::Unix, |options| {
            options.interactive = true;
            options.expired_password_ok = true;
            options.attributes = vec![("program".into(), "check".into())];
        });
        let names = ["client.interactive", "client.pwd_expire_ok", "session_connect_attrs"];
        assert_eq!(connect.capabilities(), names);
        assert!(matches!(connect.replies(&[reply, authenticated()]), Outcome::Ready(_)));
    }
}

#[test]
fn tls_takes_two_flights_and_shows_attributes_to_nobody_else() {
    let mut connect = Connect::new(Transport::Tcp, |options| {
        options.interactive = true;
        options.attributes = vec![("program".into(), "check".into())];
    });
    assert_eq!(connect.capabilities(), ["client.interactive", "tls"]);
    assert!(matches!(connect.replies(&[ok()]), Outcome::Tls));
    assert!(connect.tx.is_empty(), "nothing may be behind the request for TLS");
    connect.call(|connector, cx| connector.tls_ready(&TlsInfo::new(true), cx));
    let flight = connect.flight();
    assert_eq!(flight.iter().map(|(kind, _)| *kind).collect::<Vec<_>>(), [SET, START]);
    assert!(matches!(connect.replies(&[ok(), authenticated()]), Outcome::Ready(_)));
}

#[test]
fn tls_that_is_refused_ends_a_connect_that_requires_it_and_no_byte_of_the_login_is_sent() {
    let mut connect = Connect::new(Transport::Tcp, |options| options.tls = Use::Required);
    assert_eq!(connect.kinds(), [SET]);
    let error = failure(connect.replies(&[error(5001)]));
    assert!(matches!(error.kind(), ConnectErrorKind::NoTls(_)));
    assert_eq!((error.code(), connect.kinds()), (2026, vec![]));
}

#[test]
fn tls_that_is_only_preferred_gives_way_to_a_clear_login() {
    let mut connect = Connect::new(Transport::Tcp, |_| {});
    assert_eq!(connect.kinds(), [SET]);
    assert!(matches!(connect.replies(&[error(5001)]), Outcome::Waits));
    assert_eq!(connect.kinds(), [GET, START]);
    assert!(matches!(connect.replies(&[mechanisms(&["SHA256_MEMORY"]), challenge()]), Outcome::Waits));
    assert_eq!(connect.kinds(), [CONTINUE]);
    assert!(matches!(connect.replies(&[authenticated()]), Outcome::Ready(_)));
    // But never to a clear password.
    let mut connect = Connect::new(Transport::Tcp, |options| options.auth = Auth::Plain);
    connect.kinds();
    let error = failure(connect.replies(&[error(5001)]));
    assert!(matches!(error.kind(), ConnectErrorKind::Auth(AuthError::RequiresSecureConnection)));
    assert_eq!((error.code(), error.mechanism(), connect.kinds()), (2061, Some("PLAIN"), vec![]));
}

#[test]
fn a_clear_password_is_refused_before_anything_is_sent() {
    let mut connect = Connect::new(Transport::Tcp, |options| {
        disabled(options);
        options.auth = Auth::Plain;
    });
    assert_eq!(failure(connect.replies(&[])).code(), 2061);
    assert!(connect.kinds().is_empty());
}

#[test]
fn mysql41_is_tried_only_when_the_server_lists_it() {
    for (names, again) in [(&["SHA256_MEMORY"][..], false), (&["MYSQL41", "SHA256_MEMORY"], true)] {
        let mut connect = Connect::new(Transport::Tcp, disabled);
        assert_eq!(connect.kinds(), [GET, START]);
        connect.replies(&[mechanisms(names), challenge()]);
        assert_eq!(connect.kinds(), [CONTINUE]);
        let outcome = connect.replies(&[error(1045)]);
        if !again {
            let error = failure(outcome);
            assert_eq!((error.code(), error.mechanism()), (1045, Some("SHA256_MEMORY")));
            assert!(error.advice().unwrap().contains("connect once over TLS"));
            continue;
        }
        let flight = connect.flight();
        let start = session::AuthenticateStart::decode(&flight[0].1[..]).unwrap();
        assert_eq!((&*start.mech_name, start.auth_data), ("MYSQL41", None));
        connect.replies(&[challenge()]);
        assert_eq!(connect.kinds(), [CONTINUE]);
        assert_eq!(failure(connect.replies(&[error(1045)])).mechanism(), Some("MYSQL41"));
    }
    // Another error is no reason to try something else.
    let mut connect = Connect::new(Transport::Tcp, disabled);
    connect.replies(&[mechanisms(&["MYSQL41"]), challenge()]);
    assert_eq!(failure(connect.replies(&[error(3118)])).code(), 3118);
}

#[test]
fn external_sends_an_empty_initial_response() {
    let mut connect = Connect::new(Transport::Unix, |options| options.auth = Auth::External);
    let flight = connect.flight();
    let start = session::AuthenticateStart::decode(&flight[0].1[..]).unwrap();
    assert_eq!((&*start.mech_name, start.auth_data), ("EXTERNAL", None));
    assert_eq!(start.initial_response.as_deref(), Some(&b""[..]));
    assert!(matches!(connect.replies(&[authenticated()]), Outcome::Ready(_)));
}

#[test]
fn a_fatal_refusal_is_the_servers_word() {
    let mut connect = Connect::new(Transport::Unix, |options| options.auth = Auth::External);
    let fatal =
        messages::Error { severity: Some(1), code: 1251, sql_state: "HY000".into(), msg: "no".into() };
    let error = failure(connect.replies(&[frame(1, &fatal)]));
    assert_eq!((error.code(), error.server_error().map(|error| error.fatal)), (1251, Some(true)));
    assert!(error.advice().is_some());
}

#[cfg(all(feature = "deflate", feature = "lz4", feature = "zstd"))]
mod compression {
    use porpoise_xproto::Algorithm;

    use super::*;

    fn compressed(how: Use, algorithms: &[Algorithm]) -> impl FnOnce(&mut ConnectOptions) {
        let algorithms = algorithms.to_vec();
        move |options| {
            options.compression = how;
            options.compression_algorithms = algorithms;
        }
    }

    #[test]
    fn one_preferred_algorithm_rides_along() {
        for (reply, on) in [(ok(), true), (error(5175), false)] {
            let mut connect =
                Connect::new(Transport::Unix, compressed(Use::Preferred, &[Algorithm::Lz4Message]));
            assert_eq!(connect.kinds(), [SET, START]);
            let Outcome::Ready(connection) = connect.replies(&[reply, authenticated()]) else { panic!() };
            assert_eq!(connection.is_compressed(), on);
        }
    }

    #[test]
    fn what_must_be_known_is_asked_first() {
        let one = [Algorithm::ZstdStream];
        let mut connect = Connect::new(Transport::Unix, compressed(Use::Required, &one));
        assert_eq!(connect.capabilities(), ["compression"]);
        connect.replies(&[ok()]);
        assert_eq!(connect.kinds(), [START]);
        let mut connect = Connect::new(Transport::Unix, compressed(Use::Required, &one));
        let error = failure(connect.replies(&[error(5175)]));
        assert!(matches!(error.kind(), ConnectErrorKind::NoCompression(_)));
    }

    #[test]
    fn each_refused_algorithm_costs_a_flight() {
        let two = [Algorithm::ZstdStream, Algorithm::Lz4Message];
        let mut connect = Connect::new(Transport::Tcp, compressed(Use::Preferred, &two));
        assert_eq!(connect.capabilities(), ["compression", "tls"]);
        connect.replies(&[error(5175)]);
        assert_eq!(connect.capabilities(), ["compression", "tls"]);
        connect.replies(&[error(5175)]);
        assert_eq!(connect.capabilities(), ["tls"]);
        assert!(matches!(connect.replies(&[ok()]), Outcome::Tls));
        // Without TLS each answer is waited for, that to the last one, too.
        let mut connect = Connect::new(Transport::Unix, compressed(Use::Preferred, &two));
        assert_eq!(connect.kinds(), [SET]);
        connect.replies(&[error(5175)]);
        assert_eq!(connect.kinds(), [SET]);
        connect.replies(&[error(5175)]);
        assert_eq!(connect.kinds(), [START]);
    }
}
