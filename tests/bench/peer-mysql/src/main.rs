//! The synchronous `mysql` crate as a bench program.

mod commands;

use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

use anyhow::{Context as _, Result};
use bench_harness::{Args, Idle, Meter, Workload, warm};
use mysql::{Conn, Opts, OptsBuilder, SslOpts};

const PEER: &str = "mysql";

fn main() -> Result<()> {
    let args = Args::parse()?;
    // Built beside porpoise, rustls has two providers and must be told.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let unix = args.workload == Workload::ConnectUnix;
    let opts = opts(&args, args.workload.is_tls(), unix);
    if warm() {
        drop(Conn::new(self::opts(&args, true, false))?);
    }
    match args.workload {
        Workload::ConnectConcurrent => concurrent(&args, &opts),
        Workload::IdleMemory => {
            let idle = Idle::start()?;
            let mut clients = Vec::new();
            for _ in 0..args.n {
                clients.push(Conn::new(opts.clone())?);
            }
            idle.finish(PEER, &args)
        }
        Workload::ConnectPlain
        | Workload::ConnectTls
        | Workload::ConnectTlsResume
        | Workload::ConnectUnix => {
            drop(Conn::new(opts.clone())?);
            let meter = Meter::start()?;
            for _ in 0..args.n {
                drop(Conn::new(opts.clone())?);
            }
            meter.finish(PEER, &args, args.n, 0)
        }
        _ => commands::run(&args, opts),
    }
}

fn opts(args: &Args, tls: bool, unix: bool) -> Opts {
    let builder = OptsBuilder::new()
        .user(Some(&args.user))
        .pass(Some(&args.pass))
        .db_name(Some(&args.db))
        .prefer_socket(false)
        .ssl_opts(tls.then(|| SslOpts::default().with_danger_accept_invalid_certs(true)));
    let builder = if unix {
        builder.socket(args.socket.as_ref().map(|path| path.display().to_string()))
    } else {
        builder.ip_or_hostname(Some(&args.host)).tcp_port(args.port)
    };
    // What is given is not asked of the server.
    if args.lean { builder.max_allowed_packet(Some(67_108_864)) } else { builder }.into()
}

/// It has no asynchronous interface: a thread for each connect in flight.
fn concurrent(args: &Args, opts: &Opts) -> Result<()> {
    let left = AtomicI64::new(i64::try_from(args.n)?);
    let connects = || {
        while left.fetch_sub(1, Relaxed) > 0 {
            drop(Conn::new(opts.clone())?);
        }
        anyhow::Ok(())
    };
    let meter = Meter::start()?;
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..args.conc).map(|_| scope.spawn(connects)).collect();
        threads.into_iter().try_for_each(|thread| thread.join().ok().context("a thread failed")?)
    })?;
    meter.finish("mysql-threads", args, args.n, 0)
}
