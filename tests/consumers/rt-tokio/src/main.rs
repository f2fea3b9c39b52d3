//! Two clients at once on one thread of tokio, with `porpoise-rt-tokio` and the driver below it.
//!
//! `consumer-rt-tokio mysql://USER:PASSWORD@HOST:PORT/?OPTIONS`

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

use porpoise_driver::{Client, Options};
use porpoise_rt_tokio::TOKIO;

async fn sleep_on_the_server(options: Arc<Options>) -> Result<u32, porpoise_driver::Error> {
    let mut client = Client::connect(TOKIO, options).await?;
    client.query_drop("DO SLEEP(0.5)").await?;
    let id = client.connection_id();
    client.close().await?;
    Ok(id)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let url =
        std::env::args().nth(1).ok_or("usage: consumer-rt-tokio mysql://USER:PASSWORD@HOST:PORT/?OPTIONS")?;
    let options = Arc::new(Options::from_url(&url)?);
    let began = Instant::now();
    let (one, other) =
        tokio::try_join!(sleep_on_the_server(Arc::clone(&options)), sleep_on_the_server(options))?;
    let took = began.elapsed();
    println!("connections {one} and {other} slept half a second each, in {took:?}");
    assert_ne!(one, other);
    assert!(took < Duration::from_millis(950), "one waited for the other");
    Ok(())
}
