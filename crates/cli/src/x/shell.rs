//! Runs commands, one after the other.

mod messages;
mod pipeline;

use std::collections::HashMap;
use std::sync::Arc;

use porpoise::Target;
use porpoise::auth::Channel;
use porpoise::driver::Runtime;
use porpoise::x::{Connecting, Error, Options, Session};
use porpoise::xproto::messages::connection::CapabilitiesSet;
use porpoise::xproto::messages::cursor;
use porpoise::xproto::{ClientKind, Columns, Event, LifeCycle, XErrorKind};
use prost_reflect::prost::Message as _;

use super::login::Login;
use super::output::Output;
use super::patience::within;
use super::reply::{Facts, Failed, Outcome};
use super::request::{self, Request};
use super::step::{Name, Step};
use crate::exit::{Exit, Failure};
use crate::interrupt::Interrupt;

/// How long a message may take, in seconds, where somebody waits for just that.
const PATIENCE: u64 = 15;
/// How long the next part of a statement's result may take, in seconds, in a script.
const LONG_PATIENCE: u64 = 60;

pub(super) struct Shell {
    runtime: &'static dyn Runtime,
    pub(super) options: Arc<Options>,
    output: Output,
    /// The transport is opened only, by these.
    raw: Option<Arc<Options>>,
    /// Somebody types, and waits as long as he likes.
    typed: bool,
    session: Option<Session>,
    /// Connecting failed: nothing more is done.
    over: bool,
    /// The columns of what cursors give, by their ids.
    cursors: HashMap<u32, Columns>,
    other: Option<Session>,
    /// Ends a command by Ctrl-C, when somebody types.
    interrupt: Option<Interrupt>,
}

/// What a command sent, and what of its reply is of interest.
struct Asked {
    name: Name,
    kind: ClientKind,
    /// TLS follows an Ok.
    tls: bool,
    /// The cursor that is opened, or gives more.
    cursor: Option<u32>,
}

impl Shell {
    pub(super) fn new(
        runtime: &'static dyn Runtime,
        options: Arc<Options>,
        raw: Option<Arc<Options>>,
        output: Output,
        typed: bool,
    ) -> Self {
        let cursors = HashMap::new();
        Self {
            runtime,
            options,
            output,
            raw,
            typed,
            session: None,
            over: false,
            cursors,
            other: None,
            interrupt: None,
        }
    }

    /// From here on Ctrl-C ends a statement, not the shell.
    pub(super) fn interruptible(&mut self) -> Result<(), Failure> {
        self.interrupt = Some(Interrupt::new()?);
        Ok(())
    }

    /// Whether nothing more can be done.
    pub(super) const fn is_over(&self) -> bool {
        self.over
    }

    pub(super) async fn connect(&mut self) -> Exit {
        self.output.anew();
        self.cursors.clear();
        let connecting = match &self.raw {
            Some(options) => Connecting::raw(self.runtime, Arc::clone(options)),
            None => Connecting::new(self.runtime, Arc::clone(&self.options)),
        };
        let connected = connecting.with_sink(Box::new(self.output.clone())).await;
        let connected = connected.and_then(|mut session| {
            session.message_now(|connection, _| {
                connection.let_through(true);
                connection.one_by_one(true);
                Ok(())
            })?;
            self.session = Some(session);
            Ok(Facts::default())
        });
        self.over = connected.is_err();
        self.told(&Outcome::of("connect", connected.map_err(|error| Failed::from(&error))))
    }

    /// Ends the connection, politely if there is a session.
    pub(super) async fn end(&mut self) {
        if self.alive().is_some_and(|session| session.state() == LifeCycle::Session) && self.raw.is_none() {
            let close = Step { name: Name::ConnectionClose, argument: String::new() };
            if let Ok(Some(request)) = request::request(&close) {
                // That it ends is all that is wanted.
                let _ = self.exchange(Name::ConnectionClose, &request).await;
            }
        }
        if let Some(mut session) = self.session.take() {
            session.hang_up().await;
        }
    }

    fn told(&self, outcome: &Outcome) -> Exit {
        self.output.outcome(outcome);
        outcome.exit()
    }

    /// Runs one command, tells what it came to, and gives its exit code.
    pub(super) async fn run(&mut self, step: &Step) -> Exit {
        let shows = matches!(step.name, Name::Capabilities | Name::Recv | Name::RecvUntil | Name::RecvEof);
        self.output.want(shows);
        if step.name == Name::Reconnect {
            self.end().await;
            return self.connect().await;
        }
        let outcome = self.outcome(step).await;
        self.output.want(false);
        self.told(&outcome)
    }

    async fn outcome(&mut self, step: &Step) -> Outcome {
        let argument = step.argument.as_str();
        let done = match step.name {
            Name::Login => self.login(argument).await,
            Name::Send => self.send(argument).await,
            Name::SendBytes => self.send_bytes(argument).await,
            Name::Recv => self.recv(argument).await,
            Name::RecvUntil => self.recv_until(argument).await,
            Name::RecvEof => self.recv_eof().await,
            Name::TlsHandshake => self.tls_handshake().await,
            Name::Other => self.run_other(argument).await,
            Name::End => Err(Failed::usage("no pipeline was begun")),
            _ => match request::request(step) {
                Ok(Some(request)) => return self.exchange(step.name, &request).await,
                Ok(None) => Err(Failed::usage(format!("{} sends nothing", step.name.word()))),
                Err(fault) => Err(fault.into()),
            },
        };
        Outcome::of(step.name.word(), done.map(|()| Facts::default()))
    }

    /// The session, if it is not at its end.
    fn alive(&mut self) -> Option<&mut Session> {
        self.session.as_mut().filter(|session| session.connection().is_some())
    }

    fn session(&mut self) -> Result<&mut Session, Failed> {
        let session = self.alive().filter(|session| session.state() != LifeCycle::Error);
        session.ok_or_else(Failed::not_connected)
    }

    /// Hands a message over to be sent.
    fn put(&mut self, request: &Request) -> Result<(), Failed> {
        let session = self.session()?;
        let put =
            session.message_now(|connection, cx| connection.send_encoded(request.kind, &request.payload, cx));
        put.map_err(|error| Failed::from(&error))
    }

    /// Sends a message, and reads its whole reply.
    async fn exchange(&mut self, name: Name, request: &Request) -> Outcome {
        let word = name.word();
        let before = self.owed();
        self.watch().await;
        if let Err(failed) = self.put(request) {
            return Outcome::of(word, Err(failed));
        }
        if self.owed() == before {
            // The server will say nothing to it, and who asks waits in vain.
            return Outcome::of(word, self.recv("1").await.map(|()| Facts::default()));
        }
        let asked = Asked::of(name, request);
        self.expect_columns(&asked);
        self.reply(&asked, 0).await
    }

    /// Has Ctrl-C end what is asked for next, where there is a session.
    async fn watch(&mut self) {
        let options = Arc::clone(&self.options);
        let Some(interrupt) = &self.interrupt else { return };
        let session = self.session.as_mut().filter(|session| session.is_usable());
        if let Some(session) = session {
            interrupt.watch_x(session.cancel_handle(), options);
            // An operation without a message: it begins here. A connection that is gone tells so when it is used.
            let _ = session.message(|_, _| Ok(())).await;
        }
    }

    /// What a cursor gives has the columns that it was opened with.
    fn expect_columns(&mut self, asked: &Asked) {
        if asked.kind != ClientKind::CURSOR_FETCH {
            return;
        }
        let columns = asked.cursor.and_then(|cursor| self.cursors.get(&cursor)).cloned().unwrap_or_default();
        if let Some(session) = self.alive() {
            // Nothing is sent by it.
            let _ = session.message_now(|connection, _| {
                connection.expect_columns(columns);
                Ok(())
            });
        }
    }

    /// How many replies are owed.
    fn owed(&self) -> usize {
        let connection = self.session.as_ref().and_then(Session::connection);
        connection.map_or(0, porpoise::xproto::Connection::replies_owed)
    }

    /// Reads a reply, and what is left of those before it. `behind`: replies that come after it.
    async fn reply(&mut self, asked: &Asked, behind: usize) -> Outcome {
        let (mut facts, mut failed) = (Facts::default(), None);
        loop {
            let owed = self.owed();
            if owed <= behind {
                break;
            }
            match self.event(asked.kind).await {
                Ok(event) if owed == behind + 1 => {
                    self.note(asked, &event);
                    facts.note(&event);
                    if let Event::Error(error) = event {
                        let ends = error.ends_connection();
                        failed = Some(Failed::server(error));
                        if ends {
                            self.read_to_end().await;
                        }
                    }
                }
                Ok(Event::Error(error)) if error.ends_connection() => {
                    self.read_to_end().await;
                    failed = Some(Failed::lost());
                }
                Ok(_) => {}
                Err(error) => failed = Some(error),
            }
            if failed.is_some() {
                break;
            }
        }
        if failed.is_none() {
            failed = self.after(asked).await.err();
        }
        Outcome { step: asked.name.word(), facts, failed }
    }

    /// What success is followed by.
    async fn after(&mut self, asked: &Asked) -> Result<(), Failed> {
        if asked.tls {
            return self.tls_handshake().await;
        }
        if asked.kind == ClientKind::CON_CLOSE {
            self.read_to_end().await;
        }
        Ok(())
    }

    fn note(&mut self, asked: &Asked, event: &Event) {
        if let (Event::Columns(columns), Some(cursor)) = (event, asked.cursor) {
            self.cursors.insert(cursor, columns.clone());
        }
        self.output.event(event);
    }

    /// The next event of a reply.
    async fn event(&mut self, kind: ClientKind) -> Result<Event, Failed> {
        let seconds = match kind {
            _ if self.typed => u64::MAX,
            kind if is_statement(kind) => LONG_PATIENCE,
            _ => PATIENCE,
        };
        let runtime = self.runtime;
        let session = self.session()?;
        match within(runtime, seconds, session.next_event()).await {
            Some(Ok(Some(event))) => Ok(event),
            Some(Ok(None)) => Err(Failed::lost()),
            Some(Err(error)) => Err(Failed::from(&error)),
            None => Err(Failed::no_reply(seconds)),
        }
    }

    /// Reads to the end of the stream; gives why that failed, if it did.
    async fn read_to_end(&mut self) -> Option<Failed> {
        loop {
            let runtime = self.runtime;
            let session = self.alive()?;
            match within(runtime, PATIENCE, session.recv()).await {
                Some(Ok(_)) => {}
                Some(Err(error)) => return (!is_end(&error)).then(|| Failed::from(&error)),
                None => return Some(Failed::no_reply(PATIENCE)),
            }
        }
    }

    /// What a login travels through.
    fn channel(&mut self) -> Result<Channel, Failed> {
        let options = Arc::clone(&self.options);
        let session = self.session()?;
        Ok(match (session.is_encrypted(), options.target()) {
            (true, _) => Channel::Tls { verified: session.tls_facts().is_some_and(|facts| facts.verified) },
            (false, Target::Unix(_)) => Channel::UnixSocket,
            (false, _) => Channel::Plain,
        })
    }

    async fn login(&mut self, argument: &str) -> Result<(), Failed> {
        let channel = self.channel()?;
        let mut login = Login::new(argument, &self.options, channel)?;
        let mut request = login.start()?;
        loop {
            let kind = request.kind;
            self.put(&request)?;
            let challenge = loop {
                let (last, event) = (self.owed() == 1, self.event(kind).await?);
                match event {
                    Event::AuthenticateContinue(challenge) if last => break challenge,
                    Event::AuthenticateOk(data) if last => return login.finish(&data),
                    Event::Error(error) if last || error.ends_connection() => {
                        if error.ends_connection() {
                            self.read_to_end().await;
                        }
                        return Err(Failed::server(error));
                    }
                    _ => {}
                }
            };
            request = login.answer(&challenge)?;
        }
    }
}

impl Asked {
    fn of(name: Name, request: &Request) -> Self {
        let set = match request.kind {
            ClientKind::CON_CAPABILITIES_SET => CapabilitiesSet::decode(&request.payload[..]).ok(),
            _ => None,
        };
        let tls = set.is_some_and(|set| set.capabilities.tls() == Some(true));
        let cursor = match request.kind {
            ClientKind::CURSOR_OPEN => {
                cursor::Open::decode(&request.payload[..]).map(|open| open.cursor_id).ok()
            }
            ClientKind::CURSOR_FETCH => {
                cursor::Fetch::decode(&request.payload[..]).map(|fetch| fetch.cursor_id).ok()
            }
            _ => None,
        };
        Self { name, kind: request.kind, tls, cursor }
    }
}

const fn is_statement(kind: ClientKind) -> bool {
    matches!(
        kind,
        ClientKind::SQL_STMT_EXECUTE
            | ClientKind::CRUD_FIND
            | ClientKind::CRUD_INSERT
            | ClientKind::CRUD_UPDATE
            | ClientKind::CRUD_DELETE
            | ClientKind::PREPARE_EXECUTE
            | ClientKind::CURSOR_OPEN
            | ClientKind::CURSOR_FETCH
    )
}

/// Whether this is the end of the stream, said or not.
fn is_end(error: &Error) -> bool {
    use porpoise::wire::Lost;
    match error {
        Error::Session(error) => matches!(
            error.kind(),
            XErrorKind::Goodbye(_) | XErrorKind::Fatal(_) | XErrorKind::Lost(Lost::Closed | Lost::Read(_))
        ),
        _ => false,
    }
}
