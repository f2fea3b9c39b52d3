//! Texts that become values, and statements with named parameters.

use std::fmt;
use std::str::FromStr;

use porpoise_value::{Date, DateTime, Decimal, NamedSql, Time};

use crate::paths::Path;

/// Any text as a date, a time, a decimal, and as a statement: what is read is written so that it is read as the same again.
pub fn texts(input: &[u8]) -> Vec<u64> {
    let text = String::from_utf8_lossy(input);
    let mut path = Path::default();
    again::<Date>(&text, &mut path);
    again::<DateTime>(&text, &mut path);
    again::<Time>(&text, &mut path);
    again::<Decimal>(&text, &mut path);
    named(&text, &mut path);
    path.steps()
}

fn again<T: FromStr<Err: fmt::Debug> + fmt::Display + PartialEq + fmt::Debug>(text: &str, path: &mut Path) {
    match text.parse::<T>() {
        Ok(value) => {
            let shown = value.to_string();
            let again = shown.parse::<T>();
            assert!(again.as_ref().is_ok_and(|again| *again == value), "{value:?}, {shown}, {again:?}");
            path.counts(shown.len());
        }
        Err(error) => path.tells(&error),
    }
}

/// Each name, with its colon, is a question mark; nothing else is changed.
fn named(text: &str, path: &mut Path) {
    let named = NamedSql::parse(text);
    let names: usize = named.names().iter().map(|name| name.len()).sum();
    assert_eq!(named.sql().len() + names, text.len(), "{named:?}");
    let marks = |sql: &str| sql.matches('?').count();
    assert_eq!(marks(named.sql()), marks(text) + named.names().len(), "{named:?}");
    for name in named.names() {
        assert!(!name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'), "{name}");
    }
    // It has no names any more, unless a question mark brings one about.
    assert!(named.names().is_empty() || NamedSql::parse(named.sql()).names().is_empty(), "{named:?}");
    path.counts(named.names().len());
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    [
        "2024-02-29",
        "0000-00-00 00:00:00",
        "2024-02-29 01:02:03.000004",
        "-838:59:59.5",
        "-00001234567890.01234567890",
        "select ':a', \"it''s :b\", `:c`, :d -- :e\n, /* :f */ :g + :d, @x := 1 # :h",
    ]
    .map(|seed| seed.as_bytes().to_vec())
    .into()
}
