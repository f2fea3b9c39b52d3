//! What a session keeps beside its connection once more was asked of it than plain statements.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use lru::LruCache;

use super::{Session, Statement};
use crate::care::Drain;
use crate::fence::Fence;
use crate::statement::Closes;
use crate::watch::Watch;
use crate::{Runtime, Timer};

#[derive(Default)]
pub(super) struct Care {
    /// Reading what a dropped call left.
    pub(super) drain: Option<Drain>,
    /// What is owed to the server before the next operation, and must be seen to succeed.
    pub(super) owed: VecDeque<Chore>,
    /// The chore whose reply is awaited.
    pub(super) chore: Option<Chore>,
    /// Statements that nobody uses any more. One for each session: it also tells whose a statement is.
    pub(super) closes: Option<Arc<Closes>>,
    /// Cursors that nobody reads any more.
    pub(super) cursors: Vec<u32>,
    /// The statements used last, by their text. Made when it is first used.
    pub(super) cache: Option<LruCache<Box<str>, Statement>>,
    /// Ids of statements and cursors, given out so far.
    pub(super) ids: u32,
    /// Keeps cancels away from operations that they are not for.
    pub(super) fence: Option<Arc<Fence<Session>>>,
    /// How long an operation may take.
    pub(super) timeout: Option<Duration>,
    /// The clock of the running operation.
    pub(super) watch: Option<Watch>,
    timer: Option<Box<dyn Timer>>,
    /// A transaction's guard is alive.
    pub(super) in_transaction: bool,
    /// Session.Reset was sent, and its reply is not read.
    pub(super) resetting: bool,
}

/// A message of the session's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Chore {
    /// Finds out whether a KILL came too late for its statement.
    Absorb,
    /// A transaction that was dropped.
    Rollback,
    /// A savepoint that was dropped.
    RollbackTo(u32),
}

impl Care {
    pub(super) fn for_timeout(timeout: Option<Duration>) -> Option<Box<Self>> {
        timeout.map(|_| Box::new(Self { timeout, ..Self::default() }))
    }

    /// Ready once `at` has passed.
    pub(super) fn poll_until(
        &mut self,
        at: Instant,
        runtime: &dyn Runtime,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        self.timer.get_or_insert_with(|| runtime.timer()).poll_until(cx, at)
    }

    /// The server has forgotten all that the session had.
    pub(super) fn forget_session(&mut self) {
        // Its statements' ids are given out anew, so none of the old ones must ever be closed.
        self.closes = None;
        self.cache = None;
        self.cursors.clear();
        self.owed.clear();
        self.in_transaction = false;
    }

    /// Whoever closes statements of this session.
    pub(super) fn closes(&mut self) -> &Arc<Closes> {
        self.closes.get_or_insert_default()
    }

    /// An id that no statement or cursor has.
    pub(super) fn next_id(&mut self) -> u32 {
        // After four milliards of them the first are long gone.
        self.ids = self.ids.wrapping_add(1).max(1);
        self.ids
    }

    /// The operation is over.
    pub(super) fn over(&mut self) {
        // A cancel that has begun goes on without its clock.
        self.watch = None;
        if let Some(fence) = &self.fence {
            fence.finish();
        }
    }

    /// An operation begins.
    pub(super) fn begin(&mut self) {
        self.drain = None;
        self.watch = self.timeout.map(Watch::new);
        if let Some(fence) = &self.fence {
            fence.begin();
        }
    }
}
