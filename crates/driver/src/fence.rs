//! Keeps cancels away from operations that they are not for.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// A connection that sends a KILL.
pub(crate) trait Killer {
    /// Ready when it has no reply to wait for any more. `false`: it broke before, and nobody knows what became of its KILL.
    fn poll_rest(&mut self, cx: &mut Context<'_>) -> Poll<bool>;
}

/// Between a client and those who cancel its operations.
pub(crate) struct Fence<K>(Mutex<State<K>>);

struct State<K> {
    /// The operation that runs, or ran last.
    number: u64,
    running: bool,
    /// How many KILLs are on their way.
    killing: usize,
    /// Connections whose KILL nobody waits for any more.
    left: Vec<K>,
    /// A KILL was sent since the last operation began.
    sent: bool,
    /// Nobody knows whether a KILL is still to come.
    lost: bool,
    waiting: Option<Waker>,
}

impl<K> Default for State<K> {
    fn default() -> Self {
        Self {
            number: 0,
            running: false,
            killing: 0,
            left: Vec::new(),
            sent: false,
            lost: false,
            waiting: None,
        }
    }
}

impl<K> State<K> {
    const fn is_running(&self, number: u64) -> bool {
        self.running && self.number == number
    }
}

/// What [`Fence::poll_quiet`] found.
pub(crate) enum Quiet {
    /// No KILL is on its way, and none was.
    Yes,
    /// None is any more, but the server may have one that hit nothing.
    Absorb,
    /// One may come at any time.
    Lost,
}

impl<K> Fence<K> {
    /// `running`: it begins with the operation that is running now.
    pub(crate) fn new(running: bool) -> Arc<Self> {
        Arc::new(Self(Mutex::new(State { running, ..State::default() })))
    }

    /// The operation that runs, or ran last.
    pub(crate) fn number(&self) -> u64 {
        self.lock().number
    }

    /// Whether this operation is running.
    pub(crate) fn is_running(&self, number: u64) -> bool {
        self.lock().is_running(number)
    }

    fn lock(&self) -> MutexGuard<'_, State<K>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The operation is over. Ready when no KILL for it is on its way.
    pub(crate) fn poll_quiet(&self, cx: &mut Context<'_>) -> Poll<Quiet>
    where
        K: Killer,
    {
        let mut state = self.lock();
        state.running = false;
        while let Some(killer) = state.left.last_mut() {
            match killer.poll_rest(cx) {
                Poll::Ready(whole) => {
                    state.left.pop();
                    state.lost |= !whole;
                }
                Poll::Pending => return Poll::Pending,
            }
        }
        if state.lost {
            return Poll::Ready(Quiet::Lost);
        }
        if state.killing > 0 {
            state.waiting = Some(cx.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(if std::mem::take(&mut state.sent) { Quiet::Absorb } else { Quiet::Yes })
    }

    /// The operation is over; a KILL may still be on its way.
    pub(crate) fn finish(&self) {
        self.lock().running = false;
    }

    /// The next operation begins.
    pub(crate) fn begin(&self) {
        let mut state = self.lock();
        state.number += 1;
        state.running = true;
    }

    /// A KILL may be sent, if it is for the running operation.
    pub(crate) fn enter(&self, number: u64, killer: K) -> Option<Killing<'_, K>> {
        let mut state = self.lock();
        if !state.is_running(number) {
            return None;
        }
        state.killing += 1;
        state.sent = true;
        Some(Killing { fence: self, killer: Some(killer), lost: false })
    }
}

/// A KILL on its way.
pub(crate) struct Killing<'a, K> {
    fence: &'a Fence<K>,
    /// Who sends it. Still here when the cancel is dropped.
    pub(crate) killer: Option<K>,
    pub(crate) lost: bool,
}

impl<K> Drop for Killing<'_, K> {
    fn drop(&mut self) {
        let mut state = self.fence.lock();
        state.killing -= 1;
        state.lost |= self.lost;
        state.left.extend(self.killer.take());
        if let Some(waiting) = state.waiting.take() {
            waiting.wake();
        }
    }
}
