//! What a client keeps beside its session once more was asked of it than plain statements.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use crate::fence::Fence;
use crate::statement::{Closes, StatementCache, Use};
use crate::tracking::Tracked;
use crate::watch::Watch;
use crate::{Client, Options, Runtime, Timer};

#[derive(Default)]
pub(crate) struct Care {
    /// Reading what a dropped call left.
    pub(crate) drain: Option<Drain>,
    /// What is owed to the server before the next operation.
    pub(crate) owed: VecDeque<Chore>,
    /// The chore whose reply is awaited.
    pub(crate) chore: Option<Chore>,
    /// COM_RESET_CONNECTION was sent, and its reply is not read.
    pub(crate) resetting: bool,
    /// Commands were sent before the replies to earlier ones were read.
    pub(crate) pipelined: bool,
    /// Large rows come in parts.
    pub(crate) streaming: bool,
    /// Statements that nobody uses any more.
    pub(crate) closes: Option<Arc<Closes>>,
    cache: StatementCache,
    cursor_cache: StatementCache,
    /// Keeps cancels away from statements that they are not for.
    pub(crate) fence: Option<Arc<Fence<Client>>>,
    /// How long an operation may take.
    pub(crate) timeout: Option<Duration>,
    /// The clock of the running operation.
    pub(crate) watch: Option<Watch>,
    timer: Option<Box<dyn Timer>>,
    /// What the server tells about the session.
    pub(crate) tracked: Tracked,
    /// The session was reset, and no longer tells what the options ask for.
    pub(crate) untracked: bool,
    /// A transaction's guard is alive.
    pub(crate) in_transaction: bool,
}

/// A statement of the client's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Chore {
    /// Takes the KILL that came too late for its statement.
    Absorb,
    /// Begins the transaction that a characteristic is set for, so that it is used up.
    Begin,
    /// A transaction that was dropped.
    Rollback,
    /// Closes a cursor, or forgets long data.
    ResetStatement(u32),
}

/// How much of a dropped call's reply was read.
#[derive(Clone, Copy)]
pub(crate) struct Drain {
    /// The pipe's count when it began.
    pub(crate) from: u64,
    pub(crate) until: Option<Instant>,
}

impl Care {
    /// What these options ask for from the start.
    pub(crate) fn for_options(options: &Options) -> Option<Box<Self>> {
        let timeout = options.endpoint.session.operation_timeout?;
        Some(Box::new(Self { timeout: Some(timeout), ..Self::default() }))
    }

    /// Ready once `at` has passed.
    pub(crate) fn poll_until(
        &mut self,
        at: Instant,
        runtime: &dyn Runtime,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        self.timer.get_or_insert_with(|| runtime.timer()).poll_until(cx, at)
    }

    /// The server has forgotten all that the session had.
    pub(crate) fn forget_session(&mut self) {
        self.resetting = false;
        // Its statements' ids may be given out anew, so none of the old ones must ever be closed.
        self.closes = None;
        self.cache.clear();
        self.cursor_cache.clear();
        self.owed.clear();
        self.tracked.forget();
        (self.untracked, self.in_transaction) = (true, false);
    }

    /// The statements that were prepared for this.
    pub(crate) const fn cache(&mut self, use_: Use) -> &mut StatementCache {
        match use_ {
            Use::Plain => &mut self.cache,
            Use::Cursor => &mut self.cursor_cache,
        }
    }

    /// Whoever closes statements of this session.
    pub(crate) fn closes(&mut self) -> &Arc<Closes> {
        self.closes.get_or_insert_default()
    }

    /// Whether nothing is to be done between an operation and the next.
    #[inline]
    pub(crate) fn is_at_rest(&self) -> bool {
        let asks = self.fence.is_some() || self.timeout.is_some() || self.watch.is_some();
        let left = self.pipelined || self.streaming || self.resetting || self.drain.is_some();
        let owes = !self.owed.is_empty() || self.chore.is_some();
        !asks && !left && !owes && self.closes.as_ref().is_none_or(|closes| !closes.any())
    }

    /// The operation is over.
    pub(crate) fn over(&mut self) {
        // A cancel that has begun goes on without its clock.
        self.watch = None;
        if let Some(fence) = &self.fence {
            fence.finish();
        }
    }

    /// An operation begins.
    pub(crate) fn begin(&mut self) {
        self.drain = None;
        self.watch = self.timeout.map(Watch::new);
    }
}
