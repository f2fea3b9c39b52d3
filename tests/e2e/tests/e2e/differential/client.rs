//! The mysql command-line client, and what it says in the forms that it has.

use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use porpoise_test_support::{Program, Server};
use roxmltree::Document;

use super::said::{Column, Failed, Said, Table};
use crate::tool;

/// Ends a statement for the client. Nothing else has it.
const DELIMITER: &str = "//";

/// Runs statements by the client, twice: once for what it tells of columns and counts, once for the values.
pub(super) fn run(
    program: &Program,
    server: &Server,
    schema: &str,
    statements: &[&str],
) -> Result<Vec<Said>> {
    let script: Vec<String> =
        statements.iter().map(|statement| format!("{statement}{DELIMITER}\n")).collect();
    let script = format!("delimiter {DELIMITER}\n{}", script.concat());
    let command = |form: &[&str]| {
        let mut command = Command::new(&program.program);
        command.args(&program.args).args([
            "--no-defaults",
            "--host",
            &server.host,
            "--user",
            &server.root_user,
        ]);
        command.arg(format!("--port={}", server.port)).arg(format!("--database={schema}"));
        command.args(["--default-character-set=utf8mb4", "--binary-as-hex", "--force"]).args(form);
        command.env("MYSQL_PWD", &server.root_password);
        command
    };
    let told = tool::told(&mut command(&["-vvv", "--table", "--column-type-info"]), &script)?;
    let mut said = outline(&told.stdout, statements)?;
    for (line, failed) in failures(&told.stderr) {
        // The first line sets the delimiter.
        let statement =
            said.get_mut(line.wrapping_sub(2)).with_context(|| format!("an error in line {line}"))?;
        statement.failed = Some(failed);
    }
    let told = tool::told(&mut command(&["--xml"]), &script)?;
    let mut values = values(&told.stdout)?.into_iter();
    for table in said.iter_mut().flat_map(|said| &mut said.tables).filter(|table| !table.columns.is_empty()) {
        table.rows = values.next().context("a result without values")?;
    }
    ensure!(values.next().is_none(), "values without a result");
    Ok(said)
}

/// What `-vvv --table --column-type-info` says of each statement, but the values.
fn outline(text: &str, statements: &[&str]) -> Result<Vec<Said>> {
    const RULE: &str = "--------------";
    let mut said: Vec<Said> = Vec::new();
    let mut lines = text.lines().peekable();
    let mut table = Table::default();
    while let Some(line) = lines.next() {
        if line == RULE {
            let echoed = lines.next();
            let due = statements.get(said.len()).copied();
            ensure!(echoed == due && lines.next() == Some(RULE), "{due:?} is echoed as {echoed:?}");
            (table, _) = (Table::default(), said.push(Said::default()));
            continue;
        }
        let Some(current) = said.last_mut() else { continue };
        if let Some((_, name)) = line.strip_prefix("Field ").and_then(|field| field.split_once(":  `")) {
            let name = name.strip_suffix('`').context("a name with a line's end")?;
            table.columns.push(Column { name: name.to_owned(), ..Column::default() });
        } else if let Some((key, value)) = line.split_once(": ").filter(|_| !line.starts_with(['|', '+'])) {
            let value = value.trim();
            match table.columns.last_mut() {
                // What follows `Query OK`.
                _ if matches!(key, "Rows matched" | "Records") => {
                    current.tables.last_mut().context("info of nothing")?.info = line.to_owned();
                }
                Some(column) => column.set(key, value)?,
                None => {}
            }
        } else if let Some(counts) = counts(line) {
            current.tables.push(Table { columns: std::mem::take(&mut table.columns), ..counts });
        }
    }
    ensure!(said.len() == statements.len(), "{} statements of {}", said.len(), statements.len());
    Ok(said)
}

/// `2 rows in set, 1 warning (0.00 sec)`, `Query OK, 3 rows affected (0.01 sec)`
fn counts(line: &str) -> Option<Table> {
    let (said, _) = line.strip_suffix(" sec)")?.rsplit_once(" (")?;
    let mut parts = said.split(", ");
    let number = |part: &str, unit: &str| -> Option<u64> {
        let (number, rest) = part.split_once(' ')?;
        rest.starts_with(unit).then(|| number.parse().ok()).flatten()
    };
    let mut table = Table::default();
    match parts.next()? {
        "Query OK" => table.affected = Some(number(parts.next()?, "row")?),
        "Empty set" => table.count = Some(0),
        rows => table.count = usize::try_from(number(rows.strip_suffix(" in set")?, "row")?).ok(),
    }
    let warnings = parts.next().and_then(|part| number(part, "warning")).unwrap_or(0);
    table.warnings = u16::try_from(warnings).ok()?;
    Some(table)
}

/// `ERROR 1054 (42S22) at line 10: Unknown column`
fn failures(text: &str) -> impl Iterator<Item = (usize, Failed)> {
    text.lines().filter_map(|line| {
        let (number, rest) = line.strip_prefix("ERROR ")?.split_once(" (")?;
        let (sqlstate, rest) = rest.split_once(") at line ")?;
        let (at, message) = rest.split_once(": ")?;
        let failed = Failed {
            number: number.parse().ok()?,
            sqlstate: sqlstate.to_owned(),
            message: message.to_owned(),
        };
        Some((at.parse().ok()?, failed))
    })
}

/// The rows of each result, from `--xml`.
fn values(text: &str) -> Result<Vec<Vec<Vec<Option<String>>>>> {
    let documents = text.split("<?xml version=\"1.0\"?>").map(str::trim).filter(|text| !text.is_empty());
    let results = documents.map(|text| {
        let document = Document::parse(text).with_context(|| text.chars().take(200).collect::<String>())?;
        let rows = document.root_element().children().filter(|node| node.has_tag_name("row"));
        let cells = |row: roxmltree::Node<'_, '_>| {
            let fields = row.children().filter(|node| node.has_tag_name("field"));
            let nil = ("http://www.w3.org/2001/XMLSchema-instance", "nil");
            let cell = |field: roxmltree::Node<'_, '_>| {
                let is_null = field.attribute(nil) == Some("true");
                (!is_null).then(|| field.text().unwrap_or_default().to_owned())
            };
            fields.map(cell).collect()
        };
        Ok(rows.map(cells).collect())
    });
    results.collect()
}
