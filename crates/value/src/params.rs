use crate::{ConvertError, ParamError, ParamRef, ToValue, Value};

/// The parameters that a statement has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Placeholders<'a> {
    /// How many `?`.
    pub count: usize,
    /// The name of each, if the statement was written with [names](crate::NamedSql).
    pub names: Option<&'a [Box<str>]>,
}

impl<'a> Placeholders<'a> {
    /// Parameters by position.
    #[must_use]
    pub const fn positional(count: usize) -> Self {
        Self { count, names: None }
    }

    /// Parameters by name.
    #[must_use]
    pub const fn named(names: &'a [Box<str>]) -> Self {
        Self { count: names.len(), names: Some(names) }
    }

    /// Parameters by position, however many there are: only the server knows how many it wants.
    #[must_use]
    pub const fn any() -> Self {
        Self::positional(usize::MAX)
    }

    fn positions(&self, given: usize) -> Result<(), ParamError> {
        if self.names.is_some_and(|names| !names.is_empty()) {
            return Err(ParamError::Style { named: true });
        }
        if given == self.count || self.count == usize::MAX {
            Ok(())
        } else {
            Err(ParamError::Count { wanted: self.count, given })
        }
    }
}

/// Takes parameters one after another, and writes them where they belong.
pub trait ParamSink {
    /// The next parameter.
    ///
    /// # Errors
    /// It cannot be sent.
    fn param(&mut self, value: ParamRef<'_>) -> Result<(), ConvertError>;
}

/// The parameters of one execution.
///
/// | by position | by name |
/// |---|---|
/// | `()`, tuples of up to 16, slices, arrays and `Vec`s of a type or of `&dyn ToValue` | [`Named`] |
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no list of parameters",
    note = "a single parameter is the tuple `(value,)`; by name, `Named(&[(\"name\", &value)])`"
)]
pub trait Params {
    /// Whether they are given by name.
    fn is_named(&self) -> bool {
        false
    }

    /// Gives each parameter of the statement to `sink`, in order.
    ///
    /// # Errors
    /// [`ParamError`]; what the sink has taken by then is to be thrown away.
    fn bind(&self, placeholders: Placeholders<'_>, sink: &mut dyn ParamSink) -> Result<(), ParamError>;
}

impl<T: Params + ?Sized> Params for &T {
    fn is_named(&self) -> bool {
        (**self).is_named()
    }

    fn bind(&self, placeholders: Placeholders<'_>, sink: &mut dyn ParamSink) -> Result<(), ParamError> {
        (**self).bind(placeholders, sink)
    }
}

#[inline]
fn give(index: usize, value: &(impl ToValue + ?Sized), sink: &mut dyn ParamSink) -> Result<(), ParamError> {
    value.to_value().and_then(|value| sink.param(value)).map_err(|reason| ParamError::Value { index, reason })
}

impl Params for () {
    fn bind(&self, placeholders: Placeholders<'_>, _: &mut dyn ParamSink) -> Result<(), ParamError> {
        placeholders.positions(0)
    }
}

impl<T: ToValue> Params for [T] {
    fn bind(&self, placeholders: Placeholders<'_>, sink: &mut dyn ParamSink) -> Result<(), ParamError> {
        placeholders.positions(self.len())?;
        self.iter().enumerate().try_for_each(|(index, value)| give(index, value, sink))
    }
}

impl<T: ToValue, const N: usize> Params for [T; N] {
    fn bind(&self, placeholders: Placeholders<'_>, sink: &mut dyn ParamSink) -> Result<(), ParamError> {
        self.as_slice().bind(placeholders, sink)
    }
}

impl<T: ToValue> Params for Vec<T> {
    fn bind(&self, placeholders: Placeholders<'_>, sink: &mut dyn ParamSink) -> Result<(), ParamError> {
        self.as_slice().bind(placeholders, sink)
    }
}

macro_rules! tuples {
    ($($count:literal: $($t:ident $index:tt)+;)+) => {$(
        impl<$($t: ToValue),+> Params for ($($t,)+) {
            fn bind(&self, placeholders: Placeholders<'_>, sink: &mut dyn ParamSink) -> Result<(), ParamError> {
                placeholders.positions($count)?;
                $(give($index, &self.$index, sink)?;)+
                Ok(())
            }
        }
    )+};
}

tuples! {
    1: A 0;
    2: A 0 B 1;
    3: A 0 B 1 C 2;
    4: A 0 B 1 C 2 D 3;
    5: A 0 B 1 C 2 D 3 E 4;
    6: A 0 B 1 C 2 D 3 E 4 F 5;
    7: A 0 B 1 C 2 D 3 E 4 F 5 G 6;
    8: A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7;
    9: A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8;
    10: A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8 J 9;
    11: A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8 J 9 K 10;
    12: A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8 J 9 K 10 L 11;
    13: A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8 J 9 K 10 L 11 M 12;
    14: A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8 J 9 K 10 L 11 M 12 N 13;
    15: A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8 J 9 K 10 L 11 M 12 N 13 O 14;
    16: A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8 J 9 K 10 L 11 M 12 N 13 O 14 P 15;
}

/// Parameters by name, for a statement with [`:name`](crate::NamedSql) in place of `?`.
///
/// ```
/// use porpoise_value::Named;
///
/// let _params = Named(&[("name", &"orca"), ("born", &2019)]);
/// ```
#[derive(Clone, Copy)]
pub struct Named<'a>(pub &'a [(&'a str, &'a (dyn ToValue + Sync))]);

impl std::fmt::Debug for Named<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Values may be secrets.
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

impl Params for Named<'_> {
    fn is_named(&self) -> bool {
        true
    }

    /// Every name must be one of the statement's, and each of those must be given.
    fn bind(&self, placeholders: Placeholders<'_>, sink: &mut dyn ParamSink) -> Result<(), ParamError> {
        let names = placeholders.names.unwrap_or_default();
        if names.len() != placeholders.count {
            return Err(ParamError::Style { named: false });
        }
        if let Some((name, _)) = self.0.iter().find(|(name, _)| names.iter().all(|known| **known != **name)) {
            return Err(ParamError::Unknown((*name).into()));
        }
        for (index, name) in names.iter().enumerate() {
            let given = self.0.iter().find(|(given, _)| **given == **name);
            let (_, value) = given.ok_or_else(|| ParamError::Missing(name.clone()))?;
            give(index, *value, sink)?;
        }
        Ok(())
    }
}

/// Sent before by `COM_STMT_SEND_LONG_DATA`: this parameter has no value of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LongData;

impl ToValue for LongData {
    fn to_value(&self) -> Result<ParamRef<'_>, ConvertError> {
        Ok(ParamRef::LongData)
    }
}

/// Keeps what it is given, for tests and for what is sent later.
impl ParamSink for Vec<Value> {
    fn param(&mut self, value: ParamRef<'_>) -> Result<(), ConvertError> {
        self.push(match value {
            ParamRef::Value(value) => value.to_owned()?,
            ParamRef::Owned(value) => value,
            ParamRef::Vector(numbers) => Value::Vector(numbers.into()),
            ParamRef::LongData => Value::Null,
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bound(params: &dyn Params, placeholders: Placeholders<'_>) -> Result<Vec<Value>, ParamError> {
        let mut values = Vec::new();
        params.bind(placeholders, &mut values).map(|()| values)
    }

    #[test]
    fn positions() {
        let two = Placeholders::positional(2);
        let expected = vec![Value::Int(1), Value::Text("a".into())];
        assert_eq!(bound(&(1, "a"), two), Ok(expected.clone()));
        let mixed: [&dyn ToValue; 2] = [&1, &"a"];
        assert_eq!(bound(&mixed, two), Ok(expected.clone()));
        assert_eq!(bound(&expected.clone(), two), Ok(expected));
        assert_eq!(bound(&(), two), Err(ParamError::Count { wanted: 2, given: 0 }));
        assert_eq!(bound(&(), Placeholders::positional(0)), Ok(vec![]));
        let error = bound(&(1, f64::NAN), two).unwrap_err();
        assert_eq!(error.to_string(), "parameter 1 cannot be sent: out of range");
    }

    #[test]
    fn names() {
        let names: [Box<str>; 3] = ["b".into(), "a".into(), "b".into()];
        let wanted = Placeholders::named(&names);
        let values = bound(&Named(&[("a", &1), ("b", &None::<i64>)]), wanted);
        assert_eq!(values, Ok(vec![Value::Null, Value::Int(1), Value::Null]));
        assert_eq!(bound(&Named(&[("a", &1)]), wanted), Err(ParamError::Missing("b".into())));
        let error = bound(&Named(&[("a", &1), ("b", &2), ("c", &3)]), wanted);
        assert_eq!(error, Err(ParamError::Unknown("c".into())));
        assert_eq!(bound(&(1, 2, 3), wanted), Err(ParamError::Style { named: true }));
        let error = bound(&Named(&[("a", &1)]), Placeholders::positional(1));
        assert_eq!(error, Err(ParamError::Style { named: false }));
    }
}
