//! Expressions of the document and the table model: a parser for the grammar that MySQL's connectors accept.
//!
//! ```
//! use porpoise_xproto::expr::{self, Model};
//!
//! let parsed = expr::parse("age > :a AND name LIKE 'x%'", Model::Document)?;
//! assert_eq!(parsed.placeholders, ["a"]);
//! # Ok::<(), expr::ExprError>(())
//! ```
//!
//! | in the grammar | |
//! |---|---|
//! | `OR` `\|\|`, `XOR`, `AND` `&&` | loosest first |
//! | `IS [NOT] NULL`, `TRUE`, `FALSE`; `[NOT] IN (..)`, `[NOT] IN` value; `[NOT] LIKE .. [ESCAPE ..]`; `[NOT] BETWEEN .. AND ..`; `[NOT] REGEXP`, `RLIKE`; `[NOT] OVERLAPS` | one behind a comparison |
//! | `=` `==` `!=` `<>` `<` `<=` `>` `>=` | |
//! | `&` `\|` `^`, then `<<` `>>`, then `+` `-` (also `INTERVAL n UNIT`), then `*` `/` `%` `MOD` `DIV` | |
//! | `!` `NOT` `~` `+` `-` | bind to what is right behind them |
//! | literals, `?`, `:name`, `(..)`, `{..}`, `[..]`, `CAST(.. AS type)`, `BINARY ..`, functions, identifiers | |
//!
//! Numbers are as in SQL, and hexadecimal ones (`0x1f`, `X'1f'`) are numbers. In quotes a backslash escapes as in SQL: `\n`
//! is a new line, `\%` and `\_` stay as they are, for LIKE. Servers have no operator for `SOUNDS LIKE` or `<=>`, no DISTINCT
//! in functions, and take no variables; there are no comments.
//!
//! A document's identifiers are paths: `name`, `address.city`, `tags[0]`, `$.a.*`, `$**.b`. A table's are
//! `[[schema.]table.]column`, with a path behind `->` or `->>`: `doc->'$.a[0]'`. The latter calls `JSON_UNQUOTE`.
//!
//! Follows "X DevAPI User Guide: Expression Grammar", and MySQL's connectors where that is silent. Names of operators
//! and what servers take are in "MySQL Source Code Documentation: X Protocol, Mysqlx.Expr".

mod atom;
pub(crate) mod build;
mod clause;
mod error;
mod identifier;
mod lexer;
mod parser;

pub use clause::{parse_list, parse_orders, parse_projections};
pub use error::{ExprError, ExprFault};
pub use identifier::{parse_column, parse_path};
pub use parser::{Model, Parsed, Placeholders, parse, parse_with};
