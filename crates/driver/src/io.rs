//! Moves bytes between a machine and a link. The only loop, for every machine.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::BytesMut;
use porpoise_trace::TraceSink as _;
use porpoise_transport::{Alert, Pipe, TlsError, TlsState};
use porpoise_wire::{Cx, HEADER_LEN, Lost, Machine, Step, TlsInfo};

use crate::endpoint::Endpoint;
use crate::{Link, Tap};

/// How many reads may go on without one that has to wait. Then others have their turn, and deadlines are looked at:
/// a server that sends without end must not keep a thread to itself.
const READS_IN_A_ROW: u32 = 64;

/// A pipe, the link under it, and the sink beside it.
pub(crate) struct Io {
    pub(crate) pipe: Pipe,
    pub(crate) link: Box<dyn Link>,
    pub(crate) tap: Tap,
    /// Where the link leads, unless it is a Unix socket's or the caller's.
    pub(crate) address: Option<SocketAddr>,
    /// Writing failed. The server may have said why before it closed, so reading goes on until that fails too.
    broken: Option<Arc<io::Error>>,
    /// The machine waits for bytes: a poll need not ask it again before some came.
    blocked: bool,
    at_least: usize,
    /// Something was sent since the last look for an answer.
    sent: bool,
    /// Reads since the last one that had to wait.
    reads: u32,
}

impl Io {
    pub(crate) fn new(link: Box<dyn Link>, tap: Tap, pipe: Pipe) -> Self {
        Self {
            pipe,
            link,
            tap,
            address: None,
            broken: None,
            blocked: false,
            at_least: 0,
            sent: false,
            reads: 0,
        }
    }

    /// Closes the stream without a word.
    pub(crate) fn hang_up(&mut self) {
        self.link = Box::new(HungUp);
    }

    /// What a machine is lent.
    #[inline]
    pub(crate) fn lend(&mut self) -> Cx<'_, Tap> {
        let (rx, tx) = self.pipe.buffers();
        Cx::new(rx, tx, &mut self.tap)
    }

    /// A command was written whose reply begins with the next bytes: its machine need not be asked before some came. When
    /// a trace listens it is, for it has to tell that it reads.
    #[inline]
    pub(crate) fn expect_reply(&mut self) {
        if !self.tap.on() && self.pipe.buffers().0.is_empty() {
            self.wait_for(HEADER_LEN);
        }
    }

    /// Whether there is nothing to be read or written.
    #[inline]
    pub(crate) fn is_quiet(&mut self) -> bool {
        self.pipe.buffers().0.is_empty() && !self.pipe.wants_write()
    }

    #[inline]
    fn wait_for(&mut self, at_least: usize) {
        self.blocked = true;
        self.at_least = at_least;
        self.pipe.expect(at_least);
    }

    /// Runs a machine until it has an event, or owes nothing: `None`.
    #[inline]
    pub(crate) fn poll_drive<M: Machine>(
        &mut self,
        machine: &mut M,
        endpoint: &Endpoint,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<M::Event>, M::Error>> {
        self.poll_step(machine, endpoint, cx).map_ok(|step| match step {
            Step::Event(event) => Some(event),
            _ => None,
        })
    }

    /// The same; the step is an event, or [`Step::Idle`]. It is left as the machine gave it: to move an event takes longer than
    /// to look at it.
    #[inline(always)]
    pub(crate) fn poll_step<M: Machine>(
        &mut self,
        machine: &mut M,
        endpoint: &Endpoint,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Step<M::Event>, M::Error>> {
        loop {
            if self.blocked {
                match ready!(self.poll_exchange(cx)) {
                    Ok(()) => self.blocked = false,
                    Err(why) => return Poll::Ready(Err(self.lost(machine, why))),
                }
            }
            let step = machine.advance(&mut self.lend());
            match &step {
                // After an error, what the server is still owed, an alert or nothing, is not worth waiting for.
                Ok(Step::Event(_)) | Err(_) => return Poll::Ready(step),
                Ok(Step::NeedRead { at_least }) => self.wait_for(*at_least),
                Ok(aside) => match ready!(self.poll_aside(aside, endpoint, cx)) {
                    Ok(Aside::Done) => {}
                    Ok(Aside::Idle) => return Poll::Ready(step),
                    Ok(Aside::Tls(info)) => machine.tls_ready(&info, &mut self.lend()),
                    Err(why) => return Poll::Ready(Err(self.lost(machine, why))),
                },
            }
        }
    }

    /// Runs a machine until it has an event, and reads on even if it owes nothing.
    #[cfg(feature = "xproto")]
    pub(crate) fn poll_listen<M: Machine>(
        &mut self,
        machine: &mut M,
        endpoint: &Endpoint,
        cx: &mut Context<'_>,
    ) -> Poll<Result<M::Event, M::Error>> {
        loop {
            if let Some(event) = ready!(self.poll_drive(machine, endpoint, cx))? {
                return Poll::Ready(Ok(event));
            }
            self.tap.waited();
            let have = self.pipe.buffers().0.len();
            self.pipe.expect(have + 1);
            if let Err(why) = ready!(self.poll_receive(cx)) {
                return Poll::Ready(Err(self.lost(machine, why)));
            }
        }
    }

    /// What a machine asks for that is neither an event nor more bytes.
    fn poll_aside<E>(
        &mut self,
        step: &Step<E>,
        endpoint: &Endpoint,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Aside, Lost>> {
        match step {
            Step::StartTls => self.poll_tls(endpoint, cx).map_ok(Aside::Tls),
            Step::Idle => self.poll_flush(cx).map_ok(|()| Aside::Idle),
            _ => self.poll_flush(cx).map_ok(|()| Aside::Done),
        }
    }

    #[cold]
    fn lost<M: Machine>(&mut self, machine: &mut M, why: Lost) -> M::Error {
        self.blocked = false;
        machine.lost(why, &mut self.lend())
    }

    /// Sends what there is, as far as it goes.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Lost>> {
        while self.pipe.wants_write() && self.broken.is_none() {
            let bytes = self.pipe.transmit().map_err(tls_lost)?;
            if bytes.is_empty() {
                break;
            }
            match ready!(self.link.poll_write(cx, bytes)) {
                Ok(n) if n > 0 => {
                    self.sent = true;
                    self.pipe.transmitted(n);
                    if let Some(recorder) = self.tap.recorder() {
                        recorder.sent(n);
                    }
                }
                result => self.cannot_send(result),
            }
        }
        Poll::Ready(Ok(()))
    }

    #[cold]
    fn cannot_send(&mut self, result: io::Result<usize>) {
        let error = result.err().unwrap_or_else(|| io::ErrorKind::WriteZero.into());
        self.broken = Some(Arc::new(error));
    }

    /// Sends all that there is.
    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Lost>> {
        ready!(self.poll_send(cx))?;
        Poll::Ready(self.broken.take().map_or(Ok(()), |error| Err(Lost::Write(error))))
    }

    /// Sends what it can and reads until the machine has what it asked for. Reading goes on while a write is
    /// blocked, so that two sides that both have much to say cannot wait for each other.
    #[inline(always)]
    fn poll_exchange(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Lost>> {
        if self.pipe.wants_write()
            && let Poll::Ready(Err(why)) = self.poll_send(cx)
        {
            return Poll::Ready(Err(why));
        }
        self.tap.waited();
        ready!(self.poll_worthwhile(cx));
        loop {
            ready!(self.poll_receive(cx))?;
            if self.pipe.buffers().0.len() >= self.at_least {
                return Poll::Ready(Ok(()));
            }
        }
    }

    /// Ready when a read may not be in vain: what answers the bytes that were sent just now cannot be there yet.
    #[inline]
    fn poll_worthwhile(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if std::mem::take(&mut self.sent) && self.link.poll_readable(cx).is_pending() {
            self.reads = 0;
            return Poll::Pending;
        }
        Poll::Ready(())
    }

    /// Reads once.
    fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Lost>> {
        if self.reads == READS_IN_A_ROW {
            self.reads = 0;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        match self.link.poll_read(cx, self.pipe.recv_buf()) {
            Poll::Pending => {
                self.reads = 0;
                Poll::Pending
            }
            Poll::Ready(Ok(received)) if received > 0 => {
                self.reads += 1;
                if let Some(recorder) = self.tap.recorder() {
                    recorder.received(received);
                }
                match self.pipe.received() {
                    Ok(()) => Poll::Ready(Ok(())),
                    Err(error) => {
                        // The alert that tells the server why goes out if it can at once.
                        let _ = self.poll_send(cx);
                        Poll::Ready(Err(tls_lost(error)))
                    }
                }
            }
            Poll::Ready(result) => Poll::Ready(Err(self.cannot_receive(result))),
        }
    }

    /// The stream ended, or reading failed; but if writing failed before, that is why.
    #[cold]
    fn cannot_receive(&mut self, result: io::Result<usize>) -> Lost {
        let eof = if result.is_ok() { self.pipe.eof() } else { Ok(()) };
        match (self.broken.take(), result, eof) {
            (Some(first), ..) => Lost::Write(first),
            (None, Err(error), _) => Lost::Read(Arc::new(error)),
            (None, Ok(_), Err(error @ TlsError::HandshakeEof)) => tls_lost(error),
            (None, Ok(_), _) => Lost::Closed,
        }
    }

    /// Writes the request for TLS, then does the handshake. All progress is in the pipe.
    pub(crate) fn poll_tls(
        &mut self,
        endpoint: &Endpoint,
        cx: &mut Context<'_>,
    ) -> Poll<Result<TlsInfo, Lost>> {
        loop {
            match self.pipe.tls_state() {
                TlsState::Plain => {
                    ready!(self.poll_flush(cx))?;
                    let Some(tls) = endpoint.tls_client() else {
                        return Poll::Ready(Err(tls_lost(TlsError::NotBuilt)));
                    };
                    self.pipe.start_tls(tls, endpoint.tls_name()).map_err(tls_lost)?;
                }
                TlsState::Handshaking => {
                    if let Poll::Ready(Err(why)) = self.poll_send(cx) {
                        return Poll::Ready(Err(why));
                    }
                    ready!(self.poll_worthwhile(cx));
                    ready!(self.poll_receive(cx))?;
                }
                _ => {
                    let verified = self.pipe.tls_facts().is_some_and(|facts| facts.verified);
                    return Poll::Ready(Ok(TlsInfo::new(verified)));
                }
            }
        }
    }
}

/// What came of a step that gave no event.
enum Aside {
    Done,
    /// No reply is owed.
    Idle,
    Tls(TlsInfo),
}

/// In place of a link that was closed.
struct HungUp;

impl Link for HungUp {
    fn poll_connected(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Err(io::ErrorKind::NotConnected.into()))
    }

    fn poll_read(&mut self, _: &mut Context<'_>, _: &mut BytesMut) -> Poll<io::Result<usize>> {
        Poll::Ready(Err(io::ErrorKind::NotConnected.into()))
    }

    fn poll_write(&mut self, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Err(io::ErrorKind::NotConnected.into()))
    }

    fn poll_close(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Err(io::ErrorKind::NotConnected.into()))
    }
}

fn tls_lost(error: TlsError) -> Lost {
    let unrecognized_name = matches!(error, TlsError::Alert(Alert::UNRECOGNIZED_NAME));
    Lost::Tls { error: Arc::new(error), unrecognized_name }
}
