use porpoise_driver::{Error, Isolation, Operation, TxOptions, Usage};
use porpoise_hostile_tests::Act;
use porpoise_hostile_tests::packets::{err, ok};
use porpoise_hostile_tests::watch::{self, Poller};

use crate::server::{answered, connect, heard, options};

#[test]
fn commit_and_rollback_are_sent_at_once() {
    let (mut client, peer) = answered(None);
    watch::run(async {
        let options = TxOptions::new().consistent_snapshot(true).read_only(true);
        let mut tx = client.begin(options).await.unwrap();
        tx.query_drop("one").await.unwrap();
        tx.commit().await.unwrap();
        let tx = client.begin(TxOptions::new()).await.unwrap();
        tx.rollback().await.unwrap();
        client.ping().await.unwrap();
    });
    let expected = [
        "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
        "one",
        "COMMIT",
        "START TRANSACTION",
        "ROLLBACK",
        "ping",
    ];
    assert_eq!(heard(&peer), expected);
}

#[test]
fn a_dropped_transaction_is_rolled_back_before_the_next_operation() {
    let (mut client, peer) = answered(None);
    watch::run(async {
        let mut tx = client.begin(TxOptions::new()).await.unwrap();
        drop(tx.query("rows left 3").await.unwrap());
        drop(tx);
        assert!(client.needs_reset());
        client.ping().await.unwrap();
    });
    assert_eq!(heard(&peer), ["START TRANSACTION", "rows left 3", "ROLLBACK", "ping"]);
}

#[test]
fn there_is_none_inside_of_another() {
    let (mut client, peer) = answered(None);
    watch::run(async {
        let mut tx = client.begin(TxOptions::new()).await.unwrap();
        let error = tx.begin(TxOptions::new()).await.unwrap_err();
        assert!(matches!(error, Error::Usage(Usage::InTransaction)) && !error.is_fatal());
        tx.commit().await.unwrap();
    });
    assert_eq!(heard(&peer), ["START TRANSACTION", "COMMIT"]);
}

#[test]
fn a_commit_that_fails_is_followed_by_a_rollback() {
    let acts = [Act::Hear, Act::Say(ok()), Act::Hear, Act::Say(err(1180, "no"))];
    let then = [acts.as_slice(), &[Act::Answer(crate::server::answer)]].concat();
    let (mut client, peer) = connect(&options(|options| options), &then, None);
    watch::run(async {
        let tx = client.begin(TxOptions::new()).await.unwrap();
        assert!(matches!(tx.commit().await, Err(Error::Server(_))));
        client.ping().await.unwrap();
    });
    assert_eq!(heard(&peer), ["START TRANSACTION", "COMMIT", "ROLLBACK", "ping"]);
}

#[test]
fn a_rollback_that_fails_closes_the_connection() {
    let acts = [Act::Hear, Act::Say(ok()), Act::Hear, Act::Say(err(1180, "no"))];
    let (mut client, peer) = connect(&options(|options| options), &acts, None);
    watch::run(async {
        drop(client.begin(TxOptions::new()).await.unwrap());
        let error = client.ping().await.unwrap_err();
        assert!(matches!(error, Error::Unusable(Operation::RollbackFailed)), "{error:?}");
    });
    assert!(!peer.is_linked());
}

/// Whatever was begun is rolled back, and an isolation level is never left for somebody else's transaction.
#[test]
fn a_begin_is_dropped_at_every_poll() {
    let poller = Poller::default();
    for seed in 0..20 {
        for polls in 0.. {
            let (mut client, peer) = answered(Some(seed));
            let options = TxOptions::new().isolation(Isolation::Serializable);
            let mut begin = Box::pin(client.begin(options));
            let done = poller.poll_times(begin.as_mut(), polls).map(drop).is_some();
            drop(begin);
            watch::run(client.ping()).unwrap();
            let heard = heard(&peer);
            let set = "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE";
            match heard.as_slice() {
                [ping] => assert_eq!((ping.as_str(), done), ("ping", false)),
                [first, second, third, fourth] => {
                    let all = [first.as_str(), second, third, fourth];
                    assert_eq!(all, [set, "START TRANSACTION", "ROLLBACK", "ping"]);
                }
                other => panic!("seed {seed}, {polls} polls: {other:?}"),
            }
            if done {
                break;
            }
        }
    }
}

#[test]
fn a_commit_is_dropped_at_every_poll() {
    let poller = Poller::default();
    for seed in 0..20 {
        for polls in 0.. {
            let (mut client, peer) = answered(Some(seed));
            let tx = watch::run(client.begin(TxOptions::new())).unwrap();
            let mut commit = Box::pin(tx.commit());
            let done = poller.poll_times(commit.as_mut(), polls).is_some();
            drop(commit);
            watch::run(client.ping()).unwrap();
            let heard = heard(&peer);
            let ends: Vec<_> = heard.iter().skip(1).map(String::as_str).collect();
            match ends.as_slice() {
                ["COMMIT", "ping"] => assert!(done),
                ["COMMIT", "ROLLBACK", "ping"] | ["ROLLBACK", "ping"] => assert!(!done),
                other => panic!("seed {seed}, {polls} polls: {other:?}"),
            }
            if done {
                break;
            }
        }
    }
}
