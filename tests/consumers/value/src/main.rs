//! Typed rows, parameters and a type of its own with `porpoise-value` alone: no protocol, no I/O.

use std::error::Error;

use porpoise_value::{
    ConvertError, Date, FromValue, Kind, Named, NamedSql, ParamRef, Params, Placeholders, ToValue, Value,
    ValueRef, ValueRow,
};

/// A length that is never negative.
#[derive(Debug, PartialEq)]
struct Metres(f64);

impl FromValue<'_> for Metres {
    fn accepts(kind: Kind) -> bool {
        f64::accepts(kind)
    }

    fn from_value(value: ValueRef<'_>) -> Result<Self, ConvertError> {
        let metres = f64::from_value(value)?;
        if metres < 0.0 { Err(ConvertError::Negative) } else { Ok(Self(metres)) }
    }
}

impl ToValue for Metres {
    fn to_value(&self) -> Result<ParamRef<'_>, ConvertError> {
        self.0.to_value()
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let names = ["name", "length", "born"];
    let born = "2019-04-01".parse::<Date>()?;
    let cells = [ValueRef::Text(b"orca"), ValueRef::Double(6.5), ValueRef::Date(born)];
    let (name, length, when): (&str, Metres, Option<Date>) = ValueRow::new(&names, &cells).read()?;
    assert_eq!((name, &length, when), ("orca", &Metres(6.5), Some(born)));

    let cells = [ValueRef::Text(b"orca"), ValueRef::Double(-1.0), ValueRef::Null];
    let error = ValueRow::new(&names, &cells).read::<(&str, Metres, Option<Date>)>().unwrap_err();
    println!("{error}");

    let sql = NamedSql::parse("INSERT INTO t VALUES (:name, :length, :name)");
    assert_eq!(sql.sql(), "INSERT INTO t VALUES (?, ?, ?)");
    let mut sent: Vec<Value> = Vec::new();
    Named(&[("length", &length), ("name", &name)]).bind(Placeholders::named(sql.names()), &mut sent)?;
    assert_eq!(sent, ["orca".into(), 6.5.into(), "orca".into()]);
    println!("{sent:?}");
    Ok(())
}
