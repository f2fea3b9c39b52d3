//! Clients whose calls are dropped, and servers that lie to them.

#[path = "client/change_user.rs"]
mod change_user;
#[path = "client/dropped.rs"]
mod dropped;
#[path = "client/lies.rs"]
mod lies;
#[path = "client/too_much.rs"]
mod too_much;

use libtest_mimic::Arguments;

fn main() {
    let trials =
        dropped::trials().chain(too_much::trials()).chain(change_user::trials()).chain(lies::trials());
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit();
}
