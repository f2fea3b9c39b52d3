//! The driver's whole connect, over a link that is a script in memory.

use std::future::Future as _;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use bytes::{BufMut as _, BytesMut};
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
    let link = Box::new(Script { answers: [GREETING, LOGIN_REPLY].iter(), owed: true });
    let connecting = pin!(Connecting::over(link, &Memory, Arc::clone(options)));
    match connecting.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(client) => client.context("connecting"),
        Poll::Pending => bail!("the script has come to its end"),
    }
}

/// Says the next of its answers after each write, and the first unasked.
#[derive(Debug)]
struct Script {
    answers: std::slice::Iter<'static, &'static [u8]>,
    owed: bool,
}

impl Link for Script {
    fn poll_connected(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_read(&mut self, _: &mut Context<'_>, buf: &mut BytesMut) -> Poll<io::Result<usize>> {
        if !std::mem::take(&mut self.owed) {
            return Poll::Pending;
        }
        let answer = self.answers.next().copied().unwrap_or_default();
        buf.put_slice(answer);
        Poll::Ready(Ok(answer.len()))
    }

    fn poll_write(&mut self, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.owed = true;
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
    use super::{Memory, connect};

    #[test]
    fn it_connects_each_time() {
        let options = Memory::options().unwrap();
        for _ in 0..3 {
            assert_eq!(connect(&options).unwrap().connection_id(), 8);
        }
    }
}
