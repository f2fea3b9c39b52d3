//! Lists of expressions with something behind each: what is projected, and in which order.

use super::error::ExprError;
use super::lexer::Token;
use super::parser::{Model, Parser};
use crate::messages::crud::{Order, Projection, order};

/// Parses `EXPR [[AS] NAME]`. Where a document's field has no name it gets its own text as one, as servers want a name.
///
/// # Errors
/// [`ExprError`].
pub fn parse_projection(text: &str, model: Model) -> Result<Projection, ExprError> {
    let mut parser = Parser::new(text, model)?;
    let projection = projection(&mut parser, text)?;
    parser.end()?;
    Ok(projection)
}

/// Parses several, with commas between.
///
/// # Errors
/// [`ExprError`].
pub fn parse_projections(text: &str, model: Model) -> Result<Vec<Projection>, ExprError> {
    let mut parser = Parser::new(text, model)?;
    let mut list = Vec::new();
    loop {
        let start = parser.at();
        list.push(projection(&mut parser, text.get(start..).unwrap_or_default())?);
        if !parser.take(",") {
            parser.end()?;
            return Ok(list);
        }
    }
}

fn projection(parser: &mut Parser, text: &str) -> Result<Projection, ExprError> {
    let start = parser.at();
    let source = parser.expr()?;
    let end = parser.at();
    let alias = if parser.take("AS") || matches!(parser.peek(), Some(Token::Word { .. })) {
        let Some(Token::Word { name, .. } | Token::Text(name)) = parser.peek() else {
            return Err(parser.expected("a name"));
        };
        let name = name.clone();
        parser.advance();
        Some(name)
    } else if parser.model == Model::Document && source.object.is_none() {
        Some(text.get(..end.saturating_sub(start)).unwrap_or(text).trim().to_owned())
    } else {
        None
    };
    Ok(Projection { source, alias })
}

/// Parses `EXPR [ASC|DESC], ...`.
///
/// # Errors
/// [`ExprError`].
pub fn parse_orders(text: &str, model: Model) -> Result<Vec<Order>, ExprError> {
    let mut parser = Parser::new(text, model)?;
    let mut list = Vec::new();
    loop {
        let expr = parser.expr()?;
        let direction = if parser.take("DESC") {
            Some(order::Direction::Desc.into())
        } else {
            parser.take("ASC").then(|| order::Direction::Asc.into())
        };
        list.push(Order { expr, direction });
        if !parser.take(",") {
            parser.end()?;
            return Ok(list);
        }
    }
}
