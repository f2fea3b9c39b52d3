//! The two traits, and what holds for every type.

use std::rc::Rc;
use std::sync::Arc;

use crate::{ConvertError, Kind, ParamRef, ValueRef};

/// A type that a cell can become.
///
/// The [crate page](crate) lists which kinds become what. Types of one's own implement it on top of another:
///
/// ```
/// use porpoise_value::{ConvertError, FromValue, Kind, ValueRef};
///
/// struct Celsius(f64);
///
/// impl<'a> FromValue<'a> for Celsius {
///     fn accepts(kind: Kind) -> bool {
///         f64::accepts(kind)
///     }
///
///     fn from_value(value: ValueRef<'a>) -> Result<Self, ConvertError> {
///         let degrees = f64::from_value(value)?;
///         if degrees < -273.15 { Err(ConvertError::OutOfRange) } else { Ok(Self(degrees)) }
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "a cell cannot become `{Self}`",
    label = "not a `FromValue` type",
    note = "the page of `porpoise_value` lists the types, and the features that add more; NULL needs an `Option`"
)]
pub trait FromValue<'a>: Sized {
    /// Whether values of this kind can become one at all. Asked once for a result set.
    fn accepts(kind: Kind) -> bool;

    /// Makes one of a value, which may be of any kind.
    ///
    /// # Errors
    /// The value does not fit. Nothing is rounded, cut or wrapped around to make it.
    fn from_value(value: ValueRef<'a>) -> Result<Self, ConvertError>;

    /// The name in errors.
    #[must_use]
    fn target() -> &'static str {
        std::any::type_name::<Self>()
    }
}

/// NULL is `None`.
impl<'a, T: FromValue<'a>> FromValue<'a> for Option<T> {
    fn accepts(kind: Kind) -> bool {
        kind == Kind::Null || T::accepts(kind)
    }

    #[inline]
    fn from_value(value: ValueRef<'a>) -> Result<Self, ConvertError> {
        if value.is_null() { Ok(None) } else { T::from_value(value).map(Some) }
    }

    fn target() -> &'static str {
        T::target()
    }
}

/// A type that can be a parameter.
///
/// ```
/// use porpoise_value::{ConvertError, ParamRef, ToValue};
///
/// struct Name(String);
///
/// impl ToValue for Name {
///     fn to_value(&self) -> Result<ParamRef<'_>, ConvertError> {
///         self.0.to_value()
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a parameter",
    label = "not a `ToValue` type",
    note = "the page of `porpoise_value` lists the types, and the features that add more"
)]
pub trait ToValue {
    /// The value to send, borrowed where that can be.
    ///
    /// # Errors
    /// MySQL has no place for it, as for a year after 9999.
    fn to_value(&self) -> Result<ParamRef<'_>, ConvertError>;
}

macro_rules! pointers {
    ($($pointer:ty),+) => {$(
        impl<T: ToValue + ?Sized> ToValue for $pointer {
            #[inline]
            fn to_value(&self) -> Result<ParamRef<'_>, ConvertError> {
                (**self).to_value()
            }
        }
    )+};
}

pointers!(&T, Box<T>, Rc<T>, Arc<T>);

/// `None` is NULL.
impl<T: ToValue> ToValue for Option<T> {
    #[inline]
    fn to_value(&self) -> Result<ParamRef<'_>, ConvertError> {
        self.as_ref().map_or(Ok(ParamRef::Value(ValueRef::Null)), ToValue::to_value)
    }
}

impl ToValue for ValueRef<'_> {
    #[inline]
    fn to_value(&self) -> Result<ParamRef<'_>, ConvertError> {
        Ok(match self {
            // The classic protocol has no such form.
            Self::PackedDecimal(_) | Self::SetMembers(_) => ParamRef::Owned(self.to_owned()?),
            value => ParamRef::Value(*value),
        })
    }
}

/// What a value that a type does not take is an error of.
#[cold]
pub(crate) const fn unfit(value: ValueRef<'_>) -> ConvertError {
    if value.is_null() { ConvertError::Null } else { ConvertError::Kind }
}
