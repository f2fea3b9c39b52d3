//! What every operation is made of: a start, messages, and their replies.

use std::task::{Context, Poll, ready};

use porpoise_wire::Cx;
use porpoise_xproto::{Connection, Event, LifeCycle, Misuse, Notice, NoticeBody, XError};

use super::session::Phase;
use super::{Error, Session};
use crate::{Operation, Tap};

/// Global notices that nobody asks for are kept up to so many; then the oldest go.
const KEPT_NOTICES: usize = 64;

impl Session {
    /// Writes messages.
    #[inline]
    pub(super) fn encode(
        &mut self,
        message: impl FnOnce(&mut Connection, &mut Cx<'_, Tap>) -> Result<(), Misuse>,
    ) -> Result<(), Error> {
        let Phase::Ready(connection) = &mut self.phase else { return Err(self.unusable()) };
        message(connection, &mut self.io.lend()).map_err(Error::Misuse)
    }

    /// The next event, whatever it is; `None` when no reply is owed.
    #[inline]
    pub(super) fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Event>, Error>> {
        let Phase::Ready(connection) = &mut self.phase else { return Poll::Ready(Err(self.unusable())) };
        match ready!(self.io.poll_drive(&mut **connection, &self.options.endpoint, cx)) {
            Ok(event) => {
                self.observe(event.as_ref());
                Poll::Ready(Ok(event))
            }
            Err(error) => Poll::Ready(Err(self.broken(error))),
        }
    }

    /// The next event, waited for even if no reply is owed.
    pub(super) fn poll_listen(&mut self, cx: &mut Context<'_>) -> Poll<Result<Event, Error>> {
        let Phase::Ready(connection) = &mut self.phase else { return Poll::Ready(Err(self.unusable())) };
        match ready!(self.io.poll_listen(&mut **connection, &self.options.endpoint, cx)) {
            Ok(event) => {
                self.observe(Some(&event));
                Poll::Ready(Ok(event))
            }
            Err(error) => Poll::Ready(Err(self.broken(error))),
        }
    }

    /// The next event of an operation; global notices are kept for who asks for them.
    #[inline]
    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Event>, Error>> {
        loop {
            match ready!(self.poll_event(cx))? {
                Some(Event::Notice(notice)) if !notice.local => self.keep_notice(notice),
                event => return Poll::Ready(Ok(event)),
            }
        }
    }

    /// Takes note of what the server tells about the session.
    #[inline]
    fn observe(&mut self, event: Option<&Event>) {
        match event {
            Some(Event::Notice(notice)) => match &notice.body {
                NoticeBody::ClientIdAssigned(id) => self.facts.client_id = Some(*id),
                NoticeBody::AccountExpired => self.facts.expired = true,
                _ => {}
            },
            Some(Event::Capabilities(capabilities)) => self.facts.capabilities = Some(capabilities.clone()),
            _ => {}
        }
    }

    /// Keeps a global notice for whoever asks for it.
    #[cold]
    pub(super) fn keep_notice(&mut self, notice: Notice) {
        if self.notices.len() == KEPT_NOTICES {
            self.notices.pop_front();
        }
        self.notices.push_back(notice);
    }

    /// How many replies were not read to their end.
    pub(super) fn replies_owed(&self) -> usize {
        self.connection().map_or(0, Connection::replies_owed)
    }

    #[cold]
    fn broken(&mut self, error: XError) -> Error {
        self.end(Operation::Closed);
        Error::Session(error)
    }

    /// Gives the connection up: the server, who may still be sending, learns it at once.
    #[cold]
    pub(super) fn end(&mut self, why: Operation) {
        if let Phase::Ready(connection) = &mut self.phase
            && connection.state() != LifeCycle::Closed
        {
            connection.closed(&mut self.io.lend());
        }
        self.phase = Phase::Closed(why);
        self.io.hang_up();
    }

    #[cold]
    pub(super) fn unusable(&self) -> Error {
        Error::Unusable(match self.phase {
            Phase::Ready(_) => Operation::Closed,
            Phase::Closed(why) => why,
        })
    }
}
