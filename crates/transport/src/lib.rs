//! A byte pump with no I/O: plaintext buffers on one side, wire bytes on the other, with or without TLS (rustls).

mod error;
mod no_tls;
mod options;
mod pipe;

use no_tls as backend;

pub use backend::TlsClient;
pub use error::{Alert, Fault, PemKind, TlsError};
pub use options::{CaSource, PemBytes, PemSource, SslMode, TlsOptions, TlsVersion, UnknownName};
pub use pipe::{Pipe, TlsFacts, TlsState};
