//! The generated parts of `docs/stages.md` and `docs/tracing.md`: diagrams and tables between markers.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail};

use super::life_cycle;
use super::output::Output;
use super::spec::{ConnectStages, ProtocolStages, Source, Spec, TraceEvents};

pub(super) fn stages(root: &Path, spec: &Spec) -> Result<Output> {
    let parts = [
        ("connect-diagram", connect_diagram(&spec.connect)),
        ("connect-table", connect_table(&spec.connect)),
    ];
    page(root, "docs/stages.md", &parts)
}

pub(super) fn life_cycle(root: &Path, spec: &Spec) -> Result<Output> {
    let parts = [
        ("life-cycle-diagram", life_cycle::diagram(&spec.life_cycle)),
        ("life-cycle-states", life_cycle::table(&spec.life_cycle)),
        ("life-cycle-messages", life_cycle::messages(&spec.life_cycle)),
    ];
    page(root, "docs/life-cycle.md", &parts)
}

pub(super) fn tracing(root: &Path, spec: &Spec) -> Result<Output> {
    let differ = |keep: Source| edge_table(&spec.protocol, &|source| source == keep);
    let parts = [
        ("protocol-diagram", protocol_diagram(&spec.protocol)),
        ("protocol-stages", protocol_table(&spec.protocol)),
        ("protocol-edges", edge_table(&spec.protocol, &|_| true)),
        ("documented-only", differ(Source::Documented)),
        ("observed-only", differ(Source::Observed)),
        ("trace-events", event_table(&spec.events)),
    ];
    page(root, "docs/tracing.md", &parts)
}

/// The page as it is, with its generated parts renewed.
fn page(root: &Path, path: &str, parts: &[(&str, String)]) -> Result<Output> {
    let mut text = fs::read_to_string(root.join(path)).context(path.to_owned())?;
    for (name, body) in parts {
        text = replace(&text, name, body).with_context(|| format!("{path}: {name}"))?;
    }
    let known = text.matches("<!-- generated: ").count();
    if known != parts.len() {
        bail!("{path}: {known} generated parts are marked, {} exist", parts.len());
    }
    Ok(Output { path: path.into(), text })
}

/// `text` with everything between the part's marker and the end marker replaced by `body`.
fn replace(text: &str, name: &str, body: &str) -> Result<String> {
    let start = format!("<!-- generated: {name} -->\n");
    let (before, rest) = text.split_once(&start).context("no marker for this part")?;
    let (old, after) = rest.split_once("<!-- end -->").context("no end marker")?;
    if old.contains("<!-- generated: ") {
        bail!("no end marker before the next part");
    }
    Ok(format!("{before}{start}\n{body}\n<!-- end -->{after}"))
}

fn connect_diagram(spec: &ConnectStages) -> String {
    let mut out = String::from("```mermaid\nstateDiagram-v2\n");
    for stage in &spec.stage {
        for next in &stage.next {
            let label = if stage.name == "COMPLETE" { ": COM_CHANGE_USER" } else { "" };
            let _ = writeln!(out, "    {} --> {next}{label}", stage.name);
        }
    }
    out + "```\n"
}

fn connect_table(spec: &ConnectStages) -> String {
    let mut out =
        String::from("| number | name | what it does | may wait for | next |\n|---|---|---|---|---|\n");
    for stage in &spec.stage {
        let _ = writeln!(
            out,
            "| {} | {} | {} | {} | {} |",
            stage.number,
            stage.name,
            stage.does,
            stage.waits.as_deref().unwrap_or("-"),
            if stage.next.is_empty() { "-".to_owned() } else { stage.next.join(", ") }
        );
    }
    out
}

fn protocol_diagram(spec: &ProtocolStages) -> String {
    let mut out = String::from("```mermaid\nstateDiagram-v2\n");
    for edge in &spec.edge {
        let label = match edge.source {
            Source::Both => String::new(),
            only => format!(": only {}", only.name()),
        };
        let _ = writeln!(out, "    {} --> {}{label}", edge.from, edge.to);
    }
    out + "```\n"
}

fn protocol_table(spec: &ProtocolStages) -> String {
    let mut out = String::from("| number | stage | meaning |\n|---|---|---|\n");
    for stage in &spec.stage {
        let _ = writeln!(out, "| {} | {} | {} |", stage.number, stage.name, stage.does);
    }
    out
}

fn edge_table(spec: &ProtocolStages, keep: &dyn Fn(Source) -> bool) -> String {
    let mut out = String::from("| from | to | drawn by | when |\n|---|---|---|---|\n");
    for edge in spec.edge.iter().filter(|edge| keep(edge.source)) {
        let _ = writeln!(out, "| {} | {} | {} | {} |", edge.from, edge.to, edge.source.name(), edge.when);
    }
    out
}

fn event_table(spec: &TraceEvents) -> String {
    let mut out = String::from("| number | event | moment | stage | arguments |\n|---|---|---|---|---|\n");
    for event in &spec.event {
        let args = if event.args.is_empty() { "-" } else { &event.args };
        let _ = writeln!(
            out,
            "| {} | {} | {} | {} | {args} |",
            event.number, event.name, event.moment, event.stage
        );
    }
    out
}

#[cfg(test)]
mod tests {
    use super::replace;

    #[test]
    fn only_the_marked_part_changes() {
        let page = "a\n<!-- generated: x -->\nold\n<!-- end -->\nb\n";
        let renewed = replace(page, "x", "new\n").unwrap();
        assert_eq!(renewed, "a\n<!-- generated: x -->\n\nnew\n\n<!-- end -->\nb\n");
        assert_eq!(replace(&renewed, "x", "new\n").unwrap(), renewed);
    }

    #[test]
    fn a_missing_marker_is_an_error() {
        assert!(replace("<!-- end -->", "x", "").is_err());
        assert!(replace("<!-- generated: x -->\n", "x", "").is_err());
        let open = "<!-- generated: x -->\n<!-- generated: y -->\n<!-- end -->";
        assert!(replace(open, "x", "").is_err());
    }
}
