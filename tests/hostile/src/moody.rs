//! A runtime whose links are `Pending` every other time.

use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll};

use bytes::BytesMut;
use fastrand::Rng;
use porpoise_driver::{BoxFuture, Link, Runtime, Socket, Timer};

/// A runtime whose links are `Pending` by chance and wake at once: however fast a server is, a connect takes many
/// polls.
#[derive(Debug)]
pub struct Moody {
    inner: &'static dyn Runtime,
}

impl Moody {
    /// Links of this runtime, with moods.
    #[must_use]
    pub const fn new(inner: &'static dyn Runtime) -> Self {
        Self { inner }
    }
}

impl Runtime for Moody {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    fn link(&self, socket: Socket) -> io::Result<Box<dyn Link>> {
        Ok(Box::new(MoodyLink { inner: self.inner.link(socket)?, moods: Rng::new() }))
    }

    fn resolve(&self, host: &str, port: u16) -> BoxFuture<io::Result<Vec<SocketAddr>>> {
        self.inner.resolve(host, port)
    }

    fn timer(&self) -> Box<dyn Timer> {
        self.inner.timer()
    }
}

struct MoodyLink {
    inner: Box<dyn Link>,
    moods: Rng,
}

impl MoodyLink {
    fn refuses(&mut self, cx: &Context<'_>) -> bool {
        let refuses = self.moods.bool();
        if refuses {
            cx.waker().wake_by_ref();
        }
        refuses
    }
}

impl Link for MoodyLink {
    fn poll_connected(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.refuses(cx) { Poll::Pending } else { self.inner.poll_connected(cx) }
    }

    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut BytesMut) -> Poll<io::Result<usize>> {
        if self.refuses(cx) { Poll::Pending } else { self.inner.poll_read(cx, buf) }
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.refuses(cx) { Poll::Pending } else { self.inner.poll_write(cx, bytes) }
    }

    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.refuses(cx) { Poll::Pending } else { self.inner.poll_close(cx) }
    }
}
