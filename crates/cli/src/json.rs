//! One object with everything.

use std::io::{self, Write};

use serde::Serialize;

/// Writes a report, or statistics.
pub(crate) fn write(out: &mut impl Write, report: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, report)?;
    writeln!(out)
}

#[cfg(test)]
mod tests {
    use crate::report::samples;
    use crate::stats::Stats;

    fn text(report: &impl serde::Serialize) -> String {
        let mut out = Vec::new();
        super::write(&mut out, report).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn objects() {
        let mut connected = samples::connected();
        connected.stages.truncate(1);
        insta::assert_snapshot!("connected", text(&connected));
        let mut failed = samples::failed();
        failed.stages.clear();
        insta::assert_snapshot!("failed", text(&failed));
        insta::assert_snapshot!("repeated", text(&Stats::of(&[connected, failed]).unwrap()));
    }
}
