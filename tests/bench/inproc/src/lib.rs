//! Connects over memory: no socket, no runtime, no server, so that a count of instructions is the client's own and
//! the same each time.

mod machine;
#[cfg(feature = "driver")]
mod memory;
mod script;

pub use machine::{Machine, options};
#[cfg(feature = "driver")]
pub use memory::{Memory, connect as connect_driver, connect_to, now};
pub use script::{GREETING, LOGIN_REPLY, OK, one, rows};
