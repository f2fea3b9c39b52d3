//! Runs commands, one after the other.

use std::sync::Arc;

use porpoise::classic::{ClientError, Collation};
use porpoise::classic_connect::ConnectOptions;
use porpoise::{Client, Options, OptionsBuilder};

use super::handle::{Handle, misuse};
use super::kill::{self, Victim};
use super::outcome::{Facts, Failed, Outcome};
use super::statement::{Reading, Statement};
use super::step::{Name, Step};
use crate::exit::Exit;

pub(super) struct Shell {
    pub(super) handle: Handle,
    /// The current statement, the last one.
    statements: Vec<Statement>,
    /// What the URL and the flags say, for change_user.
    builder: OptionsBuilder,
}

impl Shell {
    pub(super) fn new(handle: Handle, builder: OptionsBuilder) -> Self {
        Self { handle, statements: Vec::new(), builder }
    }

    /// Runs one command, tells its outcome, and gives its exit code.
    pub(super) async fn run(&mut self, step: &Step) -> Exit {
        let outcome = self.outcome(step).await;
        if self.handle.client().is_none() {
            self.detach(Failed::lost);
        }
        self.handle.output.outcome(&outcome);
        outcome.exit()
    }

    async fn outcome(&mut self, step: &Step) -> Outcome {
        let (word, argument) = (step.name.word(), &*step.argument);
        let handle = &mut self.handle;
        let result = match step.name {
            Name::Query => return handle.query(word, argument, true).await,
            Name::Use => return handle.query(word, argument, false).await,
            Name::Qattr => return self.qattr(argument).await,
            Name::Ping => handle.simple(|session, cx| session.ping(cx)).await,
            Name::Statistics => handle.simple(|session, cx| session.statistics(cx)).await,
            Name::InitDb => handle.simple(|session, cx| session.init_db(argument, cx)).await,
            Name::SetOption => match argument.trim() {
                "0" | "1" => {
                    let on = argument.trim() == "0";
                    handle.simple(|session, cx| session.set_option(on, cx)).await
                }
                _ => Err(usage("0 turns several statements in one query on, 1 off")),
            },
            Name::Reset => self.reset().await,
            Name::ChangeUser => self.change_user(argument).await,
            Name::Autocommit => match argument.trim() {
                mode @ ("0" | "1") => self.plain(&format!("set autocommit={mode}")).await,
                _ => Err(usage("autocommit takes 0 or 1")),
            },
            Name::Commit => self.plain("commit").await,
            Name::Rollback => self.plain("rollback").await,
            Name::Charset => return self.charset(argument.trim()).await,
            Name::FieldList => handle.simple(|session, cx| session.field_list(argument, "", cx)).await,
            Name::Debug => handle.simple(|session, cx| session.debug(cx)).await,
            Name::BinlogDump => self.handle.binlog_dump(argument.trim()).await,
            Name::KillQueryMid => return self.kill_mid(word, argument, Victim::Query).await,
            Name::KillMid => return self.kill_mid(word, argument, Victim::Connection).await,
            Name::KillIdle => self.kill_idle().await,
            Name::Prepare
            | Name::Bind
            | Name::LongData
            | Name::Cursor
            | Name::Execute
            | Name::Fetch
            | Name::FreeResult
            | Name::StmtNext
            | Name::StmtReset
            | Name::StmtClose
            | Name::StmtNew => return self.statement(step.name, argument).await,
        };
        Outcome::of(word, result)
    }

    /// A command of a statement, which is made if there is none yet.
    async fn statement(&mut self, name: Name, argument: &str) -> Outcome {
        if name == Name::StmtNew {
            self.statements.push(Statement::new());
        }
        let mut statement = self.statements.pop().unwrap_or_else(Statement::new);
        let handle = &mut self.handle;
        let outcome = match name {
            Name::StmtClose => {
                let done = statement.close(handle).await;
                return Outcome {
                    has_sqlstate: false,
                    ..Outcome::of(name.word(), done.map(|()| Facts::default()))
                };
            }
            Name::Execute => {
                let reading = match argument.trim() {
                    "one" => Reading::One,
                    "store" => Reading::Store,
                    _ => Reading::All,
                };
                statement.execute(handle, reading).await
            }
            Name::Fetch => statement.more(handle, argument.trim().parse().unwrap_or(1)).await,
            Name::StmtNext => statement.next_result(handle).await,
            _ => {
                let done = match name {
                    Name::Prepare => statement.prepare(handle, argument).await,
                    Name::Bind => statement.bind(argument),
                    Name::LongData => statement.long_data(handle, argument).await,
                    Name::FreeResult => statement.free_result(handle).await,
                    Name::StmtReset => statement.reset(handle).await,
                    Name::Cursor => match argument.trim().parse() {
                        Ok(rows) => {
                            statement.set_cursor(rows);
                            Ok(())
                        }
                        Err(_) => Err(usage("cursor takes the number of rows a fetch")),
                    },
                    _ => Ok(()),
                };
                statement.done(name, done)
            }
        };
        self.statements.push(statement);
        outcome
    }

    /// The connection gives its statements up.
    fn detach(&mut self, error: impl Fn() -> Failed) {
        for statement in &mut self.statements {
            statement.detach(error());
        }
    }

    /// A COM_QUERY that another call of MySQL's own library makes.
    async fn plain(&mut self, sql: &str) -> Result<Facts, Failed> {
        self.handle.simple(|session, cx| session.query(sql, cx)).await
    }

    async fn qattr(&mut self, argument: &str) -> Outcome {
        let word = Name::Qattr.word();
        let parts =
            argument.split_once('|').and_then(|(attribute, sql)| Some((attribute.split_once('=')?, sql)));
        let Some(((name, value), sql)) = parts else {
            return Outcome::of(word, Err(usage("qattr takes NAME=VALUE|SQL")));
        };
        let attributes = [(name, value)];
        let sent = self.handle.send(|session, cx| misuse(session.query_with(sql, &attributes, cx))).await;
        self.handle.results(word, sent, true).await
    }

    async fn reset(&mut self) -> Result<Facts, Failed> {
        let facts = self.handle.simple(|session, cx| session.reset_connection(cx)).await?;
        self.closed_indirectly("reset");
        Ok(facts)
    }

    fn closed_indirectly(&mut self, by: &str) {
        let message = format!("the statement was closed by the {by} before");
        self.detach(|| Failed::client(ClientError::CR_STMT_CLOSED, message.clone()));
    }

    async fn change_user(&mut self, argument: &str) -> Result<Facts, Failed> {
        self.handle.ready()?;
        let options = self.login(argument)?;
        let Some(client) = self.handle.lend_client() else { return Err(Failed::lost()) };
        let changed = client.change_user(options).await;
        self.handle.changed(changed.as_ref().err());
        self.closed_indirectly("change_user");
        changed.map(|()| Facts::default()).map_err(|error| Failed::from(&error))
    }

    fn login(&self, argument: &str) -> Result<Arc<ConnectOptions>, Failed> {
        let mut parts = argument.splitn(3, ':');
        let (user, password) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let database = parts.next().unwrap_or_default();
        let builder =
            self.builder.clone().user(user).password(password.as_bytes().to_vec()).database(database);
        let options: Options = builder.build().map_err(|error| usage(&error.to_string()))?;
        Ok(Arc::clone(options.connect()))
    }

    async fn charset(&mut self, name: &str) -> Outcome {
        let word = Name::Charset.word();
        if Collation::default_of(name).is_none() {
            let errno = ClientError::CR_CANT_READ_CHARSET;
            self.handle.tell(errno);
            return Outcome::of(
                word,
                Err(Failed::client(errno, format!("no character set is known as {name:?}"))),
            );
        }
        // Without a connection it is kept for the next one, which is no error; that of the connection is still there.
        let lost = self.handle.client().is_none();
        let set = self.plain(&format!("SET NAMES {name}")).await;
        let outcome = Outcome::of(word, set);
        Outcome { rc: outcome.rc && !lost, ..outcome }
    }

    fn killer(&self, victim: Victim) -> Option<std::thread::JoinHandle<Result<(), porpoise::Error>>> {
        let id = self.handle.client().map(Client::connection_id)?;
        Some(kill::spawn(Arc::clone(&self.handle.options), id, victim))
    }

    async fn kill_mid(&mut self, word: &'static str, sql: &str, victim: Victim) -> Outcome {
        if let Err(failed) = self.handle.ready() {
            return Outcome::of(word, Err(failed));
        }
        let killer = self.killer(victim);
        let outcome = self.handle.query(word, sql, true).await;
        match killed(killer) {
            Ok(()) => outcome,
            Err(failed) => Outcome::of(word, Err(failed)),
        }
    }

    async fn kill_idle(&self) -> Result<Facts, Failed> {
        if self.handle.client().is_none() {
            return Err(Failed::lost());
        }
        killed(self.killer(Victim::Idle)).map(|()| Facts::default())
    }
}

/// What the other connection came to.
fn killed(killer: Option<std::thread::JoinHandle<Result<(), porpoise::Error>>>) -> Result<(), Failed> {
    match killer.map(std::thread::JoinHandle::join) {
        Some(Ok(Err(error))) => Err(Failed::from(&error)),
        _ => Ok(()),
    }
}

fn usage(message: &str) -> Failed {
    Failed { exit: Exit::Usage, ..Failed::client(ClientError::CR_UNKNOWN_ERROR, message) }
}
