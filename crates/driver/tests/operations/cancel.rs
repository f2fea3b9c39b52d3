use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use porpoise_driver::blocking::block_on;
use porpoise_driver::{Client, Error, Operation};
use porpoise_hostile_tests::packets::{err, ok};
use porpoise_hostile_tests::{Act, Peer, watch};

use crate::server::{answer, cells, connect, heard, options};

/// A client whose server hears one command and says nothing.
fn silent() -> (Client, Peer) {
    connect(&options(|options| options), &[Act::Hear], None)
}

fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

fn interrupted() -> Act {
    Act::Say(err(1317, "Query execution was interrupted"))
}

#[test]
fn the_running_operation_is_cancelled_and_a_late_kill_is_taken() {
    let (mut client, peer) = silent();
    let (killer, kills) = connect(&options(|options| options), &[Act::Answer(answer)], None);
    let handle = client.cancel_handle();
    assert!(!handle.is_running());
    {
        let mut query = Box::pin(client.query_drop("slow"));
        assert!(poll(query.as_mut()).is_pending());
        assert!(handle.is_running());
        assert!(watch::run(handle.cancel_with(killer)).unwrap());
        assert_eq!(heard(&kills)[..1], ["KILL QUERY 8"]);
        peer.then(&[interrupted(), Act::Answer(answer)]);
        let error = watch::run(query).unwrap_err();
        assert!(matches!(&error, Error::Server(err) if err.code() == 1317), "{error:?}");
    }
    assert!(!handle.is_running());
    assert_eq!(watch::run(cells(&mut client, "rows next 1")).unwrap(), ["next"]);
    watch::run(client.ping()).unwrap();
    assert_eq!(heard(&peer), ["slow", "DO SLEEP(0)", "rows next 1", "ping"]);
}

#[test]
fn a_handle_is_for_one_operation() {
    let (mut client, peer) = connect(&options(|options| options), &[Act::Answer(answer)], None);
    let cancel = |handle: &porpoise_driver::CancelHandle| {
        let (killer, kills) = connect(&options(|options| options), &[Act::Answer(answer)], None);
        let done = watch::run(handle.cancel_with(killer)).unwrap();
        (done, heard(&kills).iter().any(|command| command.starts_with("KILL")))
    };
    let first = client.cancel_handle();
    assert_eq!(cancel(&first), (false, false), "it has not begun");
    let second = watch::run(async {
        let mut results = client.query("rows a 9").await.unwrap();
        assert!(first.is_running());
        let same = results.cancel_handle();
        assert!(same.is_running());
        while results.next_batch().await.unwrap().is_some() {}
        assert!(!same.is_running() && !first.is_running(), "all of it was read");
        client.cancel_handle()
    });
    assert_eq!(cancel(&first), (false, false));
    watch::run(async {
        let results = client.query("rows b 9").await.unwrap();
        assert_eq!(cancel(&first), (false, false), "that is another one");
        assert_eq!(cancel(&second), (true, true));
        drop(results);
        client.ping().await.unwrap();
    });
    assert_eq!(heard(&peer), ["rows a 9", "rows b 9", "DO SLEEP(0)", "ping"]);
}

/// The reply comes while the KILL is on its way: nothing is begun before that is over.
#[test]
fn no_operation_begins_while_a_kill_is_on_its_way() {
    let (mut client, peer) = silent();
    let (killer, kills) = connect(&options(|options| options), &[Act::Hear], None);
    let handle = client.cancel_handle();
    let mut query = Box::pin(client.query_drop("slow"));
    assert!(poll(query.as_mut()).is_pending());
    let mut cancel = Box::pin(handle.cancel_with(killer));
    assert!(poll(cancel.as_mut()).is_pending());
    peer.then(&[Act::Say(ok()), Act::Answer(answer)]);
    watch::run(query).unwrap();

    let mut next = Box::pin(client.query_drop("innocent"));
    assert!(poll(next.as_mut()).is_pending());
    assert!(poll(next.as_mut()).is_pending());
    assert_eq!(heard(&peer), ["slow"]);
    kills.then(&[Act::Say(ok())]);
    assert!(matches!(poll(cancel.as_mut()), Poll::Ready(Ok(true))));
    watch::run(next).unwrap();
    assert_eq!(heard(&peer), ["slow", "DO SLEEP(0)", "innocent"]);
}

/// The client itself reads what a dropped cancel has left.
#[test]
fn a_cancel_that_is_dropped_is_waited_for() {
    let (mut client, peer) = silent();
    let (killer, kills) = connect(&options(|options| options), &[Act::Hear], None);
    let handle = client.cancel_handle();
    let mut query = Box::pin(client.query_drop("slow"));
    assert!(poll(query.as_mut()).is_pending());
    let mut cancel = Box::pin(handle.cancel_with(killer));
    assert!(poll(cancel.as_mut()).is_pending());
    drop(cancel);
    peer.then(&[interrupted(), Act::Answer(answer)]);
    watch::run(query).unwrap_err();

    let mut next = Box::pin(client.query_drop("innocent"));
    assert!(poll(next.as_mut()).is_pending());
    assert_eq!(heard(&peer), ["slow"]);
    kills.then(&[Act::Say(ok())]);
    watch::run(next).unwrap();
    assert_eq!(heard(&peer), ["slow", "DO SLEEP(0)", "innocent"]);
    assert!(!kills.is_linked());
}

/// Nobody knows whether the server still has it.
#[test]
fn a_kill_that_is_lost_closes_the_connection() {
    let (mut client, peer) = silent();
    let (killer, _kills) = connect(&options(|options| options), &[Act::Hear, Act::Close], None);
    let handle = client.cancel_handle();
    let mut query = Box::pin(client.query_drop("slow"));
    assert!(poll(query.as_mut()).is_pending());
    assert!(watch::run(handle.cancel_with(killer)).unwrap_err().is_fatal());
    peer.then(&[Act::Say(ok())]);
    watch::run(query).unwrap();
    let error = watch::run(client.ping()).unwrap_err();
    assert!(matches!(error, Error::Unusable(Operation::CancelLost)), "{error:?}");
    assert_eq!(heard(&peer), ["slow"]);
    assert!(!peer.is_linked());
}

/// A server that refuses it has done nothing.
#[test]
fn a_kill_that_is_refused_leaves_all_as_it_is() {
    let (mut client, peer) = silent();
    let refusal = [Act::Hear, Act::Say(err(1095, "You are not owner of thread 8"))];
    let (killer, _kills) = connect(&options(|options| options), &refusal, None);
    let handle = client.cancel_handle();
    let mut query = Box::pin(client.query_drop("slow"));
    assert!(poll(query.as_mut()).is_pending());
    assert!(matches!(watch::run(handle.cancel_with(killer)), Err(Error::Server(_))));
    peer.then(&[Act::Say(ok()), Act::Answer(answer)]);
    watch::run(query).unwrap();
    watch::run(client.ping()).unwrap();
    assert_eq!(heard(&peer).first().map(String::as_str), Some("slow"));
}

/// There is no second connection to be had, so the first is closed.
#[test]
fn an_operation_that_cannot_be_cancelled_in_time_closes_the_connection() {
    let limit = Duration::from_millis(30);
    // Nobody listens there.
    let options = options(|options| options.host("127.0.0.1").port(1).operation_timeout(limit));
    let (mut client, peer) = connect(&options, &[Act::Hear], None);
    let start = Instant::now();
    let error = block_on(client.query_drop("slow")).unwrap_err();
    assert!(matches!(error, Error::TimedOut { after, closed: true, .. } if after == limit), "{error:?}");
    assert!(error.is_fatal() && start.elapsed() >= limit);
    let error = watch::run(client.ping()).unwrap_err();
    assert!(matches!(error, Error::Unusable(Operation::TimedOut)), "{error:?}");
    assert!(!peer.is_linked());
}

/// A clock does nothing but run down.
#[test]
fn what_is_in_time_is_left_alone() {
    let options = options(|options| options.operation_timeout(Duration::from_secs(3600)));
    let (mut client, peer) = connect(&options, &[Act::Answer(answer)], Some(3));
    assert_eq!(watch::run(cells(&mut client, "rows a 3")).unwrap(), ["a"; 3]);
    client.set_timeout(None);
    watch::run(client.ping()).unwrap();
    assert_eq!(heard(&peer), ["rows a 3", "ping"]);
}
