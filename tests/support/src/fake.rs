//! A server on a socket that does as its script says.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use porpoise_driver::{Options, OptionsBuilder};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::read_packet;

/// How long a client may keep a server of this kind waiting.
const PATIENCE: Duration = Duration::from_secs(20);

/// One thing that a server does.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Act {
    /// Sends these bytes.
    Send(Vec<u8>),
    /// Reads a packet of one frame, whatever it is.
    Packet,
    /// Reads just these bytes.
    Expect(Vec<u8>),
    /// Reads so many bytes.
    Take(usize),
    /// Speaks TLS from here on.
    Tls(Arc<ServerConfig>),
    /// Says nothing more, and reads until the client closes.
    Mute,
}

/// A server on a port of this machine. Each connection has its script and is closed at its end. Dropping the server
/// closes the port.
#[derive(Debug)]
pub struct FakeServer {
    address: SocketAddr,
    heard: Arc<Mutex<Vec<Vec<u8>>>>,
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl FakeServer {
    /// A server that takes as many connections as there are scripts, one after the other.
    ///
    /// # Errors
    /// No port can be had.
    pub fn new(scripts: impl IntoIterator<Item = Vec<Act>>) -> io::Result<Self> {
        let scripts: Vec<_> = scripts.into_iter().collect();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let (heard, ended) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
        let (ear, end) = (Arc::clone(&heard), Arc::clone(&ended));
        let thread = std::thread::spawn(move || {
            for script in scripts {
                let Ok((stream, _)) = listener.accept() else { return };
                if end.load(Ordering::Acquire) {
                    return;
                }
                let mut inbox = Vec::new();
                // A client that goes away in the middle has its own view of that, which is what is tested.
                let _ = serve(stream, &script, &mut inbox);
                ear.lock().unwrap_or_else(PoisonError::into_inner).push(inbox);
            }
        });
        Ok(Self { address, heard, ended, thread: Some(thread) })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Options that lead there.
    #[must_use]
    pub fn options(&self) -> OptionsBuilder {
        Options::builder().host(&self.address.ip().to_string()).port(self.address.port())
    }

    /// What each connection's client sent, decrypted. Waits until all scripts are done.
    #[must_use]
    pub fn heard(mut self) -> Vec<Vec<u8>> {
        if let Some(thread) = self.thread.take() {
            // A panic there is one of the test.
            let _ = thread.join();
        }
        std::mem::take(&mut self.heard.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for FakeServer {
    fn drop(&mut self) {
        let Some(thread) = self.thread.take() else { return };
        self.ended.store(true, Ordering::Release);
        // Wakes the thread if it waits for a connection.
        let _ = TcpStream::connect(self.address);
        let _ = thread.join();
    }
}

fn serve(mut stream: TcpStream, script: &[Act], heard: &mut Vec<u8>) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_nodelay(true)?;
    let tls = script.iter().position(|act| matches!(act, Act::Tls(_))).unwrap_or(script.len());
    let (clear, rest) = script.split_at(tls);
    act(&mut stream, clear, heard)?;
    let Some((Act::Tls(config), rest)) = rest.split_first() else { return Ok(()) };
    let connection = ServerConnection::new(Arc::clone(config)).map_err(io::Error::other)?;
    act(&mut StreamOwned::new(connection, stream), rest, heard)
}

fn act(stream: &mut (impl Read + Write), acts: &[Act], heard: &mut Vec<u8>) -> io::Result<()> {
    for act in acts {
        let start = heard.len();
        match act {
            Act::Send(bytes) => {
                stream.write_all(bytes)?;
                stream.flush()?;
            }
            Act::Packet => heard.extend(read_packet(stream)?.ok_or(io::ErrorKind::UnexpectedEof)?),
            Act::Take(len) => {
                heard.resize(start + len, 0);
                stream.read_exact(heard.get_mut(start..).unwrap_or_default())?;
            }
            Act::Expect(bytes) => {
                heard.resize(start + bytes.len(), 0);
                stream.read_exact(heard.get_mut(start..).unwrap_or_default())?;
                if heard.get(start..) != Some(bytes) {
                    return Err(io::Error::other("something else came"));
                }
            }
            Act::Mute => {
                stream.read_to_end(heard)?;
            }
            Act::Tls(_) => return Err(io::Error::other("TLS inside TLS")),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use porpoise_driver::blocking;
    use porpoise_transport::{CaSource, SslMode};

    use super::{Act, FakeServer};
    use crate::{Authority, packet};

    /// The greeting of a server that has a plugin of its own kind, and TLS.
    fn greeting() -> Vec<u8> {
        let greeting = b"\x0a9.7.4\0\x08\0\0\0ABCDEFGH\0\xff\xff\xff\x02\0\xff\xdf\x15\0\0\0\0\0\0\0\0\0\0\
            IJKLMNOPQRST\0caching_sha2_password\0";
        packet(0, greeting)
    }

    const OK: &[u8] = &[0, 0, 0, 2, 0, 0, 0];

    #[test]
    fn a_login_inside_tls_is_heard() {
        let authority = Authority::new("CA of a test").unwrap();
        let script = vec![
            Act::Send(greeting()),
            Act::Take(36),
            Act::Tls(authority.server("a server").unwrap()),
            Act::Packet,
            Act::Send(packet(3, OK)),
            Act::Expect(packet(0, &[0x0e])),
            Act::Send(packet(1, OK)),
            Act::Mute,
        ];
        let server = FakeServer::new([script]).unwrap();
        let options = server.options().user("dolphin").ssl_mode(SslMode::VerifyCa);
        let options = options.tls(|tls| tls.ca.push(CaSource::Pem(authority.pem().into())));
        let mut client = blocking::connect(options.build().unwrap().into()).unwrap();
        client.ping().unwrap();
        client.close().unwrap();
        let heard = server.heard();
        assert!(heard[0].windows(8).any(|window| window == b"dolphin\0"));
        assert!(heard[0].ends_with(&packet(0, &[1])), "COM_QUIT");
    }

    #[test]
    fn a_server_can_be_dropped_unused() {
        drop(FakeServer::new([vec![Act::Mute], vec![]]).unwrap());
    }
}
