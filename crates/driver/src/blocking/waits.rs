//! What the futures of a thread wait for: sockets, times, and the bell that others ring.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Wake, Waker};
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

thread_local! {
    static WAITS: RefCell<Waits> = RefCell::default();
    static BELL: RefCell<Option<Arc<Bell>>> = const { RefCell::new(None) };
    /// The socket, by its address, that is all that this thread waits for.
    static ALONE: Cell<usize> = const { Cell::new(0) };
}

/// Who holds a bell when nobody can ring it from elsewhere: this thread, the `block_on` that sleeps, its waker, and the one wait.
const HOLDERS_ALONE: usize = 4;

/// Each wait has its own waker, for a future may hold many others and poll only those that were woken. It ends when it
/// is over, or when the one who waits is gone.
#[derive(Default)]
struct Waits {
    sockets: Vec<SocketWait>,
    /// By the address of the clock.
    times: BTreeMap<usize, TimeWait>,
}

struct SocketWait {
    /// The address of the socket, and what it is waited for.
    key: (usize, u16),
    socket: Weak<dyn AsFd>,
    flags: PollFlags,
    waker: Waker,
}

struct TimeWait {
    clock: Weak<u8>,
    until: Instant,
    waker: Waker,
}

/// Wakes when the socket is ready.
pub(super) fn socket<S: AsFd + 'static>(socket: &Arc<S>, flags: PollFlags, waker: &Waker) {
    let key = (Arc::as_ptr(socket).addr(), flags.bits());
    let weak: Weak<S> = Arc::downgrade(socket);
    let wait = SocketWait { key, socket: weak, flags, waker: waker.clone() };
    WAITS.with_borrow_mut(|waits| match waits.sockets.iter_mut().find(|wait| wait.key == key) {
        Some(known) => *known = wait,
        None => waits.sockets.push(wait),
    });
}

/// Whether a read from the socket may block, because nothing else can happen on this thread. Says so once for each sleep.
pub(super) fn may_block<S>(socket: &Arc<S>) -> bool {
    ALONE.replace(0) == Arc::as_ptr(socket).addr()
}

/// Wakes when the time has come.
pub(super) fn time(clock: &Arc<u8>, until: Instant, waker: &Waker) {
    let wait = TimeWait { clock: Arc::downgrade(clock), until, waker: waker.clone() };
    WAITS.with_borrow_mut(|waits| waits.times.insert(Arc::as_ptr(clock).addr(), wait));
}

/// Wakes a thread that is in `poll(2)`.
#[derive(Debug)]
pub(super) struct Bell {
    state: Mutex<BellState>,
    ring: UnixStream,
    hear: UnixStream,
}

#[derive(Debug, Default)]
struct BellState {
    rung: bool,
    /// The thread is in `poll(2)`, or about to be. Only then does it take a byte to wake it.
    asleep: bool,
    sent: bool,
}

impl Bell {
    pub(super) fn of_this_thread() -> io::Result<Arc<Self>> {
        BELL.with_borrow_mut(|bell| {
            if let Some(bell) = bell {
                return Ok(Arc::clone(bell));
            }
            let (ring, hear) = UnixStream::pair()?;
            ring.set_nonblocking(true)?;
            hear.set_nonblocking(true)?;
            Ok(Arc::clone(bell.insert(Arc::new(Self { state: Mutex::default(), ring, hear }))))
        })
    }

    fn state(&self) -> MutexGuard<'_, BellState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sleeps until a socket is ready, a time has come, or the bell rings; wakes whoever waited for it. Does not sleep
    /// when the bell rang since it was asked last; nor when one read is all that is waited for, which may then block.
    ///
    /// `waker` is the one that the future was polled with.
    pub(super) fn sleep(self: &Arc<Self>, waker: &Waker) {
        ALONE.set(0);
        let mut state = self.state();
        if !std::mem::take(&mut state.rung) {
            if Arc::strong_count(self) == HOLDERS_ALONE
                && let Some(socket) = WAITS.with_borrow_mut(|waits| waits.take_only_read(waker))
            {
                ALONE.set(socket);
                return;
            }
            state.asleep = true;
            drop(state);
            WAITS.with(|waits| waits.borrow_mut().poll(&self.hear)).into_iter().for_each(Waker::wake);
            state = self.state();
            (state.rung, state.asleep) = (false, false);
        }
        if std::mem::take(&mut state.sent) {
            let _ = (&self.hear).read(&mut [0; 16]);
        }
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let mut state = self.state();
        if state.asleep && !state.rung {
            state.sent = true;
            // A full pipe wakes as well as one more byte does.
            let _ = (&self.ring).write(&[1]);
        }
        state.rung = true;
    }
}

impl Waits {
    /// The socket that is waited for, if it is the only thing, and the one who waits is whom this waker wakes.
    fn take_only_read(&mut self, waker: &Waker) -> Option<usize> {
        let [only] = &self.sockets[..] else { return None };
        let read = only.flags == PollFlags::IN && only.socket.strong_count() > 0;
        let alone = self.times.is_empty() && read && only.waker.will_wake(waker);
        alone.then(|| self.sockets.pop()).flatten().map(|wait| wait.key.0)
    }

    /// Waits for the first of them. Gives the wakers of those that are over.
    fn poll(&mut self, bell: &UnixStream) -> Vec<Waker> {
        self.times.retain(|_, wait| wait.clock.strong_count() > 0);
        let timeout = self.times.values().map(|wait| wait.until).min().map(|until| {
            let left = until.saturating_duration_since(Instant::now());
            Timespec {
                tv_sec: left.as_secs().try_into().unwrap_or(i64::MAX),
                tv_nsec: left.subsec_nanos().into(),
            }
        });
        let mut sockets = Vec::with_capacity(self.sockets.len());
        self.sockets.retain(|wait| {
            let socket = wait.socket.upgrade();
            socket.map(|socket| sockets.push((socket, wait.flags))).is_some()
        });
        let mut fds = Vec::with_capacity(sockets.len() + 1);
        fds.push(PollFd::new(bell, PollFlags::IN));
        for (socket, flags) in &sockets {
            fds.push(PollFd::from_borrowed_fd(socket.as_fd(), *flags));
        }
        // An interruption is a reason to look again, like any other.
        let ready = poll(&mut fds, timeout.as_ref()).unwrap_or(0);
        let mut over = Vec::new();
        if ready > 0 {
            // What is waited for is in the same order as what was polled, behind the bell.
            let mut polled = fds.iter().skip(1).map(|fd| !fd.revents().is_empty());
            let ready = self.sockets.extract_if(.., |_| polled.next().unwrap_or(false));
            over.extend(ready.map(|wait| wait.waker));
        }
        if timeout.is_some() {
            let now = Instant::now();
            self.times.retain(|_, wait| {
                let due = wait.until <= now;
                over.extend(due.then(|| wait.waker.clone()));
                !due
            });
        }
        over
    }
}
