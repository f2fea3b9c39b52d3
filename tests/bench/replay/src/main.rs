//! A server that answers from a recording, so that a client's own cost can be measured without a database.
//!
//! `replay record` passes one connection on to a real server and keeps what that answered to each packet;
//! `replay serve` gives the same answers to the same packets, on any number of connections. It speaks the classic
//! protocol without TLS, and takes any login, since the greeting's nonce is the recorded one.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{BufWriter, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use anyhow::{Context as _, Result, bail, ensure};
use clap::Parser;

#[derive(Debug, Parser)]
enum Cli {
    /// Passes one connection on and keeps it. Prints the port it listens on.
    Record {
        /// The server.
        #[arg(long)]
        to: SocketAddr,
        /// The recording.
        #[arg(long)]
        tape: PathBuf,
    },
    /// Answers from a recording until it is killed. Prints the port it listens on.
    Serve {
        /// The recording.
        #[arg(long)]
        tape: PathBuf,
    },
}

/// What the server said: to begin with, to the login, and to each command. In a file: the packet, then the answer, each
/// behind its length.
#[derive(Debug, Default)]
struct Tape {
    exchanges: Vec<Exchange>,
}

impl Tape {
    fn save(&self, path: &PathBuf) -> Result<()> {
        let mut file = BufWriter::new(File::create(path)?);
        for Exchange { packet, answer } in &self.exchanges {
            for bytes in [packet, answer] {
                file.write_all(&bytes.len().to_le_bytes())?;
                file.write_all(bytes)?;
            }
        }
        Ok(file.flush()?)
    }

    fn load(path: &PathBuf) -> Result<Self> {
        let bytes = fs::read(path)?;
        let mut left = &bytes[..];
        let mut piece = || -> Result<Option<Vec<u8>>> {
            let Some((len, behind)) = left.split_first_chunk() else { return Ok(None) };
            let piece = behind.split_at_checked(usize::from_le_bytes(*len)).context("a short recording")?;
            left = piece.1;
            Ok(Some(piece.0.to_vec()))
        };
        let mut exchanges = Vec::new();
        while let Some(packet) = piece()? {
            exchanges.push(Exchange { packet, answer: piece()?.context("a short recording")? });
        }
        Ok(Self { exchanges })
    }
}

#[derive(Debug, Default)]
struct Exchange {
    /// A packet without its header; empty before the greeting.
    packet: Vec<u8>,
    /// All bytes that came after it and before the next.
    answer: Vec<u8>,
}

const QUIT: &[u8] = &[1];

fn main() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let port = listener.local_addr()?.port();
    match Cli::parse() {
        Cli::Record { to, tape } => {
            println!("{port}");
            record(&listener, to, tape)
        }
        Cli::Serve { tape } => {
            let answers = Arc::new(Answers::load(&tape)?);
            println!("{port}");
            for client in listener.incoming() {
                let (client, answers) = (client?, Arc::clone(&answers));
                // A client that goes away in the middle is that client's business.
                let serve = move || drop(answers.serve(client));
                thread::Builder::new().stack_size(256 << 10).spawn(serve)?;
            }
            Ok(())
        }
    }
}

/// Takes the first whole packet off the front.
fn take_packet(bytes: &mut Vec<u8>) -> Option<Vec<u8>> {
    let [a, b, c, _] = *bytes.first_chunk()?;
    let end = 4 + u32::from_le_bytes([a, b, c, 0]) as usize;
    (bytes.len() >= end).then(|| bytes.drain(..end).skip(4).collect())
}

fn record(listener: &TcpListener, to: SocketAddr, path: PathBuf) -> Result<()> {
    let (client, _) = listener.accept()?;
    let server = TcpStream::connect(to)?;
    let tape = Mutex::new(Tape { exchanges: vec![Exchange::default()] });
    let with_tape =
        |change: &dyn Fn(&mut Tape)| change(&mut tape.lock().unwrap_or_else(PoisonError::into_inner));
    thread::scope(|scope| {
        let answers = scope.spawn(|| {
            pass(&server, &client, |bytes| {
                with_tape(&|tape| {
                    if let Some(last) = tape.exchanges.last_mut() {
                        last.answer.extend_from_slice(bytes);
                    }
                });
            })
        });
        let mut received = Vec::new();
        // A packet is on the tape before the server has it, so that its answer finds it there.
        pass(&client, &server, |bytes| {
            received.extend_from_slice(bytes);
            while let Some(packet) = take_packet(&mut received) {
                with_tape(&|tape| {
                    tape.exchanges.push(Exchange { packet: packet.clone(), answer: Vec::new() })
                });
            }
        })?;
        answers.join().ok().context("the server's side failed")?
    })?;
    let tape = tape.into_inner().unwrap_or_else(PoisonError::into_inner);
    ensure!(tape.exchanges.len() > 2, "nothing was said");
    tape.save(&path)
}

/// Copies until the end.
fn pass(mut from: &TcpStream, mut to: &TcpStream, mut note: impl FnMut(&[u8])) -> Result<()> {
    to.set_nodelay(true)?;
    let mut buf = vec![0; 256 << 10];
    loop {
        let n = from.read(&mut buf).unwrap_or(0);
        note(&buf[..n]);
        if n == 0 || to.write_all(&buf[..n]).is_err() {
            // The other side may have gone first.
            let _ = to.shutdown(Shutdown::Write);
            return Ok(());
        }
    }
}

/// A tape, ready to be looked up.
#[derive(Debug)]
struct Answers {
    greeting: Vec<u8>,
    login: Vec<u8>,
    commands: HashMap<Vec<u8>, Vec<u8>>,
}

impl Answers {
    fn load(path: &PathBuf) -> Result<Self> {
        let mut exchanges = Tape::load(path)?.exchanges.into_iter();
        let mut next = || exchanges.next().context("a recording without a login");
        let (greeting, login) = (next()?.answer, next()?.answer);
        // More data (fast), then OK: a login that was anything else cannot be replayed.
        ensure!(login.get(4..6) == Some(&[1, 3]), "the recorded login was not the fast one: {login:?}");
        Ok(Self { greeting, login, commands: exchanges.map(|one| (one.packet, one.answer)).collect() })
    }

    fn serve(&self, mut client: TcpStream) -> Result<()> {
        client.set_nodelay(true)?;
        client.write_all(&self.greeting)?;
        let mut buf = vec![0; 64 << 10];
        let mut received = Vec::new();
        let mut out = Vec::new();
        let mut logged_in = false;
        loop {
            let n = client.read(&mut buf)?;
            if n == 0 {
                return Ok(());
            }
            received.extend_from_slice(&buf[..n]);
            while let Some(packet) = take_packet(&mut received) {
                if !logged_in {
                    logged_in = true;
                    out.extend_from_slice(&self.login);
                } else if packet == QUIT {
                    return Ok(());
                } else if let Some(answer) = self.commands.get(&packet) {
                    out.extend_from_slice(answer);
                } else {
                    eprintln!("not on the tape: {:?}", String::from_utf8_lossy(&packet));
                    bail!("not on the tape");
                }
            }
            client.write_all(&out)?;
            out.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::take_packet;

    #[test]
    fn packets_are_taken_when_whole() {
        let mut bytes = b"\x01\0\0\0\x0e\x02\0\0\0\x03".to_vec();
        assert_eq!(take_packet(&mut bytes).as_deref(), Some(&b"\x0e"[..]));
        assert_eq!(take_packet(&mut bytes), None);
        bytes.push(b'x');
        assert_eq!(take_packet(&mut bytes).as_deref(), Some(&b"\x03x"[..]));
        assert!(bytes.is_empty());
    }
}
