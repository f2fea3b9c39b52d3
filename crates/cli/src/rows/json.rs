use std::collections::HashSet;
use std::io::{self, Write};

use serde::de::IgnoredAny;

use super::{Cell, Head, RowWriter};

/// An array for each result, an object for each row.
///
/// Numbers have all digits that the server sent; bytes that are no text are strings such as `"0x00FF"`. A JSON
/// document is put in as it is. Of columns with the same name the second is `name_2`.
#[derive(Debug, Default)]
pub(crate) struct Json {
    keys: Vec<String>,
    rows: u64,
}

/// An object a line for each row; else as [`Json`].
#[derive(Debug, Default)]
pub(crate) struct JsonLines {
    keys: Vec<String>,
}

impl RowWriter for Json {
    fn begin(&mut self, head: &Head, out: &mut dyn Write) -> io::Result<()> {
        (self.keys, self.rows) = (keys(head), 0);
        out.write_all(b"[")
    }

    fn row(&mut self, cells: &[Cell<'_>], out: &mut dyn Write) -> io::Result<()> {
        out.write_all(if self.rows == 0 { b"\n  " } else { b",\n  " })?;
        self.rows += 1;
        object(out, &self.keys, cells)
    }

    fn end(&mut self, out: &mut dyn Write) -> io::Result<()> {
        out.write_all(if self.rows == 0 { b"]\n" } else { b"\n]\n" })
    }
}

impl RowWriter for JsonLines {
    fn begin(&mut self, head: &Head, _: &mut dyn Write) -> io::Result<()> {
        self.keys = keys(head);
        Ok(())
    }

    fn row(&mut self, cells: &[Cell<'_>], out: &mut dyn Write) -> io::Result<()> {
        object(out, &self.keys, cells)?;
        out.write_all(b"\n")
    }

    fn end(&mut self, _: &mut dyn Write) -> io::Result<()> {
        Ok(())
    }
}

/// The columns' names as JSON strings, each once.
fn keys(head: &Head) -> Vec<String> {
    let mut taken: HashSet<String> = head.names.iter().cloned().collect();
    let mut seen = HashSet::new();
    let unique = |name: &String| {
        if seen.insert(name.clone()) {
            return name.clone();
        }
        let mut others = (2_u32..).map(|n| format!("{name}_{n}"));
        others.find(|other| taken.insert(other.clone())).unwrap_or_default()
    };
    let string = |name: String| serde_json::Value::from(name).to_string();
    head.names.iter().map(unique).map(string).collect()
}

fn object(out: &mut dyn Write, keys: &[String], cells: &[Cell<'_>]) -> io::Result<()> {
    out.write_all(b"{")?;
    for (i, (key, cell)) in keys.iter().zip(cells).enumerate() {
        if i > 0 {
            out.write_all(b", ")?;
        }
        write!(out, "{key}: ")?;
        value(out, cell)?;
    }
    out.write_all(b"}")
}

fn value(out: &mut dyn Write, cell: &Cell<'_>) -> io::Result<()> {
    match cell {
        Cell::Null => out.write_all(b"null"),
        Cell::Number(digits) => {
            let digits = number(digits);
            // What JSON does not take for a number stays text.
            if is_json(digits) { out.write_all(digits.as_bytes()) } else { string(out, digits) }
        }
        Cell::Json(text) if is_json(text) && !text.contains('\n') => out.write_all(text.as_bytes()),
        cell => string(out, &cell.plain()),
    }
}

fn string(out: &mut dyn Write, text: &str) -> io::Result<()> {
    serde_json::to_writer(out, text).map_err(Into::into)
}

/// Without the zeros that ZEROFILL puts before it.
fn number(digits: &str) -> &str {
    let stripped = digits.trim_start_matches('0');
    match stripped.chars().next() {
        Some('0'..='9') => stripped,
        _ if digits.len() > stripped.len() => {
            digits.get(digits.len() - stripped.len() - 1..).unwrap_or(digits)
        }
        _ => digits,
    }
}

fn is_json(text: &str) -> bool {
    serde_json::from_str::<IgnoredAny>(text).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(writer: &mut dyn RowWriter, names: &[&str], rows: &[Vec<Cell<'_>>]) -> String {
        let mut out = Vec::new();
        let head =
            Head { names: names.iter().map(|&name| name.into()).collect(), kinds: vec![None; names.len()] };
        writer.begin(&head, &mut out).unwrap();
        rows.iter().for_each(|row| writer.row(row, &mut out).unwrap());
        writer.end(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn rows() {
        let row = || {
            vec![
                Cell::Number("18446744073709551615".into()),
                Cell::Null,
                Cell::Json("{\"k\": [1, 2]}".into()),
                Cell::Text("a\"\u{1b}".into()),
                Cell::Binary(b"\x00\xff"[..].into()),
            ]
        };
        let object = "{\"n\": 18446744073709551615, \"x\": null, \"x_2\": {\"k\": [1, 2]}, \"t\": \"a\\\"\\u001b\", \"b\": \"0x00FF\"}";
        let names = ["n", "x", "x", "t", "b"];
        assert_eq!(
            shown(&mut Json::default(), &names, &[row(), row()]),
            format!("[\n  {object},\n  {object}\n]\n")
        );
        assert_eq!(shown(&mut JsonLines::default(), &names, &[row()]), format!("{object}\n"));
        assert_eq!(shown(&mut Json::default(), &names, &[]), "[]\n");
    }

    #[test]
    fn numbers() {
        for (digits, json) in [
            ("007", "7"),
            ("0", "0"),
            ("000", "0"),
            ("00.50", "0.50"),
            ("-0.50", "-0.50"),
            ("1e20", "1e20"),
            ("nan", "nan"),
        ] {
            assert_eq!(number(digits), json);
        }
        let mut out = Vec::new();
        value(&mut out, &Cell::Number("nan".into())).unwrap();
        value(&mut out, &Cell::Json("{".into())).unwrap();
        assert_eq!(out, b"\"nan\"\"{\"");
    }

    #[test]
    fn names_that_come_twice() {
        let head = Head { names: ["a", "a", "a_2", "a"].map(str::to_owned).to_vec(), kinds: Vec::new() };
        assert_eq!(keys(&head), ["\"a\"", "\"a_3\"", "\"a_2\"", "\"a_4\""]);
    }
}
