//! `porpoise query mysqlx://`.

use std::sync::Arc;
use std::time::Instant;

use porpoise::x::{Connecting, Error, Options, Session};
use porpoise::xproto::messages::sql::StmtExecute;
use porpoise::xproto::{Event, Fetched, RowBatch};

use super::reply::Facts;
use super::{exit, report};
use crate::args::QueryArgs;
use crate::exit::{Exit, Failure};
use crate::interrupt::Interrupt;
use crate::query::{Printer, counted, show_stages, statements, tell_fault};
use crate::rows::{self, Head};

pub(crate) fn run(args: &QueryArgs) -> Result<Exit, Failure> {
    let sql = statements(args)?;
    let options = Arc::new(args.connection.x_options()?.flight_record(args.stages).build());
    args.connection.runtime.block_on(connect(args, &options, &sql))?
}

async fn connect(args: &QueryArgs, options: &Arc<Options>, sql: &str) -> Result<Exit, Failure> {
    let runtime = args.connection.runtime.adapter();
    let mut connecting = Connecting::new(runtime, Arc::clone(options));
    let result = (&mut connecting).await;
    let report = args.stages.then(|| {
        let record = connecting.flight_record().cloned().unwrap_or_default();
        report::report(options, runtime.name(), &record, &result, None)
    });
    let exit = match result {
        Ok(session) => query(args, options, session, sql).await?,
        Err(error) => {
            tell_fault(&report::fault(&error, None));
            exit::of(&error)
        }
    };
    if let Some(report) = report {
        show_stages(&report, args.format)?;
    }
    Ok(exit)
}

async fn query(
    args: &QueryArgs,
    options: &Arc<Options>,
    mut session: Session,
    sql: &str,
) -> Result<Exit, Failure> {
    let interrupt = Interrupt::new()?;
    interrupt.watch_x(session.cancel_handle(), Arc::clone(options));
    let begun = Instant::now();
    let statement = StmtExecute { stmt: sql.to_owned().into(), ..StmtExecute::default() };
    let sent = session.message(|connection, cx| connection.send(&statement, cx)).await;
    let done = match sent {
        Ok(()) => print(Printer::new(args.format, begun), &mut session).await?,
        Err(error) => Err(error),
    };
    // What is to be shown has been; a server that is gone already changes nothing of it.
    let _ = session.close().await;
    Ok(match done {
        Ok(()) => Exit::Connected,
        Err(error) => {
            tell_fault(&report::fault(&error, None));
            exit::of(&error)
        }
    })
}

/// Shows all results; gives the error that ended them, if one did.
async fn print(mut printer: Printer, session: &mut Session) -> Result<Result<(), Error>, Failure> {
    let (mut facts, mut open, mut failed) = (Facts::default(), false, None);
    loop {
        let event = match session.next_event().await {
            Ok(Some(event)) => event,
            Ok(None) => break,
            Err(error) => {
                failed = Some(error);
                break;
            }
        };
        facts.note(&event);
        match event {
            Event::Columns(columns) => {
                if facts.resultsets > Some(1) {
                    printer.next()?;
                }
                printer.begin(&Head::of_x(&columns))?;
                open = true;
            }
            Event::Rows(batch) => show(&mut printer, &batch)?,
            Event::Fetched(Fetched::MoreResultsets | Fetched::MoreOutParams) if open => {
                printer.end(Some(0))?;
                open = false;
            }
            Event::Error(error) => failed = Some(Error::Server(error)),
            _ => {}
        }
    }
    // Warnings are told behind the last result, and are of all of them.
    if open {
        printer.end(failed.is_none().then(|| facts.warnings.unwrap_or_default()))?;
    } else if failed.is_none() && facts.resultsets.is_none() {
        printer.ok(&without_rows(&facts))?;
    }
    printer.finish()?;
    Ok(failed.map_or(Ok(()), Err))
}

fn show(printer: &mut Printer, batch: &RowBatch) -> Result<(), Failure> {
    let (writer, out) = printer.rows();
    let written = rows::write_x(writer, batch, out)?;
    printer.came(batch.len() as u64, || batch.iter().map(|row| row.payload().len() as u64).sum())?;
    written.map_err(|error| Failure::XRow(Box::new(error)))
}

/// What a statement without rows did.
fn without_rows(facts: &Facts) -> Vec<String> {
    let mut texts = vec![format!("{} affected", counted(facts.affected.unwrap_or_default(), "row"))];
    texts.extend(facts.insert_id.map(|id| format!("insert id {id}")));
    texts.extend(facts.warnings.map(|warnings| counted(warnings, "warning")));
    texts.extend(facts.info.as_deref().map(str::to_owned));
    texts
}
