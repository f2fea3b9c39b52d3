use crate::{Payload, TraceEventKind};

/// One of the 17 trace events, with its arguments.
///
/// Follows `plugin_trace.h`; see also "MySQL Reference Manual: Writing Protocol Trace Plugins" for the
/// documented moments. The exact moments here are those of the reference client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TraceEvent<'a> {
    /// The client found an error. Not told for ERR packets of the server.
    Error {
        /// The client error number, `CR_*`.
        errno: u16,
    },
    /// A connect begins; no socket exists.
    Connecting,
    /// The transport is connected.
    Connected,
    /// The transport is gone.
    Disconnected,
    /// An SSLRequest is about to be written.
    SendSslRequest {
        /// The SSLRequest, 32 bytes.
        pkt: Payload<'a>,
    },
    /// The TLS handshake is about to start.
    SslConnect,
    /// The TLS handshake and the identity check succeeded.
    SslConnected,
    /// The greeting was parsed.
    InitPacketReceived {
        /// The greeting.
        pkt: Payload<'a>,
    },
    /// An authentication plugin is about to run.
    AuthPlugin {
        /// The plugin's name.
        plugin_name: &'a str,
    },
    /// The HandshakeResponse41 is about to be written.
    SendAuthResponse {
        /// The response; sensitive.
        pkt: Payload<'a>,
    },
    /// A later authentication packet is about to be written.
    SendAuthData {
        /// The data; sensitive.
        pkt: Payload<'a>,
    },
    /// Authentication is over.
    Authenticated,
    /// A command is about to be written.
    SendCommand {
        /// The command byte.
        cmd: u8,
        /// The command's name: `COM_QUERY`.
        cmd_name: &'static str,
        /// The fixed part after the command byte.
        hdr: Payload<'a>,
        /// The argument.
        pkt: Payload<'a>,
    },
    /// A block of a LOCAL INFILE file is about to be written; empty for the last.
    SendFile {
        /// The block.
        pkt: Payload<'a>,
    },
    /// A packet is about to be read.
    ReadPacket,
    /// A whole packet was received, before it is interpreted.
    PacketReceived {
        /// The payload; sensitive while authenticating.
        pkt: Payload<'a>,
    },
    /// A packet was handed over to be sent.
    PacketSent {
        /// Payload bytes without the command byte.
        pkt_len: usize,
    },
}

impl TraceEvent<'_> {
    /// Which event this is.
    #[must_use]
    pub const fn kind(&self) -> TraceEventKind {
        match self {
            Self::Error { .. } => TraceEventKind::Error,
            Self::Connecting => TraceEventKind::Connecting,
            Self::Connected => TraceEventKind::Connected,
            Self::Disconnected => TraceEventKind::Disconnected,
            Self::SendSslRequest { .. } => TraceEventKind::SendSslRequest,
            Self::SslConnect => TraceEventKind::SslConnect,
            Self::SslConnected => TraceEventKind::SslConnected,
            Self::InitPacketReceived { .. } => TraceEventKind::InitPacketReceived,
            Self::AuthPlugin { .. } => TraceEventKind::AuthPlugin,
            Self::SendAuthResponse { .. } => TraceEventKind::SendAuthResponse,
            Self::SendAuthData { .. } => TraceEventKind::SendAuthData,
            Self::Authenticated => TraceEventKind::Authenticated,
            Self::SendCommand { .. } => TraceEventKind::SendCommand,
            Self::SendFile { .. } => TraceEventKind::SendFile,
            Self::ReadPacket => TraceEventKind::ReadPacket,
            Self::PacketReceived { .. } => TraceEventKind::PacketReceived,
            Self::PacketSent { .. } => TraceEventKind::PacketSent,
        }
    }

    /// The first byte of a received packet. It tells the packet's kind and is no secret, even when the payload is
    /// sensitive; of packets that are sent it is not told.
    #[must_use]
    pub fn first(&self) -> Option<u8> {
        match self {
            Self::PacketReceived { pkt } => pkt.first(),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::TraceEvent;
    use crate::{Payload, TraceEventKind};

    const SECRET: &[u8] = b"\x01hunter2";

    #[test]
    fn kinds_cover_every_event_once() {
        let pkt = Payload::open(b"");
        let events = [
            TraceEvent::Error { errno: 2013 },
            TraceEvent::Connecting,
            TraceEvent::Connected,
            TraceEvent::Disconnected,
            TraceEvent::SendSslRequest { pkt },
            TraceEvent::SslConnect,
            TraceEvent::SslConnected,
            TraceEvent::InitPacketReceived { pkt },
            TraceEvent::AuthPlugin { plugin_name: "" },
            TraceEvent::SendAuthResponse { pkt },
            TraceEvent::SendAuthData { pkt },
            TraceEvent::Authenticated,
            TraceEvent::SendCommand { cmd: 3, cmd_name: "COM_QUERY", hdr: pkt, pkt },
            TraceEvent::SendFile { pkt },
            TraceEvent::ReadPacket,
            TraceEvent::PacketReceived { pkt },
            TraceEvent::PacketSent { pkt_len: 0 },
        ];
        assert_eq!(events.map(|event| event.kind()), TraceEventKind::ALL);
    }

    #[test]
    fn debug_never_shows_payload_bytes() {
        for pkt in [Payload::open(SECRET), Payload::sensitive(SECRET)] {
            for event in [
                TraceEvent::SendSslRequest { pkt },
                TraceEvent::InitPacketReceived { pkt },
                TraceEvent::SendAuthResponse { pkt },
                TraceEvent::SendAuthData { pkt },
                TraceEvent::SendCommand { cmd: 17, cmd_name: "COM_CHANGE_USER", hdr: pkt, pkt },
                TraceEvent::SendFile { pkt },
                TraceEvent::PacketReceived { pkt },
            ] {
                let shown = format!("{event:?} {event:#?}");
                assert!(!shown.contains("hunter2") && !shown.contains("104"), "{shown}");
                assert!(shown.contains("8 bytes"), "{shown}");
            }
        }
    }

    #[test]
    fn only_a_received_packet_tells_its_first_byte() {
        let pkt = Payload::sensitive(SECRET);
        assert_eq!(TraceEvent::PacketReceived { pkt }.first(), Some(1));
        assert_eq!(TraceEvent::SendAuthData { pkt }.first(), None);
        assert_eq!(TraceEvent::PacketReceived { pkt: Payload::open(b"") }.first(), None);
    }
}
