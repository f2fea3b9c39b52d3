//! `porpoise connect`.

use std::io::{self, Write as _};
use std::sync::Arc;

use porpoise::driver::Runtime;
use porpoise::trace::TraceSink;
use porpoise::{Connecting, Options, OptionsBuilder};

use crate::args::{ConnectArgs, Format};
use crate::exit::{Exit, Failure};
use crate::report::Report;
use crate::stats::Stats;
use crate::{json, jsonl, text};

pub(crate) fn run(args: &ConnectArgs) -> Result<Exit, Failure> {
    let options = Arc::new(args.connection.options(OptionsBuilder::default())?.flight_record(true).build()?);
    args.connection.runtime.block_on(connects(args, &options))?
}

async fn connects(args: &ConnectArgs, options: &Arc<Options>) -> Result<Exit, Failure> {
    let runtime = args.connection.runtime.adapter();
    let Some(times) = args.repeat else {
        let report = connect(options, runtime, args.format).await?;
        show(&report, args.format)?;
        return Ok(report.exit);
    };
    let mut reports = Vec::new();
    for _ in 0..times.get() {
        reports.push(connect(options, runtime, args.format).await?);
    }
    show_all(&reports, args.format)
}

/// Shows what several connects have in common.
pub(crate) fn show_all(reports: &[Report], format: Format) -> Result<Exit, Failure> {
    let Some(stats) = Stats::of(reports) else { return Ok(Exit::Connected) };
    match format {
        Format::Text => print(&text::table(&stats, text::columns()))?,
        Format::Json => json::write(&mut io::stdout().lock(), &stats)?,
        Format::Jsonl => {}
    }
    Ok(stats.exit)
}

/// One connect, closed again.
async fn connect(
    options: &Arc<Options>,
    runtime: &'static dyn Runtime,
    format: Format,
) -> Result<Report, Failure> {
    let mut connecting = Connecting::new(runtime, Arc::clone(options));
    if format == Format::Jsonl {
        let lines: Box<dyn TraceSink + Send> = Box::new(jsonl::Lines::new(io::stdout()));
        connecting = connecting.with_sink(lines);
    }
    let result = (&mut connecting).await;
    let record = connecting.flight_record().cloned().unwrap_or_default();
    let report = Report::new(options, runtime.name(), &record, &result);
    if format == Format::Jsonl {
        jsonl::step(&mut io::stdout().lock(), &report)?;
    }
    if let Ok(client) = result {
        // What is to be shown has happened; a server that is gone already is no fault of the connect.
        let _ = client.close().await;
    }
    Ok(report)
}

pub(crate) fn show(report: &Report, format: Format) -> Result<(), Failure> {
    match format {
        Format::Text => print(&text::report(report, text::columns()))?,
        Format::Json => json::write(&mut io::stdout().lock(), report)?,
        // Shown already, line by line.
        Format::Jsonl => {}
    }
    Ok(())
}

/// Prints a text with the colours that the output can show.
fn print(text: &str) -> io::Result<()> {
    let mut out = anstream::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}
