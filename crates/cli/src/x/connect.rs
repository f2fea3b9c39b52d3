//! `porpoise connect mysqlx://`.

use std::io;
use std::sync::Arc;

use porpoise::driver::Runtime;
use porpoise::x::{Connecting, Error, Options, Session};
use porpoise::xproto::Event;
use porpoise::xproto::messages::connection::{Capabilities, CapabilitiesSet};

use super::output::Output;
use super::patience::within;
use super::reply::{Facts, Failed, Outcome};
use super::report;
use crate::args::{ConnectArgs, Format, RunFormat};
use crate::connect::{show, show_all};
use crate::exit::{Exit, Failure};
use crate::report::Report;

/// How long the server may take to list its capabilities, in seconds.
const PATIENCE: u64 = 5;

pub(crate) fn run(args: &ConnectArgs) -> Result<Exit, Failure> {
    let options = Arc::new(args.connection.x_options()?.flight_record(true).build());
    args.connection.runtime.block_on(connects(args, &options))?
}

async fn connects(args: &ConnectArgs, options: &Arc<Options>) -> Result<Exit, Failure> {
    let runtime = args.connection.runtime.adapter();
    let Some(times) = args.repeat else {
        let report = connect(options, runtime, args.format, true).await?;
        show(&report, args.format)?;
        return Ok(report.exit);
    };
    let mut reports = Vec::new();
    for _ in 0..times.get() {
        reports.push(connect(options, runtime, args.format, false).await?);
    }
    show_all(&reports, args.format)
}

/// One connect, closed again. `asks`: for the server's capabilities, too.
async fn connect(
    options: &Arc<Options>,
    runtime: &'static dyn Runtime,
    format: Format,
    asks: bool,
) -> Result<Report, Failure> {
    let mut connecting = Connecting::new(runtime, Arc::clone(options));
    let output =
        (format == Format::Jsonl).then(|| Output::new(Box::new(io::stdout()), RunFormat::Jsonl, true, None));
    if let Some(output) = &output {
        connecting = connecting.with_sink(Box::new(output.clone()));
    }
    let result = (&mut connecting).await;
    let record = connecting.flight_record().cloned().unwrap_or_default();
    let mut capabilities = result.as_ref().ok().and_then(Session::capabilities).cloned();
    // A server that refuses the login may still say what it takes.
    let answers = result.as_ref().map_or_else(|error| error.server_error().is_some(), |_| true);
    if asks && answers && capabilities.is_none() && output.is_none() {
        let listed = within(runtime, PATIENCE, listed(options, runtime, record.tls.is_some())).await;
        capabilities = listed.and_then(Result::ok).flatten();
    }
    let report = report::report(options, runtime.name(), &record, &result, capabilities.as_ref());
    if let Some(output) = &output {
        let failed = result.as_ref().err().map(Failed::from);
        output.outcome(&Outcome::of("connect", failed.map_or_else(|| Ok(Facts::default()), Err)));
    }
    if let Ok(session) = result {
        // What is to be shown has happened; a server that is gone already is no fault of the connect.
        let _ = session.close().await;
    }
    if let Some(output) = output {
        output.finish()?;
    }
    Ok(report)
}

/// The capabilities as the server lists them before a login. That is not possible later, and asking for them costs a round
/// trip, so a connection of their own is made.
async fn listed(
    options: &Arc<Options>,
    runtime: &'static dyn Runtime,
    tls: bool,
) -> Result<Option<Capabilities>, Error> {
    let mut session = Connecting::raw(runtime, Arc::clone(options)).await?;
    if tls {
        let set = CapabilitiesSet::default().with("tls", true);
        session.message_now(|connection, cx| connection.send(&set, cx))?;
        session.start_tls().await?;
    }
    session.message_now(|connection, cx| connection.capabilities_get(cx))?;
    let mut capabilities = None;
    while let Some(event) = session.next_event().await? {
        if let Event::Capabilities(listed) = event {
            capabilities = Some(listed);
        }
    }
    session.hang_up().await;
    Ok(capabilities)
}
