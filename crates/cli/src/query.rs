//! `porpoise query`.

mod progress;

use std::io::{self, BufWriter, IsTerminal as _, Read as _, Write};
use std::sync::Arc;
use std::time::Instant;

use futures::io::AllowStdIo;
use porpoise::classic::{CapabilityFlags, OkReply};
use porpoise::{Client, Connecting, Error, Options, OptionsBuilder, Results};

use self::progress::Progress;
use crate::args::{QueryArgs, QueryFormat};
use crate::exit::{Exit, Failure};
use crate::infile;
use crate::interrupt::Interrupt;
use crate::report::{Fault, Report};
use crate::rows::{self, Csv, Head, Json, JsonLines, RowWriter, Table};
use crate::text::{self, BAD, DIM, GOOD};

pub(crate) fn run(args: &QueryArgs) -> Result<Exit, Failure> {
    let sql = match args.sql.as_deref() {
        None | Some("-") => {
            let mut sql = String::new();
            io::stdin().read_to_string(&mut sql).map_err(|error| Failure::Script(error.to_string()))?;
            sql
        }
        Some(sql) => sql.to_owned(),
    };
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
        let report = text::report(&report, text::columns());
        match args.format {
            QueryFormat::Table => write!(anstream::stdout(), "\n{report}")?,
            // Standard output is for a program to read.
            _ => anstream::eprint!("{report}"),
        }
    }
    Ok(exit)
}

/// Says why it failed.
fn tell(error: &Error) {
    let Fault { errno, sqlstate, message, advice, .. } = Fault::new(error);
    anstream::eprintln!("{BAD}error {errno} ({sqlstate}):{BAD:#} {message}");
    let advice = match error {
        Error::InfileRefused(_) => {
            Some("With local-infile=true in the URL, a statement sends the file that it names.")
        }
        _ => advice,
    };
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
    let interrupt = Interrupt::new(Arc::clone(options))?;
    interrupt.watch(client.cancel_handle());
    let begun = Instant::now();
    let results = if options.local_infile() && infile::is_load_local(sql) {
        client.query_infile(sql, |name| infile::open(name, sql).map(AllowStdIo::new)).await
    } else {
        client.query(sql).await
    };
    let failed = match results {
        Ok(results) => Printer::new(args.format, begun).print(results).await?,
        Err(error) => Some(error),
    };
    if let Some(error) = &failed {
        tell(error);
    }
    // What is to be shown has been; a server that is gone already changes nothing of it.
    let _ = client.quit().await;
    Ok(failed.as_ref().map_or(Exit::Connected, Exit::of))
}

/// Shows results, as they come.
struct Printer {
    format: QueryFormat,
    writer: Box<dyn RowWriter>,
    out: Box<dyn Write>,
    begun: Instant,
    progress: Progress,
}

impl Printer {
    fn new(format: QueryFormat, begun: Instant) -> Self {
        let terminal = io::stdout().is_terminal();
        let writer: Box<dyn RowWriter> = match format {
            QueryFormat::Table => Box::new(Table::new(terminal.then(text::width))),
            QueryFormat::Csv => Box::new(Csv::default()),
            QueryFormat::Json => Box::new(Json::default()),
            QueryFormat::Jsonl => Box::new(JsonLines::default()),
        };
        let out: Box<dyn Write> = match format {
            QueryFormat::Table => Box::new(BufWriter::new(anstream::stdout())),
            _ => Box::new(BufWriter::new(io::stdout())),
        };
        Self { format, writer, out, begun, progress: Progress::new(begun, !terminal) }
    }

    /// Shows all results; gives the error that ended them, if one did.
    async fn print(mut self, mut results: Results<'_>) -> Result<Option<Error>, Failure> {
        let mut failed = None;
        loop {
            match self.result(&mut results).await? {
                None => {}
                error => {
                    failed = error;
                    break;
                }
            }
            self.begun = Instant::now();
            match results.next_result().await {
                Ok(true) if self.format == QueryFormat::Table => writeln!(self.out)?,
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => {
                    failed = Some(error);
                    break;
                }
            }
        }
        self.progress.clear();
        self.out.flush()?;
        Ok(failed)
    }

    /// Shows one result.
    async fn result(&mut self, results: &mut Results<'_>) -> Result<Option<Error>, Failure> {
        let Some(columns) = results.columns() else {
            if let Some(ok) = results.ok() {
                self.ok(ok)?;
            }
            return Ok(None);
        };
        let head = Head::new(columns);
        self.writer.begin(&head, &mut self.out)?;
        let mut count = 0;
        let failed = loop {
            match results.next_batch().await {
                Ok(Some(batch)) => {
                    count += batch.len() as u64;
                    let written = rows::write(&mut *self.writer, &head, &batch, &mut self.out)?;
                    self.out.flush()?;
                    self.progress.add(&batch);
                    if let Err(error) = written {
                        return Err(Failure::Row(error));
                    }
                }
                Ok(None) => break None,
                Err(error) => break Some(error),
            }
        };
        self.writer.end(&mut self.out)?;
        if self.format == QueryFormat::Table && failed.is_none() {
            let warnings = results.end().map_or(0, porpoise::classic::ResultEnd::warnings);
            let mut facts = vec![counted(count, "row")];
            facts.extend((warnings > 0).then(|| counted(warnings.into(), "warning")));
            self.summary("", &facts)?;
        }
        Ok(failed)
    }

    /// What a statement without rows did.
    fn ok(&mut self, ok: &OkReply) -> io::Result<()> {
        if self.format != QueryFormat::Table {
            return Ok(());
        }
        let mut facts = vec![format!("{} affected", counted(ok.affected_rows(), "row"))];
        facts.extend((ok.last_insert_id() > 0).then(|| format!("insert id {}", ok.last_insert_id())));
        facts.extend((ok.warnings() > 0).then(|| counted(ok.warnings().into(), "warning")));
        let info = String::from_utf8_lossy(ok.info());
        facts.extend((!info.is_empty()).then(|| info.into_owned()));
        self.summary("OK, ", &facts)
    }

    fn summary(&mut self, ok: &str, facts: &[String]) -> io::Result<()> {
        let time = text::time(self.begun.elapsed());
        if !ok.is_empty() {
            write!(self.out, "{GOOD}{ok}{GOOD:#}")?;
        }
        writeln!(self.out, "{DIM}{} ({time}){DIM:#}", facts.join(", "))
    }
}

fn counted(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}
