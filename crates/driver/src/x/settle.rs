//! Between two operations: what an earlier one left is read, and what it owes is done.

use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::Bytes;
use porpoise_xproto::messages::{cursor, prepare, sql};
use porpoise_xproto::{Connection, Event};

use super::care::Chore;
use super::session::Phase;
use super::{Error, Session};
use crate::care::Drain;
use crate::fence::{Killer, Quiet};
use crate::watch::{Watch, Watched};
use crate::{BoxFuture, Operation};

impl Session {
    /// Makes the session ready for an operation: reads what an earlier one left, and does what it still owes.
    #[inline]
    pub(super) fn poll_start(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        match &self.phase {
            Phase::Ready(connection) if connection.replies_owed() == 0 && self.care.is_none() => {
                Poll::Ready(Ok(()))
            }
            _ => self.poll_settle(cx),
        }
    }

    /// [`poll_start`](Self::poll_start), awaited.
    #[inline]
    pub(super) async fn start(&mut self) -> Result<(), Error> {
        std::future::poll_fn(|cx| self.poll_start(cx)).await
    }

    /// Brings the session into a state in which nothing is owed by either side. All progress is in the session.
    fn poll_settle(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        loop {
            if matches!(self.phase, Phase::Closed(_)) {
                return Poll::Ready(Err(self.unusable()));
            }
            if let Some(care) = &mut self.care {
                // A cancel that a clock has begun goes on without it.
                care.watch = None;
            }
            if self.replies_owed() > 0 {
                ready!(self.poll_drain(cx))?;
            }
            self.unwanted = 0;
            let Some(care) = &mut self.care else { return Poll::Ready(Ok(())) };
            (care.chore, care.resetting) = (None, false);
            if let Some(fence) = care.fence.clone() {
                match fence.poll_quiet(cx) {
                    Poll::Ready(Quiet::Yes) => {}
                    Poll::Ready(Quiet::Absorb) => care.owed.push_front(Chore::Absorb),
                    Poll::Ready(Quiet::Lost) => return Poll::Ready(Err(self.give_up(Operation::CancelLost))),
                    Poll::Pending => {
                        ready!(self.poll_patience(cx));
                        return Poll::Ready(Err(self.give_up(Operation::CancelLost)));
                    }
                }
            }
            match self.care.as_mut().and_then(|care| care.owed.pop_front()) {
                Some(chore) => self.begin_chore(chore)?,
                None => break,
            }
        }
        self.write_closes()?;
        if let Some(care) = &mut self.care {
            care.begin();
        }
        Poll::Ready(Ok(()))
    }

    fn give_up(&mut self, why: Operation) -> Error {
        self.end(why);
        self.unusable()
    }

    fn begin_chore(&mut self, chore: Chore) -> Result<(), Error> {
        let sql = match chore {
            // Shows whether a KILL QUERY came that found nothing to end: statements are refused then.
            Chore::Absorb => Bytes::from_static(b"DO SLEEP(0)"),
            Chore::Rollback => Bytes::from_static(b"ROLLBACK"),
            Chore::RollbackTo(number) => format!("ROLLBACK TO SAVEPOINT porpoise_{number}").into(),
        };
        let message = sql::StmtExecute { stmt: sql, ..Default::default() };
        self.encode(|connection, cx| connection.send(&message, cx))?;
        if let Some(care) = &mut self.care {
            care.chore = Some(chore);
        }
        Ok(())
    }

    /// Closes what nobody uses any more, in the same write as the next message. Nobody waits for the replies.
    fn write_closes(&mut self) -> Result<(), Error> {
        let Some(care) = &mut self.care else { return Ok(()) };
        let cursors = std::mem::take(&mut care.cursors);
        let closes = care.closes.clone();
        for cursor_id in cursors {
            self.encode_unwanted(|connection, cx| connection.send(&cursor::Close { cursor_id }, cx))?;
        }
        while let Some(stmt_id) = closes.as_ref().and_then(|closes| closes.take()) {
            self.encode_unwanted(|connection, cx| connection.send(&prepare::Deallocate { stmt_id }, cx))?;
        }
        Ok(())
    }

    /// Ready when a dropped call's reply has had its time.
    fn poll_patience(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let time = self.options.endpoint.session.drain_time;
        let from = self.received();
        let care = self.care.get_or_insert_default();
        let drain = care.drain.get_or_insert_with(|| Drain {
            from,
            until: time.and_then(|time| Instant::now().checked_add(time)),
        });
        match drain.until {
            Some(until) => care.poll_until(until, self.runtime, cx),
            None => Poll::Pending,
        }
    }

    /// Bytes received so far, and those that compressed ones became: a little can become very much.
    fn received(&self) -> u64 {
        self.io.pipe.bytes_in() + self.connection().map_or(0, Connection::inflated)
    }

    /// Reads what a dropped call left behind, within a budget.
    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let now = self.received();
        let from = self.care.as_ref().and_then(|care| care.drain).map_or(now, |drain| drain.from);
        while self.replies_owed() > 0 {
            if self.received() - from > self.options.endpoint.session.drain_bytes {
                return Poll::Ready(Err(self.give_up(Operation::TooMuchToDrain)));
            }
            match self.poll_event(cx) {
                Poll::Ready(Ok(event)) => self.judge(event)?,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => {
                    ready!(self.poll_patience(cx));
                    return Poll::Ready(Err(self.give_up(Operation::TooSlowToDrain)));
                }
            }
        }
        Poll::Ready(Ok(()))
    }

    /// An event that nobody waits for any more.
    fn judge(&mut self, event: Option<Event>) -> Result<(), Error> {
        match event {
            Some(Event::Notice(notice)) if !notice.local => self.keep_notice(notice),
            Some(Event::Error(_)) => match self.care.as_ref().and_then(|care| care.chore) {
                // What the transaction did may still be there.
                Some(Chore::Rollback | Chore::RollbackTo(_)) => {
                    return Err(self.give_up(Operation::RollbackFailed));
                }
                // It found nothing to end, and ends all that comes from now on.
                Some(Chore::Absorb) => return Err(self.give_up(Operation::CancelLost)),
                None => {}
            },
            _ => {}
        }
        Ok(())
    }

    /// The next event of an operation that a clock or a fence looks after.
    pub(super) fn poll_watched(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Event>, Error>> {
        loop {
            let polled = self.poll_wanted(cx);
            let Some(care) = &mut self.care else { return polled };
            let Some(fired) = care.watch.as_ref().map(Watch::fired) else { return polled };
            match (polled, fired) {
                (Poll::Pending, _) => return self.poll_watch(cx),
                (polled, None) => return polled,
                (Poll::Ready(Err(_)), Some(after)) => {
                    return Poll::Ready(Err(Error::TimedOut { after, closed: true }));
                }
                // What comes after the deadline comes too late.
                (Poll::Ready(Ok(_)), Some(after)) => {
                    if self.replies_owed() == 0 {
                        self.over();
                        return Poll::Ready(Err(Error::TimedOut { after, closed: false }));
                    }
                }
            }
        }
    }

    /// The operation waits: looks at its clock, and cancels it when that has run down.
    fn poll_watch(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Event>, Error>> {
        let Some(mut watch) = self.care.as_mut().and_then(|care| care.watch.take()) else {
            return Poll::Pending;
        };
        let after = watch.after;
        if watch.poll(self, cx).is_ready() {
            self.end(Operation::TimedOut);
            return Poll::Ready(Err(Error::TimedOut { after, closed: true }));
        }
        if let Some(care) = &mut self.care {
            care.watch = Some(watch);
        }
        Poll::Pending
    }

    /// The operation is over.
    #[inline]
    pub(super) fn over(&mut self) {
        if self.replies_owed() == 0
            && let Some(care) = &mut self.care
        {
            care.over();
        }
    }

    /// How long each operation may take, from its start until its last reply is read; `None`: as long as it likes. The time is
    /// looked at whenever the operation waits.
    ///
    /// When it is over the operation is cancelled by a second session, as by a [`CancelHandle`](super::CancelHandle), the rest
    /// of its replies is read and it fails with [`Error::TimedOut`]; the session goes on. A server that does not obey [in
    /// time](super::OptionsBuilder::cancel_time) has the connection closed.
    pub fn set_timeout(&mut self, limit: Option<Duration>) {
        if limit.is_some() || self.care.is_some() {
            self.care.get_or_insert_default().timeout = limit;
        }
    }
}

impl Killer for Session {
    fn poll_rest(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        self.poll_start(cx).map(|rest| rest.is_ok())
    }
}

impl Watched for Session {
    fn poll_until(&mut self, at: Instant, cx: &mut Context<'_>) -> Poll<()> {
        self.care.get_or_insert_default().poll_until(at, self.runtime, cx)
    }

    fn cancel(&mut self) -> BoxFuture<bool> {
        let handle = self.running_cancel_handle();
        Box::pin(async move { handle.cancel().await.is_ok() })
    }

    fn cancel_time(&self) -> Duration {
        self.options.endpoint.session.cancel_time
    }
}
