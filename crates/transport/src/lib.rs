//! A byte pump with no I/O: plaintext buffers on one side, wire bytes on the other, with or without TLS.
//!
//! [`Pipe`] stands between a protocol machine and a socket, and owns neither. It starts plain; protocols that turn to TLS
//! in the middle of a connection, as MySQL's do, call [`Pipe::start_tls`] when they have agreed on it. The handshake's
//! state is in the pipe too, so blocking sockets, tokio, async-std and tests share all of it, and a future
//! that is dropped half way loses nothing. TLS is rustls with aws-lc-rs; what is trusted follows MySQL's options.
//!
//! # A client over a blocking socket
//!
//! This is all that an adapter has to do. Another runtime puts its own reads and writes in.
//!
//! ```
//! use std::io::{self, Read, Write};
//! use porpoise_transport::Pipe;
//!
//! fn flush(pipe: &mut Pipe, socket: &mut impl Write) -> io::Result<()> {
//!     while pipe.wants_write() {
//!         let taken = socket.write(pipe.transmit().map_err(io::Error::other)?)?;
//!         pipe.transmitted(taken);
//!     }
//!     Ok(())
//! }
//!
//! fn fill(pipe: &mut Pipe, socket: &mut impl Read) -> io::Result<()> {
//!     let mut scratch = [0; 4096];
//!     let n = socket.read(&mut scratch)?;
//!     if n == 0 {
//!         return pipe.eof().map_err(io::Error::other);
//!     }
//!     pipe.recv_buf().extend_from_slice(&scratch[..n]);
//!     pipe.received().map_err(io::Error::other)
//! }
//!
//! # fn main() -> io::Result<()> {
//! # let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
//! # let address = listener.local_addr()?;
//! # let server = std::thread::spawn(move || -> io::Result<()> {
//! #     let (mut socket, _) = listener.accept()?;
//! #     let mut request = [0; 5];
//! #     socket.read_exact(&mut request)?;
//! #     assert_eq!(request, [1, 0, 0, 0, 0x0e]);
//! #     socket.write_all(&[7, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0])
//! # });
//! let mut socket = std::net::TcpStream::connect(address)?;
//! let mut pipe = Pipe::new();
//!
//! let (_, tx) = pipe.buffers();
//! tx.extend_from_slice(&[1, 0, 0, 0, 0x0e]); // any request, here MySQL's COM_PING
//! flush(&mut pipe, &mut socket)?;
//!
//! while pipe.buffers().0.len() < 11 {
//!     fill(&mut pipe, &mut socket)?;
//! }
//! let reply = pipe.buffers().0.split(); // or parse it in place
//! assert_eq!(reply[4], 0, "OK");
//! # server.join().unwrap()
//! # }
//! ```
//!
//! # TLS
//!
//! Options are checked, and files read, once for many connects. Sessions are resumed among connects of one [`TlsClient`]
//! and its clones.
//!
#![cfg_attr(feature = "tls", doc = "```")]
#![cfg_attr(not(feature = "tls"), doc = "```no_run")]
//! # fn main() -> Result<(), porpoise_transport::TlsError> {
//! use porpoise_transport::{Pipe, SslMode, TlsClient, TlsError, TlsOptions, TlsState};
//!
//! // Without a CA these modes cannot keep their promise.
//! let error = TlsClient::new(&TlsOptions::new(SslMode::VerifyIdentity)).unwrap_err();
//! assert_eq!(error.to_string(), "ssl-mode=VERIFY_IDENTITY needs a CA certificate and none is given");
//!
//! let client = TlsClient::new(&TlsOptions::new(SslMode::Required))?;
//! let mut pipe = Pipe::new();
//! pipe.start_tls(&client, "db.example.com")?;
//! assert_eq!(pipe.tls_state(), TlsState::Handshaking);
//! assert_eq!(pipe.transmit()?[0], 0x16); // the ClientHello, for the socket
//!
//! // What answers is not TLS.
//! pipe.recv_buf().extend_from_slice(b"HTTP/1.1 400 Bad Request\r\n");
//! let error = pipe.received().unwrap_err();
//! assert!(matches!(error, TlsError::NotTls { .. }));
//! assert_eq!(error.advice(), "Check that the port is the server's own and that no proxy in between ends TLS.");
//! # Ok(())
//! # }
//! ```
//!
//! - [`SslMode`] means what it means to MySQL's own clients. Giving a CA has the chain checked in every mode.
//! - Names are matched as OpenSSL does it: alternative names first, the common name when there is no dNSName, wildcards,
//!   addresses. MySQL's generated certificates have a common name only.
//! - The name is checked on each connect, resumed ones included, before the client's certificate or anything else of the
//!   client's answer leaves.
//! - A self-signed server certificate given as the CA is trusted, and so are certificates of X.509 version 1 issued by
//!   the CA itself, which is what `openssl x509 -req` makes. All of these must be in time.
//! - With revocation lists, each certificate below the CA must be covered by one that is in time.
//! - Bytes that came in the clear before TLS starts are an error, never input.
//! - The end of the stream is an error unless the server said goodbye: see [`Pipe::eof`].
//!
//! # What it costs
//!
//! Plain, nothing is copied: the adapter reads into the buffer that the machine parses, and writes from the one that
//! it encodes to. With TLS, ciphertext is decrypted where it was read to; rustls copies each record's plaintext once, the
//! pipe once more into one piece. Output is encrypted by rustls and copied once, into the buffer that is written from.
//!
//! # Features
//!
//! `tls` (default): without it there is no rustls, [`TlsClient::new`] fails with [`TlsError::NotBuilt`], and all else
//! stays as it is.

#[cfg(feature = "tls")]
mod client;
mod error;
#[cfg(feature = "tls")]
mod load;
#[cfg(feature = "tls")]
mod names;
#[cfg(not(feature = "tls"))]
mod no_tls;
mod options;
#[cfg(feature = "tls")]
mod outgoing;
mod pipe;
mod room;
#[cfg(feature = "tls")]
mod rustls_error;
#[cfg(feature = "tls")]
mod suites;
#[cfg(feature = "tls")]
mod tls;
#[cfg(feature = "tls")]
mod verify;

#[cfg(not(feature = "tls"))]
use no_tls as backend;
#[cfg(feature = "tls")]
use tls as backend;

pub use backend::TlsClient;
pub use error::{Alert, Fault, PemKind, TlsError};
pub use options::{CaSource, PemBytes, PemSource, SslMode, TlsOptions, TlsVersion, UnknownName};
pub use pipe::{Pipe, TlsFacts, TlsState};
