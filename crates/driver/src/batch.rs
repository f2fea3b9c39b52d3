//! One statement, executed many times.

use porpoise_classic::Event;
use porpoise_value::Params;

use crate::exec::NO_ATTRIBUTES;
use crate::statement::{Style, Use};
use crate::{Client, Error, StatementRef};

/// So many bytes may wait to be written before more is encoded.
const WINDOW_BYTES: usize = 64 << 10;
/// So many replies may be owed before more is encoded. The server does not read on while its replies are not read, so it is
/// memory of both sides that this limits.
const WINDOW_REPLIES: usize = 1024;

/// What a batch of executions did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct BatchDone {
    /// How many executions there were.
    pub executions: u64,
    /// The rows that they affected, all together.
    pub affected_rows: u64,
    /// The first `AUTO_INCREMENT` value that the last of them made; 0 if none.
    pub last_insert_id: u64,
}

impl Client {
    /// Executes a statement once for each set of parameters, without waiting for each reply. Rows that come are thrown away.
    ///
    /// After an error no more executions are sent. Those that were on their way run, and nothing takes back those before: begin
    /// a transaction where all or nothing is wanted.
    ///
    /// Without [pipelining](crate::OptionsBuilder::pipelining) each execution waits for the reply to the one before.
    ///
    /// Dropped: drained; what was sent may or may not run.
    ///
    /// # Errors
    /// [`Error::Batch`] says which execution failed first, and why.
    pub async fn exec_batch<'s, P: Params>(
        &mut self,
        statement: impl Into<StatementRef<'s>>,
        batch: impl IntoIterator<Item = P>,
    ) -> Result<BatchDone, Error> {
        let mut batch = batch.into_iter().peekable();
        let Some(first) = batch.peek() else { return Ok(BatchDone::default()) };
        let style = Style::of(first);
        self.start().await?;
        let prepared;
        let statement = match statement.into() {
            StatementRef::Prepared(statement) => statement,
            StatementRef::Sql(sql) => {
                prepared = self.prepare_started(sql, style, Use::Plain).await?;
                &prepared
            }
        };
        let window = if self.options().is_pipelining() { WINDOW_REPLIES } else { 1 };
        self.set_pipelining(window > 1);
        let mut done = BatchDone::default();
        let (mut refused, mut unsendable) = (None, None);
        let mut over = false;
        loop {
            // Many at a time: one for each reply would be a write for each.
            let low = self.replies_owed() <= window / 2;
            while low && !over && self.replies_owed() < window && self.unsent() < WINDOW_BYTES {
                let Some(params) = batch.next() else {
                    over = true;
                    break;
                };
                if let Err(error) = self.encode_execute(statement, &params, NO_ATTRIBUTES, false) {
                    unsendable = Some((done.executions + self.replies_owed() as u64, error));
                    over = true;
                }
            }
            let owed = self.replies_owed();
            if owed == 0 {
                break;
            }
            match self.next_event().await? {
                Some(Event::Ok(ok)) => {
                    done.affected_rows += ok.affected_rows();
                    done.last_insert_id = ok.last_insert_id();
                }
                Some(Event::Err(err)) => {
                    over = true;
                    refused.get_or_insert((done.executions, Error::Server(err)));
                }
                Some(Event::InfileRefused(file)) => {
                    over = true;
                    refused.get_or_insert((done.executions, Error::InfileRefused(file)));
                }
                _ => {}
            }
            done.executions += owed.saturating_sub(self.replies_owed()) as u64;
        }
        self.set_pipelining(false);
        self.over();
        // What could not be sent comes behind all that was.
        let failed = refused.or(unsendable);
        failed.map_or(Ok(done), |(index, error)| Err(Error::Batch { index, error: Box::new(error) }))
    }
}
