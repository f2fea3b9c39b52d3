//! Over real sockets and runtimes: every open file is accounted for, and no poll and no drop takes long.

use std::sync::Arc;
use std::time::{Duration, Instant};

use libtest_mimic::Trial;
use porpoise_driver::blocking::{BLOCKING, block_on};
use porpoise_driver::{Client, Connecting, Error, Options, Runtime};
use porpoise_hostile_tests::connects::{self, Connect};
use porpoise_hostile_tests::{Moody, Sockets, watch};
use porpoise_rt_async_std::ASYNC_STD;
use porpoise_rt_tokio::TOKIO;

/// How long the server lets its client wait.
const PAUSE: Duration = Duration::from_millis(2);
/// Nothing that does not wait takes as long, on however busy a machine.
const LONG: Duration = Duration::from_secs(2);

// A server can be so fast that nothing ever waits.
static MOODY_BLOCKING: Moody = Moody::new(BLOCKING);
static MOODY_TOKIO: Moody = Moody::new(TOKIO);
static MOODY_ASYNC_STD: Moody = Moody::new(ASYNC_STD);

type Run = fn(usize, Arc<Options>) -> Option<Result<Client, Error>>;

pub(crate) fn trials() -> impl Iterator<Item = Trial> {
    let runtimes: [(&str, Run); 3] =
        [("blocking", on_blocking), ("tokio", on_tokio), ("async-std", on_async_std)];
    let connects = || [connects::fast(), connects::in_tls()];
    runtimes.into_iter().flat_map(move |(runtime, run)| {
        connects().into_iter().flat_map(move |connect| {
            [Way::Address, Way::Name, Way::Unix].map(|way| {
                let connect = connect.clone();
                let name = format!("dropped at every poll: {}, {runtime}, {way:?}", connect.name);
                Trial::test(name, move || dropped_at_every_poll(&connect, way, run))
            })
        })
    })
}

/// How the server is found.
#[derive(Clone, Copy, Debug)]
enum Way {
    Address,
    Name,
    Unix,
}

fn dropped_at_every_poll(connect: &Connect, way: Way, run: Run) -> Result<(), libtest_mimic::Failed> {
    let server = Sockets::serve(&connect.script, PAUSE)?;
    let options = connect.options_with(|options| {
        let options = options.port(server.address().port());
        match way {
            Way::Address => options.host("127.0.0.1"),
            Way::Name => options.host("localhost"),
            Way::Unix => options.unix_socket(server.path()),
        }
    });
    // What a runtime opens once and keeps is opened here.
    let client = run(usize::MAX, Arc::clone(&options));
    assert!(matches!(client, Some(Ok(_))), "{client:?}");
    drop(client);
    let open = settled()?;
    let mut polls = 0;
    loop {
        let outcome = run(polls, Arc::clone(&options));
        let done = outcome.is_some();
        drop(outcome);
        let deadline = Instant::now() + LONG;
        // The server, whose files are counted, too, needs some time to see that its client is gone; and a name
        // that is being looked up is looked up to the end.
        while watch::open_files()? != open {
            assert!(Instant::now() < deadline, "{} files are open, {open} were", watch::open_files()?);
            std::thread::sleep(PAUSE);
        }
        if done {
            break;
        }
        polls += 1;
    }
    assert!(polls > 2, "it had to wait {polls} times only");
    Ok(())
}

/// The number of open files, when it does not change any more.
fn settled() -> std::io::Result<usize> {
    loop {
        let open = watch::open_files()?;
        std::thread::sleep(20 * PAUSE);
        if open == watch::open_files()? {
            return Ok(open);
        }
    }
}

/// Connects, and gives up after so many polls. Neither a poll nor the drop may take long.
async fn give_up(
    polls: usize,
    runtime: &'static dyn Runtime,
    options: Arc<Options>,
) -> Option<Result<Client, Error>> {
    let mut connecting = Connecting::new(runtime, options);
    let outcome = watch::give_up_after(polls, watch::Timed::new(&mut connecting, LONG)).await;
    let start = Instant::now();
    drop(connecting);
    assert!(start.elapsed() < LONG, "the drop took {:?}", start.elapsed());
    outcome
}

fn on_blocking(polls: usize, options: Arc<Options>) -> Option<Result<Client, Error>> {
    block_on(give_up(polls, &MOODY_BLOCKING, options))
}

fn on_tokio(polls: usize, options: Arc<Options>) -> Option<Result<Client, Error>> {
    // A runtime of its own would close what a connect leaves open.
    thread_local! {
        static RUNTIME: tokio::runtime::Runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    }
    RUNTIME.with(|runtime| runtime.block_on(give_up(polls, &MOODY_TOKIO, options)))
}

fn on_async_std(polls: usize, options: Arc<Options>) -> Option<Result<Client, Error>> {
    async_std::task::block_on(give_up(polls, &MOODY_ASYNC_STD, options))
}
