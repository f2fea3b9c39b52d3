//! What `cargo test` says, passed on and counted.

use std::io::{self, BufRead, BufReader, Write};
use std::process::Command;

use anyhow::Context as _;

use crate::{Result, workspace};

/// Tests counted, over any number of runs.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    passed: u64,
    failed: u64,
    skipped: u64,
    /// The names of those that failed.
    failures: Vec<String>,
    /// The names of those that were not run.
    ignored: Vec<String>,
    /// The closing line of each test program, as it was.
    closing: Vec<String>,
}

impl Tally {
    /// Runs tests, shows what they print, and counts them. Tests that fail are no error here, what keeps them
    /// from being run is.
    pub(crate) fn run(command: &mut Command) -> Result<Self> {
        Self::run_into(command, &mut io::stdout())
    }

    fn run_into(command: &mut Command, out: &mut impl Write) -> Result<Self> {
        let line = workspace::command_line(command);
        let (reader, writer) = io::pipe()?;
        // One pipe for both, so that what cargo says stays between what the tests say.
        let mut child = command
            .stdout(writer.try_clone()?)
            .stderr(writer)
            .spawn()
            .with_context(|| format!("starting {line}"))?;
        // The command holds the pipe's ends for writing: the reader would wait for them for ever.
        command.stdout(io::stderr()).stderr(io::stderr());
        let mut tally = Self::default();
        let mut reader = BufReader::new(reader);
        let mut bytes = Vec::new();
        while reader.read_until(b'\n', &mut bytes)? > 0 {
            out.write_all(&bytes)?;
            tally.hear(String::from_utf8_lossy(&bytes).trim_end());
            bytes.clear();
        }
        let status = child.wait()?;
        if !status.success() && tally.failed == 0 {
            anyhow::bail!("{line}: {status}");
        }
        Ok(tally)
    }

    /// Takes note of one line.
    fn hear(&mut self, line: &str) {
        if let Some((name, outcome)) = line.strip_prefix("test ").and_then(|rest| rest.rsplit_once(" ... ")) {
            if outcome == "FAILED" {
                self.failures.push(name.trim_end().to_owned());
            } else if outcome.starts_with("ignored") {
                self.ignored.push(name.trim_end().to_owned());
            }
        }
        let number = |counts: &str, what: &str| -> Option<u64> {
            let of = |part: &str| part.trim().strip_suffix(what)?.trim().rsplit(' ').next()?.parse().ok();
            counts.split([';', ',']).find_map(of)
        };
        if let Some(counts) = line.strip_prefix("test result: ") {
            let number = |what| number(counts, what).unwrap_or(0);
            self.passed += number(" passed");
            self.failed += number(" failed");
            self.skipped += number(" ignored");
            self.closing.push(line.to_owned());
        } else if let (Some(passed), Some(failed), Some(skipped)) =
            (number(line, " passed"), number(line, " failed"), number(line, " skipped"))
        {
            // A program of ours that is no test program.
            self.passed += passed;
            self.failed += failed;
            self.skipped += skipped;
            self.closing.push(line.to_owned());
        }
    }

    /// Adds those of another run.
    pub(crate) fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
        self.failures.extend(other.failures);
        self.ignored.extend(other.ignored);
        self.closing.extend(other.closing);
    }

    /// The same without the closing lines, where there are many programs and few tests.
    pub(crate) fn without_closing(self) -> Self {
        Self { closing: Vec::new(), ..self }
    }

    /// The names of those that were not run.
    pub(crate) fn ignored(&self) -> &[String] {
        &self.ignored
    }

    /// An error if any failed.
    pub(crate) fn verdict(&self) -> Result<()> {
        match self.failed {
            0 => Ok(()),
            _ => anyhow::bail!("failed: {}", self.failures.join(", ")),
        }
    }

    /// The closing lines of the test programs that ran any test.
    pub(crate) fn closing(&self) -> impl Iterator<Item = &str> {
        self.closing
            .iter()
            .map(String::as_str)
            .filter(|line| !line.contains(" 0 passed; 0 failed; 0 ignored;"))
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTPUT: &str = "\
running 4 tests
test stage::tests::names ... ok
test stage::tests::order ... FAILED
test slow     ... ignored
test server ... ignored, for want of one

test result: FAILED. 1 passed; 1 failed; 2 ignored; 0 measured; 0 filtered out; finished in 0.02s

   Doc-tests porpoise_wire

test result: ok. 20 passed; 0 failed; 0 ignored; 0 measured; 3 filtered out; finished in 1.20s
test result: ok. 0 passed; 0 failed; 0 ignored; 0 measured; 9 filtered out; finished in 0.00s
8 passed, 2 failed, 1 skipped
";

    #[test]
    fn closing_lines_are_summed() {
        let mut tally = Tally::default();
        OUTPUT.lines().for_each(|line| tally.hear(line));
        assert_eq!(tally.to_string(), "29 passed, 3 failed, 3 skipped");
        assert_eq!(tally.failures, ["stage::tests::order"]);
        assert_eq!(tally.ignored(), ["slow", "server"]);
        assert_eq!(tally.closing().count(), 3);
        assert!(tally.verdict().unwrap_err().to_string().contains("stage::tests::order"));

        let mut all = Tally::default();
        all.add(Tally { passed: 1, ..Tally::default() });
        assert!(all.verdict().is_ok());
        all.add(tally);
        assert_eq!(all.to_string(), "30 passed, 3 failed, 3 skipped");
    }

    #[test]
    fn output_comes_from_both_streams() {
        let script = "echo 'test result: ok. 2 passed; 0 failed; 0 ignored;' >&2; echo 'test a ... FAILED'; \
                      echo 'test result: FAILED. 0 passed; 1 failed; 0 ignored;'; exit 101";
        let mut out = Vec::new();
        let tally = Tally::run_into(Command::new("sh").args(["-c", script]), &mut out).unwrap();
        assert_eq!(out.iter().filter(|byte| **byte == b'\n').count(), 3);
        assert_eq!(tally.to_string(), "2 passed, 1 failed, 0 skipped");
        // A build that fails has no tests that could tell.
        assert!(Tally::run_into(Command::new("sh").args(["-c", "exit 101"]), &mut out).is_err());
    }
}
