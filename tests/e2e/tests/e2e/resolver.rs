//! A runtime whose name service says what a test wants.

use std::io;
use std::net::SocketAddr;

use porpoise::driver::{BoxFuture, Link, Runtime, Socket, Timer};

/// A runtime for which every name has these addresses.
#[derive(Debug)]
pub(crate) struct Resolver {
    inner: &'static dyn Runtime,
    addresses: Vec<SocketAddr>,
}

impl Resolver {
    /// Runtimes live as long as the process, and so does this one.
    pub(crate) fn leak(inner: &'static dyn Runtime, addresses: Vec<SocketAddr>) -> &'static dyn Runtime {
        Box::leak(Box::new(Self { inner, addresses }))
    }
}

impl Runtime for Resolver {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    fn link(&self, socket: Socket) -> io::Result<Box<dyn Link>> {
        self.inner.link(socket)
    }

    fn resolve(&self, _: &str, _: u16) -> BoxFuture<io::Result<Vec<SocketAddr>>> {
        let addresses = self.addresses.clone();
        Box::pin(async move { Ok(addresses) })
    }

    fn timer(&self) -> Box<dyn Timer> {
        self.inner.timer()
    }
}
