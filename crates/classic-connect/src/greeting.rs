//! READ_GREETING, PARSE_HANDSHAKE and ESTABLISH_SSL.

use std::sync::Arc;

use bytes::BytesMut;
use porpoise_classic::{CapabilityFlags, ErrPacket};
use porpoise_trace::{Payload, ProtocolStage, TraceEvent, TraceSink};
use porpoise_wire::{Cx, HEADER_LEN};

use crate::ConnectStage;
use crate::charset::choose;
use crate::connector::Transport;
use crate::error::{ConnectErrorKind, Stranger};
use crate::flow::Fault;
use crate::login::Login;
use crate::options::TlsUse;
use crate::packets::HandshakeV10;
use crate::server::{PluginName, Server};

const ERR: u8 = 0xff;
const EXPECTED: &str = "the server's greeting";
/// Reads and parses the greeting; it stays in `rx`. `Some` says how many bytes are needed.
pub(crate) fn read<T: TraceSink>(login: &mut Login, cx: &mut Cx<'_, T>) -> Result<Option<usize>, Fault> {
    match login.poll_packet(EXPECTED, cx) {
        Ok(None) => {}
        Ok(Some(at_least)) => return Ok(Some(at_least)),
        Err(fault) => {
            let kind = stranger(cx.rx).map_or(fault.kind, ConnectErrorKind::NotClassic);
            return Err(Fault { kind, ..fault });
        }
    }
    if login.framer.payload(cx.rx).first() == Some(&ERR) {
        login.protocol = ProtocolStage::ReadyForCommand;
        let err = ErrPacket::parse(login.framer.payload(cx.rx), CapabilityFlags::empty())
            .map_err(|error| ConnectErrorKind::Wire { expected: "an ERR packet", error })?;
        return Err(ConnectErrorKind::Server(err).into());
    }
    login.enter(ConnectStage::ParseHandshake, cx);
    parse(login, cx.rx)?;
    Ok(None)
}

fn parse(login: &mut Login, rx: &BytesMut) -> Result<(), Fault> {
    let greeting = HandshakeV10::parse(login.framer.payload(rx)).map_err(|error| match stranger(rx) {
        Some(stranger) => ConnectErrorKind::NotClassic(stranger),
        None => ConnectErrorKind::Wire { expected: EXPECTED, error },
    })?;
    let missing = CapabilityFlags::CLIENT_PROTOCOL_41.difference(greeting.capabilities);
    if !missing.is_empty() {
        return Err(ConnectErrorKind::ServerTooOld { missing }.into());
    }
    login.charset = choose(&login.options.charset, &greeting)?;
    login.status = greeting.status;
    login.capabilities = login.options.wanted.intersection(greeting.capabilities);
    // MariaDB does not offer this bit, and takes a client without it for one of its own.
    login.capabilities |= login.options.wanted.intersection(CapabilityFlags::CLIENT_LONG_PASSWORD);
    if !login.options.compression.accepts(login.capabilities) {
        return Err(ConnectErrorKind::NoCompression.into());
    }
    let challenge = greeting.challenge();
    let mut server = Server {
        capabilities: greeting.capabilities,
        version: greeting.server_version.into(),
        connection_id: greeting.connection_id,
        plugin: greeting.auth_plugin.map(PluginName::new).unwrap_or_default(),
        challenge_len: challenge.len(),
        ..Server::default()
    };
    for (to, from) in server.challenge.iter_mut().zip(challenge) {
        *to = *from;
    }
    login.server = server;
    Ok(())
}

/// ESTABLISH_SSL: decides on TLS. `true` when the SSLRequest is written and the handshake is to follow.
pub(crate) fn establish<T: TraceSink>(
    login: &mut Login,
    transport: Transport,
    cx: &mut Cx<'_, T>,
) -> Result<bool, Fault> {
    login.enter(ConnectStage::EstablishSsl, cx);
    if cx.on() {
        let pkt = Payload::open(login.framer.payload(cx.rx));
        cx.trace.event(login.protocol, &TraceEvent::InitPacketReceived { pkt });
    }
    login.framer.consume(cx.rx);
    login.protocol = ProtocolStage::Authenticate;
    let offered = login.server.capabilities.contains(CapabilityFlags::CLIENT_SSL);
    let wanted = match login.options.tls {
        TlsUse::Disabled => false,
        TlsUse::Preferred => offered && transport == Transport::Tcp,
        TlsUse::Required => true,
    };
    if !wanted {
        login.capabilities.remove(CapabilityFlags::CLIENT_SSL);
        return Ok(false);
    }
    if !offered {
        return Err(ConnectErrorKind::TlsNotOffered.into());
    }
    if let Some(fault) = &login.options.tls_fault {
        return Err(ConnectErrorKind::TlsSettings(Arc::clone(fault)).into());
    }
    if !cx.rx.is_empty() {
        return Err(ConnectErrorKind::PlaintextInjected.into());
    }
    let request = login.head();
    let len = login.framer.write(cx.tx, |payload| request.encode(payload));
    if cx.on() {
        let pkt = Payload::open(cx.tx.get(cx.tx.len() - len..).unwrap_or_default());
        cx.trace.event(login.protocol, &TraceEvent::SendSslRequest { pkt });
    }
    login.protocol = ProtocolStage::SslNegotiation;
    login.emit(cx, || TraceEvent::SslConnect);
    Ok(true)
}

/// What answers, when it is not a classic MySQL server.
fn stranger(rx: &[u8]) -> Option<Stranger> {
    let (header, payload) = rx.split_at_checked(HEADER_LEN)?;
    match (header, payload) {
        // An X notice: int<4> length, type 11. Read as a packet header, the length's upper byte is the id 0.
        ([_, 0, 0, 0], [0x0b, ..]) => Some(Stranger::XProtocol),
        // A TLS record: handshake or alert, version 3.x.
        ([0x15 | 0x16, 0x03, ..], _) => Some(Stranger::Tls),
        _ if header.iter().all(|byte| byte.is_ascii_graphic() || *byte == b' ') => Some(Stranger::Text),
        _ => None,
    }
}
