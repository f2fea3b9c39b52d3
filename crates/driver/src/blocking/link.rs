use std::cell::RefCell;
use std::io;
use std::net::TcpStream;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::BytesMut;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, recv, send};

use super::waits;
use crate::Link;

/// Bytes read at once. Safe code cannot read into spare capacity, so each read goes through a buffer of the thread.
const SCRATCH: usize = 64 * 1024;

/// A peer that is gone is an error, not a signal; Apple's systems have an option of the socket for that, which std sets.
#[cfg(not(target_vendor = "apple"))]
const SEND: SendFlags = SendFlags::DONTWAIT.union(SendFlags::NOSIGNAL);
#[cfg(target_vendor = "apple")]
const SEND: SendFlags = SendFlags::DONTWAIT;

thread_local! {
    static SCRATCH_BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// A socket of std. It is put into blocking mode before the first call that may block; all others say that they do not.
pub(super) struct StdLink<S> {
    /// Those who wait for it know whether it is still there.
    stream: Arc<S>,
    connected: bool,
    blocking: bool,
}

/// The two kinds of stream.
pub(super) trait Stream: AsFd + Send + Sync + 'static {
    fn take_error(&self) -> io::Result<Option<io::Error>>;
    fn set_nonblocking(&self, on: bool) -> io::Result<()>;
}

macro_rules! stream {
    ($stream:ty) => {
        impl Stream for $stream {
            fn take_error(&self) -> io::Result<Option<io::Error>> {
                Self::take_error(self)
            }

            fn set_nonblocking(&self, on: bool) -> io::Result<()> {
                Self::set_nonblocking(self, on)
            }
        }
    };
}

stream!(TcpStream);
stream!(UnixStream);

impl<S: Stream> StdLink<S> {
    pub(super) fn new(stream: S) -> Self {
        Self { stream: Arc::new(stream), connected: false, blocking: false }
    }

    /// Ready with what a call gave; else it is called again when the socket is ready for `flags`.
    fn or_wait<T>(
        &self,
        result: Result<T, Errno>,
        flags: PollFlags,
        cx: &Context<'_>,
    ) -> Poll<io::Result<T>> {
        match result {
            // What an interrupted call would have given is found at the next poll.
            Err(Errno::AGAIN | Errno::INTR) => {
                waits::socket(&self.stream, flags, cx.waker());
                Poll::Pending
            }
            result => Poll::Ready(result.map_err(io::Error::from)),
        }
    }
}

impl<S: Stream> Link for StdLink<S> {
    fn poll_connected(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.connected {
            let mut fds = [PollFd::new(&*self.stream, PollFlags::OUT)];
            let now = Timespec { tv_sec: 0, tv_nsec: 0 };
            if poll(&mut fds, Some(&now))? == 0 {
                return self.or_wait(Err(Errno::AGAIN), PollFlags::OUT, cx);
            }
            self.connected = true;
        }
        Poll::Ready(self.stream.take_error()?.map_or(Ok(()), Err))
    }

    fn poll_readable(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        waits::socket(&self.stream, PollFlags::IN, cx.waker());
        Poll::Pending
    }

    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut BytesMut) -> Poll<io::Result<usize>> {
        let flags = if waits::may_block(&self.stream) {
            if !self.blocking {
                self.stream.set_nonblocking(false)?;
                self.blocking = true;
            }
            RecvFlags::empty()
        } else {
            RecvFlags::DONTWAIT
        };
        let room = (buf.capacity() - buf.len()).min(SCRATCH);
        let result = SCRATCH_BUFFER.with_borrow_mut(|scratch| {
            if scratch.len() < room {
                scratch.resize(room, 0);
            }
            let scratch = scratch.get_mut(..room).unwrap_or_default();
            let (received, _) = recv(&*self.stream, &mut *scratch, flags)?;
            buf.extend_from_slice(scratch.get(..received).unwrap_or_default());
            Ok(received)
        });
        self.or_wait(result, PollFlags::IN, cx)
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let result = send(&*self.stream, bytes, SEND);
        self.or_wait(result, PollFlags::OUT, cx)
    }

    // A socket that is dropped is closed; a shutdown before would be one more system call.
    fn poll_close(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::io::Write as _;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread;
    use std::time::{Duration, Instant};

    use super::*;
    use crate::Runtime as _;
    use crate::blocking::{Blocking, block_on};

    const SOON: Duration = Duration::from_millis(20);

    fn link() -> (StdLink<UnixStream>, UnixStream) {
        let (near, far) = UnixStream::pair().unwrap();
        near.set_nonblocking(true).unwrap();
        let mut link = StdLink::new(near);
        block_on(poll_fn(|cx| link.poll_connected(cx))).unwrap();
        (link, far)
    }

    #[test]
    fn what_comes_late_is_read_and_so_is_the_end() {
        let (mut link, mut far) = link();
        let writer = thread::spawn(move || {
            thread::sleep(SOON);
            far.write_all(b"late").unwrap();
        });
        let mut buf = BytesMut::with_capacity(16);
        let mut polls = 0;
        let read = block_on(poll_fn(|cx| {
            polls += 1;
            link.poll_read(cx, &mut buf)
        }));
        // The second read blocked until there was something.
        assert_eq!((read.unwrap(), &buf[..], polls), (4, &b"late"[..], 2));
        writer.join().unwrap();
        assert_eq!(block_on(poll_fn(|cx| link.poll_read(cx, &mut buf))).unwrap(), 0);
    }

    /// If the read blocked, this would never end.
    #[test]
    fn a_read_does_not_block_when_another_thread_may_wake_this_one() {
        let (mut link, _far) = link();
        let done = Arc::new(AtomicBool::new(false));
        let mut other = None;
        block_on(poll_fn(|cx| {
            assert!(link.poll_read(cx, &mut BytesMut::with_capacity(16)).is_pending());
            let (waker, flag) = (cx.waker().clone(), Arc::clone(&done));
            other.get_or_insert_with(|| {
                thread::spawn(move || {
                    thread::sleep(SOON);
                    flag.store(true, Ordering::SeqCst);
                    waker.wake();
                })
            });
            if done.load(Ordering::SeqCst) { Poll::Ready(()) } else { Poll::Pending }
        }));
        other.unwrap().join().unwrap();
    }

    #[test]
    fn a_read_does_not_block_beside_a_clock() {
        let (mut link, _far) = link();
        let mut timer = Blocking.timer();
        let at = Instant::now() + SOON;
        block_on(poll_fn(|cx| {
            assert!(link.poll_read(cx, &mut BytesMut::with_capacity(16)).is_pending());
            timer.poll_until(cx, at)
        }));
        assert!(Instant::now() >= at);
    }

    #[test]
    fn a_read_does_not_block_beside_another() {
        let ((mut one, _silent), (mut two, mut far)) = (link(), link());
        let writer = thread::spawn(move || {
            thread::sleep(SOON);
            far.write_all(b"x").unwrap();
        });
        let mut buf = BytesMut::with_capacity(16);
        let read = block_on(poll_fn(|cx| {
            assert!(one.poll_read(cx, &mut BytesMut::with_capacity(16)).is_pending());
            two.poll_read(cx, &mut buf)
        }));
        assert_eq!(read.unwrap(), 1);
        writer.join().unwrap();
    }

    #[test]
    fn a_write_that_is_blocked_waits_for_the_reader() {
        let (mut link, far) = link();
        let sent = vec![7; 1 << 20];
        let reader = thread::spawn(move || {
            thread::sleep(SOON);
            io::Read::read_exact(&mut &far, &mut vec![0; 1 << 20]).unwrap();
        });
        let mut left = &sent[..];
        while !left.is_empty() {
            let n = block_on(poll_fn(|cx| link.poll_write(cx, left))).unwrap();
            left = &left[n..];
        }
        reader.join().unwrap();
    }
}
