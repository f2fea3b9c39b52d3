use std::fmt;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::{CommandFactory as _, Parser, ValueEnum};
use url::Url;

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Workload {
    /// Connect over TCP and close, one after the other.
    ConnectPlain,
    /// The same in TLS, as the client does it by itself: some resume sessions. The floor does not.
    ConnectTls,
    /// The same with a full handshake each time.
    ConnectTlsFull,
    /// The same with TLS sessions that are resumed.
    ConnectTlsResume,
    /// Connect over a Unix socket.
    ConnectUnix,
    /// `--conc` connects in flight on one thread.
    ConnectConcurrent,
    /// COM_PING on one connection.
    Ping,
    /// `SELECT 1` as text on one connection.
    Select1,
    /// One row by its key, by a prepared statement.
    PointQuery,
    /// Narrow rows as text.
    RowsNarrow,
    /// Narrow rows of a prepared statement.
    RowsNarrowBin,
    /// Wide rows as text.
    RowsWide,
    /// Wide rows of a prepared statement.
    RowsWideBin,
    /// Values of 8 MiB.
    Blob,
    /// Rows inserted one by one in a transaction, as fast as the client can.
    InsertPipeline,
    /// The same, each awaited before the next.
    InsertSequential,
    /// Many statements in one command.
    Multi,
    /// Connections that do nothing: what each holds.
    IdleMemory,
    /// The same after each was told to give its buffers back.
    IdleParked,
    /// X Protocol: connect over TCP without TLS and close. The URL's port is that of X Plugin, in all of these.
    XConnect,
    /// Connect over X Plugin's Unix socket, which all of the others use, and close.
    XConnectUnix,
    /// The same with `SELECT 1` sent with the login.
    XConnectPipelined,
    /// `SELECT 1` on one session.
    XSelect1,
    /// Narrow rows.
    XRowsNarrow,
    /// Documents inserted one by one in a transaction, as fast as the client can.
    XInsertDocs,
}

impl Workload {
    /// Its name on the command line and in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ConnectPlain => "connect-plain",
            Self::ConnectTls => "connect-tls",
            Self::ConnectTlsFull => "connect-tls-full",
            Self::ConnectTlsResume => "connect-tls-resume",
            Self::ConnectUnix => "connect-unix",
            Self::ConnectConcurrent => "connect-concurrent",
            Self::Ping => "ping",
            Self::Select1 => "select1",
            Self::PointQuery => "point-query",
            Self::RowsNarrow => "rows-narrow",
            Self::RowsNarrowBin => "rows-narrow-bin",
            Self::RowsWide => "rows-wide",
            Self::RowsWideBin => "rows-wide-bin",
            Self::Blob => "blob",
            Self::InsertPipeline => "insert-pipeline",
            Self::InsertSequential => "insert-sequential",
            Self::Multi => "multi",
            Self::IdleMemory => "idle-memory",
            Self::IdleParked => "idle-parked",
            Self::XConnect => "x-connect",
            Self::XConnectUnix => "x-connect-unix",
            Self::XConnectPipelined => "x-connect-pipelined",
            Self::XSelect1 => "x-select1",
            Self::XRowsNarrow => "x-rows-narrow",
            Self::XInsertDocs => "x-insert-docs",
        }
    }

    /// Whether it is over X Protocol.
    #[must_use]
    pub const fn is_x(self) -> bool {
        matches!(
            self,
            Self::XConnect
                | Self::XConnectUnix
                | Self::XConnectPipelined
                | Self::XSelect1
                | Self::XRowsNarrow
                | Self::XInsertDocs
        )
    }

    /// Whether it is about TLS.
    #[must_use]
    pub const fn is_tls(self) -> bool {
        matches!(self, Self::ConnectTls | Self::ConnectTlsFull | Self::ConnectTlsResume)
    }

    /// How many operations, unless `--n` says it.
    const fn default_n(self) -> u64 {
        match self {
            Self::ConnectPlain | Self::ConnectUnix => 1500,
            Self::ConnectTls | Self::ConnectTlsFull | Self::ConnectTlsResume => 500,
            Self::ConnectConcurrent => 4000,
            Self::Ping | Self::Select1 | Self::PointQuery => 15000,
            Self::RowsNarrow | Self::RowsNarrowBin => 1_000_000,
            Self::RowsWide | Self::RowsWideBin => 100_000,
            Self::Blob => 64,
            Self::InsertPipeline | Self::InsertSequential => 10_000,
            Self::Multi => 100,
            Self::IdleMemory | Self::IdleParked | Self::XInsertDocs => 1000,
            Self::XConnect | Self::XConnectUnix | Self::XConnectPipelined => 400,
            Self::XSelect1 => 3000,
            Self::XRowsNarrow => 100_000,
        }
    }
}

impl fmt::Display for Workload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The command line of a bench program.
#[derive(Clone, Debug)]
pub struct Args {
    /// What is measured.
    pub workload: Workload,
    /// How many operations.
    pub n: u64,
    /// How many of them in flight (`connect-concurrent`).
    pub conc: u64,
    /// The account.
    pub user: String,
    /// Its password.
    pub pass: String,
    /// The server's host.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// The initial database.
    pub db: String,
    /// The server's Unix socket.
    pub socket: Option<PathBuf>,
    /// Without the client's optional statements at the start.
    pub lean: bool,
    /// The runtime, where a program has several.
    pub runtime: Option<String>,
}

#[derive(Debug, Parser)]
struct Cli {
    workload: Workload,
    /// How many operations.
    #[arg(long, default_value_t = 0)]
    n: u64,
    /// How many of them in flight.
    #[arg(long, default_value_t = 1)]
    conc: u64,
    #[arg(long, env = "PERF_MYSQL_URL", hide_env_values = true)]
    url: Url,
    #[arg(long, env = "PERF_MYSQL_SOCKET")]
    socket: Option<PathBuf>,
    /// Without the client's optional statements at the start.
    #[arg(long)]
    lean: bool,
    /// The runtime, where a program has several.
    #[arg(long)]
    runtime: Option<String>,
}

impl Args {
    /// Reads the command line; ends the program with an explanation when it cannot be read.
    ///
    /// # Errors
    /// The URL has no host or no port.
    pub fn parse() -> anyhow::Result<Self> {
        Self::of(Cli::parse())
    }

    fn of(cli: Cli) -> anyhow::Result<Self> {
        let Cli { workload, n, conc, url, socket, lean, runtime } = cli;
        let text = |text: &str| text.to_owned();
        Ok(Self {
            workload,
            n: if n == 0 { workload.default_n() } else { n },
            conc: conc.max(1),
            user: text(url.username()),
            pass: text(url.password().unwrap_or_default()),
            host: text(url.host_str().context("the URL has no host")?),
            port: url.port().context("the URL has no port")?,
            db: text(url.path().trim_start_matches('/')),
            socket,
            lean,
            runtime,
        })
    }

    /// The Unix socket.
    ///
    /// # Errors
    /// None was given.
    pub fn socket(&self) -> anyhow::Result<&PathBuf> {
        self.socket.as_ref().context("--socket or PERF_MYSQL_SOCKET is needed")
    }

    /// Ends the program: it does not have this workload.
    pub fn refuse(&self, peer: &str) -> ! {
        let text = format!("{peer} does not have the workload {}", self.workload);
        Cli::command().error(clap::error::ErrorKind::InvalidValue, text).exit()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(line: &str) -> anyhow::Result<Args> {
        Args::of(Cli::try_parse_from(line.split(' '))?)
    }

    #[test]
    fn the_whole_command_line() {
        let line = "p connect-concurrent --n 7 --conc 3 --url mysql://u:p@h:33/db --socket /s --lean";
        let args = args(line).unwrap();
        assert_eq!((args.workload, args.n, args.conc, args.lean), (Workload::ConnectConcurrent, 7, 3, true));
        assert_eq!((args.user.as_str(), args.pass.as_str()), ("u", "p"));
        assert_eq!((args.host.as_str(), args.port, args.db.as_str()), ("h", 33, "db"));
        assert_eq!(args.socket().unwrap().to_str(), Some("/s"));
    }

    #[test]
    fn what_is_left_out() {
        let args = args("p ping --url mysql://u@127.0.0.1:33").unwrap();
        assert_eq!((args.n, args.conc, args.pass.as_str(), args.db.as_str()), (15000, 1, "", ""));
    }

    #[test]
    fn unknown_workloads_are_refused_by_name() {
        let error = args("p rows-all --url mysql://u@h:1").unwrap_err().to_string();
        assert!(error.contains("rows-all") && error.contains("connect-tls-resume"), "{error}");
    }

    #[test]
    fn names_on_the_command_line_are_those_in_reports() {
        for workload in Workload::value_variants() {
            assert_eq!(workload.to_possible_value().unwrap().get_name(), workload.name());
        }
    }
}
