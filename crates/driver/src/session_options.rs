//! What the options say about the session, once it is there.

use std::time::Duration;

use crate::OptionsBuilder;

/// What a dropped result may still have, in bytes, and be read to its end by the next call.
const DRAIN_BYTES: u64 = 1 << 20;
/// How long that may take.
const DRAIN_TIME: Duration = Duration::from_secs(1);
/// How long the server may take to obey a cancel.
const CANCEL_TIME: Duration = Duration::from_secs(5);
/// How many statements are kept prepared.
const STATEMENT_CACHE: usize = 64;

/// Which GTIDs the server tells with each reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TrackGtids {
    /// Those of the transaction that was just committed.
    Own,
    /// All that the server has.
    All,
}

#[derive(Clone, Debug)]
pub(crate) struct SessionOptions {
    pub(crate) drain_bytes: u64,
    pub(crate) drain_time: Option<Duration>,
    pub(crate) operation_timeout: Option<Duration>,
    pub(crate) cancel_time: Duration,
    pub(crate) statement_cache: usize,
    pub(crate) track_state: bool,
    pub(crate) track_gtids: Option<TrackGtids>,
}

impl Default for SessionOptions {
    fn default() -> Self {
        Self {
            drain_bytes: DRAIN_BYTES,
            drain_time: Some(DRAIN_TIME),
            operation_timeout: None,
            cancel_time: CANCEL_TIME,
            statement_cache: STATEMENT_CACHE,
            track_state: false,
            track_gtids: None,
        }
    }
}

impl SessionOptions {
    /// The assignments that ask the server to tell what is asked for.
    pub(crate) fn assignments(&self) -> impl Iterator<Item = &'static str> {
        let state = self.track_state.then_some("SESSION session_track_state_change = ON");
        let gtids = self.track_gtids.map(|gtids| match gtids {
            TrackGtids::Own => "SESSION session_track_gtids = OWN_GTID",
            TrackGtids::All => "SESSION session_track_gtids = ALL_GTIDS",
        });
        state.into_iter().chain(gtids)
    }

    /// The statement that makes them.
    pub(crate) fn tracking(&self) -> Option<String> {
        let assignments: Vec<_> = self.assignments().collect();
        (!assignments.is_empty()).then(|| format!("SET {}", assignments.join(", ")))
    }
}

/// What happens in a session.
impl OptionsBuilder {
    /// How long one operation may take, from its start until its last reply is read; see
    /// [`Client::set_timeout`](crate::Client::set_timeout). No limit by default, or if zero.
    #[must_use]
    pub fn operation_timeout(mut self, limit: Duration) -> Self {
        self.endpoint.session.operation_timeout = (!limit.is_zero()).then_some(limit);
        self
    }

    /// How many statements each connection keeps prepared; 64 unless told otherwise, none if 0.
    #[must_use]
    pub fn statement_cache(mut self, size: usize) -> Self {
        self.endpoint.session.statement_cache = size;
        self
    }

    /// Asks the server to tell when the session's state changes (`session_track_state_change`), for
    /// [`Client::needs_reset`](crate::Client::needs_reset). Costs a statement at each connect.
    #[must_use]
    pub fn track_state(mut self, on: bool) -> Self {
        self.endpoint.session.track_state = on;
        self
    }

    /// Asks the server to tell GTIDs (`session_track_gtids`), for [`Client::last_gtid`](crate::Client::last_gtid). Costs a
    /// statement at each connect, the same as [`track_state`](Self::track_state) if both are asked for.
    #[must_use]
    pub fn track_gtids(mut self, gtids: TrackGtids) -> Self {
        self.endpoint.session.track_gtids = Some(gtids);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_statement_asks_for_all() {
        let mut options = SessionOptions::default();
        assert_eq!(options.tracking(), None);
        options.track_gtids = Some(TrackGtids::Own);
        assert_eq!(options.tracking().as_deref(), Some("SET SESSION session_track_gtids = OWN_GTID"));
        options.track_state = true;
        assert_eq!(
            options.tracking().as_deref(),
            Some("SET SESSION session_track_state_change = ON, SESSION session_track_gtids = OWN_GTID")
        );
    }
}
