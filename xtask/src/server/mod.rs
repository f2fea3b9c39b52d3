//! Private database servers for tests: `cargo xtask server up|down|url`.
//!
//! - [`paths`]: the folders; [`state`]: the file that says what is up, which tests read
//! - [`install`]: where programs come from (with [`apt`], [`tree`]); [`launch`]: how a server is started
//! - [`client`]: SQL run on it; [`mod@url`]: a server that somebody else runs

mod apt;
mod certificates;
mod client;
mod files;
mod install;
mod launch;
mod paths;
mod process;
mod progress;
pub(crate) mod state;
mod tree;
mod up;
pub(crate) mod url;

use std::io::{self, Write};
use std::path::PathBuf;

use anyhow::ensure;
use clap::Subcommand;

use self::files::Lock;
use self::install::{MARIADB, MYSQL};
use self::launch::Home;
use self::paths::Paths;
use self::state::{Server, Source, State};
use crate::Result;

/// Arguments of `cargo xtask server`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Bring up a private MySQL server with the test accounts, unless it is up already.
    ///
    /// Taken is the first that works: the server that PORPOISE_TEST_URL names (its database `odb` and the
    /// test accounts are made anew), a `mysqld` of 8.0 or newer on PATH, Debian's packages fetched with apt
    /// into a cache folder, Docker.
    Up(UpArgs),
    /// Stop the servers that `up` started. Downloads and data folders are kept.
    Down,
    /// Print the URLs of the servers that are up.
    Url {
        /// Print one JSON object with all that is known, in the format of the state file.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, clap::Args)]
pub(crate) struct UpArgs {
    /// Also MariaDB 10.11 and 11.8, and the server plugins of MySQL's regression tests (a 340 MB download).
    #[arg(long)]
    all: bool,
    /// Take MySQL's programs from here only, and no server that a URL names.
    #[arg(long)]
    from: Option<Source>,
}

/// Runs `cargo xtask server`.
pub(crate) fn run(args: Args) -> Result<()> {
    match args.action {
        Action::Up(args) => up(&args),
        Action::Down => take_down(&[]),
        Action::Url { json } => url(json),
    }
}

fn up(args: &UpArgs) -> Result<()> {
    let done = bring_up(args.all, args.from);
    // What is up is told even when something else failed.
    print(&urls(&now_up()?.servers))?;
    done.map(drop)
}

/// Brings up MySQL, with `all` the other servers too, unless they are up; gives what is up then. `from` is
/// where MySQL's programs must come from.
pub(crate) fn bring_up(all: bool, from: Option<Source>) -> Result<State> {
    let paths = Paths::find()?;
    up::up(&paths, all, from)?;
    live(&paths)
}

/// What is up now.
pub(crate) fn now_up() -> Result<State> {
    live(&Paths::find()?)
}

/// Stops the servers that this tool started, but for those named.
pub(crate) fn take_down(keep: &[String]) -> Result<()> {
    let paths = Paths::find()?;
    let _lock = Lock::take(&lock_path(&paths))?;
    for name in names().filter(|name| !keep.iter().any(|kept| kept == name)) {
        if Home::new(&paths, name).stop()? {
            eprintln!("{name} is stopped");
        }
    }
    // A file that cannot be read must not keep anyone from stopping servers.
    let mut state = live(&paths).unwrap_or_else(|_| State::empty());
    state.servers.retain(|server| keep.contains(&server.name));
    state.save(&paths.state)
}

fn url(json: bool) -> Result<()> {
    let state = now_up()?;
    ensure!(!state.servers.is_empty(), "no server is up: run `cargo xtask server up` first");
    print(&if json { state.to_json()? + "\n" } else { urls(&state.servers) })
}

fn urls(servers: &[Server]) -> String {
    let mut lines = String::new();
    for server in servers {
        for (what, url) in url::of(server) {
            lines.push_str(&format!("{:<14} {what:<14} {url}\n", server.name));
        }
    }
    lines
}

/// Prints; a reader that has seen enough (`| head -1`) is no failure.
fn print(text: &str) -> Result<()> {
    match io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => Ok(other?),
    }
}

/// The state file without the servers that have ended since.
fn live(paths: &Paths) -> Result<State> {
    let mut state = State::load(&paths.state)?;
    state.servers.retain(|server| server.pid_file.is_none() || Home::new(paths, &server.name).runs());
    Ok(state)
}

/// The names of all servers that this tool may have started.
fn names() -> impl Iterator<Item = &'static str> {
    [MYSQL.name].into_iter().chain(MARIADB.iter().map(|kind| kind.name))
}

fn lock_path(paths: &Paths) -> PathBuf {
    paths.instance.join("lock")
}
