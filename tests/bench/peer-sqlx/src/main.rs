//! `sqlx` (MySQL) on tokio's current-thread runtime as a bench program.

mod commands;

use anyhow::Result;
use bench_harness::{Args, Idle, Meter, Workload, warm};
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use sqlx::mysql::{MySqlConnectOptions, MySqlSslMode};
use sqlx::{ConnectOptions as _, Connection as _};

const PEER: &str = "sqlx";

fn main() -> Result<()> {
    let args = Args::parse()?;
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(run(&args))
}

async fn run(args: &Args) -> Result<()> {
    let options = options(args, args.workload.is_tls(), args.workload == Workload::ConnectUnix)?;
    if warm() {
        once(&self::options(args, true, false)?).await?;
    }
    match args.workload {
        Workload::ConnectConcurrent => concurrent(args, &options).await,
        Workload::IdleMemory => {
            let idle = Idle::start()?;
            let mut clients = Vec::new();
            for _ in 0..args.n {
                clients.push(options.connect().await?);
            }
            idle.finish(PEER, args)?;
            for client in clients {
                client.close().await?;
            }
            Ok(())
        }
        Workload::ConnectPlain
        | Workload::ConnectTls
        | Workload::ConnectTlsResume
        | Workload::ConnectUnix => {
            once(&options).await?;
            let meter = Meter::start()?;
            for _ in 0..args.n {
                once(&options).await?;
            }
            meter.finish(PEER, args, args.n, 0)
        }
        _ => commands::run(args, options).await,
    }
}

async fn once(options: &MySqlConnectOptions) -> Result<()> {
    Ok(options.connect().await?.close().await?)
}

fn options(args: &Args, tls: bool, unix: bool) -> Result<MySqlConnectOptions> {
    let options = MySqlConnectOptions::new()
        .username(&args.user)
        .password(&args.pass)
        .database(&args.db)
        .ssl_mode(if tls { MySqlSslMode::Required } else { MySqlSslMode::Disabled });
    let options =
        if unix { options.socket(args.socket()?) } else { options.host(&args.host).port(args.port) };
    // Every statement at the start that can be turned off.
    let lean = |options: MySqlConnectOptions| {
        options.pipes_as_concat(false).no_engine_substitution(false).timezone(None).set_names(false)
    };
    Ok(if args.lean { lean(options) } else { options })
}

async fn concurrent(args: &Args, options: &MySqlConnectOptions) -> Result<()> {
    let meter = Meter::start()?;
    let mut started = args.conc.min(args.n);
    let mut flights: FuturesUnordered<_> = (0..started).map(|_| once(options)).collect();
    while let Some(done) = flights.next().await {
        done?;
        if started < args.n {
            flights.push(once(options));
            started += 1;
        }
    }
    meter.finish(PEER, args, args.n, 0)
}
