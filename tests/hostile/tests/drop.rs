//! Connects that are given up, at every single poll: nothing blocks, nothing is left behind, and a connect of which
//! only the polling future was dropped goes on where it was.
//!
//! One test at a time: open files are counted, and they are the whole process's.

#[path = "drop/in_memory.rs"]
mod in_memory;
#[path = "drop/on_sockets.rs"]
mod on_sockets;

use libtest_mimic::Arguments;

fn main() {
    let mut arguments = Arguments::from_args();
    arguments.test_threads = Some(1);
    let trials = in_memory::trials().chain(on_sockets::trials()).collect();
    libtest_mimic::run(&arguments, trials).exit();
}
