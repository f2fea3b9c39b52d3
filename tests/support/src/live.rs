//! A wire to a server, over a blocking socket, which writes down what passes.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use bytes::BytesMut;
use porpoise_transport::{Alert, Pipe, TlsClient, TlsError, TlsState};
use porpoise_wire::{Lost, TlsInfo};

use crate::{Entry, Wire};

/// Where a server is.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Place {
    /// A port.
    Tcp(SocketAddr),
    /// A Unix socket.
    Unix(PathBuf),
}

/// Kills the statement that a session runs.
pub type Killer = Box<dyn FnMut(u32) -> Result<()>>;

/// A wire to a server. What passes is written down as machines see it, decrypted.
pub struct Live {
    place: Place,
    tls: Option<TlsClient>,
    timeout: Option<Duration>,
    killer: Option<Killer>,
    socket: Option<Box<dyn Socket>>,
    pipe: Pipe,
    entries: Vec<Entry>,
    /// What is read at once is of a size that this says, and nothing is written down.
    chance: Option<fastrand::Rng>,
    received: usize,
}

trait Socket: Read + Write + Send {}
impl<S: Read + Write + Send> Socket for S {}

impl fmt::Debug for Live {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Live").field("place", &self.place).finish_non_exhaustive()
    }
}

impl Live {
    /// A wire that is not dialed yet.
    #[must_use]
    pub fn new(place: Place, tls: Option<TlsClient>, timeout: Option<Duration>) -> Self {
        Self {
            place,
            tls,
            timeout,
            killer: None,
            socket: None,
            pipe: Pipe::new(),
            entries: Vec::new(),
            chance: None,
            received: 0,
        }
    }

    /// What the server sends is cut by chance, and what passes is not written down: for much of it.
    #[must_use]
    pub fn cut_by_chance(mut self, seed: u64) -> Self {
        self.chance = Some(fastrand::Rng::with_seed(seed));
        self
    }

    /// How many bytes came, decrypted.
    #[must_use]
    pub const fn received(&self) -> usize {
        self.received
    }

    /// Who kills statements when a step asks for it.
    #[must_use]
    pub fn with_killer(mut self, killer: Killer) -> Self {
        self.killer = Some(killer);
        self
    }

    /// What passed.
    #[must_use]
    pub fn into_entries(self) -> Vec<Entry> {
        self.entries
    }

    fn lost(&mut self, why: Lost) -> Lost {
        self.entries.push(Entry::lost(&why));
        why
    }

    /// Sends what is in the pipe.
    fn send(&mut self) -> Result<(), Lost> {
        while self.pipe.wants_write() {
            let bytes = self.pipe.transmit().map_err(tls_lost)?;
            let socket = self.socket.as_deref_mut().ok_or(Lost::Closed)?;
            let taken = socket.write(bytes).map_err(|error| Lost::Write(Arc::new(error)))?;
            self.pipe.transmitted(taken);
        }
        Ok(())
    }

    /// Reads once.
    fn receive(&mut self) -> Result<(), Lost> {
        let timeout = self.timeout;
        let mut scratch = [0; 4096];
        let most = self.chance.as_mut().map_or(scratch.len(), |chance| chance.usize(1..=4096));
        let room = scratch.get_mut(..most).unwrap_or_default();
        let socket = self.socket.as_deref_mut().ok_or(Lost::Closed)?;
        let read = match socket.read(room) {
            Ok(0) => return Err(self.pipe.eof().map_or_else(tls_lost, |()| Lost::Closed)),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                return Err(Lost::Deadline { after: timeout.unwrap_or_default(), stage: false });
            }
            Err(error) => return Err(Lost::Read(Arc::new(error))),
        };
        self.pipe.recv_buf().extend_from_slice(scratch.get(..read).unwrap_or_default());
        self.pipe.received().map_err(tls_lost)
    }

    fn handshake(&mut self) -> Result<TlsInfo, Lost> {
        let tls = self.tls.clone().ok_or_else(|| tls_lost(TlsError::NotBuilt))?;
        let Place::Tcp(address) = &self.place else { return Err(tls_lost(TlsError::NotBuilt)) };
        self.pipe.start_tls(&tls, &address.ip().to_string()).map_err(tls_lost)?;
        while self.pipe.tls_state() == TlsState::Handshaking {
            self.send()?;
            self.receive()?;
        }
        Ok(TlsInfo::new(self.pipe.tls_facts().is_some_and(|facts| facts.verified)))
    }
}

impl Wire for Live {
    fn dial(&mut self) -> Result<(), Lost> {
        let socket: io::Result<Box<dyn Socket>> = match &self.place {
            Place::Tcp(address) => TcpStream::connect(address).and_then(|socket| {
                socket.set_nodelay(true)?;
                socket.set_read_timeout(self.timeout)?;
                Ok(Box::new(socket) as _)
            }),
            Place::Unix(path) => UnixStream::connect(path).and_then(|socket| {
                socket.set_read_timeout(self.timeout)?;
                Ok(Box::new(socket) as _)
            }),
        };
        self.socket = Some(socket.map_err(|error| self.lost(Lost::Dial(Arc::new(error))))?);
        Ok(())
    }

    fn buffers(&mut self) -> (&mut BytesMut, &mut BytesMut) {
        self.pipe.buffers()
    }

    fn flush(&mut self) -> Result<(), Lost> {
        let (_, tx) = self.pipe.buffers();
        if !tx.is_empty() && self.chance.is_none() {
            self.entries.push(Entry::client(tx));
        }
        self.send().map_err(|why| self.lost(why))
    }

    fn exchange(&mut self) -> Result<(), Lost> {
        self.flush()?;
        let before = self.pipe.buffers().0.len();
        while self.pipe.buffers().0.len() == before {
            self.receive().map_err(|why| self.lost(why))?;
        }
        let received = self.pipe.buffers().0.get(before..).unwrap_or_default();
        self.received += received.len();
        if self.chance.is_none() {
            let entry = Entry::Server(received.to_vec());
            self.entries.push(entry);
        }
        Ok(())
    }

    fn start_tls(&mut self) -> Result<TlsInfo, Lost> {
        self.flush()?;
        let info = self.handshake().map_err(|why| self.lost(why))?;
        self.entries.push(Entry::Tls { verified: info.verified });
        Ok(info)
    }

    fn kill_query(&mut self, connection_id: u32) -> Result<()> {
        match &mut self.killer {
            Some(killer) => killer(connection_id),
            None => Ok(()),
        }
    }
}

fn tls_lost(error: TlsError) -> Lost {
    let unrecognized_name = matches!(error, TlsError::Alert(Alert::UNRECOGNIZED_NAME));
    Lost::Tls { error: Arc::new(error), unrecognized_name }
}
