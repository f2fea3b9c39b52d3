//! `porpoise run`: a shell for the protocol.

mod handle;
mod infile;
mod kill;
mod outcome;
mod output;
mod params;
mod shell;
mod statement;
mod step;
mod text;

use std::io::{self, IsTerminal as _};
use std::sync::Arc;

use porpoise::{Connecting, OptionsBuilder};

use self::handle::Handle;
use self::outcome::{Facts, Failed, Outcome};
use self::output::Output;
use self::shell::Shell;
use self::step::{Name, Step};
use crate::args::RunArgs;
use crate::exit::{Exit, Failure};
use crate::script::{self, Source};
use crate::text as look;
use crate::x;

pub(crate) fn run(args: &RunArgs) -> Result<Exit, Failure> {
    if args.raw {
        return Err(Failure::Script("--raw is for mysqlx:// URLs only".to_owned()));
    }
    let words = step::ALL.iter().map(|about| about.word);
    let source = Source::new(args.file.as_deref(), words.collect(), Name::ChangeUser.word())?;
    let builder = args.connection.options(OptionsBuilder::default())?;
    args.connection.runtime.block_on(session(args, builder, source))?
}

async fn session(args: &RunArgs, builder: OptionsBuilder, mut source: Source) -> Result<Exit, Failure> {
    let options = Arc::new(builder.clone().build()?);
    let runtime = args.connection.runtime.adapter();
    let room = io::stdout().is_terminal().then(look::width);
    let output = Output::new(Box::new(anstream::stdout()), args.format, args.trace, room);
    let connecting = Connecting::new(runtime, Arc::clone(&options)).with_sink(Box::new(output.clone()));
    let client = match connecting.await {
        Ok(client) => client,
        Err(error) => {
            output.outcome(&Outcome::of("connect", Err(Failed::from(&error))));
            output.finish()?;
            return Ok(Exit::of(&error));
        }
    };
    if source.is_typed() {
        let (version, id) = (client.server_version(), client.connection_id());
        output.text(&format!("{version}, connection {id}; `help` lists the commands"));
    }
    let facts = Facts { tls: Some(client.is_encrypted()), ..Facts::default() };
    output.outcome(&Outcome::of("connect", Ok(facts)));
    let mut shell = Shell::new(Handle::new(client, options, output.clone()), builder);
    if source.is_typed() {
        shell.handle.interruptible()?;
    }
    let exit = commands(&mut shell, &mut source).await;
    shell.handle.close().await;
    output.finish()?;
    exit
}

/// Runs all commands; gives the exit code of the first that failed, unless somebody saw it.
async fn commands(shell: &mut Shell, source: &mut Source) -> Result<Exit, Failure> {
    let mut exit = Exit::Connected;
    while let Some(step) = source.next(&step::ALL, Step::parse)? {
        let code = shell.run(&step).await;
        if exit == Exit::Connected && !source.is_typed() {
            exit = code;
        }
    }
    Ok(exit)
}

const EXAMPLES: &str = "\
Examples:
  porpoise run mysql://app@db.example/shop
  porpoise run mysql://app@db.example/shop report.steps --format jsonl
  echo 'query select 1' | porpoise run mysql://app@db.example --trace
  echo 'sql select 1' | porpoise run mysqlx://app@db.example --trace

A line is a command and its argument, `query select 1` or `query:select 1`;
empty lines and those that begin with # say nothing. A command that fails does
not end the script; the exit code is that of the first one that failed.

";

/// All commands, and the rules, for the help.
pub(crate) fn help() -> String {
    let (classic, x) = (script::listed(&step::ALL), script::listed(&x::ALL));
    format!("{EXAMPLES}Commands:\n{classic}\n{RULES}\nCommands for mysqlx:// URLs:\n{x}\n{X_RULES}")
}

const RULES: &str = "\
Out of turn, as in MySQL's own library (docs/run.md has the whole table):
  2014  a command, while rows or results are owed; nothing is sent
  2030  bind before prepare
  2031  execute before all parameters are bound
  2034  long_data for a parameter that the statement does not have
  2035  long_data for a parameter that is no string
  2036  bind to what is no parameter
  2056  execute after reset or change_user
  2068  a file that the statement does not name, or without local-infile=true
  2013  anything, once the connection is lost
";

const X_RULES: &str = "\
WHERE is SCHEMA.NAME or NAME. Values are JSON; {\"$uint\": 1} and the like name a
type. Nothing is out of turn: what is asked for is sent, whether or not the
server will take it. With --raw only the transport is opened. docs/run.md has
all clauses, types and lines.

Keys of a URL and exit codes: porpoise connect --help
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn help_lists_all_commands_in_80_columns() {
        let help = help();
        let words = step::ALL.iter().map(|about| about.word).chain(x::ALL.iter().map(|about| about.word));
        words.for_each(|word| assert!(help.contains(&format!("\n  {word} ")), "{word}: {help}"));
        assert!(help.lines().all(|line| line.chars().count() <= script::HELP_COLUMNS), "{help}");
    }
}
