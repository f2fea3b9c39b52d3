//! What was negotiated, and why it failed: labels with values.

use std::fmt::Write as _;
use std::time::Duration;

use anstyle::Style;

use super::{BAD, DIM, GOOD, PLAIN, Part, WARN, shown, time};
use crate::report::{Auth, Fault, Report, Session, Tls, XSession};
use crate::x::report::brief;

const LABEL: usize = 16;
/// A blank at which no line is broken.
const NO_BREAK: &str = "\u{a0}";

struct Details<'a> {
    out: &'a mut String,
    columns: usize,
}

impl Details<'_> {
    fn line(&mut self, label: &str, value: &str) {
        self.styled(label, PLAIN, value);
    }

    /// A label, and its value in as many lines as it takes.
    fn styled(&mut self, label: &str, style: Style, value: &str) {
        let value = shown(value);
        let width = self.columns.saturating_sub(LABEL);
        let options = textwrap::Options::new(width).word_splitter(textwrap::WordSplitter::NoHyphenation);
        let mut label = label;
        for line in textwrap::wrap(&value, options) {
            // A line has no blank at its end.
            let gap = if line.is_empty() { label.len() } else { LABEL };
            let line = line.replace(NO_BREAK, " ");
            let _ = writeln!(self.out, "{DIM}{label:gap$}{DIM:#}{style}{line}{style:#}");
            label = "";
        }
    }
}

pub(super) fn details(out: &mut String, report: &Report, columns: usize) {
    let mut details = Details { out, columns };
    if let Some(fault) = &report.error {
        failure(&mut details, fault);
        details.out.push('\n');
    }
    details.line("time", &shares(report));
    if let Some(version) = &report.server.version {
        let id = report.session.as_ref().map(|session| format!(", connection {}", session.connection_id));
        // MariaDB says so for old replicas, which take 10 for less than 5.
        let version = version.strip_prefix("5.5.5-").unwrap_or(version);
        details.line("server", &format!("{version}{}", id.unwrap_or_default()));
    }
    if let Some(address) = &report.server.address
        && *address != report.target
    {
        details.line("address", address);
    }
    match (&report.tls, report.plain) {
        (Some(facts), _) => tls(&mut details, facts),
        (None, Some(why)) => details.styled("TLS", WARN, &format!("none: {why}")),
        (None, None) => {}
    }
    if let Some(auth) = &report.auth {
        details.line("authentication", &authentication(auth));
    }
    if let Some(session) = &report.session {
        negotiated(&mut details, session);
    }
    if let Some(session) = &report.x {
        x_negotiated(&mut details, session);
    }
}

fn failure(details: &mut Details<'_>, fault: &Fault) {
    if let Some(stage) = fault.stage {
        details.styled("failed in", BAD, stage);
    }
    if let Some(expected) = fault.expected {
        details.line("expected", expected);
    }
    details.line("got", &fault.got);
    let name = fault.name.map(|name| format!(" ({name})")).unwrap_or_default();
    details.line("error", &format!("{}{name}, SQLSTATE {}", fault.errno, fault.sqlstate));
    if let Some(advice) = fault.advice {
        details.styled("advice", GOOD, advice);
    }
}

/// Where the time went.
fn shares(report: &Report) -> String {
    let parts = Part::ALL.into_iter().filter_map(|part| {
        let rows = report.stages.iter().filter(|row| row.part == part);
        let spent: Duration = rows.map(crate::report::Row::time).sum();
        let share =
            if report.total.is_zero() { 0.0 } else { spent.as_secs_f64() / report.total.as_secs_f64() };
        // What rounds to nothing is not worth a word.
        let text = format!("{} {} ({:.0}%)", part.name(), time(spent), share * 100.0);
        (share >= 0.005).then(|| text.replace(' ', NO_BREAK))
    });
    let parts: Vec<_> = parts.collect();
    if parts.is_empty() { "none".to_owned() } else { parts.join(", ") }
}

fn tls(details: &mut Details<'_>, tls: &Tls) {
    let group = tls.group.map(|group| format!(", {group}")).unwrap_or_default();
    let session = if tls.resumed { "session resumed" } else { "new session" };
    details.line("TLS", &format!("{}, {}{group}, {session}", tls.version, tls.cipher));
    let (style, text) = match (tls.chain_verified, tls.name_verified) {
        (true, true) => (GOOD, "verified: issued by a trusted CA, and for this host"),
        (true, false) => (PLAIN, "issued by a trusted CA; not checked to be for this host"),
        _ => (WARN, "not verified: safe from listeners only (ssl-mode=VERIFY_IDENTITY checks it)"),
    };
    details.styled("certificate", style, text);
}

fn authentication(auth: &Auth) -> String {
    let path = auth.path.map(|path| format!(", {path}")).unwrap_or_default();
    let factors = match auth.factors {
        0 | 1 => String::new(),
        factors => format!(", {factors} factors"),
    };
    format!("{}{path}{factors}", auth.plugin)
}

fn negotiated(details: &mut Details<'_>, session: &Session) {
    let collation = session.collation.map_or_else(|| session.collation_id.to_string(), str::to_owned);
    details.line("collation", &collation);
    if let Some(database) = &session.database {
        details.line("database", database);
    }
    let names: Vec<_> =
        session.capabilities.iter().map(|name| name.strip_prefix("CLIENT_").unwrap_or(name)).collect();
    details.line("capabilities", &names.join(" "));
}

fn x_negotiated(details: &mut Details<'_>, session: &XSession) {
    if let Some(id) = session.client_id {
        details.line("client", &id.to_string());
    }
    if let Some(schema) = &session.schema {
        details.line("schema", schema);
    }
    if session.expired {
        details.styled("password", WARN, "expired: all that can be done is to set a new one");
    }
    if session.compressed {
        details.line("compression", "on");
    }
    let mut label = "capabilities";
    for (name, value) in session.capabilities.iter().flatten() {
        details.line(label, &format!("{name}={}", brief(value)));
        label = "";
    }
}
