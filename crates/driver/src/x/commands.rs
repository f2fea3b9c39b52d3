//! The session itself: admin commands, reset, another user.

use std::future::poll_fn;
use std::sync::Arc;

use porpoise_auth::Answer;
use porpoise_classic_connect::Ask;
use porpoise_value::FromRow;
use porpoise_xproto::admin;
use porpoise_xproto::connect::{ConnectEvent, ConnectOptions, Connector};

use super::session::{Facts, Phase};
use super::{Error, Session};
use crate::Operation;

/// A client of the server, as `list_clients` tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClientInfo {
    /// The number of its connection, as [`Session::client_id`] gives it.
    pub client_id: u64,
    /// Its user, once there is one.
    pub user: Option<String>,
    /// Where it comes from.
    pub host: Option<String>,
    /// The id of its SQL session, as `CONNECTION_ID()` gives it.
    pub sql_session: Option<u64>,
}

impl<'r> FromRow<'r> for ClientInfo {
    fn plan<C: porpoise_value::ColumnSource + ?Sized>(
        columns: &C,
    ) -> Result<porpoise_value::Plan, porpoise_value::PlanError> {
        <(u64, Option<String>, Option<String>, Option<u64>)>::plan(columns)
    }

    fn from_row<R: porpoise_value::RowSource<'r>>(
        plan: &porpoise_value::Plan,
        row: R,
    ) -> Result<Self, R::Error> {
        let (client_id, user, host, sql_session) = FromRow::from_row(plan, row)?;
        Ok(Self { client_id, user, host, sql_session })
    }
}

/// Admin commands, and the session as a whole.
impl Session {
    /// `ping`.
    ///
    /// Dropped: drained.
    ///
    /// # Errors
    /// The connection is broken.
    pub async fn ping(&mut self) -> Result<(), Error> {
        self.execute(admin::ping()).await.map(|_| ())
    }

    /// `list_clients`: those that this user may see.
    ///
    /// Dropped: drained.
    ///
    /// # Errors
    /// The connection is broken.
    pub async fn list_clients(&mut self) -> Result<Vec<ClientInfo>, Error> {
        self.results(admin::list_clients()).await?.all().await
    }

    /// `kill_client`: ends another connection, by its [number](Self::client_id).
    ///
    /// Dropped: drained; the other connection may or may not be ended.
    ///
    /// # Errors
    /// [`Error::Server`] if there is no such connection, or no right to end it.
    pub async fn kill_client(&mut self, client_id: u64) -> Result<(), Error> {
        self.execute(admin::kill_client(client_id)).await.map(|_| ())
    }

    /// `KILL QUERY`: ends what another SQL session is doing, whatever that is by then. To end a certain operation of one's own
    /// use a [`CancelHandle`](super::CancelHandle), which hits no other.
    ///
    /// Dropped: drained; the other session may or may not be disturbed.
    ///
    /// # Errors
    /// [`Error::Server`] if there is no such session, or no right to disturb it.
    pub async fn kill_query(&mut self, sql_session: u64) -> Result<(), Error> {
        self.sql(&format!("KILL QUERY {sql_session}")).run().await.map(|_| ())
    }

    /// `enable_notices`, by their names: `warnings`, and those of a replication group, such as
    /// `group_replication/membership/view`. See [`next_notice`](Self::next_notice).
    ///
    /// Dropped: drained; they may or may not be enabled.
    ///
    /// # Errors
    /// [`Error::Server`] for a name that the server does not know.
    pub async fn enable_notices(&mut self, names: &[&str]) -> Result<(), Error> {
        self.execute(admin::enable_notices(names)).await.map(|_| ())
    }

    /// `disable_notices`.
    ///
    /// Dropped: drained; they may or may not be disabled.
    ///
    /// # Errors
    /// [`Error::Server`] for a name that the server does not know, or that is always on.
    pub async fn disable_notices(&mut self, names: &[&str]) -> Result<(), Error> {
        self.execute(admin::disable_notices(names)).await.map(|_| ())
    }

    /// Session.Reset that keeps the session open: statements, cursors, variables, temporary tables, locks and an open
    /// transaction are gone; user, schema and enabled notices stay. Needs a server of 8.0.16 or later.
    ///
    /// Dropped: drained; the session may or may not be reset.
    ///
    /// # Errors
    /// The connection is broken.
    pub async fn reset(&mut self) -> Result<(), Error> {
        self.start().await?;
        self.encode(|connection, cx| connection.session_reset(true, cx))?;
        self.care.get_or_insert_default().resetting = true;
        self.finish().await
    }

    /// Session.Reset and a login, as the user in `options`: all that the session had is gone. Where the password itself may be
    /// sent that is one flight, else two. TLS, compression and what else belongs to the connection stay as they are.
    ///
    /// Dropped: closed, unless it was never polled.
    ///
    /// # Errors
    /// [`Error::Connect`]; the connection is closed then.
    pub async fn authenticate(&mut self, options: Arc<ConnectOptions>) -> Result<(), Error> {
        self.start().await?;
        let phase = std::mem::replace(&mut self.phase, Phase::Closed(Operation::ChangeUserDropped));
        let Phase::Ready(connection) = phase else {
            self.phase = phase;
            return Err(self.unusable());
        };
        let mut this = Changing { session: self, done: false };
        let session = &mut *this.session;
        session.io.pipe.wipe_sent(true);
        let channel = session.channel();
        let mut machine = Connector::again(connection, options, channel, &mut session.io.lend());
        loop {
            let endpoint = &session.options.endpoint;
            match poll_fn(|cx| session.io.poll_drive(&mut machine, endpoint, cx)).await {
                Ok(Some(ConnectEvent::Ready(connection))) => {
                    session.io.pipe.wipe_sent(false);
                    let capabilities = session.facts.capabilities.take();
                    *session.facts = Facts::of(&mut machine);
                    session.facts.capabilities = capabilities;
                    session.notices.extend(std::mem::take(&mut session.facts.notices));
                    if let Some(care) = &mut session.care {
                        care.forget_session();
                    }
                    session.phase = Phase::Ready(connection);
                    this.done = true;
                    return Ok(());
                }
                Ok(Some(ConnectEvent::Ask(ask))) => {
                    let answer = match &session.options.endpoint.responder {
                        Some(responder) => responder.respond(&Ask::Plugin(ask)).await,
                        None => Answer::Refused,
                    };
                    machine.answer(answer, &mut session.io.lend());
                }
                Ok(_) => {}
                Err(error) => {
                    session.end(Operation::Closed);
                    this.done = true;
                    return Err(error.into());
                }
            }
        }
    }
}

/// A session whose user is being changed. If this is dropped before that has come to its end, so is the connection.
struct Changing<'a> {
    session: &'a mut Session,
    done: bool,
}

impl Drop for Changing<'_> {
    fn drop(&mut self) {
        if !self.done {
            self.session.end(Operation::ChangeUserDropped);
        }
    }
}
