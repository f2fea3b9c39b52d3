//! Two ends of a connection that is memory, with `porpoise-transport` alone: no socket, no runtime, any protocol.

use porpoise_transport::{Pipe, TlsError, TlsState};

/// Carries bytes from one end to the other, a few at a time, as a slow network would.
fn carry(from: &mut Pipe, to: &mut Pipe) -> Result<(), TlsError> {
    while from.wants_write() {
        let wire = from.transmit()?;
        let taken = wire.len().min(3);
        to.recv_buf().extend_from_slice(&wire[..taken]);
        from.transmitted(taken);
        to.received()?;
    }
    Ok(())
}

fn main() -> Result<(), TlsError> {
    let (mut client, mut server) = (Pipe::new(), Pipe::new());

    // A machine appends to the second buffer, and is shown the first.
    client.buffers().1.extend_from_slice(b"ping");
    carry(&mut client, &mut server)?;
    let (rx, tx) = server.buffers();
    assert_eq!(rx.split(), "ping");
    tx.extend_from_slice(b"pong, and more");
    carry(&mut server, &mut client)?;
    assert_eq!(client.buffers().0.split(), "pong, and more");

    assert_eq!(client.tls_state(), TlsState::Plain);
    println!("{} bytes out, {} bytes in", client.bytes_out(), client.bytes_in());
    assert_eq!((client.bytes_out(), client.bytes_in()), (4, 14));

    // An end without TLS ends when it ends; with TLS this would tell a cut from a goodbye.
    client.eof()
}
