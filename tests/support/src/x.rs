//! X Protocol on the machines alone, over a [`Wire`]: what tests of the protocol itself send and read with.

use std::sync::Arc;

use anyhow::{Result, bail};
use bytes::Bytes;
use porpoise_trace::Record;
use porpoise_wire::{Cx, Limits, Lost, Machine};
use porpoise_xproto::connect::{ConnectError, ConnectEvent, ConnectOptions, Connector, Transport};
use porpoise_xproto::messages::sql;
use porpoise_xproto::{
    ClientMessage, Connection, Event, Fetched, Misuse, NoticeBody, ServerError, XError, XErrorKind,
};

use crate::Wire;
use crate::player::drive;

/// A connection of X Protocol, and what was told on it.
pub struct XClient<'w> {
    wire: &'w mut dyn Wire,
    machine: Box<Connection>,
    trace: Record,
    told: Vec<String>,
    /// The end of the connection, once it came.
    end: Option<XError>,
}

/// The whole reply to a message.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct XReply {
    /// It is an Error.
    pub error: Option<ServerError>,
    /// The text of Ok.
    pub ok: Option<Box<str>>,
    /// The rows of all results.
    pub rows: Vec<Vec<Option<Vec<u8>>>>,
    /// The names of the columns of each result.
    pub columns: Vec<Vec<String>>,
    /// How each result ended.
    pub fetched: Vec<Fetched>,
    /// Notices that came with it, but for ServerHello.
    pub notices: Vec<NoticeBody>,
    /// Capabilities, if it lists them.
    pub capabilities: Option<porpoise_xproto::messages::connection::Capabilities>,
    /// A challenge.
    pub challenge: Option<Bytes>,
}

impl XReply {
    /// The number of its Error; 0 for success.
    #[must_use]
    pub fn code(&self) -> u16 {
        self.error.as_ref().map_or(0, |error| error.code)
    }

    /// The first cell of the first row.
    #[must_use]
    pub fn cell(&self) -> Option<&[u8]> {
        self.rows.first()?.first()?.as_deref()
    }

    /// The same as text: without the byte that ends it.
    #[must_use]
    pub fn text(&self) -> Option<String> {
        let (_, text) = self.cell()?.split_last()?;
        Some(String::from_utf8_lossy(text).into_owned())
    }

    /// Success, or what the server refused.
    ///
    /// # Errors
    /// The Error.
    pub fn ok(self) -> Result<Self> {
        match &self.error {
            Some(error) => bail!("{error}"),
            None => Ok(self),
        }
    }

    /// The number of rows that the statement changed, if it was told.
    #[must_use]
    pub fn affected(&self) -> Option<u64> {
        self.notices.iter().find_map(|notice| match notice {
            NoticeBody::RowsAffected(rows) => Some(*rows),
            _ => None,
        })
    }
}

impl<'w> XClient<'w> {
    /// Opens the transport, and no more.
    ///
    /// # Errors
    /// Nobody takes the connection.
    pub fn open(wire: &'w mut dyn Wire, limits: Limits) -> Result<Self> {
        Self::open_told(wire, limits, &Record::new())
    }

    /// The same, told to a record.
    ///
    /// # Errors
    /// Nobody takes the connection.
    pub fn open_told(wire: &'w mut dyn Wire, limits: Limits, record: &Record) -> Result<Self> {
        wire.dial().map_err(|lost| anyhow::anyhow!("{lost}"))?;
        let machine = Box::new(Connection::new(limits));
        let mut client = Self { wire, machine, trace: record.clone(), told: Vec::new(), end: None };
        client.with(|machine, cx| machine.connected(cx));
        Ok(client)
    }

    /// Connects and logs in.
    ///
    /// # Errors
    /// The connect failed.
    pub fn connect(
        wire: &'w mut dyn Wire,
        transport: Transport,
        options: ConnectOptions,
    ) -> Result<Self, ConnectError> {
        Self::connect_told(wire, transport, options, &Record::new())
    }

    /// The same, told to a record from the beginning.
    ///
    /// # Errors
    /// The connect failed.
    pub fn connect_told(
        wire: &'w mut dyn Wire,
        transport: Transport,
        options: ConnectOptions,
        record: &Record,
    ) -> Result<Self, ConnectError> {
        let mut trace = record.clone();
        let mut connector = Connector::new(Arc::new(options), transport);
        if let Err(why) = wire.dial() {
            let (rx, tx) = wire.buffers();
            return Err(connector.lost(why, &mut Cx::new(rx, tx, &mut trace)));
        }
        let (rx, tx) = wire.buffers();
        connector.connected(&mut Cx::new(rx, tx, &mut trace));
        loop {
            let event = drive(wire, &mut connector, &mut trace)?;
            if let Some(ConnectEvent::Ready(machine)) = event {
                return Ok(Self { wire, machine, trace, told: Vec::new(), end: None });
            }
        }
    }

    /// The machine, and what it is lent.
    pub fn with<R>(&mut self, call: impl FnOnce(&mut Connection, &mut Cx<'_, Record>) -> R) -> R {
        let (rx, tx) = self.wire.buffers();
        call(&mut self.machine, &mut Cx::new(rx, tx, &mut self.trace))
    }

    /// The machine.
    #[must_use]
    pub const fn machine(&self) -> &Connection {
        &self.machine
    }

    /// What the trace was told.
    #[must_use]
    pub const fn trace(&self) -> &Record {
        &self.trace
    }

    /// Every event, with rows taken out of their batches.
    #[must_use]
    pub fn told(&self) -> &[String] {
        &self.told
    }

    /// Sends a message, to be flushed when a reply is read.
    ///
    /// # Errors
    /// The server would not take it.
    pub fn send<M: ClientMessage>(&mut self, message: &M) -> Result<(), Misuse> {
        self.with(|machine, cx| machine.send(message, cx))
    }

    /// Sends a message, whether or not the server takes it.
    ///
    /// # Errors
    /// The connection is over.
    pub fn send_unchecked<M: ClientMessage>(&mut self, message: &M) -> Result<(), Misuse> {
        self.with(|machine, cx| machine.send_unchecked(message, cx))
    }

    /// Sends a message, and reads its reply and those before.
    ///
    /// # Errors
    /// The connection is lost.
    pub fn ask<M: ClientMessage>(&mut self, message: &M) -> Result<XReply> {
        self.send(message)?;
        self.last()
    }

    /// Runs a statement.
    ///
    /// # Errors
    /// The connection is lost.
    pub fn sql(&mut self, text: &str) -> Result<XReply> {
        self.ask(&statement(text))
    }

    /// The next event; `None` when nothing is owed.
    ///
    /// # Errors
    /// The connection is lost.
    pub fn event(&mut self) -> Result<Option<Event>, XError> {
        if let Some(end) = &self.end {
            return Err(end.clone());
        }
        match drive(self.wire, &mut *self.machine, &mut self.trace) {
            Ok(event) => {
                if let Some(event) = &event {
                    show(event, &mut self.told);
                }
                Ok(event)
            }
            Err(error) => {
                self.told.push(error.to_string());
                self.end = Some(error.clone());
                Err(error)
            }
        }
    }

    /// Sends what was written, and reads nothing.
    ///
    /// # Errors
    /// The connection is lost.
    pub fn flush(&mut self) -> Result<(), XError> {
        let flushed = self.wire.flush();
        flushed.map_err(|why| self.with(|machine, cx| machine.lost(why, cx)))
    }

    /// The rest of the oldest reply that is owed.
    ///
    /// # Errors
    /// The connection is lost.
    pub fn reply(&mut self) -> Result<XReply, XError> {
        let (mut reply, owed) = (XReply::default(), self.machine.replies_owed());
        while owed > 0 && self.machine.replies_owed() == owed {
            let Some(event) = self.event()? else { break };
            reply.take(event);
        }
        Ok(reply)
    }

    /// The last reply that is owed.
    ///
    /// # Errors
    /// The connection is lost.
    pub fn last(&mut self) -> Result<XReply> {
        while self.machine.replies_owed() > 1 {
            self.reply()?;
        }
        Ok(self.reply()?)
    }

    /// All replies that are owed, in order.
    ///
    /// # Errors
    /// The connection is lost.
    pub fn replies(&mut self) -> Result<Vec<XReply>, XError> {
        let mut all = Vec::new();
        while self.machine.replies_owed() > 0 {
            all.push(self.reply()?);
        }
        Ok(all)
    }

    /// Waits for what comes unasked: a notice, or the end.
    ///
    /// # Errors
    /// The connection is lost.
    pub fn unasked(&mut self) -> Result<Event, XError> {
        loop {
            if let Some(event) = self.event()? {
                return Ok(event);
            }
            if let Err(why) = self.wire.exchange() {
                let error = self.with(|machine, cx| machine.lost(why, cx));
                self.told.push(error.to_string());
                self.end = Some(error.clone());
                return Err(error);
            }
        }
    }

    /// Reads to the end of the stream. How it ended.
    pub fn end(&mut self) -> XError {
        loop {
            if let Err(error) = self.unasked() {
                return error;
            }
        }
    }

    /// Says goodbye, and reads to the end. Servers leave TLS without a close_notify.
    ///
    /// # Errors
    /// The end was not as it should be.
    pub fn close(&mut self) -> Result<()> {
        self.with(|machine, cx| machine.close(cx))?;
        self.last()?.ok()?;
        let end = self.end();
        match end.kind() {
            XErrorKind::Lost(Lost::Closed | Lost::Tls { .. }) => Ok(()),
            _ => bail!(end),
        }
    }
}

impl XReply {
    fn take(&mut self, event: Event) {
        match event {
            Event::Ok(text) => self.ok = text,
            Event::Error(error) => self.error = Some(error),
            Event::Capabilities(capabilities) => self.capabilities = Some(capabilities),
            Event::AuthenticateContinue(challenge) => self.challenge = Some(challenge),
            Event::Columns(columns) => {
                let names = columns.iter().map(|column| String::from_utf8_lossy(column.name).into_owned());
                self.columns.push(names.collect());
            }
            Event::Rows(batch) => {
                let row = |row: porpoise_xproto::RowRef<'_>| {
                    row.iter().map(|cell| cell.ok().flatten().map(<[u8]>::to_vec)).collect()
                };
                self.rows.extend(batch.iter().map(row));
            }
            Event::Fetched(fetched) => self.fetched.push(fetched),
            Event::Notice(notice) if notice.body != NoticeBody::ServerHello => self.notices.push(notice.body),
            _ => {}
        }
    }
}

/// A statement without arguments.
#[must_use]
pub fn statement(text: &str) -> sql::StmtExecute {
    sql::StmtExecute { stmt: Bytes::copy_from_slice(text.as_bytes()), ..Default::default() }
}

fn show(event: &Event, told: &mut Vec<String>) {
    match event {
        Event::Rows(batch) => {
            for row in batch {
                let cells: Vec<_> = row
                    .iter()
                    .map(|cell| cell.map(|cell| cell.map_or_else(|| "NULL".to_owned(), short)))
                    .collect();
                told.push(format!("row {cells:?}"));
            }
        }
        Event::Capabilities(capabilities) => {
            let names: Vec<_> =
                capabilities.capabilities.iter().map(|capability| &*capability.name).collect();
            told.push(format!("Capabilities {}", names.join(", ")));
        }
        other => told.push(format!("{other:?}")),
    }
}

/// A cell, or how long it is.
fn short(cell: &[u8]) -> String {
    match cell.len() {
        0..=80 => cell.escape_ascii().to_string(),
        len => format!("{len} bytes"),
    }
}
