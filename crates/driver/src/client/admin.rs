//! The session itself: ping, default database, reset, another user, the end.

use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use porpoise_auth::Answer;
use porpoise_classic::{Collation, Event};
use porpoise_classic_connect::{ChangeUser, ChangeUserEvent, ConnectOptions};

use super::{Client, Phase};
use crate::{Error, Operation};

impl Client {
    /// `COM_PING`.
    ///
    /// Dropped: drained.
    ///
    /// # Errors
    /// The connection is broken.
    #[inline]
    pub async fn ping(&mut self) -> Result<(), Error> {
        self.start().await?;
        self.encode_untouched(|session, cx| session.ping(cx))?;
        self.finish().await
    }

    /// `COM_INIT_DB`: another default database.
    ///
    /// Dropped: drained; the database may or may not have changed.
    ///
    /// # Errors
    /// [`Error::Server`] if there is no such one, or no right to it.
    pub async fn init_db(&mut self, database: &str) -> Result<(), Error> {
        self.command(|session, cx| session.init_db(database, cx)).await?;
        self.finish().await
    }

    /// `COM_STATISTICS`: short statistics of the server, as text for people.
    ///
    /// Dropped: drained.
    ///
    /// # Errors
    /// The connection is broken, or the server refuses.
    pub async fn statistics(&mut self) -> Result<String, Error> {
        self.start().await?;
        self.encode_untouched(|session, cx| session.statistics(cx))?;
        let mut text = String::new();
        while let Some(event) = self.next_event().await? {
            match event {
                Event::Statistics(bytes) => text = String::from_utf8_lossy(&bytes).into_owned(),
                Event::Err(err) => return Err(Error::Server(err)),
                _ => {}
            }
        }
        Ok(text)
    }

    /// `KILL CONNECTION`: ends another connection, by its server's id.
    ///
    /// Dropped: drained; the other connection may or may not be ended.
    ///
    /// # Errors
    /// [`Error::Server`] if there is no such connection, or no right to end it.
    pub async fn kill(&mut self, connection_id: u32) -> Result<(), Error> {
        self.query_drop(&format!("KILL CONNECTION {connection_id}")).await
    }

    /// `KILL QUERY`: ends what another connection is doing, whatever that is by then. To end a certain statement of one's own
    /// use a [`CancelHandle`](crate::CancelHandle), which hits no other.
    ///
    /// Dropped: drained; the other connection may or may not be disturbed.
    ///
    /// # Errors
    /// [`Error::Server`] if there is no such connection, or no right to disturb it.
    pub async fn kill_query(&mut self, connection_id: u32) -> Result<(), Error> {
        self.query_drop(&format!("KILL QUERY {connection_id}")).await
    }

    /// `COM_RESET_CONNECTION`: statements, variables, temporary tables and an open transaction are gone, user and
    /// database stay. The character set falls back to the server's own default.
    ///
    /// Dropped: drained; the session may or may not be reset.
    ///
    /// # Errors
    /// The connection is broken, or the password has expired.
    pub async fn reset_connection(&mut self) -> Result<(), Error> {
        self.start().await?;
        self.encode(|session, cx| session.reset_connection(cx))?;
        self.care.get_or_insert_default().resetting = true;
        self.finish().await
    }

    /// [`reset_connection`](Self::reset_connection), then what the options ask of a session: the connect's character set, and
    /// what the server is to tell. Init commands are not run again.
    ///
    /// Dropped: drained; the session may or may not be reset, and may have the server's own character set.
    ///
    /// # Errors
    /// As [`reset_connection`](Self::reset_connection).
    pub async fn reset(&mut self) -> Result<(), Error> {
        self.reset_connection().await?;
        let names = Collation::by_id(self.first_charset)
            .map(|collation| format!("NAMES {} COLLATE {}", collation.charset, collation.name));
        let assignments =
            names.into_iter().chain(self.options.endpoint.session.assignments().map(str::to_owned));
        let assignments: Vec<_> = assignments.collect();
        if assignments.is_empty() {
            return Ok(());
        }
        self.query_drop(&format!("SET {}", assignments.join(", "))).await?;
        // What was just set is what a new session has, too.
        self.touched = false;
        if let Some(care) = &mut self.care {
            care.tracked.forget();
            care.untracked = false;
        }
        Ok(())
    }

    /// How long each operation may take, from its start until its last reply is read; `None`: as long as it likes. The time is
    /// looked at whenever the operation waits.
    ///
    /// When it is over, `KILL QUERY` is sent on a second connection, as by a [`CancelHandle`](crate::CancelHandle), the
    /// rest of the reply is read and the operation fails with [`Error::TimedOut`]; the session goes on. A server that does not
    /// obey [in time](crate::OptionsBuilder::cancel_time) has the connection closed.
    pub fn set_timeout(&mut self, limit: Option<Duration>) {
        if limit.is_some() || self.care.is_some() {
            self.care.get_or_insert_default().timeout = limit;
        }
    }

    /// Gives the buffers back. For connections that are going to be idle for long; the next operation makes them anew. What
    /// was received and not read yet stays.
    pub fn park(&mut self) {
        self.io.pipe.park();
        if let Phase::Ready(session) = &mut self.phase {
            session.release_memory();
        }
    }

    /// `COM_CHANGE_USER`: logs in again, as the user in `options`; all that the session had is gone.
    ///
    /// Dropped: closed, unless it was never polled.
    ///
    /// # Errors
    /// [`Error::Connect`]; the connection is closed then.
    pub async fn change_user(&mut self, options: Arc<ConnectOptions>) -> Result<(), Error> {
        self.start().await?;
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
        let Self { io, options, phase, care, touched, first_charset, .. } = &mut *this.0;
        io.pipe.wipe_sent(true);
        loop {
            match poll_fn(|cx| io.poll_drive(&mut machine, &options.endpoint, cx)).await {
                Ok(Some(ChangeUserEvent::Ready(session))) => {
                    io.pipe.wipe_sent(false);
                    *first_charset = session.charset();
                    *phase = Phase::Ready(session);
                    *touched = false;
                    if care.is_some() || options.endpoint.session.track_state {
                        care.get_or_insert_default().forget_session();
                    }
                    return Ok(());
                }
                Ok(Some(ChangeUserEvent::Ask(ask))) => {
                    let answer = match &options.endpoint.responder {
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

    /// `COM_QUIT`, then closes the stream. What an earlier call left is read before, or given up.
    ///
    /// Dropped: closed.
    ///
    /// # Errors
    /// The goodbye could not be sent; the connection is gone all the same.
    pub async fn close(mut self) -> Result<(), Error> {
        if self.is_usable() {
            // What cannot be read has the session closed, and then there is nobody to say goodbye to.
            let _ = self.start().await;
        }
        self.quit().await
    }

    /// As [`close`](Self::close), at once: what an earlier call left is not read.
    ///
    /// Dropped: closed.
    ///
    /// # Errors
    /// As there.
    pub async fn quit(mut self) -> Result<(), Error> {
        if self.is_usable() {
            self.encode(|session, cx| session.quit(cx))?;
            self.next_event().await?;
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
