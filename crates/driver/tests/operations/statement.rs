use porpoise_driver::{Error, Usage};
use porpoise_hostile_tests::Act;
use porpoise_hostile_tests::watch::{self, Poller};

use crate::server::{answer, answered, connect, heard, options};

#[test]
fn a_statement_is_prepared_once_and_closed_with_the_next_command() {
    let small = options(|options| options.statement_cache(2));
    let (mut client, peer) = connect(&small, &[Act::Answer(answer)], None);
    watch::run(async {
        let kept = client.prepare("a").await.unwrap();
        for sql in ["bb", "a", "ccc", "bb"] {
            let statement = client.prepare(sql).await.unwrap();
            assert_eq!(statement.id() as usize, sql.len());
        }
        // Gone from the cache, but in the caller's hand.
        assert_eq!(kept.id(), 1);
        client.ping().await.unwrap();
        drop(kept);
        client.ping().await.unwrap();
    });
    let expected =
        ["prepare a", "prepare bb", "prepare ccc", "close 2", "prepare bb", "ping", "close 1", "ping"];
    assert_eq!(heard(&peer), expected);
}

#[test]
fn without_a_cache_each_is_closed() {
    let none = options(|options| options.statement_cache(0));
    let (mut client, peer) = connect(&none, &[Act::Answer(answer)], None);
    watch::run(async {
        client.prepare("a").await.unwrap();
        client.prepare("a").await.unwrap();
        client.ping().await.unwrap();
    });
    assert_eq!(heard(&peer), ["prepare a", "close 1", "prepare a", "close 1", "ping"]);
}

#[test]
fn a_reset_forgets_statements_without_closing_them() {
    let (mut client, peer) = answered(None);
    watch::run(async {
        let statement = client.prepare("a").await.unwrap();
        client.reset_connection().await.unwrap();
        let error = client.send_long_data(&statement, 0, &b""[..]).await.unwrap_err();
        assert!(matches!(error, Error::Usage(Usage::ForeignStatement)));
        drop(statement);
        client.prepare("a").await.unwrap();
        client.ping().await.unwrap();
    });
    assert_eq!(heard(&peer), ["prepare a", "reset", "prepare a", "ping"]);
}

#[test]
fn a_statement_of_another_session_is_refused() {
    let ((mut one, _peer), (mut two, peer)) = (answered(None), answered(None));
    watch::run(async {
        let statement = one.prepare("a").await.unwrap();
        two.prepare("b").await.unwrap();
        let error = two.send_long_data(&statement, 0, &b""[..]).await.unwrap_err();
        assert!(matches!(error, Error::Usage(Usage::ForeignStatement)));
    });
    assert_eq!(heard(&peer), ["prepare b"]);
}

/// What a dropped call prepared is closed, unless it came into the cache.
#[test]
fn a_prepare_is_dropped_at_every_poll() {
    let poller = Poller::default();
    for seed in 0..20 {
        for polls in 0.. {
            let (mut client, peer) = answered(Some(seed));
            let mut prepare = Box::pin(client.prepare("a ?"));
            let done = poller.poll_times(prepare.as_mut(), polls).is_some();
            drop(prepare);
            watch::run(client.ping()).unwrap();
            let heard = heard(&peer);
            let heard: Vec<_> = heard.iter().map(String::as_str).collect();
            match heard.as_slice() {
                ["ping"] => assert!(!done),
                ["prepare a ?", "close 3", "ping"] => assert!(!done),
                ["prepare a ?", "ping"] => assert!(done),
                other => panic!("seed {seed}, {polls} polls: {other:?}"),
            }
            if done {
                break;
            }
        }
    }
}

#[test]
fn long_data_goes_in_chunks_and_is_forgotten_when_half_of_it_is_there() {
    let poller = Poller::default();
    let value = vec![7; 150_000];
    for seed in 0..6 {
        for polls in 0.. {
            let (mut client, peer) = answered(Some(seed));
            let statement = watch::run(client.prepare("a ?")).unwrap();
            let mut send = Box::pin(client.send_long_data(&statement, 0, value.as_slice()));
            let done = poller.poll_times(send.as_mut(), polls).is_some();
            drop(send);
            watch::run(client.ping()).unwrap();
            let heard = heard(&peer);
            let whole = ["long 3 0 0", "long 3 0 65536", "long 3 0 65536", "long 3 0 18928", "ping"];
            let after = &heard[1..];
            if done {
                assert_eq!(after, whole);
                break;
            }
            let sent = after.iter().take_while(|packet| packet.starts_with("long")).count();
            assert_eq!(after[..sent], whole[..sent]);
            let left = if sent == 0 { &["ping"][..] } else { &["reset 3", "ping"] };
            assert_eq!(&after[sent..], left, "seed {seed}, {polls} polls");
        }
    }
}
