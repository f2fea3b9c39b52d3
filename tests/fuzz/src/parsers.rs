use bytes::BytesMut;
use porpoise_classic::{
    CapabilityFlags, ColumnDefinition41, EofPacket, ErrPacket, LocalInfileRequest, OkPacket, ResultSetHeader,
    StmtPrepareOk,
};
use porpoise_classic_connect::{AuthNextFactor, AuthSwitchRequest, HandshakeV10};
use porpoise_driver::Options;
use porpoise_wire::{Frame, Framer, Limits};

use crate::script::{Script, framed};

/// A greeting of MySQL 9.7.
pub(crate) const GREETING: &[u8] = b"\x0a9.7.4\0\x08\0\0\0ABCDEFGH\0\xff\xff\xff\x02\0\xff\xdf\x15\0\0\0\0\0\0\0\0\0\0IJKLMNOPQRST\0caching_sha2_password\0";

/// The greeting: what is parsed lies within it.
pub fn greeting(input: &[u8]) {
    if let Ok(parsed) = HandshakeV10::parse(input) {
        assert!(parsed.challenge().len() <= 21);
        assert!(parsed.server_version.len() < input.len());
        assert!(parsed.auth_plugin.is_none_or(|name| !name.is_empty() && name.len() < input.len()));
    }
}

pub(crate) fn greeting_seeds() -> Vec<Vec<u8>> {
    vec![GREETING.to_vec(), b"\x0a3.23.58\0\x01\0\0\0ABCDEFGH\0\x2c\0".to_vec()]
}

/// The packet reader: the same packets, however the bytes are cut.
pub fn framer(input: &[u8]) {
    let mut script = Script(input);
    let (limit, step) = (usize::from(script.byte()), usize::from(script.byte()) + 1);
    let read = |step: usize| {
        let mut framer = Framer::new(Limits::default().with_max_packet(limit));
        let (mut rx, mut left, mut packets) = (BytesMut::new(), script.0, Vec::new());
        loop {
            match framer.poll(&mut rx) {
                Ok(Frame::Ready) => {
                    let payload = framer.payload(&rx).to_vec();
                    assert!(payload.len() <= limit);
                    packets.push(payload);
                    framer.consume(&mut rx);
                }
                Ok(Frame::Need(needed)) => {
                    assert!(needed > rx.len());
                    if left.is_empty() {
                        return (packets, None);
                    }
                    let (now, later) = left.split_at(step.min(left.len()));
                    rx.extend_from_slice(now);
                    left = later;
                }
                Ok(frame) => panic!("{frame:?}"),
                Err(error) => return (packets, Some(error)),
            }
        }
    };
    assert_eq!(read(step), read(usize::MAX));
}

pub(crate) fn framer_seeds() -> Vec<Vec<u8>> {
    let two = [framed(b"abc", 0), framed(b"", 1), framed(b"\xffx", 9)].concat();
    vec![[&[200, 2], &two[..]].concat(), [&[2, 0], &two[..]].concat()]
}

/// OK, ERR, EOF, column definitions and the headers of replies, with any capabilities.
pub fn packets(input: &[u8]) {
    let mut script = Script(input);
    let flags: [u8; 4] = std::array::from_fn(|_| script.byte());
    let (capabilities, payload) = (CapabilityFlags::from_bits(u32::from_le_bytes(flags)), script.0);
    if let Ok(ok) = OkPacket::parse(payload, capabilities) {
        assert!(ok.info().len() <= payload.len());
        // However the state is broken, walking over it ends.
        assert!(ok.session_state().count() <= payload.len());
    }
    if let Ok(err) = ErrPacket::parse(payload, capabilities) {
        assert!(err.message_bytes().len() <= payload.len() && err.sqlstate().len() == 5);
    }
    if let Ok(column) = ColumnDefinition41::parse(payload) {
        assert!(column.name().len() <= payload.len());
    }
    let _ = EofPacket::parse(payload, capabilities);
    let _ = StmtPrepareOk::parse(payload, capabilities);
    let _ = LocalInfileRequest::parse(payload);
    if let Ok(header) = ResultSetHeader::parse(payload, capabilities, 100) {
        assert!(header.column_count() <= 100);
    }
}

pub(crate) fn packet_seeds() -> Vec<Vec<u8>> {
    let modern = 0x19bf_a285_u32.to_le_bytes();
    [
        &b"\0\0\0\x02\x40\0\0\x03abc\x0c\x01\x06\x05mysql\x02\x01\x31"[..],
        b"\0\x01\x02\x02\0\0\0",
        b"\xff\x15\x04#28000Access denied",
        b"\xfe\0\0\x02\0",
        b"\x03def\x03odb\x02t1\x02t1\x01a\x01a\x0c\x3f\0\x0b\0\0\0\x03\x03\x50\0\0\0",
        b"\0\x01\0\0\0\x02\0\x01\0\0\0\0",
    ]
    .map(|payload| [&modern, payload].concat())
    .into()
}

/// The packets that name a plugin.
pub fn switches(input: &[u8]) {
    if let Ok(switch) = AuthSwitchRequest::parse(input) {
        assert!(input.first() == Some(&AuthSwitchRequest::HEADER) && switch.data.len() < input.len());
    }
    if let Ok(factor) = AuthNextFactor::parse(input) {
        assert!(input.first() == Some(&AuthNextFactor::HEADER) && factor.data.len() < input.len());
    }
}

pub(crate) fn switch_seeds() -> Vec<Vec<u8>> {
    vec![
        b"\xfemysql_native_password\0ABCDEFGHIJKLMNOPQRST\0".to_vec(),
        b"\x02mysql_clear_password\0".to_vec(),
        vec![0xfe],
    ]
}

/// URLs: an error never shows the password.
pub fn url(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let _ = Options::from_url(&text);
    let _ = Options::from_url(&format!("mysql://u:p@h:1/db?{text}"));
    if let Err(error) = Options::from_url(&format!("mysql://u:open-sesame@h:1/db?{}", text.replace('@', "")))
    {
        assert!(!error.to_string().contains("open-sesame"), "{error}");
    }
}

pub(crate) fn url_seeds() -> Vec<Vec<u8>> {
    [
        "mysql://user:p%40ss@[::1]:3307/odb?ssl-mode=REQUIRED&connect-timeout=10",
        "stage-timeout=READ_GREETING:500ms,AUTH_BEGIN:2&connection-attributes=[a=b,c=d]&init-command=set%20@a=1",
        "default-character-set=utf8mb4&bind-address=127.0.0.1&max-allowed-packet=16M&tcp-keepalive=90s",
    ]
    .map(|seed| seed.as_bytes().to_vec())
    .into()
}
