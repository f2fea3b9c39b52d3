//! Tests, the cells they belong to, and what they are given.

use std::env;
use std::fmt;
use std::future::Future;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use libtest_mimic::Trial;
use porpoise::OptionsBuilder;
use porpoise::blocking;
use porpoise::classic_connect::CompressionAlgorithm;
use porpoise::driver::Runtime;
use porpoise::transport::SslMode;
use porpoise_test_support::{Server, Servers, unwanted};

pub(crate) const MYSQL: &str = "mysql-9.7";
pub(crate) const MARIADB: [&str; 2] = ["mariadb-10.11", "mariadb-11.8"];

/// Who moves the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Runner {
    Tokio,
    AsyncStd,
    Blocking,
}

impl Runner {
    pub(crate) const ALL: [Self; 3] = [Self::Tokio, Self::AsyncStd, Self::Blocking];

    pub(crate) fn runtime(self) -> &'static dyn Runtime {
        match self {
            Self::Tokio => porpoise::tokio::TOKIO,
            Self::AsyncStd => porpoise::async_std::ASYNC_STD,
            Self::Blocking => blocking::BLOCKING,
        }
    }

    /// Runs a future to its end.
    pub(crate) fn run<F: Future>(self, future: F) -> Result<F::Output> {
        Ok(match self {
            Self::Tokio => {
                tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(future)
            }
            Self::AsyncStd => async_std::task::block_on(future),
            Self::Blocking => blocking::block_on(future),
        })
    }
}

impl fmt::Display for Runner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.runtime().name())
    }
}

/// What the bytes are moved over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    Tcp,
    Tls,
    Unix,
}

impl Transport {
    pub(crate) const ALL: [Self; 3] = [Self::Tcp, Self::Tls, Self::Unix];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Tls => "tls",
            Self::Unix => "unix",
        }
    }
}

/// Where a test belongs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cell {
    pub(crate) runner: Runner,
    pub(crate) transport: Transport,
    pub(crate) server: &'static str,
    pub(crate) compression: CompressionAlgorithm,
}

impl Cell {
    /// On each runtime.
    pub(crate) fn on_each_runtime(transport: Transport, server: &'static str) -> [Self; 3] {
        Runner::ALL.map(|runner| Self::new(runner, transport, server))
    }

    /// Without compression.
    pub(crate) const fn new(runner: Runner, transport: Transport, server: &'static str) -> Self {
        Self { runner, transport, server, compression: CompressionAlgorithm::Uncompressed }
    }

    /// The same, compressed.
    pub(crate) const fn compressed(self, compression: CompressionAlgorithm) -> Self {
        Self { compression, ..self }
    }

    /// Whether the variables that narrow the suite let it through.
    fn is_wanted(self) -> bool {
        let axes = [
            ("PORPOISE_CELL_RUNTIME", self.runner.runtime().name()),
            ("PORPOISE_CELL_TRANSPORT", self.transport.name()),
            ("PORPOISE_CELL_SERVER", self.server),
            ("PORPOISE_CELL_COMPRESSION", self.compression.name()),
        ];
        let unset_or =
            |(variable, value): &(&str, &str)| env::var(variable).map_or(true, |wanted| wanted == *value);
        axes.iter().all(unset_or)
    }
}

/// What a test is given.
pub(crate) struct Context {
    pub(crate) cell: Cell,
    servers: Arc<Servers>,
}

impl Context {
    /// The cell's server.
    pub(crate) fn server(&self) -> Result<&Server> {
        self.servers.get(self.cell.server)
    }

    /// The cell's runtime.
    pub(crate) fn runtime(&self) -> &'static dyn Runtime {
        self.cell.runner.runtime()
    }

    /// Runs a future on the cell's runtime.
    pub(crate) fn run<T>(&self, future: impl Future<Output = Result<T>>) -> Result<T> {
        self.cell.runner.run(future)?
    }

    /// Options that lead to the cell's server over the cell's transport, with its compression.
    pub(crate) fn options(&self) -> Result<OptionsBuilder> {
        let server = self.server()?;
        let options = match self.cell.transport {
            Transport::Tcp => server.tcp().ssl_mode(SslMode::Disabled),
            Transport::Tls => server.tcp().ssl_mode(SslMode::Required),
            Transport::Unix => {
                porpoise::Options::builder().unix_socket(server.socket()?).ssl_mode(SslMode::Disabled)
            }
        };
        Ok(options.compression_algorithms(&[self.cell.compression]))
    }
}

/// A test that is the same everywhere.
pub(crate) type Test = fn(&Context) -> Result<()>;

/// All tests.
pub(crate) struct Suite {
    trials: Vec<Trial>,
    servers: Option<Result<Arc<Servers>, String>>,
    list: bool,
}

impl Suite {
    /// No tests yet. `list`: they are only named.
    pub(crate) fn new(list: bool) -> Self {
        let load = || Servers::load().map(Arc::new).map_err(|error| format!("{error:#}"));
        Self { trials: Vec::new(), servers: (!unwanted() && !list).then(load), list }
    }

    pub(crate) fn into_trials(self) -> Vec<Trial> {
        self.trials
    }

    /// Adds a test, if its cell is wanted.
    pub(crate) fn add(
        &mut self,
        name: impl Into<String>,
        cell: Cell,
        test: impl FnOnce(&Context) -> Result<()> + Send + 'static,
    ) {
        if !cell.is_wanted() {
            return;
        }
        let name = name.into();
        let servers = self.servers.clone();
        if servers.is_none() {
            self.note(&format!("not run: {name} (needs a server)"));
        }
        let ignored = servers.is_none();
        let run = move || -> Result<()> {
            match servers {
                Some(Ok(servers)) => test(&Context { cell, servers }),
                Some(Err(error)) => bail!(error),
                None => bail!("needs a server"),
            }
        };
        let trial = Trial::test(name, || run().map_err(|error| format!("{error:#}").into()));
        self.trials.push(trial.with_ignored_flag(ignored));
    }

    /// Says something about the run, if there is one.
    pub(crate) fn note(&self, note: &str) {
        if !self.list {
            println!("{note}");
        }
    }

    /// Adds tests of one kind, each on each runtime.
    pub(crate) fn add_tests(
        &mut self,
        kind: &str,
        transport: Transport,
        server: &'static str,
        tests: &[(&str, Test)],
    ) {
        for (name, test) in tests {
            self.add_on_each_runtime(&format!("{kind}::{name}"), transport, server, *test);
        }
    }

    /// Adds a test on each runtime.
    pub(crate) fn add_on_each_runtime(
        &mut self,
        name: &str,
        transport: Transport,
        server: &'static str,
        test: impl Fn(&Context) -> Result<()> + Clone + Send + 'static,
    ) {
        for cell in Cell::on_each_runtime(transport, server) {
            self.add(format!("{name}::{}", cell.runner), cell, test.clone());
        }
    }
}

/// Something must be so.
pub(crate) fn expect<T: PartialEq + fmt::Debug>(what: &str, is: &T, should: &T) -> Result<()> {
    if is == should { Ok(()) } else { bail!("{what} is {is:?}, not {should:?}") }
}

/// The first cell of the first row of a query.
pub(crate) async fn first_cell(client: &mut porpoise::Client, sql: &str) -> Result<Option<String>> {
    let mut results = client.query(sql).await.with_context(|| sql.to_owned())?;
    let mut found = None;
    while let Some(batch) = results.next_batch().await? {
        for row in &batch {
            if found.is_none() {
                found = Some(row.get(0)?.map(|cell| String::from_utf8_lossy(cell).into_owned()));
            }
        }
    }
    results.finish().await?;
    found.with_context(|| format!("no row: {sql}"))
}
