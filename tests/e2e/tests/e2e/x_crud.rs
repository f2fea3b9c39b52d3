//! Collections, tables and schemas over the X Protocol, on real servers.

mod documents;
mod objects;
mod recorded;
mod tables;

use anyhow::{Result, bail};
use porpoise::x::{Error, Schema, Session};

use crate::suite::{Context, MYSQL, Suite, Test, Transport};
use crate::x_session::connect;

pub(crate) fn add(suite: &mut Suite) {
    let everywhere: &[(&str, Test)] = &[
        ("documents", documents::documents),
        ("one-document", documents::one_document),
        ("changes", documents::changes),
        ("placeholders", documents::placeholders),
        ("pipelined", documents::pipelined),
        ("tables", tables::tables),
        ("objects", objects::objects),
    ];
    let once: &[(&str, Test)] = &[
        ("validation", objects::validation),
        ("indexes", objects::indexes),
        ("views", objects::views),
        ("commands", objects::commands),
        ("prepared", documents::prepared),
        ("locks", tables::locks),
        ("values", tables::values),
        ("recorded-statements", recorded::statements),
        ("recorded-expressions", recorded::expressions),
    ];
    for transport in Transport::ALL {
        suite.add_tests(&format!("x-crud::{}", transport.name()), transport, MYSQL, everywhere);
    }
    suite.add_tests("x-crud", Transport::Unix, MYSQL, once);
}

/// A session, and a schema of its own that is empty.
async fn scene(context: &Context) -> Result<(Session, Schema)> {
    let mut session = connect(context, |options| options).await?;
    let number = session.client_id().unwrap_or_default();
    let schema = Schema::new(format!("porp_xcrud_{}_{number}", std::process::id()));
    // Of a run that was killed.
    if let Err(error) = session.execute(schema.drop()).await
        && error.code() != 1008
    {
        return Err(error.into());
    }
    session.execute(schema.create()).await?;
    Ok((session, schema))
}

/// Their end.
async fn over(mut session: Session, schema: &Schema) -> Result<()> {
    session.execute(schema.drop()).await?;
    Ok(session.close().await?)
}

/// The server refused it, with this error.
fn refused<T: std::fmt::Debug>(what: &str, result: Result<T, Error>, code: u16) -> Result<()> {
    match result {
        Err(Error::Server(error)) if error.code == code => Ok(()),
        other => bail!("{what}: {other:?}, not error {code}"),
    }
}

/// A statement in SQL.
fn sql(text: impl Into<String>) -> porpoise::xproto::messages::sql::StmtExecute {
    porpoise::xproto::messages::sql::StmtExecute { stmt: text.into().into(), ..Default::default() }
}

/// All rows of a request.
async fn rows<T, R>(session: &mut Session, request: R) -> Result<Vec<T>, Error>
where
    T: for<'r> porpoise::FromRow<'r>,
    R: porpoise::x::crud::Request,
{
    session.results(request).await?.all().await
}
