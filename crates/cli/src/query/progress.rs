use std::io::{self, IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

use crate::text;

/// What takes no longer needs none.
const PATIENCE: Duration = Duration::from_secs(1);
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(200);

/// How many rows came, on standard error: when it takes long, standard error is a terminal, and the rows themselves
/// go elsewhere.
pub(super) struct Progress {
    on: bool,
    begun: Instant,
    shown: Option<Instant>,
    rows: u64,
    bytes: u64,
}

impl Progress {
    pub(super) fn new(begun: Instant, elsewhere: bool) -> Self {
        let on = elsewhere && io::stderr().is_terminal();
        Self { on, begun, shown: None, rows: 0, bytes: 0 }
    }

    pub(super) fn add(&mut self, rows: u64, bytes: impl FnOnce() -> u64) {
        if !self.on {
            return;
        }
        self.rows += rows;
        self.bytes += bytes();
        let (elapsed, pause) = (self.begun.elapsed(), self.shown.map(|shown| shown.elapsed()));
        if elapsed >= PATIENCE && pause.is_none_or(|pause| pause >= PAUSE) {
            self.shown = Some(Instant::now());
            let line = line(self.rows, self.bytes, elapsed);
            // Nobody is left to tell when this fails.
            let _ = write!(io::stderr(), "\r{line}\x1b[K");
        }
    }

    pub(super) fn clear(&mut self) {
        if self.shown.take().is_some() {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}

fn line(rows: u64, bytes: u64, elapsed: Duration) -> String {
    let millis = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX).max(1);
    let rate = bytes.saturating_mul(1000) / millis;
    format!("{rows} rows, {} bytes, {} bytes/s", text::bytes(bytes), text::bytes(rate))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        assert_eq!(
            line(12_345, 50_000_000, Duration::from_secs(2)),
            "12345 rows, 50.0M bytes, 25.0M bytes/s"
        );
    }
}
