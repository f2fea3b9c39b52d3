use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::{self, Write};
use std::time::{Duration, Instant};

use unicode_width::UnicodeWidthStr as _;

use super::{Cell, Head, RowWriter};
use crate::text::{BOLD, DIM, PLAIN};

/// So many rows are held back to measure the columns; those behind them are shown as they come.
const MEASURED: usize = 1000;
/// And no longer than this.
const PATIENCE: Duration = Duration::from_millis(500);

/// A table for people: numbers to the right, columns as wide as their first rows need.
///
/// Where that is more than the terminal has, each row is shown with a line for each column.
#[derive(Debug)]
pub(crate) struct Table {
    /// Columns of the terminal; none if there is none.
    room: Option<usize>,
    head: Head,
    widths: Vec<usize>,
    held: Vec<Vec<Shown>>,
    begun: Instant,
    shape: Shape,
    rows: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    /// Rows are held back.
    Unknown,
    Lines,
    /// A line for each column.
    Tall,
}

#[derive(Debug)]
struct Shown {
    text: String,
    width: usize,
    style: anstyle::Style,
}

impl Table {
    /// `room`: columns of the terminal, if the table goes to one.
    pub(crate) fn new(room: Option<usize>) -> Self {
        Self {
            room,
            head: Head::default(),
            widths: Vec::new(),
            held: Vec::new(),
            begun: Instant::now(),
            shape: Shape::Unknown,
            rows: 0,
        }
    }

    /// Decides what the table looks like, and shows what was held back.
    fn settle(&mut self, out: &mut dyn Write) -> io::Result<()> {
        let width: usize = self.widths.iter().map(|width| width + 2).sum::<usize>().saturating_sub(2);
        let fits = self.room.is_none_or(|room| width <= room);
        self.shape = if fits { Shape::Lines } else { Shape::Tall };
        if self.shape == Shape::Lines {
            self.lines_head(out)?;
        }
        std::mem::take(&mut self.held).iter().try_for_each(|row| self.show(row, out))
    }

    fn lines_head(&self, out: &mut dyn Write) -> io::Result<()> {
        let names: Vec<_> = self
            .head
            .names
            .iter()
            .map(|name| {
                let text = escape(name).into_owned();
                Shown { width: text.width(), text, style: BOLD }
            })
            .collect();
        self.line(&names, out)?;
        let rules: Vec<_> = self.widths.iter().map(|width| "─".repeat(*width)).collect();
        writeln!(out, "{DIM}{}{DIM:#}", rules.join("  "))
    }

    fn line(&self, cells: &[Shown], out: &mut dyn Write) -> io::Result<()> {
        let mut line = String::new();
        let last = cells.len().saturating_sub(1);
        for (i, (cell, width)) in cells.iter().zip(&self.widths).enumerate() {
            if i > 0 {
                line.push_str("  ");
            }
            let gap = width.saturating_sub(cell.width);
            let (before, after) = if self.head.is_number(i) { (gap, 0) } else { (0, gap) };
            let after = if i == last { 0 } else { after };
            let style = cell.style;
            // Writing to a string cannot fail.
            let _ = write!(line, "{:before$}{style}{}{style:#}{:after$}", "", cell.text, "");
        }
        writeln!(out, "{line}")
    }

    fn show(&mut self, cells: &[Shown], out: &mut dyn Write) -> io::Result<()> {
        self.rows += 1;
        if self.shape == Shape::Lines {
            return self.line(cells, out);
        }
        writeln!(out, "{DIM}── row {}{DIM:#}", self.rows)?;
        let widest = self.head.names.iter().map(|name| escape(name).width()).max().unwrap_or_default();
        for (name, cell) in self.head.names.iter().zip(cells) {
            let name = escape(name);
            let (gap, style) = (widest - name.width(), cell.style);
            writeln!(out, "{:gap$}{BOLD}{name}{BOLD:#}: {style}{}{style:#}", "", cell.text)?;
        }
        Ok(())
    }
}

impl RowWriter for Table {
    fn begin(&mut self, head: &Head, _: &mut dyn Write) -> io::Result<()> {
        self.head = head.clone();
        self.widths = head.names.iter().map(|name| escape(name).width()).collect();
        self.held.clear();
        (self.shape, self.rows, self.begun) = (Shape::Unknown, 0, Instant::now());
        Ok(())
    }

    fn row(&mut self, cells: &[Cell<'_>], out: &mut dyn Write) -> io::Result<()> {
        let row: Vec<_> = cells.iter().map(Shown::new).collect();
        if self.shape != Shape::Unknown {
            return self.show(&row, out);
        }
        for (width, cell) in self.widths.iter_mut().zip(&row) {
            *width = cell.width.max(*width);
        }
        self.held.push(row);
        if self.held.len() >= MEASURED || self.begun.elapsed() >= PATIENCE {
            self.settle(out)
        } else {
            Ok(())
        }
    }

    fn end(&mut self, out: &mut dyn Write) -> io::Result<()> {
        if self.shape == Shape::Unknown { self.settle(out) } else { Ok(()) }
    }
}

impl Shown {
    fn new(cell: &Cell<'_>) -> Self {
        let text = escape(&cell.plain()).into_owned();
        let style = if *cell == Cell::Null { DIM } else { PLAIN };
        Self { width: text.width(), text, style }
    }
}

/// Control characters shown, not done: they could move the cursor, or pretend to be other rows.
fn escape(text: &str) -> Cow<'_, str> {
    if !text.bytes().all(|byte| matches!(byte, b' '..=b'~')) && text.contains(char::is_control) {
        let shown = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.to_string() };
        text.chars().map(shown).collect::<String>().into()
    } else {
        text.into()
    }
}

#[cfg(test)]
mod tests {
    use porpoise::value::Kind;

    use super::*;

    fn shown(room: Option<usize>, rows: usize) -> String {
        let mut out = Vec::new();
        let head = Head {
            names: vec!["id".into(), "name".into(), "note".into()],
            kinds: vec![Some(Kind::Int { bits: 32, unsigned: false }), Some(Kind::Text), None],
        };
        let names = ["Ölaf", "海豚", "e\u{301}", "\u{1b}[31m\n"];
        let mut table = Table::new(room);
        table.begin(&head, &mut out).unwrap();
        for (i, name) in names.into_iter().enumerate().take(rows) {
            let cells = [
                Cell::Number((10_usize.pow(u32::try_from(i).unwrap())).to_string().into()),
                Cell::Text(name.into()),
                if i == 1 { Cell::Null } else { Cell::Text("x".into()) },
            ];
            table.row(&cells, &mut out).unwrap();
        }
        table.end(&mut out).unwrap();
        anstream::adapter::strip_bytes(&out).into_vec().try_into().unwrap()
    }

    #[test]
    fn tables() {
        insta::assert_snapshot!("a_table", shown(None, 4));
        insta::assert_snapshot!("a_table_without_rows", shown(None, 0));
        insta::assert_snapshot!("a_table_that_is_too_wide", shown(Some(20), 4));
    }

    #[test]
    fn rows_behind_the_measured_ones_come_at_once() {
        let mut out = Vec::new();
        let head = Head { names: vec!["a".into()], kinds: vec![None] };
        let mut table = Table::new(None);
        table.begin(&head, &mut out).unwrap();
        for _ in 0..MEASURED - 1 {
            table.row(&[Cell::Text("1".into())], &mut out).unwrap();
        }
        // A slow machine may have lost patience.
        assert!(out.is_empty() || table.begun.elapsed() >= PATIENCE);
        table.row(&[Cell::Text("1".into())], &mut out).unwrap();
        let before = out.len();
        table.row(&[Cell::Text("wider than all".into())], &mut out).unwrap();
        assert!(before > MEASURED && out.len() > before);
    }
}
