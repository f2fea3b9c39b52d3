//! porpoise on real servers.
//!
//! Every test belongs to a cell: a runtime, a transport, a server and a compression. `PORPOISE_CELL_RUNTIME`,
//! `PORPOISE_CELL_TRANSPORT`, `PORPOISE_CELL_SERVER` and `PORPOISE_CELL_COMPRESSION` leave only the tests of their cell. With
//! `PORPOISE_NO_SERVER=1` every test is listed as not run; without servers and without that, every test fails.

mod auth;
mod client;
mod client_big;
mod client_blocking;
mod client_cancel;
mod client_typed;
mod compression;
mod dial;
mod differential;
mod golden;
mod matrix;
mod resolver;
mod scene;
mod session;
mod session_commands;
mod session_streams;
mod suite;
mod tls;
mod tool;
mod trace;
mod types;
mod x_auth;
mod x_blocking;
mod x_crud;
mod x_golden;
mod x_machine;
mod x_session;
mod x_session_many;
mod x_session_more;
mod x_tls;
mod x_tool;
mod x_trace;

use libtest_mimic::Arguments;

use crate::suite::Suite;

fn main() -> std::process::ExitCode {
    let arguments = Arguments::from_args();
    let mut suite = Suite::new(arguments.list);
    golden::add(&mut suite);
    tool::add(&mut suite);
    differential::add(&mut suite);
    auth::add(&mut suite);
    matrix::add(&mut suite);
    tls::add(&mut suite);
    dial::add(&mut suite);
    session::add(&mut suite);
    session_commands::add(&mut suite);
    session_streams::add(&mut suite);
    trace::add(&mut suite);
    types::add(&mut suite);
    client::add(&mut suite);
    client_cancel::add(&mut suite);
    client_blocking::add(&mut suite);
    client_big::add(&mut suite);
    client_typed::add(&mut suite);
    compression::add(&mut suite);
    x_blocking::add(&mut suite);
    x_crud::add(&mut suite);
    x_machine::add(&mut suite);
    x_tls::add(&mut suite);
    x_auth::add(&mut suite);
    x_golden::add(&mut suite);
    x_tool::add(&mut suite);
    x_session::add(&mut suite);
    x_session_many::add(&mut suite);
    x_session_more::add(&mut suite);
    libtest_mimic::run(&arguments, suite.into_trials()).exit_code()
}
