//! LOCAL INFILE: the server asks for a file, which is sent or refused.

use porpoise_trace::{TraceEvent, TraceSink};
use porpoise_wire::Cx;

use crate::error::{ClassicErrorKind, Misuse};
use crate::event::InfileRefused;
use crate::reply::{AGAIN, Read};
use crate::row::Encoding;
use crate::session::{Session, open};
use crate::state::State;
use crate::{ClientError, Event, LocalInfileRequest, OkPacket};

/// The largest packet that a file is sent in, in bytes: what a server reads in one go.
const MAX_BLOCK: usize = 16 << 10;

impl Session {
    /// Whether the next command may be asked for a file, if it is a COM_QUERY. A server can answer any statement with
    /// such a request, and name any file: allow it for a LOAD DATA LOCAL of your own only, and choose the file by what
    /// you know, not by what the server says. Without this a request is [refused](crate::InfileRefused).
    ///
    /// No other command can be sent until the file is; a request that finds commands on their way behind the statement
    /// [ends the session](ClassicErrorKind::InfileInPipeline).
    pub const fn allow_infile(&mut self, allow: bool) {
        self.infile_armed = allow;
    }

    /// Whether the server waits for a file: see [`Event::LocalInfile`].
    #[must_use]
    pub const fn wants_file(&self) -> bool {
        matches!(self.state, State::FileRequest(_))
    }

    /// Sends bytes of the file that the server asked for, as often as needed; none are no end. Write what is in `tx`
    /// before more is sent: the server reads as fast as it stores.
    ///
    /// # Errors
    /// [`Misuse::NoFileRequest`].
    pub fn send_file<T: TraceSink>(&mut self, bytes: &[u8], cx: &mut Cx<'_, T>) -> Result<(), Misuse> {
        if !self.wants_file() {
            return Err(Misuse::NoFileRequest);
        }
        for block in bytes.chunks(MAX_BLOCK) {
            self.send_block(block, cx);
        }
        Ok(())
    }

    /// Ends the file. The server's verdict follows: [`Event::Ok`] or [`Event::Err`]. It does not know whether the file
    /// is complete, and keeps what it got: to take back a file that failed in the middle, roll back, or give the
    /// connection up instead of calling this.
    ///
    /// # Errors
    /// [`Misuse::NoFileRequest`].
    pub fn end_file<T: TraceSink>(&mut self, cx: &mut Cx<'_, T>) -> Result<(), Misuse> {
        let State::FileRequest(encoding) = self.state else { return Err(Misuse::NoFileRequest) };
        self.send_block(&[], cx);
        self.state = State::InfileVerdict { refused: None, encoding };
        Ok(())
    }

    fn send_block<T: TraceSink>(&mut self, block: &[u8], cx: &mut Cx<'_, T>) {
        self.emit(cx, || TraceEvent::SendFile { pkt: open(block) });
        self.framer.write(cx.tx, |payload| payload.extend_from_slice(block));
        self.emit(cx, || TraceEvent::PacketSent { pkt_len: block.len() });
    }

    /// The server asks for a file. One that nobody allowed is refused: the empty packet keeps the session in step, and
    /// the server's verdict follows.
    #[cold]
    pub(crate) fn infile_request<T: TraceSink>(&mut self, encoding: Encoding, cx: &mut Cx<'_, T>) -> Read {
        let payload = self.framer.payload(cx.rx);
        let request = LocalInfileRequest::parse(payload).map_err(|error| self.malformed(error))?;
        let file_name = request.file_name().into();
        let behind = self.sent.wrapping_sub(self.replied);
        if behind > 0 {
            return Err(self.error(ClassicErrorKind::InfileInPipeline { behind }, true));
        }
        if self.infile_allowed && encoding == Encoding::Text {
            return self.taken(State::FileRequest(encoding), Event::LocalInfile(file_name), cx);
        }
        self.framer.consume(cx.rx);
        self.state = State::FileRequest(encoding);
        self.send_block(&[], cx);
        self.emit(cx, || TraceEvent::Error { errno: ClientError::CR_LOAD_DATA_LOCAL_INFILE_REJECTED });
        self.state = State::InfileVerdict { refused: Some(file_name), encoding };
        Ok(AGAIN)
    }

    pub(crate) fn infile_verdict<T: TraceSink>(&mut self, first: u8, cx: &mut Cx<'_, T>) -> Read {
        if first != OkPacket::HEADER {
            return Err(self.unexpected(cx));
        }
        let ok = self.ok(self.framer.payload(cx.rx))?;
        let State::InfileVerdict { refused, encoding } = std::mem::replace(&mut self.state, State::Idle)
        else {
            return Ok(AGAIN);
        };
        let next = self.ended(ok.end(), encoding);
        let event = match refused {
            Some(file_name) => Event::InfileRefused(Box::new(InfileRefused { file_name, verdict: Ok(ok) })),
            None => Event::Ok(ok),
        };
        self.taken(next, event, cx)
    }
}
