//! What the server tells about the session.

use porpoise_classic::{ResultEnd, StateChange, StatusFlags};

use crate::{Client, Error};

/// What was told, and may be asked for.
#[derive(Default)]
pub(crate) struct Tracked {
    gtid: Option<Box<str>>,
    /// Whether the session has something that a new one has not.
    changed: bool,
}

impl Tracked {
    pub(crate) fn observe(&mut self, end: &ResultEnd) {
        // A block that cannot be read was told to nobody; what could be read of it counts.
        for change in end.session_state().flatten() {
            match change {
                StateChange::Gtids { text, .. } => {
                    self.gtid = Some(String::from_utf8_lossy(text).into_owned().into());
                }
                StateChange::StateChange(changed) => self.changed |= changed,
                _ => {}
            }
        }
    }

    /// The session is as new.
    pub(crate) fn forget(&mut self) {
        self.changed = false;
    }
}

impl Client {
    /// The GTIDs that the server told last: those of this session's last commit with `session_track_gtids=OWN_GTID`, all
    /// that it has with `ALL_GTIDS`. `None` unless the server was asked for them: see
    /// [`OptionsBuilder::track_gtids`](crate::OptionsBuilder::track_gtids).
    #[must_use]
    pub fn last_gtid(&self) -> Option<&str> {
        self.care.as_ref()?.tracked.gtid.as_deref()
    }

    /// Whether the session may have something that the next user of the connection must not find: ask it before
    /// [`reset_connection`](Self::reset_connection), which costs a round trip and the prepared statements.
    ///
    /// `false` is sure, with one exception. Either no statement was sent since the session was new, or
    /// [the server was asked to tell](crate::OptionsBuilder::track_state) what changes, and told nothing: no variable, no user
    /// variable, no temporary table, no other database. Locks of `GET_LOCK` and `LOCK TABLES` are what it does not tell.
    #[must_use]
    pub fn needs_reset(&self) -> bool {
        let status = self.status();
        let at_rest = self.is_usable()
            && self.is_idle()
            && status.contains(StatusFlags::SERVER_STATUS_AUTOCOMMIT)
            && !status.contains(StatusFlags::SERVER_STATUS_IN_TRANS)
            && self.care.as_ref().is_none_or(|care| care.owed.is_empty() && !care.in_transaction);
        if !at_rest {
            return true;
        }
        if self.options().endpoint.session.track_state
            && !self.care.as_ref().is_some_and(|care| care.untracked)
        {
            return self.care.as_ref().is_some_and(|care| care.tracked.changed);
        }
        self.is_touched()
    }

    /// Waits on a replica until it has the transactions of a GTID set, as [`last_gtid`](Self::last_gtid) of the connection that
    /// wrote them tells it. `false`: it has not, after `timeout`.
    ///
    /// Sends `WAIT_FOR_EXECUTED_GTID_SET`, and to a MariaDB `MASTER_GTID_WAIT`.
    ///
    /// Dropped: drained, or closed if the server is still waiting when [the time for
    /// that](crate::OptionsBuilder::drain_budget) is over.
    ///
    /// # Errors
    /// [`Error::Server`] if that is no GTID set, or the server keeps no GTIDs.
    pub async fn wait_for_gtid(&mut self, set: &str, timeout: std::time::Duration) -> Result<bool, Error> {
        let function = if self.server_version().contains("MariaDB") {
            "MASTER_GTID_WAIT"
        } else {
            "WAIT_FOR_EXECUTED_GTID_SET"
        };
        // No GTID set needs a character that a text literal would have to escape; what is left out makes it no set.
        let set = set.replace(['\'', '\\'], "?");
        let sql = format!("SELECT {function}('{set}', {})", timeout.as_secs_f64());
        let mut results = self.query(&sql).await?;
        let mut reached = false;
        while let Some(batch) = results.next_batch().await? {
            reached = batch.iter().any(|row| row.get(0).is_ok_and(|cell| cell == Some(b"0")));
        }
        results.finish().await?;
        Ok(reached)
    }
}
