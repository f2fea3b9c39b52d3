//! porpoise on async-std, and on any futures-io stream (smol).
//!
//! async-std and smol share a reactor (`async-io`), so [`ASYNC_STD`] works on both executors. [`IoLink`] makes a
//! link of any stream that has futures-io's traits: a tunnel, a proxy's stream, a test's pipe.
//!
//! ```
//! use std::sync::Arc;
//!
//! use porpoise_driver::{Client, Options};
//! use porpoise_rt_async_std::ASYNC_STD;
//!
//! # fn server() -> std::io::Result<u16> {
//! #     use std::io::{Read, Write};
//! #     let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
//! #     let port = listener.local_addr()?.port();
//! #     std::thread::spawn(move || -> std::io::Result<()> {
//! #         let (mut client, _) = listener.accept()?;
//! #         client.write_all(b"\x49\0\0\x00\x0a9.7.4\0\x08\0\0\0ABCDEFGH\0\xff\xf7\xff\x02\0\xff\xdf\x15\0\0\0\0\0\0\0\0\0\0")?;
//! #         client.write_all(b"IJKLMNOPQRST\0caching_sha2_password\0")?;
//! #         client.read(&mut [0; 512])?;
//! #         client.write_all(b"\x07\0\0\x02\0\0\0\x02\0\0\0")?;
//! #         client.read(&mut [0; 512])?;
//! #         client.write_all(b"\x07\0\0\x01\0\0\0\x02\0\0\0")
//! #     });
//! #     Ok(port)
//! # }
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let port = server()?;
//! let options = Options::from_url(&format!("mysql://dolphin@127.0.0.1:{port}/?connect-timeout=5"))?;
//! async_std::task::block_on(async {
//!     let mut client = Client::connect(ASYNC_STD, Arc::new(options)).await?;
//!     client.ping().await?;
//!     client.close().await
//! })?;
//! # Ok(())
//! # }
//! ```

use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use async_io::{Async, Timer as Sleep};
use async_std::net::ToSocketAddrs;
use bytes::BytesMut;
use futures::io::{AsyncRead, AsyncWrite};
use porpoise_driver::{BoxFuture, Link, Runtime, Socket, Timer};

/// Bytes read at once. futures-io cannot read into spare capacity in safe code, so each read goes through a slice
/// of this size.
const SCRATCH: usize = 16 * 1024;

/// async-std, or smol: any executor over the `async-io` reactor.
pub const ASYNC_STD: &dyn Runtime = &AsyncStd;

/// porpoise's view of async-std; see [`ASYNC_STD`].
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct AsyncStd;

impl Runtime for AsyncStd {
    fn name(&self) -> &'static str {
        "async-std"
    }

    fn link(&self, socket: Socket) -> io::Result<Box<dyn Link>> {
        match socket {
            Socket::Tcp(stream) => {
                Ok(Box::new(Pending::new(Async::new_nonblocking(stream)?, TcpStream::take_error)))
            }
            Socket::Unix(stream) => {
                Ok(Box::new(Pending::new(Async::new_nonblocking(stream)?, UnixStream::take_error)))
            }
            other => Err(io::Error::new(io::ErrorKind::Unsupported, format!("{other:?}"))),
        }
    }

    fn resolve(&self, host: &str, port: u16) -> BoxFuture<io::Result<Vec<SocketAddr>>> {
        let host = host.to_owned();
        Box::pin(async move { Ok((&*host, port).to_socket_addrs().await?.collect()) })
    }

    fn timer(&self) -> Box<dyn Timer> {
        Box::new(SleepTimer { sleep: None })
    }
}

struct SleepTimer {
    sleep: Option<(Instant, Sleep)>,
}

impl Timer for SleepTimer {
    fn poll_until(&mut self, cx: &mut Context<'_>, at: Instant) -> Poll<()> {
        match &mut self.sleep {
            Some((set, sleep)) => {
                if *set != at {
                    sleep.set_at(at);
                    *set = at;
                }
                Pin::new(sleep).poll(cx).map(drop)
            }
            none => {
                let (_, sleep) = none.insert((at, Sleep::at(at)));
                Pin::new(sleep).poll(cx).map(drop)
            }
        }
    }
}

/// A socket whose connect may not be over.
struct Pending<S> {
    link: IoLink<Async<S>>,
    take_error: fn(&S) -> io::Result<Option<io::Error>>,
}

impl<S> Pending<S> {
    fn new(stream: Async<S>, take_error: fn(&S) -> io::Result<Option<io::Error>>) -> Self {
        Self { link: IoLink::new(stream), take_error }
    }
}

impl<S> Link for Pending<S>
where
    S: Send + Sync,
    Async<S>: AsyncRead + AsyncWrite + Unpin,
{
    fn poll_connected(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.link.stream.poll_writable(cx))?;
        Poll::Ready((self.take_error)(self.link.stream.get_ref())?.map_or(Ok(()), Err))
    }

    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut BytesMut) -> Poll<io::Result<usize>> {
        self.link.poll_read(cx, buf)
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.link.poll_write(cx, bytes)
    }

    // A socket that is dropped is closed; a shutdown before would be one more system call.
    fn poll_close(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// A link of any connected futures-io stream.
#[derive(Debug)]
pub struct IoLink<S> {
    stream: S,
}

impl<S> IoLink<S> {
    /// A link of a stream that is connected.
    pub const fn new(stream: S) -> Self {
        Self { stream }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Link for IoLink<S> {
    fn poll_connected(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut BytesMut) -> Poll<io::Result<usize>> {
        let mut scratch = [0; SCRATCH];
        let room = (buf.capacity() - buf.len()).min(SCRATCH);
        let scratch = scratch.get_mut(..room).unwrap_or_default();
        let n = ready!(Pin::new(&mut self.stream).poll_read(cx, scratch))?;
        buf.extend_from_slice(scratch.get(..n).unwrap_or_default());
        Poll::Ready(Ok(n))
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_close(cx)
    }
}
