//! Values that the X Protocol sends in forms of its own: packed DECIMALs, and SETs member by member.

use std::fmt;

use crate::{ConvertError, Decimal, DecimalRef};

/// MySQL's DECIMAL has 65 digits at most; here is room for some more.
const MAX_DIGITS: usize = 72;
/// A sign, a zero before the point, the point, the digits.
const MAX_TEXT: usize = MAX_DIGITS + 3;

/// A DECIMAL as packed digits, borrowed: a byte that says how many digits are behind the point, then two digits a byte,
/// a half-byte for the sign (`c` plus, `d` minus), and one more if that is needed to fill the last byte.
///
/// [`unpack`](Self::unpack) makes text of it, without an allocation. Equality is that of the bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PackedDecimal<'a> {
    bytes: &'a [u8],
    digits: u8,
}

impl<'a> PackedDecimal<'a> {
    /// Checks the bytes.
    ///
    /// # Errors
    /// [`ConvertError::Malformed`].
    pub fn parse(bytes: &'a [u8]) -> Result<Self, ConvertError> {
        let (scale, packed) = bytes.split_first().ok_or(ConvertError::Malformed)?;
        let mut digits = 0_u8;
        let mut rest = halves(packed);
        let sign = rest.find(|half| {
            digits = digits.saturating_add(u8::from(*half <= 9));
            *half > 9
        });
        let fits = usize::from(digits.max(*scale)) <= MAX_DIGITS && digits > 0;
        // Behind the sign is what fills its byte, and nothing else.
        if sign.is_none() || !fits || rest.next().unwrap_or(0) != 0 || rest.next().is_some() {
            return Err(ConvertError::Malformed);
        }
        Ok(Self { bytes, digits })
    }

    /// The bytes.
    #[must_use]
    pub const fn as_bytes(self) -> &'a [u8] {
        self.bytes
    }

    /// Its digits as text, as [`DecimalRef`] has them: without zeros in front but for one before the point.
    #[must_use]
    pub fn unpack(self) -> UnpackedDecimal {
        let (scale, packed) = self.bytes.split_first().map_or((0, &[][..]), |(s, p)| (usize::from(*s), p));
        let mut text = UnpackedDecimal { text: [0; MAX_TEXT], len: 0 };
        let digits = usize::from(self.digits);
        if matches!(halves(packed).nth(digits), Some(0xb | 0xd)) {
            text.push(b'-');
        }
        if digits <= scale {
            text.push(b'0');
        }
        let mut leading = true;
        let zeros = scale.saturating_sub(digits);
        let all = std::iter::repeat_n(0, zeros).chain(halves(packed).take(digits));
        let count = digits.max(scale);
        for (place, digit) in all.enumerate() {
            let behind = count - place;
            if behind == scale {
                text.push(b'.');
            }
            // One digit stays before the point.
            leading = leading && digit == 0 && behind > scale + 1;
            if !leading {
                text.push(b'0' + digit);
            }
        }
        text
    }
}

/// The half-bytes, the high one first.
fn halves(bytes: &[u8]) -> impl Iterator<Item = u8> {
    bytes.iter().flat_map(|byte| [byte >> 4, byte & 0xf])
}

impl fmt::Display for PackedDecimal<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.unpack().borrow().fmt(f)
    }
}

impl fmt::Debug for PackedDecimal<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<PackedDecimal<'_>> for Decimal {
    fn from(packed: PackedDecimal<'_>) -> Self {
        packed.unpack().borrow().into()
    }
}

/// A DECIMAL that was [unpacked](PackedDecimal::unpack), in a place of its own.
#[derive(Clone, Copy)]
pub struct UnpackedDecimal {
    text: [u8; MAX_TEXT],
    len: usize,
}

impl UnpackedDecimal {
    fn push(&mut self, byte: u8) {
        if let Some(place) = self.text.get_mut(self.len) {
            *place = byte;
            self.len += 1;
        }
    }

    /// The digits, borrowed.
    #[must_use]
    pub fn borrow(&self) -> DecimalRef<'_> {
        DecimalRef::of_digits(self.text.get(..self.len).unwrap_or_default())
    }
}

impl fmt::Debug for UnpackedDecimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.borrow().fmt(f)
    }
}

/// A SET member by member, borrowed: each behind its length as a varint. The one byte `01` is the empty set.
///
/// As text its members have commas between, as everywhere in MySQL.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SetMembers<'a> {
    bytes: &'a [u8],
}

const EMPTY_SET: &[u8] = &[1];

impl<'a> SetMembers<'a> {
    /// Checks that lengths and bytes fit.
    ///
    /// # Errors
    /// [`ConvertError::Malformed`].
    pub fn parse(bytes: &'a [u8]) -> Result<Self, ConvertError> {
        let mut left = if bytes == EMPTY_SET { &[] } else { bytes };
        while !left.is_empty() {
            (_, left) = member(left).ok_or(ConvertError::Malformed)?;
        }
        Ok(Self { bytes })
    }

    /// The bytes as they were sent.
    #[must_use]
    pub const fn as_bytes(self) -> &'a [u8] {
        self.bytes
    }

    /// The members in the order of the type's definition, not yet checked to be UTF-8.
    pub fn iter(self) -> impl Iterator<Item = &'a [u8]> {
        let mut left = if self.bytes == EMPTY_SET { &[] } else { self.bytes };
        std::iter::from_fn(move || {
            let (first, rest) = member(left)?;
            left = rest;
            Some(first)
        })
    }

    /// The members with commas between.
    #[must_use]
    pub fn join(self) -> Vec<u8> {
        let mut text = Vec::with_capacity(self.bytes.len());
        for (place, member) in self.iter().enumerate() {
            text.extend_from_slice(if place == 0 { b"" } else { b"," });
            text.extend_from_slice(member);
        }
        text
    }
}

/// The first member, and what is behind it.
fn member(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (mut len, mut left) = (0_usize, bytes);
    for shift in (0..usize::BITS).step_by(7) {
        let (byte, rest) = left.split_first()?;
        left = rest;
        len |= usize::from(byte & 0x7f).checked_shl(shift)?;
        if *byte < 0x80 {
            return left.split_at_checked(len);
        }
    }
    None
}

impl fmt::Display for SetMembers<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&String::from_utf8_lossy(&self.join()))
    }
}

impl fmt::Debug for SetMembers<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter().map(String::from_utf8_lossy)).finish()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop_assert_eq, proptest};

    use super::*;
    use crate::{FromValue, ParamRef, ToValue, Value, ValueRef};

    fn text(bytes: &[u8]) -> Result<String, ConvertError> {
        PackedDecimal::parse(bytes).map(|decimal| decimal.to_string())
    }

    #[test]
    fn decimals_as_a_server_sends_them() {
        for (bytes, want) in [
            (&[0x04, 0x12, 0x34, 0x01, 0xd0][..], "-12.3401"),
            (&[0x01, 0x15, 0xc0], "1.5"),
            (&[0x02, 0x12, 0x0c], "1.20"),
            (&[0x04, 0x00, 0x00, 0x0c], "0.0000"),
            (&[0x02, 0x00, 0x0c], "0.00"),
            // zeros in front | fewer digits than are behind the point | other signs
            (&[0x00, 0x00, 0x42, 0xc0], "42"),
            (&[0x03, 0x5d], "-0.005"),
            (&[0x00, 0x7f], "7"),
            (&[0x00, 0x7b], "-7"),
        ] {
            assert_eq!(text(bytes).as_deref(), Ok(want), "{bytes:x?}");
        }
        let malformed = Err(ConvertError::Malformed);
        // nothing | no digit | no sign | more behind the sign | too many digits, or behind the point
        for bytes in [&[][..], &[0], &[0, 0xc0], &[0, 0x12], &[0, 0x1c, 0], &[0, 0xc1], &[73, 0x1c]] {
            assert_eq!(text(bytes), malformed, "{bytes:x?}");
        }
        assert_eq!(text(&[&[0][..], &[0x11; 40], &[0xc0]].concat()), malformed);
    }

    #[test]
    fn sets_as_a_server_sends_them() {
        let set =
            |bytes: &'static [u8]| SetMembers::parse(bytes).map(|set| (set.iter().count(), set.to_string()));
        assert_eq!(set(b"\x01a\x03foo"), Ok((2, "a,foo".to_owned())));
        assert_eq!(set(b"\x01"), Ok((0, String::new())));
        assert_eq!(set(b"\0"), Ok((1, String::new())));
        assert_eq!(set(b"\x02a"), Err(ConvertError::Malformed));
        assert_eq!(set(b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"), Err(ConvertError::Malformed));
    }

    #[test]
    fn they_become_what_the_classic_forms_become() {
        let decimal = ValueRef::PackedDecimal(PackedDecimal::parse(&[0x02, 0x42, 0x00, 0xc0]).unwrap());
        assert_eq!(u8::from_value(decimal), Ok(42));
        assert_eq!(f64::from_value(decimal), Ok(42.0));
        assert_eq!(String::from_value(decimal), Ok("42.00".to_owned()));
        assert_eq!(Vec::<u8>::from_value(decimal), Ok(b"42.00".to_vec()));
        assert_eq!(Decimal::from_value(decimal), Ok("42.00".parse().unwrap()));
        assert_eq!(<&str>::from_value(decimal), Err(ConvertError::Kind));
        assert_eq!(decimal.to_owned(), Ok(Value::Decimal("42.00".parse().unwrap())));
        assert_eq!(decimal.to_value(), Ok(ParamRef::Owned(Value::Decimal("42.00".parse().unwrap()))));
        let set = ValueRef::SetMembers(SetMembers::parse(b"\x01a\x01b").unwrap());
        assert_eq!(String::from_value(set), Ok("a,b".to_owned()));
        assert_eq!(Value::from_value(set), Ok(Value::Text("a,b".to_owned())));
        let bad = ValueRef::SetMembers(SetMembers::parse(b"\x01\xe9").unwrap());
        assert_eq!(String::from_value(bad), Err(ConvertError::NotUtf8));
        assert_eq!(Vec::<u8>::from_value(bad), Ok(b"\xe9".to_vec()));
    }

    proptest! {
        #[test]
        fn no_bytes_make_them_panic(bytes in any::<Vec<u8>>()) {
            if let Ok(decimal) = PackedDecimal::parse(&bytes) {
                let text = decimal.to_string();
                prop_assert_eq!(DecimalRef::parse(text.as_bytes()).map(DecimalRef::as_str), Ok(&*text));
            }
            if let Ok(set) = SetMembers::parse(&bytes) {
                prop_assert_eq!(set.join().len(), set.to_owned().join().len());
            }
        }

        #[test]
        fn packed_integers_come_back(n in any::<i64>(), scale in 0_u8..30) {
            let digits = n.unsigned_abs().to_string();
            let sign = if n < 0 { 0xd } else { 0xc };
            let mut halves: Vec<u8> = digits.bytes().map(|digit| digit - b'0').chain([sign]).collect();
            halves.extend((halves.len() % 2 == 1).then_some(0));
            let packed = halves.chunks(2).map(|pair| pair[0] << 4 | pair[1]);
            let bytes: Vec<u8> = std::iter::once(scale).chain(packed).collect();
            let text = text(&bytes).unwrap();
            let whole: String = text.chars().filter(|c| *c != '.').collect();
            prop_assert_eq!(whole.parse::<i128>().unwrap(), i128::from(n));
            prop_assert_eq!(text.split_once('.').map_or(0, |(_, behind)| behind.len()), usize::from(scale));
        }
    }
}
