//! A blocking client and its flight record, with `porpoise-driver` alone.
//!
//! `consumer-driver mysql://USER:PASSWORD@HOST:PORT/?OPTIONS`

use std::error::Error;
use std::sync::Arc;

use porpoise_driver::Options;
use porpoise_driver::blocking::connect;

fn main() -> Result<(), Box<dyn Error>> {
    let url =
        std::env::args().nth(1).ok_or("usage: consumer-driver mysql://USER:PASSWORD@HOST:PORT/?OPTIONS")?;
    let options = Arc::new(Options::from_url(&url)?);
    let mut client = connect(options)?;

    let mut results = client.query("SELECT 6 * 7, VERSION()")?;
    let mut seen = 0;
    while let Some(batch) = results.next_batch()? {
        for row in &batch {
            assert_eq!(row.get(0)?, Some(b"42".as_slice()));
            println!("{}", String::from_utf8_lossy(row.get(1)?.unwrap_or_default()));
            seen += 1;
        }
    }
    assert_eq!(seen, 1);
    client.ping()?;
    client.close()?;
    Ok(())
}
