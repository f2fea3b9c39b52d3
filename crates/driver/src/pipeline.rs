//! Several commands in one write.

use std::fmt;
use std::ops::Range;

use porpoise_value::Params;

use crate::exec::NO_ATTRIBUTES;
use crate::{Client, Error, Results, Statement};

/// Commands that are sent together, without waiting for each reply: one round trip for all of them.
///
/// ```no_run
/// # async fn f(client: &mut porpoise_driver::Client) -> Result<(), porpoise_driver::Error> {
/// let mut pipeline = client.pipeline();
/// pipeline.query("INSERT INTO dives (depth) VALUES (30)").query("SELECT LAST_INSERT_ID()");
/// let mut replies = pipeline.send().await?;
/// while let Some(mut results) = replies.next().await? {
///     while let Some(batch) = results.next_batch().await? {
///         println!("{batch:?}");
///     }
/// }
/// # Ok(())
/// # }
/// ```
///
/// # Errors in the middle
///
/// The server runs each command whatever became of those before it. Where that is not wanted, begin a transaction first, and
/// commit it when all replies are good.
///
/// # When pipelining is off
///
/// By [the options](crate::OptionsBuilder::pipelining), or since a proxy was found that cannot do with it: the same calls work,
/// and each command is sent when the reply to the one before was read. Commands whose replies nobody asks for are not sent
/// then.
pub struct Pipeline<'a, 'p> {
    client: &'a mut Client,
    commands: Vec<Command<'p>>,
    /// Their texts.
    bytes: Vec<u8>,
}

enum Command<'p> {
    Ping,
    Query(Range<usize>),
    InitDb(Range<usize>),
    Execute(Statement, Box<dyn Params + Send + 'p>),
    /// It was not sent.
    Failed(Error),
}

impl fmt::Debug for Pipeline<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pipeline").field("commands", &self.commands.len()).finish_non_exhaustive()
    }
}

impl Client {
    /// Commands to be sent together. See [`Pipeline`].
    pub const fn pipeline<'p>(&mut self) -> Pipeline<'_, 'p> {
        Pipeline { client: self, commands: Vec::new(), bytes: Vec::new() }
    }
}

impl<'a, 'p> Pipeline<'a, 'p> {
    fn keep(&mut self, bytes: &[u8]) -> Range<usize> {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        start..self.bytes.len()
    }

    /// Adds a statement, or several if `CLIENT_MULTI_STATEMENTS` was asked for.
    pub fn query(&mut self, sql: &str) -> &mut Self {
        let sql = self.keep(sql.as_bytes());
        self.commands.push(Command::Query(sql));
        self
    }

    /// Adds a `COM_PING`.
    pub fn ping(&mut self) -> &mut Self {
        self.commands.push(Command::Ping);
        self
    }

    /// Adds a `COM_INIT_DB`.
    pub fn init_db(&mut self, database: &str) -> &mut Self {
        let database = self.keep(database.as_bytes());
        self.commands.push(Command::InitDb(database));
        self
    }

    /// Adds an execution. Parameters that do not fit show when the command's reply is asked for; it is not sent then.
    pub fn exec(&mut self, statement: &Statement, params: impl Params + Send + 'p) -> &mut Self {
        self.commands.push(Command::Execute(statement.clone(), Box::new(params)));
        self
    }

    /// How many commands there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.commands.len()
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.commands.is_empty()
    }

    /// Sends all of them. They leave in one write, when the first reply is asked for.
    ///
    /// Dropped: clean.
    ///
    /// # Errors
    /// The connection is broken.
    pub async fn send(self) -> Result<Replies<'a, 'p>, Error> {
        self.client.start().await?;
        let Self { client, commands, bytes } = self;
        let mut replies = Replies { client, commands, bytes, encoded: 0, sent: 0, given: 0 };
        if replies.client.options().is_pipelining() {
            replies.client.set_pipelining(true);
            let encoded = (0..replies.commands.len()).try_for_each(|_| replies.encode_next());
            replies.client.set_pipelining(false);
            encoded?;
        }
        Ok(replies)
    }
}

/// The replies to a [`Pipeline`], in the order of its commands.
///
/// Dropped: what was sent is run, and drained.
pub struct Replies<'a, 'p> {
    client: &'a mut Client,
    commands: Vec<Command<'p>>,
    bytes: Vec<u8>,
    /// Commands that were sent, or could not be.
    encoded: usize,
    /// Replies that are owed to those that were sent, and were not given out.
    sent: usize,
    /// Replies that were given out, errors included.
    given: usize,
}

impl fmt::Debug for Replies<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replies")
            .field("commands", &self.commands.len())
            .field("given", &self.given)
            .finish_non_exhaustive()
    }
}

impl Replies<'_, '_> {
    /// How many replies were not asked for yet.
    #[must_use]
    pub const fn left(&self) -> usize {
        self.commands.len() - self.given
    }

    fn encode_next(&mut self) -> Result<(), Error> {
        let Self { client, commands, bytes, encoded, sent, .. } = self;
        let Some(command) = commands.get_mut(*encoded) else { return Ok(()) };
        let bytes = |range: &Range<usize>| bytes.get(range.clone()).unwrap_or_default();
        let result = match command {
            Command::Ping => client.encode(|session, cx| session.ping(cx)),
            Command::Query(sql) => client.encode(|session, cx| session.query(bytes(sql), cx)),
            Command::InitDb(database) => client.encode(|session, cx| session.init_db(bytes(database), cx)),
            Command::Execute(statement, params) => {
                client.encode_execute(statement, &**params, NO_ATTRIBUTES, false)
            }
            Command::Failed(_) => Ok(()),
        };
        match result {
            Ok(()) => *sent += 1,
            Err(error) if error.is_fatal() => return Err(error),
            Err(error) => *command = Command::Failed(error),
        }
        *encoded += 1;
        Ok(())
    }

    /// The reply to the next command; `None` when there are no more. What was not read of the reply before is skipped.
    ///
    /// Dropped: nothing is lost, and another call goes on where this one was. What was already read of the reply's beginning
    /// is: then the call after that gives the next reply.
    ///
    /// # Errors
    /// [`Error::Server`] if this command failed, [`Error::Params`] if it was not sent: the next call gives the reply to the one
    /// behind it.
    pub async fn next(&mut self) -> Result<Option<Results<'_>>, Error> {
        while self.client.replies_owed() > self.sent {
            self.client.next_event().await?;
        }
        if self.given == self.encoded {
            if self.encoded == self.commands.len() {
                return Ok(None);
            }
            self.client.start().await?;
            self.encode_next()?;
        }
        let command = self.commands.get(self.given);
        self.given += 1;
        if let Some(Command::Failed(error)) = command {
            return Err(error.clone());
        }
        self.sent -= 1;
        Results::start(self.client).await.map(Some)
    }

    /// Reads all replies that are left, and gives the first error.
    ///
    /// Dropped: drained.
    ///
    /// # Errors
    /// The first [`Error::Server`], after all were read; at once when the connection is broken.
    pub async fn finish(mut self) -> Result<(), Error> {
        let mut failed = Ok(());
        loop {
            let result = match self.next().await {
                Ok(Some(results)) => results.finish().await,
                Ok(None) => return failed,
                Err(error) => Err(error),
            };
            match result {
                Err(error) if error.is_fatal() => return Err(error),
                Err(error) if failed.is_ok() => failed = Err(error),
                _ => {}
            }
        }
    }
}
