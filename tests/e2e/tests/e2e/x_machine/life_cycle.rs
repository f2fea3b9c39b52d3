//! Every message of a client in every state: what the server makes of it is what [`LifeCycle::reaction`] says, and the
//! machine goes where the server goes.

use anyhow::{Result, bail, ensure};
use bytes::Bytes;
use porpoise::wire::{Limits, Lost};
use porpoise_test_support::{Server, XClient, XReply, statement};
use porpoise_xproto::messages::datatypes::Object;
use porpoise_xproto::messages::{connection, crud, cursor, expect, prepare, session};
use porpoise_xproto::{Algorithm, ClientKind, ClientMessage, Event, LifeCycle, Misuse, Reaction, XErrorKind};

use super::live;
use crate::suite::{Cell, Context, MYSQL, Runner, Suite, Transport, expect as equal};

/// A number that no message has.
const UNKNOWN: ClientKind = ClientKind::new(99);

const ER_UNKNOWN_COM_ERROR: u16 = 1047;
const ER_X_BAD_MESSAGE: u16 = 5000;
const ER_X_CAPABILITY_SET_NOT_ALLOWED: u16 = 5009;
const ER_X_FRAME_COMPRESSION_DISABLED: u16 = 5170;

/// States in which a server waits for a message.
const STATES: [LifeCycle; 7] = [
    LifeCycle::Connected,
    LifeCycle::Negotiating,
    LifeCycle::Tls,
    LifeCycle::Authenticating,
    LifeCycle::AuthenticationFailed,
    LifeCycle::Session,
    LifeCycle::SessionClosed,
];

pub(super) fn add(suite: &mut Suite) {
    for state in STATES {
        let cell = Cell::new(Runner::Blocking, over(state), MYSQL);
        suite.add(format!("x_machine::life_cycle::{state}"), cell, move |context| in_state(context, state));
    }
    super::add_tests(
        suite,
        "life_cycle",
        Transport::Unix,
        &[
            ("compression that was agreed on", compressed),
            ("a session discards the one before", discards),
            ("nothing behind the goodbye", behind_goodbye),
        ],
    );
}

fn over(state: LifeCycle) -> Transport {
    if state == LifeCycle::Tls { Transport::Tls } else { Transport::Unix }
}

fn in_state(context: &Context, state: LifeCycle) -> Result<()> {
    let server = context.server()?;
    for kind in ClientKind::ALL.iter().copied().chain([UNKNOWN]) {
        check(server, state, kind).map_err(|error| error.context(format!("{kind:?} in {state}")))?;
    }
    Ok(())
}

fn check(server: &Server, state: LifeCycle, kind: ClientKind) -> Result<()> {
    let mut wire = live(server, over(state))?;
    let mut client = XClient::open(&mut wire, Limits::default())?;
    client.with(|machine, _| machine.let_through(true));
    reach(&mut client, state)?;
    equal("the state", &client.machine().state(), &state)?;
    let reaction = state.reaction(kind);
    // What is sent by the rules is refused just when the server would not take it.
    let refused = send(&mut client, state, kind, true)?;
    let taken = matches!(reaction, Reaction::Reply | Reaction::Attributes | Reaction::Compressed);
    ensure!(refused.is_none() == taken || kind == UNKNOWN, "predicted {reaction:?}, sending: {refused:?}");
    if refused.is_some() {
        send(&mut client, state, kind, false)?;
    }
    match reaction {
        Reaction::Reply => replied(&mut client, kind),
        Reaction::Fatal if kind == ClientKind::COMPRESSION => {
            fatal(&mut client, ER_X_FRAME_COMPRESSION_DISABLED)
        }
        Reaction::Fatal => fatal(&mut client, ER_X_BAD_MESSAGE),
        Reaction::Unexpected => {
            let error = unasked(&mut client)?;
            equal("the error", &(error.code, error.fatal), &(ER_UNKNOWN_COM_ERROR, false))?;
            lives(&mut client)
        }
        // Nothing is said to it: the next reply is that of the next message.
        Reaction::Ignored => lives(&mut client),
        Reaction::Attributes => {
            equal("attributes", &client.reply()?.code(), &0)?;
            client.send(&connection::CapabilitiesSet::default().with("client.interactive", true))?;
            let reply = client.reply()?;
            let error = reply.error.as_ref().map(|error| (error.code, error.fatal));
            equal("the error", &error, &Some((ER_X_CAPABILITY_SET_NOT_ALLOWED, true)))?;
            lives(&mut client)
        }
        // Nobody agreed on it.
        Reaction::Compressed => fatal(&mut client, ER_X_FRAME_COMPRESSION_DISABLED),
        other => bail!("what is {other:?}?"),
    }
}

fn start(client: &mut XClient<'_>, password: &[u8]) -> Result<XReply> {
    let data = [b"\0sha2all\0", password].concat();
    client.with(|machine, cx| machine.authenticate_start("PLAIN", Some(&data), false, cx))?;
    Ok(client.reply()?)
}

fn reach(client: &mut XClient<'_>, state: LifeCycle) -> Result<()> {
    match state {
        LifeCycle::Connected => {}
        LifeCycle::Negotiating => drop(client.ask(&connection::CapabilitiesGet {})?),
        LifeCycle::Tls => {
            client.ask(&connection::CapabilitiesSet::default().with("tls", true))?.ok()?;
            ensure!(client.event()?.is_none());
        }
        LifeCycle::Authenticating => {
            client.with(|machine, cx| machine.authenticate_start("SHA256_MEMORY", None, true, cx))?;
            ensure!(client.reply()?.challenge.is_some_and(|challenge| challenge.len() == 20));
        }
        LifeCycle::AuthenticationFailed => {
            equal("a wrong password", &start(client, b"wrong")?.code(), &1045)?
        }
        LifeCycle::Session => drop(start(client, b"pw-sha2")?.ok()?),
        LifeCycle::SessionClosed => {
            start(client, b"pw-sha2")?.ok()?;
            client.ask(&session::Close {})?.ok()?;
        }
        other => bail!("no server waits in {other}"),
    }
    Ok(())
}

/// Sends the smallest message of a kind that a server can read, by the rules or in spite of them.
fn send(
    client: &mut XClient<'_>,
    state: LifeCycle,
    kind: ClientKind,
    by_the_rules: bool,
) -> Result<Option<Misuse>> {
    fn put<M: ClientMessage>(client: &mut XClient<'_>, rules: bool, message: &M) -> Result<(), Misuse> {
        if rules { client.send(message) } else { client.send_unchecked(message) }
    }
    let rules = by_the_rules;
    let attributes = Object::default().with("program", "life cycle");
    let start = session::AuthenticateStart {
        mech_name: "PLAIN".into(),
        auth_data: Some(Bytes::from_static(b"\0sha2all\0pw-sha2")),
        initial_response: None,
    };
    // A statement that would be taken if the compression had been agreed on.
    let packed = connection::Compression { payload: Bytes::from_static(b"x"), ..Default::default() };
    let set = match state {
        LifeCycle::SessionClosed => {
            connection::CapabilitiesSet::default().with("session_connect_attrs", attributes)
        }
        _ => connection::CapabilitiesSet::default().with("client.interactive", true),
    };
    let sent = match kind {
        ClientKind::CON_CAPABILITIES_GET => put(client, rules, &connection::CapabilitiesGet {}),
        ClientKind::CON_CAPABILITIES_SET => put(client, rules, &set),
        ClientKind::CON_CLOSE => put(client, rules, &connection::Close {}),
        ClientKind::SESS_AUTHENTICATE_START => put(client, rules, &start),
        ClientKind::SESS_AUTHENTICATE_CONTINUE => {
            let auth_data = Bytes::from_static(b"\0sha2all\0");
            put(client, rules, &session::AuthenticateContinue { auth_data })
        }
        ClientKind::SESS_RESET => put(client, rules, &session::Reset { keep_open: Some(true) }),
        ClientKind::SESS_CLOSE => put(client, rules, &session::Close {}),
        ClientKind::SQL_STMT_EXECUTE => put(client, rules, &statement("select 1")),
        ClientKind::CRUD_FIND => put(client, rules, &crud::Find::default()),
        ClientKind::CRUD_INSERT => put(client, rules, &crud::Insert::default()),
        ClientKind::CRUD_UPDATE => put(client, rules, &crud::Update::default()),
        ClientKind::CRUD_DELETE => put(client, rules, &crud::Delete::default()),
        ClientKind::EXPECT_OPEN => put(client, rules, &expect::Open::default()),
        ClientKind::EXPECT_CLOSE => put(client, rules, &expect::Close::default()),
        ClientKind::CRUD_CREATE_VIEW => put(client, rules, &crud::CreateView::default()),
        ClientKind::CRUD_MODIFY_VIEW => put(client, rules, &crud::ModifyView::default()),
        ClientKind::CRUD_DROP_VIEW => put(client, rules, &crud::DropView::default()),
        ClientKind::PREPARE_PREPARE => put(client, rules, &prepare::Prepare::default()),
        ClientKind::PREPARE_EXECUTE => put(client, rules, &prepare::Execute::default()),
        ClientKind::PREPARE_DEALLOCATE => put(client, rules, &prepare::Deallocate::default()),
        ClientKind::CURSOR_OPEN => put(client, rules, &cursor::Open::default()),
        ClientKind::CURSOR_CLOSE => put(client, rules, &cursor::Close::default()),
        ClientKind::CURSOR_FETCH => put(client, rules, &cursor::Fetch::default()),
        ClientKind::COMPRESSION => put(client, rules, &packed),
        UNKNOWN if rules => return Ok(Some(Misuse::Closed)),
        UNKNOWN => client.with(|machine, cx| machine.send_bytes(&[1, 0, 0, 0, UNKNOWN.number()], cx)),
        other => bail!("no message is made for {other:?}"),
    };
    Ok(sent.err())
}

/// An Error that comes although nothing is owed, or in reply.
fn unasked(client: &mut XClient<'_>) -> Result<porpoise_xproto::ServerError> {
    loop {
        match client.unasked()? {
            Event::Error(error) => return Ok(error),
            Event::Notice(_) => {}
            other => bail!("{other:?} came"),
        }
    }
}

/// The server replies, be it by an Error that ends nothing.
fn replied(client: &mut XClient<'_>, kind: ClientKind) -> Result<()> {
    let reply = client.reply()?;
    let code = reply.code();
    ensure!(!matches!(code, ER_UNKNOWN_COM_ERROR | ER_X_BAD_MESSAGE), "{reply:?}");
    ensure!(reply.error.as_ref().is_none_or(|error| !error.fatal), "{reply:?}");
    match kind {
        ClientKind::CON_CAPABILITIES_GET => ensure!(reply.capabilities.is_some()),
        ClientKind::CON_CLOSE => {
            equal("the goodbye", &reply.ok.as_deref(), &Some("bye!"))?;
            // Servers leave TLS without a close_notify.
            ensure!(matches!(client.end().kind(), XErrorKind::Lost(Lost::Closed | Lost::Tls { .. })));
            ensure!(
                !client.trace().to_jsonl().contains("\"ERROR\""),
                "an error for the end that was asked for"
            );
            return equal("the state", &client.machine().state(), &LifeCycle::Closed);
        }
        _ => {}
    }
    lives(client)
}

/// The connection goes on, where the machine says it is.
fn lives(client: &mut XClient<'_>) -> Result<()> {
    match client.machine().state() {
        LifeCycle::Connected | LifeCycle::Negotiating | LifeCycle::Tls => {
            let reply = client.ask(&connection::CapabilitiesGet {})?;
            ensure!(reply.capabilities.is_some_and(|all| all.node_type() == Some("mysql")));
        }
        LifeCycle::AuthenticationFailed | LifeCycle::SessionClosed => {
            start(client, b"pw-sha2")?.ok()?;
            super::works(client)?;
        }
        LifeCycle::Session => super::works(client)?,
        other => bail!("{other} is no state to live in"),
    }
    Ok(())
}

fn fatal(client: &mut XClient<'_>, code: u16) -> Result<()> {
    let error = unasked(client)?;
    equal("the error", &(error.code, error.fatal), &(code, true))?;
    equal("the state", &client.machine().state(), &LifeCycle::Error)?;
    ensure!(matches!(client.end().kind(), XErrorKind::Lost(_)));
    equal("the state", &client.machine().state(), &LifeCycle::Closed)
}

/// Compression that was agreed on begins with the session and not before, and outlives it.
fn compressed(context: &Context) -> Result<()> {
    let server = context.server()?;
    let agree = connection::CapabilitiesSet::default().with_compression(Algorithm::Lz4Message, None);
    let mut wire = live(server, Transport::Unix)?;
    let mut client = XClient::open(&mut wire, Limits::default())?;
    client.with(|machine, _| machine.let_through(true));
    client.ask(&agree)?.ok()?;
    send(&mut client, LifeCycle::Negotiating, ClientKind::COMPRESSION, false)?;
    fatal(&mut client, ER_X_FRAME_COMPRESSION_DISABLED)?;

    let mut wire = live(server, Transport::Unix)?;
    let mut client = XClient::open(&mut wire, Limits::default())?;
    client.ask(&agree)?.ok()?;
    start(&mut client, b"pw-sha2")?.ok()?;
    ensure!(client.machine().is_compressed());
    client.with(|machine, _| machine.set_compression_threshold(1));
    super::works(&mut client)?;
    client.ask(&session::Close {})?.ok()?;
    start(&mut client, b"pw-sha2")?.ok()?;
    super::works(&mut client)?;
    client.close()
}

/// A session, a reset, and another session: nothing of the first is left, and the connection is the same.
fn discards(context: &Context) -> Result<()> {
    super::in_session(context, |client| {
        for keep_open in [Some(true), Some(false), None] {
            client.sql("create temporary table porp_xt (a int)")?;
            client.sql("set @porp = 'kept'")?.ok()?;
            let id = super::number(client, "connection_id()")?;
            client.ask(&session::Reset { keep_open })?.ok()?;
            let kept = keep_open == Some(true);
            if !kept {
                equal("the state", &client.machine().state(), &LifeCycle::SessionClosed)?;
                start(client, b"pw-sha2")?.ok()?;
            }
            equal("the same session", &(super::number(client, "connection_id()")? == id), &kept)?;
            equal("a variable", &super::text(client, "select ifnull(@porp, 'gone')")?.as_str(), &"gone")?;
            equal("a temporary table", &client.sql("select * from porp_xt")?.error.is_some(), &true)?;
        }
        client.close()
    })
}

fn behind_goodbye(context: &Context) -> Result<()> {
    super::in_session(context, |client| {
        client.send(&connection::Close {})?;
        equal("sending", &client.send(&statement("select 1")), &Err(Misuse::Closed))?;
        // Nothing is said to what follows.
        client.send_unchecked(&statement("select 1"))?;
        let reply = client.reply()?;
        equal("the goodbye", &reply.ok.as_deref(), &Some("bye!"))?;
        ensure!(matches!(client.end().kind(), XErrorKind::Lost(_)));
        Ok(())
    })
}
