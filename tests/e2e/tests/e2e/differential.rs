//! porpoise and the mysql command-line client run the same statements, and the server says the same to both: columns with
//! their types, values, NULLs, warnings, errors, several results.

mod client;
mod said;

use std::fmt;

use anyhow::{Context as _, Result, bail};
use porpoise::classic::CapabilityFlags;
use porpoise::transport::SslMode;
use porpoise::{Client, Error, Results};
use porpoise_test_support::{Server, read};

use self::said::{Column, Failed, Said, Table, shown};
use crate::suite::{Cell, Context, MARIADB, MYSQL, Runner, Suite, Transport};

const STATEMENTS: &str = "tests/sql/differential.sql";

pub(crate) fn add(suite: &mut Suite) {
    for server in [MYSQL].into_iter().chain(MARIADB) {
        let cell = Cell::new(Runner::Tokio, Transport::Tcp, server);
        suite.add(format!("differential::{server}"), cell, compare);
    }
}

/// The statements that are for a server.
fn statements<'a>(text: &'a str, server: &Server) -> Vec<&'a str> {
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    let wanted =
        lines.filter_map(|line| match (line.strip_prefix("mysql: "), line.strip_prefix("mariadb: ")) {
            (Some(statement), _) => (!server.is_mariadb()).then_some(statement),
            (_, Some(statement)) => server.is_mariadb().then_some(statement),
            _ => Some(line),
        });
    wanted.collect()
}

fn compare(context: &Context) -> Result<()> {
    let server = context.server()?;
    let program = server.client.as_ref().context("no mysql command-line client is known for this server")?;
    let text = read(STATEMENTS)?;
    let statements = statements(&text, server);
    // Procedures are no temporary things.
    let schema = format!("porpoise_differential_{}", std::process::id());
    server.run(&format!("CREATE DATABASE {schema}"))?;
    let both = client::run(program, server, &schema, &statements)
        .and_then(|theirs| Ok((theirs, context.run(run(context, server, &schema, &statements))?)));
    server.run(&format!("DROP DATABASE {schema}"))?;
    let (theirs, ours) = both?;
    let mut tables = 0;
    for ((statement, theirs), ours) in statements.iter().zip(&theirs).zip(&ours) {
        if theirs != ours {
            bail!("{statement}\n{}", difference(theirs, ours));
        }
        tables += theirs.tables.len();
    }
    // Both could have said nothing.
    anyhow::ensure!(tables > statements.len(), "{tables} results of {} statements", statements.len());
    Ok(())
}

fn difference(theirs: &Said, ours: &Said) -> String {
    for (number, (theirs, ours)) in theirs.tables.iter().zip(&ours.tables).enumerate() {
        if let Some(difference) = first(&theirs.columns, &ours.columns) {
            return format!("result {number}, a column\n{difference}");
        }
        if let Some(difference) = first(&theirs.rows, &ours.rows) {
            return format!("result {number}, a row\n{difference}");
        }
        if theirs != ours {
            return format!("result {number}\n{}", both(theirs, ours));
        }
    }
    both(theirs, ours)
}

/// The first pair that differs.
fn first<T: PartialEq + fmt::Debug>(theirs: &[T], ours: &[T]) -> Option<String> {
    let differs = theirs.iter().zip(ours).find(|(theirs, ours)| theirs != ours);
    differs.map(|(theirs, ours)| both(theirs, ours))
}

fn both(theirs: &impl fmt::Debug, ours: &impl fmt::Debug) -> String {
    format!("mysql:    {theirs:?}\nporpoise: {ours:?}")
}

async fn run(context: &Context, server: &Server, schema: &str, statements: &[&str]) -> Result<Vec<Said>> {
    let options = server.tcp().user(&server.root_user).password(server.root_password.as_str());
    let multi = CapabilityFlags::CLIENT_MULTI_STATEMENTS;
    let options = options.database(schema).ssl_mode(SslMode::Preferred).connect(|c| c.with(multi)).build()?;
    let mut client = Client::connect(context.runtime(), options.into()).await?;
    let mut all = Vec::new();
    for statement in statements {
        let mut said = Said::default();
        if let Err(error) = query(&mut client, statement, &mut said.tables).await {
            let Error::Server(err) = error else { return Err(error).context((*statement).to_owned()) };
            let (sqlstate, message) = (err.sqlstate().to_owned(), err.message().into_owned());
            said.failed = Some(Failed { number: err.code(), sqlstate, message });
        }
        all.push(said);
    }
    client.close().await?;
    Ok(all)
}

async fn query(client: &mut Client, statement: &str, tables: &mut Vec<Table>) -> Result<(), Error> {
    let mut results = client.query(statement).await?;
    loop {
        tables.push(table(&mut results).await?);
        if !results.next_result().await? {
            return Ok(());
        }
    }
}

async fn table(results: &mut Results<'_>) -> Result<Table, Error> {
    let mut table = Table::default();
    let columns = results.columns().cloned().unwrap_or_default();
    let definitions: Vec<_> = columns.iter().collect();
    table.columns = definitions.iter().map(Column::of).collect();
    while let Some(batch) = results.next_batch().await? {
        for row in &batch {
            let cells = row.iter().zip(&definitions).map(|(cell, definition)| {
                let cell = cell.unwrap_or_else(|error| panic!("{error}"));
                cell.map(|value| shown(definition, value))
            });
            table.rows.push(cells.collect());
        }
    }
    match results.ok() {
        Some(ok) => table.affected = Some(ok.affected_rows()),
        None => table.count = Some(table.rows.len()),
    }
    if let Some(end) = results.end() {
        table.warnings = end.warnings();
        table.info = String::from_utf8_lossy(end.info()).into_owned();
    }
    Ok(table)
}
