use std::io::{self, Write};

use super::{Cell, Head, RowWriter};

/// CSV after RFC 4180: a header line, fields with commas between, lines that end with CRLF.
///
/// NULL is an empty field, the empty string is `""`. An empty line is between two results.
#[derive(Debug, Default)]
pub(crate) struct Csv {
    results: u32,
}

impl RowWriter for Csv {
    fn begin(&mut self, head: &Head, out: &mut dyn Write) -> io::Result<()> {
        if self.results > 0 {
            out.write_all(b"\r\n")?;
        }
        self.results += 1;
        line(out, head.names.iter().map(|name| Some(&**name)))
    }

    fn row(&mut self, cells: &[Cell<'_>], out: &mut dyn Write) -> io::Result<()> {
        for (i, cell) in cells.iter().enumerate() {
            if i > 0 {
                out.write_all(b",")?;
            }
            if *cell != Cell::Null {
                field(out, &cell.plain())?;
            }
        }
        out.write_all(b"\r\n")
    }

    fn end(&mut self, _: &mut dyn Write) -> io::Result<()> {
        Ok(())
    }
}

fn line<'a>(out: &mut dyn Write, fields: impl Iterator<Item = Option<&'a str>>) -> io::Result<()> {
    for (i, text) in fields.enumerate() {
        if i > 0 {
            out.write_all(b",")?;
        }
        if let Some(text) = text {
            field(out, text)?;
        }
    }
    out.write_all(b"\r\n")
}

/// A field, in quotes where it needs them.
fn field(out: &mut dyn Write, text: &str) -> io::Result<()> {
    let plain = |byte: u8| !matches!(byte, b'"' | b',' | b'\r' | b'\n');
    if !text.is_empty() && text.bytes().all(plain) {
        return out.write_all(text.as_bytes());
    }
    write!(out, "\"{}\"", text.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields() {
        let mut out = Vec::new();
        let mut csv = Csv::default();
        let head = Head { names: vec!["a".into(), "b,c".into(), String::new()], kinds: vec![None; 3] };
        for _ in 0..2 {
            csv.begin(&head, &mut out).unwrap();
            csv.row(&[Cell::Null, Cell::Text("".into()), Cell::Number("1".into())], &mut out).unwrap();
            csv.row(
                &[Cell::Text("x\"y".into()), Cell::Text("l1\nl2".into()), Cell::Binary(b"\x01"[..].into())],
                &mut out,
            )
            .unwrap();
            csv.end(&mut out).unwrap();
        }
        let one = "a,\"b,c\",\"\"\r\n,\"\",1\r\n\"x\"\"y\",\"l1\nl2\",0x01\r\n";
        assert_eq!(String::from_utf8(out).unwrap(), format!("{one}\r\n{one}"));
    }
}
