//! The driver's whole connect, over a link that is a script in memory.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use bytes::{BufMut as _, Bytes, BytesMut};
use porpoise_driver::{BoxFuture, Client, Connecting, Link, Options, Runtime, Socket, Timer};
use porpoise_transport::SslMode;

use crate::{GREETING, LOGIN_REPLY};

/// A runtime that has nothing: no sockets, no names, no time.
#[derive(Debug)]
pub struct Memory;

impl Memory {
    /// What every connect here connects with.
    ///
    /// # Errors
    /// None, or these options are wrong.
    pub fn options() -> Result<Arc<Options>> {
        let builder = Options::builder().host("127.0.0.1").ssl_mode(SslMode::Disabled);
        Ok(Arc::new(builder.user("pf_u").password("secret").database("pf_bench").build()?))
    }
}

/// Connects in one poll.
///
/// # Errors
/// The connect failed, or waited for something that the script does not have.
pub fn connect(options: &Arc<Options>) -> Result<Client> {
    connect_to(options, BytesMut::new())
}

/// The same, to a server that answers each command alike.
///
/// # Errors
/// As [`connect`].
pub fn connect_to(options: &Arc<Options>, answer: BytesMut) -> Result<Client> {
    let answer = answer.freeze();
    let link = Script {
        answers: [GREETING, LOGIN_REPLY].iter(),
        answer,
        owed: Bytes::from_static(&[]),
        asked: true,
    };
    now(Connecting::over(Box::new(link), &Memory, Arc::clone(options)))?.context("connecting")
}

/// The output of a future that has to wait for nothing but its turn.
///
/// # Errors
/// It waits.
pub fn now<F: Future>(future: F) -> Result<F::Output> {
    let woken = Arc::new(Woken(AtomicBool::new(false)));
    let waker = Waker::from(Arc::clone(&woken));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return Ok(output),
            // The driver lets others have a turn after so many reads, and is to be polled again.
            Poll::Pending if woken.0.swap(false, Ordering::Relaxed) => {}
            Poll::Pending => bail!("the script has come to its end"),
        }
    }
}

/// Whether the future asked to be polled again.
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Says the next of its answers after each write, and the first unasked; behind the last, the same again and again.
#[derive(Debug)]
struct Script {
    answers: std::slice::Iter<'static, &'static [u8]>,
    answer: Bytes,
    /// What is left of an answer.
    owed: Bytes,
    asked: bool,
}

impl Link for Script {
    fn poll_connected(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_read(&mut self, _: &mut Context<'_>, buf: &mut BytesMut) -> Poll<io::Result<usize>> {
        if std::mem::take(&mut self.asked) {
            self.owed =
                self.answers.next().map_or_else(|| self.answer.clone(), |answer| Bytes::from_static(answer));
        }
        if self.owed.is_empty() {
            return Poll::Pending;
        }
        let piece = self.owed.split_to(self.owed.len().min(buf.capacity() - buf.len()));
        buf.put_slice(&piece);
        Poll::Ready(Ok(piece.len()))
    }

    fn poll_write(&mut self, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.asked = true;
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_close(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl Runtime for Memory {
    fn name(&self) -> &'static str {
        "memory"
    }

    fn link(&self, _: Socket) -> io::Result<Box<dyn Link>> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn resolve(&self, _: &str, _: u16) -> BoxFuture<io::Result<Vec<SocketAddr>>> {
        Box::pin(std::future::ready(Err(io::ErrorKind::Unsupported.into())))
    }

    fn timer(&self) -> Box<dyn Timer> {
        Box::new(Self)
    }
}

impl Timer for Memory {
    fn poll_until(&mut self, _: &mut Context<'_>, _: Instant) -> Poll<()> {
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::{Memory, connect, connect_to, now};
    use crate::{OK, rows};

    #[test]
    fn it_connects_each_time() {
        let options = Memory::options().unwrap();
        for _ in 0..3 {
            assert_eq!(connect(&options).unwrap().connection_id(), 8);
        }
    }

    #[test]
    fn each_command_is_answered() {
        let options = Memory::options().unwrap();
        let mut client = connect_to(&options, OK.into()).unwrap();
        for _ in 0..3 {
            now(client.ping()).unwrap().unwrap();
        }
        // More than is read in one go.
        let mut client = connect_to(&options, rows(3000)).unwrap();
        for _ in 0..3 {
            let all: Vec<(u32, u32, u32, String)> = now(client.query_all("SELECT")).unwrap().unwrap();
            assert_eq!((all.len(), all[2999].0), (3000, 2999));
        }
    }
}
