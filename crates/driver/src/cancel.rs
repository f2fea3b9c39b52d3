//! Ends one statement from outside, and no other.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};

use crate::fence::{Fence, Killer};
use crate::{Client, Connecting, Error, Options, Runtime};

/// Cancels one operation of a [`Client`], from another task or thread: by `KILL QUERY` on a second connection.
///
/// A handle is for one operation: the next one when it comes from [`Client::cancel_handle`], the running one when it
/// comes from [`Results::cancel_handle`](crate::Results::cancel_handle). It can never hit another:
///
/// - `KILL QUERY` is sent only while the operation is running.
/// - As long as it is on its way, the client begins no other operation. It waits for it within
///   [the time for draining](crate::OptionsBuilder::drain_budget), and else closes its connection.
/// - The server may take the statement and the `KILL QUERY` in either order. Before the next operation the client
///   therefore sends `DO SLEEP(0)`, which takes a `KILL QUERY` that found nothing to end.
///
/// The cancelled operation fails with the server's error 1317, or succeeds if it was faster.
///
/// The second connection is made from the same options, to the same address. Behind a balancer that gives each
/// connection another server, no handle can find the right one: use [`cancel_with`](Self::cancel_with) there.
#[derive(Clone)]
pub struct CancelHandle {
    fence: Arc<Fence<Client>>,
    number: u64,
    options: Arc<Options>,
    address: Option<SocketAddr>,
    runtime: &'static dyn Runtime,
    connection_id: u32,
}

impl fmt::Debug for CancelHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CancelHandle")
            .field("connection_id", &self.connection_id)
            .field("operation", &self.number)
            .field("is_running", &self.is_running())
            .finish_non_exhaustive()
    }
}

impl CancelHandle {
    /// Whether its operation is running.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.fence.is_running(self.number)
    }

    /// Cancels its operation. `false`: there was nothing to cancel, because it has not begun, or is over.
    ///
    /// Dropped: before `KILL QUERY` is sent, nothing has happened. After that the client itself waits for the reply,
    /// before its next operation.
    ///
    /// # Errors
    /// The second connection cannot be made, or the server refuses.
    pub async fn cancel(&self) -> Result<bool, Error> {
        if !self.is_running() {
            return Ok(false);
        }
        let options = self.options.at_address(self.address);
        let killer = Connecting::new(self.runtime, Arc::new(options)).await?;
        self.cancel_with(killer).await
    }

    /// The same by a connection that is there already. It must lead to the same server, and its user must be the same or
    /// have the right to end the statements of others. It is closed afterwards.
    ///
    /// Dropped: as [`cancel`](Self::cancel).
    ///
    /// # Errors
    /// As there.
    pub async fn cancel_with(&self, mut killer: Client) -> Result<bool, Error> {
        // What it has left over from other work is no part of the cancel.
        killer.start().await?;
        let Some(mut killing) = self.fence.enter(self.number, killer) else { return Ok(false) };
        let killed = match &mut killing.killer {
            Some(killer) => killer.kill_query(self.connection_id).await,
            None => Ok(()),
        };
        killing.lost = killed.as_ref().is_err_and(Error::is_fatal);
        let killer = killing.killer.take();
        drop(killing);
        killed?;
        if let Some(killer) = killer {
            // It has done what it was for.
            let _ = killer.close().await;
        }
        Ok(true)
    }
}

impl Client {
    /// A handle that cancels the next operation of this client. See [`CancelHandle`].
    pub fn cancel_handle(&mut self) -> CancelHandle {
        self.handle(1)
    }

    /// A handle that cancels the running operation.
    pub(crate) fn running_cancel_handle(&mut self) -> CancelHandle {
        self.handle(0)
    }

    fn handle(&mut self, ahead: u64) -> CancelHandle {
        let fence = Arc::clone(self.care.get_or_insert_default().fence.get_or_insert_with(|| {
            // It begins with the operation that is running now, if there is one.
            Fence::new(ahead == 0)
        }));
        let number = fence.number() + ahead;
        CancelHandle {
            fence,
            number,
            options: Arc::clone(self.options()),
            address: self.io.address,
            runtime: self.runtime(),
            connection_id: self.connection_id(),
        }
    }
}

impl Killer for Client {
    fn poll_rest(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        self.poll_start(cx).map(|rest| rest.is_ok())
    }
}
