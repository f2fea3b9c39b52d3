//! Random servers: nothing panics, everything ends, and no way of cutting the bytes changes what is told.

use porpoise_classic::CapabilityFlags;
use proptest::prelude::{Just, Strategy, any, prop, prop_assert_eq, prop_oneof, proptest};

use crate::support::{Act, Exchange, Feed, MODERN, Reply, column, play};

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => Just(Act::Query("x")),
        2 => Just(Act::Load("x", &[b"1,a\n", b"2,b\n"])),
        1 => Just(Act::Bound(false, Vec::new())),
        1 => Just(Act::Register),
        1 => Just(Act::Dump),
        1 => Just(Act::Ping),
        1 => Just(Act::Statistics),
        1 => Just(Act::Debug),
        1 => Just(Act::FieldList("t")),
        2 => Just(Act::Prepare("x")),
        2 => Just(Act::Execute(1, Vec::new())),
        1 => Just(Act::Fetch(2)),
        1 => Just(Act::StmtClose),
    ]
}

/// Capabilities that change the layout of replies.
pub(crate) fn capabilities() -> impl Strategy<Value = CapabilityFlags> {
    let bits = CapabilityFlags::CLIENT_DEPRECATE_EOF
        .union(CapabilityFlags::CLIENT_SESSION_TRACK)
        .union(CapabilityFlags::CLIENT_OPTIONAL_RESULTSET_METADATA)
        .union(CapabilityFlags::CLIENT_QUERY_ATTRIBUTES);
    any::<u32>()
        .prop_map(move |random| MODERN.union(bits).intersection(!bits | CapabilityFlags::from_bits(random)))
}

/// A payload that has a chance to be taken for something.
fn payload() -> impl Strategy<Value = Vec<u8>> {
    let tail = prop::collection::vec(any::<u8>(), 0..12);
    prop_oneof![
        2 => Just(vec![0x00, 0, 0, 2, 0, 0, 0]),
        1 => Just(vec![0x00, 0, 0, 10, 0, 0, 0]),
        2 => Just(vec![0xfe, 0, 0, 2, 0, 0, 0]),
        1 => Just(vec![0xfe, 0, 0, 10, 0, 0, 0]),
        2 => Just(vec![0xfe, 0, 0, 2, 0]),
        1 => Just(b"\xff\x28\x04#42000no".to_vec()),
        1 => Just(b"\xfbfile".to_vec()),
        2 => (1u8..3).prop_map(|count| vec![count]),
        1 => (1u8..3, 0u8..2).prop_map(|(count, full)| vec![count, full]),
        3 => any::<u8>().prop_map(|kind| column("d", "t", "c", kind)),
        1 => (0u8..3, 0u8..3).prop_map(|(columns, params)| vec![0, 1, 0, 0, 0, columns, 0, params, 0, 0, 0, 0]),
        2 => (prop_oneof![Just(0x00), Just(0x01), Just(0xfe), any::<u8>()], tail).prop_map(|(first, mut tail)| {
            tail.insert(0, first);
            tail
        }),
        1 => Just(Vec::new()),
    ]
}

fn reply() -> impl Strategy<Value = Reply> {
    let packets = prop::collection::vec((payload(), prop::bool::weighted(0.02)), 0..14);
    let garbage = prop::collection::vec(any::<u8>(), 0..6);
    (packets, prop_oneof![3 => Just(Vec::new()), 1 => garbage]).prop_map(|(packets, garbage)| {
        let reply = packets.iter().fold(Reply::new(), |reply, (payload, skip)| {
            let reply = if *skip { reply.client_packet() } else { reply };
            let infile = payload.first() == Some(&0xfb);
            let reply = reply.packet(payload);
            if infile { reply.client_packet() } else { reply }
        });
        reply.raw(&garbage)
    })
}

pub(crate) fn script() -> impl Strategy<Value = Vec<Exchange>> {
    prop::collection::vec((act(), reply()), 1..4)
}

proptest! {
    #[test]
    fn framed_replies(capabilities in capabilities(), script in script(), chunk in 1usize..40) {
        let whole = play(capabilities, &script, Feed::Whole);
        prop_assert_eq!(&play(capabilities, &script, Feed::Bytewise), &whole);
        prop_assert_eq!(&play(capabilities, &script, Feed::Chunks(chunk)), &whole);
        prop_assert_eq!(whole.illegal, 0);
    }

    #[test]
    fn raw_bytes(act in act(), bytes in any::<Vec<u8>>(), chunk in 1usize..40) {
        let script = [(act, Reply::new().raw(&bytes))];
        let whole = play(MODERN, &script, Feed::Whole);
        prop_assert_eq!(play(MODERN, &script, Feed::Chunks(chunk)), whole);
    }
}
