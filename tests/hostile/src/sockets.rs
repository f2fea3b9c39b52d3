//! The server of a script behind real sockets.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, UnixListener};
use tokio::sync::oneshot;

use crate::{Act, Peer};

/// A server that runs its script for each connection, on a thread of its own. Dropping it ends it.
#[derive(Debug)]
pub struct Sockets {
    address: SocketAddr,
    path: PathBuf,
    end: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Sockets {
    /// Listens on a port and a Unix socket. The server waits so long before each piece that it sends, so that a
    /// client has to wait for it.
    ///
    /// # Errors
    /// It cannot.
    pub fn serve(script: &[Act], pause: Duration) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        // A thousand clients at a time are more than std's queue has room for.
        let tcp = runtime.block_on(async {
            let socket = TcpSocket::new_v4()?;
            socket.bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
            socket.listen(4096)
        })?;
        let address = tcp.local_addr()?;
        let path = std::env::temp_dir().join(format!("porpoise-{}-{}", std::process::id(), address.port()));
        let unix = std::os::unix::net::UnixListener::bind(&path)?;
        unix.set_nonblocking(true)?;
        let (end, ended) = oneshot::channel();
        let script: Arc<[Act]> = script.into();
        let thread = std::thread::spawn(move || {
            let served = runtime.block_on(async {
                let unix = UnixListener::from_std(unix)?;
                tokio::select! {
                    result = accept(&tcp, &unix, &script, pause) => result,
                    _ = ended => Ok(()),
                }
            });
            if let Err(error) = served {
                panic!("the scripted server: {error}");
            }
        });
        Ok(Self { address, path, end: Some(end), thread: Some(thread) })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where its Unix socket is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Sockets {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        let _ = std::fs::remove_file(&self.path);
    }
}

async fn accept(tcp: &TcpListener, unix: &UnixListener, script: &[Act], pause: Duration) -> io::Result<()> {
    loop {
        let peer = Peer::new(script);
        tokio::select! {
            stream = tcp.accept() => drop(tokio::spawn(talk(stream?.0, peer, pause))),
            stream = unix.accept() => drop(tokio::spawn(talk(stream?.0, peer, pause))),
        }
    }
}

/// Ends when the client goes away, which is what these tests are about.
async fn talk(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    peer: Peer,
    pause: Duration,
) -> io::Result<()> {
    let mut buf = vec![0; 16 << 10];
    loop {
        while let Some(bytes) = peer.speak(buf.len()) {
            if bytes.is_empty() {
                return Ok(());
            }
            tokio::time::sleep(pause).await;
            stream.write_all(&bytes).await?;
        }
        let n = stream.read(&mut buf).await?;
        if n == 0 {
            return Ok(());
        }
        peer.listen(buf.get(..n).unwrap_or_default());
    }
}
