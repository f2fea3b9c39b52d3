//! Another connection that ends a statement or this connection.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use porpoise::blocking::{self, BlockingClient};
use porpoise::{Error, Options};

/// How long to wait for the statement to run, and for the connection to be gone.
const PATIENCE: Duration = Duration::from_secs(10);
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(20);
/// How long the statement runs before it is killed.
const HEAD_START: Duration = Duration::from_millis(200);

/// What to kill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Victim {
    Query,
    Connection,
    /// The connection, once it is idle; waits until it is gone.
    Idle,
}

/// Kills from a thread of its own, so that the connection's thread is free for its reply.
pub(super) fn spawn(
    options: Arc<Options>,
    connection_id: u32,
    victim: Victim,
) -> thread::JoinHandle<Result<(), Error>> {
    thread::spawn(move || {
        let mut client = blocking::connect(options)?;
        if victim != Victim::Idle {
            wait(&mut client, &format!("id = {connection_id} AND command = 'Query'"), true)?;
            thread::sleep(HEAD_START);
        }
        let what = if victim == Victim::Query { "QUERY" } else { "CONNECTION" };
        client.query_drop(&format!("KILL {what} {connection_id}"))?;
        if victim != Victim::Query {
            wait(&mut client, &format!("id = {connection_id}"), false)?;
        }
        client.close()
    })
}

/// Waits until the list of connections has such a one, or has none.
fn wait(client: &mut BlockingClient, such: &str, want: bool) -> Result<(), Error> {
    let sql = format!("SELECT 1 FROM information_schema.processlist WHERE {such}");
    let begin = Instant::now();
    while begin.elapsed() < PATIENCE {
        let mut results = client.query(&sql)?;
        let mut found = false;
        while results.next_batch()?.is_some() {
            found = true;
        }
        if found == want {
            return Ok(());
        }
        thread::sleep(PAUSE);
    }
    Ok(())
}
