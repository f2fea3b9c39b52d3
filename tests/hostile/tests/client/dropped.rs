//! Calls that are dropped at every poll: the next one has its own rows, and nobody else's.

use libtest_mimic::Trial;
use porpoise_driver::{Client, Error};
use porpoise_hostile_tests::watch::{self, Poller};

use porpoise_hostile_tests::answers::{answered, cells, read};

const SEEDS: u64 = 12;

/// A call that is dropped.
type Call = for<'a> fn(&'a mut Client) -> Boxed<'a>;
type Boxed<'a> = std::pin::Pin<Box<dyn Future<Output = Result<Vec<String>, Error>> + 'a>>;

pub(crate) fn trials() -> impl Iterator<Item = Trial> {
    let calls: [(&str, Call); 10] = [
        ("query with rows", |client| Box::pin(cells(client, "rows first 5"))),
        ("query with results", |client| Box::pin(cells(client, "results first 3"))),
        ("query that fails", |client| Box::pin(cells(client, "fail first 3"))),
        ("query that asks for a file", |client| Box::pin(cells(client, "file first"))),
        ("query without rows", |client| Box::pin(cells(client, "nothing first"))),
        ("results after their first batch", |client| Box::pin(first_batch(client, "results first 3"))),
        ("query_drop", |client| {
            Box::pin(async { client.query_drop("rows first 9").await.map(|()| Vec::new()) })
        }),
        ("ping", |client| Box::pin(async { client.ping().await.map(|()| Vec::new()) })),
        ("init_db", |client| Box::pin(async { client.init_db("first").await.map(|()| Vec::new()) })),
        ("reset_connection", |client| {
            Box::pin(async { client.reset_connection().await.map(|()| Vec::new()) })
        }),
    ];
    let at_every_poll = calls.into_iter().map(|(name, call)| {
        Trial::test(format!("dropped at every poll: {name}"), move || {
            (0..SEEDS).for_each(|seed| dropped_at_every_poll(call, seed));
            Ok(())
        })
    });
    let closed = Trial::test("dropped at every poll: close", || {
        (0..SEEDS).for_each(close_dropped);
        Ok(())
    });
    let many = Trial::test("memory after many dropped calls", || {
        memory_after_many();
        Ok(())
    });
    at_every_poll.chain([closed, many])
}

async fn first_batch(client: &mut Client, sql: &str) -> Result<Vec<String>, Error> {
    let mut results = client.query(sql).await?;
    // The rest is left to the next call, which comes without a drop of this future.
    results.next_batch().await?;
    Ok(Vec::new())
}

fn dropped_at_every_poll(call: Call, seed: u64) {
    let poller = Poller::default();
    for polls in 0.. {
        let (mut client, peer) = answered(Some(seed));
        let before = peer.heard().packets.len();
        let outcome = poller.poll_times(call(&mut client).as_mut(), polls);
        let at = format!("seed {seed}, dropped after {polls} polls");
        assert!(client.is_usable(), "{at}");
        let second = watch::run(cells(&mut client, "rows second 3"));
        assert_eq!(second.unwrap_or_else(|e| panic!("{at}: {e}")), ["second"; 3], "{at}");
        let third = watch::run(cells(&mut client, "results third 1"));
        assert_eq!(third.unwrap_or_else(|e| panic!("{at}: {e}")), ["third"; 2], "{at}");
        // The dropped call said nothing, or all of it; for a file an empty packet, too.
        let said = peer.heard().packets.len() - before;
        assert!((2..=4).contains(&said), "{at}: {said} packets");
        if polls == 0 {
            assert_eq!(said, 2, "what is never polled does nothing");
        }
        if let Some(outcome) = outcome {
            let expected = outcome.as_ref().is_ok_and(|cells| cells.iter().all(|cell| cell == "first"));
            let refused = matches!(outcome, Err(Error::Server(_) | Error::InfileRefused(_)));
            assert!(expected || refused, "{outcome:?}");
            return;
        }
    }
}

fn close_dropped(seed: u64) {
    let poller = Poller::default();
    for polls in 0.. {
        let (client, peer) = answered(Some(seed));
        let mut close = Box::pin(client.close());
        let done = poller.poll_times(close.as_mut(), polls).is_some();
        drop(close);
        assert!(!peer.is_linked(), "the link is held");
        if done {
            return;
        }
    }
}

/// Calls dropped here and there leave nothing behind that grows.
fn memory_after_many() {
    let poller = Poller::default();
    let (mut client, _peer) = answered(Some(1));
    let mut round = |polls: usize| {
        let mut call = Box::pin(cells(&mut client, "results first 4"));
        poller.poll_times(call.as_mut(), polls);
    };
    (0..100).for_each(&mut round);
    let ((), info) = watch::measure(|| (0..1000).for_each(|n| round(n % 100)));
    assert!(info.bytes_current.abs() < 64 << 10, "{} bytes more", info.bytes_current);
    let mut cells = Vec::new();
    watch::run(async {
        let mut results = client.query("rows last 1").await.expect("a usable client");
        read(&mut results, &mut cells).await.expect("rows");
    });
    assert_eq!(cells, ["last"]);
}
