//! Reports for people: colours, units, and what all of them share.
//!
//! Texts are made with colours; whoever prints them strips those that the output cannot show.

mod details;
mod table;
mod waterfall;

use std::fmt::Write as _;
use std::time::Duration;

use anstyle::{AnsiColor, Style};

pub(crate) use self::table::table;
use crate::report::Report;

pub(crate) const PLAIN: Style = Style::new();
pub(crate) const DIM: Style = Style::new().dimmed();
pub(crate) const BOLD: Style = Style::new().bold();
pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
pub(crate) const WARN: Style = AnsiColor::Yellow.on_default();
pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();

/// The width of a report that no terminal shows, and the least that one has.
const DEFAULT_COLUMNS: usize = 80;
/// Longer lines are hard to follow with the eye.
const MAX_COLUMNS: usize = 140;

/// How wide a report may be.
pub(crate) fn columns() -> usize {
    width().clamp(DEFAULT_COLUMNS, MAX_COLUMNS)
}

/// How wide the terminal is.
pub(crate) fn width() -> usize {
    let size = terminal_size::terminal_size_of(std::io::stdout());
    size.map_or(DEFAULT_COLUMNS, |(width, _)| usize::from(width.0))
}

/// The parts of a connect, by which stages are coloured and summed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Network,
    Greeting,
    /// Of the X Protocol: capabilities.
    Negotiation,
    Tls,
    Login,
    Preparation,
}

impl Part {
    pub(crate) const ALL: [Self; 6] =
        [Self::Network, Self::Greeting, Self::Negotiation, Self::Tls, Self::Login, Self::Preparation];

    /// That of a stage of the classic connect.
    pub(crate) const fn of(stage: u8) -> Self {
        match stage {
            0..=4 => Self::Network,
            5..=6 => Self::Greeting,
            7 => Self::Tls,
            8..=19 => Self::Login,
            _ => Self::Preparation,
        }
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Network => "network",
            Self::Greeting => "greeting",
            Self::Negotiation => "negotiation",
            Self::Tls => "TLS",
            Self::Login => "login",
            Self::Preparation => "preparation",
        }
    }

    pub(crate) const fn style(self) -> Style {
        match self {
            Self::Network => AnsiColor::Blue.on_default(),
            Self::Greeting | Self::Negotiation => AnsiColor::Cyan.on_default(),
            Self::Tls => AnsiColor::Green.on_default(),
            Self::Login => AnsiColor::Yellow.on_default(),
            Self::Preparation => AnsiColor::Magenta.on_default(),
        }
    }
}

/// One connect.
pub(crate) fn report(report: &Report, columns: usize) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "{BOLD}{}{BOLD:#}", shown(&headline(report)));
    out.push('\n');
    waterfall::waterfall(&mut out, report, columns);
    out.push('\n');
    details::details(&mut out, report, columns);
    out
}

fn headline(report: &Report) -> String {
    let end = if report.connected { "connected" } else { "failed" };
    format!("{}@{}: {end} after {} ({})", report.user, report.target, time(report.total), report.runtime)
}

/// A time in at most seven characters.
pub(crate) fn time(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    if seconds < 0.000_999_5 {
        format!("{:.0} µs", seconds * 1e6)
    } else if seconds < 0.999_5 {
        format!("{} ms", three_digits(seconds * 1e3))
    } else {
        format!("{} s", three_digits(seconds))
    }
}

/// A number of bytes in at most five characters.
pub(crate) fn bytes(bytes: u64) -> String {
    match bytes {
        0..=99_999 => bytes.to_string(),
        100_000..=999_499 => format!("{}k", three_digits(bytes as f64 / 1e3)),
        _ => format!("{}M", three_digits(bytes as f64 / 1e6)),
    }
}

fn three_digits(number: f64) -> String {
    match number {
        ..9.995 => format!("{number:.2}"),
        ..99.95 => format!("{number:.1}"),
        _ => format!("{number:.0}"),
    }
}

/// Text of the server's, harmless for a terminal.
pub(crate) fn shown(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

/// `width` cells that stand for `total`, with the time from `start` to `end` filled, to half a cell. What is shorter
/// is a thin line at its place.
pub(crate) fn bar(start: Duration, end: Duration, total: Duration, width: usize) -> String {
    let halves = |at| share(at, total, width * 4).div_ceil(2);
    let (first, last) = (halves(start), halves(end));
    if first >= last {
        let thirds = share(start, total, width * 3).min((width * 3).saturating_sub(1));
        let (cell, line) = (thirds / 3, ["▏", "│", "▕"].get(thirds % 3).copied().unwrap_or_default());
        return format!("{:cell$}{line}", "");
    }
    let cells = (0..last.div_ceil(2)).map(|cell| match (first <= cell * 2, cell * 2 + 1 < last) {
        _ if cell * 2 + 1 < first => ' ',
        (true, true) => '█',
        (true, false) => '▌',
        (false, _) => '▐',
    });
    cells.collect()
}

/// How many of `parts` equal parts of `total` are over at a time.
fn share(at: Duration, total: Duration, parts: usize) -> usize {
    let over = (at.min(total).as_nanos() * parts as u128).checked_div(total.as_nanos());
    over.and_then(|over| usize::try_from(over).ok()).unwrap_or_default()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::report::samples;

    /// A text as an output without colours shows it.
    pub(crate) fn plain(text: &str) -> String {
        anstream::adapter::strip_str(text).to_string()
    }

    #[test]
    fn a_connect_at_80_columns() {
        let shown = plain(&report(&samples::connected(), 80));
        assert!(shown.lines().all(|line| line.chars().count() <= 80));
        insta::assert_snapshot!(shown);
    }

    #[test]
    fn a_connect_at_120_columns() {
        insta::assert_snapshot!(plain(&report(&samples::connected(), 120)));
    }

    #[test]
    fn a_connect_without_tls() {
        let report = Report { tls: None, plain: Some("the server offers none"), ..samples::connected() };
        let shown = plain(&super::report(&report, 80));
        assert!(shown.contains("\nTLS             none: the server offers none\n"), "{shown}");
        assert!(!shown.contains("certificate"), "{shown}");
    }

    #[test]
    fn a_failure() {
        insta::assert_snapshot!(plain(&report(&samples::failed(), 80)));
    }

    #[test]
    fn the_stage_of_a_failure_is_red() {
        let shown = report(&samples::failed(), 80);
        assert!(shown.contains(&format!("{BAD}READ_GREETING       {BAD:#}")), "{shown:?}");
        assert!(shown.contains(&format!("✗{BAD:#}")), "{shown:?}");
    }

    #[test]
    fn times_have_three_digits_and_fit() {
        let nanos = |n| time(Duration::from_nanos(n));
        assert_eq!(nanos(0), "0 µs");
        assert_eq!(nanos(499), "0 µs");
        assert_eq!(nanos(999_499), "999 µs");
        assert_eq!(nanos(999_500), "1.00 ms");
        assert_eq!(nanos(12_345_678), "12.3 ms");
        assert_eq!(nanos(99_950_000), "100 ms");
        assert_eq!(nanos(999_500_000), "1.00 s");
        assert_eq!(nanos(61_000_000_000), "61.0 s");
        for power in 0..44 {
            for n in [(1_u64 << power) - 1, 1 << power, 10_u64.pow(power % 14).saturating_sub(1)] {
                assert!(nanos(n).chars().count() <= 7, "{}", nanos(n));
            }
        }
    }

    #[test]
    fn bytes_fit() {
        assert_eq!(bytes(99_999), "99999");
        assert_eq!(bytes(100_000), "100k");
        assert_eq!(bytes(999_500), "1.00M");
        assert_eq!(bytes(16_777_215), "16.8M");
    }

    #[test]
    fn bars() {
        let bar = |start, end| {
            bar(Duration::from_micros(start), Duration::from_micros(end), Duration::from_millis(1), 4)
        };
        assert_eq!(bar(0, 1000), "████");
        assert_eq!(bar(500, 750), "  █");
        assert_eq!(bar(125, 625), "▐█▌");
        assert_eq!(bar(250, 375), " ▌");
        assert_eq!(bar(375, 500), " ▐");
        // Too short for half a cell.
        assert_eq!(bar(0, 0), "▏");
        assert_eq!(bar(375, 375), " │");
        assert_eq!(bar(1000, 1000), "   ▕");
        // Out of bounds.
        assert_eq!(bar(0, 5000), "████");
        assert_eq!(bar(900, 100), "   │");
        assert_eq!(super::bar(Duration::ZERO, Duration::ZERO, Duration::ZERO, 4), "▏");
        assert_eq!(super::bar(Duration::MAX, Duration::MAX, Duration::MAX, 4), "   ▕");
    }

    #[test]
    fn what_a_server_says_cannot_steer_the_terminal() {
        assert_eq!(shown("8.0\u{1b}[2J\u{9b}x\n"), "8.0\u{fffd}[2J\u{fffd}x\u{fffd}");
    }
}
