//! A wire that plays a transcript's server, and holds the client against what it did then.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use bytes::BytesMut;
use porpoise_wire::{Lost, TlsInfo};

use crate::{End, Entry, Transcript, Wire};

/// How the server's bytes are cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cut {
    /// Not at all: what could be received at once is.
    Whole,
    /// One byte at a time.
    Bytes,
    /// In two, behind so many bytes from the start.
    At(usize),
}

impl Cut {
    /// How many of the bytes that are left come next, when so many were given.
    fn piece(self, given: usize, left: usize) -> usize {
        match self {
            Self::Bytes => 1,
            Self::At(at) if given < at => left.min(at - given),
            Self::At(_) | Self::Whole => left,
        }
    }
}

/// A transcript's server.
#[derive(Debug)]
pub struct Replay {
    entries: VecDeque<Entry>,
    cut: Cut,
    /// How many of the server's bytes were given.
    given: usize,
    /// Bytes of the client that are not compared yet.
    sent: BytesMut,
    rx: BytesMut,
    tx: BytesMut,
    fault: Option<String>,
}

impl Replay {
    /// The server of a transcript.
    #[must_use]
    pub fn new(transcript: &Transcript, cut: Cut) -> Self {
        Self {
            entries: transcript.entries.iter().cloned().collect(),
            cut,
            given: 0,
            sent: BytesMut::new(),
            rx: BytesMut::new(),
            tx: BytesMut::new(),
            fault: None,
        }
    }

    /// The client did as it did then, to the end.
    ///
    /// # Errors
    /// What it did otherwise.
    pub fn finish(mut self) -> Result<(), String> {
        self.hear();
        match self.fault {
            Some(fault) => Err(fault),
            None if self.sent.is_empty() && self.entries.is_empty() => Ok(()),
            None => Err(format!("left: {} bytes of the client, {:?}", self.sent.len(), self.entries)),
        }
    }

    /// Compares what the client sent as far as it goes.
    fn hear(&mut self) {
        self.sent.extend_from_slice(&self.tx.split());
        while let Some(Entry::Client { bytes, random }) = self.entries.front() {
            if self.sent.len() < bytes.len() {
                break;
            }
            let sent = self.sent.split_to(bytes.len());
            // The header is not random.
            let same = if *random { 4 } else { bytes.len() };
            if sent.get(..same) != bytes.get(..same) {
                let (then, now) = (crate::hex::encode(bytes), crate::hex::encode(&sent));
                self.fault.get_or_insert_with(|| format!("the client sent\n{now}\nand then it was\n{then}"));
            }
            self.entries.pop_front();
        }
    }

    /// What comes next is not what the client waits for.
    fn wrong(&mut self, wants: &str) -> Lost {
        let next = self.entries.front();
        self.fault.get_or_insert_with(|| format!("the client wants {wants}, next is {next:?}"));
        Lost::Closed
    }

    /// The end that comes next, if it does.
    fn end(&mut self) -> Option<Lost> {
        let Some(Entry::Lost { end, text }) = self.entries.front() else { return None };
        let said = io::Error::other(text.clone());
        let lost = match end {
            End::Refused => Lost::Dial(Arc::new(said)),
            End::Closed => Lost::Closed,
            End::Deadline => Lost::Deadline {
                after: Duration::from_millis(text.parse().unwrap_or_default()),
                stage: false,
            },
            End::Tls => Lost::Tls { error: Arc::new(said), unrecognized_name: false },
        };
        self.entries.pop_front();
        Some(lost)
    }
}

impl Wire for Replay {
    fn dial(&mut self) -> Result<(), Lost> {
        match self.entries.front() {
            Some(Entry::Lost { end: End::Refused, .. }) => self.end().map_or(Ok(()), Err),
            _ => Ok(()),
        }
    }

    fn buffers(&mut self) -> (&mut BytesMut, &mut BytesMut) {
        (&mut self.rx, &mut self.tx)
    }

    fn flush(&mut self) -> Result<(), Lost> {
        self.hear();
        Ok(())
    }

    fn exchange(&mut self) -> Result<(), Lost> {
        self.hear();
        if !self.sent.is_empty() {
            return Err(self.wrong("to send more"));
        }
        let cut = self.cut;
        let given = self.given;
        if let Some(Entry::Server(left)) = self.entries.front_mut() {
            let piece = cut.piece(given, left.len());
            self.rx.extend(left.drain(..piece));
            if left.is_empty() {
                self.entries.pop_front();
            }
            self.given += piece;
            return Ok(());
        }
        let end = self.end();
        Err(end.unwrap_or_else(|| self.wrong("bytes of the server")))
    }

    fn start_tls(&mut self) -> Result<TlsInfo, Lost> {
        self.hear();
        if let Some(Entry::Tls { verified }) = self.entries.front() {
            let info = TlsInfo::new(*verified);
            self.entries.pop_front();
            return Ok(info);
        }
        let end = self.end();
        Err(end.unwrap_or_else(|| self.wrong("TLS")))
    }

    fn kill_query(&mut self, _: u32) -> Result<()> {
        Ok(())
    }
}
