//! Collections, tables and schemas over the X Protocol, on real servers.

mod documents;
mod objects;
mod recorded;
mod tables;

use std::sync::Arc;

use anyhow::{Result, bail};
use porpoise::transport::SslMode;
use porpoise::x::{Connecting, Error, Options, Schema, Session};

use crate::suite::{Context, MYSQL, Suite, Test, Transport};

pub(crate) fn add(suite: &mut Suite) {
    let everywhere: &[(&str, Test)] = &[
        ("documents", documents::documents),
        ("one-document", documents::one_document),
        ("changes", documents::changes),
        ("placeholders", documents::placeholders),
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
    for transport in [Transport::Tls, Transport::Unix] {
        suite.add_tests(&format!("x-crud::{}", transport.name()), transport, MYSQL, everywhere);
    }
    suite.add_tests("x-crud", Transport::Unix, MYSQL, once);
}

/// A session of the cell's server that may do everything.
pub(crate) async fn connect(context: &Context) -> Result<Session> {
    let server = context.server()?;
    let options = match context.cell.transport {
        Transport::Unix => Options::builder()
            .unix_socket(server.x_socket()?)
            .user(&server.root_user)
            .password(server.root_password.as_str()),
        _ => {
            let address = server.x_address()?;
            let options = Options::builder().host(&address.ip().to_string()).port(address.port());
            options.ssl_mode(SslMode::Required).user("sha2all").password("pw-sha2")
        }
    };
    Ok(Connecting::new(context.runtime(), Arc::new(options.build())).await?)
}

/// A session, and a schema of its own that is empty.
async fn scene(context: &Context) -> Result<(Session, Schema)> {
    let mut session = connect(context).await?;
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
    session.execute(All(request, std::marker::PhantomData)).await
}

struct All<R, T>(R, std::marker::PhantomData<T>);

impl<R: porpoise::x::crud::Request, T> porpoise::x::crud::Request for All<R, T> {
    type Message = R::Message;

    fn into_message(self) -> Result<R::Message, porpoise::x::crud::CrudError> {
        self.0.into_message()
    }
}

impl<R: porpoise::x::crud::Request, T: for<'r> porpoise::FromRow<'r>> porpoise::x::Ask for All<R, T> {
    type Reader = Every<T>;

    fn reader(&self) -> Every<T> {
        Every(std::marker::PhantomData)
    }
}

struct Every<T>(std::marker::PhantomData<T>);

impl<T: for<'r> porpoise::FromRow<'r>> porpoise::x::Read for Every<T> {
    type Output = Vec<T>;

    fn read(self, said: porpoise::x::Said) -> Result<Vec<T>, Error> {
        said.all()
    }
}

/// The columns' names and all rows of a request.
async fn table<R: porpoise::x::crud::Request>(
    session: &mut Session,
    request: R,
) -> Result<(Vec<String>, Vec<Vec<porpoise::value::Value>>), Error> {
    let said = session.execute(Whole(request)).await?;
    let columns = said
        .rows
        .first()
        .map(|batch| batch.columns().iter().map(|c| String::from_utf8_lossy(c.name).into_owned()).collect());
    Ok((columns.unwrap_or_default(), said.all()?))
}

struct Whole<R>(R);

impl<R: porpoise::x::crud::Request> porpoise::x::crud::Request for Whole<R> {
    type Message = R::Message;

    fn into_message(self) -> Result<R::Message, porpoise::x::crud::CrudError> {
        self.0.into_message()
    }
}

impl<R: porpoise::x::crud::Request> porpoise::x::Ask for Whole<R> {
    type Reader = Whole<()>;

    fn reader(&self) -> Whole<()> {
        Whole(())
    }
}

impl porpoise::x::Read for Whole<()> {
    type Output = porpoise::x::Said;

    fn read(self, said: porpoise::x::Said) -> Result<porpoise::x::Said, Error> {
        Ok(said)
    }
}
