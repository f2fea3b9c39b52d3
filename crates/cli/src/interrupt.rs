//! Ctrl-C: ends the statement, not the tool.

use std::sync::{Arc, Mutex, PoisonError};

use porpoise::driver::CancelHandle;
use porpoise::{Client, Options, blocking, x};

use crate::exit::{Exit, Failure};

/// What cancels a statement; gives why it could not.
type Cancel = Box<dyn FnOnce() -> Result<(), String> + Send>;

/// Cancels what is watched at the first Ctrl-C, and ends the process at the second.
pub(crate) struct Interrupt {
    watched: Arc<Mutex<Option<Cancel>>>,
}

impl Interrupt {
    /// Takes Ctrl-C over.
    pub(crate) fn new() -> Result<Self, Failure> {
        let watched: Arc<Mutex<Option<Cancel>>> = Arc::default();
        let taken = Arc::clone(&watched);
        ctrlc::set_handler(move || {
            let cancel = taken.lock().unwrap_or_else(PoisonError::into_inner).take();
            // On the thread of the handler, whatever the runtime is on which the statement waits.
            match cancel {
                Some(cancel) => {
                    anstream::eprintln!("cancelling; again to end at once");
                    if let Err(error) = cancel() {
                        anstream::eprintln!("cannot cancel: {error}");
                    }
                }
                None => std::process::exit(Exit::INTERRUPTED.into()),
            }
        })
        .map_err(|error| Failure::Runtime(std::io::Error::other(error)))?;
        Ok(Self { watched })
    }

    /// `options`: the second connection, by which a statement is cancelled, is made by them.
    pub(crate) fn watch(&self, handle: CancelHandle, options: Arc<Options>) {
        self.set(Box::new(move || {
            let cancelled = blocking::block_on(async {
                let killer = Client::connect(blocking::BLOCKING, options).await?;
                handle.cancel_with(killer).await
            });
            cancelled.map(drop).map_err(|error: porpoise::Error| error.to_string())
        }));
    }

    /// The same of the X Protocol.
    pub(crate) fn watch_x(&self, handle: x::CancelHandle, options: Arc<x::Options>) {
        self.set(Box::new(move || {
            let cancelled = blocking::block_on(async {
                let killer = x::Session::connect(blocking::BLOCKING, options).await?;
                handle.cancel_with(killer).await
            });
            cancelled.map(drop).map_err(|error: x::Error| error.to_string())
        }));
    }

    fn set(&self, cancel: Cancel) {
        *self.watched.lock().unwrap_or_else(PoisonError::into_inner) = Some(cancel);
    }
}
