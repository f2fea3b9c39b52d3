//! Rows that come in parts, and rows that are not those of the statement's columns.

use bytes::BytesMut;
use porpoise_classic::{
    CapabilityFlags, ClassicError, Columns, Encoding, Event, RowPiece, RowReader, Session, SessionSeed,
};
use porpoise_trace::{Record, TraceSink};
use porpoise_wire::{Cx, Framer, Limits, Machine as _, Step};

use crate::support::{MODERN, Reply, WITH_EOF, t1};

/// What came of a query whose rows are streamed.
#[derive(Debug, Default, PartialEq, Eq)]
struct Streamed {
    /// Each row's payload, and whether it came in parts.
    rows: Vec<(Vec<u8>, bool)>,
    ends: usize,
    errors: usize,
    /// The most bytes that the machine left in its buffer.
    held: usize,
}

fn stream<T: TraceSink>(
    session: &mut Session,
    reply: &[u8],
    chunk: usize,
    trace: &mut T,
) -> Result<Streamed, ClassicError> {
    let (mut rx, mut tx) = (BytesMut::new(), BytesMut::new());
    let mut cx = Cx::new(&mut rx, &mut tx, trace);
    session.query("x", &mut cx).unwrap();
    let (mut streamed, mut pieces, mut columns) =
        (Streamed::default(), reply.chunks(chunk), Columns::default());
    let mut open = false;
    loop {
        match session.advance(&mut cx)? {
            Step::Event(Event::Columns(defined)) => columns = defined,
            Step::Event(Event::Rows(batch)) => {
                assert!(!open);
                streamed.rows.extend(batch.iter().map(|row| (row.payload().to_vec(), false)));
            }
            Step::Event(Event::RowPart(part)) => {
                assert_eq!(part.first, !open);
                open = !part.last;
                if part.first {
                    streamed.rows.push((Vec::new(), true));
                }
                streamed.rows.last_mut().unwrap().0.extend_from_slice(&part.bytes);
            }
            Step::Event(Event::End(_)) => streamed.ends += 1,
            Step::Event(Event::Err(_)) => streamed.errors += 1,
            Step::NeedRead { at_least } => {
                assert!(at_least > cx.rx.len());
                streamed.held = streamed.held.max(cx.rx.len());
                match pieces.next() {
                    Some(piece) => cx.rx.extend_from_slice(piece),
                    None => return Ok(streamed),
                }
            }
            Step::Idle => {
                assert_eq!(columns.len(), 2);
                return Ok(streamed);
            }
            step => panic!("{step:?}"),
        }
    }
}

fn streaming(capabilities: CapabilityFlags, over: usize, max_packet: usize) -> Session {
    let limits = Limits::default().with_max_packet(max_packet);
    let mut session = Session::resume(SessionSeed::new(Framer::new(limits), capabilities, limits));
    session.stream_rows(Some(over));
    session
}

fn columns() -> Reply {
    let [a, b] = t1();
    Reply::new().columns(&[&a, &b])
}

#[test]
fn large_rows_come_in_parts_and_small_ones_in_batches() {
    let long = "x".repeat(240);
    let reply = columns()
        .row(&[Some("1"), Some("one")])
        .row(&[Some("2"), Some(&long)])
        .row(&[None, Some(&long)]) // 0xFB first
        .row(&[Some("3"), None])
        .end(2);
    let expected: Vec<(Vec<u8>, bool)> = vec![
        (b"\x011\x03one".to_vec(), false),
        ([b"\x012\xf0", long.as_bytes()].concat(), true),
        ([b"\xfb\xf0", long.as_bytes()].concat(), true),
        (b"\x013\xfb".to_vec(), false),
    ];
    let (mut traces, mut helds) = (Vec::new(), Vec::new());
    for chunk in (1..20).chain([100, 241, 242, 243, 1 << 20]) {
        let (mut session, mut record) = (streaming(MODERN, 100, 100), Record::new());
        let streamed = stream(&mut session, reply.bytes(), chunk, &mut record).unwrap();
        assert_eq!((&streamed.rows, streamed.ends, streamed.errors), (&expected, 1, 0));
        assert_eq!(record.illegal_edges().len(), 0);
        traces.push(record.to_jsonl());
        helds.push((chunk, streamed.held));
        assert!(session.is_idle());
    }
    traces.dedup();
    assert_eq!(traces.len(), 1, "the trace is the same, however the bytes come");
    let received = |len| format!("\"event\": \"PACKET_RECEIVED\", \"pkt_len\": {len}, \"first\": ");
    assert!(traces[0].contains(&received(243)) && traces[0].contains(&received(242)), "{}", traces[0]);
    assert!(helds.iter().all(|(chunk, held)| *held < 40 + *chunk), "{helds:?}");
    // All whole, the same rows are too large for the limit.
    let mut session = streaming(MODERN, 1000, 100);
    assert_eq!(stream(&mut session, reply.bytes(), 7, &mut Record::new()).unwrap_err().client_error(), 2020);
}

#[test]
fn what_ends_rows_is_never_a_part_of_one() {
    // The limit is 0, so that whatever is a row comes in parts.
    let message = "x".repeat(300);
    for (capabilities, reply) in [
        (MODERN, columns().row(&[None, None]).end(2)),
        (WITH_EOF, columns().eof(2).row(&[None, None]).eof(2)),
    ] {
        for chunk in [1, 3, 1000] {
            let mut session = streaming(capabilities, 0, 1000);
            let streamed = stream(&mut session, reply.bytes(), chunk, &mut Record::new()).unwrap();
            assert_eq!((streamed.rows, streamed.ends), (vec![(b"\xfb\xfb".to_vec(), true)], 1));
        }
    }
    for chunk in [1, 7, 1000] {
        let reply = columns().row(&[None, None]).err(1317, "70100", &message);
        let mut session = streaming(MODERN, 0, 1000);
        let streamed = stream(&mut session, reply.bytes(), chunk, &mut Record::new()).unwrap();
        assert_eq!((streamed.rows.len(), streamed.errors), (1, 1));
        assert!(session.is_idle());
    }
    // OK in place of EOF, with 300 bytes of session state: status SESSION_STATE_CHANGED
    let mut end = b"\xfe\x00\x00\x02\x40\x00\x00\x00\xfc\x2c\x01\x63\xfc\x28\x01".to_vec();
    end.resize(end.len() + 296, b'x');
    let mut session = streaming(MODERN, 10, 1000);
    let streamed = stream(&mut session, columns().packet(end).bytes(), 5, &mut Record::new()).unwrap();
    assert_eq!((streamed.rows.len(), streamed.ends), (0, 1));
}

#[test]
fn a_row_of_several_frames_is_streamed_past_every_limit() {
    const SIZE: usize = 0xff_ffff + 100;
    // A first cell whose length has eight bytes: 0xFE, as an end of rows has.
    let mut payload = vec![0xfe];
    payload.extend_from_slice(&(SIZE as u64).to_le_bytes());
    payload.resize(payload.len() + SIZE, b'x');
    payload.push(0xfb);
    for capabilities in [MODERN, WITH_EOF] {
        let reply = if capabilities == MODERN {
            columns().packet_in_frames(&payload).end(2)
        } else {
            columns().eof(2).packet_in_frames(&payload).eof(2)
        };
        let mut session = streaming(capabilities, 1 << 30, 1000);
        let streamed = stream(&mut session, reply.bytes(), 1 << 16, &mut Record::new()).unwrap();
        assert_eq!((streamed.rows.len(), streamed.ends), (1, 1));
        assert!(streamed.rows[0].1 && streamed.rows[0].0 == payload);
        assert!(streamed.held <= 1 << 16, "{}", streamed.held);
    }
}

#[test]
fn a_reader_finds_the_cells_of_parts() {
    let long = "y".repeat(250);
    let reply = columns().row(&[Some("12"), Some(&long)]).end(2);
    let mut session = streaming(MODERN, 10, 1000);
    let (mut rx, mut tx, mut trace) = (BytesMut::new(), BytesMut::new(), Record::new());
    let mut cx = Cx::new(&mut rx, &mut tx, &mut trace);
    session.query("x", &mut cx).unwrap();
    let mut pieces = reply.bytes().chunks(9);
    let (mut reader, mut cells, mut ended) = (None, Vec::new(), false);
    loop {
        match session.advance(&mut cx).unwrap() {
            Step::Event(Event::Columns(columns)) => reader = Some(RowReader::new(columns, Encoding::Text)),
            Step::Event(Event::RowPart(part)) => {
                let reader = reader.as_mut().unwrap();
                reader.push(part.bytes, part.last);
                while let Some(piece) = reader.next_piece().unwrap() {
                    match piece {
                        RowPiece::Cell { len, .. } => cells.push((len, Vec::new())),
                        RowPiece::Bytes(bytes) => cells.last_mut().unwrap().1.extend_from_slice(&bytes),
                        RowPiece::End => ended = true,
                        piece => panic!("{piece:?}"),
                    }
                }
            }
            Step::NeedRead { .. } => cx.rx.extend_from_slice(pieces.next().unwrap()),
            Step::Idle => break,
            _ => {}
        }
    }
    assert!(ended);
    assert_eq!(cells, [(2, b"12".to_vec()), (250, long.into_bytes())]);
}

#[test]
fn a_connection_lost_in_the_middle_of_a_row_names_the_rest() {
    let reply = columns().row(&[Some("1"), Some(&"x".repeat(50))]);
    let cut = &reply.bytes()[..reply.bytes().len() - 20];
    let mut session = streaming(MODERN, 10, 1000);
    stream(&mut session, cut, 7, &mut Record::new()).unwrap();
    assert!(!session.is_idle());
    // A second frame with a wrong id: 0xFFFFFF bytes, then another.
    let mut reply = columns().raw(&[0xff, 0xff, 0xff, 4]).bytes().to_vec();
    reply.resize(reply.len() + 0xff_ffff, 0x01);
    reply.extend_from_slice(&[1, 0, 0, 9, 0]);
    let mut session = streaming(MODERN, 10, 1000);
    let error = stream(&mut session, &reply, 1 << 20, &mut Record::new()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "session lost in WAIT_FOR_ROW: the rest of a row expected, but packet out of order: sequence id 5 expected, 9 came"
    );
}
