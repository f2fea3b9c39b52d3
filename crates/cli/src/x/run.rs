//! `porpoise run mysqlx://`.

use std::io::{self, IsTerminal as _};
use std::sync::Arc;

use porpoise::transport::SslMode;
use porpoise::x::Options;
use porpoise::xproto::connect::Use;

use super::output::Output;
use super::shell::Shell;
use super::step::{self, Name, Step};
use crate::args::RunArgs;
use crate::exit::{Exit, Failure};
use crate::script::Source;
use crate::text;

pub(crate) fn run(args: &RunArgs) -> Result<Exit, Failure> {
    let words = step::ALL.iter().map(|about| about.word);
    let source = Source::new(args.file.as_deref(), words.collect(), Name::Login.word())?;
    let builder = args.connection.x_options()?;
    let options = builder.clone().build();
    // A script may ask for TLS all the same.
    let raw = match options.connect().tls {
        Use::Disabled => builder.ssl_mode(SslMode::Required).build(),
        _ => options.clone(),
    };
    let raw = args.raw.then(|| Arc::new(raw));
    args.connection.runtime.block_on(session(args, Arc::new(options), raw, source))?
}

/// `raw`: the options by which the transport is opened, if that is all that is to be done.
async fn session(
    args: &RunArgs,
    options: Arc<Options>,
    raw: Option<Arc<Options>>,
    mut source: Source,
) -> Result<Exit, Failure> {
    let runtime = args.connection.runtime.adapter();
    let room = io::stdout().is_terminal().then(text::width);
    let output = Output::new(Box::new(anstream::stdout()), args.format, args.trace, room);
    let mut shell = Shell::new(runtime, options, raw, output.clone(), source.is_typed());
    let connected = shell.connect().await;
    if shell.is_over() {
        output.finish()?;
        return Ok(connected);
    }
    if source.is_typed() {
        output.text("`help` lists the commands");
        shell.interruptible()?;
    }
    let exit = commands(&mut shell, &mut source).await;
    shell.end().await;
    output.finish()?;
    exit
}

/// Runs all commands; gives the exit code of the first that failed, unless somebody saw it.
async fn commands(shell: &mut Shell, source: &mut Source) -> Result<Exit, Failure> {
    let mut exit = Exit::Connected;
    let mut keep = |code: Exit| {
        if exit == Exit::Connected {
            exit = code;
        }
    };
    let mut pipeline: Option<Vec<Step>> = None;
    while let Some(step) = source.next(&step::ALL, Step::parse)? {
        match (step.name, &mut pipeline) {
            (Name::Pipeline, None) => pipeline = Some(Vec::new()),
            (Name::End, Some(_)) => keep(shell.pipeline(&pipeline.take().unwrap_or_default()).await),
            (_, Some(steps)) => steps.push(step),
            (_, None) => keep(shell.run(&step).await),
        }
        if shell.is_over() {
            break;
        }
    }
    // One that nobody ended is sent as it is.
    if let Some(steps) = pipeline.filter(|steps| !steps.is_empty()) {
        keep(shell.pipeline(&steps).await);
    }
    Ok(if source.is_typed() { Exit::Connected } else { exit })
}
