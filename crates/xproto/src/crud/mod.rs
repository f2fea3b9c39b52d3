//! Statements on collections and tables, built of texts and values: expressions are parsed, placeholders numbered and
//! filled in.
//!
//! ```
//! use porpoise_xproto::crud::{Delete, Find, Insert, Update, Value};
//!
//! let find = Find::collection("shop", "people")
//!     .filter("age > :age AND name LIKE 'x%'")
//!     .fields("name, address.city AS city")
//!     .sort("age DESC, name")
//!     .limit(10)
//!     .bind("age", 30)
//!     .build()?;
//! assert_eq!((find.projection.len(), find.args.len()), (2, 1));
//!
//! let insert = Insert::collection("shop", "people").document(r#"{"name": "Ann", "age": 31}"#).build()?;
//! let update = Update::collection("shop", "people")
//!     .filter("name = 'Ann'")
//!     .set("age", Value::expr("age + 1"))
//!     .set("address.city", "Oslo")
//!     .build()?;
//! let delete = Delete::table("shop", "orders").filter("paid AND id < :id").bind("id", 100).build()?;
//! # drop((insert, update, delete));
//!
//! // What is not bound is a parameter of the prepared statement.
//! let prepared = Find::collection("shop", "people").filter("age > :age").prepare(1)?;
//! assert_eq!(prepared.parameters, ["age"]);
//! # Ok::<(), porpoise_xproto::crud::CrudError>(())
//! ```
//!
//! A method takes texts as they are and cannot fail; what is wrong with the first bad one is the error of
//! [`build`](Statement::build). `filter`, `fields`, `sort` and the like take [expressions](crate::expr). A value is itself:
//! `set("name", "age + 1")` sets a text. [`Value::expr`] makes an expression of it, [`Value::json`] a JSON value.
//!
//! A statement of the document model ([`Statement::collection`]) reads `a.b` as a path into the document, one of the
//! table model ([`Statement::table`]) as a column `b` of `a`. [`Update`] and [`Delete`] need a condition, `true` if all is
//! meant: without one servers take all, as no connector does.
//!
//! Whatever becomes a message is a [`Request`].
//!
//! [`Expect`] opens a block of expectations. Views are [`CreateView`], [`ModifyView`], [`DropView`].
//!
//! Follows "X DevAPI User Guide" and "MySQL Source Code Documentation: X Protocol, Mysqlx.Crud".

mod error;
mod expect;
mod find;
mod insert;
mod prepare;
mod request;
mod scope;
mod statement;
mod update;
mod value;
mod view;

pub use error::CrudError;
pub use expect::Expect;
pub use prepare::Prepared;
pub use request::Request;
pub use statement::{Conditional, Crud, Delete, Find, Insert, Statement, Update};
pub use value::Value;
pub use view::{CreateView, DropView, ModifyView};
