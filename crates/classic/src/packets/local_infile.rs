use porpoise_wire::{Reader, WireError};

use super::header;

/// The server asks for a file of the client, in reply to LOAD DATA LOCAL INFILE.
///
/// | type | field |
/// |---|---|
/// | `int<1>` | header: 0xFB |
/// | `string<EOF>` | filename, in the connection's character set |
///
/// A hostile server may ask for any file in reply to any query. Follows "MySQL Source Code Documentation: LOCAL
/// INFILE Request".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocalInfileRequest<'a> {
    file_name: &'a [u8],
}

impl<'a> LocalInfileRequest<'a> {
    /// The header.
    pub const HEADER: u8 = 0xfb;

    /// Parses a payload.
    ///
    /// # Errors
    /// [`WireError::BadValue`] for another header, [`WireError::Truncated`] for an empty payload.
    pub fn parse(payload: &'a [u8]) -> Result<Self, WireError> {
        let mut r = Reader::new(payload);
        header(&mut r, "LOCAL INFILE header", &[Self::HEADER])?;
        Ok(Self { file_name: r.rest() })
    }

    /// The file that the server names.
    #[must_use]
    pub const fn file_name(&self) -> &'a [u8] {
        self.file_name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rest_is_the_name() {
        assert_eq!(LocalInfileRequest::parse(b"\xfbok.txt").unwrap().file_name(), b"ok.txt");
        assert_eq!(LocalInfileRequest::parse(b"\xfb").unwrap().file_name(), b"");
        assert!(LocalInfileRequest::parse(b"\x00ok.txt").is_err());
    }
}
