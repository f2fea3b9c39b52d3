//! What `cargo xtask demo` shows where no real server can be had: the server's side of recorded conversations.
//!
//! `scripted_server CA_FILE SOCKET X_SOCKET` writes the certificate of its authority to CA_FILE, listens, and tells where:
//! one line `NAME PORT` for each conversation, and the Unix sockets' without a port. Each is had once. It ends with
//! its standard input.

use std::io::{self, Read as _, Write as _};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::Arc;
use std::{env, fs, thread};

use anyhow::{Context as _, Result, ensure};
use porpoise_test_support::{Act, Authority, Entry, FakeServer, Transcript, read_packet};
use rustls::ServerConfig;

/// The conversations over TCP: what they are called here, and their transcripts.
const CONVERSATIONS: [(&str, &str); 3] =
    [("tls", "sha2-full-tls"), ("tcp", "sha2-fast-plain"), ("wrong", "wrong-password-tls")];
/// The one over the Unix socket.
const SOCKET: &str = "sha2-full-unix";
/// X Protocol's first message on a connection: a notice (type 11) that says hello.
const X_HELLO: &[u8] = b"\x05\0\0\0\x0b\x08\x05\x1a\0";
/// A local notice (type 3): CLIENT_ID_ASSIGNED, 7; then AuthenticateOk.
const X_OK: &[u8] =
    b"\x0f\0\0\0\x0b\x08\x03\x10\x02\x1a\x08\x08\x0b\x12\x04\x08\x02\x18\x07\x03\0\0\0\x04\x0a\0";

fn main() -> Result<()> {
    let mut arguments = env::args().skip(1);
    let (ca, socket) = (arguments.next().context("no CA_FILE")?, arguments.next().context("no SOCKET")?);
    let x_socket = arguments.next().context("no X_SOCKET")?;
    let authority = Authority::new("CA of a scripted server")?;
    fs::write(&ca, authority.pem())?;
    let tls = authority.server("a scripted server")?;

    let mut servers = Vec::new();
    for (name, transcript) in CONVERSATIONS {
        servers.push((name, FakeServer::new([script(transcript, &tls)?])?));
    }
    servers.push(("x", FakeServer::new([vec![Act::Send(X_HELLO.into()), Act::Mute]])?));
    let greeting = entries(SOCKET)?.into_iter().find_map(|entry| match entry {
        Entry::Server(bytes) => Some(bytes),
        _ => None,
    });
    servers
        .push(("classic", FakeServer::new([vec![Act::Send(greeting.context("no greeting")?), Act::Mute]])?));
    let mut lines: String =
        servers.iter().map(|(name, server)| format!("{name} {}\n", server.address().port())).collect();
    serve_socket(Path::new(&socket))?;
    serve_x_socket(Path::new(&x_socket))?;
    lines.push_str("unix\n");
    io::stdout().write_all(lines.as_bytes())?;
    io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

/// The server's side of a transcript: it sends what it sent, and takes a packet where it took one.
fn script(name: &str, tls: &Arc<ServerConfig>) -> Result<Vec<Act>> {
    let mut acts = Vec::new();
    for entry in entries(name)? {
        match entry {
            Entry::Server(bytes) => acts.push(Act::Send(bytes)),
            Entry::Client { bytes, .. } => acts.extend((0..packets(&bytes)).map(|_| Act::Packet)),
            Entry::Tls { .. } => acts.push(Act::Tls(Arc::clone(tls))),
            _ => break,
        }
    }
    Ok(acts)
}

/// The same over a Unix socket.
fn serve_socket(path: &Path) -> Result<()> {
    let entries = entries(SOCKET)?;
    let listener = UnixListener::bind(path).with_context(|| path.display().to_string())?;
    thread::spawn(move || -> io::Result<()> {
        let (mut stream, _) = listener.accept()?;
        for entry in entries {
            match entry {
                Entry::Server(bytes) => stream.write_all(&bytes)?,
                Entry::Client { bytes, .. } => {
                    for _ in 0..packets(&bytes) {
                        read_packet(&mut stream)?;
                    }
                }
                _ => break,
            }
        }
        Ok(())
    });
    Ok(())
}

/// Lets everybody in over the X Protocol, who says what he says.
fn serve_x_socket(path: &Path) -> Result<()> {
    let listener = UnixListener::bind(path).with_context(|| path.display().to_string())?;
    thread::spawn(move || -> io::Result<()> {
        for stream in listener.incoming() {
            let mut stream = stream?;
            // The client goes first, but for the hello.
            stream.write_all(X_HELLO)?;
            let _ = stream.read(&mut [0; 512])?;
            // It may be gone: it only looks at the capabilities.
            let _ = stream.write_all(X_OK);
            let _ = stream.read(&mut [0; 512]);
        }
        Ok(())
    });
    Ok(())
}

fn entries(name: &str) -> Result<Vec<Entry>> {
    let text = fs::read_to_string(Transcript::path(name)).with_context(|| name.to_owned())?;
    let entries = Transcript::parse(&text)?.entries;
    ensure!(!entries.is_empty(), "{name} has nothing in it");
    Ok(entries)
}

/// How many packets there are.
fn packets(mut bytes: &[u8]) -> usize {
    let mut count = 0;
    while let Ok(Some(_)) = read_packet(&mut bytes) {
        count += 1;
    }
    count
}

#[cfg(test)]
mod tests {
    use porpoise_test_support::packet;

    use super::*;

    #[test]
    fn packets_are_counted() {
        assert_eq!(packets(&[packet(0, b"abc"), packet(1, b"")].concat()), 2);
        assert_eq!(packets(b""), 0);
    }

    #[test]
    fn every_conversation_is_there() {
        let tls = Authority::new("CA").unwrap().server("server").unwrap();
        for (name, transcript) in CONVERSATIONS {
            let script = script(transcript, &tls).unwrap();
            assert_eq!(script.iter().any(|act| matches!(act, Act::Tls(_))), name != "tcp");
        }
        assert!(!entries(SOCKET).unwrap().is_empty());
    }
}
