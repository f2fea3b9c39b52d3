//! `porpoise`: why is a MySQL connection slow, or dead, and at which stage? And what comes after it.
//!
//! - `porpoise connect URL` makes one connection and shows its stages as a waterfall, then what was negotiated; or
//!   the stage in which it died, and what to do. `--repeat` gives statistics.
//! - `porpoise query URL SQL` runs statements and shows their results, as they come.
//! - `porpoise run URL [FILE]` is a shell for the protocol: one command a line, told event by event.
//!
//! # Exit codes
//!
//! They are stable: scripts and health checks may rely on them.
//!
//! | code | meaning |
//! |---|---|
//! | 0 | connected, and all that was asked for succeeded |
//! | 1 | the server refused: login, database, a statement; or a command failed |
//! | 2 | usage: an argument, the URL, an option or a script that cannot be used |
//! | 3 | the network: no such host, nothing listens, closed, a deadline passed |
//! | 4 | TLS: none offered, certificate not accepted, handshake failed |
//! | 5 | authentication that this side refuses or cannot do |
//! | 6 | not MySQL, or a server that breaks the protocol |
//! | 7 | the login succeeded, an init command failed |
//! | 8 | the output could not be written |
//!
//! With `--repeat` it is the code of the first connect that failed, of a script that of the first command.

mod args;
mod connect;
mod exit;
mod generated;
mod infile;
mod interrupt;
mod json;
mod jsonl;
mod password;
mod query;
mod report;
mod rows;
mod run;
mod runtime;
mod script;
mod stats;
mod text;
mod x;

use std::process::ExitCode;

use args::{Cli, Command};
use clap::Parser as _;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return args::refuse(&error).into(),
    };
    let done = match &cli.command {
        Command::Connect(args) if x::is_x(&args.connection.url) => x::connect::run(args),
        Command::Connect(args) => connect::run(args),
        Command::Query(args) if x::is_x(&args.connection.url) => x::query::run(args),
        Command::Query(args) => query::run(args),
        Command::Run(args) if x::is_x(&args.connection.url) => x::run::run(args),
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
