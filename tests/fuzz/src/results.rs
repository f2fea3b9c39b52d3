//! What a session makes of result sets, of the ends of replies, and of prepared statements.

use std::fmt;

use bytes::{Bytes, BytesMut};
use porpoise_classic::{
    CapabilityFlags, Collation, Columns, Encoding, Event, Misuse, ResultEnd, Row, RowBatch, RowError,
    RowPiece, RowReader, RowRef, Session, SessionSeed, StateChange,
};
use porpoise_trace::NoTrace;
use porpoise_value::{Date, DateTime, Decimal, FromRow, Time, Value};
use porpoise_wire::{Cx, Framer, Limits, Machine, Step};

use crate::paths::Path;
use crate::script::{Script, acts, framed};

/// No packet of an input is larger.
const LIMIT: usize = 4096;

fn session(capabilities: CapabilityFlags) -> Session {
    let limits = Limits::default().with_max_packet(LIMIT);
    Session::resume(SessionSeed::new(Framer::new(limits), capabilities, limits))
}

/// What an event is, without what it says: inputs that differ in that alone are not worth keeping.
fn kind(event: &Event) -> std::mem::Discriminant<Event> {
    std::mem::discriminant(event)
}

fn bit(choice: u8, n: u8) -> bool {
    choice >> n & 1 == 1
}

/// Sends a command, gives the session packets in reply, and shows what it tells.
fn reply(
    session: &mut Session,
    send: impl FnOnce(&mut Session, &mut Cx<'_, NoTrace>) -> Result<(), Misuse>,
    packets: &[Vec<u8>],
    mut tell: impl FnMut(&Session, Event),
) -> Option<String> {
    let (mut rx, mut tx, mut trace) = (BytesMut::new(), BytesMut::new(), NoTrace);
    let mut cx = Cx::new(&mut rx, &mut tx, &mut trace);
    send(session, &mut cx).expect("an idle session");
    for (id, packet) in (1..).zip(packets) {
        cx.rx.extend_from_slice(&framed(packet, id));
    }
    for _ in 0..=packets.len() {
        match session.advance(&mut cx) {
            Ok(Step::Event(event)) => tell(session, event),
            Ok(_) => return None,
            Err(error) => return Some(error.to_string()),
        }
    }
    // One event a packet at most, and then it waits or is idle.
    let step = session.advance(&mut cx);
    assert!(!matches!(step, Ok(Step::Event(_))), "more events than packets");
    None
}

/// Rows of columns of any type, text and binary: each cell lies in its row, and is the same however it is asked for.
///
/// `encoding, dialect | number of columns | type, flags, decimals of each | rows`
pub fn result_set(input: &[u8]) -> Vec<u64> {
    let mut script = Script(input);
    let choice = script.byte();
    let mut capabilities = CapabilityFlags::CLIENT_PROTOCOL_41 | CapabilityFlags::CLIENT_SESSION_TRACK;
    capabilities |=
        if bit(choice, 1) { CapabilityFlags::empty() } else { CapabilityFlags::CLIENT_DEPRECATE_EOF };
    let optional = bit(choice, 2);
    if optional {
        capabilities |= CapabilityFlags::CLIENT_OPTIONAL_RESULTSET_METADATA;
    }
    let count = script.byte() % 20 + 1;
    let mut packets = vec![vec![count]];
    let defined = !(optional && bit(choice, 3));
    packets[0].extend(optional.then_some(u8::from(defined)));
    let formats: Vec<&[u8]> = (0..count).map(|_| script.bytes(3)).collect();
    if defined {
        packets.extend(formats.iter().map(|format| definition(format)));
        packets.extend(bit(choice, 1).then(|| vec![0xfe, 0, 0, 2, 0]));
    }
    while !script.0.is_empty() {
        let len = usize::from(script.byte());
        packets.push(script.bytes(len).to_vec());
    }
    let mut path = Path::default();
    let mut session = session(capabilities);
    let mut rows = |_: &Session, event: Event| match &event {
        Event::Rows(batch) => each_row(batch, &mut path),
        event => path.passes(&kind(event)),
    };
    let failed = if bit(choice, 0) {
        reply(&mut session, |s, cx| s.stmt_execute(1, 0, &[], cx), &packets, &mut rows)
    } else {
        reply(&mut session, |s, cx| s.query("x", cx), &packets, &mut rows)
    };
    path.passes(&failed.map(|text| text.len()));
    path.steps()
}

/// def and five names | 12 | collation | length | type | flags | decimals | reserved
fn definition(format: &[u8]) -> Vec<u8> {
    let at = |i: usize| format.get(i).copied().unwrap_or_default();
    let head = b"\x03def\0\0\0\x01c\0\x0c\x2d\0\0\x04\0\0";
    [&head[..], &[at(0), at(1), 0, at(2), 0, 0]].concat()
}

fn each_row(batch: &RowBatch, path: &mut Path) {
    assert_eq!(batch.iter().count(), batch.len());
    for row in batch {
        assert_eq!(row.len(), batch.columns().len());
        cells(row, path);
        values(row, path);
        pieces(row);
        same(row, &row.share());
        same(row, &row.detach());
    }
    typed::<(Option<i64>, Option<String>)>(batch, path);
    typed::<(Option<Value>, Option<&[u8]>, Option<Time>)>(batch, path);
    typed::<(Option<Decimal>,)>(batch, path);
}

/// Rows as a type: as many as there are, and each is that which it is alone.
fn typed<'a, T: FromRow<'a> + fmt::Debug>(batch: &'a RowBatch, path: &mut Path) {
    let plan = match batch.plan::<T>() {
        Ok(plan) => plan,
        Err(error) => return path.tells(&error),
    };
    for row in batch {
        match row.read::<T>(&plan) {
            Ok(_) => path.passes(&true),
            Err(error) => path.tells(&error),
        }
    }
}

/// Each cell as values of many types: what is no cell is no value, and NULL is NULL.
fn values(row: RowRef<'_>, path: &mut Path) {
    for (i, cell) in row.iter().enumerate().take(row.len()) {
        let value = row.value(i);
        match (&cell, &value) {
            (Err(_), value) => assert!(value.is_err(), "cell {i} is broken, and its value is {value:?}"),
            (Ok(None), Ok(value)) => assert!(value.is_null(), "cell {i} is NULL, and its value is {value:?}"),
            (Ok(Some(_)), Ok(value)) => {
                assert!(!value.is_null(), "cell {i} is not NULL");
                path.passes(&std::mem::discriminant(value));
                if let Ok(owned) = value.to_owned() {
                    assert!(!owned.to_string().is_empty() || value.as_bytes().is_some());
                }
            }
            (_, Err(error)) => path.tells(error),
        }
        let as_bytes = row.get_as::<Option<&[u8]>>(i);
        if let (Ok(bytes), Ok(cell), Encoding::Text) = (&as_bytes, cell, row.encoding()) {
            assert_eq!(*bytes, cell, "bytes of a text cell");
        }
        path.passes(&(
            row.get_as::<u8>(i).is_ok(),
            row.get_as::<i64>(i).is_ok(),
            row.get_as::<f64>(i).is_ok(),
            row.get_as::<&str>(i).is_ok(),
            row.get_as::<Date>(i).is_ok(),
            row.get_as::<DateTime>(i).is_ok(),
            row.get_as::<Time>(i).is_ok(),
            row.get_as::<Decimal>(i).is_ok(),
            as_bytes.is_ok(),
        ));
        // What fits into fewer bits is the same in more.
        if let Ok(small) = row.get_as::<i8>(i) {
            assert_eq!(row.get_as::<i64>(i).ok(), Some(small.into()));
        }
        if let Ok(small) = row.get_as::<u16>(i) {
            assert_eq!(row.get_as::<u64>(i).ok(), Some(small.into()));
        }
    }
}

fn cells(row: RowRef<'_>, path: &mut Path) {
    let cells: Vec<_> = row.iter().collect();
    let good = cells.iter().take_while(|cell| cell.is_ok()).count();
    assert!(cells.len() <= row.len() + 1 && cells.len() - good <= 1, "one error at most, and it is the last");
    let payload = row.payload().as_ptr_range();
    let mut bytes = 0;
    for (i, cell) in cells.iter().enumerate() {
        path.passes(&cell.as_ref().ok().map(|cell| cell.map(<[u8]>::is_empty)));
        match cell {
            Ok(Some(cell)) => {
                bytes += cell.len();
                let inside = payload.contains(&cell.as_ptr()) || cell.is_empty();
                assert!(inside && cell.as_ptr_range().end <= payload.end, "a cell out of its row");
            }
            Ok(None) => {}
            Err(error) => path.tells(error),
        }
        if i < row.len() {
            assert_eq!(row.get(i), *cell, "cell {i} by its index");
        }
    }
    assert!(bytes <= row.payload().len());
    assert!(row.get(row.len()).is_err());
}

/// A row that is read as it comes, a few bytes at a time, has the same cells; and is as broken.
fn pieces(row: RowRef<'_>) {
    let whole: Result<Vec<_>, _> = row.iter().map(|cell| cell.map(|cell| cell.map(<[u8]>::to_vec))).collect();
    for size in [1, 3, 64] {
        let mut reader = RowReader::new(row.columns().clone(), row.encoding());
        let mut cells: Vec<Option<Vec<u8>>> = Vec::new();
        let mut chunks = row.payload().chunks(size).peekable();
        let mut ended = Ok(false);
        while let Some(chunk) = chunks.next() {
            reader.push(Bytes::copy_from_slice(chunk), chunks.peek().is_none());
            ended = take(&mut reader, &mut cells);
            if ended != Ok(false) {
                break;
            }
        }
        match &whole {
            Ok(whole) => assert_eq!((ended, &cells), (Ok(true), whole), "in pieces of {size}"),
            Err(_) => assert_ne!(ended, Ok(true), "in pieces of {size}: a broken row"),
        }
    }
}

/// Takes what a reader has; whether that was all.
fn take(reader: &mut RowReader, cells: &mut Vec<Option<Vec<u8>>>) -> Result<bool, RowError> {
    while let Some(piece) = reader.next_piece()? {
        match piece {
            RowPiece::Null { index, .. } => {
                assert_eq!(index, cells.len());
                cells.push(None);
            }
            RowPiece::Cell { index, .. } => {
                assert_eq!(index, cells.len());
                cells.push(Some(Vec::new()));
            }
            RowPiece::Bytes(bytes) => {
                assert!(!bytes.is_empty());
                cells
                    .last_mut()
                    .expect("a cell has begun")
                    .as_mut()
                    .expect("not NULL")
                    .extend_from_slice(&bytes);
            }
            RowPiece::End => return Ok(true),
            piece => panic!("{piece:?}"),
        }
    }
    Ok(false)
}

/// An owned row has the same cells.
fn same(row: RowRef<'_>, owned: &Row) {
    assert!(owned.iter().eq(row.iter()));
    assert_eq!(owned.borrow().payload(), row.payload());
}

pub(crate) fn result_set_seeds() -> Vec<Vec<u8>> {
    let rows = |head: &[u8], rows: &[&[u8]]| {
        let mut seed = head.to_vec();
        for row in rows {
            seed.push(u8::try_from(row.len()).expect("a short row"));
            seed.extend_from_slice(row);
        }
        seed
    };
    let text = [&[0, 2][..], &[253, 0, 0, 3, 0, 0]].concat();
    // TINY SHORT LONG LONGLONG INT24 FLOAT DOUBLE YEAR DATE DATETIME TIME NEWDECIMAL VAR_STRING BIT JSON
    let types = [1, 2, 3, 8, 9, 4, 5, 13, 10, 12, 11, 246, 253, 16, 245];
    let binary = [1, 14].into_iter().chain(types.iter().flat_map(|t| [*t, 0, 0])).collect::<Vec<u8>>();
    let full = [
        &[0, 0, 0, 0][..],
        &[0xff],
        &[1, 2],
        &[1, 2, 3, 4],
        &[1, 2, 3, 4, 5, 6, 7, 8],
        &[1, 2, 3, 0],
        &[0, 0, 0x80, 0x3f],
        &[0, 0, 0, 0, 0, 0, 0xf0, 0x3f],
        &[0xe8, 7],
        &[4, 0xe8, 7, 2, 29],
        &[11, 0xe8, 7, 2, 29, 1, 2, 3, 1, 0, 0, 0],
        &[12, 1, 4, 0, 0, 0, 5, 2, 3, 4, 0, 0, 0],
        b"\x041.50",
        b"\x03abc",
        &[1, 5],
        b"\x02{}",
    ]
    .concat();
    let numbers = [b"\x0512:00", &b"\x03abc"[..]].concat();
    vec![
        rows(&text, &[b"\x01a\x011", b"\xfb\x02-1", b"\x00\xfb", b"\xfe\0\0\x02\0\0\0"]),
        rows(&[2, 0, 11, 0, 0], &[&numbers, b"\xfe\0\0\x02\0"]),
        rows(&binary, &[&full, b"\xfe\0\0\x02\0\0\0"]),
        rows(&binary, &[&[0, 0xfc, 0xff, 1], b"\xff\x25\x05#70100killed"]),
        rows(&[5, 0, 8, 32, 0], &[&[0, 0, 9, 9, 9, 9, 9, 9, 9, 9], b"\xfe\0\0\x02\0\0\0"]),
        rows(&[12, 0, 0, 0, 0], &[b"\x01a", b"\xfe\0\0\x02\0\0\0"]),
        rows(&[13, 0, 0, 0, 0], &[b"\0\0\x01a", b"\xfe\0\0\x02\0\0\0"]),
    ]
}

/// OK, ERR and EOF as replies, with session state: what is told of them lies in them, and the session follows it.
///
/// `capabilities | command | packets`
pub fn endings(input: &[u8]) -> Vec<u64> {
    let mut script = Script(input);
    let flags: [u8; 4] = std::array::from_fn(|_| script.byte());
    let choice = script.byte();
    let mut packets = Vec::new();
    while !script.0.is_empty() {
        let len = usize::from(script.byte());
        packets.push(script.bytes(len).to_vec());
    }
    let capabilities =
        CapabilityFlags::from_bits(u32::from_le_bytes(flags)) | CapabilityFlags::CLIENT_PROTOCOL_41;
    let mut session = session(capabilities);
    let mut path = Path::default();
    let most = packets.iter().map(Vec::len).max().unwrap_or(0);
    let tell = |session: &Session, event: Event| {
        match &event {
            Event::Ok(ok) => end(session, ok.end(), most, &mut path),
            Event::End(told) => end(session, told, most, &mut path),
            Event::Err(err) => {
                assert!(!session.has_more_results() && err.sqlstate().len() == 5);
                assert!(err.message_bytes().len() <= most);
            }
            _ => {}
        }
        assert!(Collation::by_id(session.charset()).is_some(), "collation {}", session.charset());
        path.passes(&kind(&event));
    };
    let failed = match choice % 4 {
        0 => reply(&mut session, |s, cx| s.query("x", cx), &packets, tell),
        1 => reply(&mut session, |s, cx| s.ping(cx), &packets, tell),
        2 => reply(&mut session, |s, cx| s.set_option(true, cx), &packets, tell),
        _ => {
            let columns = Columns::undefined(1);
            reply(&mut session, |s, cx| s.stmt_fetch(1, 1, &columns, cx), &packets, tell)
        }
    };
    path.passes(&failed.map(|text| text.len()));
    path.steps()
}

fn end(session: &Session, end: &ResultEnd, most: usize, path: &mut Path) {
    assert_eq!(session.status().bits() | 8, end.status().bits() | 8, "the session follows the status");
    let mut bytes = end.info().len();
    let mut changes = 0;
    for change in end.session_state() {
        changes += 1;
        path.passes(&change.as_ref().ok().map(std::mem::discriminant));
        if let Err(error) = &change {
            path.tells(error);
        }
        bytes += match change {
            Ok(StateChange::SystemVariable { name, value, .. }) => name.len() + value.len(),
            Ok(StateChange::Gtids { text, .. }) => text.len(),
            Ok(StateChange::TransactionState(state)) => state.as_bytes().len(),
            Ok(
                StateChange::Schema(text)
                | StateChange::TransactionCharacteristics(text)
                | StateChange::Unknown { data: text, .. },
            ) => text.len(),
            _ => 0,
        };
    }
    assert!(changes <= most && bytes <= most, "{changes} changes, {bytes} bytes, of {most}");
}

pub(crate) fn ending_seeds() -> Vec<Vec<u8>> {
    let modern = 0x19bf_a285_u32.to_le_bytes();
    let old = 0x000f_a285_u32.to_le_bytes();
    let seed = |head: [u8; 4], choice: u8, packets: &[&[u8]]| {
        let mut seed = [&head[..], &[choice]].concat();
        for packet in packets {
            seed.push(u8::try_from(packet.len()).expect("a short packet"));
            seed.extend_from_slice(packet);
        }
        seed
    };
    let state = |blocks: &[&[u8]]| {
        let blocks = blocks.concat();
        let len = u8::try_from(blocks.len()).expect("a short block");
        [&b"\0\0\0\x02\x40\0\0\0"[..], &[len], &blocks].concat()
    };
    let charset: &[u8] = b"\x00\x1c\x14character_set_client\x06latin1";
    let all = [
        &b"\x00\x0f\x0aautocommit\x03OFF"[..],
        b"\x01\x06\x05mysql",
        b"\x02\x011",
        b"\x03\x05\x00\x03u:1",
        b"\x04\x01\x00",
        b"\x05\x09\x08T_R_____",
        b"\x63\x02ab",
    ];
    vec![
        seed(modern, 0, &[&state(&[charset])]),
        seed(modern, 0, &[b"\0\0\0\x0a\0\0\0", &state(&all)]),
        seed(old, 0, &[b"\0\x01\x02\x02\0\0\0\x26Rows"]),
        seed(modern, 1, &[b"\0\0\0\x02\0\0\0"]),
        seed(modern, 1, &[b"\xff\x28\x04#42000bad"]),
        seed(modern, 2, &[b"\xfe\0\0\x02\0\0\0"]),
        seed(old, 2, &[b"\xfe\0\0\x02\0"]),
        seed(modern, 3, &[&[0xfe, 0, 0, 0x82, 0x40, 0, 0, 0, 7, 1, 5, 4, b'r', b'e', b'e', b'f']]),
        seed(old, 3, &[b"\xfe\0\0\x42\0"]),
    ]
}

/// Replies to COM_STMT_PREPARE: as many definitions as are promised, none, or an error.
///
/// `capabilities | packets`
pub fn prepared(input: &[u8]) -> Vec<u64> {
    let mut script = Script(input);
    let flags: [u8; 4] = std::array::from_fn(|_| script.byte());
    let capabilities =
        CapabilityFlags::from_bits(u32::from_le_bytes(flags)) | CapabilityFlags::CLIENT_PROTOCOL_41;
    let mut packets = Vec::new();
    while let Some(act) = script.act() {
        packets.push(act.bytes().to_vec());
    }
    let mut session = session(capabilities);
    let mut path = Path::default();
    let head = packets.first().cloned().unwrap_or_default();
    let two = |at: usize| {
        let pair = head.get(at..at + 2).and_then(|pair| pair.try_into().ok());
        usize::from(u16::from_le_bytes(pair.unwrap_or_default()))
    };
    let tell = |session: &Session, event: Event| {
        path.passes(&kind(&event));
        let Event::Prepared(prepared) = event else { return };
        assert!(session.is_idle());
        for (columns, promised) in [(&prepared.columns, two(5)), (&prepared.params, two(7))] {
            assert_eq!(columns.len(), promised);
            assert!(!columns.is_defined() || columns.iter().count() == promised);
            path.counts(promised);
        }
    };
    let failed = reply(&mut session, |s, cx| s.stmt_prepare("x", cx), &packets, tell);
    path.passes(&failed.map(|text| text.len()));
    path.steps()
}

pub(crate) fn prepared_seeds() -> Vec<Vec<u8>> {
    let modern = 0x19bf_a285_u32.to_le_bytes();
    let old = 0x000f_a285_u32.to_le_bytes();
    let optional = 0x1bbf_a285_u32.to_le_bytes();
    let column = &definition(&[3, 0, 0])[..];
    let eof = b"\xfe\0\0\x02\0";
    vec![
        acts(&modern, &[b"\0\x01\0\0\0\x02\0\x01\0\0\0\0", column, column, column]),
        acts(&modern, &[b"\0\x01\0\0\0\0\0\0\0\0\x01\0"]),
        acts(&old, &[b"\0\x01\0\0\0\x01\0\x01\0\0\0\0", column, eof, column, eof]),
        acts(&old, &[b"\0\x01\0\0\0\0\0\x02\0\0\0\0", column, column, eof]),
        acts(&optional, &[b"\0\x01\0\0\0\x02\0\x01\0\0\0\0\0"]),
        acts(&optional, &[b"\0\x01\0\0\0\x01\0\0\0\0\0\0\x01", column]),
        acts(&modern, &[b"\xff\x28\x04#42000bad"]),
    ]
}
