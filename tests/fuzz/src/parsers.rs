use bytes::{Buf, BytesMut};
use porpoise_classic::{
    CapabilityFlags, ColumnDefinition41, EofPacket, ErrPacket, LocalInfileRequest, OkPacket, ResultSetHeader,
    StmtPrepareOk,
};
use porpoise_classic_connect::{AuthNextFactor, AuthSwitchRequest, HandshakeV10};
use porpoise_driver::OptionsBuilder;
use porpoise_wire::{Frame, Framer, Limits, WireError};

use crate::paths::Path;
use crate::script::{Script, framed};

/// A greeting of MySQL 9.7.
pub(crate) const GREETING: &[u8] = b"\x0a9.7.4\0\x08\0\0\0ABCDEFGH\0\xff\xff\xff\x02\0\xff\xdf\x15\0\0\0\0\0\0\0\0\0\0IJKLMNOPQRST\0caching_sha2_password\0";

/// The greeting: what is parsed lies within it.
pub fn greeting(input: &[u8]) -> Vec<u64> {
    let mut path = Path::default();
    let parsed = HandshakeV10::parse(input);
    match &parsed {
        Ok(parsed) => {
            path.counts(parsed.challenge().len());
            path.passes(&(
                parsed.auth_plugin.is_some(),
                parsed.is_mariadb(),
                parsed.mariadb_capabilities != 0,
            ));
        }
        Err(error) => {
            path.tells(error);
            path.passes(&error.to_string().split(' ').nth(1));
        }
    }
    if let Ok(parsed) = parsed {
        assert!(parsed.challenge().len() <= 21);
        assert!(parsed.server_version.len() < input.len());
        assert!(parsed.auth_plugin.is_none_or(|name| !name.is_empty() && name.len() < input.len()));
    }
    path.steps()
}

pub(crate) fn greeting_seeds() -> Vec<Vec<u8>> {
    vec![GREETING.to_vec(), b"\x0a3.23.58\0\x01\0\0\0ABCDEFGH\0\x2c\0".to_vec()]
}

/// The packet reader: the same packets, however the bytes are cut, and whether they are taken one by one or as a run.
pub fn framer(input: &[u8]) -> Vec<u64> {
    let mut script = Script(input);
    let (limit, step, mode) = (usize::from(script.byte()), usize::from(script.byte()) + 1, script.byte());
    let bytes = script.0;
    let one_by_one = read(bytes, limit, usize::MAX, false);
    assert_eq!(one_by_one, read(bytes, limit, step, false));
    assert_eq!(one_by_one, read(bytes, limit, step, true));
    if mode & 1 == 1 {
        assert_eq!(one_by_one, read(bytes, limit, usize::MAX, true));
    }
    let mut path = Path::default();
    path.counts(one_by_one.0.len());
    path.tells(&one_by_one.1);
    path.passes(&one_by_one.2);
    path.steps()
}

/// The payloads, what ended them, and whether an ERR came unasked.
type Packets = (Vec<Vec<u8>>, Option<WireError>, bool);

fn read(mut bytes: &[u8], limit: usize, step: usize, runs: bool) -> Packets {
    let mut framer = Framer::new(Limits::default().with_max_packet(limit));
    let (mut rx, mut packets) = (BytesMut::new(), Vec::new());
    loop {
        match framer.poll(&mut rx) {
            Ok(Frame::Ready) if runs => {
                let run = framer.take_run(&mut rx, |payload| payload.len() <= limit);
                let run = run.expect("it was ready").expect("and belongs");
                assert!(!run.is_joined(), "no packet here has a full frame");
                let mut frames = run.into_bytes();
                while !frames.is_empty() {
                    let len = usize::try_from(frames.get_uint_le(3)).expect("24 bits");
                    frames.advance(1);
                    packets.push(frames.split_to(len).to_vec());
                }
            }
            Ok(Frame::Ready) => {
                let payload = framer.payload(&rx).to_vec();
                assert!(payload.len() <= limit);
                packets.push(payload);
                framer.consume(&mut rx);
            }
            Ok(Frame::Need(needed)) => {
                assert!(needed > rx.len());
                if bytes.is_empty() {
                    return (packets, None, framer.is_out_of_step());
                }
                let (now, later) = bytes.split_at(step.min(bytes.len()));
                rx.extend_from_slice(now);
                bytes = later;
            }
            Ok(frame) => panic!("{frame:?}"),
            Err(error) => return (packets, Some(error), framer.is_out_of_step()),
        }
    }
}

pub(crate) fn framer_seeds() -> Vec<Vec<u8>> {
    let two = [framed(b"abc", 0), framed(b"", 1), framed(b"\xffx", 9)].concat();
    let ids: Vec<u8> = (0..4).flat_map(|id| framed(b"row", id)).collect();
    vec![
        [&[200, 2, 0], &two[..]].concat(),
        [&[2, 0, 1], &two[..]].concat(),
        [&[200, 0, 1], &ids[..]].concat(),
        [&[200, 5, 0], &framed(b"\xff\xbf\x0f#HY000bye", 0)[..], &ids[..]].concat(),
    ]
}

/// OK, ERR, EOF, column definitions and the headers of replies, with any capabilities.
pub fn packets(input: &[u8]) -> Vec<u64> {
    let mut script = Script(input);
    let flags: [u8; 4] = std::array::from_fn(|_| script.byte());
    let (capabilities, payload) = (CapabilityFlags::from_bits(u32::from_le_bytes(flags)), script.0);
    let mut path = Path::default();
    match OkPacket::parse(payload, capabilities) {
        Ok(ok) => {
            assert!(ok.info().len() <= payload.len());
            // However the state is broken, walking over it ends.
            let changes = ok.session_state().inspect(|change| path.tells(change)).count();
            assert!(changes <= payload.len());
            path.passes(&ok.info().is_empty());
        }
        Err(error) => path.tells(&error),
    }
    match ErrPacket::parse(payload, capabilities) {
        Ok(err) => {
            assert!(err.message_bytes().len() <= payload.len() && err.sqlstate().len() == 5);
            path.passes(&(payload.len() < 4, err.message().is_empty()));
        }
        Err(error) => path.tells(&error),
    }
    match ColumnDefinition41::parse(payload) {
        Ok(column) => {
            let names = [column.schema(), column.table(), column.name()];
            assert!(names.iter().map(|name| name.len()).sum::<usize>() <= payload.len());
            path.tells(&column.format().column_type);
        }
        Err(error) => path.tells(&error),
    }
    path.tells(&EofPacket::parse(payload, capabilities).map(drop));
    path.tells(&StmtPrepareOk::parse(payload, capabilities).map(drop));
    path.tells(&LocalInfileRequest::parse(payload).map(drop));
    match ResultSetHeader::parse(payload, capabilities, 100) {
        Ok(header) => {
            assert!((1..=100).contains(&header.column_count()));
            path.passes(&header.metadata_follows());
        }
        Err(error) => path.tells(&error),
    }
    path.steps()
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
pub fn switches(input: &[u8]) -> Vec<u64> {
    let mut path = Path::default();
    match AuthSwitchRequest::parse(input) {
        Ok(switch) => {
            assert!(input.first() == Some(&AuthSwitchRequest::HEADER) && switch.data.len() < input.len());
            path.passes(&(switch.plugin.is_empty(), switch.data.is_empty()));
        }
        Err(error) => path.tells(&error),
    }
    match AuthNextFactor::parse(input) {
        Ok(factor) => {
            assert!(input.first() == Some(&AuthNextFactor::HEADER) && factor.data.len() < input.len());
            path.passes(&(factor.plugin.is_empty(), factor.data.is_empty()));
        }
        Err(error) => path.tells(&error),
    }
    path.steps()
}

pub(crate) fn switch_seeds() -> Vec<Vec<u8>> {
    vec![
        b"\xfemysql_native_password\0ABCDEFGHIJKLMNOPQRST\0".to_vec(),
        b"\x02mysql_clear_password\0".to_vec(),
        vec![0xfe],
    ]
}

/// URLs: an error never shows the password. No file that an option names is read, and no TLS set up.
pub fn url(input: &[u8]) -> Vec<u64> {
    let mut path = Path::default();
    let text = String::from_utf8_lossy(input);
    if text.contains("server-public-key-path") || text.contains("server_public_key_path") {
        // This one is read at once.
        return Vec::new();
    }
    let mut read = |url: &str| match OptionsBuilder::from_url(url) {
        Ok(options) => {
            let shown = format!("{options:?}");
            assert!(!shown.contains("open-sesame"), "{shown}");
            path.passes(&true);
        }
        Err(error) => {
            let shown = format!("{error} {error:?}");
            assert!(!shown.contains("open-sesame"), "{shown}");
            path.tells(&error);
        }
    };
    read(&text);
    // An @ would make another part of it the password.
    let query = text.replace('@', "");
    read(&format!("mysql://u:open-sesame@h:1/db?{query}"));
    if let Some((key, value)) = query.split_once('=')
        && let Err(error) = OptionsBuilder::default().set(key, value)
    {
        path.tells(&error);
    }
    path.steps()
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
