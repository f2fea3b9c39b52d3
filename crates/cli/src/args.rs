//! The command line.

use std::fmt::Write as _;
use std::num::NonZeroU32;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use porpoise::OptionsBuilder;
use porpoise::driver::UrlKey;
use porpoise::x;

use crate::exit::{Exit, Failure};
use crate::text::BAD;
use crate::{password, run};

/// Why is a MySQL connection slow, or dead, and at which stage?
#[derive(Debug, Parser)]
#[command(name = "porpoise", version, disable_help_subcommand = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Connect, show every stage, and what was negotiated
    ///
    /// Makes one connection to a MySQL or MariaDB server and closes it again. Shows the stages of the connect as
    /// a waterfall: when each began, how long it took, bytes in and out, and round trips (RT: this side sent and
    /// had to wait). Then what was negotiated; on failure the stage in which it died, and what to do about it.
    /// Of a mysqlx:// URL the stages are the states of the X Protocol's life cycle, and the server's capabilities
    /// are asked for on a second connection.
    #[command(after_help = "Examples and all keys of a URL: porpoise connect --help", after_long_help = more_help())]
    Connect(ConnectArgs),
    /// Run SQL and show the results, as they come
    ///
    /// One statement or several, with semicolons between; all their results are shown. The rows of a table are
    /// shown in columns as wide as the first 1000 rows need; where that is more than the terminal has, each row gets a
    /// line for each column. Ctrl-C ends the statement by KILL QUERY, a second one ends the tool. Over mysqlx:// it is
    /// one statement: the X Protocol takes no more at once.
    #[command(after_help = "Examples: porpoise query --help", after_long_help = QUERY_EXAMPLES)]
    Query(QueryArgs),
    /// Run protocol commands, one a line: from a file, from standard input, or typed
    ///
    /// A shell for MySQL's protocol, in MySQL's own names, to reproduce a report or to explore a server. Each line
    /// is a command and its argument. It does what MySQL's own C library does for the function of that name: what
    /// is sent, what is read when, and which error comes when a command is out of turn. Of a mysqlx:// URL the commands
    /// are those of the X Protocol, message by message.
    #[command(after_help = "All commands: porpoise run --help", after_long_help = run::help())]
    Run(RunArgs),
}

/// Where to connect, and how: the same for all subcommands.
#[derive(Debug, Args)]
pub(crate) struct ConnectionArgs {
    /// mysql://user:password@host:port/database?key=value&... or mysql://user@/database?socket=PATH
    ///
    /// With mysqlx:// in place of mysql:// it is the X Protocol, port 33060 unless another is given. Every part may be left out, and is percent-encoded where needed. A password in the URL can be seen by
    /// everybody on this machine who lists its processes: --password, --password-file and MYSQL_PWD avoid that.
    #[arg(value_name = "URL")]
    pub(crate) url: String,

    /// What drives the connection; the protocol is the same on all
    #[arg(long, value_enum, default_value_t, value_name = "RUNTIME")]
    pub(crate) runtime: RuntimeName,

    /// DISABLED, PREFERRED, REQUIRED, VERIFY_CA or VERIFY_IDENTITY; overrides the URL
    #[arg(long, value_name = "MODE")]
    pub(crate) ssl_mode: Option<String>,

    /// Trusted CA certificates, or `system` for those of the operating system; overrides the URL
    #[arg(long, value_name = "FILE")]
    pub(crate) ssl_ca: Option<String>,

    /// Ask for the password, without echo; overrides the URL
    #[arg(long, short, conflicts_with = "password_file")]
    pub(crate) password: bool,

    /// Read the password from the first line of a file; overrides the URL
    #[arg(long, value_name = "FILE")]
    pub(crate) password_file: Option<PathBuf>,
}

/// The flags go before the URL, and the URL before the environment, and that before the builder.
macro_rules! applied {
    ($args:expr, $builder:expr) => {{
        let (args, mut builder) = ($args, $builder);
        if let Some(password) = password::from_env() {
            builder = builder.password(password);
        }
        builder = builder.with_url(&args.url)?;
        if let Some(mode) = &args.ssl_mode {
            builder = builder.set("ssl-mode", mode)?;
        }
        if let Some(ca) = &args.ssl_ca {
            builder = builder.tls(|tls| tls.ca.clear()).set("ssl-ca", ca)?;
        }
        if let Some(password) = password::from_args(args)? {
            builder = builder.password(password);
        }
        Ok(builder)
    }};
}

impl ConnectionArgs {
    /// Options of a `mysql://` URL.
    pub(crate) fn options(&self, base: OptionsBuilder) -> Result<OptionsBuilder, Failure> {
        applied!(self, base)
    }

    /// Options of a `mysqlx://` URL.
    pub(crate) fn x_options(&self) -> Result<x::OptionsBuilder, Failure> {
        applied!(self, x::OptionsBuilder::default())
    }
}

#[derive(Debug, Args)]
pub(crate) struct ConnectArgs {
    #[command(flatten)]
    pub(crate) connection: ConnectionArgs,

    /// How to show what happens
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub(crate) format: Format,

    /// Connect N times, one after the other, and show statistics of each stage
    ///
    /// TLS sessions are resumed from the second connect on, as a pool of connections does.
    #[arg(long, value_name = "N")]
    pub(crate) repeat: Option<NonZeroU32>,
}

#[derive(Debug, Args)]
pub(crate) struct QueryArgs {
    #[command(flatten)]
    pub(crate) connection: ConnectionArgs,

    /// The statements; `-`, or none, for standard input
    #[arg(value_name = "SQL")]
    pub(crate) sql: Option<String>,

    /// How to show the rows
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub(crate) format: QueryFormat,

    /// Show the stages of the connect after the results; on standard error, unless the format is table
    #[arg(long)]
    pub(crate) stages: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum QueryFormat {
    /// Columns for people; bytes that are no text as 0x and hexadecimal digits
    #[default]
    Table,
    /// RFC 4180, with a header line; NULL is an empty field, the empty string is ""
    Csv,
    /// An array for each result, an object for each row; numbers with all their digits
    Json,
    /// An object a line for each row
    Jsonl,
}

const QUERY_EXAMPLES: &str = "\
Examples:
  porpoise query mysql://app@db.example/shop 'select * from dolphins'
  porpoise query mysql://app@db.example 'select 1; call report()' --format json
  porpoise query mysql://app@db.example --format csv < report.sql > report.csv
  porpoise query 'mysql://app@db.example/shop?local-infile=true' \\
      \"load data local infile 'dolphins.csv' into table dolphins\"

Standard output has the rows, and with --format table what statements without
rows did; errors are on standard error. Several statements in one query are
allowed unless the URL says multi-statements=false. With local-infile=true a
LOAD DATA LOCAL sends the file that it names, if that is under the working
directory.

Keys of a URL and exit codes: porpoise connect --help
";

#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    pub(crate) connection: ConnectionArgs,

    /// The script, a command a line; `-`, or none, for standard input
    #[arg(value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,

    /// How to show what happens
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub(crate) format: RunFormat,

    /// With text: show stages and trace events, or messages and states, as well
    #[arg(long)]
    pub(crate) trace: bool,

    /// mysqlx:// only: open the transport, and leave the rest to the script
    #[arg(long)]
    pub(crate) raw: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum RunFormat {
    /// Rows and results for people
    #[default]
    Text,
    /// One object a line for each stage, event and step, as they happen
    Jsonl,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// A waterfall for people
    #[default]
    Text,
    /// One object with everything, when the connect is over
    Json,
    /// One object a line for each stage and event, as they happen
    Jsonl,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum RuntimeName {
    /// tokio, on the calling thread
    #[default]
    Tokio,
    /// async-std
    AsyncStd,
    /// No runtime: poll(2) on the calling thread
    Blocking,
}

const EXAMPLES: &str = "\
Examples:
  porpoise connect mysql://app@db.example/shop --password
  porpoise connect 'mysql://app@db.example?stage-timeout=READ_GREETING:500ms'
  porpoise connect mysql://db.example --ssl-mode VERIFY_IDENTITY --ssl-ca system
  porpoise connect 'mysql://root@/?socket=/run/mysqld/mysqld.sock' --format json
  MYSQL_PWD=... porpoise connect mysql://app@127.0.0.1:3307 --repeat 100
  porpoise connect 'mysqlx://app@db.example?ssl-mode=REQUIRED'

The password is the one that --password or --password-file gives, else the
URL's, else that in the environment variable MYSQL_PWD. Colours are used on a
terminal, unless NO_COLOR is set.
";

/// The width of the help, and where in it the keys' explanations begin.
const HELP_COLUMNS: usize = 80;
const KEY_DOC: usize = 34;

fn more_help() -> String {
    let mut help = EXAMPLES.to_owned();
    help.push_str("\nExit codes:\n");
    for (exit, meaning) in Exit::ALL {
        // Writing to a string cannot fail.
        let _ = writeln!(help, "  {}  {meaning}", exit.code());
    }
    help.push_str("\nKeys of a mysql:// URL (MySQL's long option names):\n");
    keys(&mut help, UrlKey::ALL);
    help.push_str("\nKeys of a mysqlx:// URL, beside socket, tcp-*, bind-address, ssl-* and tls-*:\n");
    keys(&mut help, UrlKey::X);
    help
}

fn keys(help: &mut String, keys: &[UrlKey]) {
    for key in keys {
        let head = format!("  {}={}", key.name(), key.value());
        let (indent, gap) = (" ".repeat(KEY_DOC), KEY_DOC.saturating_sub(head.len()));
        let doc = textwrap::fill(
            key.doc(),
            textwrap::Options::new(HELP_COLUMNS).initial_indent(&indent).subsequent_indent(&indent),
        );
        let _ = match gap {
            0 => writeln!(help, "{head}\n{doc}"),
            _ => writeln!(help, "{head}{:gap$}{}", "", doc.trim_start()),
        };
    }
}

/// Says what is wrong with the command line, or shows the help that it asks for.
pub(crate) fn refuse(error: &clap::Error) -> Exit {
    if !error.use_stderr() {
        // Nobody is left to tell when this fails.
        let _ = error.print();
        return Exit::Connected;
    }
    if error.to_string().contains("://") {
        // clap repeats what it does not understand, and a URL may hold a password.
        anstream::eprintln!(
            "{BAD}error:{BAD:#} a URL is where none is expected; it is: porpoise connect [OPTIONS] <URL>"
        );
    } else {
        let _ = error.print();
    }
    Exit::Usage
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn help_lists_keys_and_exit_codes() {
        let help = more_help();
        let known = UrlKey::ALL.iter().chain(UrlKey::X);
        assert!(
            known.clone().count() > 40
                && known.into_iter().all(|key| help.contains(&format!("  {}=", key.name()))),
            "{help}"
        );
        assert!(help.contains("\n  7  the login succeeded"), "{help}");
        assert!(help.lines().all(|line| line.chars().count() <= HELP_COLUMNS), "{help}");
    }
}
