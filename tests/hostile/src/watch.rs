//! Ways to run a future and to see what it leaves behind.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

pub use allocation_counter::AllocationInfo;

/// Whether a future was woken.
#[derive(Debug, Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Polls futures, and knows when one waits for something that will not come.
#[derive(Debug)]
pub struct Poller {
    woken: Arc<Woken>,
    waker: Waker,
}

impl Default for Poller {
    fn default() -> Self {
        let woken = Arc::new(Woken::default());
        Self { waker: Waker::from(Arc::clone(&woken)), woken }
    }
}

impl Poller {
    /// The waker that it polls with.
    #[must_use]
    pub const fn waker(&self) -> &Waker {
        &self.waker
    }

    /// Polls a future until it is done, or has been polled `most` times. `None`: it is not done.
    ///
    /// # Panics
    /// When the future waits for something that will not come.
    pub fn poll_times<F: Future + ?Sized>(&self, mut future: Pin<&mut F>, most: usize) -> Option<F::Output> {
        let mut cx = Context::from_waker(&self.waker);
        for _ in 0..most {
            if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
                return Some(output);
            }
            assert!(self.woken.0.swap(false, Ordering::Relaxed), "it waits for what will not come");
        }
        None
    }
}

/// Polls a future until it is done.
///
/// # Panics
/// When the future waits for something that will not come.
pub fn run<F: Future>(future: F) -> F::Output {
    run_counted(future).0
}

/// Polls a future until it is done, and tells how many polls that took.
///
/// # Panics
/// When the future waits for something that will not come.
pub fn run_counted<F: Future>(future: F) -> (F::Output, usize) {
    let mut future = std::pin::pin!(future);
    let poller = Poller::default();
    let mut polls = 0;
    loop {
        polls += 1;
        if let Some(output) = poller.poll_times(future.as_mut(), 1) {
            return (output, polls);
        }
    }
}

/// Polls a future until it is done: `None` if it waits for what will not come.
pub fn settle<F: Future>(future: F) -> Option<F::Output> {
    let mut future = std::pin::pin!(future);
    let poller = Poller::default();
    let mut cx = Context::from_waker(&poller.waker);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
            return Some(output);
        }
        if !poller.woken.0.swap(false, Ordering::Relaxed) {
            return None;
        }
    }
}

/// A future that gives up after so many polls: `None`. What it polled is dropped with it, or not, as the caller has
/// it.
pub async fn give_up_after<F: Future + Unpin>(polls: usize, mut future: F) -> Option<F::Output> {
    let mut left = polls;
    std::future::poll_fn(move |cx| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        Pin::new(&mut future).poll(cx).map(Some)
    })
    .await
}

/// A future none of whose polls may take longer than a limit.
#[derive(Debug)]
pub struct Timed<F> {
    future: F,
    limit: Duration,
}

impl<F> Timed<F> {
    /// Watches a future.
    pub const fn new(future: F, limit: Duration) -> Self {
        Self { future, limit }
    }
}

impl<F: Future + Unpin> Future for Timed<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let start = Instant::now();
        let polled = Pin::new(&mut self.future).poll(cx);
        assert!(start.elapsed() < self.limit, "a poll took {:?}", start.elapsed());
        polled
    }
}

/// Runs `f`, and counts what it allocates on this thread.
pub fn measure<T>(f: impl FnOnce() -> T) -> (T, AllocationInfo) {
    let mut result = None;
    let info = allocation_counter::measure(|| result = Some(f()));
    match result {
        Some(result) => (result, info),
        None => unreachable!("measure runs what it is given"),
    }
}

/// How many files the process has open.
///
/// # Errors
/// There is no `/proc`.
pub fn open_files() -> std::io::Result<usize> {
    // The folder that is being read is one of them, each time.
    Ok(std::fs::read_dir("/proc/self/fd")?.count())
}
