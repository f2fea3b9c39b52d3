//! Messages one by one, for tools and for what has no call of its own.

use std::future::poll_fn;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use porpoise_wire::{Cx, Lost, Machine as _};
use porpoise_xproto::{Connection, Event, LifeCycle, Misuse, XErrorKind};

use super::session::Phase;
use super::{Error, Session};
use crate::{Operation, Tap};

/// A server has so long to answer the goodbye. No less than a connect has by default: tokio wakes itself for a timer that is
/// to end before those it has.
const GOODBYE: Duration = Duration::from_secs(10);

/// Messages one by one.
impl Session {
    /// Any messages, for what has no call of its own here: reads what an earlier call left, then writes them. They leave in
    /// one write, when their replies are asked for by [`next_event`](Self::next_event) or at [`flush`](Self::flush).
    ///
    /// Dropped: clean. Once this returned, the replies are drained by the next call.
    ///
    /// # Errors
    /// The connection is broken; [`Error::Misuse`] when the server would not take a message.
    #[inline]
    pub async fn message(
        &mut self,
        message: impl FnOnce(&mut Connection, &mut Cx<'_, Tap>) -> Result<(), Misuse>,
    ) -> Result<(), Error> {
        self.start().await?;
        self.encode(message)
    }

    /// As [`message`](Self::message), at once: nothing is read before. Also for whatever else the machine can be told.
    ///
    /// # Errors
    /// As there.
    pub fn message_now(
        &mut self,
        message: impl FnOnce(&mut Connection, &mut Cx<'_, Tap>) -> Result<(), Misuse>,
    ) -> Result<(), Error> {
        self.encode(message)
    }

    /// Sends what was written.
    ///
    /// Dropped: nothing is lost, and the next call sends the rest.
    ///
    /// # Errors
    /// The connection is broken.
    pub async fn flush(&mut self) -> Result<(), Error> {
        self.pack()?;
        match poll_fn(|cx| self.io.poll_flush(cx)).await {
            Ok(()) => Ok(()),
            Err(why) => Err(self.lost(why)),
        }
    }

    /// Has what was written since the last event compressed, if it is to be.
    fn pack(&mut self) -> Result<(), Error> {
        let Phase::Ready(connection) = &mut self.phase else { return Err(self.unusable()) };
        connection.pack_written(&mut self.io.lend());
        Ok(())
    }

    /// The next event of the replies that are owed, notices included; `None` when none is owed, and all is written. Where TLS
    /// was agreed on the handshake is done on the way.
    ///
    /// Dropped: nothing is lost, and another call goes on where this one was.
    ///
    /// # Errors
    /// The connection is broken. What the server refuses is an event.
    pub async fn next_event(&mut self) -> Result<Option<Event>, Error> {
        poll_fn(|cx| self.poll_event(cx)).await
    }

    /// The next event, whether or not a reply is owed. Messages that nobody waits for are events if the machine [lets them
    /// through](Connection::let_through).
    ///
    /// Dropped: as [`next_event`](Self::next_event).
    ///
    /// # Errors
    /// The connection is broken, or at its end: see [`read_to_end`](Self::read_to_end).
    pub async fn recv(&mut self) -> Result<Event, Error> {
        poll_fn(|cx| self.poll_listen(cx)).await
    }

    /// The TLS handshake: now, for a tool that sent the request for it by itself. [`next_event`](Self::next_event) does it
    /// without being asked where the server said Ok.
    ///
    /// Dropped: nothing is lost; the next call goes on with it.
    ///
    /// # Errors
    /// TLS failed.
    pub async fn start_tls(&mut self) -> Result<(), Error> {
        if self.connection().is_some_and(|connection| !connection.is_tls()) {
            // Where the server said Ok to it, this does it.
            while self.next_event().await?.is_some() {}
        }
        if self.is_encrypted() {
            return Ok(());
        }
        poll_fn(|cx| self.poll_start_tls(cx)).await
    }

    fn poll_start_tls(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let done = ready!(self.io.poll_tls(&self.options.endpoint, cx));
        let Phase::Ready(connection) = &mut self.phase else { return Poll::Ready(Err(self.unusable())) };
        match done {
            Ok(info) => {
                connection.tls_ready(&info, &mut self.io.lend());
                Poll::Ready(Ok(()))
            }
            Err(why) => Poll::Ready(Err(self.lost(why))),
        }
    }

    /// Reads up to the end of the stream, and throws away what comes.
    ///
    /// Dropped: nothing is lost, and another call goes on where this one was.
    ///
    /// # Errors
    /// The connection broke before its end. That the server ends it is none, whether or not it was asked to.
    pub async fn read_to_end(&mut self) -> Result<(), Error> {
        loop {
            match self.recv().await {
                Ok(_) => {}
                Err(Error::Session(error)) => {
                    let end = matches!(
                        error.kind(),
                        XErrorKind::Lost(Lost::Closed) | XErrorKind::Goodbye(_) | XErrorKind::Fatal(_)
                    );
                    let asked =
                        error.state() == LifeCycle::Closing && matches!(error.kind(), XErrorKind::Lost(_));
                    return if end || asked { Ok(()) } else { Err(Error::Session(error)) };
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Closes the stream without a word.
    ///
    /// Dropped: closed.
    pub async fn hang_up(&mut self) {
        if let Phase::Ready(connection) = &mut self.phase {
            connection.closed(&mut self.io.lend());
            self.io.pipe.close();
            // The peer may be gone already, which is what was wanted.
            let _ = poll_fn(|cx| self.io.poll_flush(cx)).await;
            let _ = poll_fn(|cx| self.io.link.poll_close(cx)).await;
            self.end(Operation::Closed);
        }
    }

    #[cold]
    pub(super) fn lost(&mut self, why: Lost) -> Error {
        let Phase::Ready(connection) = &mut self.phase else { return self.unusable() };
        let error = connection.lost(why, &mut self.io.lend());
        self.end(Operation::Closed);
        Error::Session(error)
    }
}

impl Session {
    /// Connection.Close, its Ok, and the end of the stream from this side. What an earlier call left is read before, or given
    /// up. A server that does not answer within ten seconds is not waited for.
    ///
    /// Dropped: closed.
    ///
    /// # Errors
    /// The connection does not take a goodbye, and is gone all the same. That the server is gone already is none.
    pub async fn close(mut self) -> Result<(), Error> {
        if self.is_usable() && self.start().await.is_ok() {
            self.encode(|connection, cx| connection.close(cx))?;
            let (mut timer, end) = (self.runtime.timer(), Instant::now() + GOODBYE);
            let patient = poll_fn(|cx| match self.poll_goodbye(cx) {
                Poll::Ready(()) => Poll::Ready(()),
                Poll::Pending => timer.poll_until(cx, end),
            });
            patient.await;
        }
        self.hang_up().await;
        Ok(())
    }

    /// Ready when the goodbye is answered, or nobody is there any more to answer it.
    fn poll_goodbye(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while let Ok(Some(_)) = ready!(self.poll_event(cx)) {}
        Poll::Ready(())
    }
}
