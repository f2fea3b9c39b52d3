//! A thousand connects at a time on one thread, and what each of them holds.

use std::cell::Cell;
use std::future::Future;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::join_all;
use libtest_mimic::{Arguments, Trial};
use porpoise_driver::blocking::{BLOCKING, block_on};
use porpoise_driver::{Client, Connecting, Error, Runtime};
use porpoise_hostile_tests::connects::{self, Connect};
use porpoise_hostile_tests::watch::{self, Poller};
use porpoise_hostile_tests::{Act, Peer, Sockets};
use porpoise_rt_tokio::TOKIO;

const MANY: usize = 1000;

fn main() {
    let mut arguments = Arguments::from_args();
    // Open files are the whole process's.
    arguments.test_threads = Some(1);
    let trials = vec![
        Trial::test("1,000 connects in memory, blocking", || in_memory(block_on)),
        Trial::test("1,000 connects in memory, tokio", || in_memory(on_tokio)),
        Trial::test("1,000 connects over TCP, blocking", || over_sockets(BLOCKING, block_on)),
        Trial::test("1,000 connects over TCP, tokio", || over_sockets(TOKIO, on_tokio)),
        Trial::test("what a connect holds", what_a_connect_holds),
    ];
    libtest_mimic::run(&arguments, trials).exit();
}

type Outcome = Result<(), libtest_mimic::Failed>;
type All = Pin<Box<dyn Future<Output = Vec<Result<Client, Error>>>>>;

fn on_tokio(all: All) -> Vec<Result<Client, Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(all)
}

/// Servers that greet nobody before all clients wait: so all are in flight at a time.
fn in_memory(run: fn(All) -> Vec<Result<Client, Error>>) -> Outcome {
    for connect in [connects::fast(), connects::in_tls()] {
        let waiting = Rc::new(Cell::new(0));
        let peers: Vec<Peer> = (0..MANY).map(|seed| Peer::new(&[]).with_moods(seed as u64)).collect();
        let connecting: Vec<_> = peers
            .iter()
            .map(|peer| Connecting::over(peer.link(), BLOCKING, Arc::clone(&connect.options)))
            .map(|connecting| Waiting { connecting, waiting: Some(Rc::clone(&waiting)) })
            .collect();
        let script = connect.script.clone();
        let greeter = async move {
            // The last to wait is the one that has the servers greet.
            std::future::poll_fn(|cx| {
                if waiting.get() == MANY {
                    return Poll::Ready(());
                }
                cx.waker().wake_by_ref();
                Poll::Pending
            })
            .await;
            peers.iter().for_each(|peer| peer.then(&script));
            peers
        };
        let all = Box::pin(async { futures::join!(join_all(connecting), greeter).0 });
        let clients = run(all);
        assert_eq!(clients.iter().filter(|client| client.is_ok()).count(), MANY, "{}", connect.name);
    }
    Ok(())
}

/// A connect that says when it waits for the first time.
struct Waiting {
    connecting: Connecting,
    waiting: Option<Rc<Cell<usize>>>,
}

impl Future for Waiting {
    type Output = Result<Client, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let polled = Pin::new(&mut self.connecting).poll(cx);
        if let Some(waiting) = self.waiting.take() {
            assert!(polled.is_pending(), "{polled:?}");
            waiting.set(waiting.get() + 1);
        }
        polled
    }
}

/// Against servers behind real sockets, each of which takes its time.
fn over_sockets(runtime: &'static dyn Runtime, run: fn(All) -> Vec<Result<Client, Error>>) -> Outcome {
    let connect = connects::fast();
    let server = Sockets::serve(&connect.script, Duration::from_millis(20))?;
    let options = connect.options_with(|options| options.host("127.0.0.1").port(server.address().port()));
    let connecting: Vec<_> = (0..MANY).map(|_| Connecting::new(runtime, Arc::clone(&options))).collect();
    let clients = run(Box::pin(join_all(connecting)));
    let failed: Vec<_> = clients.iter().filter_map(|client| client.as_ref().err()).collect();
    assert!(failed.is_empty(), "{} failed: {:?}", failed.len(), failed.first());
    Ok(())
}

/// The state of a connect in flight: the value and what it holds on the heap, its link and buffers included.
fn what_a_connect_holds() -> Outcome {
    let value = i64::try_from(size_of::<Connecting>())?;
    println!("\n    a connect in flight is a value of {value} bytes; with what it holds on the heap,");
    for (connect, limit) in [(connects::fast(), 4 << 10), (connects::in_tls(), 28 << 10)] {
        for (packet, acts) in places(&connect) {
            let poller = Poller::default();
            let peers: Vec<Peer> = (0..MANY).map(|_| Peer::new(acts)).collect();
            let mut connecting: Vec<Connecting> = Vec::with_capacity(MANY);
            let ((), info) = watch::measure(|| {
                for peer in &peers {
                    let one = Connecting::over(peer.link(), BLOCKING, Arc::clone(&connect.options));
                    connecting.push(one);
                }
                for one in &mut connecting {
                    assert!(pin!(one).poll(&mut Context::from_waker(poller.waker())).is_pending());
                }
            });
            let many = i64::try_from(MANY)?;
            let (bytes, pieces) = (value + info.bytes_current / many, info.count_current / many);
            println!("    {bytes} bytes ({}, waits for packet {packet}; {pieces} pieces)", connect.name);
            assert!(bytes < limit, "{}: {bytes} bytes", connect.name);
        }
    }
    Ok(())
}

/// Where a connect waits for the server: for which packet, and what the server does before it falls silent.
fn places(connect: &Connect) -> Vec<(usize, &[Act])> {
    let says = connect.script.iter().enumerate().filter(|(_, act)| matches!(act, Act::Say(_)));
    let place = |(before, _)| connect.script.get(..before).unwrap_or_default();
    says.map(place).enumerate().map(|(packet, acts)| (packet + 1, acts)).collect()
}
