//! TLS against a rustls server in memory.

#![cfg(feature = "tls")]

mod certificates;
mod support;
