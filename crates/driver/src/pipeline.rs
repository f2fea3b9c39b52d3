//! Several commands in one write.

use std::fmt;
use std::ops::Range;

use porpoise_classic::Session;

use crate::{Client, Error, Results};

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
pub struct Pipeline<'a> {
    client: &'a mut Client,
    commands: Vec<Command>,
    /// Their texts and parameters.
    bytes: Vec<u8>,
}

enum Command {
    Ping,
    Query(Range<usize>),
    InitDb(Range<usize>),
}

impl fmt::Debug for Pipeline<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pipeline").field("commands", &self.commands.len()).finish_non_exhaustive()
    }
}

impl Client {
    /// Commands to be sent together. See [`Pipeline`].
    pub const fn pipeline(&mut self) -> Pipeline<'_> {
        Pipeline { client: self, commands: Vec::new(), bytes: Vec::new() }
    }
}

impl<'a> Pipeline<'a> {
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
    pub async fn send(self) -> Result<Replies<'a>, Error> {
        self.client.start().await?;
        let Self { client, commands, bytes } = self;
        let mut replies = Replies { client, commands, bytes, encoded: 0, given: 0 };
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
pub struct Replies<'a> {
    client: &'a mut Client,
    commands: Vec<Command>,
    bytes: Vec<u8>,
    /// Commands that were sent.
    encoded: usize,
    /// Replies that were given out.
    given: usize,
}

impl fmt::Debug for Replies<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replies")
            .field("commands", &self.commands.len())
            .field("given", &self.given)
            .finish_non_exhaustive()
    }
}

impl Replies<'_> {
    /// How many replies were not asked for yet.
    #[must_use]
    pub const fn left(&self) -> usize {
        self.commands.len() - self.given
    }

    fn encode_next(&mut self) -> Result<(), Error> {
        let Some(command) = self.commands.get(self.encoded) else { return Ok(()) };
        let bytes = |range: &Range<usize>| self.bytes.get(range.clone()).unwrap_or_default();
        self.client.encode(|session: &mut Session, cx| match command {
            Command::Ping => session.ping(cx),
            Command::Query(sql) => session.query(bytes(sql), cx),
            Command::InitDb(database) => session.init_db(bytes(database), cx),
        })?;
        self.encoded += 1;
        Ok(())
    }

    /// The reply to the next command; `None` when there are no more. What was not read of the reply before is skipped.
    ///
    /// Dropped: nothing is lost, and another call goes on where this one was. What was already read of the reply's beginning
    /// is: then the call after that gives the next reply.
    ///
    /// # Errors
    /// [`Error::Server`] if this command failed: the next call gives the reply to the one behind it.
    pub async fn next(&mut self) -> Result<Option<Results<'_>>, Error> {
        let left = self.encoded - self.given;
        while self.client.replies_owed() > left {
            self.client.next_event().await?;
        }
        if left == 0 {
            if self.encoded == self.commands.len() {
                return Ok(None);
            }
            self.client.start().await?;
            self.encode_next()?;
        }
        self.given += 1;
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
