use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use porpoise_auth::{Answer, Channel};
use porpoise_classic::{CapabilityFlags, Event, Misuse, Session, StatusFlags};
use porpoise_classic_connect::{ChangeUser, ChangeUserEvent, ConnectOptions};
use porpoise_transport::TlsFacts;
use porpoise_wire::Cx;

use crate::io::Io;
use crate::{Connecting, Error, FlightRecord, Operation, Options, Results, Runtime, Tap};

/// What is read from the wire in one go, in bytes: a full TLS record.
const READ_SIZE: usize = 17 << 10;
/// What a dropped result may still have, in bytes, and be read to its end by the next call.
const DRAIN_BUDGET: usize = 1 << 20;

/// A session with a server.
///
/// Every call may be dropped at any await. Before the call's first poll nothing has happened. After it, the
/// statement may or may not run; its result is read to its end by the next call, and a connection whose result is
/// too large for that is closed. A dropped [`change_user`](Self::change_user) closes the connection.
///
/// Dropping a client closes its socket without `COM_QUIT`; [`close`](Self::close) says goodbye.
pub struct Client {
    phase: Phase,
    io: Io,
    options: Arc<Options>,
    runtime: &'static dyn Runtime,
    channel: Channel,
    record: Option<Box<FlightRecord>>,
}

/// What the connection is used for. In the client, never in a future, so that no drop can lose it.
enum Phase {
    Ready(Box<Session>),
    ChangingUser,
    Closed(Operation),
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("target", &self.options.target())
            .field("runtime", &self.runtime)
            .finish_non_exhaustive()
    }
}

impl Client {
    pub(crate) fn new(
        session: Box<Session>,
        mut io: Io,
        options: Arc<Options>,
        runtime: &'static dyn Runtime,
        channel: Channel,
        record: Option<Box<FlightRecord>>,
    ) -> Self {
        // The login is over: no password is left to be wiped.
        io.pipe.wipe_sent(false);
        io.pipe.set_read_size(READ_SIZE);
        Self { phase: Phase::Ready(session), io, options, runtime, channel, record }
    }

    /// Connects, when it is awaited. Fails with [`Error::Connect`], which names the stage in which the connect died.
    pub fn connect(runtime: &'static dyn Runtime, options: Arc<Options>) -> Connecting {
        Connecting::new(runtime, options)
    }

    /// What the connect did, if it was recorded.
    #[must_use]
    pub fn flight_record(&self) -> Option<&FlightRecord> {
        self.record.as_deref()
    }

    /// Whether the bytes are encrypted.
    #[must_use]
    pub const fn is_encrypted(&self) -> bool {
        matches!(self.channel, Channel::Tls { .. })
    }

    /// What TLS agreed on; none when the bytes are not encrypted.
    #[must_use]
    pub fn tls_facts(&self) -> Option<TlsFacts> {
        self.io.pipe.tls_facts()
    }

    /// Whether this client can be used further.
    #[must_use]
    pub const fn is_usable(&self) -> bool {
        match &self.phase {
            Phase::Ready(session) => !session.is_out_of_step(),
            _ => false,
        }
    }

    /// The server's id of this connection; 0 once it is closed.
    #[must_use]
    pub fn connection_id(&self) -> u32 {
        self.session().map_or(0, Session::connection_id)
    }

    /// The server's version; empty once the connection is closed.
    #[must_use]
    pub fn server_version(&self) -> &str {
        self.session().map_or("", Session::server_version)
    }

    /// The capabilities agreed on.
    #[must_use]
    pub fn capabilities(&self) -> CapabilityFlags {
        self.session().map_or(CapabilityFlags::empty(), Session::capabilities)
    }

    /// The id of the connection's collation; 0 once the connection is closed.
    #[must_use]
    pub fn charset(&self) -> u16 {
        self.session().map_or(0, Session::charset)
    }

    /// The server's status after the last reply.
    #[must_use]
    pub fn status(&self) -> StatusFlags {
        self.session().map_or(StatusFlags::empty(), Session::status)
    }

    fn session(&self) -> Option<&Session> {
        match &self.phase {
            Phase::Ready(session) => Some(session),
            _ => None,
        }
    }

    /// Runs one statement, or several if `CLIENT_MULTI_STATEMENTS` was asked for. The results are read as the
    /// caller asks for them.
    ///
    /// # Errors
    /// [`Error::Server`] if the first statement fails.
    pub async fn query(&mut self, sql: &str) -> Result<Results<'_>, Error> {
        self.command(|session, cx| session.query(sql, cx)).await?;
        Results::start(self).await
    }

    /// Runs statements whose results are of no interest.
    ///
    /// # Errors
    /// As [`query`](Self::query); also when a later statement fails.
    pub async fn query_drop(&mut self, sql: &str) -> Result<(), Error> {
        self.command(|session, cx| session.query(sql, cx)).await?;
        self.finish().await
    }

    /// `COM_PING`.
    ///
    /// # Errors
    /// The connection is broken.
    pub async fn ping(&mut self) -> Result<(), Error> {
        self.command(|session, cx| session.ping(cx)).await?;
        self.finish().await
    }

    /// `COM_INIT_DB`: another default database.
    ///
    /// # Errors
    /// [`Error::Server`] if there is no such one, or no right to it.
    pub async fn init_db(&mut self, database: &str) -> Result<(), Error> {
        self.command(|session, cx| session.init_db(database, cx)).await?;
        self.finish().await
    }

    /// `COM_RESET_CONNECTION`: statements, variables, temporary tables and an open transaction are gone, user and
    /// database stay. The character set falls back to the server's own default.
    ///
    /// # Errors
    /// The connection is broken, or the password has expired.
    pub async fn reset_connection(&mut self) -> Result<(), Error> {
        self.command(|session, cx| session.reset_connection(cx)).await?;
        self.finish().await
    }

    /// `COM_CHANGE_USER`: logs in again, as the user in `options`; all that the session had is gone.
    ///
    /// # Errors
    /// [`Error::Connect`]; the connection is closed then, as it is when this future is dropped.
    pub async fn change_user(&mut self, options: Arc<ConnectOptions>) -> Result<(), Error> {
        self.drain().await?;
        let phase = std::mem::replace(&mut self.phase, Phase::ChangingUser);
        let Phase::Ready(session) = phase else {
            self.phase = phase;
            return Err(self.unusable());
        };
        let mut machine = match ChangeUser::new(session, options, self.channel) {
            Ok(machine) => machine,
            Err(session) => {
                self.phase = Phase::Ready(session);
                return Err(Error::Unusable(Operation::TooMuchToDrain));
            }
        };
        let this = Changing(self);
        let Self { io, options, phase, .. } = &mut *this.0;
        io.pipe.wipe_sent(true);
        loop {
            match poll_fn(|cx| io.poll_drive(&mut machine, options, cx)).await {
                Ok(Some(ChangeUserEvent::Ready(session))) => {
                    io.pipe.wipe_sent(false);
                    *phase = Phase::Ready(session);
                    return Ok(());
                }
                Ok(Some(ChangeUserEvent::Ask(ask))) => {
                    let answer = match &options.responder {
                        Some(responder) => responder.respond(&ask).await,
                        None => Answer::Refused,
                    };
                    // The machine asked, so it takes an answer.
                    let _ = machine.answer(answer);
                }
                Ok(_) => {}
                Err(error) => {
                    this.0.end(Operation::Closed);
                    return Err(error.into());
                }
            }
        }
    }

    /// `COM_QUIT`, then closes the stream.
    ///
    /// # Errors
    /// The goodbye could not be sent; the connection is gone all the same.
    pub async fn close(mut self) -> Result<(), Error> {
        if self.is_usable() && self.drain().await.is_ok() {
            self.encode(|session, cx| session.quit(cx))?;
            poll_fn(|cx| self.poll_next(cx)).await?;
        }
        if let Phase::Ready(session) = &mut self.phase {
            session.closed(&mut self.io.lend());
        }
        self.io.pipe.close();
        // The peer may be gone already, which is what was wanted.
        let _ = poll_fn(|cx| self.io.poll_flush(cx)).await;
        let _ = poll_fn(|cx| self.io.link.poll_close(cx)).await;
        Ok(())
    }

    /// Gives the connection up: the server, who may still be sending, learns it at once.
    fn end(&mut self, why: Operation) {
        if let Phase::Ready(session) = &mut self.phase {
            session.closed(&mut self.io.lend());
        }
        self.phase = Phase::Closed(why);
        self.io.hang_up();
    }

    fn unusable(&self) -> Error {
        Error::Unusable(match self.phase {
            Phase::Ready(_) => Operation::Closed,
            Phase::ChangingUser => Operation::ChangeUserDropped,
            Phase::Closed(why) => why,
        })
    }

    /// Any command of the [`Session`], for what has no call of its own here: reads what an earlier call left, then
    /// encodes the command. Its reply is read by [`next_event`](Self::next_event).
    ///
    /// # Errors
    /// The connection is broken; [`Error::Misuse`] when the session does not take the command.
    pub async fn command(
        &mut self,
        command: impl FnOnce(&mut Session, &mut Cx<'_, Tap>) -> Result<(), Misuse>,
    ) -> Result<(), Error> {
        self.drain().await?;
        self.encode(command)
    }

    /// The next event of the running command; `None` when it is over, and written if it has no reply.
    ///
    /// # Errors
    /// The connection is broken. What the server refuses is an event.
    pub async fn next_event(&mut self) -> Result<Option<Event>, Error> {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    /// Encodes a command.
    fn encode(
        &mut self,
        command: impl FnOnce(&mut Session, &mut Cx<'_, Tap>) -> Result<(), Misuse>,
    ) -> Result<(), Error> {
        let Phase::Ready(session) = &mut self.phase else { return Err(self.unusable()) };
        command(session, &mut self.io.lend()).map_err(|misuse| match misuse {
            Misuse::OutOfStep | Misuse::Closed => {
                self.end(Operation::Closed);
                self.unusable()
            }
            misuse => Error::Misuse(misuse),
        })
    }

    /// The next event of the running command; `None` when it is over.
    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Event>, Error>> {
        let Phase::Ready(session) = &mut self.phase else { return Poll::Ready(Err(self.unusable())) };
        match ready!(self.io.poll_drive(&mut **session, &self.options, cx)) {
            Ok(event) => Poll::Ready(Ok(event)),
            Err(error) => {
                self.end(Operation::Closed);
                Poll::Ready(Err(error.into()))
            }
        }
    }

    /// Reads the running command's results to their end, and gives its error if it has one.
    pub(crate) async fn finish(&mut self) -> Result<(), Error> {
        let mut failed = None;
        while let Some(event) = poll_fn(|cx| self.poll_next(cx)).await? {
            match event {
                Event::Err(err) => failed = Some(Error::Server(err)),
                Event::InfileRefused(refused) => failed = Some(Error::InfileRefused(refused)),
                _ => {}
            }
        }
        failed.map_or(Ok(()), Err)
    }

    /// Reads what a dropped call left behind, within a budget.
    async fn drain(&mut self) -> Result<(), Error> {
        let before = self.io.pipe.bytes_in();
        loop {
            match &self.phase {
                Phase::Ready(session) if session.is_idle() => return Ok(()),
                Phase::Ready(_) => {}
                _ => return Err(self.unusable()),
            }
            if self.io.pipe.bytes_in() - before > DRAIN_BUDGET as u64 {
                self.end(Operation::TooMuchToDrain);
                return Err(self.unusable());
            }
            if poll_fn(|cx| self.poll_next(cx)).await?.is_none() {
                return Ok(());
            }
        }
    }
}

/// A client whose user is being changed. If this is dropped before that has come to its end, so is the connection.
struct Changing<'a>(&'a mut Client);

impl Drop for Changing<'_> {
    fn drop(&mut self) {
        if matches!(self.0.phase, Phase::ChangingUser) {
            self.0.end(Operation::ChangeUserDropped);
        }
    }
}
