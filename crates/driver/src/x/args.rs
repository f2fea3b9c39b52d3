//! Parameters as the X Protocol sends them.

use bytes::Bytes;
use porpoise_value::{ConvertError, NamedSql, ParamError, ParamRef, ParamSink, Params, Placeholders};
use porpoise_xproto::messages::datatypes::{Any, Scalar};

/// The arguments of a message.
#[derive(Default)]
struct Args(Vec<Any>);

impl ParamSink for Args {
    fn param(&mut self, value: ParamRef<'_>) -> Result<(), ConvertError> {
        self.0.push(Scalar::of_param(value)?.into());
        Ok(())
    }
}

/// A statement with `?` in place of names, and its arguments in order.
pub(super) fn bind(sql: &str, params: &(impl Params + ?Sized)) -> Result<(Bytes, Vec<Any>), ParamError> {
    if !params.is_named() {
        return Ok((Bytes::copy_from_slice(sql.as_bytes()), positional(params)?));
    }
    let named = NamedSql::parse(sql);
    let args = arguments(params, Placeholders::named(named.names()))?;
    Ok((Bytes::copy_from_slice(named.sql().as_bytes()), args))
}

/// Arguments by position; the server counts them.
pub(super) fn positional(params: &(impl Params + ?Sized)) -> Result<Vec<Any>, ParamError> {
    arguments(params, Placeholders::any())
}

/// The arguments of placeholders.
pub(super) fn arguments(
    params: &(impl Params + ?Sized),
    placeholders: Placeholders<'_>,
) -> Result<Vec<Any>, ParamError> {
    let mut args = Args::default();
    params.bind(placeholders, &mut args)?;
    Ok(args.0)
}

#[cfg(test)]
mod tests {
    use porpoise_value::Named;

    use super::*;

    #[test]
    fn what_cannot_be_sent_is_named() {
        assert_eq!(positional(&(1, "x")).unwrap().len(), 2);
        let error = positional(&(1, porpoise_value::LongData)).unwrap_err();
        assert!(matches!(error, ParamError::Value { index: 1, .. }));
    }

    #[test]
    fn names_become_positions() {
        let (sql, args) = bind("SELECT :b, :a, :b", &Named(&[("a", &1), ("b", &"x")])).unwrap();
        assert_eq!(sql, "SELECT ?, ?, ?");
        assert_eq!(args.len(), 3);
        let (sql, args) = bind("SELECT ?", &(1,)).unwrap();
        assert_eq!((&sql[..], args.len()), (&b"SELECT ?"[..], 1));
        assert!(bind("SELECT :a", &Named(&[("b", &1)])).is_err());
    }
}
