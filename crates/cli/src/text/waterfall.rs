//! A row for each stage, its time as a bar.

use std::fmt::Write as _;
use std::time::Duration;

use super::{BAD, BOLD, DIM, bar, bytes, time};
use crate::report::{Report, Row};

/// Two blanks, start, blank, time, blank, bar, blank, in, blank, out, blank, round trips.
const FIXED: usize = 2 + 7 + 1 + 7 + 1 + 1 + 5 + 1 + 5 + 1 + 3;

pub(super) fn waterfall(out: &mut String, report: &Report, columns: usize) {
    let names =
        report.stages.iter().map(|row| row.title().len()).max().unwrap_or_default().max("total".len());
    let width = columns.saturating_sub(names + FIXED).max(8);
    let died = report.error.as_ref().and_then(|error| error.stage);
    let died = died.and_then(|stage| report.stages.iter().rposition(|row| row.name == stage));
    let _ = writeln!(
        out,
        "{DIM}{:names$}  {:>7} {:>7} {:width$} {:>5} {:>5} {:>3}{DIM:#}",
        "stage", "start", "time", "", "in", "out", "RT"
    );
    for (i, row) in report.stages.iter().enumerate() {
        line(out, row, report.total, Widths { names, bar: width }, died == Some(i));
    }
    let _ = writeln!(
        out,
        "{BOLD}{:names$}{BOLD:#}  {:>7} {BOLD}{:>7}{BOLD:#} {:width$} {:>5} {:>5} {:>3}",
        "total",
        "",
        time(report.total),
        "",
        bytes(report.bytes_in),
        bytes(report.bytes_out),
        report.round_trips
    );
}

#[derive(Clone, Copy)]
struct Widths {
    names: usize,
    bar: usize,
}

fn line(out: &mut String, row: &Row, total: Duration, widths: Widths, died: bool) {
    let mut drawn = bar(row.enter, row.leave, total, widths.bar);
    if died {
        // The mark takes the last cell when the bar fills all of them.
        if drawn.chars().count() == widths.bar {
            drawn.pop();
        }
        drawn.push('✗');
    }
    let style = if died { BAD } else { row.part.style() };
    let idle = row.bytes_in == 0 && row.bytes_out == 0 && row.time() < Duration::from_nanos(500);
    let name = if died {
        BAD
    } else if idle {
        DIM
    } else {
        super::PLAIN
    };
    let some = |n: u64| if n == 0 { String::new() } else { bytes(n) };
    let trips = if row.round_trips == 0 { String::new() } else { row.round_trips.to_string() };
    let counts = format!(" {:>5} {:>5} {trips:>3}", some(row.bytes_in), some(row.bytes_out));
    let counts = counts.trim_end();
    let gap = if counts.is_empty() { 0 } else { widths.bar.saturating_sub(drawn.chars().count()) };
    let _ = writeln!(
        out,
        "{name}{:names$}{name:#}  {DIM}{:>7}{DIM:#} {:>7} {style}{drawn}{style:#}{:gap$}{counts}",
        row.title(),
        time(row.enter),
        time(row.time()),
        "",
        names = widths.names,
    );
}
