//! Lists of expressions with something behind each: what is projected, and in which order.

use super::error::ExprError;
use super::lexer::Token;
use super::parser::{Model, Parser, Placeholders, all};
use crate::messages::crud::{Order, Projection, order};
use crate::messages::expr::Expr;

/// Parses `EXPR, ...`.
///
/// # Errors
/// [`ExprError`].
pub fn parse_list(text: &str, model: Model, known: &mut Placeholders) -> Result<Vec<Expr>, ExprError> {
    all(text, model, known, |parser| parser.several(Parser::expr))
}

/// Parses `EXPR [[AS] NAME], ...`. Where a document's field has no name it gets its own text as one, as servers want a
/// name; an object `{...}` alone is the document itself.
///
/// # Errors
/// [`ExprError`].
pub fn parse_projections(
    text: &str,
    model: Model,
    known: &mut Placeholders,
) -> Result<Vec<Projection>, ExprError> {
    let mut list = all(text, model, known, |parser| parser.several(|parser| projection(parser, text)))?;
    if let [(Projection { source, alias }, false)] = &mut list[..]
        && source.object.is_some()
    {
        *alias = None;
    }
    Ok(list.into_iter().map(|(projection, _)| projection).collect())
}

/// A projection, and whether its name was given.
fn projection(parser: &mut Parser, text: &str) -> Result<(Projection, bool), ExprError> {
    let start = parser.at();
    let source = parser.expr()?;
    let end = parser.at();
    let named = parser.take("AS") || matches!(parser.peek(), Some(Token::Word { .. }));
    let alias = if named {
        let Some(Token::Word { name, .. } | Token::Text(name)) = parser.peek() else {
            return Err(parser.expected("a name"));
        };
        let name = name.clone();
        parser.advance();
        Some(name)
    } else {
        let own = || text.get(start..end).unwrap_or(text).trim().to_owned();
        (parser.model == Model::Document).then(own)
    };
    Ok((Projection { source, alias }, named))
}

/// Parses `EXPR [ASC|DESC], ...`.
///
/// # Errors
/// [`ExprError`].
pub fn parse_orders(text: &str, model: Model, known: &mut Placeholders) -> Result<Vec<Order>, ExprError> {
    all(text, model, known, |parser| parser.several(order))
}

fn order(parser: &mut Parser) -> Result<Order, ExprError> {
    let expr = parser.expr()?;
    let direction = if parser.take("DESC") {
        Some(order::Direction::Desc.into())
    } else {
        parser.take("ASC").then(|| order::Direction::Asc.into())
    };
    Ok(Order { expr, direction })
}
