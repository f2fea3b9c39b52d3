//! What is being done and how long it took, on standard error.

use std::io::{IsTerminal, Write, stderr};
use std::time::{Duration, Instant};

/// One thing being done. Its end is told by [`Step::done`]; without that it failed, and an error follows.
#[derive(Debug)]
pub(super) struct Step {
    what: String,
    done: bool,
    began: Instant,
    told: Option<Instant>,
    terminal: bool,
}

impl Step {
    /// How often a line is repeated where it cannot be rewritten.
    const PLAIN_INTERVAL: Duration = Duration::from_secs(5);

    /// Tells what begins now.
    pub(super) fn new(what: impl Into<String>) -> Self {
        let terminal = stderr().is_terminal();
        let step = Self { what: what.into(), done: false, began: Instant::now(), told: None, terminal };
        if step.terminal {
            step.rewrite("");
        } else {
            eprintln!("  {} ...", step.what);
        }
        step
    }

    /// Tells how far it is.
    pub(super) fn progress(&mut self, how_far: &str) {
        if self.terminal {
            self.rewrite(how_far);
        } else if self.told.unwrap_or(self.began).elapsed() >= Self::PLAIN_INTERVAL {
            eprintln!("  {}: {how_far}", self.what);
            self.told = Some(Instant::now());
        }
    }

    /// Tells that it is done, and how long it took.
    pub(super) fn done(mut self, result: &str) {
        let colon = if result.is_empty() { "" } else { ": " };
        let clear = if self.terminal { "\r\x1b[2K" } else { "" };
        eprintln!("{clear}  {}{colon}{result} ({:.1} s)", self.what, self.began.elapsed().as_secs_f64());
        self.done = true;
    }

    fn rewrite(&self, how_far: &str) {
        let colon = if how_far.is_empty() { "" } else { ": " };
        let mut out = stderr().lock();
        // A terminal that is gone is no reason to stop.
        drop(write!(out, "\r\x1b[2K  {}{colon}{how_far} ...", self.what).and_then(|()| out.flush()));
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        if self.terminal && !self.done {
            eprintln!();
        }
    }
}

/// Bytes in the unit that people read.
pub(super) fn megabytes(bytes: u64) -> String {
    let tenths = bytes / 100_000;
    format!("{}.{} MB", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn megabytes_have_one_decimal() {
        assert_eq!(megabytes(0), "0.0 MB");
        assert_eq!(megabytes(65_590_000), "65.5 MB");
    }
}
