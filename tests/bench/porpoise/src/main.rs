//! porpoise as a bench program: tokio's current-thread runtime, or `--runtime blocking` or `async-std`.

mod commands;
mod x;

use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use bench_harness::{Args, Idle, Meter, Workload, warm};
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use porpoise_classic::CapabilityFlags;
use porpoise_driver::blocking::{BLOCKING, block_on};
use porpoise_driver::{Client, Connecting, Error, Options, Runtime};
use porpoise_rt_async_std::ASYNC_STD;
use porpoise_rt_tokio::TOKIO;
use porpoise_transport::SslMode;

fn main() -> Result<()> {
    let args = Args::parse()?;
    match args.runtime.as_deref() {
        None | Some("tokio") => {
            let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            tokio.block_on(Bench { args, runtime: TOKIO, peer: "porpoise" }.run())
        }
        Some("blocking") => block_on(Bench { args, runtime: BLOCKING, peer: "porpoise-blocking" }.run()),
        Some("async-std") => {
            async_std::task::block_on(Bench { args, runtime: ASYNC_STD, peer: "porpoise-async-std" }.run())
        }
        Some(other) => bail!("there is no runtime {other}: tokio, blocking, async-std"),
    }
}

struct Bench {
    args: Args,
    runtime: &'static dyn Runtime,
    peer: &'static str,
}

/// What the connection is carried by.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Tcp,
    Tls { resume: bool },
    Unix,
}

impl Bench {
    async fn run(self) -> Result<()> {
        let Args { workload, n, .. } = self.args;
        if workload.is_x() {
            return x::run(&self.args, self.peer, self.runtime).await;
        }
        let way = match workload {
            Workload::ConnectTlsFull => Way::Tls { resume: false },
            Workload::ConnectTls | Workload::ConnectTlsResume => Way::Tls { resume: true },
            Workload::ConnectUnix => Way::Unix,
            _ => Way::Tcp,
        };
        let options = self.options(way)?;
        if warm() {
            self.connect(&self.options(Way::Tls { resume: false })?).await?.close().await?;
        }
        match workload {
            Workload::ConnectTlsResume => self.resume(&options).await,
            Workload::ConnectPlain
            | Workload::ConnectTls
            | Workload::ConnectTlsFull
            | Workload::ConnectUnix => {
                self.once(&options).await?;
                let meter = Meter::start()?;
                for _ in 0..n {
                    self.connect(&options).await?.close().await?;
                }
                meter.finish(self.peer, &self.args, n, 0)
            }
            Workload::ConnectConcurrent => self.concurrent(&options).await,
            Workload::IdleMemory | Workload::IdleParked => {
                let idle = Idle::start()?;
                let mut clients = Vec::new();
                for _ in 0..n {
                    let mut client = self.connect(&options).await?;
                    if workload == Workload::IdleParked {
                        client.park();
                    }
                    clients.push(client);
                }
                idle.finish(self.peer, &self.args)?;
                for client in clients {
                    client.close().await?;
                }
                Ok(())
            }
            _ => commands::run(&self.args, self.peer, self.connect(&options).await?).await,
        }
    }

    fn options(&self, way: Way) -> Result<Arc<Options>> {
        let args = &self.args;
        let builder = Options::builder().user(&args.user).password(args.pass.as_str()).database(&args.db);
        let builder = match way {
            Way::Unix => builder.unix_socket(args.socket()?),
            _ => builder.host(&args.host).port(args.port),
        };
        let builder = match way {
            Way::Tls { resume } => builder.ssl_mode(SslMode::Required).tls(|tls| tls.resume = resume),
            _ => builder.ssl_mode(SslMode::Disabled),
        };
        let builder = match args.workload {
            Workload::Multi => {
                builder.connect(|connect| connect.with(CapabilityFlags::CLIENT_MULTI_STATEMENTS))
            }
            _ => builder,
        };
        let builder = if args.lean { builder.connect(|connect| connect.clear_attributes()) } else { builder };
        Ok(Arc::new(builder.build()?))
    }

    fn connect(&self, options: &Arc<Options>) -> Connecting {
        Client::connect(self.runtime, Arc::clone(options))
    }

    async fn once(&self, options: &Arc<Options>) -> Result<(), Error> {
        self.connect(options).await?.close().await
    }

    /// Sessions are given out after the handshake, with the first bytes that the server sends, so the first
    /// connect of all makes them.
    async fn resume(&self, options: &Arc<Options>) -> Result<()> {
        self.once(options).await?;
        let meter = Meter::start()?;
        let mut resumed = 0;
        for _ in 0..self.args.n {
            let client = self.connect(options).await?;
            resumed += u64::from(client.tls_facts().context("no TLS")?.resumed);
            client.close().await?;
        }
        meter.finish(self.peer, &self.args, self.args.n, resumed)
    }

    async fn concurrent(&self, options: &Arc<Options>) -> Result<()> {
        let n = self.args.n;
        let one = || async { self.connect(options).await?.close().await };
        let meter = Meter::start()?;
        let mut started = self.args.conc.min(n);
        let mut flights: FuturesUnordered<_> = (0..started).map(|_| one()).collect();
        while let Some(done) = flights.next().await {
            done?;
            if started < n {
                flights.push(one());
                started += 1;
            }
        }
        meter.finish(self.peer, &self.args, n, 0)
    }
}
