//! Ends one operation from outside, and no other.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use super::{Connecting, Error, Options, Session};
use crate::Runtime;
use crate::fence::Fence;

/// Cancels one operation of a [`Session`], from another task or thread: by `KILL QUERY` on a second session.
///
/// A handle is for one operation: the next one when it comes from [`Session::cancel_handle`], the running one when it comes
/// from [`Results::cancel_handle`](super::Results::cancel_handle). It can never hit another:
///
/// - `KILL QUERY` is sent only while the operation is running.
/// - As long as it is on its way, the session begins no other operation. It waits for it within
///   [the time for draining](super::OptionsBuilder::drain_budget), and else closes its connection.
/// - The server may take the end of the statement and the `KILL QUERY` in either order. An SQL session of X Plugin that gets one
///   between two statements refuses all that come after it (5010, as of MySQL 9.7), and only another login helps. Before the
///   next operation the session therefore sends `DO SLEEP(0)`; if that is refused the connection is closed, and the operation
///   fails with [`Operation::CancelLost`](crate::Operation::CancelLost).
///
/// The cancelled operation fails with the server's error 1317 (or 5010, where the `KILL QUERY` overtook it), or succeeds if it was
/// faster. Of a pipeline that is one message;
/// those behind it run.
///
/// The second session is made from the same options, to the same address, and asks `list_clients` for the SQL session of
/// this one.
#[derive(Clone)]
pub struct CancelHandle {
    fence: Arc<Fence<Session>>,
    number: u64,
    options: Arc<Options>,
    address: Option<SocketAddr>,
    runtime: &'static dyn Runtime,
    client_id: Option<u64>,
}

impl fmt::Debug for CancelHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CancelHandle")
            .field("client_id", &self.client_id)
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
    /// Dropped: before `KILL QUERY` is sent, nothing has happened. After that the session itself waits for the reply, before
    /// its next operation.
    ///
    /// # Errors
    /// The second session cannot be made, or the server refuses.
    pub async fn cancel(&self) -> Result<bool, Error> {
        if !self.is_running() {
            return Ok(false);
        }
        let options = self.options.at_address(self.address);
        let killer = Connecting::new(self.runtime, Arc::new(options)).await?;
        self.cancel_with(killer).await
    }

    /// The same by a session that is there already. It must lead to the same server, and its user must be the same or have the
    /// right to end the statements of others. It is closed afterwards.
    ///
    /// Dropped: as [`cancel`](Self::cancel).
    ///
    /// # Errors
    /// As there.
    pub async fn cancel_with(&self, mut killer: Session) -> Result<bool, Error> {
        let clients = killer.list_clients().await?;
        let client = clients.into_iter().find(|client| Some(client.client_id) == self.client_id);
        let Some(sql_session) = client.and_then(|client| client.sql_session) else { return Ok(false) };
        let Some(mut killing) = self.fence.enter(self.number, killer) else { return Ok(false) };
        let killed = match &mut killing.killer {
            Some(killer) => killer.kill_query(sql_session).await,
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

impl Session {
    /// A handle that cancels the next operation of this session. See [`CancelHandle`].
    pub fn cancel_handle(&mut self) -> CancelHandle {
        self.handle(1)
    }

    /// A handle that cancels the running operation.
    pub(super) fn running_cancel_handle(&mut self) -> CancelHandle {
        self.handle(0)
    }

    fn handle(&mut self, ahead: u64) -> CancelHandle {
        let care = self.care.get_or_insert_default();
        // It begins with the operation that is running now, if there is one.
        let fence = Arc::clone(care.fence.get_or_insert_with(|| Fence::new(ahead == 0)));
        let number = fence.number() + ahead;
        CancelHandle {
            fence,
            number,
            options: Arc::clone(&self.options),
            address: self.io.address,
            runtime: self.runtime,
            client_id: self.facts.client_id,
        }
    }
}
