//! Servers that attack the X Protocol. What comes of it is an error that says so, or nothing: without a panic, without the
//! password in clear, and without more memory than the limit of a message allows.

#[path = "x/compressed.rs"]
mod compressed;
#[path = "x/connect.rs"]
mod connect;
#[path = "x/cuts.rs"]
mod cuts;
#[path = "x/floods.rs"]
mod floods;
#[path = "x/replies.rs"]
mod replies;
#[path = "x/sessions.rs"]
mod sessions;
#[path = "x/to_tls.rs"]
mod to_tls;
#[path = "x/traps.rs"]
mod traps;
#[path = "x/values.rs"]
mod values;

use libtest_mimic::{Arguments, Trial};

fn main() {
    let trials = connect::trials()
        .into_iter()
        .chain(to_tls::trials())
        .chain(cuts::trials())
        .chain(replies::trials())
        .chain(floods::trials())
        .chain(compressed::trials())
        .chain(traps::trials())
        .chain(values::trials())
        .chain(sessions::trials());
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit();
}

/// A test by its name.
pub(crate) fn trial(name: impl Into<String>, test: impl FnOnce() + Send + 'static) -> Trial {
    Trial::test(name, move || {
        test();
        Ok(())
    })
}
