//! Operators and predicates.

use std::mem;

use super::build::{is_readable, literal, octets, operator};
use super::error::{ExprError, ExprFault};
use super::lexer::{Spanned, Token, lex};
use crate::messages::datatypes::Scalar;
use crate::messages::expr::Expr;

/// What identifiers mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Model {
    /// Paths into a document.
    Document,
    /// Columns.
    Table,
}

/// An expression, and what is to be filled in.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Parsed {
    /// The expression.
    pub expr: Expr,
    /// The placeholders' names in the order of their positions; `?` has its number, from 0. A name that is used twice has one
    /// position.
    pub placeholders: Vec<String>,
}

/// How much may nest in a text, for the stack's sake: parentheses, too, which leave nothing in the tree.
const MAX_DEPTH: usize = 48;

/// The placeholders of one message, which all of its expressions share: a name that is used twice has one position.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Placeholders {
    names: Vec<String>,
    /// Whether they have names; unknown before the first.
    named: Option<bool>,
}

impl Placeholders {
    /// Their names in the order of their positions; `?` has its number, from 0.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Whether they are written as `:name`, not as `?`.
    #[must_use]
    pub fn are_named(&self) -> bool {
        self.named.unwrap_or_default()
    }

    /// The position of the next one; `None` if those before are of the other kind.
    pub(super) fn position(&mut self, name: Option<String>) -> Option<usize> {
        let named = name.is_some();
        if *self.named.get_or_insert(named) != named {
            return None;
        }
        let name = name.unwrap_or_else(|| self.names.len().to_string());
        Some(self.names.iter().position(|known| *known == name).unwrap_or_else(|| {
            self.names.push(name);
            self.names.len() - 1
        }))
    }
}

/// Parses an expression.
///
/// # Errors
/// [`ExprError`] says what is wrong, and where.
pub fn parse(text: &str, model: Model) -> Result<Parsed, ExprError> {
    let mut placeholders = Placeholders::default();
    let expr = parse_with(text, model, &mut placeholders)?;
    Ok(Parsed { expr, placeholders: placeholders.names })
}

/// Parses one of several expressions that share placeholders.
///
/// # Errors
/// [`ExprError`].
pub fn parse_with(text: &str, model: Model, placeholders: &mut Placeholders) -> Result<Expr, ExprError> {
    all(text, model, placeholders, Parser::expr)
}

/// Parses a text to its end.
pub(super) fn all<R>(
    text: &str,
    model: Model,
    placeholders: &mut Placeholders,
    parse: impl FnOnce(&mut Parser) -> Result<R, ExprError>,
) -> Result<R, ExprError> {
    let mut parser = Parser::new(text, model)?;
    parser.placeholders = mem::take(placeholders);
    let parsed = parse(&mut parser).and_then(|parsed| parser.end().map(|()| parsed));
    *placeholders = parser.placeholders;
    parsed
}

pub(super) struct Parser {
    tokens: Vec<Spanned>,
    next: usize,
    len: usize,
    depth: usize,
    pub(super) model: Model,
    pub(super) placeholders: Placeholders,
}

/// An operator between two operands: its spelling, the name that the server knows, and how tightly it binds.
type Infix = (&'static str, &'static str, u8);

const OR: u8 = 1;
const XOR: u8 = 2;
const AND: u8 = 3;
/// IS, IN, LIKE and the like: one behind a comparison, and none behind that.
const PREDICATE: u8 = 4;
const COMPARE: u8 = 5;
const BITS: u8 = 6;
const SHIFT: u8 = 7;
const SUM: u8 = 8;
const PRODUCT: u8 = 9;

const INFIX: [Infix; 25] = [
    ("||", "||", OR),
    ("OR", "||", OR),
    ("XOR", "xor", XOR),
    ("&&", "&&", AND),
    ("AND", "&&", AND),
    ("==", "==", COMPARE),
    ("=", "==", COMPARE),
    ("!=", "!=", COMPARE),
    ("<>", "!=", COMPARE),
    ("<=", "<=", COMPARE),
    (">=", ">=", COMPARE),
    ("<", "<", COMPARE),
    (">", ">", COMPARE),
    ("&", "&", BITS),
    ("|", "|", BITS),
    ("^", "^", BITS),
    ("<<", "<<", SHIFT),
    (">>", ">>", SHIFT),
    ("+", "+", SUM),
    ("-", "-", SUM),
    ("*", "*", PRODUCT),
    ("/", "/", PRODUCT),
    ("%", "%", PRODUCT),
    ("MOD", "%", PRODUCT),
    ("DIV", "div", PRODUCT),
];

const UNITS: [&str; 20] = [
    "MICROSECOND",
    "SECOND",
    "MINUTE",
    "HOUR",
    "DAY",
    "WEEK",
    "MONTH",
    "QUARTER",
    "YEAR",
    "SECOND_MICROSECOND",
    "MINUTE_MICROSECOND",
    "MINUTE_SECOND",
    "HOUR_MICROSECOND",
    "HOUR_SECOND",
    "HOUR_MINUTE",
    "DAY_MICROSECOND",
    "DAY_SECOND",
    "DAY_MINUTE",
    "DAY_HOUR",
    "YEAR_MONTH",
];

impl Parser {
    pub(super) fn new(text: &str, model: Model) -> Result<Self, ExprError> {
        let tokens = lex(text)?;
        Ok(Self { tokens, next: 0, len: text.len(), depth: 0, model, placeholders: Placeholders::default() })
    }

    /// An expression.
    pub(super) fn expr(&mut self) -> Result<Expr, ExprError> {
        let outermost = self.depth == 0;
        let expr = self.deeper(|parser| parser.operators(OR))?;
        if outermost && !is_readable(&expr) {
            return Err(ExprError::new(0, ExprFault::TooDeep));
        }
        Ok(expr)
    }

    /// Several of what is parsed, with commas between.
    pub(super) fn several<R>(
        &mut self,
        mut parse: impl FnMut(&mut Self) -> Result<R, ExprError>,
    ) -> Result<Vec<R>, ExprError> {
        let mut list = vec![parse(self)?];
        while self.take(",") {
            list.push(parse(self)?);
        }
        Ok(list)
    }

    /// Operands with operators between that bind at least this tightly. One function for all levels: an expression in
    /// parentheses costs few frames of the stack.
    fn operators(&mut self, least: u8) -> Result<Expr, ExprError> {
        let mut left = self.atom()?;
        let (mut chained, mut most) = (0, PRODUCT);
        loop {
            let infix = INFIX.iter().find(|(spelling, ..)| self.is(spelling));
            let (level, name) = match infix {
                Some((_, name, level)) => (*level, Some(*name)),
                None if self.is_predicate() => (PREDICATE, None),
                None => return Ok(left),
            };
            if level < least || level > most {
                return Ok(left);
            }
            // Each one makes the tree one level deeper.
            chained += 1;
            if self.depth + chained > MAX_DEPTH {
                return Err(ExprError::new(self.at(), ExprFault::TooDeep));
            }
            left = match name {
                Some(name) => {
                    self.next += 1;
                    self.right(left, name, level)?
                }
                None => self.predicate(left)?,
            };
            // They associate to the left, but for predicates, of which there is only one.
            most = if level == PREDICATE { AND } else { level };
        }
    }

    /// What is right of an operator that is read.
    fn right(&mut self, left: Expr, name: &'static str, level: u8) -> Result<Expr, ExprError> {
        if level == SUM && self.take("INTERVAL") {
            let amount = self.operators(COMPARE)?;
            let unit = UNITS.iter().find(|unit| self.is(unit));
            let unit = *unit.ok_or_else(|| self.expected("a unit of time"))?;
            self.next += 1;
            let name = if name == "+" { "date_add" } else { "date_sub" };
            return Ok(operator(name, vec![left, amount, octets(unit)]));
        }
        let right = self.operators(level + 1)?;
        Ok(operator(name, vec![left, right]))
    }

    /// What nests without parentheses.
    pub(super) fn deeper<R>(
        &mut self,
        parse: impl FnOnce(&mut Self) -> Result<R, ExprError>,
    ) -> Result<R, ExprError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(ExprError::new(self.at(), ExprFault::TooDeep));
        }
        let parsed = parse(self);
        self.depth -= 1;
        parsed
    }

    fn is_predicate(&self) -> bool {
        self.is("IS") || self.is_said(0) || (self.is("NOT") && self.is_said(1))
    }

    /// Whether a word of a predicate that can be negated is that far ahead.
    fn is_said(&self, ahead: usize) -> bool {
        let Some(Token::Word { name, quoted: false }) = self.ahead(ahead) else { return false };
        ["IN", "LIKE", "BETWEEN", "REGEXP", "RLIKE", "OVERLAPS"]
            .iter()
            .any(|word| name.eq_ignore_ascii_case(word))
    }

    /// What is said of a comparison.
    fn predicate(&mut self, left: Expr) -> Result<Expr, ExprError> {
        if self.take("IS") {
            return self.is_what(left);
        }
        let not = self.take("NOT");
        let name = |plain, negated| if not { negated } else { plain };
        if self.take("IN") {
            return self.inside(left, not);
        }
        if self.take("LIKE") {
            let mut param = vec![left, self.operators(COMPARE)?];
            if self.take("ESCAPE") {
                param.push(self.operators(COMPARE)?);
            }
            return Ok(operator(name("like", "not_like"), param));
        }
        if self.take("BETWEEN") {
            let low = self.operators(COMPARE)?;
            self.want("AND")?;
            let high = self.operators(COMPARE)?;
            return Ok(operator(name("between", "not_between"), vec![left, low, high]));
        }
        let name = if self.take("REGEXP") || self.take("RLIKE") {
            name("regexp", "not_regexp")
        } else {
            self.want("OVERLAPS")?;
            name("overlaps", "not_overlaps")
        };
        let right = self.operators(COMPARE)?;
        Ok(operator(name, vec![left, right]))
    }

    /// `IS` is read.
    fn is_what(&mut self, left: Expr) -> Result<Expr, ExprError> {
        let name = if self.take("NOT") { "is_not" } else { "is" };
        for (word, scalar) in
            [("NULL", Scalar::null()), ("TRUE", Scalar::from(true)), ("FALSE", Scalar::from(false))]
        {
            if self.take(word) {
                return Ok(operator(name, vec![left, literal(scalar)]));
            }
        }
        Err(self.expected("NULL, TRUE or FALSE"))
    }

    /// `IN (a, b)` looks for one of several values, `IN x` into a JSON value.
    fn inside(&mut self, left: Expr, not: bool) -> Result<Expr, ExprError> {
        if self.take("(") {
            let mut param = vec![left];
            param.extend(self.list(")")?);
            return Ok(operator(if not { "not_in" } else { "in" }, param));
        }
        let right = self.operators(COMPARE)?;
        Ok(operator(if not { "not_cont_in" } else { "cont_in" }, vec![left, right]))
    }

    /// Expressions up to a closing sign, which is taken.
    pub(super) fn list(&mut self, close: &'static str) -> Result<Vec<Expr>, ExprError> {
        let mut list = Vec::new();
        if self.take(close) {
            return Ok(list);
        }
        loop {
            list.push(self.expr()?);
            if self.take(close) {
                return Ok(list);
            }
            self.want(",")?;
        }
    }

    pub(super) fn peek(&self) -> Option<&Token> {
        self.ahead(0)
    }

    pub(super) fn ahead(&self, n: usize) -> Option<&Token> {
        self.tokens.get(self.next + n).map(|spanned| &spanned.token)
    }

    pub(super) const fn advance(&mut self) {
        self.next += 1;
    }

    /// Where the next token is.
    pub(super) fn at(&self) -> usize {
        self.tokens.get(self.next).map_or(self.len, |spanned| spanned.at)
    }

    /// Whether the next token is this sign or this keyword.
    pub(super) fn is(&self, what: &str) -> bool {
        match self.peek() {
            Some(Token::Sign(sign)) => *sign == what,
            Some(Token::Word { name, quoted: false }) => name.eq_ignore_ascii_case(what),
            _ => false,
        }
    }

    pub(super) fn take(&mut self, what: &str) -> bool {
        let is = self.is(what);
        self.next += usize::from(is);
        is
    }

    pub(super) fn want(&mut self, what: &'static str) -> Result<(), ExprError> {
        if self.take(what) { Ok(()) } else { Err(self.expected(what)) }
    }

    /// Nothing may be left.
    pub(super) fn end(&self) -> Result<(), ExprError> {
        if self.peek().is_none() { Ok(()) } else { Err(self.expected("an operator or the end")) }
    }

    pub(super) fn expected(&self, expected: &'static str) -> ExprError {
        let found = self.peek().map(|token| match token {
            Token::Word { name, .. } => name.clone(),
            Token::Text(text) => text.clone(),
            Token::Int(number) => number.to_string(),
            Token::Float(number) => number.to_string(),
            Token::Sign(sign) => (*sign).to_owned(),
        });
        ExprError::expected(self.at(), expected, found.as_deref())
    }
}
