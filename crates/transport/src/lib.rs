//! A byte pump with no I/O: plaintext buffers on one side, wire bytes on the other, with or without TLS (rustls).

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
