use bytes::{BufMut, BytesMut};
use proptest::prelude::{Just, Strategy, any, prop, prop_assert_eq, prop_oneof, proptest};

use super::*;
use crate::HEADER_LEN;

const BOTH: [Compression; 2] = [Compression::Zlib { level: 6 }, Compression::Zstd { level: 3 }];

fn framer(compression: Compression, max: usize) -> Framer {
    let mut framer = Framer::new(Limits::default());
    framer.set_max_packet(max);
    framer.compress(compression);
    framer
}

/// One compressed frame.
fn frame(compression: Compression, id: u8, plain: &[u8], deflate: bool) -> Vec<u8> {
    let mut out = vec![0; plain.len() + 1024];
    if deflate {
        let len = deflater(compression).deflate(plain, &mut out).expect("there is room for it");
        out.truncate(len);
    } else {
        out = plain.to_vec();
    }
    announced(id, if deflate { plain.len() } else { 0 }, &out)
}

fn announced(id: u8, announced: usize, body: &[u8]) -> Vec<u8> {
    let [a, b, c, ..] = body.len().to_le_bytes();
    let [d, e, f, ..] = announced.to_le_bytes();
    [&[a, b, c, id, d, e, f][..], body].concat()
}

/// A packet with an inner header.
fn packet(id: u8, payload: &[u8]) -> Vec<u8> {
    let [a, b, c, ..] = payload.len().to_le_bytes();
    [&[a, b, c, id][..], payload].concat()
}

/// 200 bytes that cannot be made smaller.
fn noise() -> Vec<u8> {
    let step = |n: &u32| Some(n.wrapping_mul(1_664_525).wrapping_add(1_013_904_223));
    std::iter::successors(Some(1), step).take(200).map(|n| n.to_be_bytes()[0]).collect()
}

/// All packets of `wire`, given in pieces of these sizes.
fn read(reader: &mut Framer, wire: &[u8], cuts: &[usize]) -> Result<Vec<Vec<u8>>, WireError> {
    let (mut rx, mut got) = (BytesMut::new(), Vec::new());
    let (mut left, mut cuts) = (wire, cuts.iter().cycle());
    loop {
        match reader.poll(&mut rx)? {
            Frame::Ready => {
                got.push(reader.payload(&rx).to_vec());
                reader.consume(&mut rx);
            }
            Frame::Need(need) => {
                assert!(need > rx.len(), "{need} bytes are there");
                if left.is_empty() {
                    assert!(rx.is_empty() && reader.is_drained());
                    return Ok(got);
                }
                let (piece, rest) = left.split_at((*cuts.next().expect("cuts go round")).min(left.len()));
                rx.extend_from_slice(piece);
                left = rest;
            }
        }
    }
}

#[test]
fn a_short_command_is_stored_in_one_frame() {
    for compression in BOTH {
        let mut f = framer(compression, 100);
        f.begin_command();
        let mut tx = BytesMut::new();
        assert_eq!(f.write(&mut tx, |p| p.put_u8(0x0e)), 1);
        // 5 bytes, compressed id 0, stored | length 1, id 0, COM_PING
        assert_eq!(tx[..], [5, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0x0e]);
        // 11 bytes, compressed id 1, stored | OK, whose own id may be any
        let mut rx = BytesMut::from(&[11, 0, 0, 1, 0, 0, 0, 7, 0, 0, 99, 0, 0, 0, 2, 0, 0, 0][..]);
        assert_eq!(f.poll(&mut rx), Ok(Frame::Ready));
        assert_eq!(f.payload(&rx), [0, 0, 0, 2, 0, 0, 0]);
        assert!(!f.is_drained() && rx.is_empty());
        f.consume(&mut rx);
        assert!(f.is_drained());
    }
}

#[test]
fn what_can_be_made_smaller_is_deflated_from_50_bytes_on() {
    for compression in BOTH {
        for (len, smaller) in [(45, false), (46, true), (5000, true)] {
            let mut tx = BytesMut::from(&b"before"[..]);
            framer(compression, 100).write(&mut tx, |p| p.put_bytes(b'x', len));
            let [a, b, c, id, d, e, f] = *tx[6..].first_chunk().unwrap();
            let (body, announced) = (u32::from_le_bytes([a, b, c, 0]), u32::from_le_bytes([d, e, f, 0]));
            assert_eq!((tx.len(), id), (6 + 7 + body as usize, 0));
            assert_eq!(announced as usize, if smaller { HEADER_LEN + len } else { 0 });
            assert_eq!((body as usize) < HEADER_LEN + len, smaller);
            tx.advance(6);
            assert_eq!(read(&mut framer(compression, 5000), &tx, &[9]), Ok(vec![vec![b'x'; len]]));
        }
        // Noise is stored.
        let noise = noise();
        let mut tx = BytesMut::new();
        framer(compression, 100).write(&mut tx, |p| p.put_slice(&noise));
        assert_eq!((tx.len(), &tx[4..7]), (7 + 4 + 200, &[0, 0, 0][..]));
    }
}

#[test]
fn what_is_secret_is_not_deflated() {
    let mut f = framer(BOTH[0], 1000);
    let mut tx = BytesMut::new();
    f.store_only(true);
    f.write(&mut tx, |p| p.put_bytes(b'x', 500));
    assert_eq!(tx.len(), 7 + 4 + 500);
    f.store_only(false);
    f.write(&mut tx, |p| p.put_bytes(b'x', 500));
    assert!(tx.len() < 2 * (7 + 4 + 500) - 400);
    assert_eq!(read(&mut framer(BOTH[0], 1000), &tx, &[1]), Ok(vec![vec![b'x'; 500]; 2]));
}

#[test]
fn a_large_packet_goes_in_several_frames_both_ways() {
    for compression in BOTH {
        for size in
            [MAX_FRAME_PAYLOAD - 5, MAX_FRAME_PAYLOAD - 4, MAX_FRAME_PAYLOAD, MAX_FRAME_PAYLOAD + 70_000]
        {
            let payload: Vec<u8> = (0..size).map(|n| (n >> 7).to_le_bytes()[0]).collect();
            let mut tx = BytesMut::new();
            let mut f = framer(compression, 1 << 30);
            assert_eq!(f.write(&mut tx, |p| p.put_slice(&payload)), size);
            let frames = if size + HEADER_LEN > MAX_FRAME_PAYLOAD { 2 } else { 1 };
            assert_eq!(f.sequence, frames);
            assert!(tx.len() < size / 10);
            let got = read(&mut framer(compression, 1 << 30), &tx, &[16 << 10]).unwrap();
            assert!(got.len() == 1 && got[0] == payload);
            // The limit is held against the packet's own header.
            let limit = size - 1;
            let refused = read(&mut framer(compression, limit), &tx, &[16 << 10]);
            assert!(matches!(refused, Err(WireError::PacketTooLarge { .. })), "{refused:?}");
        }
    }
}

#[test]
fn a_large_packet_is_taken_in_parts() {
    for compression in BOTH {
        let size = 2 * MAX_FRAME_PAYLOAD + 5;
        let mut wire = BytesMut::new();
        let mut f = framer(compression, 100);
        f.write(&mut wire, |p| p.put_bytes(7, size));
        f.write(&mut wire, |p| p.put_bytes(8, 3));
        f.begin_command();
        f.set_max_packet(1 << 21); // the window of level 3
        let (mut rx, mut got, mut over) = (BytesMut::new(), 0, false);
        while !over {
            if got == 0 && f.peek(&mut rx).unwrap().is_none_or(|peek| peek.len != MAX_FRAME_PAYLOAD) {
                rx.unsplit(wire.split_to(3.min(wire.len())));
                continue;
            }
            match f.take_part(&mut rx).unwrap() {
                Some(part) => {
                    assert_eq!(part.first, got == 0);
                    assert!(part.bytes.iter().all(|byte| *byte == 7) && part.bytes.len() <= AHEAD);
                    got += part.bytes.len();
                    over = part.last;
                    assert!(over || matches!(f.poll(&mut rx), Ok(Frame::Need(_))));
                }
                None => rx.unsplit(wire.split_to(wire.len().min(1 << 10))),
            }
        }
        assert_eq!(got, size);
        rx.unsplit(wire);
        assert_eq!((f.poll(&mut rx), f.payload(&rx)), (Ok(Frame::Ready), &[8, 8, 8][..]));
    }
}

#[test]
fn headers_of_packets_may_be_split_over_frames() {
    let plain = [packet(1, b"one"), packet(77, b""), packet(3, b"three")].concat();
    for compression in BOTH {
        for deflate in [false, true] {
            // A frame for each byte, and empty frames between.
            let wire: Vec<u8> = plain
                .iter()
                .zip(0..)
                .flat_map(|(byte, n)| {
                    [frame(compression, 2 * n, &[*byte], deflate), announced(2 * n + 1, 0, &[])].concat()
                })
                .collect();
            let want = vec![b"one".to_vec(), b"".to_vec(), b"three".to_vec()];
            assert_eq!(read(&mut framer(compression, 10), &wire, &[4]), Ok(want));
        }
    }
}

#[test]
fn a_run_goes_over_frames_and_ids_that_jump() {
    let rows: Vec<u8> = (0..100).flat_map(|n| packet(n / 3, &[n; 20])).collect();
    let mut rx = BytesMut::new();
    for (chunk, id) in rows.chunks(700).zip(0..) {
        rx.extend_from_slice(&frame(BOTH[0], id, chunk, true));
    }
    let mut f = framer(BOTH[0], 100);
    let mut asked = Vec::new();
    let run = f.take_run(&mut rx, |payload| {
        asked.push(payload[0]);
        payload[0] < 90
    });
    let Ok(Some(Run::Frames(run))) = run else { panic!("{run:?}") };
    assert_eq!((&run[..], asked), (&rows[..90 * 24], (0..=90).collect()));
    assert!(matches!(f.take_run(&mut rx, |payload| payload[0] < 90), Ok(None)));
    assert_eq!(f.payload(&rx), [90; 20]);
}

#[test]
fn the_ids_of_frames_are_checked_unless_an_err_comes() {
    let ok = packet(1, &[0, 0, 0, 2, 0, 0, 0]);
    let err = packet(0, b"\xff\xbf\x0f#HY000bye");
    for compression in BOTH {
        let mut f = framer(compression, 100);
        f.write(&mut BytesMut::new(), |p| p.put_u8(0x0e));
        let mut rx = BytesMut::from(&frame(compression, 0, &ok, true)[..]);
        assert_eq!(f.poll(&mut rx), Err(WireError::OutOfOrder { expected: 1, got: 0 }));

        // Told from the first byte, before the packet is whole.
        let mut f = framer(compression, 100);
        f.write(&mut BytesMut::new(), |p| p.put_u8(0x0e));
        let mut rx = BytesMut::from(&frame(compression, 9, &ok[..5], false)[..]);
        assert_eq!(f.poll(&mut rx), Err(WireError::OutOfOrder { expected: 1, got: 9 }));

        for split in [1, 4, 5, err.len()] {
            let mut f = framer(compression, 100);
            f.write(&mut BytesMut::new(), |p| p.put_u8(0x0e));
            let wire =
                [frame(compression, 0, &err[..split], true), frame(compression, 1, &err[split..], false)]
                    .concat();
            let got = read(&mut f, &wire, &[3]);
            assert_eq!(got, Ok(vec![err[4..].to_vec()]));
            assert!(f.is_out_of_step());
        }

        // In the middle of a packet no ERR begins.
        let mut f = framer(compression, 100);
        let wire = [frame(compression, 0, &ok[..6], false), frame(compression, 7, &err, false)].concat();
        assert_eq!(read(&mut f, &wire, &[100]), Err(WireError::OutOfOrder { expected: 1, got: 7 }));
    }
}

#[test]
fn replies_to_pipelined_commands_are_told_apart_by_marks() {
    for compression in BOTH {
        let mut f = framer(compression, 100);
        let mut tx = BytesMut::new();
        let marks = [(); 3].map(|()| {
            f.begin_command();
            f.write(&mut tx, |p| p.put_u8(0x0e));
            f.mark()
        });
        assert_eq!(tx[..], [5, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0x0e].repeat(3));
        // Each reply has two frames, ids 1 and 2; all are there when the first is read.
        let mut rx = BytesMut::new();
        for n in 0..3 {
            rx.extend_from_slice(&frame(compression, 1, &packet(1, &[n; 60]), true));
            rx.extend_from_slice(&frame(compression, 2, &packet(2, &[n]), false));
        }
        for (mark, n) in marks.into_iter().zip(0..) {
            f.restore(mark);
            for payload in [&[n; 60][..], &[n]] {
                assert_eq!((f.poll(&mut rx), f.payload(&rx)), (Ok(Frame::Ready), payload));
                f.consume(&mut rx);
            }
        }
        assert!(rx.is_empty() && f.is_drained());
    }
}

#[test]
fn what_follows_a_reply_in_its_frame_is_no_other_reply() {
    let ok = packet(1, &[0, 0, 0, 2, 0, 0, 0]);
    let err = packet(0, b"\xff\xbf\x0f#HY000bye");
    for compression in BOTH {
        for (behind, deflate, accepted) in [
            (&ok[..], true, false),
            (&ok[..6], false, false),
            (&ok[..3], true, false),
            (&err[..], false, true),
        ] {
            let mut f = framer(compression, 100);
            f.write(&mut BytesMut::new(), |p| p.put_u8(0x0e));
            f.begin_reply();
            let mut rx = BytesMut::from(&frame(compression, 1, &[&ok[..], behind].concat(), deflate)[..]);
            assert_eq!(f.poll(&mut rx), Ok(Frame::Ready));
            f.consume(&mut rx);
            f.begin_command();
            f.write(&mut BytesMut::new(), |p| p.put_u8(0x0e));
            f.begin_reply();
            if accepted {
                assert_eq!((f.poll(&mut rx), f.is_out_of_step()), (Ok(Frame::Ready), true));
                continue;
            }
            rx.extend_from_slice(&frame(compression, 1, &ok, true));
            let error = f.poll(&mut rx);
            assert!(
                matches!(error, Err(WireError::Surplus { .. } | WireError::OutOfOrder { .. })),
                "{error:?}"
            );
        }
    }
}

#[test]
fn a_frame_must_inflate_to_what_it_announces() {
    let plain = packet(0, &[7; 1000]);
    for compression in BOTH {
        let good = frame(compression, 0, &plain, true);
        let body = &good[7..];
        let refused = |announces: usize, body: &[u8]| {
            let wire = announced(0, announces, body);
            read(&mut framer(compression, 2000), &wire, &[100]).unwrap_err()
        };
        let error = refused(1003, body);
        assert_eq!(error, WireError::InflatedSize { announced: 1003, got: 1004 });
        let error = refused(1005, body);
        assert_eq!(error, WireError::InflatedSize { announced: 1005, got: 1004 });
        let error = refused(900, body);
        assert_eq!(error, WireError::InflatedSize { announced: 900, got: 901 });
        // Cut off, with more behind, empty, and no stream at all.
        let error = refused(1004, &body[..body.len() - 1]);
        assert!(matches!(error, WireError::Inflate { .. } | WireError::InflatedSize { .. }), "{error}");
        assert_eq!(refused(1004, &[body, b"more"].concat()), WireError::TrailingBytes { left: 4 });
        let error = refused(1, b"");
        assert!(matches!(error, WireError::Inflate { .. } | WireError::InflatedSize { .. }), "{error}");
        assert!(matches!(refused(1004, &[0x55; 40]), WireError::Inflate { .. }));
        assert_eq!(error.client_error(), 2013);
    }
    // zlib's checksum is not there yet, and wrong.
    let wire = frame(BOTH[0], 0, &plain, true);
    let (mut f, mut rx) = (framer(BOTH[0], 2000), BytesMut::from(&wire[..wire.len() - 1]));
    for _ in 0..2 {
        assert_eq!((f.poll(&mut rx), rx.len()), (Ok(Frame::Need(1)), 0));
    }
    rx.extend_from_slice(&wire[wire.len() - 1..]);
    assert_eq!(f.poll(&mut rx), Ok(Frame::Ready));
    let mut wire = frame(BOTH[0], 0, &plain, true);
    *wire.last_mut().unwrap() ^= 1;
    let error = read(&mut framer(BOTH[0], 2000), &wire, &[100]);
    assert_eq!(error, Err(WireError::Inflate { algorithm: "zlib" }));
}

#[test]
fn what_came_before_an_error_is_still_given() {
    for compression in BOTH {
        let good = frame(compression, 0, &packet(0, b"good"), true);
        for bad in [
            announced(1, 100, &[0xa5; 40]),
            announced(1, 9, &frame(compression, 0, &packet(0, b"bad"), true)[7..]),
        ] {
            let mut f = framer(compression, 100);
            let mut rx = BytesMut::from(&[&good[..], &bad].concat()[..]);
            assert_eq!((f.poll(&mut rx), f.payload(&rx)), (Ok(Frame::Ready), &b"good"[..]));
            f.consume(&mut rx);
            let error = f.poll(&mut rx);
            assert!(
                matches!(error, Err(WireError::Inflate { .. } | WireError::InflatedSize { .. })),
                "{error:?}"
            );
            assert_eq!(f.poll(&mut rx), error);
        }
    }
}

#[test]
fn a_bomb_is_inflated_a_little_at_a_time() {
    for compression in BOTH {
        // A frame of zeros: four million empty packets.
        let wire = frame(compression, 0, &vec![0; MAX_FRAME_PAYLOAD], true);
        assert!(wire.len() < 20_000);
        let mut f = framer(compression, 2 << 20);
        let mut rx = BytesMut::from(&wire[..]);
        for _ in 0..MAX_FRAME_PAYLOAD / HEADER_LEN {
            assert_eq!(f.poll(&mut rx), Ok(Frame::Ready));
            f.consume(&mut rx);
            assert!(f.compressed.as_ref().unwrap().plain.capacity() <= AHEAD);
        }
    }
}

#[test]
fn a_zstd_window_above_the_packet_limit_is_refused() {
    // single segment of 16 MiB - 1: all of it is the window
    let body = [0x28, 0xb5, 0x2f, 0xfd, 0xa0, 0xff, 0xff, 0xff, 0x00, 1, 0, 0];
    let wire = announced(0, MAX_FRAME_PAYLOAD, &body);
    let limit = 1 << 20;
    let error = read(&mut framer(BOTH[1], limit), &wire, &[3]);
    assert_eq!(error, Err(WireError::WindowTooLarge { size: MAX_FRAME_PAYLOAD as u64, limit }));
}

#[test]
fn memory_is_given_back_and_made_again() {
    for compression in BOTH {
        let mut f = framer(compression, 2 << 20);
        for n in 0..3 {
            f.begin_command();
            let mut tx = BytesMut::new();
            f.write(&mut tx, |p| p.put_bytes(n, 1 << 20));
            f.begin_command();
            assert_eq!(read(&mut f, &tx, &[4000]), Ok(vec![vec![n; 1 << 20]]));
            f.park();
            let compressed = f.compressed.as_ref().unwrap();
            assert!(compressed.inflater.is_none() && compressed.deflater.is_none());
            assert_eq!(compressed.plain.capacity(), 0);
        }
    }
}

fn payloads() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let payload = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..300),
        (any::<u8>(), 0usize..5000).prop_map(|(byte, len)| vec![byte; len]),
    ];
    prop::collection::vec(payload, 1..12)
}

proptest! {
    #[test]
    fn any_frames_in_any_pieces_give_the_same_packets(
        payloads in payloads(),
        zstd in any::<bool>(),
        frames in prop::collection::vec((1usize..900, any::<bool>()), 1..20),
        cuts in prop::collection::vec(prop_oneof![1usize..10, 1usize..900, Just(1 << 20)], 1..20),
    ) {
        let compression = BOTH[usize::from(zstd)];
        let plain: Vec<u8> = payloads.iter().flat_map(|payload| packet(0, payload)).collect();
        let (mut wire, mut left, mut id) = (Vec::new(), &plain[..], 0u8);
        for (len, deflate) in frames.iter().cycle() {
            if left.is_empty() {
                break;
            }
            let (piece, rest) = left.split_at((*len).min(left.len()));
            wire.extend_from_slice(&frame(compression, id, piece, *deflate));
            (left, id) = (rest, id.wrapping_add(1));
        }
        let got = read(&mut framer(compression, 5000), &wire, &cuts);
        prop_assert_eq!(got.as_ref(), Ok(&payloads));
        // In parts and in runs too.
        let (mut f, mut rx) = (framer(compression, 5000), BytesMut::from(&wire[..]));
        let mut got = Vec::new();
        while let Some(part) = f.take_part(&mut rx).unwrap() {
            if part.first {
                got.push(Vec::new());
            }
            got.last_mut().unwrap().extend_from_slice(&part.bytes);
        }
        prop_assert_eq!(&got, &payloads);
        let (mut f, mut rx) = (framer(compression, 5000), BytesMut::from(&wire[..]));
        let mut joined = Vec::new();
        while let Some(run) = f.take_run(&mut rx, |_| true).unwrap() {
            joined.extend_from_slice(&run.into_bytes());
        }
        prop_assert_eq!(joined, plain);
    }

    #[test]
    fn what_is_written_can_be_read(payloads in payloads(), zstd in any::<bool>(), cut in 1usize..5000) {
        let compression = BOTH[usize::from(zstd)];
        let (mut f, mut wire) = (framer(compression, 5000), BytesMut::new());
        for payload in &payloads {
            prop_assert_eq!(f.write(&mut wire, |p| p.put_slice(payload)), payload.len());
        }
        prop_assert_eq!(read(&mut framer(compression, 5000), &wire, &[cut]), Ok(payloads));
    }

    #[test]
    fn no_bytes_make_it_panic_or_loop(
        zstd in any::<bool>(),
        frames in prop::collection::vec((any::<bool>(), 0usize..40, prop::collection::vec(any::<u8>(), 0..40)), 0..6),
        cut in 1usize..50,
    ) {
        let compression = BOTH[usize::from(zstd)];
        let mut wire = Vec::new();
        for ((valid, says, body), id) in frames.into_iter().zip(0..) {
            wire.extend(if valid { frame(compression, id, &body, true) } else { announced(id, says, &body) });
        }
        let mut f = framer(compression, 64);
        let mut rx = BytesMut::new();
        for piece in wire.chunks(cut) {
            rx.extend_from_slice(piece);
            loop {
                match f.poll(&mut rx) {
                    Ok(Frame::Ready) => f.consume(&mut rx),
                    Ok(Frame::Need(need)) => { assert!(need > rx.len()); break }
                    Err(_) => return Ok(()),
                }
            }
        }
    }
}
