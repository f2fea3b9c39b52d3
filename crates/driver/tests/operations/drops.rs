//! Calls that are dropped at every poll: the next one has its own reply.

use std::pin::Pin;
use std::task::{Context, Waker};
use std::time::Duration;

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
    prepare: |client| Box::pin(async { client.prepare("a ?").await.map(drop) });
    wait_for_gtid: |client| Box::pin(async {
        client.wait_for_gtid("u:1", Duration::from_secs(1)).await.map(drop)
    });
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
