//! Between two operations: what an earlier one left is read, and what it owes is done.

use std::task::{Context, Poll, ready};
use std::time::Instant;

use porpoise_classic::{Event, Session};

use super::{Client, Phase};
use crate::care::{Chore, Drain};
use crate::fence::Quiet;
use crate::watch::Watch;
use crate::{Error, Operation};

impl Client {
    /// Whether no reply is owed.
    pub(crate) fn is_idle(&self) -> bool {
        self.session().is_some_and(Session::is_idle)
    }

    /// Brings the session into a state in which nothing is owed by either side. All progress is in the client.
    pub(crate) fn poll_settle(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        loop {
            if !matches!(self.phase, Phase::Ready(_)) {
                return Poll::Ready(Err(self.unusable()));
            }
            if let Some(care) = &mut self.care {
                // A cancel that a clock has begun goes on without it.
                care.watch = None;
            }
            if !self.is_idle() {
                ready!(self.poll_drain(cx))?;
            }
            let Some(care) = &mut self.care else { return Poll::Ready(Ok(())) };
            (care.chore, care.resetting) = (None, false);
            if let Phase::Ready(session) = &mut self.phase
                && (std::mem::take(&mut care.pipelined) | std::mem::take(&mut care.streaming))
            {
                session.set_pipelining(false);
                session.stream_rows(None);
            }
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
        self.close_statements()?;
        if let Some(care) = &mut self.care {
            care.begin();
            if let Some(fence) = &care.fence {
                fence.begin();
            }
        }
        Poll::Ready(Ok(()))
    }

    fn give_up(&mut self, why: Operation) -> Error {
        self.end(why);
        self.unusable()
    }

    fn begin_chore(&mut self, chore: Chore) -> Result<(), Error> {
        self.encode_untouched(|session, cx| match chore {
            // A KILL QUERY that the server takes late hits what checks for it first, which a sleep does.
            Chore::Absorb => session.query("DO SLEEP(0)", cx),
            Chore::Begin => session.query("START TRANSACTION", cx),
            Chore::Rollback => session.query("ROLLBACK", cx),
            Chore::ResetStatement(id) => session.stmt_reset(id, cx),
        })?;
        if let Some(care) = &mut self.care {
            care.chore = Some(chore);
        }
        Ok(())
    }

    /// Closes what nobody uses any more, in the same write as the next command.
    fn close_statements(&mut self) -> Result<(), Error> {
        let Some(closes) = self.care.as_ref().and_then(|care| care.closes.clone()) else { return Ok(()) };
        while let Some(id) = closes.take() {
            self.encode_untouched(|session, cx| session.stmt_close(id, cx))?;
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
        self.io.pipe.bytes_in() + self.session().map_or(0, Session::inflated)
    }

    /// Reads what a dropped call left behind, within a budget.
    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let now = self.received();
        let from = self.care.as_ref().and_then(|care| care.drain).map_or(now, |drain| drain.from);
        loop {
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
            let Phase::Ready(session) = &self.phase else { return Poll::Ready(Ok(())) };
            if session.is_idle() {
                return Poll::Ready(Ok(()));
            }
            if session.wants_file() {
                // Its end would make the server keep the half of it.
                return Poll::Ready(Err(self.give_up(Operation::InfileDropped)));
            }
        }
    }

    /// An event that nobody waits for any more.
    fn judge(&mut self, event: Option<Event>) -> Result<(), Error> {
        match event {
            Some(Event::Prepared(prepared)) => {
                self.care.get_or_insert_default().closes().give(prepared.statement_id);
            }
            Some(Event::Err(_)) if self.care.as_ref().is_some_and(|c| c.chore == Some(Chore::Rollback)) => {
                // What the transaction did may still be there.
                return Err(self.give_up(Operation::RollbackFailed));
            }
            _ => {}
        }
        Ok(())
    }

    /// The next event of an operation that a clock or a fence looks after.
    pub(super) fn poll_watched(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Event>, Error>> {
        loop {
            let polled = self.poll_event(cx);
            let Some(care) = &mut self.care else { return polled };
            let Some(fired) = care.watch.as_ref().map(Watch::fired) else { return polled };
            match (polled, fired) {
                (Poll::Pending, _) => return self.poll_watch(cx),
                (polled, None) => return polled,
                // What comes after the deadline comes too late.
                (Poll::Ready(Ok(Some(_))), Some(_)) => {}
                (Poll::Ready(Ok(None)), Some(after)) => {
                    care.watch = None;
                    return Poll::Ready(Err(Error::TimedOut { after, closed: false }));
                }
                (Poll::Ready(Err(_)), Some(after)) => {
                    return Poll::Ready(Err(Error::TimedOut { after, closed: true }));
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
}
