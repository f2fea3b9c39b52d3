//! Rows in all the forms in which the tool shows them.

mod cell;
mod csv;
mod json;
mod table;

use std::io::{self, Write};

use porpoise::classic::{Columns, RowBatch, RowError};
use porpoise::value::Kind;
use porpoise::xproto;

pub(crate) use self::cell::Cell;
pub(crate) use self::csv::Csv;
pub(crate) use self::json::{Json, JsonLines};
pub(crate) use self::table::Table;

/// Writes the rows of results, as they come.
pub(crate) trait RowWriter {
    /// A result with these columns begins.
    fn begin(&mut self, head: &Head, out: &mut dyn Write) -> io::Result<()>;

    /// A row of it.
    fn row(&mut self, cells: &[Cell<'_>], out: &mut dyn Write) -> io::Result<()>;

    /// It is over, complete or not.
    fn end(&mut self, out: &mut dyn Write) -> io::Result<()>;
}

/// What is the same for all rows of a result.
#[derive(Clone, Debug, Default)]
pub(crate) struct Head {
    pub(crate) names: Vec<String>,
    pub(crate) kinds: Vec<Option<Kind>>,
}

impl Head {
    pub(crate) fn new(columns: &Columns) -> Self {
        let name = |index: usize| match columns.get(index) {
            Some(column) => String::from_utf8_lossy(column.name()).into_owned(),
            // The server was asked for no definitions.
            None => format!("column {}", index + 1),
        };
        Self {
            names: (0..columns.len()).map(name).collect(),
            kinds: (0..columns.len()).map(|index| columns.kind(index)).collect(),
        }
    }

    /// Of a result of the X Protocol.
    pub(crate) fn of_x(columns: &xproto::Columns) -> Self {
        let name = |index: usize| match columns.name(index) {
            Some(name) => String::from_utf8_lossy(name).into_owned(),
            // The metadata is compact.
            None => format!("column {}", index + 1),
        };
        Self {
            names: (0..columns.len()).map(name).collect(),
            kinds: (0..columns.len()).map(|index| columns.kind(index)).collect(),
        }
    }

    /// Whether a column's values are numbers.
    pub(crate) fn is_number(&self, index: usize) -> bool {
        self.kinds.get(index).copied().flatten().is_some_and(cell::is_number)
    }
}

/// Writes all rows of a batch.
pub(crate) fn write(
    writer: &mut dyn RowWriter,
    head: &Head,
    rows: &RowBatch,
    out: &mut dyn Write,
) -> io::Result<Result<(), RowError>> {
    for row in rows {
        let cells = match cell::cells(&row, &head.kinds) {
            Ok(cells) => cells,
            Err(error) => return Ok(Err(error)),
        };
        writer.row(&cells, out)?;
    }
    Ok(Ok(()))
}

/// Writes all rows of a batch of the X Protocol.
pub(crate) fn write_x(
    writer: &mut dyn RowWriter,
    rows: &xproto::RowBatch,
    out: &mut dyn Write,
) -> io::Result<Result<(), xproto::RowError>> {
    let plan = match rows.plan::<cell::Values<'_>>() {
        Ok(plan) => plan,
        Err(error) => return Ok(Err(error.into())),
    };
    for row in rows.typed::<cell::Values<'_>>(&plan) {
        match row {
            Ok(values) => writer.row(&values.into_cells(), out)?,
            Err(error) => return Ok(Err(error)),
        }
    }
    Ok(Ok(()))
}
