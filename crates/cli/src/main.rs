//! `porpoise`: why is a MySQL connection slow, or dead, and at which stage?
//!
//! `porpoise connect URL` makes one connection and shows its stages as a waterfall, then what was negotiated; or
//! the stage in which it died, and what to do. `--format json` and `jsonl` are for programs, `--repeat` for
//! statistics.
//!
//! # Exit codes
//!
//! They are stable: scripts and health checks may rely on them.
//!
//! | code | meaning |
//! |---|---|
//! | 0 | connected |
//! | 1 | the server refused: wrong password, unknown database, no connection left |
//! | 2 | usage: an argument, the URL, or an option that cannot be used |
//! | 3 | the network: no such host, nothing listens, closed, a deadline passed |
//! | 4 | TLS: none offered, certificate not accepted, handshake failed |
//! | 5 | authentication that this side refuses or cannot do |
//! | 6 | not MySQL, or a server that breaks the protocol |
//! | 7 | the login succeeded, an init command failed |
//! | 8 | the report could not be written |
//!
//! With `--repeat` it is the code of the first connect that failed.

mod args;
mod connect;
mod exit;
mod infile;
mod json;
mod jsonl;
mod password;
mod query;
mod report;
mod rows;
mod run;
mod runtime;
mod stats;
mod text;

use std::process::ExitCode;

use args::{Cli, Command};
use clap::Parser as _;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return args::refuse(&error).into(),
    };
    let done = match &cli.command {
        Command::Connect(args) => connect::run(args),
        Command::Query(args) => query::run(args),
        Command::Run(args) => run::run(args),
    };
    match done {
        Ok(exit) => exit.into(),
        Err(error) => {
            // A reader that wants no more, `head` for one, knows it.
            if !error.is_broken_pipe() {
                anstream::eprintln!("{0}error:{0:#} {error}", text::BAD);
            }
            error.exit().into()
        }
    }
}
