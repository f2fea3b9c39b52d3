//! A man in the middle who makes two sides believe that the other lacks a capability.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use porpoise_classic_connect::HandshakeV10;

use crate::read_packet;

/// Passes connections on to a server, with one capability bit cleared in what the server offers and in what the client
/// asks for. After the login packet, or the start of TLS, bytes go through as they are. Dropping it closes its port;
/// connections go on.
#[derive(Debug)]
pub struct ClearingProxy {
    address: SocketAddr,
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl ClearingProxy {
    /// A proxy before a server.
    ///
    /// # Errors
    /// No port can be had.
    pub fn new(server: SocketAddr, bit: u8) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let ended = Arc::new(AtomicBool::new(false));
        let end = Arc::clone(&ended);
        let thread = std::thread::spawn(move || {
            while let Ok((client, _)) = listener.accept() {
                if end.load(Ordering::Acquire) {
                    return;
                }
                // A side that goes away ends the connection, which the other side sees.
                std::thread::spawn(move || carry(client, server, bit));
            }
        });
        Ok(Self { address, ended, thread: Some(thread) })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for ClearingProxy {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Release);
        // Wakes the thread, which waits for a connection.
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn carry(mut client: TcpStream, server: SocketAddr, bit: u8) -> io::Result<()> {
    let mut server = TcpStream::connect(server)?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let Some(mut greeting) = read_packet(&mut server)? else { return Ok(()) };
    clear_offer(&mut greeting, bit);
    client.write_all(&greeting)?;
    let Some(mut login) = read_packet(&mut client)? else { return Ok(()) };
    // The capabilities are the first field of an SSLRequest and of a HandshakeResponse41 alike.
    if let Some(byte) = login.get_mut(4 + usize::from(bit / 8)) {
        *byte &= !(1 << (bit % 8));
    }
    server.write_all(&login)?;
    let (from, to) = (client.try_clone()?, server.try_clone()?);
    let up = std::thread::spawn(move || pass_on(from, to));
    pass_on(server, client)?;
    up.join().unwrap_or(Ok(()))
}

/// Clears a bit of the greeting's capabilities, which are in two pieces behind the version.
fn clear_offer(greeting: &mut [u8], bit: u8) {
    let Some(payload) = greeting.get(4..) else { return };
    let Ok(parsed) = HandshakeV10::parse(payload) else { return };
    // version 10 | server version, 00 | connection id | 8 bytes of the scramble | 00
    let low = 4 + 1 + parsed.server_version.len() + 1 + 4 + 8 + 1;
    // lower half | collation | status | upper half
    let at = if bit < 16 { low + usize::from(bit / 8) } else { low + 5 + usize::from(bit / 8 - 2) };
    if let Some(byte) = greeting.get_mut(at) {
        *byte &= !(1 << (bit % 8));
    }
}

fn pass_on(mut from: TcpStream, mut to: TcpStream) -> io::Result<()> {
    let mut bytes = [0; 4096];
    loop {
        let n = from.read(&mut bytes)?;
        if n == 0 {
            return to.shutdown(Shutdown::Write);
        }
        to.write_all(bytes.get(..n).unwrap_or_default())?;
    }
}

#[cfg(test)]
mod tests {
    use porpoise_classic::CapabilityFlags;
    use porpoise_classic_connect::HandshakeV10;

    use super::clear_offer;
    use crate::packet;

    #[test]
    fn just_that_bit_is_cleared() {
        let greeting = packet(
            0,
            b"\x0a9.7.4\0\x08\0\0\0ABCDEFGH\0\xff\xff\xff\x02\0\xff\xdf\x15\0\0\0\0\0\0\0\0\0\0IJKLMNOPQRST\0p\0",
        );
        let all = 0xdfff_ffff_u32;
        for bit in 0..32_u8 {
            let mut cleared = greeting.clone();
            clear_offer(&mut cleared, bit);
            let parsed = HandshakeV10::parse(&cleared[4..]).unwrap();
            assert_eq!(parsed.capabilities, CapabilityFlags::from_bits(all & !(1 << bit)), "{bit}");
        }
    }
}
