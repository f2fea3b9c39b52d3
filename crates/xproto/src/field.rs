//! A walk over a message's fields on borrowed bytes, for the messages that come in great numbers.

use porpoise_wire::WireError;

/// A varint has at most this many bytes.
const MAX_VARINT: usize = 10;

/// A field's value, as the wire tells it apart.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Wire<'a> {
    Varint(u64),
    Fixed64([u8; 8]),
    Bytes(&'a [u8]),
    Fixed32([u8; 4]),
}

impl<'a> Wire<'a> {
    /// Bytes, whatever the schema calls them.
    pub(crate) const fn bytes(self) -> Option<&'a [u8]> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    pub(crate) const fn varint(self) -> Option<u64> {
        match self {
            Self::Varint(value) => Some(value),
            _ => None,
        }
    }

    /// A 32-bit number; what does not fit is cut off, as protobuf has it.
    #[expect(clippy::cast_possible_truncation, reason = "protobuf's own rule for a 32-bit field")]
    pub(crate) const fn u32(self) -> Option<u32> {
        match self {
            Self::Varint(value) => Some(value as u32),
            _ => None,
        }
    }
}

/// The fields of a message in the order of their bytes. Nothing follows an error.
#[derive(Clone, Debug)]
pub(crate) struct Fields<'a> {
    left: &'a [u8],
}

impl<'a> Fields<'a> {
    #[inline]
    pub(crate) const fn new(message: &'a [u8]) -> Self {
        Self { left: message }
    }

    /// What is not read yet.
    pub(crate) const fn left(&self) -> &'a [u8] {
        self.left
    }

    fn take(&mut self) -> Result<(u32, Wire<'a>), WireError> {
        let tag = self.varint()?;
        let number = u32::try_from(tag >> 3).ok().filter(|number| *number != 0);
        let number = number.ok_or(WireError::BadValue { field: "field number", value: tag })?;
        let value = match tag & 7 {
            0 => Wire::Varint(self.varint()?),
            1 => Wire::Fixed64(self.fixed()?),
            2 => {
                let len = self.varint()?;
                let len = usize::try_from(len).unwrap_or(usize::MAX);
                let (bytes, left) = self.left.split_at_checked(len).ok_or_else(|| self.short(len))?;
                self.left = left;
                Wire::Bytes(bytes)
            }
            5 => Wire::Fixed32(self.fixed()?),
            // Groups are in no message of this protocol.
            other => return Err(WireError::BadValue { field: "wire type", value: other }),
        };
        Ok((number, value))
    }

    fn fixed<const N: usize>(&mut self) -> Result<[u8; N], WireError> {
        let (value, left) = self.left.split_first_chunk().ok_or_else(|| self.short(N))?;
        self.left = left;
        Ok(*value)
    }

    #[inline]
    fn varint(&mut self) -> Result<u64, WireError> {
        let (value, left) = varint(self.left)?;
        self.left = left;
        Ok(value)
    }

    const fn short(&self, need: usize) -> WireError {
        WireError::Truncated { field: "message", needed: need as u64, left: self.left.len() }
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u32, Wire<'a>), WireError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.left.is_empty() {
            return None;
        }
        let field = self.take();
        if field.is_err() {
            self.left = &[];
        }
        Some(field)
    }
}

/// A varint, and what is behind it. Over-long ones are taken: servers write them.
#[inline]
pub(crate) fn varint(bytes: &[u8]) -> Result<(u64, &[u8]), WireError> {
    if let [byte @ 0..0x80, left @ ..] = bytes {
        return Ok((u64::from(*byte), left));
    }
    long_varint(bytes)
}

fn long_varint(bytes: &[u8]) -> Result<(u64, &[u8]), WireError> {
    let mut value = 0;
    for (i, byte) in bytes.iter().take(MAX_VARINT).enumerate() {
        // Bits above the 64th are dropped, as protobuf has it.
        value |= u64::from(byte & 0x7f) << (7 * i);
        if byte & 0x80 == 0 {
            return Ok((value, bytes.get(i + 1..).unwrap_or_default()));
        }
    }
    match bytes.len() {
        len @ 0..MAX_VARINT => {
            Err(WireError::Truncated { field: "varint", needed: len as u64 + 1, left: len })
        }
        _ => Err(WireError::BadValue { field: "varint", value }),
    }
}

/// The signed number of a zigzag varint.
pub(crate) const fn zigzag(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ -((value & 1).cast_signed())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_every_wire_type() {
        // 1: varint 150 | 2: fixed64 | 3: "ab" | 4: fixed32 | 16: varint 1
        let message = [
            &[0x08, 0x96, 0x01][..],
            &[0x11, 1, 2, 3, 4, 5, 6, 7, 8],
            &[0x1a, 2, b'a', b'b'],
            &[0x25, 1, 2, 3, 4],
            &[0x80, 0x01, 0x01],
        ]
        .concat();
        let fields: Vec<_> = Fields::new(&message).collect::<Result<_, _>>().unwrap();
        let want = [
            (1, Wire::Varint(150)),
            (2, Wire::Fixed64([1, 2, 3, 4, 5, 6, 7, 8])),
            (3, Wire::Bytes(b"ab")),
            (4, Wire::Fixed32([1, 2, 3, 4])),
            (16, Wire::Varint(1)),
        ];
        assert_eq!(fields, want);
        let mut cut_inside = 0;
        for end in 1..message.len() {
            cut_inside += usize::from(Fields::new(&message[..end]).any(|field| field.is_err()));
        }
        // All ends but those between two fields.
        assert_eq!(cut_inside, message.len() - 1 - 4);
    }

    #[test]
    fn what_is_no_field_ends_the_walk() {
        // field 0 | a group | a length that reaches beyond the end, by far
        for message in
            [&[0x00, 1][..], &[0x0b, 0x0c], &[0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]]
        {
            let mut fields = Fields::new(message);
            assert!(fields.next().is_some_and(|field| field.is_err()), "{message:x?}");
            assert_eq!(fields.next(), None);
        }
    }

    #[test]
    fn varints() {
        for (bytes, value) in [
            (&[0][..], 0),
            (&[0x80, 0x00], 0),
            (&[0x80, 0x80, 0x80, 0], 0),
            (&[0xe8, 0x0f], 2024),
            (&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01], u64::MAX),
        ] {
            assert_eq!(varint(bytes), Ok((value, &[][..])), "{bytes:x?}");
        }
        assert!(matches!(varint(&[0x80; 9]), Err(WireError::Truncated { needed: 10, left: 9, .. })));
        assert!(matches!(varint(&[0x80; 11]), Err(WireError::BadValue { .. })));
    }

    #[test]
    fn zigzag_numbers() {
        for (wire, value) in
            [(0, 0), (1, -1), (2, 1), (9, -5), (u64::MAX, i64::MIN), (u64::MAX - 1, i64::MAX)]
        {
            assert_eq!(zigzag(wire), value);
        }
    }
}
