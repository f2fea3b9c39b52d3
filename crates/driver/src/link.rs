use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::BytesMut;

use crate::Socket;

/// A boxed future that can move between threads.
pub type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// A stream of bytes in both directions: all that a runtime has to offer for one connection.
///
/// Nothing here blocks. A call that cannot go on returns [`Poll::Pending`] and wakes the task when it can.
pub trait Link: Send {
    /// Whether the connection that was begun before the link was made is there.
    ///
    /// # Errors
    /// Why it is not.
    fn poll_connected(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Pending as long as a read is surely in vain, and wakes the task when it no longer is. Asked before the first read
    /// after a write, since an answer takes its time; ready says nothing.
    fn poll_readable(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let _ = cx;
        Poll::Ready(())
    }

    /// Appends received bytes to `buf`, no more than its spare capacity, and says how many. 0 is the end.
    ///
    /// # Errors
    /// Reading failed.
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut BytesMut) -> Poll<io::Result<usize>>;

    /// Sends some of `bytes`, and says how many.
    ///
    /// # Errors
    /// Writing failed.
    fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>>;

    /// Says that nothing more will be sent, where dropping the link does not say it.
    ///
    /// # Errors
    /// The connection is broken already.
    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;
}

/// A clock that wakes.
pub trait Timer: Send {
    /// Ready once `at` has passed.
    fn poll_until(&mut self, cx: &mut Context<'_>, at: Instant) -> Poll<()>;
}

/// What a runtime adapter offers.
pub trait Runtime: fmt::Debug + Send + Sync {
    /// Its name, for reports.
    fn name(&self) -> &'static str;

    /// Makes a link of a socket that is non-blocking and perhaps not connected yet.
    ///
    /// # Errors
    /// The socket cannot be registered.
    fn link(&self, socket: Socket) -> io::Result<Box<dyn Link>>;

    /// Looks a host name up. Not called for address literals.
    fn resolve(&self, host: &str, port: u16) -> BoxFuture<io::Result<Vec<SocketAddr>>>;

    /// Makes a timer. Called only when there is a deadline.
    fn timer(&self) -> Box<dyn Timer>;
}
