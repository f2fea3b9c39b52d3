//! Servers that attack the command phase: whatever they say in reply to any command, and wherever they stop, ends in a
//! result or in an error of its own; without a panic, without a hang, without more memory than the packet limit allows,
//! and without rows for a statement that are another's.

#[path = "command/broken.rs"]
mod broken;
#[path = "command/dropped.rs"]
mod dropped;
#[path = "command/floods.rs"]
mod floods;
#[path = "command/lies.rs"]
mod lies;
#[path = "command/played.rs"]
mod played;

use libtest_mimic::Arguments;

fn main() {
    let trials = broken::trials().chain(lies::trials()).chain(floods::trials()).chain(dropped::trials());
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit();
}
