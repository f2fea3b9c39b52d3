//! A runtime without a runtime: the calling thread, a socket and `poll(2)`.
//!
//! The same futures run here as everywhere; [`block_on`] drives one on the calling thread. A read can go on while
//! a write is blocked, and deadlines hold. A thread that has nothing to wait for but one answer waits in `recv(2)`.
//!
//! ```no_run
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use std::sync::Arc;
//!
//! use porpoise_driver::Options;
//! use porpoise_driver::blocking::{BlockingClient, connect};
//!
//! let options = Arc::new(Options::from_url("mysql://user:password@db.example/test")?);
//! let mut client: BlockingClient = connect(options)?;
//! client.ping()?;
//! client.close()?;
//! # Ok(())
//! # }
//! ```

mod client;
mod link;
mod waits;
#[cfg(feature = "xproto")]
pub mod x;

use std::future::Future;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::pin::pin;
use std::sync::{Arc, mpsc};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

pub use self::client::{
    BlockingBigRows, BlockingCalls, BlockingClient, BlockingCursor, BlockingIter, BlockingReplies,
    BlockingResults, BlockingTransaction, cancel, connect, send,
};
use self::link::StdLink;
use self::waits::Bell;
use crate::{BoxFuture, Link, Runtime, Socket, Timer};

/// The calling thread as a runtime. Its futures must be driven by [`block_on`].
pub const BLOCKING: &dyn Runtime = &Blocking;

/// porpoise's view of the calling thread; see [`BLOCKING`].
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct Blocking;

/// Drives a future on this thread until it is done.
///
/// # Panics
/// When the operating system gives this thread no pair of sockets to be woken by.
pub fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let bell = match Bell::of_this_thread() {
        Ok(bell) => bell,
        Err(error) => panic!("no socket pair to wake this thread by: {error}"),
    };
    let waker = Waker::from(Arc::clone(&bell));
    let mut cx = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
            return output;
        }
        bell.sleep(&waker);
    }
}

impl Runtime for Blocking {
    fn name(&self) -> &'static str {
        "blocking"
    }

    fn link(&self, socket: Socket) -> io::Result<Box<dyn Link>> {
        Ok(match socket {
            Socket::Tcp(stream) => Box::new(StdLink::new(stream)),
            Socket::Unix(stream) => Box::new(StdLink::new(stream)),
        })
    }

    /// Looks the name up on a thread of its own, so that a deadline holds while the name service hangs.
    fn resolve(&self, host: &str, port: u16) -> BoxFuture<io::Result<Vec<SocketAddr>>> {
        let host = host.to_owned();
        let (found, result) = mpsc::channel();
        let mut search = Some((host, found));
        Box::pin(std::future::poll_fn(move |cx| {
            if let Some((host, found)) = search.take() {
                let waker = cx.waker().clone();
                std::thread::spawn(move || {
                    // Nobody listens any more if the connect was given up.
                    let _ = found.send((host.as_str(), port).to_socket_addrs().map(Iterator::collect));
                    waker.wake();
                });
            }
            match result.try_recv() {
                Ok(addresses) => Poll::Ready(addresses),
                Err(mpsc::TryRecvError::Empty) => Poll::Pending,
                Err(gone) => Poll::Ready(Err(io::Error::other(gone))),
            }
        }))
    }

    fn timer(&self) -> Box<dyn Timer> {
        Box::new(Clock(Arc::new(0)))
    }
}

/// A clock; the address of what it owns tells it from others.
struct Clock(Arc<u8>);

impl Timer for Clock {
    fn poll_until(&mut self, cx: &mut Context<'_>, at: Instant) -> Poll<()> {
        if at <= Instant::now() {
            return Poll::Ready(());
        }
        waits::time(&self.0, at, cx.waker());
        Poll::Pending
    }
}
