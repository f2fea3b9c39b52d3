//! What operators stand between.

use super::build::{call, column, literal, octets, operator, placeholder};
use super::error::{ExprError, ExprFault};
use super::lexer::Token;
use super::parser::{Model, Parser};
use crate::messages::datatypes::Scalar;
use crate::messages::expr::{Array, Expr, Object, expr, object};

/// Types of CAST: with nothing, a length, or a precision behind.
const CAST_TYPES: [(&str, usize); 9] = [
    ("BINARY", 1),
    ("CHAR", 1),
    ("DATE", 0),
    ("DATETIME", 1),
    ("TIME", 1),
    ("DECIMAL", 2),
    ("JSON", 0),
    ("SIGNED", 0),
    ("UNSIGNED", 0),
];

const UNARY: [(&str, &str); 5] =
    [("!", "!"), ("NOT", "not"), ("~", "~"), ("+", "sign_plus"), ("-", "sign_minus")];

impl Parser {
    pub(super) fn atom(&mut self) -> Result<Expr, ExprError> {
        let unary = UNARY.iter().find(|(spelling, _)| self.is(spelling));
        if let Some((_, name)) = unary {
            self.advance();
            return self.unary(name);
        }
        match self.peek() {
            Some(Token::Int(number)) => {
                let number = whole(*number);
                self.advance();
                Ok(literal(number))
            }
            Some(Token::Float(number)) => {
                let number = *number;
                self.advance();
                Ok(literal(number))
            }
            Some(Token::Text(text)) => {
                let text = Scalar::string(text.clone());
                self.advance();
                Ok(literal(text))
            }
            Some(Token::Sign("(")) => {
                self.advance();
                let inner = self.expr()?;
                self.want(")")?;
                Ok(inner)
            }
            Some(Token::Sign("{")) => self.object(),
            Some(Token::Sign("[")) => {
                self.advance();
                let array = Some(Array { value: self.list("]")? });
                Ok(Expr { r#type: expr::Type::Array.into(), array, ..Expr::default() })
            }
            Some(Token::Sign("?" | ":")) => self.placeholder(),
            Some(Token::Sign("*")) => {
                self.advance();
                Ok(operator("*", Vec::new()))
            }
            Some(Token::Sign("$")) if self.model == Model::Document => self.identifier().map(column),
            Some(Token::Word { quoted: false, .. }) => self.word(),
            Some(Token::Word { quoted: true, .. }) => self.named(),
            _ => Err(self.expected("a value")),
        }
    }

    /// Numbers take their sign; anything else is an operand.
    fn unary(&mut self, name: &str) -> Result<Expr, ExprError> {
        match (name, self.peek()) {
            ("sign_minus", Some(Token::Int(number))) => {
                let number = *number;
                if let Some(number) = 0_i64.checked_sub_unsigned(number) {
                    self.advance();
                    return Ok(literal(number));
                }
            }
            ("sign_plus", Some(Token::Int(_) | Token::Float(_))) => return self.atom(),
            ("sign_minus", Some(Token::Float(number))) => {
                let number = -*number;
                self.advance();
                return Ok(literal(number));
            }
            _ => {}
        }
        self.deeper(|parser| Ok(operator(name, vec![parser.atom()?])))
    }

    /// A keyword that is a value, or a name.
    fn word(&mut self) -> Result<Expr, ExprError> {
        let called = matches!(self.ahead(1), Some(Token::Sign("(")));
        if !called {
            for (word, scalar) in
                [("NULL", Scalar::null()), ("TRUE", Scalar::from(true)), ("FALSE", Scalar::from(false))]
            {
                if self.take(word) {
                    return Ok(literal(scalar));
                }
            }
            if self.is("DEFAULT") && self.model == Model::Table {
                self.advance();
                return Ok(operator("default", Vec::new()));
            }
            if self.is("BINARY")
                && matches!(self.ahead(1), Some(Token::Text(_) | Token::Word { .. } | Token::Sign("?" | ":")))
            {
                self.advance();
                return self.deeper(|parser| {
                    let value = parser.atom()?;
                    Ok(operator("cast", vec![value, octets("BINARY")]))
                });
            }
        } else if self.is("CAST") {
            self.advance();
            self.advance();
            return self.cast();
        }
        self.named()
    }

    /// `CAST(` is read.
    fn cast(&mut self) -> Result<Expr, ExprError> {
        let value = self.expr()?;
        self.want("AS")?;
        let at = self.at();
        let Some(Token::Word { name, .. }) = self.peek() else { return Err(self.expected("a type")) };
        let name = name.to_uppercase();
        let known = CAST_TYPES.iter().find(|(known, _)| *known == name);
        let Some((known, most)) = known else {
            return Err(ExprError::new(at, ExprFault::CastType(name.into())));
        };
        self.advance();
        let mut kind = (*known).to_owned();
        if matches!(*known, "SIGNED" | "UNSIGNED") && (self.take("INTEGER") || self.take("INT")) {
            kind.push_str(" INTEGER");
        }
        if *most > 0 && self.take("(") {
            kind.push('(');
            for place in 0..*most {
                let Some(Token::Int(number)) = self.peek() else { return Err(self.expected("a length")) };
                kind.push_str(&number.to_string());
                self.advance();
                if place + 1 == *most || !self.take(",") {
                    break;
                }
                kind.push(',');
            }
            self.want(")")?;
            kind.push(')');
        }
        self.want(")")?;
        Ok(operator("cast", vec![value, octets(&kind)]))
    }

    /// A function if a parenthesis follows, else a column or a path.
    fn named(&mut self) -> Result<Expr, ExprError> {
        let (schema, name, tokens) = match (self.peek(), self.ahead(1), self.ahead(2), self.ahead(3)) {
            (Some(Token::Word { name, .. }), Some(Token::Sign("(")), ..) => (None, name.clone(), 2),
            (
                Some(Token::Word { name: schema, .. }),
                Some(Token::Sign(".")),
                Some(Token::Word { name, .. }),
                Some(Token::Sign("(")),
            ) => (Some(schema.clone()), name.clone(), 4),
            _ => return self.value_of(),
        };
        for _ in 0..tokens {
            self.advance();
        }
        let param = self.list(")")?;
        Ok(call(schema, name, param))
    }

    /// A column or a path. What `->>` yields is unquoted by a function, as the protocol has no word for it.
    fn value_of(&mut self) -> Result<Expr, ExprError> {
        let mut identifier = self.identifier()?;
        let whole = self.model == Model::Table && identifier.document_path.is_empty();
        if !whole || !self.take("->>") {
            return Ok(column(identifier));
        }
        identifier.document_path = self.column_path()?;
        Ok(call(None, "JSON_UNQUOTE".to_owned(), vec![column(identifier)]))
    }

    fn object(&mut self) -> Result<Expr, ExprError> {
        self.want("{")?;
        let mut fld = Vec::new();
        if !self.take("}") {
            loop {
                let key = match self.peek() {
                    Some(Token::Text(key)) => key.clone(),
                    Some(Token::Word { name, .. }) => name.clone(),
                    _ => return Err(self.expected("a field's name")),
                };
                self.advance();
                self.want(":")?;
                fld.push(object::ObjectField { key, value: self.expr()? });
                if self.take("}") {
                    break;
                }
                self.want(",")?;
            }
        }
        Ok(Expr { r#type: expr::Type::Object.into(), object: Some(Object { fld }), ..Expr::default() })
    }

    fn placeholder(&mut self) -> Result<Expr, ExprError> {
        let at = self.at();
        let named = self.is(":");
        self.advance();
        let name = match self.peek() {
            _ if !named => None,
            Some(Token::Word { name, .. }) => Some(name.clone()),
            // `:1`, as some write it.
            Some(Token::Int(number)) => Some(number.to_string()),
            _ => return Err(self.expected("a placeholder's name")),
        };
        if named {
            self.advance();
        }
        let position = self.placeholders.position(name);
        let position = position.ok_or_else(|| ExprError::new(at, ExprFault::MixedPlaceholders))?;
        u32::try_from(position).map(placeholder).map_err(|_| ExprError::new(at, ExprFault::TooDeep))
    }
}

/// Signed as long as it can be: that is what connectors send.
fn whole(number: u64) -> Scalar {
    i64::try_from(number).map_or_else(|_| Scalar::from(number), Scalar::from)
}
