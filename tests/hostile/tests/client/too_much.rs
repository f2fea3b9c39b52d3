//! What a dropped result may still have: up to the budget it is read by the next call, above it the connection is
//! closed.

use libtest_mimic::Trial;
use porpoise_driver::{Client, Error, Operation};
use porpoise_hostile_tests::connects;
use porpoise_hostile_tests::packets::{column, ok_more, row};
use porpoise_hostile_tests::{Act, watch};

use porpoise_hostile_tests::answers::{answered, cells, connect};

pub(crate) fn trials() -> impl Iterator<Item = Trial> {
    let trial = |name, test: fn()| {
        Trial::test(name, move || {
            test();
            Ok(())
        })
    };
    [
        trial("a dropped result within the budget", within),
        trial("a dropped result above the budget", above),
        trial("a dropped result without end", endless_rows),
        trial("dropped results without end", endless_results),
    ]
    .into_iter()
}

/// Takes the first rows only.
async fn begin(client: &mut Client, sql: &str) {
    let mut results = client.query(sql).await.expect("a usable client");
    let batch = results.next_batch().await.expect("rows");
    assert!(batch.is_some_and(|batch| batch.len() > 0));
}

fn within() {
    // 15 rows of 64 KiB
    let (mut client, _peer) = answered(None);
    watch::run(begin(&mut client, "long first 15"));
    assert_eq!(watch::run(cells(&mut client, "rows second 1")).expect("rows"), ["second"]);
}

fn above() {
    let (mut client, peer) = answered(None);
    watch::run(begin(&mut client, "long first 40"));
    refuses(&mut client);
    assert!(peer.heard().given < 3 << 20, "{} bytes were read", peer.heard().given);
    assert!(!peer.is_linked(), "the connection is not closed");
}

fn endless_rows() {
    let then = [Act::Hear, Act::Say(vec![1]), Act::Say(column("c")), Act::Endless(row("pearl"))];
    let (mut client, peer) = connect(&connects::fast(), &then, None);
    watch::run(begin(&mut client, "rows"));
    refuses(&mut client);
    assert!(!peer.is_linked(), "the connection is not closed");
}

fn endless_results() {
    let then = [Act::Hear, Act::Endless(ok_more())];
    let (mut client, peer) = connect(&connects::fast(), &then, None);
    drop(watch::run(client.query("calls")).expect("a usable client"));
    refuses(&mut client);
    assert!(!peer.is_linked(), "the connection is not closed");
}

/// Every call says what happened.
fn refuses(client: &mut Client) {
    let too_much = |error: &Error| matches!(error, Error::Unusable(Operation::TooMuchToDrain));
    let error = watch::run(cells(client, "rows second 1")).expect_err("too much to drain");
    assert!(too_much(&error) && error.is_fatal(), "{error:?}");
    assert!(error.to_string().contains("dropped result"), "{error}");
    assert!(!client.is_usable());
    for error in [watch::run(client.ping()), watch::run(client.query_drop("x"))] {
        assert!(error.as_ref().is_err_and(too_much), "{error:?}");
    }
}
