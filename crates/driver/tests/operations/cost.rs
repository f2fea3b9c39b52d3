//! What the smallest operations allocate.

use porpoise_hostile_tests::watch;

use crate::server::{answered, connect, options};

#[test]
fn a_ping_allocates_nothing_and_a_small_query_once() {
    let (mut client, _peer) = answered(None);
    let mut round = || {
        let ((), ping) = watch::measure(|| watch::run(client.ping()).unwrap());
        let (rows, query) = watch::measure(|| {
            watch::run(async {
                let mut results = client.query("rows a 1").await.unwrap();
                let mut rows = 0;
                while let Some(batch) = results.next_batch().await.unwrap() {
                    rows += batch.len();
                }
                rows
            })
        });
        assert_eq!(rows, 1);
        (ping.count_total, query.count_total)
    };
    // What runs a future makes a waker of its own, which is one allocation.
    let ran = watch::measure(|| watch::run(std::future::ready(()))).1.count_total;
    for _ in 0..20 {
        round();
    }
    for _ in 0..10 {
        let (ping, query) = round();
        assert_eq!(ping - ran, 0);
        assert!(query - ran <= 1, "{}", query - ran);
    }
}

/// An execution has no more than what its rows take.
#[test]
fn an_execution_allocates_no_more_than_a_query() {
    let (mut client, _peer) =
        connect(&options(|o| o), &[porpoise_hostile_tests::Act::Answer(crate::server::answer)], None);
    let statement = watch::run(client.prepare("a ?")).unwrap();
    let ran = watch::measure(|| watch::run(std::future::ready(()))).1.count_total;
    let mut round = || {
        let ((), exec) = watch::measure(|| watch::run(client.exec_drop(&statement, (7,))).unwrap());
        exec.count_total - ran
    };
    for _ in 0..20 {
        round();
    }
    assert_eq!((0..10).map(|_| round()).max(), Some(0));
}
