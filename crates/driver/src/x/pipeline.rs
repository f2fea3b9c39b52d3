//! Several messages in one write, and blocks of expectations around them.

use std::fmt;
use std::future::poll_fn;
use std::ops::Range;

use bytes::BytesMut;
use porpoise_value::Params;
use porpoise_xproto::crud::{Expect, Request};
use porpoise_xproto::messages::expect::open::{Condition, CtxOperation};
use porpoise_xproto::messages::expect::{self, Open};
use porpoise_xproto::{ClientKind, ClientMessage, Misuse};

use super::ask::{Ask, Read, Said};
use super::sql::statement;
use super::{Error, Results, Session, Statement};
use crate::Usage;

/// Messages that are sent together, without waiting for each reply: one round trip for all of them.
///
/// ```no_run
/// # async fn f(session: &mut porpoise_driver::x::Session) -> Result<(), porpoise_driver::x::Error> {
/// use porpoise_driver::x::crud::{Expect, Find, Insert};
///
/// let mut pipeline = session.pipeline();
/// let insert = pipeline.expect(Expect::new().no_error(), |block| {
///     block.sql("SET @depth = 30", ())?;
///     block.ask(Insert::collection("sea", "dives").document(r#"{"depth": 30}"#))
/// })?;
/// pipeline.request(Find::collection("sea", "dives"))?;
/// let mut replies = pipeline.send().await?;
/// println!("{:?}", replies.answer(insert).await?.document_ids);
/// while let Some(mut results) = replies.next().await? {
///     println!("{:?}", results.all::<String>().await?);
/// }
/// # Ok(())
/// # }
/// ```
///
/// # Errors in the middle
///
/// The server carries out each message whatever became of those before it, unless a [block](Self::expect) around them says
/// otherwise. A message that was not carried out because its block had failed gives [`Error::Expectation`]; one that failed by
/// itself [`Error::Server`].
///
/// # Memory
///
/// Messages are encoded as they are added, and leave in one write (compressed, if compression is on and they are large enough).
/// Their replies are read while they are written, and only as far as they are asked for.
#[must_use = "nothing is sent before `send`"]
pub struct Pipeline<'a> {
    session: &'a mut Session,
    plan: Plan,
}

/// What is to be sent.
#[derive(Default)]
struct Plan {
    payloads: BytesMut,
    steps: Vec<Step>,
    /// Replies that the caller gets.
    replies: usize,
    /// Conditions that this side does not know, of which the server must not first hear in front of what they guard.
    doubtful: Vec<Condition>,
}

#[derive(Clone)]
struct Step {
    kind: ClientKind,
    payload: Range<usize>,
}

/// Takes the answer to one message out of the [`Replies`].
#[derive(Debug)]
#[must_use = "the answer is in the replies"]
pub struct Ticket<R> {
    index: usize,
    reader: R,
}

impl fmt::Debug for Pipeline<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pipeline").field("messages", &self.plan.replies).finish_non_exhaustive()
    }
}

impl Session {
    /// Messages to be sent together. See [`Pipeline`].
    pub fn pipeline(&mut self) -> Pipeline<'_> {
        Pipeline { session: self, plan: Plan::default() }
    }
}

impl<'a> Pipeline<'a> {
    /// Adds a message. What does not fit into one is refused now, and nothing is added.
    fn add<M: ClientMessage>(&mut self, message: &M) -> Result<usize, Error> {
        let (size, limit) = (message.encoded_len() + 1, self.session.options.connect.limits.max_packet);
        if size > limit {
            return Err(Error::Misuse(Misuse::too_large(size, limit)));
        }
        let start = self.plan.payloads.len();
        message.encode_raw(&mut self.plan.payloads);
        let payload = start..self.plan.payloads.len();
        self.plan.steps.push(Step { kind: M::KIND, payload });
        Ok(self.plan.replies)
    }

    fn add_counted<M: ClientMessage>(&mut self, message: &M) -> Result<usize, Error> {
        let index = self.add(message)?;
        self.plan.replies += 1;
        Ok(index)
    }

    /// Adds a statement, with arguments as of [`Sql::args`](super::Sql::args).
    ///
    /// # Errors
    /// [`Error::Params`] when they do not fit.
    pub fn sql(&mut self, sql: &str, args: impl Params) -> Result<&mut Self, Error> {
        let message = statement(sql, &args, false)?;
        self.add_counted(&message)?;
        Ok(self)
    }

    /// Adds a request.
    ///
    /// # Errors
    /// [`Error::Crud`] when it was not built well.
    pub fn request(&mut self, request: impl Request) -> Result<&mut Self, Error> {
        let message = request.into_message()?;
        self.add_counted(&message)?;
        Ok(self)
    }

    /// Adds a request whose answer is [taken](Replies::answer) by its ticket.
    ///
    /// # Errors
    /// [`Error::Crud`] when it was not built well.
    pub fn ask<A: Ask>(&mut self, ask: A) -> Result<Ticket<A::Reader>, Error> {
        let reader = ask.reader();
        let message = ask.into_message()?;
        Ok(Ticket { index: self.add_counted(&message)?, reader })
    }

    /// Adds an execution of a prepared statement.
    ///
    /// # Errors
    /// [`Error::Params`] when the parameters do not fit; [`Usage::ForeignStatement`].
    pub fn exec(&mut self, statement: &Statement, params: impl Params) -> Result<&mut Self, Error> {
        self.session.check_statement(statement)?;
        let execute = statement.execute(&params)?;
        self.add_counted(&execute)?;
        Ok(self)
    }

    /// Adds what prepares a statement, which what is added behind it can execute. Its reply has no results.
    ///
    /// # Errors
    /// None but [`Error::Misuse`] for a text that is too large.
    pub fn prepare(&mut self, sql: &str) -> Result<Statement, Error> {
        let (statement, message) = self.session.new_statement(sql);
        self.add_counted(&message)?;
        Ok(statement)
    }

    /// A block of expectations around the messages that `block` adds. It is always closed, and blocks may stand in blocks.
    ///
    /// With [`no_error`](Expect::no_error), after the first message that fails none of the block is carried out any more, nor, if
    /// the block around it expects the same, of that.
    ///
    /// Conditions that have no name here are tried out before anything is sent, in a flight of their own: with one that the
    /// server does not know, it would open no block, and carry out what should be guarded.
    ///
    /// # Errors
    /// Those of `block`; the block is closed all the same.
    pub fn expect<R>(
        &mut self,
        expect: Expect,
        block: impl FnOnce(&mut Self) -> Result<R, Error>,
    ) -> Result<R, Error> {
        let open = expect.build();
        self.plan.doubtful.extend(open.cond.iter().filter(|condition| !is_known(condition)).cloned());
        self.add(&open)?;
        let added = block(self);
        self.add(&expect::Close {})?;
        added
    }

    /// How many messages there are; blocks do not count.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.plan.replies
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.plan.replies == 0
    }

    /// Sends all of them. They leave in one write, when the first reply is asked for.
    ///
    /// Dropped: clean.
    ///
    /// # Errors
    /// The connection is broken; [`Error::Server`] with 5160 or 5161 for a condition that the server does not know, in which case
    /// none of the messages was sent.
    pub async fn send(self) -> Result<Replies<'a>, Error> {
        let Self { session, plan } = self;
        session.start().await?;
        if !plan.doubtful.is_empty() {
            session.try_conditions(plan.doubtful).await?;
        }
        session.encode(|connection, cx| {
            plan.steps.iter().try_for_each(|step| {
                let payload = plan.payloads.get(step.payload.clone()).unwrap_or_default();
                connection.send_encoded(step.kind, payload, cx)
            })
        })?;
        let kinds: Vec<_> = plan.steps.iter().map(|step| step.kind).collect();
        Ok(Replies { session, kinds: kinds.into_iter(), given: 0, left: plan.replies })
    }
}

/// Whether the server surely opens a block with it.
fn is_known(condition: &Condition) -> bool {
    use expect::open::condition::Key;
    let value = condition.condition_value.as_deref().unwrap_or_default();
    match i32::try_from(condition.condition_key).ok().and_then(|key| Key::try_from(key).ok()) {
        Some(Key::ExpectNoError) => matches!(value, b"" | b"0" | b"1"),
        Some(Key::ExpectFieldExist | Key::ExpectDocidGenerated) => true,
        _ => false,
    }
}

impl Session {
    /// Opens a block with these conditions, and closes it again.
    async fn try_conditions(&mut self, cond: Vec<Condition>) -> Result<(), Error> {
        let open = Open { op: Some(CtxOperation::ExpectCtxEmpty.into()), cond };
        self.encode(|connection, cx| {
            connection.send(&open, cx)?;
            connection.send(&expect::Close {}, cx)
        })?;
        let opened = self.finish_message().await;
        // Where no block was opened there is none to be closed, and the server says so.
        let closed = self.finish_message().await;
        match (opened, closed) {
            (Err(Error::Server(error)), _) => Err(Error::Server(error)),
            (Err(error), _) | (_, Err(error)) if error.is_fatal() => Err(error),
            _ => Ok(()),
        }
    }
}

/// The replies to a [`Pipeline`], in the order of its messages.
///
/// Dropped: what was sent is run, and drained.
pub struct Replies<'a> {
    session: &'a mut Session,
    /// Of messages whose replies were not begun.
    kinds: std::vec::IntoIter<ClientKind>,
    given: usize,
    left: usize,
}

impl fmt::Debug for Replies<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replies")
            .field("given", &self.given)
            .field("left", &self.left)
            .finish_non_exhaustive()
    }
}

impl Replies<'_> {
    /// How many replies were not asked for yet.
    #[must_use]
    pub const fn left(&self) -> usize {
        self.left
    }

    /// The reply to the next message; `None` when there are no more. What was not read of the reply before is skipped.
    ///
    /// Dropped: nothing is lost, and another call goes on where this one was. What was already read of the reply's beginning
    /// is: then the call after that gives the next reply.
    ///
    /// # Errors
    /// [`Error::Server`] if this message failed, [`Error::Expectation`] if its block had failed before: the next call gives the
    /// reply to the one behind it.
    pub async fn next(&mut self) -> Result<Option<Results<'_>>, Error> {
        loop {
            // What is left of the one before.
            while self.session.replies_wanted() > self.kinds.len() {
                poll_fn(|cx| self.session.poll_next(cx)).await?;
            }
            if self.session.replies_owed() == 0 && self.kinds.len() > 0 {
                // They came too late for their deadline, and were thrown away; or none will come any more.
                (self.kinds, self.left) = (Vec::new().into_iter(), 0);
                self.session.start().await?;
            }
            match self.kinds.next() {
                None => {
                    self.session.over();
                    return Ok(None);
                }
                // Of a block only what becomes of its messages matters, and each of those has its own reply.
                Some(ClientKind::EXPECT_OPEN | ClientKind::EXPECT_CLOSE) => {}
                Some(_) => {
                    self.given += 1;
                    self.left -= 1;
                    return Results::start(self.session).await.map(Some);
                }
            }
        }
    }

    /// The answer to the message of a ticket. Replies before it are skipped.
    ///
    /// Dropped: as [`next`](Self::next); the answer is lost.
    ///
    /// # Errors
    /// As [`next`](Self::next); [`Error::Row`]; [`Usage::ReplyGone`] when that reply was given before, or skipped.
    pub async fn answer<R: Read>(&mut self, ticket: Ticket<R>) -> Result<R::Output, Error> {
        if ticket.index < self.given {
            return Err(Error::Usage(Usage::ReplyGone));
        }
        while self.given < ticket.index {
            match self.next().await {
                Err(error) if error.is_fatal() => return Err(error),
                _ => {}
            }
        }
        let Some(mut results) = self.next().await? else { return Err(Error::Usage(Usage::ReplyGone)) };
        let mut rows = Vec::new();
        while let Some(batch) = results.next_batch().await? {
            rows.push(batch);
        }
        let outcome = results.finish().await?;
        ticket.reader.read(Said { rows, outcome })
    }

    /// Reads all replies that are left, and gives the first error.
    ///
    /// Dropped: drained.
    ///
    /// # Errors
    /// The first [`Error::Server`] or [`Error::Expectation`], after all were read; at once when the connection is broken.
    pub async fn finish(mut self) -> Result<(), Error> {
        let mut failed = Ok(());
        loop {
            let result = match self.next().await {
                Ok(Some(results)) => results.finish().await.map(|_| ()),
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
