//! What a login writes: the plugin's first data in its envelope, all later data as it is.

use bytes::BufMut;
use porpoise_auth::AuthError;
use porpoise_classic::Command;
use porpoise_trace::{Payload, ProtocolStage, TraceEvent, TraceSink};
use porpoise_wire::{Cx, HEADER_LEN};

use crate::flow::{Envelope, Fault, Run};
use crate::login::{Login, auth_fault, name};
use crate::packets::{ComChangeUser, HandshakeResponse41, SslRequest};

impl Login {
    /// A plugin that waits before it ever wrote: an empty response makes the server talk.
    pub(crate) fn provoke<T: TraceSink>(&mut self, cx: &mut Cx<'_, T>) -> Result<(), Fault> {
        if self.run == Run::First && !self.first_written { self.send(&[], cx) } else { Ok(()) }
    }

    pub(crate) fn send<T: TraceSink>(&mut self, data: &[u8], cx: &mut Cx<'_, T>) -> Result<(), Fault> {
        if self.run == Run::First && !self.first_written {
            self.first_written = true;
            return match self.envelope {
                Envelope::HandshakeResponse => self.send_response(data, cx),
                Envelope::ChangeUser => self.send_change_user(data, cx),
            };
        }
        // In one piece: a buffer that grows leaves a copy behind that nobody wipes.
        cx.tx.reserve(HEADER_LEN + data.len());
        let len = self.framer.write(cx.tx, |payload| payload.put_slice(data));
        if cx.on() {
            cx.trace.event(self.protocol, &TraceEvent::SendAuthData { pkt: sent(cx.tx, len) });
            cx.trace.event(self.protocol, &TraceEvent::PacketSent { pkt_len: len });
        }
        Ok(())
    }

    fn send_response<T: TraceSink>(&mut self, data: &[u8], cx: &mut Cx<'_, T>) -> Result<(), Fault> {
        let head = self.head();
        let plugin = name(self.mechanism.as_deref());
        let response = HandshakeResponse41 {
            head,
            user: self.options.user.as_bytes(),
            auth_response: data,
            database: self.options.database.as_bytes(),
            plugin,
            attributes: &self.options.attributes,
            zstd_level: self.options.compression.zstd_level(),
        };
        if !response.fits() {
            return Err(auth_fault(plugin, AuthError::TooLong));
        }
        cx.tx.reserve(HEADER_LEN + response.size());
        let len = self.framer.write(cx.tx, |payload| response.encode(payload));
        if cx.on() {
            cx.trace.event(self.protocol, &TraceEvent::SendAuthResponse { pkt: sent(cx.tx, len) });
            cx.trace.event(self.protocol, &TraceEvent::PacketSent { pkt_len: len });
        }
        Ok(())
    }

    fn send_change_user<T: TraceSink>(&mut self, data: &[u8], cx: &mut Cx<'_, T>) -> Result<(), Fault> {
        let plugin = name(self.mechanism.as_deref());
        if u8::try_from(data.len()).is_err() {
            return Err(auth_fault(plugin, AuthError::TooLong));
        }
        let packet = ComChangeUser {
            capabilities: self.capabilities,
            user: self.options.user.as_bytes(),
            auth_response: data,
            database: self.options.database.as_bytes(),
            collation: self.charset.id,
            plugin,
            attributes: &self.options.attributes,
        };
        self.framer.begin_command();
        self.framer.begin_reply();
        let len = self.framer.write(cx.tx, |payload| packet.encode(payload));
        if cx.on() {
            let event = TraceEvent::SendCommand {
                cmd: Command::ChangeUser.byte(),
                cmd_name: Command::ChangeUser.name(),
                hdr: Payload::open(&[]),
                pkt: sent(cx.tx, len - 1),
            };
            cx.trace.event(self.protocol, &event);
            cx.trace.event(self.protocol, &TraceEvent::PacketSent { pkt_len: len - 1 });
        }
        self.protocol = ProtocolStage::Authenticate;
        Ok(())
    }

    pub(crate) fn head(&self) -> SslRequest {
        SslRequest {
            capabilities: self.capabilities,
            max_packet: u32::try_from(self.options.limits.max_packet).unwrap_or(u32::MAX),
            collation: self.charset.handshake,
        }
    }
}

/// The last `len` bytes written, which hold secrets.
fn sent(tx: &[u8], len: usize) -> Payload<'_> {
    Payload::sensitive(tx.get(tx.len() - len..).unwrap_or_default())
}
