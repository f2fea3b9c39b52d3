//! MySQL's wire protocols as pick-and-choose crates: the facade.
