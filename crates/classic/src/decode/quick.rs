//! The usual cells, decoded without a word about what could be wrong with them.
//!
//! Whatever is not usual, malformed cells and values that do not fit included, gives `None` and takes nothing: it is then
//! decoded again by [`text`](super::text) or [`binary`](super::binary), which find the error. So what is inlined into
//! every reader of rows stays small.

use porpoise_value::{FromValue, Kind, ValueRef};

use super::digits::number;
use super::text::float;
use crate::width::Width;

/// A kind, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Shape {
    Text,
    Int32,
    UInt32,
    Int64,
    UInt64,
    /// TINYINT to MEDIUMINT.
    Int,
    UInt,
    Double,
    Other,
}

impl From<Kind> for Shape {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Text => Self::Text,
            Kind::Int { bits: 32, unsigned: false } => Self::Int32,
            Kind::Int { bits: 32, unsigned: true } => Self::UInt32,
            Kind::Int { bits: 64, unsigned: false } => Self::Int64,
            Kind::Int { bits: 64, unsigned: true } => Self::UInt64,
            Kind::Int { unsigned: false, .. } => Self::Int,
            Kind::Int { unsigned: true, .. } => Self::UInt,
            Kind::Double => Self::Double,
            _ => Self::Other,
        }
    }
}

/// A `string<lenenc>` whose length is one byte.
#[inline(always)]
pub(crate) fn string<'a>(left: &mut &'a [u8]) -> Option<&'a [u8]> {
    let [len @ 0..=0xfa, rest @ ..] = *left else { return None };
    let (taken, rest) = rest.split_at_checked(usize::from(*len))?;
    *left = rest;
    Some(taken)
}

#[inline(always)]
fn array<const N: usize>(left: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, rest) = left.split_first_chunk()?;
    *left = rest;
    Some(*taken)
}

/// A cell of a text row.
#[inline(always)]
pub(crate) fn text<'a, T: FromValue<'a>>(shape: Shape, left: &mut &'a [u8]) -> Option<T> {
    if let [0xfb, rest @ ..] = *left {
        let null = T::from_value(ValueRef::Null).ok()?;
        *left = rest;
        return Some(null);
    }
    let mut rest = *left;
    let bytes = string(&mut rest)?;
    let value = match shape {
        Shape::Text => T::from_value(ValueRef::Text(bytes)),
        Shape::Int | Shape::Int32 | Shape::Int64 => {
            let n = match bytes {
                [b'-', digits @ ..] => -number(digits)?.cast_signed(),
                digits => number(digits)?.cast_signed(),
            };
            T::from_value(ValueRef::Int(n))
        }
        Shape::UInt | Shape::UInt32 | Shape::UInt64 => T::from_value(ValueRef::UInt(number(bytes)?)),
        Shape::Double => T::from_value(ValueRef::Double(float(bytes).ok()?.parse().ok()?)),
        Shape::Other => return None,
    };
    let value = value.ok()?;
    *left = rest;
    Some(value)
}

/// A cell of a binary row that is not NULL.
#[inline(always)]
pub(crate) fn binary<'a, T: FromValue<'a>>(shape: Shape, left: &mut &'a [u8]) -> Option<T> {
    let mut rest = *left;
    let value = match shape {
        Shape::Text => T::from_value(ValueRef::Text(string(&mut rest)?)),
        Shape::Int32 => T::from_value(ValueRef::Int(i32::from_le_bytes(array(&mut rest)?).into())),
        Shape::UInt32 => T::from_value(ValueRef::UInt(u32::from_le_bytes(array(&mut rest)?).into())),
        Shape::Int64 => T::from_value(ValueRef::Int(i64::from_le_bytes(array(&mut rest)?))),
        Shape::UInt64 => T::from_value(ValueRef::UInt(u64::from_le_bytes(array(&mut rest)?))),
        Shape::Double => T::from_value(ValueRef::Double(f64::from_le_bytes(array(&mut rest)?))),
        Shape::Int | Shape::UInt | Shape::Other => return None,
    };
    let value = value.ok()?;
    *left = rest;
    Some(value)
}

/// What is behind a cell of a text row.
#[inline(always)]
pub(crate) fn behind_text(cell: &[u8]) -> Option<&[u8]> {
    match *cell {
        // NULL
        [0xfb, ref rest @ ..] => Some(rest),
        [len @ ..0xfb, ref rest @ ..] => rest.get(len.into()..),
        _ => None,
    }
}

/// What is behind a cell of a binary row that is not NULL.
#[inline(always)]
pub(crate) fn behind_binary(width: Width, cell: &[u8]) -> Option<&[u8]> {
    match (width, cell) {
        (Width::Fixed(len), _) => cell.get(len.into()..),
        (Width::Short | Width::Lenenc, [len @ ..0xfb, rest @ ..]) => rest.get(usize::from(*len)..),
        _ => None,
    }
}
