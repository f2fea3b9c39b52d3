//! Runs a future on the runtime that was asked for.

use std::future::Future;

use porpoise::driver::Runtime;

use crate::args::RuntimeName;
use crate::exit::Failure;

impl RuntimeName {
    /// porpoise's adapter for it.
    pub(crate) fn adapter(self) -> &'static dyn Runtime {
        match self {
            Self::Tokio => porpoise::tokio::TOKIO,
            Self::AsyncStd => porpoise::async_std::ASYNC_STD,
            Self::Blocking => porpoise::blocking::BLOCKING,
        }
    }

    pub(crate) fn block_on<F: Future>(self, future: F) -> Result<F::Output, Failure> {
        Ok(match self {
            Self::Tokio => tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .map_err(Failure::Runtime)?
                .block_on(future),
            Self::AsyncStd => async_std::task::block_on(future),
            Self::Blocking => porpoise::blocking::block_on(future),
        })
    }
}
