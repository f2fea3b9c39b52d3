//! Many messages of one kind.

use std::future::poll_fn;

use porpoise_value::Params;
use porpoise_xproto::crud::Request;
use porpoise_xproto::{ClientMessage, Event};

use super::{Error, Outcome, Session, Statement};

/// So many bytes may wait to be written before more is encoded.
const WINDOW_BYTES: usize = 64 << 10;
/// So many replies may be owed before more is encoded. The server does not read on while its replies are not read, so it is
/// memory of both sides that this limits.
const WINDOW_REPLIES: usize = 1024;

/// What a batch of messages did.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct BatchDone {
    /// How many messages there were.
    pub messages: u64,
    /// The rows or documents that they changed, all together.
    pub affected: u64,
    /// What the last of them did, and all warnings and document ids.
    pub outcome: Outcome,
}

impl Session {
    /// Executes a prepared statement once for each set of parameters, without waiting for each reply. Rows that come are thrown
    /// away.
    ///
    /// After an error no more are sent. Those that were on their way run, and nothing takes back those before: begin a
    /// transaction where all or nothing is wanted.
    ///
    /// Dropped: drained; what was sent may or may not run.
    ///
    /// # Errors
    /// [`Error::Batch`] says which execution failed first, and why.
    pub async fn exec_batch<P: Params>(
        &mut self,
        statement: &Statement,
        batch: impl IntoIterator<Item = P>,
    ) -> Result<BatchDone, Error> {
        self.check_statement(statement)?;
        self.run_batch(batch.into_iter().map(|params| statement.execute(&params))).await
    }

    /// Carries out requests, however many there are, without waiting for each reply. Rows that come are thrown away.
    ///
    /// After an error no more are sent. Those that were on their way run.
    ///
    /// Dropped: drained; what was sent may or may not run.
    ///
    /// # Errors
    /// [`Error::Batch`] says which failed first, and why.
    pub async fn execute_batch<R: Request>(
        &mut self,
        batch: impl IntoIterator<Item = R>,
    ) -> Result<BatchDone, Error> {
        self.run_batch(batch.into_iter().map(|request| request.into_message().map_err(Error::from))).await
    }

    async fn run_batch<M: ClientMessage>(
        &mut self,
        batch: impl Iterator<Item = Result<M, Error>>,
    ) -> Result<BatchDone, Error> {
        let mut batch = batch.fuse();
        self.start().await?;
        let mut done = BatchDone::default();
        let (mut refused, mut unsendable) = (None, None);
        let mut over = false;
        loop {
            // Not one for each reply that comes: each would be a write of its own.
            let refill = self.replies_wanted() <= WINDOW_REPLIES / 2;
            while !over && refill && self.replies_wanted() < WINDOW_REPLIES && self.unsent() < WINDOW_BYTES {
                let Some(message) = batch.next() else {
                    over = true;
                    break;
                };
                let sent =
                    message.and_then(|message| self.encode(|connection, cx| connection.send(&message, cx)));
                if let Err(error) = sent {
                    unsendable = Some((done.messages + self.replies_wanted() as u64, error));
                    over = true;
                }
            }
            let owed = self.replies_wanted();
            if owed == 0 {
                break;
            }
            match poll_fn(|cx| self.poll_next(cx)).await? {
                Some(Event::Notice(notice)) => done.outcome.observe(notice),
                Some(Event::Error(error)) => {
                    over = true;
                    refused.get_or_insert_with(|| (done.messages, Error::of(error)));
                }
                _ => {}
            }
            let replies = owed.saturating_sub(self.replies_wanted()) as u64;
            if replies > 0 {
                done.messages += replies;
                done.affected += done.outcome.affected.take().unwrap_or_default();
            }
        }
        self.over();
        // What could not be sent comes behind all that was.
        let failed = refused.or(unsendable);
        failed.map_or(Ok(done), |(index, error)| Err(Error::Batch { index, error: Box::new(error) }))
    }
}
