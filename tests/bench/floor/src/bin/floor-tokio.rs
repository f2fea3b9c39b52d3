//! The floor again, through tokio's sockets: what an adapter on this runtime can reach at best.

use std::net::IpAddr;

use anyhow::{Context as _, Result};
use bench_floor::{Inbox, PING, QUIT, SELECT_1, SELECT_1_PACKETS, login, nonce, verdict};
use bench_harness::{Args, Meter, Workload, warm};
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const PEER: &str = "floor-tokio";

fn main() -> Result<()> {
    let args = Args::parse()?;
    if !matches!(
        args.workload,
        Workload::ConnectPlain | Workload::ConnectConcurrent | Workload::Ping | Workload::Select1
    ) {
        args.refuse(PEER);
    }
    // It has no TLS to fill the server's cache by: another program does that before.
    let _ = warm();
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(run(&args))
}

async fn run(args: &Args) -> Result<()> {
    let mut inbox = Inbox::new(128 * 1024);
    match args.workload {
        Workload::ConnectPlain => {
            let meter = Meter::start()?;
            for _ in 0..args.n {
                connect(args, &mut inbox).await?.write_all(QUIT).await?;
            }
            meter.finish(PEER, args, args.n, 0)
        }
        Workload::ConnectConcurrent => {
            let one = || async {
                connect(args, &mut Inbox::new(512)).await?.write_all(QUIT).await?;
                anyhow::Ok(())
            };
            let meter = Meter::start()?;
            let mut started = args.conc.min(args.n);
            let mut flights: FuturesUnordered<_> = (0..started).map(|_| one()).collect();
            while let Some(done) = flights.next().await {
                done?;
                if started < args.n {
                    flights.push(one());
                    started += 1;
                }
            }
            meter.finish(PEER, args, args.n, 0)
        }
        _ => commands(args, &mut inbox).await,
    }
}

async fn commands(args: &Args, inbox: &mut Inbox) -> Result<()> {
    let (command, packets, sum) = match args.workload {
        Workload::Ping => (PING, 1, 0),
        _ => (SELECT_1, SELECT_1_PACKETS, args.n),
    };
    let mut stream = connect(args, inbox).await?;
    let meter = Meter::start()?;
    for _ in 0..args.n {
        stream.write_all(command).await?;
        for _ in 0..packets {
            packet(&mut stream, inbox).await?;
        }
    }
    meter.finish(PEER, args, args.n, sum)?;
    Ok(stream.write_all(QUIT).await?)
}

async fn packet<'a>(stream: &mut TcpStream, inbox: &'a mut Inbox) -> Result<(u8, &'a [u8])> {
    let len = loop {
        if let Some(len) = inbox.ready() {
            break len;
        }
        let n = stream.read(inbox.room()).await?;
        inbox.received(n)?;
    };
    Ok(inbox.take(len))
}

async fn connect(args: &Args, inbox: &mut Inbox) -> Result<TcpStream> {
    let ip: IpAddr = args.host.parse().context("the floor takes addresses, not names")?;
    let mut stream = TcpStream::connect((ip, args.port)).await?;
    stream.set_nodelay(true)?;
    inbox.clear();
    let nonce = nonce(packet(&mut stream, inbox).await?.1)?;
    let mut out = Vec::with_capacity(160);
    login(&mut out, args, &nonce, false)?;
    stream.write_all(&out).await?;
    while !verdict(packet(&mut stream, inbox).await?, args, false, &mut Vec::new())? {}
    Ok(stream)
}
