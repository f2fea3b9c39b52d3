//! The clock of an operation.

use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use crate::{BoxFuture, Client, Error};

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
    kill: Option<BoxFuture<Result<bool, Error>>>,
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
    pub(crate) fn poll(&mut self, client: &mut Client, cx: &mut Context<'_>) -> Poll<()> {
        let cancel = match &mut self.cancel {
            Some(cancel) => cancel,
            None => {
                let Some(at) = self.at else { return Poll::Pending };
                ready!(client.poll_until(at, cx));
                let handle = client.running_cancel_handle();
                self.cancel.insert(Cancel {
                    until: Instant::now().checked_add(client.options().endpoint.session.cancel_time),
                    kill: Some(Box::pin(async move { handle.cancel().await })),
                })
            }
        };
        if let Some(kill) = &mut cancel.kill
            && let Poll::Ready(killed) = kill.as_mut().poll(cx)
        {
            cancel.kill = None;
            if killed.is_err() {
                return Poll::Ready(());
            }
        }
        match cancel.until {
            Some(until) => client.poll_until(until, cx),
            None => Poll::Pending,
        }
    }
}
