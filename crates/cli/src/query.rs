//! `porpoise query`.

mod printer;
mod progress;

use std::io::{self, Read as _, Write as _};
use std::sync::Arc;
use std::time::Instant;

use futures::io::AllowStdIo;
use porpoise::classic::{CapabilityFlags, OkReply};
use porpoise::{Client, Connecting, Error, Options, OptionsBuilder, Results};

pub(crate) use self::printer::{Printer, counted};
use crate::args::{QueryArgs, QueryFormat};
use crate::exit::{Exit, Failure};
use crate::infile;
use crate::interrupt::Interrupt;
use crate::report::{Fault, Report};
use crate::rows::{self, Head};
use crate::text::{self, BAD};

/// The statements, from the command line or from standard input.
pub(crate) fn statements(args: &QueryArgs) -> Result<String, Failure> {
    match args.sql.as_deref() {
        None | Some("-") => {
            let mut sql = String::new();
            io::stdin().read_to_string(&mut sql).map_err(|error| Failure::Script(error.to_string()))?;
            Ok(sql)
        }
        Some(sql) => Ok(sql.to_owned()),
    }
}

pub(crate) fn run(args: &QueryArgs) -> Result<Exit, Failure> {
    let sql = statements(args)?;
    // The URL may say otherwise.
    let base = OptionsBuilder::default()
        .connect(|connect| connect.with(CapabilityFlags::CLIENT_MULTI_STATEMENTS))
        .flight_record(args.stages);
    let options = Arc::new(args.connection.options(base)?.build()?);
    args.connection.runtime.block_on(connect(args, &options, &sql))?
}

async fn connect(args: &QueryArgs, options: &Arc<Options>, sql: &str) -> Result<Exit, Failure> {
    let runtime = args.connection.runtime.adapter();
    let mut connecting = Connecting::new(runtime, Arc::clone(options));
    let result = (&mut connecting).await;
    let report = args.stages.then(|| {
        let record = connecting.flight_record().cloned().unwrap_or_default();
        Report::new(options, runtime.name(), &record, &result)
    });
    let exit = match result {
        Ok(client) => query(args, options, client, sql).await?,
        Err(error) => {
            tell(&error);
            Exit::of(&error)
        }
    };
    if let Some(report) = report {
        show_stages(&report, args.format)?;
    }
    Ok(exit)
}

/// Shows what the connect did, behind the results.
pub(crate) fn show_stages(report: &Report, format: QueryFormat) -> io::Result<()> {
    let report = text::report(report, text::columns());
    match format {
        QueryFormat::Table => write!(anstream::stdout(), "\n{report}")?,
        // Standard output is for a program to read.
        _ => anstream::eprint!("{report}"),
    }
    Ok(())
}

/// Says why it failed.
fn tell(error: &Error) {
    let mut fault = Fault::new(error);
    if let Error::InfileRefused(_) = error {
        fault.advice = Some("With local-infile=true in the URL, a statement sends the file that it names.");
    }
    tell_fault(&fault);
}

pub(crate) fn tell_fault(fault: &Fault) {
    let Fault { errno, sqlstate, message, advice, .. } = fault;
    anstream::eprintln!("{BAD}error {errno} ({sqlstate}):{BAD:#} {message}");
    if let Some(advice) = advice {
        anstream::eprintln!("{advice}");
    }
}

async fn query(
    args: &QueryArgs,
    options: &Arc<Options>,
    mut client: Client,
    sql: &str,
) -> Result<Exit, Failure> {
    let interrupt = Interrupt::new()?;
    interrupt.watch(client.cancel_handle(), Arc::clone(options));
    let begun = Instant::now();
    let results = if options.local_infile() && infile::is_load_local(sql) {
        client.query_infile(sql, |name| infile::open(name, sql).map(AllowStdIo::new)).await
    } else {
        client.query(sql).await
    };
    let failed = match results {
        Ok(results) => print(Printer::new(args.format, begun), results).await?,
        Err(error) => Some(error),
    };
    if let Some(error) = &failed {
        tell(error);
    }
    // What is to be shown has been; a server that is gone already changes nothing of it.
    let _ = client.quit().await;
    Ok(failed.as_ref().map_or(Exit::Connected, Exit::of))
}

/// Shows all results; gives the error that ended them, if one did.
async fn print(mut printer: Printer, mut results: Results<'_>) -> Result<Option<Error>, Failure> {
    let mut failed = None;
    loop {
        match result(&mut printer, &mut results).await? {
            None => {}
            error => {
                failed = error;
                break;
            }
        }
        match results.next_result().await {
            Ok(true) => printer.next()?,
            Ok(false) => break,
            Err(error) => {
                failed = Some(error);
                break;
            }
        }
    }
    printer.finish()?;
    Ok(failed)
}

/// Shows one result.
async fn result(printer: &mut Printer, results: &mut Results<'_>) -> Result<Option<Error>, Failure> {
    let Some(columns) = results.columns() else {
        if let Some(ok) = results.ok() {
            printer.ok(&ok_facts(ok))?;
        }
        return Ok(None);
    };
    let head = Head::new(columns);
    printer.begin(&head)?;
    let failed = loop {
        match results.next_batch().await {
            Ok(Some(batch)) => {
                let (writer, out) = printer.rows();
                let written = rows::write(writer, &head, &batch, out)?;
                let bytes = || batch.iter().map(|row| row.payload().len() as u64).sum();
                printer.came(batch.len() as u64, bytes)?;
                if let Err(error) = written {
                    return Err(Failure::Row(error));
                }
            }
            Ok(None) => break None,
            Err(error) => break Some(error),
        }
    };
    let warnings = results.end().map_or(0, porpoise::classic::ResultEnd::warnings);
    printer.end(failed.is_none().then_some(warnings.into()))?;
    Ok(failed)
}

/// What a statement without rows did.
fn ok_facts(ok: &OkReply) -> Vec<String> {
    let mut facts = vec![format!("{} affected", counted(ok.affected_rows(), "row"))];
    facts.extend((ok.last_insert_id() > 0).then(|| format!("insert id {}", ok.last_insert_id())));
    facts.extend((ok.warnings() > 0).then(|| counted(ok.warnings().into(), "warning")));
    let info = String::from_utf8_lossy(ok.info());
    facts.extend((!info.is_empty()).then(|| info.into_owned()));
    facts
}
