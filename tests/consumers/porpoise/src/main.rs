//! A connect and a query with the facade, on whichever of its runtimes it is built with.
//!
//! `consumer-porpoise mysql://USER:PASSWORD@HOST:PORT/?OPTIONS`

use std::error::Error;
use std::sync::Arc;

use porpoise::driver::Runtime;
use porpoise::{Client, Options};

/// What the server says of itself: one column, by name.
#[cfg(feature = "derive")]
#[derive(porpoise::FromRow)]
struct Server<'r> {
    version: &'r str,
}

#[cfg(feature = "derive")]
fn read(batch: &porpoise::classic::RowBatch, version: &mut String) -> Result<(), Box<dyn Error>> {
    let plan = batch.plan::<Server<'_>>()?;
    for server in batch.typed::<Server<'_>>(&plan) {
        version.push_str(server?.version);
    }
    Ok(())
}

#[cfg(not(feature = "derive"))]
fn read(batch: &porpoise::classic::RowBatch, version: &mut String) -> Result<(), Box<dyn Error>> {
    for row in batch {
        version.push_str(row.get_as::<&str>("version")?);
    }
    Ok(())
}

async fn version(runtime: &'static dyn Runtime, options: Arc<Options>) -> Result<String, Box<dyn Error>> {
    let mut client = Client::connect(runtime, options).await?;
    let encrypted = if client.is_encrypted() { "TLS" } else { "no TLS" };
    let mut version = format!("{}, {encrypted}: ", runtime.name());
    let mut results = client.query("SELECT VERSION() AS version").await?;
    while let Some(batch) = results.next_batch().await? {
        read(&batch, &mut version)?;
    }
    client.close().await?;
    Ok(version)
}

fn main() -> Result<(), Box<dyn Error>> {
    let url =
        std::env::args().nth(1).ok_or("usage: consumer-porpoise mysql://USER:PASSWORD@HOST:PORT/?OPTIONS")?;
    let options = Arc::new(Options::from_url(&url)?);
    #[cfg(feature = "blocking")]
    println!(
        "{}",
        porpoise::blocking::block_on(version(porpoise::blocking::BLOCKING, Arc::clone(&options)))?
    );
    #[cfg(feature = "async-std")]
    println!("{}", async_std::task::block_on(version(porpoise::async_std::ASYNC_STD, Arc::clone(&options)))?);
    #[cfg(feature = "tokio")]
    println!(
        "{}",
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?
            .block_on(version(porpoise::tokio::TOKIO, Arc::clone(&options)))?
    );
    Ok(())
}
