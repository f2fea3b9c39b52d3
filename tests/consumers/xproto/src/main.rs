//! Logs in to a scripted X Protocol server by SHA256_MEMORY and runs a statement, with `porpoise-xproto` alone.

use std::error::Error;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;

use bytes::{Bytes, BytesMut};
use porpoise_auth::{AuthStep, Channel, Exchange, Input, Mechanism, Policy, SaslSha256Memory, Secret};
use porpoise_trace::NoTrace;
use porpoise_wire::{Cx, Machine, Step};
use porpoise_xproto::{Connection, Event, messages::sql};

/// What the server says to each flight: a hello and a challenge, AuthenticateOk, the result of SELECT 1.
const REPLIES: [&[u8]; 3] = [
    b"\x05\0\0\0\x0b\x08\x05\x1a\0\x17\0\0\0\x03\x0a\x141234567890123456789\0",
    b"\x03\0\0\0\x04\x0a\0",
    b"\x06\0\0\0\x0c\x08\x01\x12\x011\x04\0\0\0\x0d\x0a\x01\x02\x01\0\0\0\x0e\x01\0\0\0\x11",
];

fn serve(mut socket: UnixStream) -> io::Result<()> {
    for reply in REPLIES {
        let mut length = [0; 4];
        socket.read_exact(&mut length)?;
        socket.read_exact(&mut vec![0; u32::from_le_bytes(length) as usize])?;
        socket.write_all(reply)?;
    }
    Ok(())
}

/// A connection, its socket, and the buffers that it is lent.
struct Line {
    connection: Connection,
    socket: UnixStream,
    rx: BytesMut,
    tx: BytesMut,
}

impl Line {
    fn call<R>(&mut self, call: impl FnOnce(&mut Connection, &mut Cx<'_, NoTrace>) -> R) -> R {
        call(&mut self.connection, &mut Cx::new(&mut self.rx, &mut self.tx, &mut NoTrace))
    }

    /// The next event; `None` when no reply is owed.
    fn next(&mut self) -> Result<Option<Event>, Box<dyn Error>> {
        loop {
            let step = self.call(|connection, cx| connection.advance(cx))?;
            self.socket.write_all(&self.tx.split())?;
            match step {
                Step::Event(event) => return Ok(Some(event)),
                Step::NeedRead { .. } => {
                    let mut scratch = [0; 512];
                    match self.socket.read(&mut scratch)? {
                        0 => return Err("the server closed the connection".into()),
                        n => self.rx.extend_from_slice(&scratch[..n]),
                    }
                }
                _ => return Ok(None),
            }
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let (socket, peer) = UnixStream::pair()?;
    let server = std::thread::spawn(move || serve(peer));
    let (rx, tx) = (BytesMut::new(), BytesMut::new());
    let mut line = Line { connection: Connection::new(Default::default()), socket, rx, tx };
    line.call(|connection, cx| connection.connected(cx));

    let (policy, password) = (Policy::default(), Secret::from("secret"));
    let exchange = Exchange::new(Channel::UnixSocket, &policy, "app", &password).schema("test");
    let (mut mechanism, mut data) = (SaslSha256Memory::new(), BytesMut::new());
    let step = mechanism.step(Input::Start { challenge: None }, &exchange, &mut data)?;
    assert!(matches!(step, AuthStep::Wait));
    line.call(|connection, cx| connection.authenticate_start(mechanism.name(), None, true, cx))?;
    while let Some(event) = line.next()? {
        match event {
            Event::AuthenticateContinue(challenge) => {
                let step = mechanism.step(Input::Packet(&challenge), &exchange, &mut data)?;
                assert!(matches!(step, AuthStep::Reply { last: true }));
                line.call(|connection, cx| connection.authenticate_continue(&data, cx))?;
            }
            other => println!("{other:?}"),
        }
    }

    let statement = sql::StmtExecute { stmt: Bytes::from_static(b"SELECT 1"), ..Default::default() };
    line.call(|connection, cx| connection.send(&statement, cx))?;
    let mut rows = 0;
    while let Some(event) = line.next()? {
        if let Event::Rows(batch) = event {
            rows += batch.len();
        }
    }
    assert_eq!(rows, 1);
    println!("{} in {}", rows, line.connection.state());
    server.join().map_err(|_| "the server panicked")??;
    Ok(())
}
