//! What every operation is made of: a start, commands, and their replies.

use std::future::poll_fn;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use porpoise_classic::{ClassicError, ClassicErrorKind, Event, ExecuteError, Misuse, ResultEnd, Session};
use porpoise_value::FromRow;
use porpoise_wire::{Cx, Step, WireError};

use super::{Client, Phase};
use crate::watch::Watched;
use crate::{BoxFuture, Error, Operation, Tap};

impl Client {
    /// Makes the session ready for an operation: reads what an earlier one left, and does what it still owes.
    #[inline]
    pub(crate) fn poll_start(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        match &self.phase {
            Phase::Ready(session)
                if session.is_idle() && self.care.as_ref().is_none_or(|care| care.is_at_rest()) =>
            {
                Poll::Ready(Ok(()))
            }
            _ => self.poll_settle(cx),
        }
    }

    /// [`poll_start`](Self::poll_start), awaited.
    #[inline]
    pub(crate) fn start(&mut self) -> impl Future<Output = Result<(), Error>> {
        poll_fn(|cx| self.poll_start(cx))
    }

    /// Any command of the [`Session`], for what has no call of its own here: reads what an earlier call left, then
    /// encodes the command. Its reply is read by [`next_event`](Self::next_event).
    ///
    /// Dropped: clean. Once this returned, the command's reply is drained by the next call.
    ///
    /// # Errors
    /// The connection is broken; [`Error::Misuse`] when the session does not take the command.
    #[inline]
    pub async fn command<E: Into<ExecuteError>>(
        &mut self,
        command: impl FnOnce(&mut Session, &mut Cx<'_, Tap>) -> Result<(), E>,
    ) -> Result<(), Error> {
        self.start().await?;
        self.encode(command)
    }

    /// As [`command`](Self::command), at once: nothing is read before. For what belongs to the command that is running, such
    /// as the blocks of a file.
    ///
    /// # Errors
    /// As there.
    pub fn command_now(
        &mut self,
        command: impl FnOnce(&mut Session, &mut Cx<'_, Tap>) -> Result<(), Misuse>,
    ) -> Result<(), Error> {
        self.encode(command)
    }

    /// The next event of the running command; `None` when it is over, and written if it has no reply.
    ///
    /// Dropped: nothing is lost, and another call goes on where this one was.
    ///
    /// # Errors
    /// The connection is broken. What the server refuses is an event.
    pub async fn next_event(&mut self) -> Result<Option<Event>, Error> {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    /// Encodes a command that may leave something in the session.
    #[inline]
    pub(crate) fn encode<E: Into<ExecuteError>>(
        &mut self,
        command: impl FnOnce(&mut Session, &mut Cx<'_, Tap>) -> Result<(), E>,
    ) -> Result<(), Error> {
        self.touched = true;
        self.encode_untouched(command)
    }

    /// Encodes a command that leaves nothing in the session.
    #[inline]
    pub(super) fn encode_untouched<E: Into<ExecuteError>>(
        &mut self,
        command: impl FnOnce(&mut Session, &mut Cx<'_, Tap>) -> Result<(), E>,
    ) -> Result<(), Error> {
        let Phase::Ready(session) = &mut self.phase else { return Err(self.unusable()) };
        match command(session, &mut self.io.lend()) {
            Ok(()) => {
                if session.awaits_reply() {
                    self.io.expect_reply();
                }
                Ok(())
            }
            Err(error) => Err(self.not_sent(error.into())),
        }
    }

    #[cold]
    fn not_sent(&mut self, error: ExecuteError) -> Error {
        match error {
            ExecuteError::Misuse(Misuse::OutOfStep | Misuse::Closed) => {
                self.end(Operation::Closed);
                self.unusable()
            }
            ExecuteError::Misuse(misuse) => Error::Misuse(misuse),
            ExecuteError::Params(error) => Error::Params(error),
            _ => Error::Misuse(Misuse::Busy),
        }
    }

    /// Whether the server waits for a file.
    pub(crate) fn wants_file(&self) -> bool {
        self.session().is_some_and(Session::wants_file)
    }

    /// How many replies were not read to their end.
    pub(crate) fn replies_owed(&self) -> usize {
        self.session().map_or(0, Session::replies_owed)
    }

    /// How many bytes wait to be written.
    pub(crate) fn unsent(&mut self) -> usize {
        self.io.lend().tx.len()
    }

    /// From now on rows of more than `over` bytes come in parts, until the next operation.
    pub(crate) fn stream_rows(&mut self, over: usize) {
        if let Phase::Ready(session) = &mut self.phase {
            session.stream_rows(Some(over));
        }
        self.care.get_or_insert_default().streaming = true;
    }

    /// Whether commands may be encoded that do not wait for each other's replies.
    pub(crate) fn set_pipelining(&mut self, on: bool) {
        if let Phase::Ready(session) = &mut self.phase {
            session.set_pipelining(on);
        }
        if on {
            self.care.get_or_insert_default().pipelined = true;
        }
    }

    /// The next event of the running operation; `None` when it is over.
    #[inline]
    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Event>, Error>> {
        if self.is_watched() { self.poll_watched(cx) } else { self.poll_event(cx) }
    }

    /// Whether the running operation has a clock.
    #[inline]
    fn is_watched(&self) -> bool {
        self.care.as_ref().is_some_and(|care| care.watch.is_some())
    }

    /// The next event, whatever the clock says.
    #[inline]
    pub(super) fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Event>, Error>> {
        let Phase::Ready(session) = &mut self.phase else { return Poll::Ready(Err(self.unusable())) };
        match ready!(self.io.poll_drive(&mut **session, &self.options.endpoint, cx)) {
            Ok(event) => {
                event.iter().for_each(|event| self.observe(event));
                Poll::Ready(Ok(event))
            }
            Err(error) => Poll::Ready(Err(self.broken(error))),
        }
    }

    /// Takes note of what the server tells about the session.
    #[inline]
    fn observe(&mut self, event: &Event) {
        let end = match event {
            Event::Ok(ok) => ok.end(),
            Event::End(end) => end,
            _ => return,
        };
        if !end.session_state().is_empty() || self.care.as_ref().is_some_and(|care| care.resetting) {
            self.observe_end(end);
        }
    }

    #[cold]
    fn observe_end(&mut self, end: &ResultEnd) {
        let care = self.care.get_or_insert_default();
        if !end.session_state().is_empty() {
            care.tracked.observe(end);
        }
        if care.resetting {
            care.forget_session();
            self.touched = false;
        }
    }

    #[cold]
    fn broken(&mut self, error: ClassicError) -> Error {
        let pipelined = self.care.as_ref().is_some_and(|care| care.pipelined);
        self.end(Operation::Closed);
        match error.kind() {
            ClassicErrorKind::Packet {
                error: WireError::OutOfOrder { .. } | WireError::Surplus { .. },
                ..
            } if pipelined => {
                self.options.stop_pipelining();
                Error::Pipelined(error)
            }
            _ => Error::Session(error),
        }
    }

    /// Reads the running command's results to their end, and gives its error if it has one.
    #[inline]
    pub(crate) fn finish(&mut self) -> impl Future<Output = Result<(), Error>> {
        poll_fn(|cx| {
            let result = ready!(self.poll_finish(cx));
            self.over();
            Poll::Ready(result)
        })
    }

    /// The same, of an operation that has more commands.
    #[inline]
    pub(crate) fn finish_command(&mut self) -> impl Future<Output = Result<(), Error>> {
        poll_fn(|cx| self.poll_finish(cx))
    }

    /// The operation is over.
    #[inline]
    pub(crate) fn over(&mut self) {
        // A pipeline is over with its last reply.
        if self.care.is_some() && self.replies_owed() == 0 {
            self.care.get_or_insert_default().over();
        }
    }

    /// Gives the first error at once; what is behind it is left to the next call.
    #[inline]
    fn poll_finish(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.poll_each(&mut Success, cx)
    }

    /// Looks at all events up to the end of the running operation, or to the first that is an error. For operations that are
    /// done by the thousand: no event goes up any further.
    #[inline(always)]
    fn poll_each(&mut self, onlooker: &mut impl Look, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        if self.is_watched() {
            return self.poll_each_watched(onlooker, cx);
        }
        loop {
            let Phase::Ready(session) = &mut self.phase else { return Poll::Ready(Err(self.unusable())) };
            match &self.io.poll_step(&mut **session, &self.options.endpoint, cx) {
                Poll::Ready(Ok(Step::Event(event))) => {
                    self.observe(event);
                    onlooker.look(event)?;
                }
                Poll::Ready(Ok(_)) => return Poll::Ready(Ok(())),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(self.broken(error.clone()))),
                Poll::Pending => return Poll::Pending,
            }
            if self.is_quiet() {
                return Poll::Ready(Ok(()));
            }
        }
    }

    /// The same when a clock is to be looked at, too.
    #[cold]
    fn poll_each_watched(
        &mut self,
        onlooker: &mut impl Look,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Error>> {
        loop {
            let Some(event) = ready!(self.poll_watched(cx))? else { return Poll::Ready(Ok(())) };
            onlooker.look(&event)?;
            if self.is_quiet() {
                return Poll::Ready(Ok(()));
            }
        }
    }

    /// The first row of the running command's first result, if there is one. The rest is read to its end, too.
    ///
    /// For rows that are asked for by the thousand: it does without [`Results`](crate::Results).
    #[inline]
    pub(crate) fn first_row<T: for<'r> FromRow<'r>>(
        &mut self,
    ) -> impl Future<Output = Result<Option<T>, Error>> {
        let mut row = FirstRow { row: None, over: false };
        poll_fn(move |cx| {
            let read = ready!(self.poll_each(&mut row, cx));
            if self.is_idle() {
                self.over();
            }
            Poll::Ready(read.map(|()| row.row.take()))
        })
    }

    /// Whether nothing is owed by either side, and nothing was received that one would have to look at.
    #[inline]
    fn is_quiet(&mut self) -> bool {
        self.session().is_some_and(|session| session.is_idle() && session.is_drained()) && self.io.is_quiet()
    }

    /// Gives the connection up: the server, who may still be sending, learns it at once.
    #[cold]
    pub(crate) fn end(&mut self, why: Operation) {
        if let Phase::Ready(session) = &mut self.phase {
            session.closed(&mut self.io.lend());
        }
        self.phase = Phase::Closed(why);
        self.io.hang_up();
        self.care = None;
    }

    #[cold]
    pub(crate) fn unusable(&self) -> Error {
        Error::Unusable(match self.phase {
            Phase::Ready(_) => Operation::Closed,
            Phase::ChangingUser => Operation::ChangeUserDropped,
            Phase::Closed(why) => why,
        })
    }
}

/// Who looks at the events of an operation.
trait Look {
    /// An error ends the operation.
    fn look(&mut self, event: &Event) -> Result<(), Error>;
}

/// Whether the command succeeds.
struct Success;

impl Look for Success {
    #[inline(always)]
    fn look(&mut self, event: &Event) -> Result<(), Error> {
        match event {
            Event::Err(err) => Err(Error::Server(err.clone())),
            Event::InfileRefused(refused) => Err(Error::InfileRefused(refused.clone())),
            _ => Ok(()),
        }
    }
}

/// The first row of a command's first result.
struct FirstRow<T> {
    row: Option<T>,
    /// What comes now is of another row, or of another result.
    over: bool,
}

impl<T: for<'r> FromRow<'r>> Look for FirstRow<T> {
    #[inline(always)]
    fn look(&mut self, event: &Event) -> Result<(), Error> {
        match event {
            Event::Rows(batch) if !self.over => {
                self.over = true;
                let plan = batch.plan::<T>()?;
                self.row = batch.typed::<T>(&plan).next().transpose()?;
            }
            Event::Ok(_) | Event::End(_) => self.over = true,
            Event::ColumnsChanged(changed) => return Err(Error::ColumnsChanged(*changed)),
            other => return Success.look(other),
        }
        Ok(())
    }
}

impl Watched for Client {
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
