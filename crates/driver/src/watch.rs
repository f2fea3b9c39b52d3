//! The clock of an operation.

use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use crate::BoxFuture;

/// Whose operations take time.
pub(crate) trait Watched {
    /// Ready once `at` has passed.
    fn poll_until(&mut self, at: Instant, cx: &mut Context<'_>) -> Poll<()>;

    /// Cancels the running operation. `false`: that could not be done.
    fn cancel(&mut self) -> BoxFuture<bool>;

    /// How long the server may take to obey.
    fn cancel_time(&self) -> Duration;
}

/// Counts an operation's time, and cancels the operation when that is over.
pub(crate) struct Watch {
    pub(crate) after: Duration,
    at: Option<Instant>,
    cancel: Option<Cancel>,
}

struct Cancel {
    /// How long the server may take to obey.
    until: Option<Instant>,
    /// The KILL QUERY, until it is done.
    kill: Option<BoxFuture<bool>>,
}

impl Watch {
    pub(crate) fn new(after: Duration) -> Self {
        Self { after, at: Instant::now().checked_add(after), cancel: None }
    }

    /// Whether time is over, and after how long.
    pub(crate) fn fired(&self) -> Option<Duration> {
        self.cancel.as_ref().map(|_| self.after)
    }

    /// Called when the operation waits. Ready when it waited so long that the connection is to be given up.
    pub(crate) fn poll(&mut self, client: &mut impl Watched, cx: &mut Context<'_>) -> Poll<()> {
        let cancel = match &mut self.cancel {
            Some(cancel) => cancel,
            None => {
                let Some(at) = self.at else { return Poll::Pending };
                ready!(client.poll_until(at, cx));
                self.cancel.insert(Cancel {
                    until: Instant::now().checked_add(client.cancel_time()),
                    kill: Some(client.cancel()),
                })
            }
        };
        if let Some(kill) = &mut cancel.kill
            && let Poll::Ready(killed) = kill.as_mut().poll(cx)
        {
            cancel.kill = None;
            if !killed {
                return Poll::Ready(());
            }
        }
        match cancel.until {
            Some(until) => client.poll_until(until, cx),
            None => Poll::Pending,
        }
    }
}
