//! Ctrl-C: ends the statement, not the tool.

use std::sync::{Arc, Mutex, PoisonError};

use porpoise::driver::CancelHandle;
use porpoise::{Client, Options, blocking};

use crate::exit::{Exit, Failure};

/// Cancels what is watched at the first Ctrl-C, and ends the process at the second.
pub(crate) struct Interrupt {
    watched: Arc<Mutex<Option<CancelHandle>>>,
}

impl Interrupt {
    /// Takes Ctrl-C over. `options`: the second connection, by which a statement is cancelled, is made by them.
    pub(crate) fn new(options: Arc<Options>) -> Result<Self, Failure> {
        let watched: Arc<Mutex<Option<CancelHandle>>> = Arc::default();
        let taken = Arc::clone(&watched);
        ctrlc::set_handler(move || {
            let handle = taken.lock().unwrap_or_else(PoisonError::into_inner).take();
            match handle {
                Some(handle) => cancel(&options, &handle),
                None => std::process::exit(Exit::INTERRUPTED.into()),
            }
        })
        .map_err(|error| Failure::Runtime(std::io::Error::other(error)))?;
        Ok(Self { watched })
    }

    pub(crate) fn watch(&self, handle: CancelHandle) {
        *self.watched.lock().unwrap_or_else(PoisonError::into_inner) = Some(handle);
    }
}

/// On the thread of the handler, whatever the runtime is on which the statement waits.
fn cancel(options: &Arc<Options>, handle: &CancelHandle) {
    anstream::eprintln!("cancelling; again to end at once");
    let cancelled = blocking::block_on(async {
        let killer = Client::connect(blocking::BLOCKING, Arc::clone(options)).await?;
        handle.cancel_with(killer).await
    });
    if let Err(error) = cancelled {
        anstream::eprintln!("cannot cancel: {error}");
    }
}
