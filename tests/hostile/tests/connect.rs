//! Servers that attack a connect. Each ends in its own error: kind, stage, number and advice; without a panic,
//! without the password in clear, and without more memory than the packet limit allows.

#[path = "connect/cuts.rs"]
mod cuts;
#[path = "connect/greeting.rs"]
mod greeting;
#[path = "connect/large.rs"]
mod large;
#[path = "connect/login.rs"]
mod login;
#[path = "connect/prepare.rs"]
mod prepare;
#[path = "connect/switch_to_tls.rs"]
mod switch_to_tls;

use libtest_mimic::{Arguments, Trial};
use porpoise_hostile_tests::cases::Case;

fn main() {
    let cases = [greeting::cases(), switch_to_tls::cases(), login::cases(), prepare::cases()];
    let trials = cases.into_iter().flatten().map(trial).chain(cuts::trials()).chain(large::trials());
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit();
}

fn trial(case: Case) -> Trial {
    Trial::test(case.name, move || {
        case.run();
        Ok(())
    })
}
