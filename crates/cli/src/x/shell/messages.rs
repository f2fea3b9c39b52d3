//! Messages one by one, and a second session.

use std::sync::Arc;

use porpoise::x::{Connecting, Session};
use porpoise::xproto::Event;

use super::{PATIENCE, Shell};
use crate::x::patience::within;
use crate::x::reply::Failed;
use crate::x::request::{self, Request};
use crate::x::step::{Name, Step};
use crate::x::{text_format, values};

impl Shell {
    pub(super) async fn send(&mut self, text: &str) -> Result<(), Failed> {
        self.put(&request::written(text)?)?;
        self.flush().await
    }

    pub(super) async fn send_bytes(&mut self, hex: &str) -> Result<(), Failed> {
        self.put_bytes(&bytes(hex)?)?;
        self.flush().await
    }

    pub(super) fn put_bytes(&mut self, bytes: &[u8]) -> Result<(), Failed> {
        let put = self.session()?.message_now(|connection, cx| connection.send_bytes(bytes, cx));
        put.map_err(|error| Failed::from(&error))
    }

    pub(super) async fn flush(&mut self) -> Result<(), Failed> {
        self.session()?.flush().await.map_err(|error| Failed::from(&error))
    }

    /// The next message, whatever it is.
    async fn message(&mut self) -> Result<Event, Failed> {
        let (runtime, output) = (self.runtime, self.output.clone());
        let before = output.seen().count;
        output.waited();
        loop {
            let session = self.alive().ok_or_else(Failed::not_connected)?;
            let Some(event) = within(runtime, PATIENCE, session.recv()).await else {
                return Err(Failed::no_reply(PATIENCE));
            };
            let event = event.map_err(|error| Failed::from(&error))?;
            // That all columns came is told without a message of its own.
            if output.seen().count > before {
                return Ok(event);
            }
        }
    }

    pub(super) async fn recv(&mut self, argument: &str) -> Result<(), Failed> {
        let count = if argument.is_empty() { 1 } else { request::number(argument)? };
        for _ in 0..count {
            self.message().await?;
        }
        Ok(())
    }

    pub(super) async fn recv_until(&mut self, name: &str) -> Result<(), Failed> {
        let name = text_format::full_name(name).ok_or_else(|| format!("no message is named {name:?}"))?;
        loop {
            let event = self.message().await?;
            // An Error, too, is what was to be received.
            if self.output.seen().name == name || matches!(event, Event::Error(_)) {
                return Ok(());
            }
        }
    }

    pub(super) async fn recv_eof(&mut self) -> Result<(), Failed> {
        self.output.waited();
        match self.read_to_end().await {
            Some(failed) => Err(failed),
            None => Ok(()),
        }
    }

    pub(super) async fn tls_handshake(&mut self) -> Result<(), Failed> {
        let runtime = self.runtime;
        let session = self.session()?;
        match within(runtime, PATIENCE, session.start_tls()).await {
            Some(done) => done.map_err(|error| Failed::from(&error)),
            None => Err(Failed::no_reply(PATIENCE)),
        }
    }

    /// SQL on a second session, of which nothing is shown but whether it worked.
    pub(super) async fn run_other(&mut self, sql: &str) -> Result<(), Failed> {
        let mut other = match self.other.take() {
            Some(other) => other,
            None => {
                let connecting = Connecting::new(self.runtime, Arc::clone(&self.options));
                connecting.await.map_err(|error| Failed::from(&error))?
            }
        };
        let statement = Step { name: Name::Sql, argument: sql.to_owned() };
        let Some(request) = request::request(&statement)? else { return Ok(()) };
        let ran = run_on(&mut other, &request).await;
        self.other = Some(other).filter(Session::is_usable);
        ran
    }
}

async fn run_on(session: &mut Session, request: &Request) -> Result<(), Failed> {
    let sent = session.message(|connection, cx| connection.send_encoded(request.kind, &request.payload, cx));
    sent.await.map_err(|error| Failed::from(&error))?;
    let mut ran = Ok(());
    while let Some(event) = session.next_event().await.map_err(|error| Failed::from(&error))? {
        if let Event::Error(error) = event {
            ran = Err(Failed::server(error));
        }
    }
    ran
}

pub(super) fn bytes(hex: &str) -> Result<Vec<u8>, Failed> {
    values::unhex(hex).ok_or_else(|| Failed::usage("pairs of hexadecimal digits expected"))
}
