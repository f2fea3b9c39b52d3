//! Commands and cells: the server is believed, and what it cannot send here ends the program.

/// `int<lenenc>`; none for NULL.
#[inline]
pub fn lenenc(row: &[u8], at: &mut usize) -> Option<usize> {
    let first = row[*at];
    *at += 1;
    let width = match first {
        0..=250 => return Some(first.into()),
        251 => return None,
        252 => 2,
        253 => 3,
        _ => 8,
    };
    let mut bytes = [0; 8];
    bytes[..width].copy_from_slice(&row[*at..*at + width]);
    *at += width;
    usize::try_from(u64::from_le_bytes(bytes)).ok()
}

/// `string<lenenc>`; none for NULL.
#[inline]
pub fn field<'a>(row: &'a [u8], at: &mut usize) -> Option<&'a [u8]> {
    let len = lenenc(row, at)?;
    let field = &row[*at..*at + len];
    *at += len;
    Some(field)
}

/// A number as text.
#[inline]
#[must_use]
pub fn int(field: &[u8]) -> i64 {
    let (negative, digits) = match field {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    let value = digits.iter().fold(0, |value, digit| value * 10 + i64::from(digit - b'0'));
    if negative { -value } else { value }
}

/// How many bytes a value of a binary row has, with those that tell it; none for a string.
#[inline]
#[must_use]
pub fn binary_len(row: &[u8], at: usize, column_type: u8) -> Option<usize> {
    Some(match column_type {
        1 => 1,
        2 | 13 => 2,
        3 | 4 | 9 => 4,
        5 | 8 => 8,
        7 | 10 | 11 | 12 => 1 + usize::from(row[at]),
        _ => return None,
    })
}

/// Appends a command.
pub fn command(out: &mut Vec<u8>, command: u8, argument: &[u8]) {
    let start = begin(out, command);
    out.extend_from_slice(argument);
    end(out, start);
}

/// A parameter.
#[derive(Clone, Copy, Debug)]
pub enum Param<'a> {
    /// INT
    Int(i32),
    /// VARCHAR of less than 251 bytes
    Text(&'a str),
}

/// Appends COM_STMT_EXECUTE.
pub fn execute(out: &mut Vec<u8>, statement: u32, params: &[Param<'_>]) {
    let start = begin(out, 0x17);
    out.extend_from_slice(&statement.to_le_bytes());
    // no cursor | one iteration
    out.extend_from_slice(&[0, 1, 0, 0, 0]);
    if !params.is_empty() {
        // none is NULL | types follow
        out.extend_from_slice(&[0, 1]);
        for param in params {
            out.extend_from_slice(if matches!(param, Param::Int(_)) { &[3, 0] } else { &[0xfd, 0] });
        }
        for param in params {
            match param {
                Param::Int(value) => out.extend_from_slice(&value.to_le_bytes()),
                Param::Text(text) => {
                    out.push(text.len().to_le_bytes()[0]);
                    out.extend_from_slice(text.as_bytes());
                }
            }
        }
    }
    end(out, start);
}

fn begin(out: &mut Vec<u8>, command: u8) -> usize {
    let start = out.len();
    out.extend_from_slice(&[0, 0, 0, 0, command]);
    start
}

fn end(out: &mut [u8], start: usize) {
    let len = (out.len() - start - 4).to_le_bytes();
    out[start..start + 3].copy_from_slice(&len[..3]);
}
