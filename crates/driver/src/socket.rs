//! Opens sockets: the one place that sets their options.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use socket2::{Domain, Protocol, SockAddr, Socket as Raw, TcpKeepalive, Type};

/// A non-blocking socket whose connect has begun.
#[derive(Debug)]
#[non_exhaustive]
pub enum Socket {
    /// TCP.
    Tcp(TcpStream),
    /// A Unix socket.
    Unix(UnixStream),
}

/// Whether and when the operating system probes a silent connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keepalive {
    Off,
    /// After the system's own time, commonly two hours.
    System,
    After(Duration),
}

impl Keepalive {
    pub(crate) fn of(idle: Option<Duration>) -> Self {
        idle.map_or(Self::Off, Self::After)
    }
}

/// What a TCP socket is set up with.
#[derive(Clone, Debug)]
pub(crate) struct SocketOptions {
    pub(crate) nodelay: bool,
    pub(crate) keepalive: Keepalive,
    pub(crate) bind: Vec<IpAddr>,
}

impl Default for SocketOptions {
    fn default() -> Self {
        Self { nodelay: true, keepalive: Keepalive::System, bind: Vec::new() }
    }
}

/// Begins a TCP connect. `true`: it is connected already.
pub(crate) fn tcp(address: SocketAddr, options: &SocketOptions) -> io::Result<(Socket, bool)> {
    let socket = Raw::new(Domain::for_address(address), Type::STREAM.nonblocking(), Some(Protocol::TCP))?;
    if options.nodelay {
        socket.set_tcp_nodelay(true)?;
    }
    match options.keepalive {
        Keepalive::Off => {}
        Keepalive::System => socket.set_keepalive(true)?,
        Keepalive::After(idle) => socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(idle))?,
    }
    if !options.bind.is_empty() {
        bind(&socket, address, &options.bind)?;
    }
    let connected = match socket.connect(&address.into()) {
        Ok(()) => true,
        // A connect on the same machine is over before this question is asked, which saves waiting for it.
        Err(e) if in_progress(&e) => socket.peer_addr().is_ok(),
        Err(e) => return Err(e),
    };
    Ok((Socket::Tcp(socket.into()), connected))
}

/// Binds to the first local address of the right family that works.
fn bind(socket: &Raw, address: SocketAddr, candidates: &[IpAddr]) -> io::Result<()> {
    let mut last =
        io::Error::new(io::ErrorKind::AddrNotAvailable, "no bind-address of the server's address family");
    for local in candidates.iter().filter(|local| local.is_ipv4() == address.is_ipv4()) {
        match socket.bind(&SocketAddr::new(*local, 0).into()) {
            Ok(()) => return Ok(()),
            Err(e) => last = e,
        }
    }
    Err(last)
}

/// Connects a Unix socket, which succeeds or fails at once. [`io::ErrorKind::WouldBlock`] means that the server's
/// backlog is full: try again.
pub(crate) fn unix(path: &Path) -> io::Result<Socket> {
    let socket = Raw::new(Domain::UNIX, Type::STREAM.nonblocking(), None)?;
    socket.connect(&SockAddr::unix(path)?)?;
    Ok(Socket::Unix(socket.into()))
}

fn in_progress(error: &io::Error) -> bool {
    error.raw_os_error() == Some(rustix::io::Errno::INPROGRESS.raw_os_error())
}
