//! Calls that are dropped at every poll: the next one has its own reply.

use std::pin::Pin;
use std::task::{Context, Waker};
use std::time::Duration;

use futures::TryStreamExt;
use porpoise_driver::{Client, Error, Operation};
use porpoise_hostile_tests::Act;
use porpoise_hostile_tests::watch::{self, Poller};

use crate::server::{answer, answered, cells, connect, heard, options};

type Call = for<'a> fn(&'a mut Client) -> Pin<Box<dyn Future<Output = Result<(), Error>> + 'a>>;

fn dropped_at_every_poll(call: Call) {
    let poller = Poller::default();
    for seed in 0..20 {
        for polls in 0.. {
            let (mut client, peer) = answered(Some(seed));
            let done = poller.poll_times(call(&mut client).as_mut(), polls);
            let at = format!("seed {seed}, {polls} polls");
            for name in ["next", "last"] {
                let found = watch::run(cells(&mut client, &format!("rows {name} 3")));
                assert_eq!(found.unwrap_or_else(|e| panic!("{at}: {e}")), [name; 3], "{at}");
            }
            let heard = heard(&peer);
            assert!(polls > 0 || heard.len() == 2, "what is never polled does nothing");
            if let Some(done) = done {
                done.unwrap();
                break;
            }
        }
    }
}

macro_rules! dropped {
    ($($name:ident: $call:expr;)+) => {$(
        #[test]
        fn $name() {
            dropped_at_every_poll($call);
        }
    )+};
}

dropped! {
    query: |client| Box::pin(async { client.query("rows a 5").await?.finish().await });
    query_drop: |client| Box::pin(client.query_drop("rows a 5"));
    ping: |client| Box::pin(client.ping());
    init_db: |client| Box::pin(client.init_db("reef"));
    kill: |client| Box::pin(client.kill(7));
    reset_connection: |client| Box::pin(client.reset_connection());
    reset: |client| Box::pin(client.reset());
    query_all: |client| Box::pin(async { client.query_all::<String>("rows a 5").await.map(drop) });
    query_first: |client| Box::pin(async { client.query_first::<String>("rows a 5").await.map(drop) });
    query_with: |client| Box::pin(async {
        client.query_with("rows a 5", &[("trace", 7)]).await?.finish().await
    });
    query_big: |client| Box::pin(async {
        let mut rows = client.query_big("rows a 5", 0).await?;
        while rows.next().await?.is_some() {}
        Ok(())
    });
    stream: |client| Box::pin(async {
        let rows: Vec<String> = client.query("rows a 5").await?.into_rows().try_collect().await?;
        assert_eq!(rows, ["a"; 5]);
        Ok(())
    });
    exec: |client| Box::pin(client.exec_drop("a ? ?", (1, "x")));
    exec_batch: |client| Box::pin(async {
        let done = client.exec_batch("a ?", (0..50).map(|n| (n,))).await?;
        assert_eq!(done.executions, 50);
        Ok(())
    });
    exec_cursor: |client| Box::pin(async {
        let mut cursor = client.exec_cursor("cursor", (), 2).await?;
        let mut rows = 0;
        while let Some(batch) = cursor.next_batch().await? {
            rows += batch.len();
        }
        assert_eq!(rows, 4);
        Ok(())
    });
    prepare: |client| Box::pin(async { client.prepare("a ?").await.map(drop) });
    wait_for_gtid: |client| Box::pin(async {
        client.wait_for_gtid("u:1", Duration::from_secs(1)).await.map(drop)
    });
}

/// A cursor that is open is closed before anything else.
#[test]
fn a_cursor_in_the_middle() {
    let poller = Poller::default();
    for seed in 0..20 {
        for polls in 0.. {
            let (mut client, peer) = answered(Some(seed));
            let mut call = Box::pin(async {
                let mut cursor = client.exec_cursor("cursor", (), 2).await.unwrap();
                while cursor.next_batch().await.unwrap().is_some() {}
            });
            let done = poller.poll_times(call.as_mut(), polls).is_some();
            drop(call);
            watch::run(client.ping()).unwrap();
            let heard = heard(&peer);
            let commands: Vec<_> = heard.iter().map(String::as_str).collect();
            let execute = commands.contains(&"execute 6");
            // Its last rows may have come.
            let reset = commands.ends_with(&["reset 6", "ping"]);
            let ended = commands.iter().filter(|command| **command == "fetch 6").count() == 2;
            assert!(reset == (execute && !done) || (ended && !reset), "seed {seed}, {polls}: {commands:?}");
            if done {
                break;
            }
        }
    }
}

/// A clock for what is never done.
#[test]
fn a_reply_that_does_not_come_is_not_waited_for() {
    let short = options(|options| options.drain_budget(1 << 20, Duration::from_millis(30)));
    let (mut client, peer) = connect(&short, &[Act::Hear], None);
    let mut slow = Box::pin(client.query_drop("slow"));
    assert!(slow.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    drop(slow);
    let start = std::time::Instant::now();
    let error = porpoise_driver::blocking::block_on(client.ping()).unwrap_err();
    assert!(matches!(error, Error::Unusable(Operation::TooSlowToDrain)), "{error:?}");
    assert!(start.elapsed() >= Duration::from_millis(30));
    assert!(!peer.is_linked());
}

#[test]
fn the_budget_of_bytes_is_what_the_options_say() {
    for (budget, fits) in [(400, false), (4_000, true)] {
        let options = options(|options| options.drain_budget(budget, Duration::ZERO));
        let (mut client, _peer) = connect(&options, &[Act::Answer(answer)], Some(1));
        let poller = Poller::default();
        poller.poll_times(Box::pin(client.query_drop("rows abcdefgh 100")).as_mut(), 6);
        let next = watch::run(client.ping());
        assert_eq!(next.is_ok(), fits, "{next:?}");
    }
}

/// Only what was sent since the session was new can have left something.
#[test]
fn a_reset_is_needed_after_statements() {
    let (mut client, _peer) = answered(None);
    watch::run(async {
        client.ping().await.unwrap();
        assert!(!client.needs_reset());
        client.query_drop("SET @a = 1").await.unwrap();
        assert!(client.needs_reset());
        client.reset().await.unwrap();
        assert!(!client.needs_reset());
        drop(client.query("rows a 3").await.unwrap());
        assert!(client.needs_reset());
    });
}
