//! What an X session sends, and in which flights.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result};
use porpoise::trace::{ProtocolStage, StageId, TraceEvent, TraceSink, XEvent};
use porpoise::x::{Connecting, Session};
use porpoise::xproto::ClientKind;

use crate::suite::Context;
use crate::x_session::{connect, options};

/// Messages that were sent, each with its flight.
#[derive(Clone, Default)]
pub(crate) struct Sent(Arc<Mutex<Vec<(ClientKind, u32)>>>);

impl Sent {
    /// Those since the last call; flights are counted from 1 anew.
    pub(crate) fn take(&self) -> Vec<(ClientKind, u32)> {
        let mut sent = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        let first = sent.first().map_or(0, |(_, flight)| flight.saturating_sub(1));
        sent.iter_mut().for_each(|(_, flight)| *flight -= first);
        sent
    }
}

impl TraceSink for Sent {
    fn on(&self) -> bool {
        true
    }

    fn enter(&mut self, _: StageId) {}

    fn event(&mut self, _: ProtocolStage, _: &TraceEvent<'_>) {}

    fn x_event(&mut self, _: StageId, event: &XEvent<'_>) {
        if let XEvent::MessageSent(message) = event {
            let kind = (ClientKind::new(message.kind), message.flight);
            self.0.lock().unwrap_or_else(PoisonError::into_inner).push(kind);
        }
    }
}

/// A session of the cell's that tells what it sends.
pub(crate) async fn trace(context: &Context) -> Result<(Session, Sent)> {
    let options = Arc::new(options(context)?.build());
    for _ in 0..20 {
        // Where only those get in whose password is known, this makes it known.
        connect(context, |options| options).await?.close().await?;
        let sent = Sent::default();
        let connecting = Connecting::new(context.runtime(), Arc::clone(&options));
        if let Ok(session) = connecting.with_sink(Box::new(sent.clone())).await {
            sent.take();
            return Ok((session, sent));
        }
    }
    None.context("the server forgets passwords faster than they are told")
}
