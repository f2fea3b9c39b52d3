//! The same client on async-std and on smol, and over a smol stream of one's own, with `porpoise-rt-async-std`.
//!
//! `consumer-rt-async-std mysql://USER:PASSWORD@HOST:PORT/?OPTIONS`

use std::error::Error;
use std::sync::Arc;

use porpoise_driver::{Client, Connecting, Options, Target};
use porpoise_rt_async_std::{ASYNC_STD, IoLink};

async fn ping(mut client: Client, on: &str) -> Result<(), porpoise_driver::Error> {
    client.ping().await?;
    println!("connection {} on {on}", client.connection_id());
    client.close().await
}

fn main() -> Result<(), Box<dyn Error>> {
    let usage = "usage: consumer-rt-async-std mysql://USER:PASSWORD@HOST:PORT/?OPTIONS";
    let options = Arc::new(Options::from_url(&std::env::args().nth(1).ok_or(usage)?)?);

    async_std::task::block_on(async {
        ping(Client::connect(ASYNC_STD, Arc::clone(&options)).await?, "async-std").await
    })?;
    smol::block_on(async { ping(Client::connect(ASYNC_STD, Arc::clone(&options)).await?, "smol").await })?;

    // Any stream with futures-io's traits will do; this one could as well be a tunnel.
    smol::block_on(async {
        let Target::Tcp { host, port } = options.target() else { return Err(usage.into()) };
        let stream = smol::net::TcpStream::connect((host.as_ref(), *port)).await?;
        let link = Box::new(IoLink::new(stream));
        let client = Connecting::over(link, ASYNC_STD, Arc::clone(&options)).await?;
        ping(client, "a smol stream").await.map_err(Box::<dyn Error>::from)
    })
}
