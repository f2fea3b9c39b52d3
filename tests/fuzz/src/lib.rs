//! What the fuzz targets do, as plain functions: libFuzzer calls them by `fuzz_targets`, the runner `bodies` calls
//! them on stable Rust with inputs of its own.
//!
//! Each takes any bytes, and panics if porpoise breaks a promise: no panic, no endless loop, no illegal stage (the
//! machines assert that themselves), errors that repeat, output that stays small.

mod compressed;
mod connect;
mod mechanisms;
mod parsers;
mod paths;
mod results;
mod script;
mod session;
mod texts;
mod x_compressed;
mod x_machine;
mod x_parsers;

pub use compressed::compressed;
pub use connect::{change_user, connector};
pub use mechanisms::mechanisms;
pub use parsers::{framer, greeting, packets, switches, url};
pub use results::{endings, prepared, result_set};
pub use session::session;
pub use texts::texts;
pub use x_compressed::x_compressed;
pub use x_machine::{x_connection, x_connector};
pub use x_parsers::{x_expression, x_frames, x_messages};

/// A target: its name, its body, and inputs to start from.
pub struct Target {
    /// The name, which is that of its file in `fuzz_targets`.
    pub name: &'static str,
    /// The body. It tells by numbers which steps the input took, so that one that takes a new step can be kept.
    pub body: fn(&[u8]) -> Vec<u64>,
    /// Inputs that reach deep.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

/// Every target.
pub const TARGETS: [Target; 20] = [
    Target { name: "change_user", body: change_user, seeds: connect::change_user_seeds },
    Target { name: "compressed", body: compressed, seeds: compressed::seeds },
    Target { name: "connector", body: connector, seeds: connect::seeds },
    Target { name: "endings", body: endings, seeds: results::ending_seeds },
    Target { name: "framer", body: framer, seeds: parsers::framer_seeds },
    Target { name: "greeting", body: greeting, seeds: parsers::greeting_seeds },
    Target { name: "mechanisms", body: mechanisms, seeds: mechanisms::seeds },
    Target { name: "packets", body: packets, seeds: parsers::packet_seeds },
    Target { name: "prepared", body: prepared, seeds: results::prepared_seeds },
    Target { name: "result_set", body: result_set, seeds: results::result_set_seeds },
    Target { name: "session", body: session, seeds: session::seeds },
    Target { name: "switches", body: switches, seeds: parsers::switch_seeds },
    Target { name: "texts", body: texts, seeds: texts::seeds },
    Target { name: "url", body: url, seeds: parsers::url_seeds },
    Target { name: "x_compressed", body: x_compressed, seeds: x_compressed::seeds },
    Target { name: "x_connection", body: x_connection, seeds: x_machine::connection_seeds },
    Target { name: "x_connector", body: x_connector, seeds: x_machine::connector_seeds },
    Target { name: "x_expression", body: x_expression, seeds: x_parsers::expression_seeds },
    Target { name: "x_frames", body: x_frames, seeds: x_parsers::frame_seeds },
    Target { name: "x_messages", body: x_messages, seeds: x_parsers::message_seeds },
];
