//! Futures that may not take as long as they like.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::{Duration, Instant};

use porpoise::driver::Runtime;

/// A future's output, unless it takes longer than so many seconds.
pub(super) async fn within<F: Future>(runtime: &dyn Runtime, seconds: u64, future: F) -> Option<F::Output> {
    // More than a clock can count is for ever.
    let limit = Instant::now().checked_add(Duration::from_secs(seconds));
    let mut timer = limit.map(|limit| (runtime.timer(), limit));
    let mut future = pin!(future);
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => match &mut timer {
            Some((timer, limit)) => timer.poll_until(cx, *limit).map(|()| None),
            None => Poll::Pending,
        },
    })
    .await
}
