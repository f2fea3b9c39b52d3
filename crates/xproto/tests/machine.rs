//! The machine over bytes in memory: conversations whole and at every split point, misuse, and servers that lie.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use porpoise_trace::{MachineKind, Record, RecordEntry};
use porpoise_wire::{Cx, Limits, Lost, Machine, Step, TlsInfo, XFramer};
use porpoise_xproto::messages::{self, connection, datatypes, notice, resultset, session, sql};
use porpoise_xproto::{
    ClientKind, Connection, Event, Fetched, LifeCycle, Misuse, NoticeBody, XError, XErrorKind,
};
use prost::Message;

/// A connection with buffers of its own.
struct Client {
    machine: Connection,
    rx: BytesMut,
    tx: BytesMut,
    trace: Record,
}

impl Client {
    fn new() -> Self {
        Self::with_limit(1 << 20)
    }

    fn with_limit(max_packet: usize) -> Self {
        let machine = Connection::new(Limits::default().with_max_packet(max_packet));
        let mut client = Self { machine, rx: BytesMut::new(), tx: BytesMut::new(), trace: Record::new() };
        client.call(|machine, cx| machine.connected(cx));
        client
    }

    /// A client in a session, with nothing owed.
    fn in_session() -> Self {
        let mut client = Self::new();
        client.login().unwrap();
        client.feed(&login_ok());
        let events = client.events().unwrap();
        assert!(matches!(events[..], [Event::Notice(_), Event::AuthenticateOk(_)]), "{events:?}");
        client
    }

    fn call<R>(&mut self, call: impl FnOnce(&mut Connection, &mut Cx<'_, Record>) -> R) -> R {
        call(&mut self.machine, &mut Cx::new(&mut self.rx, &mut self.tx, &mut self.trace))
    }

    fn login(&mut self) -> Result<(), Misuse> {
        self.call(|machine, cx| machine.authenticate_start("PLAIN", Some(b"\0app\0hunter2"), false, cx))
    }

    fn sql(&mut self, stmt: &'static str) -> Result<(), Misuse> {
        self.call(|machine, cx| machine.send(&statement(stmt), cx))
    }

    fn feed(&mut self, bytes: &[u8]) {
        self.rx.extend_from_slice(bytes);
    }

    /// All events that the bytes so far lead to.
    fn events(&mut self) -> Result<Vec<Event>, XError> {
        let mut events = Vec::new();
        loop {
            match self.call(|machine, cx| machine.advance(cx))? {
                Step::Event(event) => events.push(event),
                _ => return Ok(events),
            }
        }
    }

    fn states(&self) -> Vec<&'static str> {
        let names = self.trace.entries().into_iter().filter_map(|entry| match entry {
            RecordEntry::Stage { machine: MachineKind::X, name, .. } => Some(name),
            _ => None,
        });
        names.collect()
    }
}

fn statement(stmt: &'static str) -> sql::StmtExecute {
    sql::StmtExecute { stmt: Bytes::from_static(stmt.as_bytes()), ..Default::default() }
}

fn frame(kind: u8, message: &impl Message) -> Vec<u8> {
    let mut wire = BytesMut::new();
    XFramer::write(&mut wire, kind, |tx| message.encode_raw(tx)).unwrap();
    wire.to_vec()
}

fn error(code: u32, fatal: bool) -> Vec<u8> {
    let severity = fatal.then_some(1);
    frame(1, &messages::Error { severity, code, sql_state: "HY000".into(), msg: "no".into() })
}

fn ok() -> Vec<u8> {
    frame(0, &messages::Ok { msg: None })
}

fn column(name: &'static str) -> Vec<u8> {
    let name = Some(Bytes::from_static(name.as_bytes()));
    frame(12, &resultset::ColumnMetaData { r#type: 1, name, ..Default::default() })
}

fn row(field: &'static [u8]) -> Vec<u8> {
    frame(13, &resultset::Row { field: vec![Bytes::from_static(field)] })
}

/// A SessionStateChanged of one unsigned number.
fn changed(param: notice::session_state_changed::Parameter, value: u64) -> Vec<u8> {
    let scalar = datatypes::Scalar {
        r#type: datatypes::scalar::Type::VUint.into(),
        v_unsigned_int: Some(value),
        ..Default::default()
    };
    let payload = notice::SessionStateChanged { param: param.into(), value: vec![scalar] }.encode_to_vec();
    frame(11, &notice::Frame { r#type: 3, scope: Some(2), payload: Some(payload.into()) })
}

fn hello() -> Vec<u8> {
    frame(11, &notice::Frame { r#type: 5, scope: None, payload: Some(Bytes::new()) })
}

fn login_ok() -> Vec<u8> {
    let ok = frame(4, &session::AuthenticateOk { auth_data: Some(Bytes::new()) });
    [changed(notice::session_state_changed::Parameter::ClientIdAssigned, 7), ok].concat()
}

fn goodbye() -> Vec<u8> {
    let warning = notice::Warning { level: Some(3), code: 3169, msg: "Session was killed".into() };
    frame(11, &notice::Frame { r#type: 1, scope: None, payload: Some(warning.encode_to_vec().into()) })
}

fn capability(name: &str, on: bool) -> connection::CapabilitiesSet {
    let scalar = datatypes::Scalar {
        r#type: datatypes::scalar::Type::VBool.into(),
        v_bool: Some(on),
        ..Default::default()
    };
    let value = datatypes::Any {
        r#type: datatypes::any::Type::Scalar.into(),
        scalar: Some(scalar),
        ..Default::default()
    };
    let capabilities = vec![connection::Capability { name: name.to_owned(), value }];
    connection::CapabilitiesSet { capabilities: connection::Capabilities { capabilities } }
}

/// Batches with their rows apart, so that splits of the stream make no difference.
fn flat(events: Vec<Event>) -> Vec<String> {
    let mut lines = Vec::new();
    for event in events {
        match event {
            Event::Rows(batch) => lines.extend(batch.iter().map(|row| format!("row {:?}", row.payload()))),
            other => lines.push(format!("{other:?}")),
        }
    }
    lines
}

/// Login, two statements, a reset, an error and the end: all in one flight.
fn whole() -> (Client, Vec<u8>) {
    let mut client = Client::new();
    client.login().unwrap();
    client.sql("call two()").unwrap();
    client.sql("bogus").unwrap();
    client.call(|machine, cx| machine.session_reset(true, cx)).unwrap();
    client.call(|machine, cx| machine.close(cx)).unwrap();
    let affected = changed(notice::session_state_changed::Parameter::RowsAffected, 0);
    let replies = [
        hello(),
        login_ok(),
        [column("a"), row(b"\x02"), row(b"\x04"), frame(16, &resultset::FetchDoneMoreResultsets {})].concat(),
        [column("b"), column("c"), row(b""), frame(16, &resultset::FetchDoneMoreResultsets {})].concat(),
        [frame(14, &resultset::FetchDone {}), affected, frame(17, &sql::StmtExecuteOk {})].concat(),
        error(1064, false),
        ok(),
        frame(0, &messages::Ok { msg: Some("bye!".into()) }),
    ];
    (client, replies.concat())
}

#[test]
fn a_whole_conversation_in_one_flight() {
    let (mut client, replies) = whole();
    assert_eq!(client.machine.replies_owed(), 5);
    client.feed(&replies);
    let events = client.events().unwrap();
    assert!(
        matches!(
            &events[..],
            [
                Event::Notice(_),
                Event::Notice(_),
                Event::AuthenticateOk(_),
                Event::Columns(a),
                Event::Rows(two),
                Event::Fetched(Fetched::MoreResultsets),
                Event::Columns(bc),
                Event::Rows(one),
                Event::Fetched(Fetched::MoreResultsets),
                Event::Fetched(Fetched::Done),
                Event::Notice(_),
                Event::StmtExecuteOk,
                Event::Error(error),
                Event::Ok(None),
                Event::Ok(Some(bye)),
            ] if a.len() == 1 && two.len() == 2 && bc.len() == 2 && one.len() == 1 && error.code == 1064 && &**bye == "bye!"
        ),
        "{events:?}"
    );
    assert_eq!(client.machine.replies_owed(), 0);
    client.call(|machine, cx| machine.closed(cx));
    assert_eq!(client.states(), ["CONNECTED", "AUTHENTICATING", "SESSION", "CLOSING", "CLOSED"]);
}

#[test]
fn any_split_gives_the_same_events() {
    let (mut client, replies) = whole();
    client.feed(&replies);
    let want = flat(client.events().unwrap());
    let trace = client.trace.to_jsonl();
    for split in 1..replies.len() {
        let (mut client, replies) = whole();
        client.feed(&replies[..split]);
        let mut events = client.events().unwrap();
        client.feed(&replies[split..]);
        events.extend(client.events().unwrap());
        assert_eq!(flat(events), want, "{split}");
        assert_eq!(client.trace.to_jsonl(), trace, "{split}");
    }
    let (mut client, replies) = whole();
    let mut events = Vec::new();
    for byte in &replies {
        client.feed(&[*byte]);
        events.extend(client.events().unwrap());
    }
    assert_eq!(flat(events), want);
}

#[test]
fn no_secret_reaches_the_trace() {
    let (client, _) = whole();
    assert!(client.tx.windows(7).any(|bytes| bytes == b"hunter2"), "it is on the wire");
    let shown = format!("{} {:?} {:?}", client.trace.to_jsonl(), client.trace, client.machine);
    assert!(!shown.contains("hunter2"), "{shown}");
}

#[test]
fn what_the_server_would_not_take_is_not_written() {
    let mut client = Client::new();
    let sent = |client: &Client| client.tx.len();
    assert!(matches!(client.sql("select 1"), Err(Misuse::NotThen { state: LifeCycle::Connected, .. })));
    let reset = client.call(|machine, cx| machine.session_reset(false, cx));
    assert!(matches!(reset, Err(Misuse::NotThen { .. })), "the server would not even answer");
    assert_eq!(sent(&client), 0);
    // Behind a login that awaits a challenge, and behind TLS, nothing.
    let mut challenged = Client::new();
    challenged.call(|machine, cx| machine.authenticate_start("SHA256_MEMORY", None, true, cx)).unwrap();
    let before = sent(&challenged);
    assert_eq!(challenged.sql("select 1"), Err(Misuse::BehindChallenge));
    assert_eq!(sent(&challenged), before);
    client.call(|machine, cx| machine.send(&capability("tls", true), cx)).unwrap();
    assert_eq!(client.login(), Err(Misuse::BehindTls));
    client.feed(&ok());
    assert!(matches!(client.events().unwrap()[..], [Event::Ok(_)]));
    assert_eq!(client.login(), Err(Misuse::BehindTls), "the handshake is still to come");
    // Two logins, and anything behind a closed session but a login.
    let mut client = Client::in_session();
    assert!(matches!(client.login(), Err(Misuse::NotThen { state: LifeCycle::Session, .. })));
    client.call(|machine, cx| machine.session_close(cx)).unwrap();
    assert!(matches!(client.sql("select 1"), Err(Misuse::NotThen { state: LifeCycle::SessionClosed, .. })));
    client.login().unwrap();
    client.sql("select 1").unwrap();
    client.call(|machine, cx| machine.close(cx)).unwrap();
    assert_eq!(client.sql("select 1"), Err(Misuse::Closed));
}

#[test]
fn a_message_above_the_limit_is_not_written_and_one_at_the_limit_is() {
    // type byte, tag, length, "do 1"
    let mut client = Client::with_limit(7);
    client
        .machine
        .send_unchecked(
            &statement("do 1"),
            &mut Cx::new(&mut BytesMut::new(), &mut client.tx, &mut client.trace),
        )
        .unwrap();
    assert_eq!(client.tx.len(), 4 + 7);
    let mut client = Client::with_limit(6);
    let error = client.call(|machine, cx| machine.send_unchecked(&statement("do 1"), cx));
    assert!(matches!(error, Err(Misuse::TooLarge { size: 7, limit: 6, .. })), "{error:?}");
    assert!(client.tx.is_empty());
    // The other way round: refused from the length alone.
    client.feed(&[7, 0, 0, 0]);
    let error = client.events().unwrap_err();
    assert!(matches!(error.kind(), XErrorKind::Frame(_)));
    assert_eq!(error.code(), 2020);
    assert_eq!(client.states(), ["CONNECTED", "ERROR", "CLOSED"]);
}

#[test]
fn bytes_behind_the_ok_to_tls_are_an_attack() {
    let mut client = Client::new();
    client.call(|machine, cx| machine.send(&capability("tls", true), cx)).unwrap();
    client.feed(&[ok(), error(1, true)].concat());
    let error = loop {
        match client.call(|machine, cx| machine.advance(cx)) {
            Ok(Step::Event(Event::Ok(_))) => {}
            Ok(other) => panic!("{other:?}"),
            Err(error) => break error,
        }
    };
    assert!(matches!(error.kind(), XErrorKind::BytesBeforeTls { len: 15.. }), "{error}");
}

#[test]
fn tls_starts_after_its_ok_and_can_be_refused() {
    let mut client = Client::new();
    client.call(|machine, cx| machine.send(&capability("tls", true), cx)).unwrap();
    client.feed(&error(5001, false));
    assert!(matches!(client.events().unwrap()[..], [Event::Error(_)]));
    assert_eq!(client.machine.state(), LifeCycle::Negotiating);
    // tls:false is no request for TLS: something may follow.
    client.call(|machine, cx| machine.send(&capability("tls", false), cx)).unwrap();
    client.call(|machine, cx| machine.send(&capability("tls", true), cx)).unwrap();
    client.feed(&[hello(), error(5001, false), ok()].concat());
    assert_eq!(client.events().unwrap().len(), 3);
    assert!(matches!(client.call(|machine, cx| machine.advance(cx)), Ok(Step::StartTls)));
    assert!(!client.machine.is_tls());
    client.call(|machine, cx| machine.tls_ready(&TlsInfo::new(false), cx));
    assert!(client.machine.is_tls());
    client.login().unwrap();
    client.feed(&login_ok());
    client.events().unwrap();
    assert_eq!(client.states(), ["CONNECTED", "NEGOTIATING", "TLS", "AUTHENTICATING", "SESSION"]);
}

#[test]
fn a_challenge_is_answered_and_a_failure_is_not_the_end() {
    let mut client = Client::new();
    for attempt in 0..2 {
        client.call(|machine, cx| machine.authenticate_start("SHA256_MEMORY", None, true, cx)).unwrap();
        let nonce = Bytes::from_static(b"12345678901234567890");
        client.feed(&frame(3, &session::AuthenticateContinue { auth_data: nonce.clone() }));
        assert_eq!(client.events().unwrap(), [Event::AuthenticateContinue(nonce)]);
        client.call(|machine, cx| machine.authenticate_continue(b"\0app\0hash", cx)).unwrap();
        client.feed(&if attempt == 0 { error(1045, false) } else { login_ok() });
        client.events().unwrap();
    }
    let states = ["CONNECTED", "AUTHENTICATING", "AUTHENTICATION_FAILED", "AUTHENTICATING", "SESSION"];
    assert_eq!(client.states(), states);
}

#[test]
fn an_error_of_a_login_comes_before_that_of_what_followed() {
    let (mut client, _) = whole();
    client.feed(&[error(1045, false), error(5000, true)].concat());
    let events = client.call(|machine, cx| machine.advance(cx));
    assert!(matches!(events, Ok(Step::Event(Event::Error(error))) if error.code == 1045 && !error.fatal));
    let error = client.events().unwrap_err();
    assert!(matches!(error.kind(), XErrorKind::Fatal(error) if error.code == 5000), "{error}");
    assert_eq!(error.state(), LifeCycle::AuthenticationFailed, "where it happened");
    assert_eq!(client.machine.replies_owed(), 0);
    // It is final, and says so again.
    assert_eq!(client.events().unwrap_err().code(), 5000);
    assert_eq!(client.sql("select 1"), Err(Misuse::Closed));
    assert_eq!(client.states()[2..], ["AUTHENTICATION_FAILED", "ERROR", "CLOSED"]);
}

#[test]
fn fatal_5009_is_not_fatal() {
    let mut client = Client::in_session();
    client.call(|machine, cx| machine.session_close(cx)).unwrap();
    client.call(|machine, cx| machine.send(&capability("client.interactive", true), cx)).unwrap();
    client.feed(&[ok(), error(5009, true)].concat());
    assert_eq!(client.events().unwrap().len(), 2);
    assert_eq!(client.machine.state(), LifeCycle::SessionClosed);
    client.login().unwrap();
}

#[test]
fn notices_come_at_any_time_and_say_why_the_end_comes() {
    let mut client = Client::in_session();
    client.feed(&changed(notice::session_state_changed::Parameter::RowsAffected, 3));
    let events = client.events().unwrap();
    assert!(matches!(&events[..], [Event::Notice(notice)] if notice.body == NoticeBody::RowsAffected(3)));
    client.feed(&goodbye());
    client.events().unwrap();
    assert_eq!(client.machine.goodbye().map(|warning| warning.code), Some(3169));
    let error = client.call(|machine, cx| machine.lost(Lost::Closed, cx));
    assert!(matches!(error.kind(), XErrorKind::Goodbye(_)));
    assert_eq!((error.code(), error.state()), (3169, LifeCycle::Session));
    assert_eq!(client.states()[3..], ["ERROR", "CLOSED"]);
}

#[test]
fn the_end_that_was_asked_for_is_no_error() {
    let mut client = Client::in_session();
    client.call(|machine, cx| machine.close(cx)).unwrap();
    client.feed(&ok());
    client.events().unwrap();
    client.call(|machine, cx| machine.lost(Lost::Closed, cx));
    assert_eq!(client.states()[3..], ["CLOSING", "CLOSED"]);
    // Servers leave TLS without a word, which is an error only if something may be missing.
    for (reply, errors) in [(ok(), 0), (vec![], 1)] {
        let mut client = Client::in_session();
        client.call(|machine, cx| machine.close(cx)).unwrap();
        client.feed(&reply);
        client.events().unwrap();
        let error = Arc::new(std::io::Error::other("no close_notify"));
        let lost = Lost::Tls { error, unrecognized_name: false };
        client.call(|machine, cx| machine.lost(lost, cx));
        assert_eq!(client.trace.to_jsonl().matches("\"ERROR\"").count(), 2 * errors, "{:?}", client.trace);
    }
    // Neither does it leave a reply owed that did not come any more.
    let mut client = Client::in_session();
    client.call(|machine, cx| machine.close(cx)).unwrap();
    client.events().unwrap();
    client.call(|machine, cx| machine.lost(Lost::Closed, cx));
    assert_eq!((client.machine.replies_owed(), client.states()[4]), (0, "CLOSED"));
}

#[test]
fn the_wrong_port_is_named() {
    let mut client = Client::new();
    client.login().unwrap();
    // int<3> length 0x4a, id 0 | version 10, "9.7.4"...
    client.feed(&[&[0x4a, 0, 0, 0, 0x0a][..], b"9.7.4\0", &[0; 70]].concat());
    let error = client.events().unwrap_err();
    assert!(matches!(error.kind(), XErrorKind::ClassicGreeting));
    assert!(error.advice().is_some_and(|advice| advice.contains("33060")));
}

#[test]
fn what_has_no_place_is_an_error_and_can_be_let_through() {
    for (kind, bytes) in [
        (17, frame(17, &sql::StmtExecuteOk {})),
        (13, row(b"\x02")),
        (4, frame(4, &session::AuthenticateOk::default())),
        (0, ok()),
        (19, frame(19, &connection::Compression::default())),
        (99, frame(99, &messages::Ok::default())),
    ] {
        let mut client = Client::in_session();
        client.feed(&bytes);
        let error = client.events().unwrap_err();
        assert!(matches!(error.kind(), XErrorKind::Unexpected { .. }), "{kind}: {error}");
        let mut client = Client::in_session();
        client.machine.let_through(true);
        client.feed(&bytes);
        let events = client.events().unwrap();
        assert!(matches!(&events[..], [Event::Unasked(got, _)] if got.number() == kind), "{events:?}");
    }
    // In the middle of a reply, too.
    let mut client = Client::in_session();
    client.sql("select 1").unwrap();
    client.feed(&ok());
    assert!(matches!(client.events().unwrap_err().kind(), XErrorKind::Unexpected { .. }));
}

#[test]
fn success_where_the_life_cycle_has_none_is_an_error() {
    type Send = fn(&mut Client) -> Result<(), Misuse>;
    let cases: [(Send, Vec<u8>, LifeCycle); 4] = [
        // A login that needs no challenge gets one, and the Session.Close behind it is said to have worked.
        (
            |client| {
                client.login()?;
                client.call(|machine, cx| machine.session_close(cx))
            },
            [frame(3, &session::AuthenticateContinue::default()), ok()].concat(),
            LifeCycle::Authenticating,
        ),
        (
            |client| {
                let message = session::AuthenticateContinue::default();
                client.call(|machine, cx| machine.send_unchecked(&message, cx))
            },
            frame(4, &session::AuthenticateOk::default()),
            LifeCycle::Connected,
        ),
        (
            |client| {
                client.login()?;
                client.call(|machine, cx| machine.send_unchecked(&capability("tls", true), cx))
            },
            [login_ok(), ok()].concat(),
            LifeCycle::Session,
        ),
        (
            |client| {
                client.call(|machine, cx| machine.tls_ready(&TlsInfo::new(true), cx));
                client.call(|machine, cx| machine.send(&capability("tls", true), cx))
            },
            ok(),
            LifeCycle::Negotiating,
        ),
    ];
    for (send, replies, state) in cases {
        let mut client = Client::new();
        send(&mut client).unwrap();
        client.feed(&replies);
        let error = client.events().unwrap_err();
        assert!(matches!(error.kind(), XErrorKind::Unexpected { expected: "Error", .. }), "{error}");
        assert_eq!(error.state(), state);
        // A tool is told, and its state stays.
        let mut client = Client::new();
        client.machine.let_through(true);
        send(&mut client).unwrap();
        client.feed(&replies);
        client.events().unwrap();
        assert_eq!(client.machine.state(), state);
    }
}

#[test]
fn a_reset_that_the_server_ignores_leaves_the_replies_in_step() {
    let mut client = Client::new();
    client.call(|machine, cx| machine.send_unchecked(&session::Reset::default(), cx)).unwrap();
    client.call(|machine, cx| machine.send_unchecked(&connection::CapabilitiesGet {}, cx)).unwrap();
    client.feed(&frame(2, &connection::Capabilities::default()));
    assert!(matches!(client.events().unwrap()[..], [Event::Capabilities(_)]));
    assert_eq!(client.machine.replies_owed(), 0);
}

#[test]
fn columns_are_bounded() {
    let mut client = Client::with_limit(1 << 16);
    client.login().unwrap();
    client.feed(&login_ok());
    client.events().unwrap();
    client.sql("select 1").unwrap();
    let many = column("a column with quite a long name").repeat(1000);
    client.feed(&many);
    let error = client.events().unwrap_err();
    assert!(matches!(error.kind(), XErrorKind::Message { .. }), "{error}");
}

#[test]
fn messages_can_come_one_by_one() {
    let mut client = Client::in_session();
    client.machine.one_by_one(true);
    client.sql("select 1").unwrap();
    client.feed(&[column("a"), row(b"\x02"), row(b"\x04"), frame(14, &resultset::FetchDone {})].concat());
    let events = client.events().unwrap();
    assert!(
        matches!(&events[..2], [Event::Column, Event::Columns(columns)] if columns.len() == 1),
        "{events:?}"
    );
    assert!(
        matches!(&events[2..], [Event::Rows(one), Event::Rows(two), Event::Fetched(Fetched::Done)] if one.len() + two.len() == 2)
    );
}

#[test]
fn what_is_encoded_already_is_sent_as_it_is() {
    let mut client = Client::new();
    client.machine.let_through(true);
    // A request for TLS, with its value as a number: that it is one is seen all the same.
    let tls = connection::CapabilitiesSet::default().with("tls", 1_i64).encode_to_vec();
    client.call(|machine, cx| machine.send_encoded(ClientKind::CON_CAPABILITIES_SET, &tls, cx)).unwrap();
    assert_eq!(client.machine.state(), LifeCycle::Negotiating, "nothing was read, but it is its turn");
    let sent = client.call(|machine, cx| machine.capabilities_get(cx));
    assert_eq!(sent.unwrap_err(), Misuse::BehindTls);
    // What lacks a required field lacks it on the wire.
    let mut client = Client::in_session();
    client.tx.clear();
    client.call(|machine, cx| machine.send_encoded(ClientKind::SQL_STMT_EXECUTE, b"", cx)).unwrap();
    assert_eq!(client.tx[..], b"\x01\0\0\0\x0c"[..]);
    client.call(|machine, cx| machine.send_encoded(ClientKind::SESS_RESET, b"\x08\x01", cx)).unwrap();
    client.feed(&[error(1064, false), ok()].concat());
    client.events().unwrap();
    assert_eq!((client.machine.state(), client.machine.replies_owed()), (LifeCycle::Session, 0), "kept open");
}
