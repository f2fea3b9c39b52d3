//! `cargo xtask codegen`: spec tables (`xtask/spec/*.toml`) and messages (`xtask/proto`) to checked-in Rust and to parts of the docs.
//!
//! Everything is rendered in memory first; then the files are written or, with `--check`, compared.

mod docs;
mod enums;
mod flags;
mod life_cycle;
mod output;
mod proto;
mod spec;
mod tables;
mod text;

use std::path::Path;

use anyhow::{Context as _, Result, bail};
use output::Output;

/// Turn the spec tables into Rust and diagrams.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Write nothing; fail if a generated file differs.
    #[arg(long)]
    check: bool,
}

/// Checks every generated file.
pub(crate) fn check() -> Result<()> {
    run(Args { check: true })
}

/// Writes every generated file, or checks them all.
pub(crate) fn run(args: Args) -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask has no parent folder")?;
    let outputs = render(root)?;
    let changed = output::compare(root, &outputs)?;
    if args.check {
        for difference in &changed {
            eprintln!("{difference}");
        }
        if !changed.is_empty() {
            bail!("{} generated files differ; run `cargo xtask codegen`", changed.len());
        }
        return Ok(());
    }
    for difference in &changed {
        println!("{}", difference.path().display());
    }
    output::write(root, &changed)
}

fn render(root: &Path) -> Result<Vec<Output>> {
    let spec = spec::Spec::read(&root.join("xtask/spec"))?;
    let messages = proto::compile(&root.join("xtask/proto"))?;
    let mut files = vec![
        Output::rust("crates/trace/src/generated/protocol_stage.rs", enums::protocol_stages(&spec.protocol)),
        Output::rust("crates/trace/src/generated/event_kind.rs", enums::trace_events(&spec.events)),
        Output::rust("crates/classic-connect/src/generated/stage.rs", enums::connect_stages(&spec.connect)),
        Output::rust("crates/classic/src/generated/command.rs", enums::commands(&spec.commands)),
        Output::rust("crates/classic/src/generated/column_type.rs", enums::column_types(&spec.column_types)),
        Output::rust(
            "crates/classic/src/generated/capability.rs",
            flags::render("capability_flags", &spec.capabilities),
        ),
        Output::rust("crates/classic/src/generated/status.rs", flags::render("status_flags", &spec.status)),
        Output::rust(
            "crates/classic/src/generated/column_flag.rs",
            flags::render("column_flags", &spec.column_flags),
        ),
        Output::rust("crates/classic/src/generated/collation.rs", tables::collations(&spec.collations)),
        Output::rust(
            "crates/classic/src/generated/server_error.rs",
            tables::server_errors(&spec.server_errors),
        ),
        Output::rust(
            "crates/classic/src/generated/client_error.rs",
            tables::client_errors(&spec.client_errors),
        ),
        Output::rust("crates/xproto/src/generated/life_cycle.rs", life_cycle::states(&spec.life_cycle)),
        Output::rust("crates/cli/src/generated/descriptors.rs", proto::descriptors(messages.clone())),
        Output::rust("crates/xproto/src/generated/mysqlx.rs", proto::render(messages)?),
    ];
    files.extend(output::module_files(&files));
    output::format(root, &mut files)?;
    files.push(docs::stages(root, &spec)?);
    files.push(docs::tracing(root, &spec)?);
    files.push(docs::life_cycle(root, &spec)?);
    Ok(files)
}
