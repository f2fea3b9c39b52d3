//! What every operation is made of: a start, messages, and their replies.

use std::future::poll_fn;
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

    /// The same for messages whose replies nobody waits for. Only ahead of all others.
    pub(super) fn encode_unwanted(
        &mut self,
        message: impl FnOnce(&mut Connection, &mut Cx<'_, Tap>) -> Result<(), Misuse>,
    ) -> Result<(), Error> {
        self.encode(message)?;
        self.unwanted += 1;
        Ok(())
    }

    /// How many bytes wait to be written.
    pub(super) fn unsent(&mut self) -> usize {
        self.io.lend().tx.len()
    }

    /// The next event, whatever it is; `None` when no reply is owed.
    #[inline]
    pub(super) fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Event>, Error>> {
        loop {
            let Phase::Ready(connection) = &mut self.phase else {
                return Poll::Ready(Err(self.unusable()));
            };
            let owed = connection.replies_owed();
            match ready!(self.io.poll_drive(&mut **connection, &self.options.endpoint, cx)) {
                Ok(Some(event)) if self.unwanted > 0 && !matches!(event, Event::Notice(_)) => {
                    self.unwanted -= owed - connection.replies_owed();
                }
                Ok(event) => {
                    self.observe(event.as_ref());
                    return Poll::Ready(Ok(event));
                }
                Err(error) => return Poll::Ready(Err(self.broken(error))),
            }
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

    /// The next event of the running operation. Global notices are kept for who asks for them.
    #[inline]
    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Event>, Error>> {
        if self.care.is_some() { self.poll_watched(cx) } else { self.poll_wanted(cx) }
    }

    /// The same, whatever the clock says.
    #[inline]
    pub(super) fn poll_wanted(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Event>, Error>> {
        loop {
            match ready!(self.poll_event(cx))? {
                Some(Event::Notice(notice)) if !notice.local => self.keep_notice(notice),
                event => return Poll::Ready(Ok(event)),
            }
        }
    }

    /// Reads the reply to a message that has no result, and is the last of its operation.
    pub(super) async fn finish(&mut self) -> Result<(), Error> {
        let result = self.finish_message().await;
        self.over();
        result
    }

    /// The same, of an operation that has more.
    pub(super) async fn finish_message(&mut self) -> Result<(), Error> {
        let left = self.replies_wanted().saturating_sub(1);
        let mut result = Ok(());
        while self.replies_wanted() > left {
            if let Some(Event::Error(error)) = poll_fn(|cx| self.poll_next(cx)).await? {
                result = Err(Error::of(error));
            }
        }
        result
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
            Some(Event::Ok(_)) => {
                if let Some(care) = &mut self.care
                    && std::mem::take(&mut care.resetting)
                {
                    care.forget_session();
                }
            }
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

    /// The same of those that somebody waits for.
    pub(super) fn replies_wanted(&self) -> usize {
        self.replies_owed().saturating_sub(self.unwanted)
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
        self.care = None;
    }

    #[cold]
    pub(super) fn unusable(&self) -> Error {
        Error::Unusable(match self.phase {
            Phase::Ready(_) => Operation::Closed,
            Phase::Closed(why) => why,
        })
    }
}
