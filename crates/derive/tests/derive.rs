//! Structs of every shape, read from rows.

use porpoise_derive::FromRow;
use porpoise_value::{Date, FromRow as _, FromValue, PlanError, ReadError, ValueRef, ValueRow};

#[derive(FromRow, Debug, PartialEq)]
struct Fish<'r> {
    id: u32,
    name: &'r str,
    born: Option<Date>,
}

const NAMES: &[&str] = &["id", "name", "born"];
const TUNA: &[ValueRef<'_>] = &[ValueRef::Int(8), ValueRef::Text(b"tuna"), ValueRef::Null];

#[test]
fn columns_in_the_order_of_the_fields() {
    assert_eq!(ValueRow::new(NAMES, TUNA).read(), Ok(Fish { id: 8, name: "tuna", born: None }));
}

#[test]
fn columns_in_any_order_and_others_between() {
    let born = "2020-02-02".parse().unwrap();
    let names = ["other", "born", "NAME", "Id", "last"];
    let values = [
        ValueRef::Null,
        ValueRef::Date(born),
        ValueRef::Text(b"eel"),
        ValueRef::UInt(1),
        ValueRef::Double(0.5),
    ];
    assert_eq!(ValueRow::new(&names, &values).read(), Ok(Fish { id: 1, name: "eel", born: Some(born) }));
}

#[test]
fn what_does_not_fit() {
    fn read(names: &[&str], values: &[ValueRef<'_>]) -> String {
        ValueRow::new(names, values).read::<Fish<'_>>().unwrap_err().to_string()
    }
    assert_eq!(read(&["id", "name"], &TUNA[..2]), "Fish needs a column `born`, and there is none");
    assert_eq!(
        read(&["id", "name", "born", "id"], &[TUNA[0], TUNA[1], TUNA[2], TUNA[0]]),
        "Fish needs one column `id`, and there are several"
    );
    assert_eq!(read(NAMES, &[TUNA[1], TUNA[1], TUNA[2]]), "column 0 `id` (text) never fits u32");
    assert_eq!(
        read(NAMES, &[ValueRef::Int(-1), TUNA[1], TUNA[2]]),
        "column 0 `id` (BIGINT) does not fit u32: out of range"
    );
}

#[test]
fn a_plan_of_another_type_is_an_error() {
    let row = ValueRow::new(NAMES, TUNA);
    let plan = Renamed::plan(&row).unwrap();
    assert!(Fish::from_row(&plan, row).is_err());
    let plan = Fish::plan(&row).unwrap();
    assert_eq!(Nested::from_row(&plan, row), Err(ReadError::Plan(PlanError::Foreign)));
}

#[derive(FromRow, Debug, PartialEq)]
struct Renamed {
    #[porpoise(rename = "name")]
    title: String,
    #[porpoise(default)]
    size: u64,
    #[porpoise(default)]
    r#type: Option<String>,
}

#[test]
fn renamed_and_default_fields() {
    let title = "tuna".to_owned();
    assert_eq!(
        ValueRow::new(NAMES, TUNA).read(),
        Ok(Renamed { title: title.clone(), size: 0, r#type: None })
    );
    let values = [TUNA[1], ValueRef::Int(3), ValueRef::Text(b"fish")];
    let all = Renamed { title, size: 3, r#type: Some("fish".to_owned()) };
    assert_eq!(ValueRow::new(&["name", "size", "type"], &values).read(), Ok(all));
    // NULL is no missing column.
    let error = ValueRow::new(&["name", "size"], &[TUNA[1], ValueRef::Null]).read::<Renamed>().unwrap_err();
    assert_eq!(error.to_string(), "column 1 `size` (NULL) does not fit u64: it is NULL");
}

#[derive(FromRow, Debug, PartialEq)]
struct Nested<'r> {
    #[porpoise(flatten)]
    fish: Fish<'r>,
    length: f64,
    #[porpoise(flatten)]
    renamed: Renamed,
}

#[test]
fn structs_within_structs() {
    let names = ["length", "id", "name", "born"];
    let values = [ValueRef::Double(1.5), TUNA[0], TUNA[1], TUNA[2]];
    let nested: Nested<'_> = ValueRow::new(&names, &values).read().unwrap();
    assert_eq!(nested.fish, Fish { id: 8, name: "tuna", born: None });
    assert_eq!((nested.length, nested.renamed.title.as_str()), (1.5, "tuna"));
}

#[derive(FromRow, Debug, PartialEq)]
struct Pair<T>(T, Option<T>)
where
    T: Clone;

#[derive(FromRow, Debug, PartialEq)]
#[porpoise(crate = "porpoise_value")]
struct Generic<'r, T, const N: usize> {
    id: T,
    name: &'r [u8],
}

#[test]
fn tuple_structs_and_generics() {
    let row = ValueRow::new(&[], &[ValueRef::Int(1), ValueRef::Null]);
    assert_eq!(row.read(), Ok(Pair(1_u8, None)));
    let error = ValueRow::new(NAMES, TUNA).read::<Pair<u8>>().unwrap_err();
    assert_eq!(error.to_string(), "Pair takes 2 columns, and there are 3");
    let values = [TUNA[1], TUNA[0]];
    let row = ValueRow::new(&["name", "id"], &values);
    assert_eq!(row.read(), Ok(Generic::<_, 3> { id: 8_i64, name: b"tuna" }));
}

/// Names that generated code could trip over.
#[derive(FromRow, Debug, PartialEq)]
struct Tricky {
    plan: u8,
    row: u8,
    cells: u8,
    slot: u8,
    value: u8,
    slot_0: u8,
}

#[test]
fn fields_named_as_what_is_generated() {
    let names = ["slot_0", "value", "slot", "cells", "row", "plan"];
    let values: Vec<_> = (0..6).map(ValueRef::Int).collect();
    let expected = Tricky { plan: 5, row: 4, cells: 3, slot: 2, value: 1, slot_0: 0 };
    assert_eq!(ValueRow::new(&names, &values).read(), Ok(expected));
}

#[test]
fn a_type_of_ones_own_is_a_field() {
    #[derive(Debug, PartialEq)]
    struct Even(i64);
    impl FromValue<'_> for Even {
        fn accepts(kind: porpoise_value::Kind) -> bool {
            i64::accepts(kind)
        }
        fn from_value(value: ValueRef<'_>) -> Result<Self, porpoise_value::ConvertError> {
            let n = i64::from_value(value)?;
            if n % 2 == 0 { Ok(Self(n)) } else { Err(porpoise_value::ConvertError::other("odd")) }
        }
        fn target() -> &'static str {
            "Even"
        }
    }
    #[derive(FromRow, Debug, PartialEq)]
    struct One {
        n: Even,
    }
    assert_eq!(ValueRow::new(&["n"], &[ValueRef::Int(2)]).read(), Ok(One { n: Even(2) }));
    let error = ValueRow::new(&["n"], &[ValueRef::Int(3)]).read::<One>().unwrap_err();
    assert_eq!(error.to_string(), "column 0 `n` (BIGINT) does not fit Even: odd");
}
