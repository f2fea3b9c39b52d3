use std::sync::Arc;

use porpoise_driver::{Client, Error};
use porpoise_hostile_tests::packets::{frame, ok};
use porpoise_hostile_tests::watch::{self, Poller};
use porpoise_hostile_tests::{Act, Peer};

use crate::server::{answer, answered, cells, connect, heard, options, read};

async fn three(client: &mut Client) -> Result<Vec<String>, Error> {
    let mut pipeline = client.pipeline();
    pipeline.query("rows a 3").ping().query("rows b 2");
    assert_eq!(pipeline.len(), 3);
    let mut replies = pipeline.send().await?;
    let mut all = Vec::new();
    while let Some(mut results) = replies.next().await? {
        all.extend(read(&mut results).await?);
    }
    Ok(all)
}

#[test]
fn all_leave_in_one_write_and_are_answered_in_order() {
    let (mut client, peer) = connect(&options(|options| options), &[], None);
    let mut replies = watch::run(async {
        let mut pipeline = client.pipeline();
        pipeline.init_db("reef").query("rows a 1");
        pipeline.send().await.unwrap()
    });
    // The server has not answered anything.
    let first = Poller::default().poll_times(Box::pin(replies.next()).as_mut(), 0);
    assert!(first.is_none());
    let mut next = Box::pin(replies.next());
    let waker = std::task::Waker::noop();
    assert!(next.as_mut().poll(&mut std::task::Context::from_waker(waker)).is_pending());
    drop(next);
    let sent = peer.heard().clear;
    assert!(sent.ends_with(b"\x05\0\0\0\x02reef\x0b\0\0\0\x03\0\x01rows a 1"), "{sent:?}");
    let (mut client, _peer) = answered(None);
    assert_eq!(watch::run(three(&mut client)).unwrap(), ["a", "a", "a", "b", "b"]);
}

#[test]
fn an_error_in_the_middle_is_its_own_command_s() {
    for pipelining in [true, false] {
        let options = options(|options| options.pipelining(pipelining));
        let (mut client, peer) = connect(&options, &[Act::Answer(answer)], None);
        watch::run(async {
            let mut pipeline = client.pipeline();
            pipeline.query("rows a 9").query("fail b").query("rows c 1");
            let mut replies = pipeline.send().await.unwrap();
            // The first is not read: it is skipped.
            assert!(replies.next().await.unwrap().is_some());
            assert!(matches!(replies.next().await, Err(Error::Server(err)) if err.message() == "b"));
            assert_eq!(replies.left(), 1);
            let mut third = replies.next().await.unwrap().unwrap();
            assert_eq!(read(&mut third).await.unwrap(), ["c"]);
            assert!(replies.next().await.unwrap().is_none());
            let mut pipeline = client.pipeline();
            pipeline.query("fail d").query("rows e 1").query("fail f");
            let replies = pipeline.send().await.unwrap();
            assert!(matches!(replies.finish().await, Err(Error::Server(err)) if err.message() == "d"));
            assert_eq!(cells(&mut client, "rows g 1").await.unwrap(), ["g"]);
        });
        assert_eq!(heard(&peer).len(), 7);
    }
}

#[test]
fn when_it_is_off_each_waits_for_the_reply_before() {
    let off = options(|options| options.pipelining(false));
    let (mut client, peer) = connect(&off, &[], None);
    let mut all = Box::pin(three(&mut client));
    let waker = std::task::Waker::noop();
    let mut cx = std::task::Context::from_waker(waker);
    assert!(all.as_mut().poll(&mut cx).is_pending());
    peer.then(&[Act::Hear]);
    assert_eq!(heard(&peer), ["rows a 3"]);
    peer.then(&[Act::Say(ok()), Act::Answer(answer)]);
    assert_eq!(watch::run(all).unwrap(), ["b", "b"]);
}

/// Something between client and server that keeps counting where each reply begins anew.
fn middlebox() -> [Act; 5] {
    [Act::Hear, Act::Hear, Act::Hear, Act::Raw(frame(1, &ok())), Act::Raw(frame(2, &ok()))]
}

fn connected(options: &Arc<porpoise_driver::Options>, then: &[Act]) -> (Client, Peer) {
    connect(options, then, None)
}

#[test]
fn a_middlebox_that_mixes_replies_up_switches_it_off() {
    let options = options(|options| options);
    let (mut client, peer) = connected(&options, &middlebox());
    let error = watch::run(async {
        let mut pipeline = client.pipeline();
        pipeline.ping().ping().ping();
        let mut replies = pipeline.send().await?;
        assert!(replies.next().await?.is_some());
        replies.next().await.map(|_| ())
    })
    .unwrap_err();
    assert!(matches!(error, Error::Pipelined(_)) && error.is_fatal(), "{error:?}");
    assert!(error.advice().is_some());
    assert!(!peer.is_linked() && !client.is_usable());

    // From now on no connection of these options does it, nor of their clones; others do.
    for options in [Arc::clone(&options), Arc::new((*options).clone())] {
        assert!(!options.is_pipelining());
        let (mut client, peer) = connected(&options, &[Act::Answer(answer)]);
        assert_eq!(watch::run(three(&mut client)).unwrap(), ["a", "a", "a", "b", "b"]);
        assert_eq!(heard(&peer), ["rows a 3", "ping", "rows b 2"]);
    }
    assert!(crate::server::options(|options| options).is_pipelining());
}

#[test]
fn a_wrong_id_without_a_pipeline_switches_nothing_off() {
    let options = options(|options| options);
    let (mut client, _peer) = connected(&options, &[Act::Hear, Act::Raw(frame(7, &ok()))]);
    assert!(matches!(watch::run(client.ping()), Err(Error::Session(_))));
    assert!(options.is_pipelining());
}

#[test]
fn it_is_dropped_at_every_poll() {
    let poller = Poller::default();
    for pipelining in [true, false] {
        let options = options(|options| options.pipelining(pipelining));
        for seed in 0..20 {
            for polls in 0.. {
                let (mut client, peer) = connect(&options, &[Act::Answer(answer)], Some(seed));
                let outcome = poller.poll_times(Box::pin(three(&mut client)).as_mut(), polls);
                let next = watch::run(cells(&mut client, "rows next 2")).unwrap();
                assert_eq!(next, ["next", "next"], "seed {seed}, {polls} polls");
                let heard = heard(&peer);
                assert!(polls > 0 || heard.len() == 1);
                assert!(!pipelining || matches!(heard.len(), 1 | 4), "{heard:?}");
                if let Some(outcome) = outcome {
                    assert_eq!(outcome.unwrap(), ["a", "a", "a", "b", "b"]);
                    break;
                }
            }
        }
    }
}
