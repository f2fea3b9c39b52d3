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

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;
use std::sync::Arc;

use porpoise::{Connecting, OptionsBuilder};

use self::handle::Handle;
use self::outcome::{Facts, Failed, Outcome};
use self::output::Output;
use self::shell::Shell;
use self::step::Step;
use crate::args::RunArgs;
use crate::exit::{Exit, Failure};

pub(crate) fn run(args: &RunArgs) -> Result<Exit, Failure> {
    let script = script(args.file.as_deref())?;
    let builder = args.connection.options(OptionsBuilder::default())?;
    args.connection.runtime.block_on(session(args, builder, script))?
}

/// Where commands come from.
type Lines = Box<dyn Iterator<Item = io::Result<String>>>;

fn script(file: Option<&Path>) -> Result<Lines, Failure> {
    match file {
        Some(path) if path != Path::new("-") => {
            let file =
                File::open(path).map_err(|error| Failure::Script(format!("{}: {error}", path.display())))?;
            Ok(Box::new(BufReader::new(file).lines()))
        }
        _ => Ok(Box::new(io::stdin().lock().lines())),
    }
}

async fn session(args: &RunArgs, builder: OptionsBuilder, script: Lines) -> Result<Exit, Failure> {
    let options = Arc::new(builder.clone().build()?);
    let runtime = args.connection.runtime.adapter();
    let output = Output::new(Box::new(anstream::stdout()), args.format, args.trace);
    let connecting = Connecting::new(runtime, Arc::clone(&options)).with_sink(Box::new(output.clone()));
    let client = match connecting.await {
        Ok(client) => client,
        Err(error) => {
            output.outcome(&Outcome::of("connect", Err(Failed::from(&error))));
            output.finish()?;
            return Ok(Exit::of(&error));
        }
    };
    let facts = Facts { tls: Some(client.is_encrypted()), ..Facts::default() };
    output.outcome(&Outcome::of("connect", Ok(facts)));
    let mut shell = Shell::new(Handle::new(client, options, output.clone()), builder);
    let exit = commands(&mut shell, script).await;
    shell.handle.close().await;
    output.finish()?;
    exit
}

/// Runs all commands; gives the exit code of the first that failed.
async fn commands(shell: &mut Shell, script: Lines) -> Result<Exit, Failure> {
    let mut exit = Exit::Connected;
    for (number, line) in script.enumerate() {
        let line = line.map_err(|error| Failure::Script(error.to_string()))?;
        let step = Step::parse(&line)
            .map_err(|unknown| Failure::Script(format!("line {}: {unknown}", number + 1)))?;
        let Some(step) = step else { continue };
        let code = shell.run(&step).await;
        if exit == Exit::Connected {
            exit = code;
        }
    }
    Ok(exit)
}

/// The commands, for the help.
pub(crate) fn help() -> String {
    let mut help = "Commands:\n".to_owned();
    for about in &step::ALL {
        let head = format!("  {} {}", about.word, about.argument);
        // Writing to a string cannot fail.
        let _ = writeln!(help, "{head:32}{}", about.doc);
    }
    help
}
