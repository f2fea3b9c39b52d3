//! The statistics of many connects.

use std::fmt::Write as _;
use std::time::Duration;

use super::{BAD, BOLD, DIM, bar, shown, time};
use crate::stats::{Spread, Stats};

/// Two blanks, four times a blank and a time, two blanks before the bar.
const FIXED: usize = 1 + 4 * 8 + 1;

pub(crate) fn table(stats: &Stats, columns: usize) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "{BOLD}{}{BOLD:#}", shown(&headline(stats)));
    if let Some(total) = &stats.total {
        rows(&mut out, stats, total, columns);
    }
    for failure in &stats.failures {
        let stage = failure.stage.unwrap_or("the end");
        let name = failure.name.map(|name| format!(" ({name})")).unwrap_or_default();
        let line = format!("{} × {}{name} in {stage}: {}", failure.count, failure.errno, failure.message);
        let line = shown(&line);
        let options = textwrap::Options::new(columns).subsequent_indent("  ");
        out.push('\n');
        for line in textwrap::wrap(&line, options) {
            let _ = write!(out, "{BAD}{line}{BAD:#}");
            out.push('\n');
        }
        if let Some(advice) = failure.advice {
            let indent = textwrap::Options::new(columns).initial_indent("  ").subsequent_indent("  ");
            let _ = writeln!(out, "{}", textwrap::fill(advice, indent));
        }
    }
    out
}

fn headline(stats: &Stats) -> String {
    let failed = match stats.connects - stats.connected {
        0 => String::new(),
        failed => format!(", {failed} failed"),
    };
    let resumed = match stats.resumed {
        0 => String::new(),
        resumed => format!(", {resumed} resumed a TLS session"),
    };
    format!(
        "{}@{}: {} connects{failed}{resumed} ({})",
        stats.user, stats.target, stats.connects, stats.runtime
    )
}

fn rows(out: &mut String, stats: &Stats, total: &Spread, columns: usize) {
    let names = stats.stages.iter().map(|stage| stage.name.len()).max().unwrap_or_default();
    let width = columns.saturating_sub(names + FIXED).max(8);
    let _ = writeln!(
        out,
        "\n{DIM}{:names$} {:>7} {:>7} {:>7} {:>7}  share{DIM:#}",
        "stage", "min", "median", "p99", "max"
    );
    for stage in &stats.stages {
        let drawn = bar(Duration::ZERO, stage.spread.median, total.median, width);
        let style = stage.part.style();
        let _ = writeln!(out, "{:names$}{}  {style}{drawn}{style:#}", stage.name, figures(&stage.spread));
    }
    let _ = writeln!(out, "{BOLD}{:names$}{}{BOLD:#}", "total", figures(total));
    if let Some(first) = stats.first.filter(|_| stats.connected > 1) {
        let _ = writeln!(out, "\n{DIM}first connect:{DIM:#} {}", time(first));
    }
}

fn figures(spread: &Spread) -> String {
    [spread.min, spread.median, spread.p99, spread.max].map(|figure| format!(" {:>7}", time(figure))).concat()
}

#[cfg(test)]
mod tests {
    use crate::report::samples;
    use crate::stats::Stats;
    use crate::text::tests::plain;

    #[test]
    fn connects_of_which_some_failed() {
        let mut slow = samples::connected();
        slow.total *= 3;
        let reports =
            [samples::connected(), samples::failed(), samples::connected(), slow, samples::failed()];
        let shown = plain(&super::table(&Stats::of(&reports).unwrap(), 80));
        assert!(shown.lines().all(|line| line.chars().count() <= 80), "{shown}");
        insta::assert_snapshot!(shown);
    }

    #[test]
    fn connects_that_all_failed() {
        insta::assert_snapshot!(plain(&super::table(&Stats::of(&[samples::failed()]).unwrap(), 80)));
    }
}
