//! What the tests of this package share: a peer that does as its script says, and ways to watch a future.
//!
//! A [`Peer`] is a [`Link`](porpoise_driver::Link) in memory. It can deliver its bytes in any pieces, be
//! [`Pending`](std::task::Poll::Pending) on a seed, and end anywhere; it keeps every byte that the client sent.
//! What it allocates is not counted, so that [`watch::measure`] sees the client's memory only.

pub mod answers;
pub mod cases;
pub mod connects;
pub mod moody;
pub mod packets;
pub mod peer;
pub mod sockets;
pub mod talks;
pub mod tls;
pub mod watch;
pub mod x;

pub use moody::Moody;
pub use peer::{Act, Heard, Peer, Reply};
pub use sockets::Sockets;
