//! What the bench programs share. Each program is one client; all have the same command line
//!
//! ```text
//! PROGRAM WORKLOAD [--n N] [--conc C] [--url mysql://user:pass@host:port/db] [--socket PATH] [--lean]
//! ```
//!
//! and print one line of JSON, a [`Report`]. Linking this crate brings a counting allocator.

mod alloc;
mod args;
mod meter;
pub mod work;

pub use alloc::Allocations;
pub use args::{Args, Workload};
pub use meter::{Idle, IdleReport, Meter, Report};

/// Whether a first login in TLS fills the server's cache of passwords. `PERF_NO_WARM` turns it off, for servers
/// that replay a recording.
#[must_use]
pub fn warm() -> bool {
    std::env::var_os("PERF_NO_WARM").is_none()
}
