//! Over links in memory that are `Pending` on a seed: every byte of the heap is accounted for.

use std::sync::Arc;

use libtest_mimic::Trial;
use porpoise_classic_connect::ConnectStage;
use porpoise_driver::Connecting;
use porpoise_driver::blocking::BLOCKING;
use porpoise_hostile_tests::connects::{self, Connect};
use porpoise_hostile_tests::watch::{self, Poller};
use porpoise_hostile_tests::{Heard, Peer};
use porpoise_trace::Record;

const SEEDS: u64 = 4;

pub(crate) fn trials() -> impl Iterator<Item = Trial> {
    let dropped = connects::all().into_iter().map(|connect| {
        Trial::test(format!("dropped at every poll: {}", connect.name), move || {
            (0..SEEDS).for_each(|seed| dropped_at_every_poll(&connect, seed));
            Ok(())
        })
    });
    let resumed = connects::all().into_iter().map(|connect| {
        Trial::test(format!("resumed after every poll: {}", connect.name), move || {
            (0..SEEDS).for_each(|seed| resumed_after_polls(&connect, seed));
            Ok(())
        })
    });
    dropped.chain(resumed)
}

fn over(peer: &Peer, connect: &Connect) -> Connecting {
    Connecting::over(peer.link(), BLOCKING, Arc::clone(&connect.options))
}

fn dropped_at_every_poll(connect: &Connect, seed: u64) {
    let peer = || Peer::new(&connect.script).with_moods(seed);
    // What is made once and kept is made here.
    let (client, polls) = watch::run_counted(over(&peer(), connect));
    assert!(client.is_ok() && polls > 5, "{polls}");
    drop(client);
    let poller = Poller::default();
    // One poll more, so that a client is dropped, too.
    for most in 0..=polls {
        let peer = peer();
        let (stage, info) = watch::measure(|| {
            let mut connecting = over(&peer, connect);
            let client = poller.poll_times(std::pin::Pin::new(&mut connecting), most);
            if client.is_some() { ConnectStage::Complete } else { connecting.stage() }
        });
        let left = (info.bytes_current, info.count_current);
        assert_eq!(left, (0, 0), "seed {seed}, dropped after {most} of {polls} polls, in {stage}");
    }
}

/// The polling future is dropped after one poll, two polls, and so on; the connect itself is kept.
fn resumed_after_polls(connect: &Connect, seed: u64) {
    let undisturbed = Record::new();
    let peer = Peer::new(&connect.script).with_moods(seed);
    let connecting = over(&peer, connect).with_sink(Box::new(undisturbed.clone()));
    assert!(watch::run(connecting).is_ok());
    let expected = (undisturbed.to_jsonl(), sizes(&peer.heard()));

    for step in [1, 2, 3, 5, 8] {
        let record = Record::new();
        let peer = Peer::new(&connect.script).with_moods(seed);
        let mut connecting = over(&peer, connect).with_sink(Box::new(record.clone()));
        let mut drops = 0;
        let client = loop {
            let poller = Poller::default();
            let stage = connecting.stage();
            let mut polling = Box::pin(async { (&mut connecting).await });
            if let Some(client) = poller.poll_times(polling.as_mut(), step) {
                break client;
            }
            drop(polling);
            drops += 1;
            assert!(connecting.stage() >= stage || connect.name == "three factors", "it went back");
        };
        assert!(client.is_ok(), "seed {seed}, every {step} polls: {client:?}");
        assert!(drops > 0 || step > 3, "nothing was dropped");
        assert_eq!((record.to_jsonl(), sizes(&peer.heard())), expected, "seed {seed}, every {step} polls");
    }
}

/// What the client sent, as far as it does not depend on chance.
fn sizes(heard: &Heard) -> Vec<usize> {
    heard.packets.iter().map(Vec::len).collect()
}
