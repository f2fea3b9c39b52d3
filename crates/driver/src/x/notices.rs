//! Global notices: what the server tells of itself, at any time.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures::Stream;
use porpoise_xproto::{Event, Notice};

use super::{Error, Session};

/// Global notices as they come: a [`Stream`]. Ends with the connection, after an error that says why.
///
/// Dropped: nothing is lost.
#[derive(Debug)]
pub struct Notices<'a> {
    session: &'a mut Session,
    over: bool,
}

impl Session {
    /// The next global notice: the server's hello, changes of its replication group if they were asked
    /// for, and what the connection is about to be ended for. Those that came during other calls are
    /// given first, up to 64 of them. Waits until there is one.
    ///
    /// Dropped: nothing is lost.
    ///
    /// # Errors
    /// The connection is broken.
    pub async fn next_notice(&mut self) -> Result<Notice, Error> {
        self.start().await?;
        poll_fn(|cx| self.poll_notice(cx)).await
    }

    /// The same as a stream.
    pub const fn notices(&mut self) -> Notices<'_> {
        Notices { session: self, over: false }
    }

    fn poll_notice(&mut self, cx: &mut Context<'_>) -> Poll<Result<Notice, Error>> {
        loop {
            if let Some(notice) = self.notices.pop_front() {
                return Poll::Ready(Ok(notice));
            }
            match ready!(self.poll_listen(cx))? {
                Event::Notice(notice) if !notice.local => return Poll::Ready(Ok(notice)),
                // Of replies that nobody waits for any more, or local and so of nothing.
                _ => {}
            }
        }
    }
}

impl Stream for Notices<'_> {
    type Item = Result<Notice, Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        if this.over {
            return Poll::Ready(None);
        }
        let notice = ready!(this.session.poll_notice(cx));
        this.over = notice.is_err();
        Poll::Ready(Some(notice))
    }
}
