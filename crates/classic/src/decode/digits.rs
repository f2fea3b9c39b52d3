//! Decimal digits, eight at a time.

/// Bytes that are worked on at once.
const WORD: usize = 8;
const ZEROS: u64 = 0x3030_3030_3030_3030;
const TENS: [u64; WORD + 1] = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000];

/// The number of 1 to 16 digits; none if there are fewer or more, or anything else among them.
#[inline]
pub(super) fn number(digits: &[u8]) -> Option<u64> {
    match digits.len() {
        1..=3 => few(digits),
        4..=WORD => eight(last(word(digits)?, digits.len())),
        9..=16 => {
            let left = digits.len() - WORD;
            let high = eight(u64::from_le_bytes(*digits.first_chunk()?) ^ ZEROS)?;
            let low = u64::from_le_bytes(*digits.last_chunk()?) ^ ZEROS;
            // What the first word had already becomes zeros in front.
            let taken = 8 * (WORD - left);
            let low = eight((low >> taken) << taken)?;
            Some(high * TENS.get(left)? + low)
        }
        _ => None,
    }
}

#[inline]
fn few(digits: &[u8]) -> Option<u64> {
    let mut n = 0;
    for byte in digits {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        n = n * 10 + u64::from(digit);
    }
    Some(n)
}

/// 4 to 8 bytes as one word, the first one lowest. Both halves are read whole: where they overlap they agree.
#[inline]
fn word(digits: &[u8]) -> Option<u64> {
    let low = u32::from_le_bytes(*digits.first_chunk()?);
    let high = u32::from_le_bytes(*digits.last_chunk()?);
    Some(u64::from(low) | u64::from(high) << (8 * (digits.len() - 4)))
}

/// A word of `len` digits as one of eight, with zeros in front.
#[inline]
const fn last(word: u64, len: usize) -> u64 {
    (word ^ ZEROS) << (8 * (WORD - len))
}

/// Eight digits from 0 to 9, a byte each, the first one lowest: pairs, then fours, then all.
#[inline]
const fn eight(digits: u64) -> Option<u64> {
    // A byte above 9 has, or gets by the addition, its highest bit.
    if (digits | digits.wrapping_add(0x7676_7676_7676_7676)) & 0x8080_8080_8080_8080 != 0 {
        return None;
    }
    let pairs = (digits * 10 + (digits >> 8)) & 0x00ff_00ff_00ff_00ff;
    let fours = (pairs * 100 + (pairs >> 16)) & 0x0000_ffff_0000_ffff;
    Some((fours * 10_000 + (fours >> 32)) & 0xffff_ffff)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop, prop_assert_eq, proptest};

    use super::*;

    #[test]
    fn every_count_of_digits() {
        let all = "9876543210123456";
        for len in 1..=all.len() {
            assert_eq!(number(&all.as_bytes()[..len]), all[..len].parse().ok(), "{len}");
            assert_eq!(number("9".repeat(len).as_bytes()), "9".repeat(len).parse().ok());
            assert_eq!(number("0".repeat(len).as_bytes()), Some(0));
        }
        assert_eq!((number(b""), number(b"12345678901234567")), (None, None));
    }

    #[test]
    fn every_byte_at_every_place() {
        for len in 1..=16 {
            for place in 0..len {
                for byte in 0..=u8::MAX {
                    let mut digits = vec![b'1'; len];
                    digits[place] = byte;
                    let expected = std::str::from_utf8(&digits)
                        .ok()
                        .filter(|_| byte.is_ascii_digit())
                        .and_then(|s| s.parse().ok());
                    assert_eq!(number(&digits), expected, "{digits:?}");
                }
            }
        }
    }

    proptest! {
        #[test]
        fn the_same_as_byte_by_byte(n in any::<u64>(), shift in 0u32..64, bytes in prop::collection::vec(b'.'..=b';', 1..17)) {
            let n = (n >> shift) % 10_000_000_000_000_000;
            prop_assert_eq!(number(n.to_string().as_bytes()), Some(n));
            let digits = bytes.iter().all(u8::is_ascii_digit).then(|| few(&bytes));
            prop_assert_eq!(number(&bytes), digits.flatten());
        }
    }
}
