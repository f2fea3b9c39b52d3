//! Connects to real servers, dropped at every poll, on every runtime and transport: no poll and no drop takes long,
//! and open files, memory and the server's list of sessions are then as they were. A connect of which only the polling
//! future is dropped goes on where it was.
//!
//! One test at a time, in a process of their own: open files are the whole process's. As the other tests on real
//! servers they belong to cells (`PORPOISE_CELL_*`), and are listed as not run with `PORPOISE_NO_SERVER=1`.

#[path = "e2e/commands.rs"]
mod commands;

use std::env;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use libtest_mimic::{Arguments, Trial};
use porpoise::async_std::ASYNC_STD;
use porpoise::blocking::{BLOCKING, BlockingClient, block_on};
use porpoise::classic::CapabilityFlags;
use porpoise::driver::Runtime;
use porpoise::driver::x;
use porpoise::tokio::TOKIO;
use porpoise::trace::Record;
use porpoise::transport::SslMode;
use porpoise::{Client, Connecting, Error, Options};
use porpoise_hostile_tests::Moody;
use porpoise_hostile_tests::watch::{self, Timed, give_up_after};
use porpoise_test_support::{Server, Servers, lock, unwanted};

/// Nothing that does not wait takes as long, on however busy a machine.
const LONG: Duration = Duration::from_secs(5);
const ROUNDS: usize = 2;
const PASSWORD: &str = "pw-drop";
/// The one that speaks X Protocol.
const MYSQL: &str = "mysql-9.7";

fn main() -> std::process::ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads = Some(1);
    let mut trials = Vec::new();
    for server in [MYSQL, "mariadb-10.11", "mariadb-11.8"] {
        for runner in RUNNERS {
            for transport in [Transport::Tcp, Transport::Tls, Transport::Unix] {
                let cell = Cell { server, runner, transport };
                trials.extend(trial("dropped", cell, arguments.list, Cell::dropped_at_every_poll));
                if server == MYSQL {
                    trials.extend(trial("x-dropped", cell, arguments.list, Cell::x_dropped));
                }
                trials.extend(trial("resumed", cell, arguments.list, Cell::resumed_after_every_poll));
                trials.extend(trial("commands", cell, arguments.list, Cell::commands_dropped));
            }
        }
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// What is tested, with an account of its own.
type Test = fn(Cell, &Server, &Account<'_>) -> Result<()>;

/// A test, if it is wanted.
fn trial(what: &str, cell: Cell, list: bool, test: Test) -> Option<Trial> {
    let axes = [
        ("PORPOISE_CELL_RUNTIME", cell.runner.runtime.name()),
        ("PORPOISE_CELL_TRANSPORT", cell.transport.name()),
        ("PORPOISE_CELL_SERVER", cell.server),
    ];
    if !axes.iter().all(|(variable, value)| env::var(variable).map_or(true, |wanted| wanted == *value)) {
        return None;
    }
    let name = format!("{what}::{}::{}::{}", cell.server, cell.transport.name(), cell.runner.runtime.name());
    if unwanted() && !list {
        println!("not run: {name} (needs a server)");
    }
    let trial = Trial::test(name, move || cell.run(test).map_err(|error| format!("{error:#}").into()));
    Some(trial.with_ignored_flag(unwanted()))
}

// A server can be so fast that nothing ever waits.
static ON_BLOCKING: Moody = Moody::new(BLOCKING);
static ON_TOKIO: Moody = Moody::new(TOKIO);
static ON_ASYNC_STD: Moody = Moody::new(ASYNC_STD);

/// Who moves the bytes.
#[derive(Clone, Copy)]
struct Runner {
    runtime: &'static dyn Runtime,
    /// Connects, and gives up after so many polls.
    connect: fn(usize, Arc<Options>) -> Option<Result<Client, Error>>,
    /// The same for X Protocol.
    x: fn(usize, Arc<x::Options>) -> Option<Result<x::Session, x::Error>>,
    /// Polls a connect so many times.
    poll: fn(usize, &mut Connecting) -> Option<Result<Client, Error>>,
    ping: fn(&mut Client) -> Result<(), Error>,
    run: fn(Boxed<'_>) -> Result<()>,
}

/// A future without a name.
type Boxed<'a> = Pin<Box<dyn Future<Output = Result<()>> + 'a>>;

const RUNNERS: [Runner; 3] = [
    Runner {
        runtime: &ON_BLOCKING,
        connect: |polls, options| block_on(give_up(polls, Connecting::new(&ON_BLOCKING, options))),
        x: |polls, options| block_on(give_up(polls, x::Connecting::new(&ON_BLOCKING, options))),
        poll: |polls, connecting| block_on(give_up_after(polls, connecting)),
        ping: |client| block_on(client.ping()),
        run: |future| block_on(future),
    },
    Runner {
        runtime: &ON_TOKIO,
        connect: |polls, options| on_tokio(give_up(polls, Connecting::new(&ON_TOKIO, options))),
        x: |polls, options| on_tokio(give_up(polls, x::Connecting::new(&ON_TOKIO, options))),
        poll: |polls, connecting| on_tokio(give_up_after(polls, connecting)),
        ping: |client| on_tokio(client.ping()),
        run: |future| on_tokio(future),
    },
    Runner {
        runtime: &ON_ASYNC_STD,
        connect: |polls, options| {
            async_std::task::block_on(give_up(polls, Connecting::new(&ON_ASYNC_STD, options)))
        },
        x: |polls, options| {
            async_std::task::block_on(give_up(polls, x::Connecting::new(&ON_ASYNC_STD, options)))
        },
        poll: |polls, connecting| async_std::task::block_on(give_up_after(polls, connecting)),
        ping: |client| async_std::task::block_on(client.ping()),
        run: |future| async_std::task::block_on(future),
    },
];

fn on_tokio<F: Future>(future: F) -> F::Output {
    // A runtime for each connect would close what a connect leaves open.
    thread_local! {
        static RUNTIME: std::io::Result<tokio::runtime::Runtime> =
            tokio::runtime::Builder::new_current_thread().enable_all().build();
    }
    RUNTIME.with(|runtime| match runtime {
        Ok(runtime) => runtime.block_on(future),
        Err(error) => panic!("no runtime: {error}"),
    })
}

async fn give_up<C: Future + Unpin>(polls: usize, mut connecting: C) -> Option<C::Output> {
    let outcome = give_up_after(polls, Timed::new(&mut connecting, LONG)).await;
    let start = Instant::now();
    drop(connecting);
    assert!(start.elapsed() < LONG, "the drop took {:?}", start.elapsed());
    outcome
}

/// What the bytes are moved over.
#[derive(Clone, Copy)]
enum Transport {
    Tcp,
    Tls,
    Unix,
}

impl Transport {
    const fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Tls => "tls",
            Self::Unix => "unix",
        }
    }
}

#[derive(Clone, Copy)]
struct Cell {
    server: &'static str,
    runner: Runner,
    transport: Transport,
}

impl Cell {
    fn run(self, test: Test) -> Result<()> {
        let servers = Servers::load()?;
        let server = servers.get(self.server)?;
        let account = Account::new(server)?;
        let result = test(self, server, &account);
        account.drop_it()?;
        result
    }

    fn dropped_at_every_poll(self, server: &Server, account: &Account) -> Result<()> {
        let options = self.options(server, &account.name)?;
        let connect = |polls| Ok((self.runner.connect)(polls, Arc::clone(&options)).transpose()?);
        Self::drop_all(server, account, &connect)
    }

    /// The same for X Protocol.
    fn x_dropped(self, server: &Server, account: &Account) -> Result<()> {
        // A clear channel needs the account in the server's memory.
        let _lock = lock()?;
        let options = |transport| self.x_options(server, &account.name, transport);
        (self.runner.x)(usize::MAX, options(Transport::Unix)?).context("it did not end")??;
        let options = options(self.transport)?;
        let connect = |polls| Ok((self.runner.x)(polls, Arc::clone(&options)).transpose()?);
        Self::drop_all(server, account, &connect)
    }

    fn drop_all<C>(
        server: &Server,
        account: &Account,
        connect: &dyn Fn(usize) -> Result<Option<C>>,
    ) -> Result<()> {
        // What is opened once and kept is opened here.
        drop(connect(usize::MAX)?.context("it did not end")?);
        let mut root = server.root()?;
        let open = watch::open_files()?;
        let mut drops = 0;
        let (result, info) = watch::measure(|| -> Result<()> {
            for _ in 0..ROUNDS {
                for polls in 0.. {
                    let client = connect(polls)?;
                    let done = client.is_some();
                    drop(client);
                    if done {
                        break;
                    }
                    drops += 1;
                    // The runtime's own threads may close what they have in hand a moment later.
                    eventually("open files", || Ok(watch::open_files()? == open))?;
                }
            }
            Ok(())
        });
        result?;
        // One before the first poll in each round; how many more is the server's speed. Every single poll has its turn
        // against the scripted peer.
        ensure!(drops >= ROUNDS, "nothing but {drops} drops");
        ensure!(info.bytes_current.abs() < 16 << 10, "{} bytes of memory are left", info.bytes_current);
        eventually("sessions", || Ok(account.sessions(&mut root)? == 0))?;
        Ok(root.close()?)
    }

    /// Of a connect only the polling future is dropped, again and again: it goes on where it was.
    fn resumed_after_every_poll(self, server: &Server, account: &Account) -> Result<()> {
        let options = self.options(server, &account.name)?;
        // The first login of an account takes another way than later ones.
        (self.runner.connect)(usize::MAX, Arc::clone(&options)).context("it did not end")??;
        let connecting = || {
            let record = Record::new();
            let connecting = Connecting::new(self.runner.runtime, Arc::clone(&options));
            (connecting.with_sink(Box::new(record.clone())), record)
        };
        let (mut undisturbed, expected) = connecting();
        (self.runner.poll)(usize::MAX, &mut undisturbed).context("it did not end")??;
        let mut drops = 0;
        for step in 1..4 {
            let (mut connecting, record) = connecting();
            let mut client = loop {
                if let Some(client) = (self.runner.poll)(step, &mut connecting) {
                    break client?;
                }
                drops += 1;
            };
            let (record, expected) = (record.to_jsonl(), expected.to_jsonl());
            ensure!(record == expected, "another trace:\n{record}\nexpected:\n{expected}");
            ensure!((self.runner.ping)(&mut client).is_ok(), "the client is of no use");
        }
        ensure!(drops > 0, "nothing was dropped");
        Ok(())
    }

    fn commands_dropped(self, server: &Server, account: &Account) -> Result<()> {
        let options = self.options(server, &account.name)?;
        let (runtime, mut root) = (self.runner.runtime, server.root()?);
        account.grant(&mut root)?;
        let result = (self.runner.run)(Box::pin(commands::dropped(runtime, options, &account.name)));
        account.revoke(&mut root)?;
        root.close()?;
        result
    }

    fn options(self, server: &Server, user: &str) -> Result<Arc<Options>> {
        let options = match self.transport {
            Transport::Tcp => server.tcp().ssl_mode(SslMode::Disabled),
            Transport::Tls => server.tcp().ssl_mode(SslMode::Required).tls(|tls| tls.resume = false),
            Transport::Unix => Options::builder().unix_socket(server.socket()?).ssl_mode(SslMode::Disabled),
        };
        let options = options.user(user).password(PASSWORD);
        let options = options
            .connect(|connect| connect.get_server_public_key(true).init_command("SELECT 'so far, so good'"));
        let multi = CapabilityFlags::CLIENT_MULTI_STATEMENTS;
        let options = options.connect(|connect| connect.with(multi));
        Ok(Arc::new(options.build()?))
    }
}

impl Cell {
    fn x_options(self, server: &Server, user: &str, transport: Transport) -> Result<Arc<x::Options>> {
        let tcp = || {
            Ok::<_, anyhow::Error>(x::Options::builder().host(&server.host).port(server.x_address()?.port()))
        };
        let options = match transport {
            Transport::Tcp => tcp()?.ssl_mode(SslMode::Disabled),
            Transport::Tls => tcp()?.ssl_mode(SslMode::Required).tls(|tls| tls.resume = false),
            Transport::Unix => {
                x::Options::builder().unix_socket(server.x_socket()?).ssl_mode(SslMode::Disabled)
            }
        };
        Ok(Arc::new(options.user(user).password(PASSWORD).build()))
    }
}

/// Something becomes so, and not too late.
fn eventually(what: &str, mut is_so: impl FnMut() -> Result<bool>) -> Result<()> {
    let deadline = Instant::now() + LONG;
    while !is_so()? {
        ensure!(Instant::now() < deadline, "{what} are left");
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

/// An account that only one test uses, so that its sessions can be told from all others.
struct Account<'a> {
    server: &'a Server,
    name: String,
}

impl<'a> Account<'a> {
    fn new(server: &'a Server) -> Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("drop_{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let _lock = lock()?;
        server.run(&format!("CREATE USER {name} IDENTIFIED BY '{PASSWORD}'"))?;
        Ok(Self { server, name })
    }

    /// How many sessions the server has of it.
    fn sessions(&self, root: &mut BlockingClient) -> Result<usize> {
        let sql = format!("SELECT COUNT(*) FROM information_schema.processlist WHERE user = '{}'", self.name);
        let mut results = root.query(&sql)?;
        let batch = results.next_batch()?.context("no row")?;
        let row = batch.iter().next().context("no row")?;
        let count = row.get(0)?.context("NULL")?;
        Ok(std::str::from_utf8(count)?.parse()?)
    }

    /// A database of its own, of its name.
    fn grant(&self, root: &mut BlockingClient) -> Result<()> {
        let _lock = lock()?;
        let Self { name, .. } = self;
        root.query_drop(&format!("CREATE DATABASE {name}"))?;
        root.query_drop(&format!("CREATE TABLE {name}.t (a INT PRIMARY KEY, b VARCHAR(300))"))?;
        Ok(root.query_drop(&format!("GRANT ALL ON {name}.* TO {name}"))?)
    }

    fn revoke(&self, root: &mut BlockingClient) -> Result<()> {
        let _lock = lock()?;
        Ok(root.query_drop(&format!("DROP DATABASE {}", self.name))?)
    }

    fn drop_it(self) -> Result<()> {
        let _lock = lock()?;
        self.server.run(&format!("DROP USER {}", self.name))
    }
}
