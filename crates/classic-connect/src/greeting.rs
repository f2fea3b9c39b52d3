//! READ_GREETING, PARSE_HANDSHAKE and ESTABLISH_SSL.

use std::sync::Arc;

use bytes::BytesMut;
use porpoise_classic::{CapabilityFlags, Collation, ErrPacket};
use porpoise_trace::{Payload, ProtocolStage, TraceEvent, TraceSink};
use porpoise_wire::{Cx, HEADER_LEN};

use crate::ConnectStage;
use crate::connector::Transport;
use crate::error::{ConnectErrorKind, Stranger};
use crate::flow::Fault;
use crate::login::Login;
use crate::options::{Charset, TlsUse};
use crate::packets::HandshakeV10;
use crate::server::{PluginName, Server};

const ERR: u8 = 0xff;
const EXPECTED: &str = "the server's greeting";
/// utf8mb4_0900_ai_ci: MySQL 8.0 and later.
const UTF8MB4_0900_AI_CI: u16 = 255;
/// utf8mb4_general_ci: MySQL 5.x and MariaDB.
const UTF8MB4_GENERAL_CI: u16 = 45;

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
    (login.handshake_collation, login.collation) = collation(&login.options.charset, &greeting)?;
    login.status = greeting.status;
    login.capabilities = login.options.wanted.intersection(greeting.capabilities);
    // MariaDB does not offer this bit, and takes a client without it for one of its own.
    login.capabilities |= login.options.wanted.intersection(CapabilityFlags::CLIENT_LONG_PASSWORD);
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

/// The collation of the handshake, whose field has 8 bits, and the one that is wanted.
fn collation(charset: &Charset, greeting: &HandshakeV10<'_>) -> Result<(u8, u16), Fault> {
    let mariadb = greeting.is_mariadb();
    let new = !mariadb && !["3.", "4.", "5."].iter().any(|old| greeting.server_version.starts_with(old));
    let default = if new { UTF8MB4_0900_AI_CI } else { UTF8MB4_GENERAL_CI };
    let default_of = |charset: &str| match Collation::default_of(charset) {
        Some(collation) if collation.charset == "utf8mb4" => Some(default),
        found => found.map(|collation| collation.id),
    };
    let by_name = |name| if mariadb { Collation::by_name_mariadb(name) } else { Collation::by_name(name) };
    let wanted = match charset {
        Charset::Default => Some(default),
        Charset::Id(id) => Some(*id),
        // `binary` is both; a character set's name means its default collation.
        Charset::Name(name) => default_of(name).or_else(|| by_name(name).map(|collation| collation.id)),
    };
    let unknown = || match charset {
        Charset::Name(name) => ConnectErrorKind::UnknownCharset(name.clone()),
        Charset::Id(id) => ConnectErrorKind::UnknownCharset(id.to_string().into()),
        Charset::Default => ConnectErrorKind::UnknownCharset("utf8mb4".into()),
    };
    let wanted = wanted.ok_or_else(unknown)?;
    if let Ok(id) = u8::try_from(wanted) {
        return Ok((id, wanted));
    }
    let by_id = if mariadb { Collation::by_id_mariadb(wanted) } else { Collation::by_id(wanted) };
    let near = by_id.and_then(|collation| default_of(collation.charset)).and_then(|id| u8::try_from(id).ok());
    near.map(|id| (id, wanted)).ok_or_else(|| unknown().into())
}

/// ESTABLISH_SSL: decides on TLS. `true` when the SSLRequest is written and the handshake is to follow.
pub(crate) fn establish<T: TraceSink>(
    login: &mut Login,
    transport: Transport,
    cx: &mut Cx<'_, T>,
) -> Result<bool, Fault> {
    login.enter(ConnectStage::EstablishSsl, cx);
    if cx.trace.on() {
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
    if cx.trace.on() {
        let pkt = Payload::open(cx.tx.get(cx.tx.len() - len..).unwrap_or_default());
        cx.trace.event(login.protocol, &TraceEvent::SendSslRequest { pkt });
    }
    login.protocol = ProtocolStage::SslNegotiation;
    login.emit(cx, TraceEvent::SslConnect);
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
