//! Structs that rows become, with `porpoise-derive`. The rows stand here; any protocol could bring them.

use std::error::Error;

use porpoise_derive::FromRow;
use porpoise_value::{Date, FromRow as _, ValueRef, ValueRow};

#[derive(FromRow, Debug, PartialEq)]
struct Place {
    ocean: String,
    #[porpoise(default)]
    depth: Option<f64>,
}

#[derive(FromRow, Debug, PartialEq)]
struct Sighting<'r> {
    #[porpoise(rename = "species")]
    name: &'r str,
    seen: Date,
    #[porpoise(flatten)]
    place: Place,
}

fn main() -> Result<(), Box<dyn Error>> {
    let seen: Date = "2024-05-06".parse()?;
    let names = ["seen", "species", "ocean", "comment"];
    let rows = [
        [ValueRef::Date(seen), ValueRef::Text(b"orca"), ValueRef::Text(b"Arctic"), ValueRef::Null],
        [ValueRef::Date(seen), ValueRef::Text(b"vaquita"), ValueRef::Text(b"Pacific"), ValueRef::Null],
    ];

    // Names and kinds are checked once; the rows are read by the plan.
    let plan = Sighting::plan(&ValueRow::new(&names, &rows[0]))?;
    let mut sightings = Vec::new();
    for row in &rows {
        sightings.push(Sighting::from_row(&plan, ValueRow::new(&names, row))?);
    }
    let place = Place { ocean: "Pacific".to_owned(), depth: None };
    assert_eq!(sightings.last(), Some(&Sighting { name: "vaquita", seen, place }));
    println!("{sightings:?}");

    let error = Sighting::plan(&ValueRow::new(&names[..2], &rows[0][..2])).unwrap_err();
    println!("{error}");
    Ok(())
}
