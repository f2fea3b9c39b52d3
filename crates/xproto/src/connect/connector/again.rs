//! Another login on the same connection, and a statement that goes with a login.

use std::collections::VecDeque;
use std::sync::Arc;

use porpoise_auth::Channel;
use porpoise_trace::TraceSink;
use porpoise_wire::Cx;

use super::{Connector, Failure, Phase, Reply};
use crate::Connection;
use crate::connect::flight::with_attributes;
use crate::connect::{ConnectOptions, Transport};
use crate::messages::connection::CapabilitiesSet;
use crate::messages::sql::StmtExecute;

impl Connector {
    /// Another login on a connection that has a session, which is given up for it: Session.Reset, then as for a connect. What
    /// belongs to the connection, TLS and compression, stays as it is.
    pub fn again<T: TraceSink>(
        connection: Box<Connection>,
        options: Arc<ConnectOptions>,
        channel: Channel,
        cx: &mut Cx<'_, T>,
    ) -> Self {
        let mut connector = Self::new(options, Transport::Tcp);
        (connector.channel, connector.connection) = (channel, Some(connection));
        let begun = connector.relogin(cx);
        connector.keep(begun, cx);
        connector
    }

    fn relogin<T: TraceSink>(&mut self, cx: &mut Cx<'_, T>) -> Result<(), Failure> {
        self.may_login()?;
        let mut replies = VecDeque::from([Reply::Reset]);
        self.send(|connection, cx| connection.session_reset(false, cx), cx)?;
        let set = with_attributes(CapabilitiesSet::default(), &self.options);
        if !set.is_empty() {
            self.send(|connection, cx| connection.send(&set, cx), cx)?;
            replies.push_back(Reply::Set);
        }
        self.phase = Phase::Login(replies);
        self.first_mechanism(cx)
    }

    /// A statement that is sent with the login: in the same flight where the login is one message, which cannot be read by
    /// others, and right behind it else. Its reply is owed when the session is there. If the login fails the statement has not
    /// run.
    pub fn set_first(&mut self, statement: StmtExecute) {
        self.first = Some(statement);
    }

    /// Sends the statement that waits for the login.
    pub(super) fn send_first<T: TraceSink>(&mut self, cx: &mut Cx<'_, T>) -> Result<(), Failure> {
        match self.first.take() {
            Some(statement) => self.send(|connection, cx| connection.send(&statement, cx), cx),
            None => Ok(()),
        }
    }
}
