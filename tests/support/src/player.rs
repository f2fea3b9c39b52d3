//! Runs a scenario on the machines alone: no driver, no runtime, one loop.

use std::sync::Arc;

use anyhow::{Context as _, Result, anyhow, bail};
use bytes::BytesMut;
use porpoise_auth::{AuthPath, Channel};
use porpoise_classic::{ClassicError, Columns, Event, ResultEnd, Session, StatusFlags};
use porpoise_classic_connect::{
    ChangeUser, ChangeUserEvent, ConnectError, ConnectEvent, ConnectOptions, ConnectOptionsBuilder,
    Connector, Transport,
};
use porpoise_trace::Record;
use porpoise_wire::{Cx, Lost, Machine, Step as Turn, TlsInfo};

use crate::statement::Statement;
use crate::{Outcome, Scenario, Step};

/// What carries a machine's bytes, in plaintext.
pub trait Wire {
    /// Connects.
    ///
    /// # Errors
    /// Nobody takes the connection.
    fn dial(&mut self) -> Result<(), Lost>;

    /// What a machine is lent: bytes received, and a place for those to send.
    fn buffers(&mut self) -> (&mut BytesMut, &mut BytesMut);

    /// Sends.
    ///
    /// # Errors
    /// The connection is gone.
    fn flush(&mut self) -> Result<(), Lost>;

    /// Sends, then receives something.
    ///
    /// # Errors
    /// The connection is gone, or the time is up.
    fn exchange(&mut self) -> Result<(), Lost>;

    /// Sends, then turns to TLS.
    ///
    /// # Errors
    /// The handshake failed.
    fn start_tls(&mut self) -> Result<TlsInfo, Lost>;

    /// The statement that this session is about to send is to be killed while it runs.
    ///
    /// # Errors
    /// Nobody can kill it.
    fn kill_query(&mut self, connection_id: u32) -> Result<()>;
}

/// Plays a scenario on a wire, and keeps what is told.
#[derive(Debug)]
pub struct Player<W> {
    wire: W,
    trace: Record,
    /// Every event that a machine gave, with rows taken out of their batches.
    told: Vec<String>,
    lines: Vec<String>,
    path: Option<AuthPath>,
    statement: Option<Statement>,
    /// Files are sent that a statement asks for.
    sends_files: bool,
}

/// The file of LOCAL INFILE: its name, and what it holds.
const FILE: (&[u8], &[u8]) = (b"ok.txt", b"1,a\n2,b\n");

/// What a session's command came to.
#[derive(Debug)]
enum Reply {
    Event(Event),
    Rows { columns: Columns, rows: usize, end: ResultEnd },
}

impl<W: Wire> Player<W> {
    /// Nothing is played yet.
    #[must_use]
    pub fn new(wire: W) -> Self {
        Self {
            wire,
            trace: Record::new(),
            told: Vec::new(),
            lines: Vec::new(),
            path: None,
            statement: None,
            sends_files: false,
        }
    }

    /// What carried the bytes.
    #[must_use]
    pub fn into_wire(self) -> W {
        self.wire
    }

    /// What was told: stages, events and results of steps.
    #[must_use]
    pub fn lines(&self) -> &[String] {
        &self.lines
    }

    /// Every event that a machine gave.
    #[must_use]
    pub fn told(&self) -> &[String] {
        &self.told
    }

    /// The way that the authentication took.
    #[must_use]
    pub const fn path(&self) -> Option<AuthPath> {
        self.path
    }

    /// Connects, does so many steps, and closes.
    ///
    /// # Errors
    /// A step cannot be done at all. What fails because the server says no is an [`Outcome`].
    pub fn play(&mut self, scenario: &Scenario, steps: usize, options: ConnectOptions) -> Result<()> {
        let options = Arc::new(options);
        self.sends_files = scenario.option("local_infile") == Some("1");
        let transport = if scenario.transport == "unix" { Transport::UnixSocket } else { Transport::Tcp };
        let mut connector = Connector::new(Arc::clone(&options), transport);
        let connected = self.connect(&mut connector);
        self.path = connector.auth_path();
        let channel = connector.channel();
        let mut session = match connected {
            Ok(session) => {
                let tls = matches!(channel, Channel::Tls { .. });
                self.tell(&Outcome::ok("connect").with("tls", tls));
                Some(session)
            }
            Err(error) => {
                self.tell(&Outcome::connect("connect", &error));
                None
            }
        };
        for step in scenario.steps.iter().take(steps) {
            let Some(open) = session.take() else { break };
            session = self.step(step, open, channel).with_context(|| format!("{step:?}"))?;
        }
        if let Some(mut session) = session {
            self.with_cx(|cx| session.quit(cx))?;
            self.reply(&mut session)?;
            self.with_cx(|cx| session.closed(cx));
        }
        self.tell_trace();
        Ok(())
    }

    fn connect(&mut self, connector: &mut Connector) -> Result<Box<Session>, ConnectError> {
        self.with_cx(|cx| connector.dial_pending(cx));
        if let Err(why) = self.wire.dial() {
            return Err(self.with_cx(|cx| connector.lost(why, cx)));
        }
        self.with_cx(|cx| connector.connected(cx));
        loop {
            match self.drive(connector)? {
                Some(ConnectEvent::Ready(session)) => return Ok(session),
                event => self.told.push(format!("{event:?}")),
            }
        }
    }

    fn with_cx<R>(&mut self, f: impl FnOnce(&mut Cx<'_, Record>) -> R) -> R {
        let (rx, tx) = self.wire.buffers();
        f(&mut Cx::new(rx, tx, &mut self.trace))
    }

    /// Runs a machine until it has an event, or owes nothing: `None`.
    fn drive<M: Machine>(&mut self, machine: &mut M) -> Result<Option<M::Event>, M::Error> {
        drive(&mut self.wire, machine, &mut self.trace)
    }

    /// What was told to the trace since, then what a step came to.
    fn tell(&mut self, outcome: &Outcome) {
        self.tell_trace();
        self.lines.push(outcome.to_string());
    }

    fn tell_trace(&mut self) {
        self.lines.extend(self.trace.take().iter().map(ToString::to_string));
    }

    /// Does a step. The session, unless that is over.
    fn step(&mut self, step: &Step, session: Box<Session>, channel: Channel) -> Result<Option<Box<Session>>> {
        if step.name == "change_user" {
            return self.change_user(&step.argument, session, channel);
        }
        let mut session = session;
        if let Some(outcome) = self.prepare_step(step)? {
            self.tell(&outcome);
            return Ok(Some(session));
        }
        self.send(step, &mut session)?;
        for number in 1.. {
            let reply = match self.reply(&mut session) {
                Ok(reply) => reply,
                Err(error) => {
                    let text = error.to_string();
                    self.tell(&Outcome::failed(&step.name, error.client_error(), "HY000", &text));
                    return Ok(None);
                }
            };
            let over = reply.is_none();
            if let Some(outcome) = self.outcome(step, number, reply, &mut session)? {
                self.tell(&outcome);
            }
            if over {
                break;
            }
        }
        Ok(Some(session))
    }

    /// A step that sends nothing.
    fn prepare_step(&mut self, step: &Step) -> Result<Option<Outcome>> {
        if !matches!(step.name.as_str(), "bind" | "cursor" | "free_result") {
            return Ok(None);
        }
        let statement = self.statement.as_mut().context("nothing is prepared")?;
        match step.name.as_str() {
            "bind" => statement.bind(&step.argument)?,
            "cursor" => statement.cursor = Some(step.argument.parse()?),
            _ => {}
        }
        Ok(Some(of_statement(&step.name, statement)))
    }

    /// Sends a step's command.
    fn send(&mut self, step: &Step, session: &mut Session) -> Result<()> {
        let argument = step.argument.as_str();
        let statement = self.statement.clone();
        let statement = move || statement.context("nothing is prepared");
        if step.name == "kill_query_mid" {
            self.wire.kill_query(session.connection_id())?;
        }
        let sends_files = self.sends_files;
        self.with_cx(|cx| -> Result<()> {
            session.allow_infile(sends_files);
            match step.name.as_str() {
                "query" | "use" | "kill_query_mid" => session.query(argument, cx)?,
                "qattr" => {
                    let (attribute, sql) = argument.split_once('|').context("name=value|SQL")?;
                    session.query_with(sql, &[attribute.split_once('=').context("name=value")?], cx)?;
                }
                "ping" => session.ping(cx)?,
                "statistics" => session.statistics(cx)?,
                "init_db" => session.init_db(argument, cx)?,
                "set_option" => session.set_option(argument == "0", cx)?,
                "reset" => session.reset_connection(cx)?,
                "debug" => session.debug(cx)?,
                "field_list" => session.field_list(argument, "", cx)?,
                "prepare" => session.stmt_prepare(argument, cx)?,
                "execute" => {
                    let statement = statement()?;
                    session.stmt_execute_with(&statement.execution(), cx)?;
                }
                "long_data" => {
                    let (param, data) = argument.split_once(':').context("param:text")?;
                    session.stmt_send_long_data(statement()?.id, param.parse()?, data.as_bytes(), cx)?;
                }
                "stmt_reset" => session.stmt_reset(statement()?.id, cx)?,
                "stmt_close" => session.stmt_close(statement()?.id, cx)?,
                name => bail!("no session sends {name}"),
            }
            Ok(())
        })
    }

    /// What the server says next in reply to a command; `None` when it has said all.
    fn reply(&mut self, session: &mut Session) -> Result<Option<Reply>, ClassicError> {
        let (mut columns, mut rows) = (Columns::default(), 0);
        while let Some(event) = self.drive(session)? {
            if let Event::Rows(batch) = event {
                rows += batch.len();
                self.told.extend(batch.iter().map(|row| format!("{:?}", row.iter().collect::<Vec<_>>())));
                continue;
            }
            self.told.push(format!("{event:?}"));
            match event {
                Event::LocalInfile(name) => self.with_cx(|cx| {
                    assert_eq!(*name, *FILE.0, "another file");
                    let sent = session.send_file(FILE.1, cx).and_then(|()| session.end_file(cx));
                    assert_eq!(sent, Ok(()), "the file was asked for");
                }),
                Event::Columns(defined) => columns = defined,
                Event::End(end) => return Ok(Some(Reply::Rows { columns, rows, end })),
                event => return Ok(Some(Reply::Event(event))),
            }
        }
        Ok(None)
    }

    /// What a reply, the `number`th to a step's command, makes of the step.
    fn outcome(
        &mut self,
        step: &Step,
        number: usize,
        reply: Option<Reply>,
        session: &mut Session,
    ) -> Result<Option<Outcome>> {
        let name = step.name.as_str();
        let is_query = matches!(name, "query" | "use" | "kill_query_mid" | "qattr");
        Ok(Some(match reply {
            Some(Reply::Event(Event::Err(err))) => Outcome::refused(name, &err),
            Some(Reply::Event(Event::InfileRefused(refused))) => {
                Outcome::failed(name, refused.client_error(), "HY000", &refused.to_string())
            }
            Some(Reply::Event(Event::Ok(ok))) if is_query => Outcome::without_rows(name, number, &ok),
            Some(Reply::Rows { columns, rows, end }) if is_query => {
                Outcome::rows(name, number, columns.len(), rows, &end)
            }
            Some(Reply::Event(Event::Prepared(prepared))) => {
                of_statement(name, self.statement.insert(Statement::new(&prepared)))
            }
            Some(Reply::Rows { columns, rows, .. }) if name == "execute" => {
                let statement = self.statement.as_mut().context("nothing is prepared")?;
                statement.columns = columns;
                of_statement(name, statement).with("rows", rows + self.fetch_all(session)?)
            }
            Some(Reply::Rows { columns, .. }) => Outcome::ok(name).with("columns", columns.len()),
            Some(Reply::Event(_)) => self.done(name),
            // No reply was owed.
            None if number == 1 => self.done(name),
            None => return Ok(None),
        }))
    }

    /// A step succeeded that has no more to say.
    fn done(&self, step: &str) -> Outcome {
        match &self.statement {
            Some(statement) if matches!(step, "execute" | "long_data" | "stmt_reset") => {
                of_statement(step, statement)
            }
            _ => Outcome::ok(step),
        }
    }

    /// Fetches all rows of the statement's cursor, if it has one.
    fn fetch_all(&mut self, session: &mut Session) -> Result<usize> {
        let statement = self.statement.clone().context("nothing is prepared")?;
        let Some(rows) = statement.cursor else { return Ok(0) };
        let mut sum = 0;
        loop {
            self.with_cx(|cx| session.stmt_fetch(statement.id, rows, &statement.columns, cx))?;
            while let Some(reply) = self.reply(session)? {
                let Reply::Rows { rows, end, .. } = reply else { bail!("no rows: {reply:?}") };
                sum += rows;
                if end.status().contains(StatusFlags::SERVER_STATUS_LAST_ROW_SENT) {
                    return Ok(sum);
                }
            }
        }
    }

    /// `user:password:database`
    fn change_user(
        &mut self,
        argument: &str,
        session: Box<Session>,
        channel: Channel,
    ) -> Result<Option<Box<Session>>> {
        let options = Arc::new(changed_user(argument)?.build()?);
        let machine = ChangeUser::new(session, options, channel);
        let mut machine = machine.map_err(|_| anyhow!("the session is in the middle of a command"))?;
        match self.drive(&mut machine) {
            Ok(Some(ChangeUserEvent::Ready(session))) => {
                self.tell(&Outcome::ok("change_user"));
                Ok(Some(session))
            }
            Ok(event) => bail!("{event:?}"),
            Err(error) => {
                self.tell(&Outcome::connect("change_user", &error));
                Ok(None)
            }
        }
    }
}

/// Runs a machine over a wire until it has an event, or owes nothing: `None`.
pub(crate) fn drive<M: Machine, W: Wire + ?Sized>(
    wire: &mut W,
    machine: &mut M,
    trace: &mut Record,
) -> Result<Option<M::Event>, M::Error> {
    loop {
        let (rx, tx) = wire.buffers();
        let done = match machine.advance(&mut Cx::new(rx, tx, trace))? {
            Turn::Event(event) => return Ok(Some(event)),
            Turn::NeedRead { .. } => wire.exchange().map(|()| None),
            Turn::StartTls => wire.start_tls().map(Some),
            Turn::Idle => match wire.flush() {
                Ok(()) => return Ok(None),
                Err(why) => Err(why),
            },
            _ => wire.flush().map(|()| None),
        };
        let (rx, tx) = wire.buffers();
        let mut cx = Cx::new(rx, tx, trace);
        match done {
            Ok(None) => {}
            Ok(Some(info)) => machine.tls_ready(&info, &mut cx),
            Err(why) => return Err(machine.lost(why, &mut cx)),
        }
    }
}

/// The options of a `change_user` step: `user:password:database`.
///
/// # Errors
/// It has not these three parts.
pub fn changed_user(argument: &str) -> Result<ConnectOptionsBuilder> {
    let parts: Vec<_> = argument.split(':').collect();
    let [user, password, database] = parts[..] else { bail!("not user:password:database: {argument}") };
    let builder = ConnectOptions::builder().clear_attributes().attribute("_client_name", "porpoise");
    Ok(builder.user(user).password(password).database(database))
}

fn of_statement(step: &str, statement: &Statement) -> Outcome {
    Outcome::ok(step).with("params", statement.params).with("columns", statement.columns.len())
}
