//! `#[derive(FromRow)]`: a struct that rows become.
//!
//! ```
//! use porpoise_derive::FromRow;
//! use porpoise_value::{Date, ValueRef, ValueRow};
//!
//! #[derive(FromRow, Debug, PartialEq)]
//! struct Fish<'r> {
//!     id: u32,
//!     name: &'r str, // borrowed from the row
//!     #[porpoise(rename = "date_of_birth")]
//!     born: Option<Date>, // NULL is `None`
//!     #[porpoise(default)]
//!     scales: u64, // the column need not be there
//! }
//!
//! let names = ["name", "id", "date_of_birth"];
//! let row = ValueRow::new(&names, &[ValueRef::Text(b"tuna"), ValueRef::Int(8), ValueRef::Null]);
//! assert_eq!(row.read(), Ok(Fish { id: 8, name: "tuna", born: None, scales: 0 }));
//! ```
//!
//! A struct with named fields takes columns by name, in any order; other columns are skipped. ASCII letters are the same
//! in both cases. A tuple struct takes columns by position, all of them. Names and kinds are checked once for a result
//! set, in `FromRow::plan`; a row then costs no look-up and no allocation of the derive's own.
//!
//! | attribute | on | it |
//! |---|---|---|
//! | `#[porpoise(rename = "name")]` | a named field | takes the column of this name |
//! | `#[porpoise(default)]` | a named field | is `Default::default()` if the column is not there; a NULL is not that |
//! | `#[porpoise(flatten)]` | a named field | is a `FromRow` struct of columns of the same row |
//! | `#[porpoise(crate = "path")]` | the struct | `porpoise_value` by another name |
//!
//! One lifetime parameter is that of the row. With type parameters, every field's type must be a `FromValue`.

mod expand;
mod input;

use proc_macro::TokenStream;
use syn::{DeriveInput, parse_macro_input, parse_quote};

/// Makes `FromRow` for a struct. See the [crate page](crate).
#[proc_macro_derive(FromRow, attributes(porpoise))]
pub fn from_row(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    expand::from_row(&input, parse_quote!(::porpoise_value)).into()
}

/// The same for those who depend on the facade, which re-exports it as `FromRow`.
#[proc_macro_derive(FacadeFromRow, attributes(porpoise))]
pub fn facade_from_row(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    expand::from_row(&input, parse_quote!(::porpoise::value)).into()
}
