//! Private database servers for tests: `cargo xtask server up|down|url`.

use clap::Subcommand;

use crate::Result;

/// Arguments of `cargo xtask server`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Stop the servers that `up` started.
    Down,
}

/// Runs `cargo xtask server`.
pub(crate) fn run(args: Args) -> Result<()> {
    match args.action {
        Action::Down => Ok(()),
    }
}
