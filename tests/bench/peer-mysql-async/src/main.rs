//! `mysql_async` on tokio's current-thread runtime as a bench program.

mod commands;

use anyhow::Result;
use bench_harness::{Args, Idle, Meter, Workload, warm};
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use mysql_async::{Conn, Opts, OptsBuilder, SslOpts};

const PEER: &str = "mysql_async";

fn main() -> Result<()> {
    let args = Args::parse()?;
    // Built beside porpoise, rustls has two providers and must be told.
    let _ = rustls::crypto::ring::default_provider().install_default();
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(run(&args))
}

async fn run(args: &Args) -> Result<()> {
    let opts = opts(args, args.workload.is_tls(), args.workload == Workload::ConnectUnix);
    if warm() {
        once(&self::opts(args, true, false)).await?;
    }
    match args.workload {
        Workload::ConnectConcurrent => concurrent(args, &opts).await,
        Workload::IdleMemory => {
            let idle = Idle::start()?;
            let mut clients = Vec::new();
            for _ in 0..args.n {
                clients.push(Conn::new(opts.clone()).await?);
            }
            idle.finish(PEER, args)?;
            for client in clients {
                client.disconnect().await?;
            }
            Ok(())
        }
        Workload::ConnectPlain
        | Workload::ConnectTls
        | Workload::ConnectTlsResume
        | Workload::ConnectUnix => {
            once(&opts).await?;
            let meter = Meter::start()?;
            for _ in 0..args.n {
                once(&opts).await?;
            }
            meter.finish(PEER, args, args.n, 0)
        }
        _ => commands::run(args, opts).await,
    }
}

async fn once(opts: &Opts) -> Result<()> {
    Ok(Conn::new(opts.clone()).await?.disconnect().await?)
}

fn opts(args: &Args, tls: bool, unix: bool) -> Opts {
    let builder = OptsBuilder::default()
        .user(Some(&args.user))
        .pass(Some(&args.pass))
        .db_name(Some(&args.db))
        .prefer_socket(Some(false))
        .ssl_opts(tls.then(|| SslOpts::default().with_danger_accept_invalid_certs(true)));
    let builder = if unix {
        builder.socket(args.socket.as_ref().map(|path| path.display().to_string()))
    } else {
        builder.ip_or_hostname(&args.host).tcp_port(args.port)
    };
    // What is given is not asked of the server.
    let lean = |builder: OptsBuilder| builder.max_allowed_packet(Some(67_108_864)).wait_timeout(Some(28_800));
    if args.lean { lean(builder) } else { builder }.into()
}

async fn concurrent(args: &Args, opts: &Opts) -> Result<()> {
    let meter = Meter::start()?;
    let mut started = args.conc.min(args.n);
    let mut flights: FuturesUnordered<_> = (0..started).map(|_| once(opts)).collect();
    while let Some(done) = flights.next().await {
        done?;
        if started < args.n {
            flights.push(once(opts));
            started += 1;
        }
    }
    meter.finish(PEER, args, args.n, 0)
}
