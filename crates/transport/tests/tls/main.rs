//! TLS against a rustls server in memory.

#![cfg(feature = "tls")]
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests may panic")]

mod certificates;
mod connection;
mod hostile;
mod support;
