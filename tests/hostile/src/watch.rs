//! Ways to run a future and to see what it leaves behind.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

pub use allocation_counter::AllocationInfo;

/// Whether a future was woken.
#[derive(Debug, Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Polls a future until it is done, or has been polled `most` times. `None`: it is not done.
///
/// # Panics
/// When the future waits for something that will not come.
pub fn poll_times<F: Future>(mut future: Pin<&mut F>, most: usize) -> Option<F::Output> {
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(Arc::clone(&woken));
    let mut cx = Context::from_waker(&waker);
    for _ in 0..most {
        if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
            return Some(output);
        }
        assert!(woken.0.swap(false, Ordering::Relaxed), "it waits for what will not come");
    }
    None
}

/// Polls a future until it is done.
///
/// # Panics
/// When the future waits for something that will not come.
pub fn run<F: Future>(future: F) -> F::Output {
    let mut future = std::pin::pin!(future);
    loop {
        if let Some(output) = poll_times(future.as_mut(), usize::MAX) {
            return output;
        }
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
