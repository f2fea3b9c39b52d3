//! `porpoise run`: a shell for the protocol.

mod handle;
mod infile;
mod kill;
mod outcome;
mod output;
mod params;
mod prompt;
mod shell;
mod statement;
mod step;
mod text;

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, IsTerminal as _};
use std::path::Path;
use std::sync::Arc;

use porpoise::{Connecting, OptionsBuilder};

use self::handle::Handle;
use self::outcome::{Facts, Failed, Outcome};
use self::output::Output;
use self::prompt::Prompt;
use self::shell::Shell;
use self::step::{About, Step};
use crate::args::RunArgs;
use crate::exit::{Exit, Failure};
use crate::text::{self as look, BAD};

pub(crate) fn run(args: &RunArgs) -> Result<Exit, Failure> {
    let source = Source::new(args)?;
    let builder = args.connection.options(OptionsBuilder::default())?;
    args.connection.runtime.block_on(session(args, builder, source))?
}

/// Where commands come from.
enum Source {
    Script {
        lines: Box<dyn Iterator<Item = io::Result<String>>>,
        number: usize,
    },
    /// Somebody types them.
    Prompt(Box<Prompt>),
}

impl Source {
    fn new(args: &RunArgs) -> Result<Self, Failure> {
        let lines: Box<dyn Iterator<Item = io::Result<String>>> = match args.file.as_deref() {
            Some(path) if path != Path::new("-") => {
                let file = File::open(path)
                    .map_err(|error| Failure::Script(format!("{}: {error}", path.display())))?;
                Box::new(BufReader::new(file).lines())
            }
            None if io::stdin().is_terminal() => {
                let prompt = Prompt::new().map_err(|error| Failure::Script(error.to_string()))?;
                return Ok(Self::Prompt(Box::new(prompt)));
            }
            _ => Box::new(io::stdin().lock().lines()),
        };
        Ok(Self::Script { lines, number: 0 })
    }

    /// The next command. In a script a line that is none is an error; at a terminal it is told.
    fn next(&mut self) -> Result<Option<Step>, Failure> {
        let unread = |error: io::Error| Failure::Script(error.to_string());
        loop {
            let step = match self {
                Self::Script { lines, number } => {
                    let Some(line) = lines.next() else { return Ok(None) };
                    *number += 1;
                    let step = Step::parse(&line.map_err(unread)?);
                    step.map_err(|unknown| Failure::Script(format!("line {number}: {unknown}")))?
                }
                Self::Prompt(prompt) => match prompt.line().map_err(unread)? {
                    Some(line) => match typed(&line) {
                        Typed::Step(step) => Some(step),
                        Typed::Nothing => None,
                        Typed::Exit => return Ok(None),
                    },
                    None => return Ok(None),
                },
            };
            if step.is_some() {
                return Ok(step);
            }
        }
    }
}

/// What a typed line is.
enum Typed {
    Step(Step),
    Nothing,
    Exit,
}

fn typed(line: &str) -> Typed {
    let mut words = line.split_whitespace();
    match (words.next(), words.next()) {
        (Some("exit" | "quit"), _) => Typed::Exit,
        (Some("help"), word) => {
            let found: Vec<_> =
                step::ALL.iter().filter(|about| word.is_none_or(|word| about.word == word)).collect();
            anstream::print!("{}", listed(&found));
            Typed::Nothing
        }
        _ => match Step::parse(line) {
            Ok(Some(step)) => Typed::Step(step),
            Ok(None) => Typed::Nothing,
            Err(unknown) => {
                anstream::eprintln!("{BAD}{unknown}{BAD:#}; `help` lists all");
                Typed::Nothing
            }
        },
    }
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
    if let Source::Prompt(_) = source {
        let (version, id) = (client.server_version(), client.connection_id());
        output.text(&format!("{version}, connection {id}; `help` lists the commands"));
    }
    let facts = Facts { tls: Some(client.is_encrypted()), ..Facts::default() };
    output.outcome(&Outcome::of("connect", Ok(facts)));
    let mut shell = Shell::new(Handle::new(client, options, output.clone()), builder);
    if let Source::Prompt(_) = source {
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
    while let Some(step) = source.next()? {
        let code = shell.run(&step).await;
        if exit == Exit::Connected && matches!(source, Source::Script { .. }) {
            exit = code;
        }
    }
    Ok(exit)
}

/// The width of the help, and where in it what a command does begins.
const HELP_COLUMNS: usize = 80;
const DOC: usize = 32;

/// Commands with what each does.
fn listed(commands: &[&About]) -> String {
    let mut help = String::new();
    for about in commands {
        let head = format!("  {} {}", about.word, about.argument);
        let indent = " ".repeat(DOC);
        let doc = textwrap::fill(
            about.doc,
            textwrap::Options::new(HELP_COLUMNS).initial_indent(&indent).subsequent_indent(&indent),
        );
        // Writing to a string cannot fail.
        let _ = writeln!(help, "{head:DOC$}{}", doc.trim_start());
    }
    help
}

const EXAMPLES: &str = "\
Examples:
  porpoise run mysql://app@db.example/shop
  porpoise run mysql://app@db.example/shop report.steps --format jsonl
  echo 'query select 1' | porpoise run mysql://app@db.example --trace

A line is a command and its argument, `query select 1` or `query:select 1`;
empty lines and those that begin with # say nothing. A command that fails does
not end the script; the exit code is that of the first one that failed.

";

/// All commands, and the rules, for the help.
pub(crate) fn help() -> String {
    let all: Vec<_> = step::ALL.iter().collect();
    format!("{EXAMPLES}Commands:\n{}\n{RULES}", listed(&all))
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

Keys of a URL and exit codes: porpoise connect --help
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn help_lists_all_commands_in_80_columns() {
        let help = help();
        assert!(step::ALL.iter().all(|about| help.contains(&format!("\n  {} ", about.word))), "{help}");
        assert!(help.lines().all(|line| line.chars().count() <= HELP_COLUMNS), "{help}");
    }
}
