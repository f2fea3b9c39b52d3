//! Numbers as text.

/// The number of a run of one digit or more, if it fits.
#[inline]
pub(crate) fn number(digits: &[u8]) -> Option<u32> {
    if digits.is_empty() || digits.len() > 9 {
        return None;
    }
    digits.iter().try_fold(0, |n: u32, digit| {
        let digit = digit.wrapping_sub(b'0');
        (digit < 10).then(|| n * 10 + u32::from(digit))
    })
}

/// Microseconds from the digits behind the point: one to six of them.
pub(crate) fn micros(digits: &[u8]) -> Option<u32> {
    let missing = 6_usize.checked_sub(digits.len())?;
    let scale = 10_u32.pow(u32::try_from(missing).ok()?);
    Some(number(digits)? * scale)
}

/// Splits at the first `separator`, which must be there.
pub(crate) fn split(text: &[u8], separator: u8) -> Option<(&[u8], &[u8])> {
    let place = text.iter().position(|byte| *byte == separator)?;
    Some((text.get(..place)?, text.get(place + 1..)?))
}

/// `hh:mm:ss[.f]`: hours, minutes, seconds, microseconds, each smaller than 60, 60 and a million but for the hours.
pub(crate) fn clock(text: &[u8]) -> Option<(u32, u8, u8, u32)> {
    let (hours, rest) = split(text, b':')?;
    let (minutes, rest) = split(rest, b':')?;
    let (seconds, micro) = match split(rest, b'.') {
        Some((seconds, fraction)) => (seconds, micros(fraction)?),
        None => (rest, 0),
    };
    Some((number(hours)?, sixtieth(minutes)?, sixtieth(seconds)?, micro))
}

fn sixtieth(digits: &[u8]) -> Option<u8> {
    if digits.len() != 2 {
        return None;
    }
    u8::try_from(number(digits)?).ok().filter(|n| *n < 60)
}

/// Writes a fraction of a second, without zeros at its end; nothing if there is none.
pub(crate) fn write_micros(f: &mut std::fmt::Formatter<'_>, micro: u32) -> std::fmt::Result {
    if micro == 0 {
        return Ok(());
    }
    let digits = format!("{micro:06}");
    write!(f, ".{}", digits.trim_end_matches('0'))
}
