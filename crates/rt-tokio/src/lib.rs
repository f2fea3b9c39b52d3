//! porpoise on tokio: links, timers, name lookup. Nothing else is here; the protocol is in `porpoise-driver`.
//!
//! ```
//! use std::sync::Arc;
//!
//! use porpoise_driver::{Client, Options};
//! use porpoise_rt_tokio::TOKIO;
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
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let port = server()?;
//! let options = Options::from_url(&format!("mysql://dolphin@127.0.0.1:{port}/?connect-timeout=5"))?;
//! let mut client = Client::connect(TOKIO, Arc::new(options)).await?;
//! client.ping().await?;
//! client.close().await?;
//! # Ok(())
//! # }
//! ```

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Instant;

use bytes::BytesMut;
use porpoise_driver::{BoxFuture, Link, Runtime, Socket, Timer};
use tokio::io::{AsyncReadExt, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::Sleep;

/// The tokio runtime. It must be running, with I/O and time enabled. Time is needed where a deadline, a timeout or the
/// [time for draining](porpoise_driver::OptionsBuilder::drain_budget), which is on by default, comes to be waited for.
pub const TOKIO: &dyn Runtime = &Tokio;

/// porpoise's view of tokio; see [`TOKIO`].
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct Tokio;

impl Runtime for Tokio {
    fn name(&self) -> &'static str {
        "tokio"
    }

    fn link(&self, socket: Socket) -> io::Result<Box<dyn Link>> {
        match socket {
            Socket::Tcp(stream) => Ok(Box::new(Tcp(TcpStream::from_std(stream)?))),
            Socket::Unix(stream) => Ok(Box::new(Unix(UnixStream::from_std(stream)?))),
            other => Err(io::Error::new(io::ErrorKind::Unsupported, format!("{other:?}"))),
        }
    }

    fn resolve(&self, host: &str, port: u16) -> BoxFuture<io::Result<Vec<SocketAddr>>> {
        let host = host.to_owned();
        Box::pin(async move { Ok(tokio::net::lookup_host((host, port)).await?.collect()) })
    }

    fn timer(&self) -> Box<dyn Timer> {
        Box::new(SleepTimer { sleep: Box::pin(tokio::time::sleep_until(Instant::now().into())) })
    }
}

struct SleepTimer {
    sleep: Pin<Box<Sleep>>,
}

impl Timer for SleepTimer {
    fn poll_until(&mut self, cx: &mut Context<'_>, at: Instant) -> Poll<()> {
        if self.sleep.deadline() != at.into() {
            self.sleep.as_mut().reset(at.into());
        }
        self.sleep.as_mut().poll(cx)
    }
}

struct Tcp(TcpStream);

struct Unix(UnixStream);

/// What both kinds of stream do alike.
macro_rules! link {
    ($link:ty) => {
        impl Link for $link {
            fn poll_connected(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                ready!(self.0.poll_write_ready(cx))?;
                Poll::Ready(self.0.take_error()?.map_or(Ok(()), Err))
            }

            fn poll_readable(&mut self, cx: &mut Context<'_>) -> Poll<()> {
                self.0.poll_read_ready(cx).map(drop)
            }

            fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut BytesMut) -> Poll<io::Result<usize>> {
                // `read_buf` clears the readiness after a partial read, which saves the system call that would
                // find nothing. It holds no state between polls.
                pin!(self.0.read_buf(buf)).poll(cx)
            }

            fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
                // A socket is nearly always ready to be written to. This spares the questions of those who may wait.
                match self.0.try_write(bytes) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        Pin::new(&mut self.0).poll_write(cx, bytes)
                    }
                    result => Poll::Ready(result),
                }
            }

            // A socket that is dropped is closed; a shutdown before would be one more system call.
            fn poll_close(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
                Poll::Ready(Ok(()))
            }
        }
    };
}

link!(Tcp);
link!(Unix);
